/**
 * Telling the two API versions apart without credentials: both answer an unknown path with 404, V2
 * (tRPC) with a text as `code`, V1's gateway with a number.
 */
import { CliError, type ErrorCode } from "../../errors.ts";
import { Exact, member } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Endpoint } from "../auth/endpoint.ts";
import { Client } from "./client.ts";
import type { ApiVersion } from "./dialect.ts";

/** A path that neither version has. */
const UNKNOWN_PATH = "/no-such-path";

/**
 * The version that the server's own 404 speaks of; undefined when it tells neither. Sends no
 * credentials; throws the network codes.
 */
export async function spokenVersion(client: Client): Promise<ApiVersion | undefined> {
  try {
    await client.send({ method: "GET", path: UNKNOWN_PATH });
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    const { httpStatus, api } = cause.facts;
    if (httpStatus === undefined) throw cause;
    return httpStatus === 404 && api instanceof Exact ? versionOf(api) : undefined;
  }
  return undefined;
}

/** The same for an address. */
export function versionAt(endpoint: Endpoint, runtime: Runtime): Promise<ApiVersion | undefined> {
  return spokenVersion(new Client(endpoint, runtime));
}

function versionOf(body: Exact): ApiVersion | undefined {
  if (!body.text.startsWith("{")) return undefined;
  const code = member(body, "code") ?? member(body, "status_code");
  if (code?.text === '"NOT_FOUND"') return "v2";
  return code?.text === "404" ? "v1" : undefined;
}

/** Failures of a login that the wrong version can cause. */
const DOUBTFUL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(["BAD_REQUEST", "NOT_FOUND", "INVALID_RESPONSE", "HTTP_ERROR"] as const),
  "DEVICE_LOGIN_UNSUPPORTED",
]);

/**
 * Runs a login over `client`. When it fails in a way that the wrong version explains, the server is
 * asked which one it speaks: on disagreement there is the warning API_VERSION_DOUBTFUL, and the
 * failure's hint says what to do.
 */
export async function checkingVersion<T>(
  { client, chosen, log }: { client: Client; chosen: ApiVersion; log: Pick<Log, "warn"> },
  login: () => Promise<T>,
): Promise<T> {
  try {
    return await login();
  } catch (cause) {
    if (!(cause instanceof CliError) || !DOUBTFUL.has(cause.code)) throw cause;
    const spoken = await spokenVersion(client).catch(() => undefined);
    if (spoken === undefined || spoken === chosen) throw cause;
    log.warn("API_VERSION_DOUBTFUL", doubt(chosen, spoken));
    throw new CliError(cause.code, { ...cause.facts, hint: remedy(spoken), cause });
  }
}

/** One sentence: which version was taken, and which one the server speaks. */
export function doubt(chosen: ApiVersion, spoken: ApiVersion): string {
  return `The server answers like API ${spoken.toUpperCase()}, but ${chosen.toUpperCase()} was chosen.`;
}

/** One imperative, for a failure's hint or a finding's fix. */
export function remedy(spoken: ApiVersion): string {
  return `Log in with --apiVersion ${spoken}, or correct the base URL.`;
}
