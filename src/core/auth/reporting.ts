/**
 * Reporting keys of V1: they read what their entities may see, and nothing else. The session keeps
 * the key's fingerprint; the key is read from the environment at each use and is never stored.
 */
import { createHash } from "node:crypto";
import { CliError } from "../../errors.ts";
import type { Access } from "../api/access.ts";
import { Client } from "../api/client.ts";
import { type ApiVersion, chooseVersion, dialectOf } from "../api/dialect.ts";
import { checkingVersion } from "../api/version.ts";
import { type Session, TOKEN } from "../state/session.ts";
import type { Config, LoginOptions } from "./config.ts";

/**
 * Tries the key with one read, then stores a session without tokens. Throws MISSING_CREDENTIALS,
 * NOT_SUPPORTED on V2, UNAUTHORIZED, SESSION_IO and the network codes; on each of them the session
 * that was there is untouched (SES-8).
 */
export async function loginWithReportingKey(
  access: Access,
  request: LoginOptions & { readonly apiVersion: ApiVersion | undefined },
): Promise<Session> {
  const { endpoint, workspace } = access.config.target(request);
  const apiVersion = chooseVersion(endpoint, request.apiVersion);
  const { authorizeReport } = dialectOf(apiVersion);
  if (authorizeReport === undefined) {
    throw new CliError("NOT_SUPPORTED", {
      message: "API V2 has no reporting keys.",
      hint: "Reporting keys belong to V1, https://api.vault.ledger.com; for another address add --apiVersion v1.",
    });
  }
  const reportingKey = await readKey(access.config);
  const headers = authorizeReport({ workspace, reportingKey });
  const query = [["page_size", "1"]] as const;
  const client = new Client(endpoint, access.runtime);
  await checkingVersion({ client, chosen: apiVersion, log: access.runtime.log }, () =>
    client.send({ method: "GET", path: "/accounts", query, headers }),
  );
  const session: Session = {
    version: 1,
    kind: "reporting",
    apiVersion,
    ...endpoint,
    workspace,
    keyFingerprint: fingerprintOf(reportingKey),
  };
  await access.sessions.replace(session);
  return session;
}

/**
 * The headers of a reporting session's calls. Throws MISSING_CREDENTIALS, and SESSION_MISMATCH when
 * the key is another one than at login.
 */
export async function reportingHeaders(
  config: Config,
  session: Session,
): Promise<Record<string, string>> {
  const reportingKey = await readKey(config);
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

async function readKey(config: Config): Promise<string> {
  const key = await config.requiredSecret("REPORTING_API_KEY");
  if (TOKEN.test(key)) return key;
  const field = "LEDGER_ENTERPRISE_REPORTING_API_KEY";
  throw new CliError("INVALID_ARGUMENT", {
    message: `${field} holds characters that no key has.`,
    field,
  });
}

function fingerprintOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
