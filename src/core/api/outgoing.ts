/** What every call has before it is sent: its address, its headers, and a session that may. */
import { CliError } from "../../errors.ts";
import type { Endpoint } from "../auth/endpoint.ts";
import type { Session } from "../state/session.ts";

/** Path and query of a call, below the base path. */
export interface Target {
  /** Each segment already checked or encoded. */
  readonly path: string;
  readonly query?: readonly (readonly [string, string])[];
}

/**
 * The address a request goes to; checked to lie below the configured base (NET-9). Throws
 * INVALID_ARGUMENT.
 */
export function urlOf({ origin, basePath }: Endpoint, { path, query }: Target): URL {
  const url = new URL(`${origin}${basePath}${path}`);
  for (const [name, value] of query ?? []) url.searchParams.append(name, value);
  if (url.origin !== origin || url.pathname !== `${basePath}${path}`) {
    throw new CliError("INVALID_ARGUMENT", { message: "The path leaves the configured API." });
  }
  return url;
}

/** All headers that we set, the request's own last. */
export function headersOf(
  userAgent: string,
  headers: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return {
    accept: "application/json",
    "user-agent": userAgent,
    "content-type": "application/json",
    ...headers,
  };
}

/** A reporting session changes nothing. Throws WRONG_SESSION_KIND, before anything is sent. */
export function refuseReporting({ kind }: Session): void {
  if (kind !== "reporting") return;
  throw new CliError("WRONG_SESSION_KIND", {
    message: "The session was opened by 'login reporting', which only reads; nothing was sent.",
    hint: "Log in with 'login api' or 'login device' first.",
  });
}
