/**
 * Base64 that is refused where `Buffer.from` would skip and go on: a damaged value must not become
 * other bytes (SIG-1).
 */

/**
 * The bytes of `text`, or undefined unless it is canonical base64: the standard or the URL-safe
 * alphabet and not both, padding correct or absent, no other character, trailing bits zero (RFC
 * 4648 §3.5). The empty text means zero bytes.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const body = text.replace(/={1,2}$/, "");
  const isPadded = body.length !== text.length;
  const isOneAlphabet = /^[A-Za-z0-9+/]*$/.test(body) || /^[A-Za-z0-9_-]*$/.test(body);
  if (!isOneAlphabet || (isPadded && text.length % 4 !== 0)) return undefined;
  const bytes = Buffer.from(body, "base64");
  // Whatever the decoder dropped or rounded off is missing when it is written again.
  return encodeBase64Url(bytes) === body.replaceAll("+", "-").replaceAll("/", "_")
    ? bytes
    : undefined;
}

/** Unpadded base64url (RFC 7515 §2). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}
