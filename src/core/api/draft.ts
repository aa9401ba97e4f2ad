/** Writes described without what could send them: nothing here reaches the network. */
import type { Exact } from "../../io/json.ts";
import { masked, maskHeaders } from "../../io/redact.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Endpoint } from "../auth/endpoint.ts";
import { checkSession, endpointOf } from "../state/session.ts";
import type { Access } from "./access.ts";
import { chooseVersion, dialectOf, type OperationName } from "./dialect.ts";
import type { Dialect, Parameters } from "./operation.ts";
import { headersOf, refuseReporting, urlOf } from "./outgoing.ts";
import { operationOf, requestOf } from "./request.ts";

/** A write as it would be sent, secrets masked. */
export interface DraftedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Exact | null;
}

/** Requests as they would be sent, made without being able to send. */
export interface Draft {
  /**
   * Works offline, with the session's address or else the configured one. Throws
   * MISSING_CREDENTIALS without either.
   */
  describe(name: OperationName, parameters: Parameters, document?: Exact): Promise<DraftedRequest>;
  /** API version of that address. */
  version(): Promise<"v1" | "v2">;
}

/** A draft needs to know whose session it is, and no token. */
interface DraftAccess extends Omit<Access, "runtime" | "sessions"> {
  readonly runtime: Pick<Runtime, "userAgent">;
  readonly sessions: Pick<Access["sessions"], "read">;
}

/** What a dry run gets in place of an `Api`. */
export function createDraft(access: DraftAccess): Draft {
  return {
    async describe(name, parameters, document) {
      const { endpoint, dialect, headers } = await addressOf(access);
      const request = requestOf(dialect, operationOf(dialect, name), parameters, document);
      const body = request.body === undefined ? null : masked(request.body);
      const shown = maskHeaders(headersOf(access.runtime.userAgent, headers));
      return { method: request.method, url: urlOf(endpoint, request).href, headers: shown, body };
    },
    version: async () => (await addressOf(access)).dialect.version,
  };
}

async function addressOf(
  access: DraftAccess,
): Promise<{ endpoint: Endpoint; dialect: Dialect; headers: Record<string, string> }> {
  const session = await access.sessions.read();
  if (session !== undefined) {
    checkSession(session, access.config);
    refuseReporting(session);
    const dialect = dialectOf(session.apiVersion);
    const headers = dialect.authorize({ workspace: session.workspace, accessToken: "[redacted]" });
    return { endpoint: endpointOf(session), dialect, headers };
  }
  const { endpoint, workspace } = access.config.target({
    baseUrl: undefined,
    workspace: undefined,
  });
  const dialect = dialectOf(chooseVersion(endpoint, undefined));
  return {
    endpoint,
    dialect,
    headers: dialect.authorize({ workspace, accessToken: "[redacted]" }),
  };
}
