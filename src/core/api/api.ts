/**
 * The API as commands see it: named operations with the session's credentials. A `Reader` cannot
 * change anything, and a `Draft` (draft.ts) cannot send anything: what a command may do is what its
 * capability can do.
 */
import type { Exact } from "../../io/json.ts";
import type { Acts, Creation, SignedContent } from "../acts.ts";
import type { Session } from "../state/session.ts";
import type { Access } from "./access.ts";
import { Connection } from "./connection.ts";
import type { OperationName } from "./dialect.ts";
import type { Parameters } from "./operation.ts";
import type { Companion } from "./pages.ts";

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
