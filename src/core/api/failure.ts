/** What an answer's status, headers and body say of a failed call. */
import type { ErrorCode } from "../../errors.ts";
import { masked, type Redactor } from "../../io/redact.ts";
import { readDocument } from "./answer.ts";

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
 * The code of a status outside 200–299; INVALID_RESPONSE for a status that a final answer cannot
 * have.
 */
export function codeOfStatus(status: number): ErrorCode {
  const known = STATUS_CODES[status];
  if (known !== undefined) return known;
  if (status >= 500 && status <= 599) return "SERVER_ERROR";
  if (status >= 400 && status <= 499) return "HTTP_ERROR";
  return status >= 300 && status <= 399 && status !== 304 ? "REDIRECT_BLOCKED" : "INVALID_RESPONSE";
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
  const seconds = untilReset(headers.get("x-ratelimit-reset")?.trim() ?? "", nowMs);
  return seconds === undefined ? undefined : { seconds, honoured: false };
}

/** Longer times are mistakes. */
const LONGEST_SECONDS = 24 * 3600;

/** Seconds from now, a Unix time, or (13 digits) one in milliseconds. */
function untilReset(reset: string, nowMs: number): number | undefined {
  if (!/^\d{1,13}$/.test(reset)) return undefined;
  const value = Number(reset);
  if (reset.length <= 9) return believed(value);
  const atMs = reset.length === 13 ? value : value * 1000;
  return believed(Math.max(0, Math.ceil((atMs - nowMs) / 1000)));
}

function believed(seconds: number): number | undefined {
  return seconds <= LONGEST_SECONDS ? seconds : undefined;
}

function toSeconds(token: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(token)) return believed(Number(token));
  if (!/^[A-Z][a-z]{2}, .* GMT$/.test(token)) return undefined;
  const at = Date.parse(token);
  return Number.isNaN(at) ? undefined : believed(Math.max(0, Math.ceil((at - nowMs) / 1000)));
}

/** The message of a failure. */
export function sentenceOf(code: string, status: number): string {
  if (code === "REDIRECT_BLOCKED")
    return `The server answered with a redirect (status ${status}), which was not followed.`;
  if (code === "NOT_FOUND") return "The API has no such object or path.";
  return `The API answered with status ${status}.`;
}

/** The id that the server, or what is in front of it, gave the call. */
export function callIdOf(headers: Headers): { requestId?: string } {
  for (const name of ["x-request-id", "x-correlation-id", "cf-ray"]) {
    const value = headers.get(name);
    if (value !== null && /^[\x21-\x7e]{1,128}$/.test(value)) return { requestId: value };
  }
  return {};
}

const API_ERROR_MAX_BYTES = 8 * 1024;

/**
 * The API's own error document as data, at most 8 KiB (OUT-5); HTML and broken bodies are not
 * shown.
 */
export function apiErrorOf(bytes: Uint8Array, code: string, redactor: Redactor): { api?: unknown } {
  if (bytes.length === 0 || code === "REDIRECT_BLOCKED") return {};
  try {
    const document = masked(readDocument(bytes));
    if (bytes.length <= API_ERROR_MAX_BYTES) return { api: document };
    return {
      api: {
        truncated: true,
        text: redactor.cleanJson(document.text).slice(0, API_ERROR_MAX_BYTES / 2),
      },
    };
  } catch {
    return {};
  }
}
