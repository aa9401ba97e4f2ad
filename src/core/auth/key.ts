/**
 * The operator's P-256 key pair: reading, making, naming (KEY-1, KEY-2, KEY-3). Nothing of a key
 * is in an error (SIG-9).
 *
 * The two DER structures are read here rather than by `createPrivateKey`, whose runtimes disagree:
 * OpenSSL loads zero and oversized scalars, foreign public keys and other curves; BoringSSL refuses
 * SEC1 without its public half. Both are fixed sequences of at most four fields, and a strict
 * reader of those is shorter than repairing two lenient ones. The curve arithmetic stays
 * node:crypto's.
 */
import { createECDH, createHash, ECDH } from "node:crypto";
import { CliError, type ErrorCode } from "../../errors.ts";
import { decodeBase64 } from "../../io/base64.ts";

/** A P-256 key pair in memory; its owner wipes it (SIG-9). */
export interface PrivateKey {
  /** 32 bytes, big-endian, in 1…n−1; all zero after `wipe()`. */
  readonly scalar: Uint8Array;
  /** 65 bytes: 04 ‖ x ‖ y; survives `wipe()`. */
  readonly publicKey: Uint8Array;
  wipe(): void;
}

const CURVE = "prime256v1";
const ORDER = Buffer.from(
  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
  "hex",
);
/** OBJECT IDENTIFIER 1.2.840.10045.3.1.7 (RFC 5480 §2.1.1.1). */
const P256 = Buffer.from("06082a8648ce3d030107", "hex");
/** id-ecPublicKey, then the curve. */
const EC_P256 = Buffer.concat([Buffer.from("06072a8648ce3d0201", "hex"), P256]);
const LONGEST_TEXT = 64 * 1024;

/**
 * What people put there instead of the key, told apart before anything is parsed (KEY-2, E02, E04).
 */
const FOREIGN: readonly (readonly [form: RegExp, code: ErrorCode, message: string])[] = [
  [
    /^(-----BEGIN ENCRYPTED |Proc-Type:.*ENCRYPTED)/m,
    "ENCRYPTED_PRIVATE_KEY",
    "The private key is protected by a pass-phrase.",
  ],
  [
    /^-----BEGIN (RSA|DSA) PRIVATE KEY-----/m,
    "UNSUPPORTED_KEY",
    "The private key is not an elliptic-curve key on P-256.",
  ],
  [
    /^-----BEGIN OPENSSH /m,
    "INVALID_PRIVATE_KEY",
    "The private key is in OpenSSH's own format, not SEC1 or PKCS#8.",
  ],
  [
    /^(?!.*PRIVATE KEY-----)-----BEGIN /s,
    "INVALID_PRIVATE_KEY",
    "The PEM does not contain a private key; it may be a public key or certificate.",
  ],
];

/**
 * One private key, with or without the parameter block that `openssl ecparam -genkey` writes before
 * it (RFC 7468 §2).
 */
const BASE64_LINES = "([A-Za-z0-9+/=\\n]+)";
const ENVELOPE = new RegExp(
  `^(?:-----BEGIN EC PARAMETERS-----\\n${BASE64_LINES}\\n-----END EC PARAMETERS-----\\n+)?` +
    `-----BEGIN (EC )?PRIVATE KEY-----\\n${BASE64_LINES}\\n-----END \\2PRIVATE KEY-----$`,
);

/**
 * Reads `LEDGER_ENTERPRISE_API_PRIVATE_KEY`: hexadecimal of a PEM, or the PEM itself, SEC1 (RFC
 * 5915) or PKCS#8 (RFC 5958). Throws INVALID_PRIVATE_KEY, UNSUPPORTED_KEY, ENCRYPTED_PRIVATE_KEY,
 * and MISSING_CREDENTIALS for an empty value.
 */
export function parsePrivateKey(text: string): PrivateKey {
  const given = text.trim();
  if (given === "")
    throw new CliError("MISSING_CREDENTIALS", { message: "The private key is empty." });
  if (given.length > LONGEST_TEXT)
    throw invalid("The private key's value is too long to be a key.");
  const pem = (given.startsWith("-----BEGIN ") ? given : decodeHex(given))
    .replaceAll("\r\n", "\n")
    .trim();
  for (const [form, code, message] of FOREIGN)
    if (form.test(pem)) throw new CliError(code, { message });
  const [, parameters, label, body] = ENVELOPE.exec(pem) ?? [];
  if (body === undefined)
    throw invalid("The private key is not a PEM with exactly one private key.");
  if (parameters !== undefined && !isCurve(decodeBody(parameters))) throw unsupported();
  const der = decodeBody(body);
  try {
    return label === undefined ? readPkcs8(der) : readSec1(der, parameters !== undefined);
  } finally {
    der.fill(0);
  }
}

/**
 * `Buffer.from(…, "hex")` stops silently at the first bad digit, so the digits are checked before.
 */
function decodeHex(text: string): string {
  if (!/^([0-9a-fA-F]{2})+$/.test(text))
    throw invalid("The private key is not hexadecimal on one line.");
  const bytes = Buffer.from(text, "hex");
  const pem = bytes.toString("latin1");
  bytes.fill(0);
  return pem;
}

function decodeBody(lines: string): Uint8Array {
  const body = lines.replaceAll("\n", "");
  const bytes = body.length % 4 === 0 ? decodeBase64(body) : undefined;
  if (bytes === undefined) throw invalid("The private key's PEM is damaged.");
  return bytes;
}

type Element = readonly [tag: number, body: Uint8Array];

/** The DER elements that fill `der` completely; definite lengths in their shortest form. */
function elements(der: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const [tag = 0, first = 0x80, second = 0, third = 0] = der.subarray(at, at + 4);
    const [start, length] =
      first < 0x80
        ? [2, first]
        : first === 0x81
          ? [3, second]
          : first === 0x82
            ? [4, second * 256 + third]
            : [0, 0];
    const isShortest = length >= (start === 4 ? 0x100 : start === 3 ? 0x80 : 0);
    const end = at + start + length;
    if (start === 0 || !isShortest || end > der.length) throw malformed();
    found.push([tag, der.subarray(at + start, end)]);
    at = end;
  }
  return found;
}

/** The fields of one SEQUENCE whose tags read, in hexadecimal, as `shape` demands. */
function fieldsOf(der: Uint8Array, shape: RegExp): Map<number, Uint8Array> {
  const [outer, ...surplus] = elements(der);
  if (outer === undefined || surplus.length > 0 || outer[0] !== 0x30) throw malformed();
  const fields = elements(outer[1]);
  if (!shape.test(fields.map(([tag]) => tag.toString(16)).join(" "))) throw malformed();
  return new Map(fields);
}

function field(fields: Map<number, Uint8Array>, tag: number): Uint8Array {
  const body = fields.get(tag);
  if (body === undefined) throw malformed();
  return body;
}

/** RFC 5958 §2: version 0, algorithm, key; attributes are ignored, as Windows writes some. */
function readPkcs8(der: Uint8Array): PrivateKey {
  const fields = fieldsOf(der, /^2 30 4( a0)?$/);
  if (!isInteger(field(fields, 0x02), 0)) throw malformed();
  if (!EC_P256.equals(field(fields, 0x30))) throw unsupported();
  return readSec1(field(fields, 0x04), true);
}

/** RFC 5915 §3. The curve must be named somewhere: here, or around it. */
function readSec1(der: Uint8Array, isCurveKnown: boolean): PrivateKey {
  const fields = fieldsOf(der, /^2 4( a0)?( a1)?$/);
  const [curve, embedded] = [fields.get(0xa0), fields.get(0xa1)];
  if (!isInteger(field(fields, 0x02), 1) || (curve === undefined && !isCurveKnown))
    throw malformed();
  if (curve !== undefined && !isCurve(curve)) throw unsupported();
  const scalar = Uint8Array.from(field(fields, 0x04));
  try {
    const publicKey = publicKeyOf(scalar);
    if (embedded !== undefined && !isPoint(embedded, publicKey))
      throw invalid("The private key's PEM contains the public half of another key.");
    return { scalar, publicKey, wipe: () => void scalar.fill(0) };
  } catch (cause) {
    scalar.fill(0);
    throw cause;
  }
}

function publicKeyOf(scalar: Uint8Array): Uint8Array {
  if (scalar.length !== 32 || scalar.every((byte) => byte === 0) || ORDER.compare(scalar) <= 0) {
    throw invalid("The private key's number is out of range for P-256.");
  }
  return baseMultiple(scalar);
}

/**
 * `scalar` (32 bytes, big-endian, in 1…n−1) times P-256's base point: 65 bytes, 04 ‖ x ‖ y. Throws
 * when the runtime has not got the curve.
 */
export function baseMultiple(scalar: Uint8Array): Uint8Array {
  const pair = createECDH(CURVE);
  pair.setPrivateKey(scalar);
  return Uint8Array.from(pair.getPublicKey());
}

/** BIT STRING without unused bits, holding the point uncompressed or compressed (SEC 1 §2.3.3). */
function isPoint(bitString: Uint8Array, publicKey: Uint8Array): boolean {
  const [element, ...surplus] = elements(bitString);
  if (element === undefined || surplus.length > 0 || element[0] !== 0x03) return false;
  const compressed = [0, 2 + ((publicKey[64] ?? 0) & 1), ...publicKey.subarray(1, 33)];
  return [Buffer.from([0, ...publicKey]), Buffer.from(compressed)].some((form) =>
    form.equals(element[1]),
  );
}

function isCurve(der: Uint8Array): boolean {
  return P256.equals(der);
}

function isInteger(body: Uint8Array, expected: number): boolean {
  return body.length === 1 && body[0] === expected;
}

function invalid(message: string): CliError {
  return new CliError("INVALID_PRIVATE_KEY", { message });
}

function malformed(): CliError {
  return invalid("The private key's PEM does not contain a SEC1 or PKCS#8 private key.");
}

function unsupported(): CliError {
  return new CliError("UNSUPPORTED_KEY", {
    message: "The private key is not an elliptic-curve key on P-256.",
  });
}

/**
 * A new pair as registration asks for it: `pemHex` is the hexadecimal form of a SEC1 PEM, which
 * `parsePrivateKey` reads; `publicKeyHex` has 130 lower-case digits. Buffers in between are
 * overwritten.
 */
export function generateKeyPair(): { readonly pemHex: string; readonly publicKeyHex: string } {
  const pair = createECDH(CURVE);
  const publicKey = pair.generateKeys();
  // Runtimes drop leading zero bytes here; RFC 5915 wants the full 32.
  const short = pair.getPrivateKey();
  const der = Buffer.concat([
    Buffer.from("30770201010420", "hex"),
    Buffer.alloc(32 - short.length),
    short,
    Buffer.from("a00a", "hex"),
    P256,
    Buffer.from("a144034200", "hex"),
    publicKey,
  ]);
  const lines = der.toString("base64").replace(/.{64}/g, "$&\n");
  const pem = Buffer.from(
    `-----BEGIN EC PRIVATE KEY-----\n${lines}\n-----END EC PRIVATE KEY-----\n`,
    "latin1",
  );
  const made = { pemHex: pem.toString("hex"), publicKeyHex: publicKey.toString("hex") };
  for (const secret of [short, der, pem]) secret.fill(0);
  return made;
}

/** SHA-256 of the 65-byte public key, in lower-case hexadecimal: what people compare (E05). */
export function fingerprint(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("hex");
}

/**
 * 65 bytes from the 130 hexadecimal digits of an uncompressed point, any letter case; undefined
 * unless it lies on P-256.
 */
export function publicKeyFromHex(text: string): Uint8Array | undefined {
  if (!/^04[0-9a-fA-F]{128}$/.test(text)) return undefined;
  const point = Buffer.from(text, "hex");
  try {
    ECDH.convertKey(point, CURVE);
    return Uint8Array.from(point);
  } catch {
    return undefined;
  }
}
