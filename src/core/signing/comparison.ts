/**
 * Two documents held against each other, field by field; what agrees, what contradicts, and what
 * only one of them has.
 */
import { Exact, print } from "../../io/json.ts";
import { bareType, byName, type Field, isSameValue, leavesOf, ROOT, show } from "./field.ts";

/** One contradiction between a challenge and what was asked for. */
export interface Difference {
  /** Place in the challenge: `data.transaction_data.amount`, `addresses[0].address`. */
  readonly field: string;
  /** The value there, token-exact; null when it is absent. */
  readonly challenge: Exact | string | null;
  readonly expected: Exact | string;
  /**
   * Who contradicts: a request, the account's own name, a rule for every challenge, or `--expect`.
   */
  readonly source: "server" | "record" | "account" | "rule" | "expect";
}

/** What the comparisons found so far. */
export interface Findings {
  readonly differences: Difference[];
  /** Leaves of the challenge that something was held against, whatever came out. */
  readonly compared: Set<Field>;
  /**
   * Those that agreed, but for the type: a challenge of nothing but the right type says nothing.
   */
  readonly verified: Set<Field>;
  /** Leaves of requests without a counterpart in the challenge; of each request its own. */
  readonly requestOnly: Field[];
}

/** Far more than a person reads; a document made to differ everywhere must not fill the memory. */
const MOST_DIFFERENCES = 1000;

/**
 * Members by name. Where the challenge spells a name twice nothing is compared; that is
 * `checkSpellings`'s finding.
 */
export function compareMembers(
  challenge: readonly Field[],
  request: readonly Field[],
  source: Difference["source"],
  found: Findings,
): void {
  const [lefts, rights] = [byName(challenge), byName(request)];
  for (const [name, [left, ...otherLefts]] of lefts) {
    const [right, ...otherRights] = rights.get(name) ?? [];
    if (left === undefined || right === undefined || otherLefts.length > 0) continue;
    if (otherRights.length === 0) compare(left, right, source, found);
    else differ(left, printList([right, ...otherRights]), source, found);
  }
  for (const [name, members] of rights) {
    if (!lefts.has(name)) for (const member of members) leavesOf(member, found.requestOnly);
  }
}

function compare(left: Field, right: Field, source: Difference["source"], found: Findings): void {
  const [lefts, rights] = [left.children, right.children];
  const isOneKind = left.node.kind === right.node.kind;
  if (isOneKind && left.node.kind === "object" && lefts.length > 0) {
    compareMembers(lefts, rights, source, found);
  } else if (isOneKind && lefts.length > 0 && lefts.length === rights.length) {
    for (const [index, item] of lefts.entries())
      compare(item, rights[index] ?? right, source, found);
  } else if (lefts.length === 0 && rights.length === 0 && isSameLeaf(left, right)) {
    found.compared.add(left);
    if (!isRequestType(right)) found.verified.add(left);
  } else {
    differ(left, new Exact(print(right.node)), source, found);
  }
}

function isSameLeaf(left: Field, right: Field): boolean {
  if (isRequestType(right)) return isSameValue("type", bareType(left.node), bareType(right.node));
  return isSameValue(left.place.name, left.node, right.node);
}

function isRequestType({ place }: Field): boolean {
  return place.parent === ROOT && place.name === "type";
}

/** Notes a difference; the value at that place counts as compared. */
export function differ(
  left: Field,
  expected: Exact | string,
  source: Difference["source"],
  found: Findings,
): void {
  for (const leaf of leavesOf(left)) found.compared.add(leaf);
  if (found.differences.length === MOST_DIFFERENCES) return;
  found.differences.push({
    field: show(left.place),
    challenge: new Exact(print(left.node)),
    expected,
    source,
  });
}

/** Several values as one array. */
export function printList(leaves: readonly Field[]): Exact {
  return new Exact(`[${leaves.map(({ node }) => print(node)).join(",")}]`);
}
