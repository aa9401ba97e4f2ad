/**
 * Reads and unpacks the body of an HTTP answer within a limit. No runtime unpacks by itself: it
 * would do so without a limit, and speak about failures on stderr (NET-4).
 */
import { CliError } from "../errors.ts";

/** The value of `Accept-Encoding`: what every supported runtime can unpack. */
export const ACCEPTED_ENCODINGS = "gzip, deflate, br";

/**
 * The body as it came, or undefined when it has more than `maxBytes`: the rest is not read.
 * `onBytes` is called whenever bytes arrive.
 */
export async function readAtMost(
  response: Response,
  maxBytes: number,
  onBytes: () => void = () => undefined,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) break;
    onBytes();
    size += value.length;
    if (size > maxBytes) {
      void reader?.cancel().catch(() => undefined);
      return undefined;
    }
    chunks.push(value);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/**
 * The body as it was before `encoding` (the value of `Content-Encoding`, or null). Throws
 * RESPONSE_TOO_LARGE above `maxBytes`, INVALID_RESPONSE when the encoding is unknown or the bytes
 * are broken.
 */
export async function unpack(
  bytes: Uint8Array,
  encoding: string | null,
  maxBytes: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity" || bytes.length === 0) return bytes;
  requireKnownEncoding(encoding);
  try {
    return await decode(name, bytes, maxBytes);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE")
      throw tooLarge(maxBytes);
    throw new CliError("INVALID_RESPONSE", {
      message: "The answer could not be decompressed.",
      cause,
    });
  }
}

const ENCODINGS = new Set(["", "identity", "gzip", "x-gzip", "deflate", "br", "zstd"]);

/** Throws INVALID_RESPONSE for an encoding that `unpack` cannot undo. */
export function requireKnownEncoding(encoding: string | null): void {
  if (ENCODINGS.has(encoding?.trim().toLowerCase() ?? "")) return;
  throw new CliError("INVALID_RESPONSE", {
    message: "The answer has an unknown content encoding.",
  });
}

/** The failure of an answer that has more than `maxBytes`. */
export function tooLarge(maxBytes: number): CliError {
  const size =
    maxBytes >= 1024 * 1024 ? `${maxBytes / (1024 * 1024)} MiB` : `${maxBytes / 1024} KiB`;
  return new CliError("RESPONSE_TOO_LARGE", { message: `The answer has more than ${size}.` });
}

async function decode(name: string, bytes: Uint8Array, maxOutputLength: number) {
  const zlib = await import("node:zlib");
  const limit = { maxOutputLength };
  switch (name) {
    case "br":
      return zlib.brotliDecompressSync(bytes, limit);
    case "zstd":
      return zlib.zstdDecompressSync(bytes, limit);
    case "deflate":
      return hasZlibHeader(bytes)
        ? zlib.inflateSync(bytes, limit)
        : zlib.inflateRawSync(bytes, limit);
    default:
      return zlib.gunzipSync(bytes, limit);
  }
}

/** Servers send "deflate" with and without zlib's two bytes (RFC 9110, 8.4.1.2). */
function hasZlibHeader([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}
