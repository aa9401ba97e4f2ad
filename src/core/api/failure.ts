/**
 * Failures of a call → CliError, translated once, here: HTTP statuses (the catalogue's status
 * mapping) and the errors of both runtimes' `fetch`. The runtime's own text never reaches the user
 * (SEC-3); it stays in `cause` for `--debug`.
 */
import type { ErrorCode } from "../../errors.ts";

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "BAD_REQUEST",
  406: "BAD_REQUEST",
  407: "PROXY_ERROR",
  408: "TIMEOUT",
  409: "CONFLICT",
  410: "NOT_FOUND",
  411: "BAD_REQUEST",
  412: "CONFLICT",
  413: "PAYLOAD_TOO_LARGE",
  414: "BAD_REQUEST",
  415: "BAD_REQUEST",
  420: "RATE_LIMITED",
  422: "BAD_REQUEST",
  429: "RATE_LIMITED",
};

/**
 * The code of a status outside 200–299; INVALID_RESPONSE for what is no status of a final answer.
 */
export function codeOfStatus(status: number): ErrorCode {
  const known = STATUS_CODES[status];
  if (known !== undefined) return known;
  if (status >= 500 && status <= 599) return "SERVER_ERROR";
  if (status >= 400 && status <= 499) return "HTTP_ERROR";
  return status >= 300 && status <= 399 && status !== 304 ? "REDIRECT_BLOCKED" : "INVALID_RESPONSE";
}

/** What went wrong on the way, and whether any byte of the request can have reached the server. */
export interface TransportFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** True when the connection was never made, so that the server cannot have acted. */
  readonly notSent: boolean;
}

type Row = readonly [pattern: RegExp, code: ErrorCode, message: string, notSent: boolean];

const TLS_REFUSED =
  "The TLS connection to the API was refused: its certificate or protocol is not acceptable.";

/**
 * Codes and names that Node's (undici, llhttp, OpenSSL) and Bun's (BoringSSL) fetch report; the
 * first match counts.
 */
const TRANSPORT: readonly Row[] = [
  [
    /ENOTFOUND|EAI_|ENODATA|DNSException|DNSResolve|FailedToResolve/i,
    "DNS_ERROR",
    "The host name of the API could not be resolved.",
    true,
  ],
  [
    /PROXY|CONNECT tunnel|UnsupportedProxy|RequestAbortedError/i,
    "PROXY_ERROR",
    "The proxy did not open a connection to the API.",
    true,
  ],
  [
    /UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT|ConnectTimeout/i,
    "TIMEOUT",
    "The API could not be reached in time.",
    true,
  ],
  // A broken record in the middle of a connection looks like a failed handshake.
  [/ERR_SSL|EPROTO|SSL_|TLSHandshake|WRONG_VERSION_NUMBER/i, "TLS_ERROR", TLS_REFUSED, false],
  [/CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_TLS|TLS_/i, "TLS_ERROR", TLS_REFUSED, true],
  [
    /ECONNREFUSED|ConnectionRefused|FailedToOpenSocket|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|Unable to connect/i,
    "NETWORK_ERROR",
    "The API could not be reached.",
    true,
  ],
  [
    /HPE_|HTTPParser|ERR_ASSERTION|HEADERS_OVERFLOW|Malformed|InvalidHTTP|InvalidContentLength|HTTPHeaders|TooLarge|ResponseHeaders|CONTENT_LENGTH_MISMATCH/i,
    "INVALID_RESPONSE",
    "The answer is not proper HTTP.",
    false,
  ],
  [
    /Zlib|Z_|Brotli|Zstd|Decompress|ERR__ERROR_FORMAT|BrotliDecoder|incorrect header check/i,
    "INVALID_RESPONSE",
    "The answer could not be decompressed.",
    false,
  ],
  [
    /Timeout|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT/i,
    "TIMEOUT",
    "The API did not answer in time.",
    false,
  ],
  [
    /ECONNRESET|EPIPE|ConnectionClosed|ConnectionReset|UND_ERR_SOCKET|other side closed|terminated|aborted|ShortRead|closed/i,
    "CONNECTION_RESET",
    "The connection broke before the answer was complete.",
    false,
  ],
];

/** Undici's name for a body that ends early, once the answer's head was read. */
const SHORT_BODY = /CONTENT_LENGTH_MISMATCH/;

/**
 * What the system says of a connection that was made, such as `read ETIMEDOUT`: the request may
 * have gone out on it.
 */
const ON_CONNECTION = /\b(read|write) E[A-Z]+$/;

/**
 * Classifies what `fetch` (or, when `answered`, the body stream) threw. Unknown errors count as a
 * broken connection after sending.
 */
export function classify(cause: unknown, answered: boolean): TransportFailure {
  const traces = [...causes(cause)];
  if (answered && traces.some((trace) => SHORT_BODY.test(trace))) return BROKEN;
  if (!answered && isProxyRefusal(cause)) return PROXY_REFUSED;
  const isConnected = answered || traces.some((trace) => ON_CONNECTION.test(trace));
  for (const [pattern, code, message, notSent] of TRANSPORT) {
    if (traces.some((trace) => pattern.test(trace)))
      return { code, message, notSent: notSent && !isConnected };
  }
  return { code: "NETWORK_ERROR", message: "The connection to the API failed.", notSent: false };
}

const BROKEN: TransportFailure = {
  code: "CONNECTION_RESET",
  message: "The connection broke before the answer was complete.",
  notSent: false,
};

const PROXY_REFUSED: TransportFailure = {
  code: "PROXY_ERROR",
  message: "The proxy did not open a connection to the API.",
  notSent: true,
};

/** Node's fetch turns status 407 into an error without any text. */
function isProxyRefusal(cause: unknown): boolean {
  const inner = cause instanceof Error ? rootOf(cause) : undefined;
  return (
    inner !== undefined &&
    inner !== cause &&
    inner.name === "Error" &&
    inner.message === "" &&
    !("code" in inner)
  );
}

function rootOf(error: Error): Error {
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}

/** Code, name and message of an error and of all that caused it. */
function* causes(error: unknown, depth = 0): Generator<string> {
  if (!(error instanceof Error) || depth > 5) return;
  const { code } = error as Error & { code?: unknown };
  if (typeof code === "string") yield code;
  yield `${error.name} ${error.message}`;
  if (error instanceof AggregateError)
    for (const inner of error.errors) yield* causes(inner, depth + 1);
  yield* causes(error.cause, depth + 1);
}

/**
 * Seconds to wait, from `Retry-After` (seconds or HTTP date; the first valid of several, F34) or,
 * without one, from `X-RateLimit-Reset`. `honoured` says that the server named the time itself, so
 * that a GET may be repeated (NET-5).
 */
export function retryAfter(
  headers: Headers,
  nowMs: number,
): { readonly seconds: number; readonly honoured: boolean } | undefined {
  const header = headers.get("retry-after") ?? "";
  const date = "[A-Z][a-z]{2}, \\d{2} [A-Z][a-z]{2} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT";
  for (const [token] of header.matchAll(new RegExp(`${date}|[^,]+`, "g"))) {
    const seconds = toSeconds(token.trim(), nowMs);
    if (seconds !== undefined) return { seconds, honoured: true };
  }
  const reset = headers.get("x-ratelimit-reset")?.trim() ?? "";
  if (!/^\d{1,13}$/.test(reset)) return undefined;
  // Either seconds from now or a Unix time; small numbers can only be the former.
  const value = Number(reset);
  return {
    seconds: Math.max(0, value < 1_000_000_000 ? value : Math.ceil(value - nowMs / 1000)),
    honoured: false,
  };
}

function toSeconds(token: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(token)) return Number(token);
  if (!/^[A-Z][a-z]{2}, .* GMT$/.test(token)) return undefined;
  const at = Date.parse(token);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}
