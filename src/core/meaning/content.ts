/**
 * What a request or a challenge says, read with the catalogue: each value with its kind, and every
 * member that the catalogue does not have. Pure. Nothing is guessed: a value without a kind is
 * listed as unexplained.
 */
import { type Exact, member, type Node, tree } from "../../io/json.ts";
import { camelCase, type Kind, type Member, NOTE, type Shape, shapeOf } from "./requests.ts";

/** A value that the catalogue explains. */
export interface Value {
  readonly kind: Kind;
  /** V1's name of the member. */
  readonly name: string;
  /** Where it is, in the document's own spelling: `data.transactionData.amount`. */
  readonly path: string;
  /** Digits of a number, content of a text; undefined for any other JSON value. */
  readonly text: string | undefined;
  readonly node: Node;
}

/** A request or a challenge, read. */
export interface Content {
  /** As written; undefined when the document has no text `type`. */
  readonly type: string | undefined;
  readonly transactionType: string | undefined;
  /** Undefined when the catalogue does not have the type. */
  readonly shape: Shape | undefined;
  /** In the document's order. */
  readonly values: readonly Value[];
  /** Paths of members that the catalogue does not have, and of members spelled twice. */
  readonly unexplained: readonly string[];
}

type Members = readonly (readonly [name: string, node: Node])[];

/** The members of an object; none of anything else. */
export function membersOf(node: Node | undefined): Members {
  return node?.kind === "object" ? node.members : [];
}

/** The content of a text or a number; undefined for anything else. */
export function textOf(node: Node | undefined): string | undefined {
  if (node?.kind === "string") return node.value;
  return node?.kind === "number" ? node.raw : undefined;
}

/** The request out of its `{"request": …}` envelope, or the document itself. */
export function unwrapped(document: Exact): Exact {
  const inner = member(document, "request");
  const isWrapped = inner?.text.startsWith("{") === true && member(document, "type") === undefined;
  return isWrapped ? inner : document;
}

/** The members with this V1 name, in either spelling. */
export function named(members: Members, name: string): Members {
  const names = new Set([name, camelCase(name)]);
  return members.filter(([given]) => names.has(given));
}

/** The value of the only member with this V1 name; undefined when none or two have it. */
function only(members: Members, name: string): Node | undefined {
  const [first, second] = named(members, name);
  return second === undefined ? first?.[1] : undefined;
}

/** Members of a challenge beside its data. */
const NONCE = "antireplay";

/** Reads a request, wrapped or not, or the decoded challenge of one. */
export function readContent(document: Exact): Content {
  const root = membersOf(tree(unwrapped(document)));
  const data = membersOf(only(root, "data"));
  const type = textOf(only(root, "type"));
  const transactionType = textOf(only(data, "transaction_type"));
  const shape = type === undefined ? undefined : shapeOf(createdType(type), transactionType);
  const values: Value[] = [];
  const unexplained: string[] = [];
  const found = { values, unexplained };
  const isOlder = root.some(([name]) => name === OLDER);
  for (const [name, node] of root) {
    if (name === "type" || name === NONCE || (isOlder && name === "challenge")) continue;
    if (name === OLDER) readLabels(membersOf(node), found);
    else if (name === "data" && shape !== undefined)
      readMembers(membersOf(node), shape.data, "data", found);
    else if (name === "note" && NOTE.members !== undefined)
      readMembers(membersOf(node), NOTE.members, "note", found);
    else unexplained.push(...leavesOf(node, name));
  }
  return { type, transactionType, shape, values, unexplained };
}

/** The member of the older form of a challenge, which names neither account, network nor type. */
const OLDER = "Transaction properties";

const LABELS: ReadonlyMap<string, readonly [kind: Kind, name: string]> = new Map([
  ["Amount", ["amount", "amount"]],
  ["Recipient address", ["address", "recipient"]],
  ["Max total fees", ["fee", "max_fees"]],
  ["Max gas price", ["gasPrice", "gas_price"]],
  ["Gas limit", ["gas", "gas_limit"]],
]);

/** Words for a base unit that may precede the digits. */
const UNIT_WORDS = "swei|wei|sat|satoshi|lamport|drop|stroop|sun|mutez|lovelace";

function readLabels(members: Members, found: Found): void {
  for (const [label, node] of members) {
    const path = `${OLDER}.${label}`;
    const [kind, name] = LABELS.get(label) ?? [];
    const text = textOf(node)?.replace(new RegExp(`^(?:${UNIT_WORDS}) (?=[0-9]+$)`), "");
    if (kind === undefined || name === undefined || text === undefined)
      found.unexplained.push(...leavesOf(node, path));
    else found.values.push({ kind, name, path, text, node });
  }
}

/** A challenge of a message may lack the prefix that its request has. */
function createdType(type: string): string {
  return type === "MESSAGE_SIGNING" ? `CREATE_${type}` : type;
}

interface Found {
  readonly values: Value[];
  readonly unexplained: string[];
}

/** A memo, a call or free JSON stays whole: its members mean something only together. */
const WHOLE: ReadonlySet<Kind> = new Set(["memo", "call", "any"]);

function readMembers(given: Members, known: readonly Member[], at: string, found: Found): void {
  for (const [name, node] of given) {
    const path = `${at}.${name}`;
    const one = known.find((candidate) => named([[name, node]], candidate.name).length > 0);
    if (one === undefined || named(given, one.name).length > 1) {
      found.unexplained.push(...leavesOf(node, path));
    } else if (one.kind === "object" && node.kind === "object") {
      readMembers(node.members, fittingMembers(one, node.members), path, found);
    } else if (node.kind !== "null") {
      const text = textOf(node);
      if (text === undefined && !WHOLE.has(one.kind))
        found.unexplained.push(...leavesOf(node, path));
      else found.values.push({ kind: one.kind, name: one.name, path, text, node });
    }
  }
}

/**
 * The members that an object may have: an alternative whose choice says otherwise is another one.
 * Where none fits, those of all.
 */
function fittingMembers(one: Member, given: Members): Member[] {
  const { members = [], either = [] } = one;
  const fitting = either.filter((alternative) =>
    alternative.every(
      ({ kind, name, values = [] }) =>
        kind !== "choice" ||
        named(given, name).every(([, node]) => values.includes(textOf(node) ?? "")),
    ),
  );
  return fitting.length === 0 ? allMembers(one) : [...members, ...fitting.flat()];
}

/** The members of an object, of all its alternatives. */
function allMembers({ members = [], either = [] }: Member): Member[] {
  return [...members, ...either.flat()];
}

/** Paths of all leaves below a node; an empty object or array is one. */
export function leavesOf(node: Node, path: string): string[] {
  if (node.kind === "object" && node.members.length > 0)
    return node.members.flatMap(([name, child]) => leavesOf(child, `${path}.${name}`));
  if (node.kind === "array" && node.items.length > 0)
    return node.items.flatMap((item, index) => leavesOf(item, `${path}[${index}]`));
  return [path];
}

/** The only value of a kind; undefined when there is none, or more than one. */
export function onlyValue({ values }: Content, kind: Kind): Value | undefined {
  const found = values.filter((one) => one.kind === kind);
  return found.length === 1 ? found[0] : undefined;
}
