/**
 * Reporting keys of V1 on each call. The session keeps the key's fingerprint; the key is read from
 * the environment at each use and is never stored.
 */
import { createHash } from "node:crypto";
import { CliError } from "../../errors.ts";
import type { Config } from "../auth/config.ts";
import { type Session, TOKEN } from "../state/session.ts";
import { dialectOf } from "./dialect.ts";

/**
 * The headers of a reporting session's calls. Throws MISSING_CREDENTIALS, and SESSION_MISMATCH when
 * the key is another one than at login.
 */
export async function reportingHeaders(
  config: Config,
  session: Session,
): Promise<Record<string, string>> {
  const reportingKey = await readReportingKey(config);
  const headers = dialectOf(session.apiVersion).authorizeReport?.({
    workspace: session.workspace,
    reportingKey,
  });
  if (headers !== undefined && fingerprintOf(reportingKey) === session.keyFingerprint)
    return headers;
  throw new CliError("SESSION_MISMATCH", {
    message: "The configured reporting key is not the one of the session; nothing was sent.",
    hint: "Run 'login reporting' again for the configured key.",
  });
}

/** The configured key. Throws MISSING_CREDENTIALS, INVALID_ARGUMENT. */
export async function readReportingKey(config: Config): Promise<string> {
  const key = await config.requiredSecret("REPORTING_API_KEY");
  if (TOKEN.test(key)) return key;
  const field = "LEDGER_ENTERPRISE_REPORTING_API_KEY";
  throw new CliError("INVALID_ARGUMENT", {
    message: `${field} contains characters that a key never has.`,
    field,
  });
}

/** What a session keeps of the key: 64 hexadecimal digits of its SHA-256. */
export function fingerprintOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
