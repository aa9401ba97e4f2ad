/** What one operation of the API looks like in a dialect; v1.ts and v2.ts are tables of these. */
import type { Exact } from "../../io/json.ts";
import type { WriteKind } from "../acts.ts";

/** A value of the command line on its way to the API: our own names, decoded. */
export type Parameter = string | number | boolean | readonly string[] | undefined;
/** Parameters of an operation by our own names; which of them go where is the table's to say. */
export type Parameters = Readonly<Record<string, Parameter>>;

/** A query parameter whose values this API version spells, or limits, in its own way. */
export interface Query {
  readonly name: string;
  /**
   * The value as the API takes it; `option` is ours, for messages. Throws INVALID_ARGUMENT,
   * NOT_SUPPORTED.
   */
  spell(value: string, option: string): string;
}

/** One operation of one API version. */
export interface Operation {
  readonly method: "GET" | "POST";
  /** Path below the base path; `{name}` is replaced by the parameter of that name. */
  readonly path: string;
  /**
   * Our parameter name → the API's query name. A GET's parameter with no place here or in the path
   * is NOT_SUPPORTED.
   */
  readonly query?: Readonly<Record<string, string | Query>>;
  /**
   * What an operation changes; absent for those that change nothing. Such a call passes `Acts`, is
   * never repeated, and its outcome is unknown when the answer is lost (NET-6).
   */
  readonly writes?: WriteKind;
  /** Builds the body from the parameters and the document that the command was given. */
  readonly body?: (document: Exact | undefined, parameters: Parameters) => Exact;
  /**
   * The row of docs/limits.md that says how this path or body was assumed: it is not publicly
   * documented. A 404 of such an operation need not mean that an object is missing.
   */
  readonly assumed?: "U1" | "U8" | "U9";
  /**
   * Brings the answer into the shape that commands expect, tokens untouched. Absent: as it came.
   */
  readonly read?: (answer: Exact, parameters: Parameters) => Exact;
}

/** One version of the API: everything that differs between V1 and V2, and nothing else. */
export interface Dialect {
  readonly version: "v1" | "v2";
  /** What this API version lacks is missing here and answers NOT_SUPPORTED. */
  readonly operations: Readonly<Record<string, Operation>>;
  /** What to do instead, for operations that are missing. */
  readonly instead: Readonly<Record<string, string>>;
  readonly login: TokenCall;
  readonly refresh: TokenCall;
  /** An id as part of a path. Throws INVALID_ARGUMENT, NOT_SUPPORTED. */
  spellId(value: string, option: string): string;
  /** Headers that carry the session on each call. */
  authorize(credentials: {
    readonly workspace: string;
    readonly accessToken: string;
  }): Record<string, string>;
  /** The same for a reporting key; absent where the API version has none. */
  authorizeReport?(credentials: {
    readonly workspace: string;
    readonly reportingKey: string;
  }): Record<string, string>;
}

/** How tokens are asked for, and where they are in the answer. No bearer header is sent. */
export interface TokenCall {
  readonly path: string;
  headers(workspace: string): Record<string, string>;
  body(
    input: Readonly<Record<"workspace" | "apiKeyId" | "apiKeySecret" | "refreshToken", string>>,
  ): Record<string, string>;
  readonly names: {
    readonly access: string;
    readonly expires: string;
    readonly refresh: string;
    /** Absent where the API version does not say how long a refresh token lives. */
    readonly refreshExpires?: string;
  };
}
