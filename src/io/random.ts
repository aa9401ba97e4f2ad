/**
 * Names that cannot be guessed. The global generator serves: loading node:crypto for it would cost
 * every command some milliseconds.
 */

/** `bytes` random bytes in lower-case hexadecimal. */
export function randomName(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}
