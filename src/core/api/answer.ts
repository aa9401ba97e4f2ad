/** The body of an answer: read, unpacked, and one JSON document (NET-4, NET-8). */
import { CliError } from "../../errors.ts";
import { decodeUtf8, type Exact, exact, JsonError } from "../../io/json.ts";
import { readAtMost, requireKnownEncoding, tooLarge, unpack } from "../../io/unpack.ts";
import type { ExchangeTimer } from "./exchangetimer.ts";

/** Of a failure's body, packed and unpacked: a longer one is not read, and the status decides. */
const FAILURE_MAX_BYTES = 1024 * 1024;
/** What Node's own parser allows; Bun's allows far more (H20). */
const HEADERS_MAX_BYTES = 16 * 1024;

/**
 * The unpacked bytes of an answer; of a failure that is too long or broken, none. Throws
 * INVALID_RESPONSE, RESPONSE_TOO_LARGE.
 */
export async function readBody(
  response: Response,
  timer: ExchangeTimer,
  answerMaxBytes: number,
): Promise<Uint8Array> {
  timer.touch();
  const { ok, headers } = response;
  const encoding = headers.get("content-encoding");
  requireKnownEncoding(encoding);
  if (sizeOf(headers) > HEADERS_MAX_BYTES) throw invalid("The answer's headers are too long.");
  // One runtime joins two lengths that are the same, the other refuses them.
  if (headers.get("content-length")?.includes(",")) throw invalid("The answer is not proper HTTP.");
  const maxBytes = ok ? answerMaxBytes : FAILURE_MAX_BYTES;
  const bytes = await readAtMost(response, maxBytes, () => timer.touch());
  const unpacked = bytes === undefined ? undefined : unpack(bytes, encoding, maxBytes);
  if (ok) return (await unpacked) ?? Promise.reject(tooLarge(maxBytes));
  return (await unpacked?.catch(() => undefined)) ?? new Uint8Array();
}

function sizeOf(headers: Headers): number {
  return [...headers].reduce((size, [name, value]) => size + name.length + value.length, 0);
}

/** The document of a 2xx answer, which need not be one (NET-8). Throws INVALID_RESPONSE. */
export function readAnswer(response: Response, bytes: Uint8Array, baseUrlHint: string): Exact {
  if (response.status === 206) throw invalid("The answer is only a part.");
  if (!isJson(response.headers))
    throw invalid(
      "The answer is not JSON.",
      `Is a proxy or a login page in the way? ${baseUrlHint}`,
    );
  const charset = /charset\s*=\s*"?([^";\s]+)/i.exec(
    response.headers.get("content-type") ?? "",
  )?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset))
    throw invalid("The answer is not UTF-8.");
  return readDocument(bytes);
}

/** The document, or undefined where the bytes are not one. */
export function documentOf(bytes: Uint8Array): Exact | undefined {
  try {
    return readDocument(bytes);
  } catch {
    return undefined;
  }
}

/** Throws INVALID_RESPONSE for bytes that are not one valid JSON document in UTF-8. */
export function readDocument(bytes: Uint8Array): Exact {
  try {
    return exact(decodeUtf8(bytes, { bom: "strip" }), { loneSurrogates: "allow" });
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new CliError("INVALID_RESPONSE", {
      message: "The answer is not one valid JSON document.",
      details: { reason: cause.reason, position: cause.position },
    });
  }
}

/** INVALID_RESPONSE with these words. */
export function invalid(message: string, hint?: string): CliError {
  return new CliError("INVALID_RESPONSE", { message, ...(hint === undefined ? {} : { hint }) });
}

/** Whether the answer says that it is JSON. */
export function isJson(headers: Headers): boolean {
  return /^application\/([a-z0-9!#$&^_.+-]+\+)?json\s*(;|$)/i.test(
    headers.get("content-type")?.trim() ?? "",
  );
}
