/** What a dialect is made of: a table of routes, checked against strictly, and a way to say no. */
import type { Challenges } from "./challenge.ts";
import type { Devices } from "./device.ts";
import type { Switches } from "./faults.ts";
import type { Governance } from "./governance.ts";
import type { Json } from "./json.ts";
import { type Check, type Checks, checkOf, insist, invalid, without } from "./schema.ts";
import type { Sessions } from "./sessions.ts";
import type { User, VaultRequest, Workspace } from "./workspace.ts";

/** Everything that a handler can reach. */
export interface World {
  readonly workspace: Workspace;
  readonly governance: Governance;
  readonly sessions: Sessions;
  readonly challenges: Challenges;
  readonly devices: Devices;
  readonly clock: () => number;
  /** Switches of the control path that answers depend on. */
  readonly switches: Pick<Switches, "assetDecimals">;
}

/** Whether lists show a request by now. */
export function isListed({ createdAt }: VaultRequest, { workspace, clock }: World): boolean {
  return createdAt + workspace.habits.listDelaySeconds * 1000 <= clock();
}

export interface Call {
  readonly world: World;
  /** The caller. */
  readonly user: User;
  /** Values of the `{name}`s of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Json;
  readonly switches: Pick<Switches, "assetBalance" | "missingRequestStatus">;
}

interface Shape {
  /** The procedure behind it, as V2's framework names it in an error's `data.path`. */
  readonly procedure?: string;
  readonly method: "GET" | "POST";
  /** Below the dialect's base path; `{name}` matches one segment. */
  readonly path: string;
  readonly query?: Checks;
  /** Query names that must be there. */
  readonly required?: readonly string[];
  /** Query names that may be repeated. */
  readonly repeatable?: readonly string[];
  /** Absent: the call has no body. */
  readonly body?: Check;
}

/**
 * Returns the document of a 200, for an authenticated caller (`handle`) or without a bearer
 * (`open`: the calls that open a session).
 */
export type Route = Shape &
  (
    | { readonly handle: (call: Call) => unknown }
    | {
        readonly open: (
          world: World,
          body: Json,
          headers: Headers,
          params: Call["params"],
        ) => unknown;
      }
  );

/** As they came; repeated ones in a list. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface Dialect {
  readonly base: string;
  readonly routes: readonly Route[];
  /**
   * The error document of a status, as this API version writes it. `route` is the operation that
   * refuses; absent where no operation has the path.
   */
  errorBody(status: number, message: string, issues: readonly string[], route?: Route): object;
  /** The status of one call too many. */
  readonly limitStatus: 420 | 429;
  /** What a body that is not JSON is refused with: by its content type, and by its syntax. */
  readonly bodyFaults: { readonly type: 400 | 415; readonly syntax: 400 | 500 };
  /** The caller. Throws Refusal 401, 403. */
  authenticate(world: World, headers: Headers): User;
}

/** Checked query values: text, as it came. */
export class Query {
  readonly #values: ReadonlyMap<string, readonly string[]>;
  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
  number(name: string, fallback: number): number {
    return Number(this.text(name) ?? fallback);
  }
  /** As V2's framework reads a flag: any text is true, `false` and `0` with it (N6). */
  isTrue(name: string): boolean {
    return (this.text(name) ?? "") !== "";
  }
}

/** The route of a path and the values in it, or undefined when the dialect has none. */
export function findRoute(
  dialect: Dialect,
  method: string,
  path: string,
): { route: Route; params: Record<string, string> } | undefined {
  for (const route of dialect.routes) {
    const params =
      route.method === method ? matchPath(`${dialect.base}${route.path}`, path) : undefined;
    if (params !== undefined) return { route, params };
  }
  return undefined;
}

function matchPath(template: string, path: string): Record<string, string> | undefined {
  const wanted = template.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined && segment !== value) return undefined;
    if (name !== undefined && value === "") return undefined;
    if (name !== undefined) params[name] = decode(value, "path");
  }
  return params;
}

/** How names that an operation does not have are met. */
export interface Names {
  /** Dropped without a word, as V2's framework does unless told otherwise; else refused. */
  readonly dropUnknown: boolean;
  /** Names that this server pretends not to know, in queries and, at any depth, in bodies. */
  readonly unknownNames: readonly string[];
}

/**
 * Reads a query string by the route's table. Throws Refusal 400 for unknown, repeated and ill-typed
 * parameters.
 */
export function readQuery(
  { query: documented = {}, required = [], repeatable = [] }: Route,
  text: string,
  { dropUnknown, unknownNames }: Names,
): Query {
  const query = Object.fromEntries(
    Object.entries(documented).filter(([name]) => !unknownNames.includes(name)),
  );
  const values = new Map<string, string[]>();
  for (const pair of text.split("&").filter((part) => part !== "")) {
    const [name = "", ...rest] = pair.split("=");
    const key = decode(name, "query");
    values.set(key, [...(values.get(key) ?? []), decode(rest.join("="), "query")]);
  }
  const issues = [...values].flatMap(([name, given]) => {
    const check = checkOf(query, name);
    if (check === undefined && dropUnknown) {
      values.delete(name);
      return [];
    }
    if (check === undefined) return [`Unrecognized query parameter: ${JSON.stringify(name)}`];
    if (given.length > 1 && !repeatable.includes(name))
      return [`Query parameter ${name} is given ${given.length} times`];
    return given.flatMap((value) => check(value, `query.${name}`));
  });
  const missing = required.filter((name) => !values.has(name));
  issues.push(...missing.map((name) => `Invalid input at query.${name}: required`));
  if (issues.length > 0) throw invalid(...issues);
  return new Query(values);
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(where === "query" ? text.replaceAll("+", " ") : text);
  } catch {
    throw invalid(`The ${where} has an invalid percent escape`);
  }
}

/** Checks the body of a route and returns what is left of it. Throws Refusal 400. */
export function checkBody(
  { body: check }: Route,
  given: Json | undefined,
  { dropUnknown, unknownNames }: Names,
): Json {
  const known = given === undefined || !dropUnknown ? given : without(given, new Set(unknownNames));
  const body = known !== undefined && dropUnknown ? (check?.prune?.(known) ?? known) : known;
  if (check === undefined && body !== undefined) throw invalid("This call takes no body");
  if (check !== undefined && body === undefined) throw invalid("A JSON body is required");
  if (check !== undefined && body !== undefined) insist(check, body, "body");
  return body ?? null;
}
