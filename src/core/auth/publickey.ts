/** Public keys as people and key stores write them. */
import { decodeBase64 } from "../../io/base64.ts";
import { publicKeyFromHex } from "./key.ts";

/** SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480 §2). */
const SPKI_P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const PEM = /^-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END PUBLIC KEY-----$/;

/** `malformed`: not a public key at all. `unsupported`: one, but not a point on P-256. */
export type PublicKeyFault = "malformed" | "unsupported";

/**
 * 65 bytes from 130 hexadecimal digits, from the PEM of an SPKI, or from the base64 of its DER.
 */
export function parsePublicKey(text: string): Uint8Array | PublicKeyFault {
  const given = text.trim();
  if (/^[0-9a-fA-F]{130}$/.test(given)) return publicKeyFromHex(given) ?? "unsupported";
  const [, body = given] = PEM.exec(given) ?? [];
  const der = decodeBase64(body.replace(/\s/g, ""));
  if (der === undefined || der[0] !== 0x30) return "malformed";
  const digits = Buffer.from(der).toString("hex");
  if (!digits.startsWith(SPKI_P256)) return "unsupported";
  return publicKeyFromHex(digits.slice(SPKI_P256.length)) ?? "unsupported";
}
