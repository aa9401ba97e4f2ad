/**
 * What a device sends under damage (DEV-3): frames, answers of its application, and the channels
 * that a server hands out for it. Each returns the same as an independent reading, or a CliError of
 * a foreseen code, after a bounded number of reads.
 */
import { expect, test } from "bun:test";
import TransportNodeHid from "@ledgerhq/hw-transport-node-hid-noevents";
import { wireOf } from "../../src/core/device/addon.ts";
import {
  readApp,
  readAuthentication,
  readPublicKey,
  readStep,
} from "../../src/core/device/apdu.ts";
import { channelFor } from "../../src/core/device/channel.ts";
import { exact } from "../../src/io/json.ts";
import { fuzz, outcomeOf } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";
import vectors from "../vectors/device.json";

const FRAME = 64;
const CHANNEL = 0x0101;
const LONGEST = 4096;

/** The frames of an answer, made here and not by the library that reads them. */
function framesOf(answer: Uint8Array, announced = answer.length): Buffer[] {
  const body = Buffer.concat([Buffer.from([announced >> 8, announced & 0xff]), answer]);
  return Array.from({ length: Math.ceil(body.length / (FRAME - 5)) }, (_, at) => {
    const frame = Buffer.alloc(FRAME);
    frame.set([CHANNEL >> 8, CHANNEL & 0xff, 0x05, at >> 8, at & 0xff]);
    frame.set(body.subarray(at * (FRAME - 5), (at + 1) * (FRAME - 5)), 5);
    return frame;
  });
}

/** What frames say to somebody strict; undefined when they say nothing. */
function readStrictly(frames: readonly Buffer[]): Buffer | undefined {
  const announced = frames[0]?.length === FRAME ? frames[0].readUInt16BE(5) : 0;
  if (announced < 2 || announced > LONGEST) return undefined;
  const needed = frames.slice(0, Math.ceil((announced + 2) / (FRAME - 5)));
  const isSound = (frame: Buffer, at: number): boolean =>
    frame.length === FRAME &&
    frame.readUInt16BE(0) === CHANNEL &&
    frame[2] === 0x05 &&
    frame.readUInt16BE(3) === at;
  if (needed.length * (FRAME - 5) < announced + 2 || !needed.every(isSound)) return undefined;
  return Buffer.concat(needed.map((frame) => frame.subarray(5))).subarray(2, 2 + announced);
}

function spoilFrames(frames: Buffer[], random: Random): Buffer[] {
  for (let left = random.below(4); left > 0; left -= 1) {
    const at = random.below(frames.length);
    const frame = frames[at] ?? Buffer.alloc(0);
    const spoilings: readonly (() => unknown)[] = [
      () => frame.set([random.below(256)], random.below(Math.min(frame.length, 8))),
      () => frame.set([random.below(256)], random.below(frame.length)),
      () => frames.splice(at, 1, frame.subarray(0, random.below(FRAME))),
      () => frames.splice(at, 1, Buffer.concat([frame, random.bytes(1 + random.below(70))])),
      () => frames.splice(at, 1),
      () => frames.splice(at, 0, frame),
      () => frames.splice(at, 1, Buffer.from(random.bytes(FRAME))),
      () => frames.reverse(),
    ];
    if (frame.length > 0) random.pick(spoilings)();
  }
  return frames;
}

/** node-hid's device as the transport uses it; without another frame it is unplugged. */
class Frames {
  reads = 0;
  constructor(private readonly frames: readonly Buffer[]) {}
  getDeviceInfo(): object {
    return {};
  }
  write(): void {}
  read(done: (failure: Error | null, frame?: Buffer) => void): void {
    const frame = this.frames[this.reads];
    this.reads += 1;
    if (frame === undefined) done(new Error("could not read from HID device"));
    else done(null, frame);
  }
  pause(): void {}
  close(): void {}
}

test("DEV-3 frames: what is accepted is what a strict reader finds, and no more is read than an answer can need", async () => {
  const outcomes = await fuzz(8000, async (random) => {
    const length = random.pick([
      2,
      3,
      57,
      58,
      116,
      117,
      random.below(300),
      random.below(LONGEST + 3),
    ]);
    const announced = random.below(8) === 0 ? random.below(0x10000) : length;
    const frames = spoilFrames(framesOf(random.bytes(length), announced), random);
    const device = new Frames(frames);
    const transport = new TransportNodeHid(device as never);
    Object.assign(transport, { channel: CHANNEL });
    const expected = readStrictly(frames);
    const outcome = await outcomeOf(async () => {
      const answer = await wireOf(transport).exchange(new Uint8Array([0xb0, 0x01, 0, 0, 0]));
      expect(Buffer.from(answer).toString("hex")).toBe(expected?.toString("hex") ?? "nothing");
    }, ["DEVICE_PROTOCOL", "DEVICE_DISCONNECTED"]);
    if (expected !== undefined) expect(outcome).toBe("accepted");
    expect(device.reads).toBeLessThanOrEqual(Math.ceil((LONGEST + 2) / (FRAME - 5)));
    return outcome;
  });
  for (const outcome of ["accepted", "DEVICE_PROTOCOL", "DEVICE_DISCONNECTED"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(200);
});

const ANSWERS = vectors.apdus.flatMap(({ response }) =>
  typeof response === "string" ? [response] : [],
);

test("DEV-3 answers of the application: read within their bounds, or DEVICE_PROTOCOL", async () => {
  expect(ANSWERS.length).toBeGreaterThan(5);
  const readers: readonly ((data: Uint8Array) => void)[] = [
    (data) => {
      const { name, version } = readApp(data);
      expect(name.length + version.length + 3).toBeLessThanOrEqual(data.length);
    },
    (data) => {
      const key = readPublicKey(data);
      expect([key.length, key[0], Buffer.from(data).indexOf(key)]).toEqual([65, 4, 1]);
    },
    (data) => expect(Buffer.from(readAuthentication(data)).equals(data)).toBe(true),
    (data) => {
      const step = readStep(data);
      if ("next" in step) expect(step.next).toBe(Buffer.from(data).readUInt16BE(1));
      else expect(Buffer.from(step.signature).equals(data.subarray(3))).toBe(true);
    },
  ];
  const outcomes = await fuzz(8000, (random) => {
    const data = Buffer.from(random.pick(ANSWERS), "hex");
    for (let left = random.below(3); left > 0 && data.length > 0; left -= 1)
      data[random.below(Math.min(data.length, 6))] = random.below(256);
    const cut = random.below(3) === 0 ? data.subarray(0, random.below(data.length + 1)) : data;
    const given = random.below(5) === 0 ? random.bytes(random.below(80)) : cut;
    return outcomeOf(() => random.pick(readers)(given), ["DEVICE_PROTOCOL"]);
  });
  for (const outcome of ["accepted", "DEVICE_PROTOCOL"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(500);
});

/** A copy of a document of which one place is another value, is gone, or has another name. */
function spoilValue(value: unknown, random: Random): unknown {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (entries.length === 0 || random.below(6) === 0) {
    const texts = [
      "",
      "=",
      "AA",
      "A".repeat(400),
      "04".padEnd(130, "0"),
      random.damage(String(value)).toWellFormed(),
    ];
    return random.pick<unknown>([null, 0, true, [], {}, [null], { challenge: value }, ...texts]);
  }
  const [name, child] = random.pick(entries);
  const spoilt = random.below(12) === 0 ? undefined : spoilValue(child, random);
  if (Array.isArray(value)) return value.with(Number(name), spoilt ?? null);
  const spelled =
    random.below(12) === 0
      ? random.pick([
          name.toUpperCase(),
          `04${"ab".repeat(64)}`,
          random.damage(name).toWellFormed(),
        ])
      : name;
  return Object.fromEntries(
    entries.map((entry) => (entry[0] === name ? [spelled, spoilt] : entry)),
  );
}

test("DEV-3 channels: complete and within the bounds of a command, or refused", async () => {
  const [{ response }] = vectors.sequences.approve.rest as unknown as [
    { response: Record<string, unknown> },
  ];
  const publicKey = Object.keys(response)[0] ?? "";
  const outcomes = await fuzz(4000, (random) => {
    const spoilt = exact(
      JSON.stringify(random.below(10) === 0 ? response : spoilValue(response, random)) ?? "null",
    );
    return outcomeOf(() => {
      const channel = channelFor(spoilt, publicKey);
      expect([channel.ephemeralPublicKey.length, channel.attestationPublicKey.length]).toEqual([
        65, 65,
      ]);
      const shown = "actions" in channel.shown ? channel.shown.actions : [channel.shown.operation];
      for (const part of [channel.signature, channel.certificate])
        expect(part.length).toBeWithin(1, 256);
      for (const part of shown) expect(part.length).toBeWithin(1, 0x10000);
    }, ["REQUEST_CLOSED", "DEVICE_NOT_A_REVIEWER", "WRONG_SESSION_KIND", "INVALID_RESPONSE"]);
  });
  for (const outcome of ["accepted", "REQUEST_CLOSED", "DEVICE_NOT_A_REVIEWER", "INVALID_RESPONSE"])
    expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(20);
});
