/** What can sign, whatever holds the key; and the check that belongs to every signature. */
import { createPublicKey, verify } from "node:crypto";
import { encodeBase64Url } from "../../io/base64.ts";

/** Something that signs with one P-256 key. */
export interface Signer {
  /** 65 bytes, uncompressed P-256 point. */
  readonly publicKey: Uint8Array;
  /**
   * ECDSA over SHA-256(message): 64 bytes, r‖s, big-endian (RFC 7518 §3.4). Throws INTERNAL when
   * the result fails its check (SIG-4).
   */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * True when `signature` (64 bytes, r‖s, either half of s: SIG-3) is `publicKey`'s over
 * SHA-256(message). Any other length, and a point off the curve, are plainly false. By the
 * runtime's own ECDSA, so that it checks the software signer with a second implementation.
 */
export function verifySignature(
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 65 || publicKey[0] !== 0x04) return false;
  const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map(encodeBase64Url);
  if (x === undefined || y === undefined) return false;
  try {
    const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false;
  }
}
