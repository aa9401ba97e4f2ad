/**
 * What of noble's arithmetic a signature needs, imported by name: a bundle then leaves out the
 * other curves and protocols of the same file, whose making takes longer than the signature.
 */
import { ecdsa } from "@noble/curves/abstract/weierstrass.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** ECDSA on P-256 with this HMAC-SHA-256, by noble's arithmetic. */
export function p256With(hmac: (key: Uint8Array, message: Uint8Array) => Uint8Array) {
  // One signature does not repay the base point's table (15 ms); window 1 is the constant-time path
  // without it.
  p256.Point.BASE.precompute(1);
  return ecdsa(p256.Point, sha256, { hmac });
}
