/**
 * Commands of the operating system and of the Vault application as bytes, and what their answers
 * hold (device protocol §2, §3). Pure: what goes over the wire is decided here and sent by
 * vault.ts. Lengths inside answers are checked before anything is cut (DEV-3).
 */
import { CliError } from "../../errors.ts";

/** Most bytes of a payload in one command; the rest follows with P1 = 80. */
const PIECE = 250;
/** The older form of an approval: bytes of the operation in one command. */
const OLD_PIECE = 100;

const FIRST = 0x00;
const MORE = 0x80;

/** Two hardened components each: "VLT" and what the key is for. */
const PATHS = {
  u2f: "0280564c5480553246",
  confidentiality: "0280564c5480434e46",
  validation: "0280564c548056414c",
} as const;

const APPLICATION_ID = "ad5be1a1fe011ce7f53ae081a22ae000a42021f3f94106a3bac9f76e8230e4b9";

export const GET_APP_AND_VERSION = command(0xb0, 0x01, 0, 0);
export const CLOSE_APP = command(0xb0, 0xa7, 0, 0);
export const OPEN_APP = command(0xe0, 0xd8, 0, 0, Buffer.from("Vault"));
export const GET_RESPONSE = command(0x00, 0xc0, 0, 0);
/** The key by which the server knows the user; on P-256. */
export const GET_PUBLIC_KEY = command(0xe0, 0x40, 0x02, 0, Buffer.from(PATHS.u2f, "hex"));

/** What `openSession` prepares the device for. */
const SCRIPTS = { matcher: 1, accountManager: 2 } as const;
/** What `openSession` may prepare for. */
export type Script = keyof typeof SCRIPTS;

/** Roles as the login challenge spells them, and their byte. */
export const ROLES = { operator: 0, admin: 1, "shared owner": 2 } as const;
export type Role = keyof typeof ROLES;

/** What the device is given to authenticate. */
export interface LoginChallenge {
  /** 32 bytes. */
  readonly challenge: Uint8Array;
  /** At most 255 bytes. */
  readonly keyHandle: Uint8Array;
  readonly role: Role;
  /** Each at most 255 bytes in UTF-8. */
  readonly name: string;
  readonly workspace: string;
}

/** What opens the secure channel, and for which kind of request. */
export interface SessionOpening {
  readonly script: Script;
  /** 65 bytes each. */
  readonly ephemeralPublicKey: Uint8Array;
  readonly attestationPublicKey: Uint8Array;
  /** At most 255 bytes each. */
  readonly signature: Uint8Array;
  readonly certificate: Uint8Array;
}

export interface App {
  readonly name: string;
  readonly version: string;
}

/** `CLA INS P1 P2 Lc data`. */
function command(
  cla: number,
  ins: number,
  p1: number,
  p2: number,
  data: Uint8Array = new Uint8Array(),
): Uint8Array {
  return Buffer.concat([Buffer.from([cla, ins, p1, p2, data.length]), data]);
}

/** One payload as commands of the Vault application, in order. */
function commands(
  ins: number,
  p2: number,
  payload: Uint8Array,
  first = PIECE,
  next = PIECE,
): Uint8Array[] {
  const made = [command(0xe0, ins, FIRST, p2, payload.subarray(0, first))];
  for (let at = first; at < payload.length; at += next)
    made.push(command(0xe0, ins, MORE, p2, payload.subarray(at, at + next)));
  return made;
}

/** The commands of a login (device protocol §6), in order. */
export function authenticate(login: LoginChallenge): Uint8Array[] {
  const info = Buffer.concat([
    Buffer.from([ROLES[login.role]]),
    short(Buffer.from(login.name)),
    short(Buffer.from(login.workspace)),
  ]);
  const id = Buffer.from(APPLICATION_ID, "hex");
  return commands(
    0x02,
    0,
    Buffer.concat([login.challenge, id, short(login.keyHandle), long(info)]),
  );
}

/** The commands that open the secure channel (device protocol §7), in order. */
export function openSession(opening: SessionOpening): Uint8Array[] {
  const blob = Buffer.concat([
    short(opening.signature),
    opening.attestationPublicKey,
    short(opening.certificate),
  ]);
  const path = Buffer.from(PATHS.confidentiality, "hex");
  return commands(
    0x42,
    SCRIPTS[opening.script],
    Buffer.concat([path, opening.ephemeralPublicKey, long(blob)]),
  );
}

/** One action of an approval; the older form sends its whole operation in small pieces. */
export function validate(
  action: Uint8Array,
  form: "action" | "operation" = "action",
): Uint8Array[] {
  const head = Buffer.from(PATHS.validation, "hex");
  const payload = Buffer.concat([head, long(action)]);
  if (form === "action") return commands(0x45, 0, payload);
  return commands(0x45, 0, payload, head.length + 2 + OLD_PIECE, OLD_PIECE);
}

function short(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([checked(bytes, 0xff).length]), bytes]);
}

function long(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from([checked(bytes, 0xffff).length >> 8, bytes.length & 0xff]),
    bytes,
  ]);
}

/**
 * What is longer has been refused where it came in; a length must never be cut to its last byte.
 */
function checked(bytes: Uint8Array, most: number): Uint8Array {
  if (bytes.length > most)
    throw new Error(`A field of ${bytes.length} bytes does not fit into a command.`);
  return bytes;
}

/** `01, name, version[, flags]`, each with its length in front. Throws DEVICE_PROTOCOL. */
export function readApp(data: Uint8Array): App {
  const format = data[0];
  const name = part(data, 1);
  const version = part(data, 2 + name.length);
  if (format !== 1) throw malformed("getAppAndVersion");
  const text = (bytes: Uint8Array): string =>
    Buffer.from(bytes).toString("latin1").replaceAll("\0", "");
  return { name: text(name), version: text(version) };

  function part(bytes: Uint8Array, at: number): Uint8Array {
    const length = bytes[at];
    if (length === undefined || at + 1 + length > bytes.length) throw malformed("getAppAndVersion");
    return bytes.subarray(at + 1, at + 1 + length);
  }
}

/**
 * The uncompressed point, 65 bytes, in front of the device's attestation. Throws DEVICE_PROTOCOL.
 */
export function readPublicKey(data: Uint8Array): Uint8Array {
  if (data[0] !== 65 || data.length < 66 || data[1] !== 4) throw malformed("getPublicKey");
  return data.subarray(1, 66);
}

/**
 * Presence, counter and a DER signature; the server gets them as they are. Throws DEVICE_PROTOCOL.
 */
export function readAuthentication(data: Uint8Array): Uint8Array {
  if (data.length < 7 || data[5] !== 0x30) throw malformed("authenticate");
  return data;
}

/**
 * What the device wants after an action: another one, by its number from 1, or the beginning of the
 * signature.
 */
type Step = { readonly next: number } | { readonly signature: Uint8Array };

/** Throws DEVICE_PROTOCOL. */
export function readStep(data: Uint8Array): Step {
  const [kind, high, low] = data;
  if (high === undefined || low === undefined) throw malformed("validateVaultOperation");
  if (kind === 1) return { next: high * 256 + low };
  if (kind === 2) return { signature: data.subarray(3) };
  throw malformed("validateVaultOperation");
}

/** DEVICE_PROTOCOL for an answer to `command` that cannot be read. */
export function malformed(command: string): CliError {
  return new CliError("DEVICE_PROTOCOL", {
    message:
      "The device's answer does not have the form that its application promises; nothing was sent.",
    details: { command },
  });
}
