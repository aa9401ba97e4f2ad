/**
 * The published vectors of the device protocol, byte for byte: every command that this program
 * sends is made by its own encoders and every answer read by its own readers; the frames are those
 * of the transport that carries them.
 */
import { describe, expect, test } from "bun:test";
import framing from "@ledgerhq/hw-transport-node-hid-noevents/lib/hid-framing";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { type LoginChallenge, ROLES, type Role } from "../../src/core/device/apdu.ts";
import { channelFor } from "../../src/core/device/channel.ts";
import { statusError } from "../../src/core/device/status.ts";
import { Connection, type Wire } from "../../src/core/device/transport.ts";
import {
  askApp,
  closeApp,
  isDashboard,
  isVault,
  openVault,
  Vault,
} from "../../src/core/device/vault.ts";
import { exact } from "../../src/io/json.ts";
import { codeOf } from "../support/failure.ts";
import { runtimeWith } from "../support/runtime.ts";
import vectors from "../vectors/device.json";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Buffer => Buffer.from(text, "hex");

/**
 * A device that expects exactly these commands in this order, and returns exactly these answers.
 */
function scripted(steps: readonly { readonly command: string; readonly response: string }[]): {
  connection: Connection;
  requireDone(): void;
} {
  let at = 0;
  const wire: Wire = {
    exchange(command) {
      const step = steps[at];
      at += 1;
      expect(hex(command)).toBe(step?.command ?? "no further command");
      return Promise.resolve(bytes(step?.response ?? ""));
    },
    close: () => Promise.resolve(),
  };
  const sleep = (_: number, signal?: AbortSignal): Promise<void> =>
    new Promise((_resolve, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true }),
    );
  const host = {
    usb: () => Promise.reject(new Error("no bus")),
    runtime: runtimeWith({ sleep }),
    alone: <T>(work: () => Promise<T>) => work(),
  };
  return {
    connection: new Connection(wire, host, 1000),
    requireDone: () => expect(at).toBe(steps.length),
  };
}

interface Fields {
  // biome-ignore lint/suspicious/noExplicitAny: the vectors' own shapes differ from row to row.
  readonly [name: string]: any;
}

const roleOf = (name: string): Role => {
  const role = name.toLowerCase().replaceAll("_", " ");
  if (!Object.hasOwn(ROLES, role)) throw new Error(`no role: ${name}`);
  return role as Role;
};

/** Signatures in the vectors are real: the bytes and the key are beside them. */
function verifyAsNamed({ key, hash, message, signature, encoding }: Fields): boolean {
  expect([hash, encoding]).toEqual(["sha256", "DER"]);
  const { curve, publicKeyHex } = (vectors.keys as Fields)[key];
  const ecdsa = curve === "P-256" ? p256 : secp256k1;
  return ecdsa.verify(bytes(signature), bytes(message), bytes(publicKeyHex), {
    format: "der",
    lowS: false,
  });
}

/** What belongs to the making of a workspace and its devices, which is not this program's. */
const ENROLMENT =
  /^(register|registerData|generateKeyComponent|getOsVersion|getAttestationCertificate)\b/;
/** Keys that this program does not ask for. */
const OTHER_KEYS = /^getPublicKey: (confidentiality|validation) key/;

const CODES: Readonly<Record<string, string>> = {
  USER_REFUSED: "DEVICE_REFUSED",
  DEVICE_LOCKED: "DEVICE_LOCKED",
  WRONG_APP: "DEVICE_WRONG_APP",
  BOOTLOADER: "DEVICE_NOT_READY",
  DEVICE_NOT_ONBOARDED: "DEVICE_NOT_READY",
  INVALID_DATA: "DEVICE_BAD_DATA",
  INVALID_OR_MISSING_ATTESTATION: "DEVICE_SERVER_UNTRUSTED",
  PROTOCOL_ERROR: "DEVICE_PROTOCOL",
  DEVICE_INTERNAL: "DEVICE_ERROR",
  DEVICE_HALTED: "DEVICE_ERROR",
  APP_NOT_INSTALLED: "DEVICE_APP_MISSING",
  UNKNOWN_STATUS: "DEVICE_ERROR",
};

describe("single commands", () => {
  const rows = vectors.apdus as Fields[];
  const ours = rows.filter(({ name }) => !ENROLMENT.test(name) && !OTHER_KEYS.test(name));

  test("10 of 17 are this program's", () => expect([rows.length, ours.length]).toEqual([17, 10]));

  test.each(ours.map((row) => [row.name as string, row] as const))("%s", async (name, row) => {
    const { connection, requireDone } = scripted([row as { command: string; response: string }]);
    const expected = row.parsed as Fields;
    if (name.startsWith("getAppAndVersion")) {
      const app = await askApp(connection);
      expect(app).toEqual({ name: expected.name, version: expected.version });
      expect([isVault(app), isDashboard(app)]).toEqual([
        expected.name === "Vault",
        expected.dashboard === true,
      ]);
    } else if (name.startsWith("openApp")) {
      expect(await codeOf(() => openVault(connection))).toBe(
        expected.error === undefined ? "none" : (CODES[expected.error as string] ?? ""),
      );
    } else if (name === "closeApp") {
      await closeApp(connection);
    } else if (name.startsWith("getPublicKey: U2F")) {
      expect(hex(await new Vault(connection).publicKey()).toUpperCase()).toBe(expected.publicKey);
    } else {
      expect(name).toStartWith("authenticate");
      const { login } = vectors.sequences;
      const challenge: LoginChallenge = {
        challenge: bytes(login.challengeHex),
        keyHandle: bytes(login.keyHandleHex),
        role: roleOf(login.user.role),
        name: login.user.name,
        workspace: login.user.workspace,
      };
      expect(hex(await new Vault(connection).authenticate(challenge))).toBe(
        expected.authentication,
      );
    }
    requireDone();
    if (row.verify !== undefined) expect(verifyAsNamed(row.verify)).toBe(true);
  });
});

const approve = vectors.sequences.approve as Fields;
const channelAnswer = exact(JSON.stringify(approve.rest[0].response));
const publicKey = Object.keys(approve.rest[0].response)[0] ?? "";
const channel = channelFor(channelAnswer, publicKey);

describe("commands in several pieces, and dialogues", () => {
  const rows = vectors.exchanges as Fields[];
  const ours = rows.filter(({ name }) => !ENROLMENT.test(name));

  test("8 of 9 are this program's", () => expect([rows.length, ours.length]).toEqual([9, 8]));

  test.each(ours.map((row) => [row.name as string, row] as const))("%s", async (name, row) => {
    const { connection, requireDone } = scripted(row.exchanges);
    const vault = new Vault(connection);
    const { input, parsed } = row;
    const expectedCode = parsed.error === undefined ? undefined : CODES[parsed.error as string];
    if (name.startsWith("authenticate")) {
      const login = {
        ...input,
        challenge: bytes(input.challenge),
        keyHandle: bytes(input.keyHandle),
      };
      expect(hex(await vault.authenticate({ ...login, role: roleOf(input.role) }))).toBe(
        parsed.authentication,
      );
    } else if (name.startsWith("openSession")) {
      const script = name.includes("matcher") ? "matcher" : "accountManager";
      expect(await codeOf(() => vault.openSession({ ...channel, script }))).toBe(
        expectedCode ?? "none",
      );
    } else if (input.actions !== undefined) {
      const actions = (input.actions as string[]).map((action) => Buffer.from(action, "base64"));
      if (expectedCode === undefined) expect(hex(await vault.sign(actions))).toBe(parsed.signature);
      else expect(await codeOf(() => vault.sign(actions))).toBe(expectedCode);
    } else {
      expect(hex(await vault.signOperation(Buffer.from(input.blob, "base64")))).toBe(
        parsed.signature,
      );
    }
    requireDone();
    if (row.verify !== undefined) expect(verifyAsNamed(row.verify)).toBe(true);
  });
});

describe("whole sequences", () => {
  test("login", async () => {
    const { login } = vectors.sequences;
    const { connection, requireDone } = scripted(login.device);
    expect(isVault(await askApp(connection))).toBe(true);
    const vault = new Vault(connection);
    const key = hex(await vault.publicKey()).toUpperCase();
    const [challenge, answer] = login.rest as unknown as [Fields, Fields];
    expect(challenge.path).toBe(`/u2f/authentications/${key}/challenge`);
    const { challenge: nonce, key_handle, role, name } = challenge.response;
    const authentication = await vault.authenticate({
      challenge: Buffer.from(nonce, "base64"),
      keyHandle: bytes(key_handle),
      role: roleOf(role),
      name,
      workspace: login.user.workspace,
    });
    expect({ authentication: hex(authentication) }).toEqual(answer.body);
    requireDone();
  });

  test("approve, the channel read from the server's answer", async () => {
    const { connection, requireDone } = scripted(approve.device);
    expect(isVault(await askApp(connection))).toBe(true);
    const vault = new Vault(connection);
    expect(hex(await vault.publicKey()).toUpperCase()).toBe(publicKey);
    await vault.openSession({ ...channel, script: "accountManager" });
    if (!("actions" in channel.shown)) throw new Error("no actions");
    const signature = Buffer.from(await vault.sign(channel.shown.actions)).toString("base64");
    expect(signature).toBe(approve.rest[1].body.signature);
    expect(signature).toBe(approve.restV2[1].body.data.signature);
    requireDone();
  });

  test("the session of a transaction", async () => {
    const { connection, requireDone } = scripted(
      vectors.sequences.approveTransactionSession.device,
    );
    await new Vault(connection).openSession({ ...channel, script: "matcher" });
    requireDone();
  });

  test.each(
    (vectors.sequences.challengeEdgeCases.cases as Fields[]).map(
      (row) => [row.expect as string, row] as const,
    ),
  )("an answer without a channel: %s", (expected, { response }) => {
    const codes: Fields = {
      REQUEST_ALREADY_FINISHED: "REQUEST_CLOSED",
      NO_CHANNEL_FOR_DEVICE: "DEVICE_NOT_A_REVIEWER",
    };
    expect(() => channelFor(exact(JSON.stringify(response)), publicKey)).toThrow(
      expect.objectContaining({ code: codes[expected] }),
    );
  });
});

test.each(
  (vectors.errors as Fields[]).map(
    (row) => [row.statusWord as string, row.code as string] as const,
  ),
)("DEV-1 status %s is %s", (word, code) => {
  const error = statusError(Number.parseInt(word, 16), "test");
  expect(error.code).toBe(CODES[code] as never);
  expect(error.facts.details).toMatchObject({ status: `0x${word}` });
});

describe("frames", () => {
  test.each((vectors.hidFraming as Fields[]).map((row) => [row.name as string, row] as const))(
    "%s",
    (_name, row) => {
      const frames = framing(Number.parseInt(row.channel, 16), 64);
      const payload = bytes(row.payload);
      expect(frames.makeBlocks(payload).map(hex)).toEqual(row.packets);
      let state: Parameters<typeof frames.reduceResponse>[0];
      for (const packet of row.packets as string[])
        state = frames.reduceResponse(state, bytes(packet));
      expect(hex(frames.getReducedResult(state) ?? Buffer.alloc(0))).toBe(row.payload);
    },
  );

  test.each(
    (vectors.hidFramingErrors as Fields[]).map((row) => [row.name as string, row] as const),
  )("%s", (_n, row) => {
    const frames = framing(0x0101, 64);
    const read = (): void => {
      let state: Parameters<typeof frames.reduceResponse>[0];
      for (const packet of row.packets as string[])
        state = frames.reduceResponse(state, bytes(packet));
    };
    expect(read).toThrow(expect.objectContaining({ id: row.expect }));
  });

  test("each error's answer in one frame", () => {
    for (const { response, responseFrames } of vectors.errors as Fields[])
      expect(framing(0x0101, 64).makeBlocks(bytes(response)).map(hex)).toEqual(responseFrames);
  });
});

test("DEV-5 a channel that the server names in two spellings of one key is none", () => {
  const [{ response }] = vectors.sequences.approve.rest as unknown as [
    { response: Record<string, unknown> },
  ];
  const [publicKey = "", channel] = Object.entries(response)[0] ?? [];
  const answer = { [publicKey.toLowerCase()]: channel, [publicKey.toUpperCase()]: channel };
  expect(Object.keys(answer)).toHaveLength(2);
  expect(() => channelFor(exact(JSON.stringify(answer)), publicKey)).toThrow(
    "no usable 'challenge'",
  );
});
