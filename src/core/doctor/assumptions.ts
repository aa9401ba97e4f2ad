/**
 * What a user can send to settle an assumption about API V2 (docs/limits.md): shapes of answers and
 * of refusals. It has no names, ids, amounts or tokens: of a body only the names of its members and
 * the kinds of their values are kept, and of three members of an error the words.
 */
import { CliError } from "../../errors.ts";
import { Exact, type Node, tree, value } from "../../io/json.ts";
import type { Access } from "../api/access.ts";
import { createReader, type Reader } from "../api/api.ts";
import type { ApiVersion, OperationName } from "../api/dialect.ts";
import type { Parameters } from "../api/operation.ts";
import { versionAt } from "../api/version.ts";
import type { Endpoint } from "../auth/endpoint.ts";
import type { Session } from "../state/session.ts";

/** One look at something that is assumed. */
export interface Look {
  /** Rows of docs/limits.md. */
  readonly settles: readonly string[];
  readonly operation: string;
  /** The status of the refusal; null where the server answered, or did not answer at all. */
  readonly status: number | null;
  readonly code: string;
  readonly shape: unknown;
}

/** An id that no object has. */
const UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";

const ASSUMED: readonly (readonly [
  settles: readonly string[],
  operation: OperationName,
  parameters: Parameters,
  document?: Exact,
])[] = [
  [["U1", "U7"], "requests.challenge", { id: UNKNOWN_ID }],
  [["U8"], "transactions.estimate", { accountId: UNKNOWN_ID }, new Exact("{}")],
  [["U9"], "transactions.list", { accountId: UNKNOWN_ID }],
  [["U15"], "whitelists.list", { pageSize: 1 }],
  [["U15"], "entities.get", { id: UNKNOWN_ID }],
  [["U15"], "assets.tokens", {}],
  [["U10"], "accounts.list", { pageSize: 1 }],
  [["U3", "U4", "U14"], "requests.list", { pageSize: 1, sortOrder: "desc" }],
];

/** What can be learnt about one server; `looks` needs a session of V2, `states` any session. */
export interface Assumptions {
  readonly apiVersion: ApiVersion | null;
  /** The version that the server's own 404 speaks of. */
  readonly server: ApiVersion | null;
  readonly states: readonly string[];
  readonly looks: readonly Look[];
}

/** Asks the server at `endpoint`, reads only. Throws the network and session codes. */
export async function assumptions(
  access: Access,
  session: Session | undefined,
  endpoint: Endpoint | undefined,
): Promise<Assumptions> {
  const server = endpoint === undefined ? undefined : await versionAt(endpoint, access.runtime);
  const facts = { apiVersion: session?.apiVersion ?? null, server: server ?? null };
  if (session === undefined) return { ...facts, states: [], looks: [] };
  const reader = createReader(access);
  const looks = session.apiVersion === "v2" ? await lookAtAssumptions(reader) : [];
  return { ...facts, states: await statesOf(reader), looks };
}

/** Looks at each assumption once, with reads only, and at the states that requests have. */
async function lookAtAssumptions(reader: Reader): Promise<readonly Look[]> {
  const looks: Look[] = [];
  for (const [settles, operation, parameters, document] of ASSUMED)
    looks.push({ settles, operation, ...(await look(reader, operation, parameters, document)) });
  return looks;
}

async function look(
  reader: Reader,
  operation: OperationName,
  parameters: Parameters,
  document: Exact | undefined,
): Promise<Pick<Look, "status" | "code" | "shape">> {
  try {
    const answer = await reader.read(operation, parameters, document);
    return { status: null, code: "ANSWERED", shape: shapeOf(tree(answer)) };
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    const { httpStatus = null, api } = cause.facts;
    const shape = api instanceof Exact ? shapeOf(tree(api)) : null;
    return { status: httpStatus, code: cause.code, shape };
  }
}

/** The states that requests have now, each once and sorted: words in capitals only. */
async function statesOf(reader: Reader): Promise<readonly string[]> {
  try {
    const page = value(await reader.read("requests.list", { pageSize: 30, sortOrder: "desc" }));
    const { results } = (page ?? {}) as { readonly results?: readonly Record<string, unknown>[] };
    const states = (results ?? []).map(({ state, status }) => String(state ?? status));
    return [...new Set(states.filter((state) => WORD.test(state)))].sort();
  } catch (cause) {
    if (cause instanceof CliError) return [];
    throw cause;
  }
}

const WORD = /^[A-Z_]{1,40}$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;
const DEEPEST = 6;
const MOST_MEMBERS = 60;

/** Members whose value tells what the server means, and whose values cannot be anybody's. */
const TOLD: Readonly<Record<string, RegExp>> = {
  code: /^[A-Z_]{1,40}$/,
  path: /^[A-Za-z]{1,30}(\.[A-Za-z]{1,40}){1,2}$/,
};

/** Names of members with the kinds of their values; of a list its first item. */
export function shapeOf(node: Node, depth = 0): unknown {
  if (node.kind === "array")
    return node.items[0] === undefined || depth === DEEPEST
      ? []
      : [shapeOf(node.items[0], depth + 1)];
  if (node.kind !== "object") return node.kind;
  if (depth === DEEPEST) return "object";
  const known = node.members.filter(([name]) => NAME.test(name)).slice(0, MOST_MEMBERS);
  return Object.fromEntries(known.map(([name, child]) => [name, told(name, child, depth)]));
}

function told(name: string, child: Node, depth: number): unknown {
  if (name === "httpStatus" && child.kind === "number" && /^\d{3}$/.test(child.raw))
    return Number(child.raw);
  const isTold = child.kind === "string" && TOLD[name]?.test(child.value) === true;
  return isTold ? child.value : shapeOf(child, depth + 1);
}
