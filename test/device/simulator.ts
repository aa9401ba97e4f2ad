/**
 * A device that speaks the Vault application's protocol, written after the protocol document and
 * not after the client: it has its own framing, its own parser, its own idea of every length, and
 * refuses whatever is not exactly right. `violations` says why. Signatures are made on the curves
 * that the document names.
 */
import { createHash, createHmac } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";

const PACKET = 64;
const APPLICATION_ID = "ad5be1a1fe011ce7f53ae081a22ae000a42021f3f94106a3bac9f76e8230e4b9";
const PATHS = {
  u2f: "0280564c5480553246",
  confidentiality: "0280564c5480434e46",
  validation: "0280564c548056414c",
};

/** Throw-away keys: hexadecimal scalars. */
export interface Keys {
  readonly u2f: string;
  readonly confidentiality: string;
  readonly validation: string;
  readonly endorsement: string;
}

/** What a person sees and may answer; "nothing": the device waits for ever. */
export interface Screen {
  readonly title: "open application" | "log in" | "approve";
  readonly text: readonly string[];
}
export type Person = (screen: Screen) => Promise<"confirm" | "decline" | "nothing">;

export interface Behaviour {
  locked: boolean;
  /** Name of what runs; the dashboard is BOLOS. */
  app: string;
  readonly installed: readonly string[];
  person: Person;
  /** Status word to answer an instruction with, by its name, until it is removed. */
  readonly statuses: Map<string, number>;
  /** The order in which actions are asked for. */
  order: readonly number[];
  /** Largest part of a signature in one answer. */
  pageBytes: number;
  /** Does not know the command that opens an application. */
  isOld: boolean;
  /** Verifies that the attestation key signed the ephemeral one. */
  checksAttestation: boolean;
  /** Changes packets on their way out. */
  spoil: (packets: Buffer[], instruction: string) => Buffer[];
  /** The device leaves the bus: its application changed, and this is what runs when it is back. */
  restart: (app: string) => void;
}

interface Pending {
  readonly ins: number;
  readonly p2: number;
  payload: Buffer;
}

class Status extends Error {
  constructor(
    readonly word: number,
    readonly why: string,
  ) {
    super(why);
  }
}

const INSTRUCTIONS: Readonly<Record<string, string>> = {
  b001: "getAppAndVersion",
  b0a7: "closeApp",
  e0d8: "openApp",
  e001: "register",
  e002: "authenticate",
  e003: "registerData",
  e040: "getPublicKey",
  e041: "getAttestationCertificate",
  e042: "openSession",
  e044: "generateKeyComponent",
  e045: "validateVaultOperation",
  "00c0": "getResponse",
};

export class SimulatedDevice {
  readonly violations: string[] = [];
  /** Names of the instructions that came, in order. */
  readonly heard: string[] = [];
  readonly behaviour: Behaviour;
  counter = 41;
  private incoming: { channel: number; length: number; data: Buffer; sequence: number } | undefined;
  private pending: Pending | undefined;
  private session: { readonly script: number; readonly peer: Buffer } | undefined;
  private shown: Buffer[] = [];
  private asked = 0;
  private rest: Buffer = Buffer.alloc(0);

  constructor(
    readonly keys: Keys,
    behaviour: Partial<Behaviour> = {},
  ) {
    this.behaviour = {
      locked: false,
      app: "Vault",
      installed: ["Vault"],
      person: async () => "confirm",
      statuses: new Map(),
      order: [1, 2, 3],
      pageBytes: 255,
      isOld: false,
      checksAttestation: true,
      spoil: (packets) => packets,
      restart: () => undefined,
      ...behaviour,
    };
  }

  get publicKey(): Buffer {
    return Buffer.from(p256.getPublicKey(Buffer.from(this.keys.u2f, "hex"), false));
  }

  get validationKey(): Buffer {
    return Buffer.from(secp256k1.getPublicKey(Buffer.from(this.keys.validation, "hex"), false));
  }

  /** 64 bytes that only this device could have made. */
  get keyHandle(): Buffer {
    const nonce = createHash("sha256").update(this.publicKey).digest();
    return Buffer.concat([nonce, this.mac(nonce)]);
  }

  private mac(nonce: Uint8Array): Buffer {
    return createHmac("sha256", this.keys.u2f).update(APPLICATION_ID).update(nonce).digest();
  }

  /** A power cycle, or a change of application: nothing of a command or a session is left. */
  reset(app: string): void {
    Object.assign(this, {
      incoming: undefined,
      pending: undefined,
      session: undefined,
      shown: [],
      asked: 0,
    });
    this.behaviour.app = app;
  }

  /** One packet from the host; returns the answer, or undefined while there is nothing to say. */
  async receive(packet: Buffer): Promise<Buffer[] | undefined> {
    const command = this.collect(packet);
    if (command === undefined) return undefined;
    const { channel, data } = command;
    const name =
      INSTRUCTIONS[data.subarray(0, 2).toString("hex")] ?? data.subarray(0, 2).toString("hex");
    this.heard.push(name);
    const answer = await this.answer(name, data);
    return answer === undefined ? undefined : this.behaviour.spoil(frame(channel, answer), name);
  }

  private collect(packet: Buffer): { channel: number; data: Buffer } | undefined {
    if (packet.length !== PACKET) throw new Error(`A packet of ${packet.length} bytes came.`);
    const [channel, tag, sequence] = [packet.readUInt16BE(0), packet[2], packet.readUInt16BE(3)];
    const isFirst = this.incoming === undefined;
    this.incoming ??= {
      channel,
      length: packet.readUInt16BE(5),
      data: Buffer.alloc(0),
      sequence: 0,
    };
    const { incoming } = this;
    if (tag !== 5 || channel !== incoming.channel || sequence !== incoming.sequence) {
      this.violations.push(`frame: channel ${channel}, tag ${tag}, sequence ${sequence}`);
      this.incoming = undefined;
      return undefined;
    }
    const content = packet.subarray(isFirst ? 7 : 5);
    const wanted = incoming.length - incoming.data.length;
    incoming.data = Buffer.concat([incoming.data, content.subarray(0, wanted)]);
    incoming.sequence += 1;
    if (content.subarray(wanted).some((byte) => byte !== 0))
      this.violations.push("frame: padding is not zero");
    if (incoming.data.length < incoming.length) return undefined;
    this.incoming = undefined;
    return { channel, data: incoming.data };
  }

  /** The answer with its status word; undefined: none, ever. */
  private async answer(name: string, apdu: Buffer): Promise<Buffer | undefined> {
    try {
      const data = await this.execute(name, apdu);
      return data === undefined ? undefined : Buffer.concat([data.bytes, word(data.status)]);
    } catch (cause) {
      if (!(cause instanceof Status)) throw cause;
      this.pending = undefined;
      if (cause.why !== "") this.violations.push(`${name}: ${cause.why}`);
      return word(cause.word);
    }
  }

  private async execute(
    name: string,
    apdu: Buffer,
  ): Promise<{ bytes: Buffer; status: number } | undefined> {
    const { behaviour } = this;
    if (apdu.length < 5 || apdu.length !== 5 + (apdu[4] ?? 0))
      throw new Status(0x6700, "Lc does not fit");
    if (behaviour.locked) throw new Status(0x5515, "");
    const forced = behaviour.statuses.get(name);
    if (forced !== undefined) throw new Status(forced, "");
    const [cla, , p1, p2] = apdu;
    const data = apdu.subarray(5);
    if (name === "getAppAndVersion") return done(this.appAndVersion(p1, p2, data));
    if (name === "closeApp") return this.closeApp(data);
    if (name === "openApp" && behaviour.app === "BOLOS") return this.openApp(data.toString());
    if (cla === 0xe0 && behaviour.app !== "Vault") throw new Status(0x6e00, "");
    if (name === "getPublicKey") return done(this.publicKeyAnswer(p1, p2, data));
    if (name === "getResponse") return this.page();
    if (["authenticate", "openSession", "validateVaultOperation"].includes(name))
      return this.piece(name, apdu);
    throw new Status(0x6d00, `unknown instruction ${apdu.subarray(0, 4).toString("hex")}`);
  }

  private appAndVersion(p1 = 0, p2 = 0, data: Buffer): Buffer {
    if (p1 !== 0 || p2 !== 0 || data.length > 0) throw new Status(0x6b00, "parameters");
    return Buffer.concat([
      Buffer.from([1]),
      sized(this.behaviour.app),
      sized("4.0.0"),
      Buffer.from([1, 0]),
    ]);
  }

  private closeApp(data: Buffer): { bytes: Buffer; status: number } {
    if (data.length > 0) throw new Status(0x6700, "data");
    if (this.behaviour.app !== "BOLOS") this.behaviour.restart("BOLOS");
    return done();
  }

  private async openApp(name: string): Promise<{ bytes: Buffer; status: number } | undefined> {
    if (this.behaviour.isOld) throw new Status(0x6d00, "");
    if (!this.behaviour.installed.includes(name)) throw new Status(0x6807, "");
    if (!(await this.isConfirmed({ title: "open application", text: [name] }, 0x5501)))
      return undefined;
    this.behaviour.restart(name);
    return done();
  }

  private publicKeyAnswer(p1 = 0, p2 = 0, data: Buffer): Buffer {
    const path = data.toString("hex");
    const owner = (
      Object.entries(PATHS) as ["u2f" | "confidentiality" | "validation", string][]
    ).find(([, spelled]) => spelled === path)?.[0];
    if (owner === undefined || p2 !== 0) throw new Status(0x6a80, `path ${path}, P2 ${p2}`);
    if (p1 !== (owner === "u2f" ? 2 : 1)) throw new Status(0x6b00, `curve ${p1} for ${owner}`);
    const curve = owner === "u2f" ? p256 : secp256k1;
    const point = Buffer.from(curve.getPublicKey(Buffer.from(this.keys[owner], "hex"), false));
    return Buffer.concat([
      Buffer.from([point.length]),
      point,
      signK1(this.keys.endorsement, point),
    ]);
  }

  private async piece(
    name: string,
    apdu: Buffer,
  ): Promise<{ bytes: Buffer; status: number } | undefined> {
    const [, ins = 0, p1, p2 = 0] = apdu;
    const data = apdu.subarray(5);
    if (data.length > 250) throw new Status(0x6700, "a piece of more than 250 bytes");
    if (p1 === 0) this.pending = { ins, p2, payload: data };
    else if (p1 !== 0x80 || this.pending?.ins !== ins || this.pending.p2 !== p2)
      throw new Status(0x6a80, "a piece of nothing");
    else this.pending.payload = Buffer.concat([this.pending.payload, data]);
    const { payload } = this.pending;
    const length = lengthOf(name, payload);
    if (length === undefined || payload.length < length) return done();
    if (payload.length > length) throw new Status(0x6700, "more than announced");
    this.pending = undefined;
    if (name === "authenticate") return this.authenticate(payload);
    if (name === "openSession") return this.openSession(p2, payload);
    return this.validate(payload);
  }

  private async authenticate(
    payload: Buffer,
  ): Promise<{ bytes: Buffer; status: number } | undefined> {
    const challenge = payload.subarray(0, 32);
    const handleLength = payload[64] ?? 0;
    const handle = payload.subarray(65, 65 + handleLength);
    const info = payload.subarray(67 + handleLength);
    if (payload.subarray(32, 64).toString("hex") !== APPLICATION_ID)
      throw new Status(0x6a80, "application id");
    const isOurs =
      handle.length === 64 && this.mac(handle.subarray(0, 32)).equals(handle.subarray(32));
    if (!isOurs) throw new Status(0x6a80, "");
    const [role = 255, nameLength = 0] = info;
    const workspaceLength = info[2 + nameLength] ?? 0;
    if (role > 2 || info.length !== 3 + nameLength + workspaceLength)
      throw new Status(0x6a80, "information block");
    const text = new TextDecoder("utf-8", { fatal: true });
    const name = text.decode(info.subarray(2, 2 + nameLength));
    const workspace = text.decode(info.subarray(3 + nameLength));
    const roleName = ["operator", "admin", "shared owner"][role] ?? "";
    if (!(await this.isConfirmed({ title: "log in", text: [name, roleName, workspace] }, 0x6985)))
      return undefined;
    this.counter += 1;
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeUInt32BE(this.counter, 1);
    const message = Buffer.concat([Buffer.from(APPLICATION_ID, "hex"), head, challenge]);
    const signature = p256.sign(message, Buffer.from(this.keys.u2f, "hex"), { format: "der" });
    return done(Buffer.concat([head, signature]));
  }

  private openSession(script: number, payload: Buffer): { bytes: Buffer; status: number } {
    if (payload.subarray(0, 9).toString("hex") !== PATHS.confidentiality)
      throw new Status(0x6a80, "path");
    if (script !== 1 && script !== 2) throw new Status(0x6b00, `script ${script}`);
    const peer = payload.subarray(9, 74);
    const blob = payload.subarray(76);
    const signature = blob.subarray(1, 1 + (blob[0] ?? 0));
    const attestation = blob.subarray(1 + signature.length, 66 + signature.length);
    const certificate = blob.subarray(67 + signature.length);
    if (certificate.length !== blob[66 + signature.length])
      throw new Status(0x6700, "certificate length");
    if (!isPoint(peer) || !isPoint(attestation))
      throw new Status(0x6a80, "a key that is not a point of the curve");
    const isGenuine = secp256k1.verify(signature, peer, attestation, {
      format: "der",
      lowS: false,
    });
    if (this.behaviour.checksAttestation && !isGenuine) throw new Status(0x6801, "");
    this.session = { script, peer };
    this.shown = [];
    this.asked = 0;
    return done();
  }

  /** The script that the open session was made for. */
  get script(): number | undefined {
    return this.session?.script;
  }

  private async validate(payload: Buffer): Promise<{ bytes: Buffer; status: number } | undefined> {
    if (payload.subarray(0, 9).toString("hex") !== PATHS.validation)
      throw new Status(0x6a80, "path");
    if (this.session === undefined) throw new Status(0x6985, "validate without a session");
    const action = payload.subarray(11);
    this.shown.push(action);
    this.asked += 1;
    if (!(await this.isConfirmed({ title: "approve", text: [action.toString()] }, 0x6985)))
      return undefined;
    const next = this.behaviour.order[this.asked];
    if (next !== undefined) return done(Buffer.from([1, next >> 8, next & 0xff]));
    const signature = signK1(this.keys.validation, Buffer.concat(this.shown));
    this.session = undefined;
    this.rest = Buffer.concat([Buffer.from([2, 0, signature.length]), signature]);
    return this.page();
  }

  private page(): { bytes: Buffer; status: number } {
    const bytes = this.rest.subarray(0, this.behaviour.pageBytes);
    if (bytes.length === 0) throw new Status(0x6985, "nothing more to give");
    this.rest = this.rest.subarray(bytes.length);
    return {
      bytes,
      status: this.rest.length === 0 ? 0x9000 : 0x6100 | Math.min(255, this.rest.length),
    };
  }

  private async isConfirmed(screen: Screen, refusal: number): Promise<boolean> {
    const decision = await this.behaviour.person(screen);
    if (decision === "decline") throw new Status(refusal, "");
    return decision === "confirm";
  }
}

function done(bytes: Buffer = Buffer.alloc(0)): { bytes: Buffer; status: number } {
  return { bytes, status: 0x9000 };
}

/** How long a payload is by its own lengths; undefined while they are not all there. */
function lengthOf(name: string, payload: Buffer): number | undefined {
  if (name === "validateVaultOperation")
    return payload.length < 11 ? undefined : 11 + payload.readUInt16BE(9);
  if (name === "openSession")
    return payload.length < 76 ? undefined : 76 + payload.readUInt16BE(74);
  const handle = payload[64];
  if (handle === undefined || payload.length < 67 + handle) return undefined;
  return 67 + handle + payload.readUInt16BE(65 + handle);
}

function isPoint(bytes: Buffer): boolean {
  try {
    secp256k1.Point.fromBytes(bytes).assertValidity();
    return bytes.length === 65;
  } catch {
    return false;
  }
}

function signK1(secret: string, message: Uint8Array): Buffer {
  return Buffer.from(secp256k1.sign(message, Buffer.from(secret, "hex"), { format: "der" }));
}

function word(status: number): Buffer {
  return Buffer.from([status >> 8, status & 0xff]);
}

function sized(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

/** An answer in packets of 64 bytes on the host's channel. */
export function frame(channel: number, answer: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < answer.length || packets.length === 0; ) {
    const packet = Buffer.alloc(PACKET);
    packet.writeUInt16BE(channel, 0);
    packet[2] = 5;
    packet.writeUInt16BE(packets.length, 3);
    if (packets.length === 0) packet.writeUInt16BE(answer.length, 5);
    at += answer.copy(packet, packets.length === 0 ? 7 : 5, at);
    packets.push(packet);
  }
  return packets;
}
