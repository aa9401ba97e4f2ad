/** Calls with a session: its version's table, its tokens, and their refresh. */
import { CliError } from "../../errors.ts";
import { Exact, member } from "../../io/json.ts";
import type { Acts, Creation, SignedContent } from "../acts.ts";
import { finishing } from "../sending.ts";
import { checkSession, endpointOf, type Session, type TokenSet } from "../state/session.ts";
import type { Access } from "./access.ts";
import { Client, type HttpRequest } from "./client.ts";
import { dialectOf, type OperationName } from "./dialect.ts";
import type { Dialect, Operation, Parameters } from "./operation.ts";
import { refuseReporting } from "./outgoing.ts";
import type { Companion } from "./pages.ts";
import { dataOf, naming, notOffered } from "./refusal.ts";
import { operationOf, requestOf } from "./request.ts";
import { requestIdOf } from "./requestid.ts";
import { askTokens } from "./tokens.ts";

/** What is written beside the parameters. */
interface Written {
  readonly document: Exact | undefined;
  readonly content: SignedContent | undefined;
  readonly creation: Creation | undefined;
}

/**
 * Operations with the session's credentials, which are checked and refreshed as they are used. One
 * command has one, and all its calls go to the session that it began with.
 */
export class Connection {
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

  /** As `Reader.session`. */
  async session(needed?: OperationName): Promise<Session> {
    const session = await this.access.sessions.recent();
    this.requireSame(session);
    if (needed !== undefined) operationOf(dialectOf(session.apiVersion), needed);
    return session;
  }

  /** As `Reader.read`. */
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

  /** As `Api.write`; the write passes `acts`. Throws WRONG_SESSION_KIND. */
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
      (_, time) => this.named(name, parameters, { ...request, time }, operation.assumed),
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
    const { workspace } = session;
    const refreshToken = session.tokens?.refresh ?? "";
    const { runtime } = this.access;
    const { refresh } = dialectOf(session.apiVersion);
    // The token works once: without the answer to it the session is lost.
    return finishing(runtime.stop, (stop) => {
      const patient = Object.create(runtime, { stop: { value: stop } }) as typeof runtime;
      const client = new Client(endpointOf(session), patient);
      return askTokens(client, refresh, { workspace, refreshToken }, () => runtime.now());
    });
  }
}

/** Whose session it is and where: all but the tokens. */
function identityOf({ tokens: _, ...identity }: Session): string {
  return JSON.stringify(identity);
}

function isUnauthorized(cause: unknown): boolean {
  return cause instanceof CliError && cause.code === "UNAUTHORIZED";
}
