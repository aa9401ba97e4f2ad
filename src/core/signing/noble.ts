/**
 * Noble's ECDSA with what the runtime does better: HMAC, and multiples of the base point. Both are
 * imported by name: a bundle then leaves out the other curves and protocols of the same file, whose
 * making takes longer than the signature.
 */
import { ecdsa } from "@noble/curves/abstract/weierstrass.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** What a runtime computes for a signature; all bytes are big-endian. */
export interface Primitives {
  /** HMAC-SHA-256. */
  hmac(key: Uint8Array, message: Uint8Array): Uint8Array;
  /** 65 bytes, 04 ‖ x ‖ y, of `scalar` times P-256's base point; 32 bytes, in 1…n−1. */
  multiple(scalar: Uint8Array): Uint8Array;
}

/**
 * ECDSA on P-256. The nonce, the equation, the ranges and the lower half of s are noble's. Its own
 * multiplication by the nonce takes nine tenths of a signature's time, and big integers are not
 * made for constant time. A multiple that is not a point of the curve is refused; a wrong one makes
 * a signature that does not verify.
 */
export function p256By({ hmac, multiple }: Primitives) {
  const { Point } = p256;
  class Base extends Point {
    override multiply(scalar: bigint) {
      if (!Point.Fn.isValidNot0(scalar)) throw new RangeError("The scalar is out of range.");
      const bytes = Point.Fn.toBytes(scalar);
      try {
        return Point.fromBytes(multiple(bytes));
      } finally {
        bytes.fill(0);
      }
    }
  }
  const { X, Y, Z } = Point.BASE;
  class RuntimePoint extends Point {
    static override readonly BASE = new Base(X, Y, Z);
  }
  return ecdsa(RuntimePoint, sha256, { hmac });
}
