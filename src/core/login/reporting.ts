/**
 * Logging in with a reporting key of V1, which reads what its entities may see, and nothing else.
 */
import { CliError } from "../../errors.ts";
import type { Access } from "../api/access.ts";
import { Client } from "../api/client.ts";
import { chooseVersion, dialectOf } from "../api/dialect.ts";
import { fingerprintOf, readReportingKey } from "../api/reporting.ts";
import { checkingVersion } from "../api/version.ts";
import type { Session } from "../state/session.ts";
import { type LoginRequest, namingSources } from "./api.ts";

/**
 * Tries the key with one read, then stores a session without tokens. Throws MISSING_CREDENTIALS,
 * NOT_SUPPORTED on V2, UNAUTHORIZED, SESSION_IO and the network codes; on each of them the session
 * that was there is untouched (SES-8).
 */
export async function loginWithReportingKey(
  access: Access,
  request: LoginRequest,
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
  const reportingKey = await readReportingKey(access.config);
  const headers = authorizeReport({ workspace, reportingKey });
  const query = [["page_size", "1"]] as const;
  const client = new Client(endpoint, access.runtime);
  await checkingVersion({ client, chosen: apiVersion, log: access.runtime.log }, () =>
    client.send({ method: "GET", path: "/accounts", query, headers }),
  ).catch((cause: unknown) => {
    throw namingSources(cause, access.config.loginSources(request, ["REPORTING_API_KEY"]));
  });
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
