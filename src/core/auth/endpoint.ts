/** The base URL of the API: where secrets may go (CFG-6). */
import { CliError } from "../../errors.ts";

/** Where an API is; normalised, so that two can be compared as text. */
export interface Endpoint {
  /** Scheme, host and port, normalised: `https://re.vault.ledger.com`. */
  readonly origin: string;
  /** Path without a final slash, possibly empty: `/v1/rest`. */
  readonly basePath: string;
}

/**
 * Reads a base URL. `https:` only, except `http:` to a literal loopback host, decided on the parsed
 * host; no user info, query, fragment, backslash, dot segment or non-ASCII character. Throws
 * INVALID_URL or INSECURE_URL; `field` names the source.
 */
export function parseEndpoint(text: string, field: string): Endpoint {
  const value = text.trim();
  const url =
    /^[\x21-\x7e]+$/.test(value) && !/[\\?#%]|\/\.{1,2}(\/|$)/.test(value)
      ? toUrl(value)
      : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (
    url === undefined ||
    !isWeb ||
    !/^https?:\/\/[^/]/i.test(value) ||
    url.username !== "" ||
    value.includes("@")
  ) {
    throw new CliError("INVALID_URL", {
      message: `${field} is not a base URL that can be used.`,
      field,
    });
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new CliError("INSECURE_URL", {
      message: `${field} would send secrets in clear text.`,
      field,
    });
  }
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, "") };
}

function toUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

/** True for `localhost`, `127.0.0.0/8` and `::1`, as the URL parser normalises them. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

/** True for the same origin and base path: what tokens belong to (NET-2). */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.origin === b.origin && a.basePath === b.basePath;
}
