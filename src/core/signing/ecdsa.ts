/** The two forms of a P-256 signature, and the lower half of s. */

/** The order of P-256's base point (SEC 2 §2.4.2). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const BYTES = 32;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * 64 bytes, r‖s, big-endian, from DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 §2.2.3);
 * undefined unless it is DER: one-byte lengths, minimal positive integers, nothing behind.
 */
export function rawFromDer(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2 || der.length - 2 > 0x7f) return undefined;
  const raw = new Uint8Array(2 * BYTES);
  let at = 2;
  for (const end of [BYTES, 2 * BYTES]) {
    const length = der[at + 1] ?? 0;
    const body = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== INTEGER || body.length !== length || !isMinimalPositive(body)) return undefined;
    const digits = body[0] === 0 ? body.subarray(1) : body;
    if (digits.length > BYTES) return undefined;
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return at === der.length ? raw : undefined;
}

function isMinimalPositive(body: Uint8Array): boolean {
  const [first, second] = body;
  if (first === undefined || first >= 0x80) return false;
  return first !== 0 || (second !== undefined && second >= 0x80);
}

/**
 * The same signature (64 bytes, r‖s) with s in the lower half: s, or n − s. Both are valid for the
 * same key and message (SEC 1 §4.1.4).
 */
export function lowerS(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(BYTES)).toString("hex")}`);
  if (s <= ORDER >> 1n || s >= ORDER) return signature;
  const digits = (ORDER - s).toString(16).padStart(2 * BYTES, "0");
  return Buffer.concat([signature.subarray(0, BYTES), Buffer.from(digits, "hex")]);
}
