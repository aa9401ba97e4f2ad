/**
 * The API as commands see it: named operations with the session's credentials. A `Reader` cannot
 * change anything, a `Draft` cannot send anything: what a command may do is what its capability can
 * do.
 */
import type { Exact } from "../../io/json.ts";
import { masked, maskHeaders } from "../../io/redact.ts";
import type { Acts, Creation, SignedContent } from "../acts.ts";
import { checkSession, endpointOf, type Session } from "../state/session.ts";
import type { Access } from "./access.ts";
import { Client } from "./client.ts";
import { Connection, refuseReporting } from "./connection.ts";
import { chooseVersion, dialectOf, type OperationName } from "./dialect.ts";
import type { Dialect, Parameters } from "./operation.ts";
import type { Companion } from "./pages.ts";
import { operationOf, requestOf } from "./request.ts";

/** Calls that change nothing. */
export interface Reader {
  /**
   * Carries out an operation that changes nothing. Throws NOT_SUPPORTED, the session codes and the
   * HTTP codes.
   */
  read(
    name: OperationName,
    parameters?: Parameters,
    document?: Exact,
    companion?: Companion,
  ): Promise<Exact>;
  /** Any GET below the base path (`api --path`). */
  get(path: string, query: readonly (readonly [string, string])[]): Promise<Exact>;
  /**
   * The session behind the calls, checked against the configuration; NOT_SUPPORTED when its
   * API version lacks the operation `needed`.
   */
  session(needed?: OperationName): Promise<Session>;
}

/** The same, and calls that change something. */
export interface Api extends Reader {
  /**
   * Carries out an operation that changes something, once; `content` is what a signature in the
   * parameters is over. Throws OUTCOME_UNKNOWN when its answer is lost (NET-6), and what the stages
   * of `Acts` throw.
   */
  write(
    name: OperationName,
    parameters: Parameters,
    document?: Exact,
    content?: SignedContent,
    creation?: Creation,
  ): Promise<Exact>;
}

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

/** Reads only: what a command with effect `read` gets. */
export function createReader(access: Access): Reader {
  return readerOf(new Connection(access));
}

function readerOf(connection: Connection): Reader {
  return {
    read: (name, parameters = {}, document = undefined, companion = undefined) =>
      connection.read(name, parameters, document, companion),
    get: (path, query) => connection.send({ method: "GET", path, query }),
    session: (needed) => connection.session(needed),
  };
}

/** Everything: what a command with effect `write` or `sign` gets. */
export function createApi(access: Access, acts: Acts): Api {
  const connection = new Connection(access);
  return {
    ...readerOf(connection),
    write: (name, parameters, document, content, creation) =>
      connection.write(acts, name, parameters, { document, content, creation }),
  };
}

/** A draft needs to know whose session it is, and no token. */
interface DraftAccess extends Omit<Access, "sessions"> {
  readonly sessions: Pick<Access["sessions"], "read">;
}

/** What a dry run gets in place of an `Api`. */
export function createDraft(access: DraftAccess): Draft {
  return {
    async describe(name, parameters, document) {
      const { endpoint, dialect, headers } = await addressOf(access);
      const request = requestOf(dialect, operationOf(dialect, name), parameters, document);
      const client = new Client(endpoint, access.runtime);
      const body = request.body === undefined ? null : masked(request.body);
      const [url, shown] = [client.urlOf(request).href, maskHeaders(client.headersOf({ headers }))];
      return { method: request.method, url, headers: shown, body };
    },
    version: async () => (await addressOf(access)).dialect.version,
  };
}

async function addressOf(
  access: DraftAccess,
): Promise<Pick<Client, "endpoint"> & { dialect: Dialect; headers: Record<string, string> }> {
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
