/**
 * The API as commands see it: named operations with the session's credentials. A `Reader` cannot
 * change anything, a `Draft` cannot send anything: what a command may do is what its capability can
 * do.
 */
import { CliError } from "../../errors.ts";
import { Exact, member } from "../../io/json.ts";
import { masked, maskHeaders } from "../../io/redact.ts";
import type { Acts, Creation, SignedContent } from "../acts.ts";
import { checkSession, endpointOf, type Session, type TokenSet } from "../state/session.ts";
import type { Access } from "./access.ts";
import { Client, type HttpRequest } from "./client.ts";
import { chooseVersion, dialectOf, type OperationName } from "./dialect.ts";
import type { Dialect, Operation, Parameter, Parameters } from "./operation.ts";
import type { Companion } from "./pages.ts";
import { refusedFields } from "./refusedfields.ts";
import { requestIdOf } from "./requestid.ts";
import { askTokens } from "./tokens.ts";

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

/** A reporting session changes nothing. Throws WRONG_SESSION_KIND, before anything is sent. */
function refuseReporting({ kind }: Session): void {
  if (kind !== "reporting") return;
  throw new CliError("WRONG_SESSION_KIND", {
    message: "The session was opened by 'login reporting', which only reads; nothing was sent.",
    hint: "Log in with 'login api' or 'login device' first.",
  });
}

/** What is written beside the parameters. */
interface Written {
  readonly document: Exact | undefined;
  readonly content: SignedContent | undefined;
  readonly creation: Creation | undefined;
}

class Connection {
  /** The session that the command began with. */
  private first: Session | undefined;

  constructor(private readonly access: Access) {}

  /**
   * Another process may log in to something else meanwhile: what was read in one workspace is not
   * sent to another, and whatever proves who calls goes to its own origin only. Throws
   * SESSION_MISMATCH.
   */
  private requireSame(session: Session): void {
    checkSession(session, this.access.config);
    this.first ??= session;
    if (identityOf(session) === identityOf(this.first)) return;
    throw new CliError("SESSION_MISMATCH", {
      message: "Another session replaced this one while the command ran; nothing more was sent.",
      hint: "Check what was already sent. Run the command again if you want to use the current session.",
    });
  }

  async session(needed?: OperationName): Promise<Session> {
    const session = await this.access.sessions.recent();
    this.requireSame(session);
    if (needed !== undefined) operationOf(dialectOf(session.apiVersion), needed);
    return session;
  }

  async read(
    name: OperationName,
    parameters: Parameters,
    document: Exact | undefined,
    companion?: Companion,
  ): Promise<Exact> {
    const { dialect } = await this.dialect();
    const operation = operationOf(dialect, name);
    if (operation.writes !== undefined) throw new Error(`${name} is a writing operation`);
    const request = { ...requestOf(dialect, operation, parameters, document), companion };
    const answer = await this.named(name, parameters, request, operation.assumed);
    return operation.read?.(answer, parameters) ?? answer;
  }

  async write(
    acts: Acts,
    name: OperationName,
    parameters: Parameters,
    { document, content, creation }: Written,
  ): Promise<Exact> {
    const { session, dialect } = await this.dialect();
    refuseReporting(session);
    const operation = operationOf(dialect, name);
    if (operation.writes === undefined) throw new Error(`${name} is not a writing operation`);
    const request = requestOf(dialect, operation, parameters, document);
    const requestId = typeof parameters.id === "string" ? parameters.id : undefined;
    const intent = { kind: operation.writes, operation: name, command: acts.command };
    const answer = await acts.perform(
      { ...intent, ...creation, session, requestId, content, body: request.body },
      () => this.named(name, parameters, request, operation.assumed),
      (created) => requestId ?? requestIdOf(created),
    );
    return operation.read?.(answer, parameters) ?? answer;
  }

  private async dialect(): Promise<{ session: Session; dialect: Dialect }> {
    const session = await this.session();
    return { session, dialect: dialectOf(session.apiVersion) };
  }

  private async named(
    name: OperationName,
    parameters: Parameters,
    request: HttpRequest,
    assumed: Operation["assumed"],
  ): Promise<Exact> {
    try {
      return await this.send(request);
    } catch (cause) {
      if (assumed !== undefined && (await this.isMissingOperation(cause, parameters)))
        throw notOffered(cause, name, assumed);
      throw naming(cause, name, parameters, request.body);
    }
  }

  /**
   * Whether a 404 of an assumed operation is about the operation, not about an object. V2's
   * framework names the operation in `data.path` only when it has it (N3); where the body
   * has no `data`, the object that the call is about is looked for.
   */
  private async isMissingOperation(
    cause: unknown,
    { id, accountId }: Parameters,
  ): Promise<boolean> {
    if (!(cause instanceof CliError) || cause.code !== "NOT_FOUND") return false;
    const data = dataOf(cause.facts.api);
    if (data !== undefined) return member(data, "path") === undefined;
    if (!(cause.facts.api instanceof Exact)) return false;
    const parent = id === undefined ? "accounts.get" : "requests.get";
    const found = this.read(parent, { id: id ?? accountId }, undefined);
    return found.then(
      () => true,
      () => false,
    );
  }

  /**
   * With the session's token; a 401 refreshes once and repeats once, also for a write, which was
   * not carried out (NET-7).
   */
  async send(request: HttpRequest): Promise<Exact> {
    const first = await this.access.sessions.fresh((session) => this.refresh(session));
    try {
      return await this.sendAs(first, request);
    } catch (cause) {
      if (!isUnauthorized(cause) || first.tokens === undefined) throw cause;
    }
    const second = await this.access.sessions.fresh(
      (session) => this.refresh(session),
      first.tokens.access,
    );
    return this.sendAs(second, request);
  }

  private async sendAs(session: Session, request: HttpRequest): Promise<Exact> {
    this.requireSame(session);
    const { authorize } = dialectOf(session.apiVersion);
    const headers =
      session.kind === "reporting"
        ? await (await import("./reporting.ts")).reportingHeaders(this.access.config, session)
        : authorize({ workspace: session.workspace, accessToken: session.tokens?.access ?? "" });
    return new Client(endpointOf(session), this.access.runtime).send({
      ...request,
      headers: { ...request.headers, ...headers },
    });
  }

  private refresh(session: Session): Promise<TokenSet> {
    this.requireSame(session);
    const refreshToken = session.tokens?.refresh ?? "";
    const client = new Client(endpointOf(session), this.access.runtime);
    const { refresh } = dialectOf(session.apiVersion);
    return askTokens(client, refresh, { workspace: session.workspace, refreshToken }, () =>
      this.access.runtime.now(),
    );
  }
}

/** Whose session it is and where: all but the tokens. */
function identityOf({ tokens: _, ...identity }: Session): string {
  return JSON.stringify(identity);
}

const BLOCKED =
  "Have a person check the account's policy, and whether account, group or whitelist have an edit that waits for approval.";
const UNFIT =
  "error.api contains the reason. Funds and fees, an edit of the account, group or whitelist that waits, or a sanctioned address can refuse a creation.";

/** What refusals mean that the API tells at best in its own words. Source: the vendor's help. */
const REFUSED: Readonly<Record<string, string>> = {
  "FORBIDDEN requests.approve":
    "Only the reviewers of the current step may decide: look at reviewSteps and reviews with 'requests get'.",
  "FORBIDDEN requests.reject":
    "Only the reviewers of the current step may reject: look with 'requests governanceStatus'.",
  "FORBIDDEN requests.create": BLOCKED,
  "FORBIDDEN requests.createSui": BLOCKED,
  "BAD_REQUEST requests.create": UNFIT,
  "BAD_REQUEST requests.createSui": UNFIT,
};

/** An object that is not there is named by kind and id, with the command that finds it (D02). */
function naming(
  cause: unknown,
  name: OperationName,
  parameters: Parameters,
  document: Exact | undefined,
): unknown {
  if (cause instanceof CliError && cause.code === "BAD_REQUEST")
    return hinted(namingFields(cause, document), name);
  if (cause instanceof CliError && cause.code === "FORBIDDEN") return hinted(cause, name);
  const id = parameters.id ?? parameters.accountId;
  if (!(cause instanceof CliError) || cause.code !== "NOT_FOUND" || typeof id !== "string")
    return cause;
  // Without the API's own words, what is missing is the API.
  if (cause.facts.api === undefined) return cause;
  const group = parameters.id === undefined ? "accounts" : (name.split(".")[0] ?? "");
  const kind = group.replace(/ies$/, "y").replace(/s$/, "");
  return new CliError("NOT_FOUND", {
    ...cause.facts,
    message: `The API has no ${kind} with the id '${id}'.`,
    hint: `Find the id with '${group} list'.`,
    details: { kind, id, list: `${group} list` },
    cause,
  });
}

/** The failure with what its refusal can mean for this operation. */
function hinted(cause: CliError, name: OperationName): CliError {
  const hint = REFUSED[`${cause.code} ${name}`];
  return hint === undefined ? cause : new CliError(cause.code, { ...cause.facts, hint, cause });
}

/** A refused document: the fields that the API names; its own words stay in `api`. */
function namingFields(cause: CliError, document: Exact | undefined): CliError {
  const { api } = cause.facts;
  const fields = api instanceof Exact ? refusedFields(api, document) : [];
  if (fields.length === 0) return cause;
  return new CliError("BAD_REQUEST", {
    ...cause.facts,
    message: `The API refused: ${fields.join(", ")}.`,
    details: { fields },
    cause,
  });
}

/** The object `data` of an error body; undefined where there is none. */
function dataOf(body: unknown): Exact | undefined {
  const data =
    body instanceof Exact && body.text.startsWith("{") ? member(body, "data") : undefined;
  return data?.text.startsWith("{") === true ? data : undefined;
}

/** The operation is not where this program looks for it. */
function notOffered(cause: unknown, name: OperationName, assumed: string): CliError {
  const facts = cause instanceof CliError ? cause.facts : undefined;
  return new CliError("NOT_SUPPORTED", {
    message: "The server does not offer this operation where this program looks for it.",
    hint: "Its address is not public. Send the output of 'doctor --report' with an issue.",
    ...(facts?.httpStatus === undefined ? {} : { httpStatus: facts.httpStatus }),
    ...(facts?.requestId === undefined ? {} : { requestId: facts.requestId }),
    api: facts?.api,
    details: { operation: name, assumption: assumed },
    cause,
  });
}

function isUnauthorized(cause: unknown): boolean {
  return cause instanceof CliError && cause.code === "UNAUTHORIZED";
}

function operationOf(dialect: Dialect, name: OperationName): Operation {
  const operation = dialect.operations[name];
  if (operation !== undefined) return operation;
  throw new CliError("NOT_SUPPORTED", {
    message: `API ${dialect.version.toUpperCase()} has no operation for '${name}'.`,
    ...hintOf(dialect.instead[name]),
  });
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

/**
 * Parameters go where the table says, once each: into the path, the query or the body. Throws
 * NOT_SUPPORTED for a filter that has no place.
 */
function requestOf(
  dialect: Dialect,
  operation: Operation,
  parameters: Parameters,
  document: Exact | undefined,
): HttpRequest {
  const placed = new Set<string>();
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    placed.add(name);
    if (parameters[name] === undefined) throw missing(dialect, name);
    return encodeURIComponent(dialect.spellId(String(parameters[name]), `--${name}`));
  });
  const query: [string, string][] = [];
  for (const [ours, theirs] of Object.entries(operation.query ?? {})) {
    placed.add(ours);
    const { name, spell } = typeof theirs === "string" ? { name: theirs, spell: String } : theirs;
    for (const item of valuesOf(parameters[ours])) query.push([name, spell(item, `--${ours}`)]);
  }
  const surplus = Object.keys(parameters).find(
    (name) => !placed.has(name) && valuesOf(parameters[name]).length > 0,
  );
  if (operation.method === "GET" && surplus !== undefined) throw noFilter(dialect, surplus);
  const body = operation.body?.(document, parameters);
  return { method: operation.method, path, query, body, writes: operation.writes };
}

/** What a parameter sends: nothing when it is absent or a flag that was not set. */
function valuesOf(parameter: Parameter): string[] {
  if (parameter === undefined || parameter === false) return [];
  return (Array.isArray(parameter) ? parameter : [parameter]).map(String);
}

/** What the other API version can do without. */
function missing({ version }: Dialect, name: string): CliError {
  return new CliError("MISSING_OPTION", {
    message: `API ${version.toUpperCase()} needs --${name} here.`,
    field: `--${name}`,
  });
}

/** A filter that is dropped silently would show rows that were not asked for. */
function noFilter({ version }: Dialect, name: string): CliError {
  return new CliError("NOT_SUPPORTED", {
    message: `API ${version.toUpperCase()} has no counterpart of --${name} here.`,
    field: `--${name}`,
    hint: "Leave the option out and choose among the results.",
  });
}
