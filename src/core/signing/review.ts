/**
 * Sign what was meant: a challenge compared, field by field, with everything known about its request (SIG-6; SPEC §4, Review). Pure.
 * What could not be compared is never counted as equal, and nothing matches by being empty.
 */
import { CliError } from "../../errors.ts";
import { Exact, type Node, print, tree } from "../../io/json.ts";
import { type Challenge, PROPERTIES } from "./challenge.ts";
import {
  bareType,
  isSameValue,
  itemsOf,
  type Leaf,
  leavesOf,
  type Member,
  membersOf,
  type Place,
  ROOT,
} from "./field.ts";

/** `server` proves less than `record`, which was kept when the request was created here. */
export interface ReviewSource {
  /** The request as the server gave it, or `{type, data, note}` as it was created, with or without its `{"request": …}` envelope. */
  readonly request: Exact;
  readonly source: "server" | "record";
}

export interface ReviewInput {
  readonly challenge: Challenge;
  readonly sources: readonly ReviewSource[];
  /** Name of the account that the request names, read from the server. */
  readonly accountName?: string;
}

export interface Difference {
  /** Place in the challenge: `data.transaction_data.amount`, `addresses[0].address`. */
  readonly field: string;
  /** What stands there, token-exact; null when nothing does. */
  readonly challenge: Exact | string | null;
  readonly expected: Exact | string;
  /** Who contradicts: a request, the account's own name, a rule for every challenge, or `--expect`. */
  readonly source: "server" | "record" | "account" | "rule" | "expect";
}

export interface Review {
  /** Something of the content was verified and nothing contradicts. Says nothing about `unverified`. */
  readonly match: boolean;
  readonly differences: readonly Difference[];
  /** Fields that nothing vouches for: of the challenge without a counterpart, and of the request's content that the challenge leaves out. */
  readonly unverified: readonly string[];
  /** Fields that only a request has. */
  readonly requestOnly: readonly string[];
}

/** What the comparisons found so far. */
interface Findings {
  readonly differences: Difference[];
  /** Keys of the challenge leaves that something was held against, whatever came out. */
  readonly compared: Set<string>;
  /** Keys of those that agreed, but for the type: a challenge of nothing but the right type says nothing. */
  readonly verified: Set<string>;
  readonly requestOnly: Map<string, Leaf>;
}

/**
 * Holds the challenge against every source: a field is verified when one agrees and none contradicts. A shape that is not known is not
 * compared at all: everything in it is `unverified` and it never matches.
 */
export function reviewChallenge({ challenge, sources, accountName }: ReviewInput): Review {
  if (challenge.document === undefined)
    return { match: false, differences: [], unverified: ["payload"], requestOnly: [] };
  const root = tree(challenge.document);
  if (challenge.shape === "unknown")
    return { match: false, differences: [], unverified: shownOf(leavesOf(root, ROOT)), requestOnly: [] };
  const found: Findings = { differences: [], compared: new Set(), verified: new Set(), requestOnly: new Map() };
  for (const { request, source } of sources) compareRequest(challenge, root, unwrap(tree(request)), source, found);
  const leaves = leavesOf(root, ROOT);
  checkNonce(challenge.shape === "properties" ? "properties" : "transaction", root, found);
  checkSpellings(root, ROOT, found);
  const unnamed = accountName === undefined ? [] : checkAccount(leaves, accountName, found);
  const unverified = [
    ...shownOf(leaves.filter(({ place }) => !found.compared.has(place.key))),
    ...shownOf([...found.requestOnly.values()].filter(isContent)),
    ...unnamed,
  ];
  return {
    match: found.verified.size > 0 && found.differences.length === 0,
    differences: found.differences,
    unverified: [...new Set(unverified)],
    requestOnly: shownOf([...found.requestOnly.values()]),
  };
}

const TYPE = '."type"';

function shownOf(leaves: readonly Leaf[]): string[] {
  return leaves.map(({ place }) => place.shown);
}

/** The request out of its creation envelope. */
function unwrap(request: Node): Node {
  const members = new Map(request.kind === "object" ? request.members : []);
  const inner = members.get("request");
  return inner?.kind === "object" && !members.has("type") ? inner : request;
}

function compareRequest(
  challenge: Challenge,
  root: Node,
  request: Node,
  source: ReviewSource["source"],
  found: Findings,
): void {
  const own = membersOf(request, ROOT);
  if (challenge.shape === "transaction") {
    const nonce = '."antireplay"';
    return compareMembers(
      membersOf(root, ROOT).filter(({ place }) => place.key !== nonce),
      own,
      source,
      found,
    );
  }
  const properties = membersOf(root, ROOT).find(({ place }) => place.shown === PROPERTIES);
  if (properties !== undefined)
    compareMembers(membersOf(properties.node, properties.place), nearest(own), source, found);
}

/** The older shape is flat: its names are looked up in the transaction's data first, then in the request's data, then in the request. */
function nearest(request: readonly Member[]): Member[] {
  const inside = (members: readonly Member[], name: string): Member[] =>
    members.filter((member) => member.name === name).flatMap(({ node, place }) => membersOf(node, place));
  const data = inside(request, "data");
  const levels = [
    inside(data, "transaction_data"),
    data.filter(({ name }) => name !== "transaction_data"),
    request.filter(({ name }) => name !== "data"),
  ];
  const taken = new Set<string>();
  return levels.flatMap((level) => {
    const members = level.filter(({ name }) => !taken.has(name));
    for (const { name } of level) taken.add(name);
    return members;
  });
}

function compareMembers(
  challenge: readonly Member[],
  request: readonly Member[],
  source: ReviewSource["source"],
  found: Findings,
): void {
  const [left, right] = [byName(challenge), byName(request)];
  for (const [name, [member, ...others]] of left) {
    const counterparts = right.get(name) ?? [];
    const [counterpart] = counterparts;
    if (member === undefined || counterpart === undefined || others.length > 0) continue; // checkSpellings reports the others
    if (counterparts.length > 1)
      differ(member, new Exact(`[${counterparts.map(({ node }) => print(node)).join(",")}]`), source, found);
    else compare(member, counterpart, source, found);
  }
  for (const [name, members] of right) {
    if (left.has(name)) continue;
    for (const leaf of members.flatMap(({ node, place }) => leavesOf(node, place))) {
      if (!found.requestOnly.has(leaf.place.key)) found.requestOnly.set(leaf.place.key, leaf);
    }
  }
}

function byName(members: readonly Member[]): Map<string, Member[]> {
  return Map.groupBy(members, ({ name }) => name);
}

function compare(challenge: Leaf, request: Leaf, source: ReviewSource["source"], found: Findings): void {
  const [left, right] = [challenge.node, request.node];
  const [lefts, rights] = [childrenOf(challenge), childrenOf(request)];
  if (left.kind === "object" && right.kind === "object" && lefts.length > 0) {
    compareMembers(membersOf(left, challenge.place), membersOf(right, request.place), source, found);
  } else if (left.kind === "array" && right.kind === "array" && lefts.length > 0 && lefts.length === rights.length) {
    lefts.forEach((item, index) => compare(item, rights[index] ?? request, source, found));
  } else if (lefts.length === 0 && rights.length === 0 && isSameLeaf(challenge, request)) {
    found.compared.add(challenge.place.key);
    if (request.place.key !== TYPE) found.verified.add(challenge.place.key);
  } else {
    differ(challenge, new Exact(print(right)), source, found);
  }
}

function childrenOf({ node, place }: Leaf): Leaf[] {
  return node.kind === "object" ? membersOf(node, place) : itemsOf(node, place);
}

function isSameLeaf(challenge: Leaf, request: Leaf): boolean {
  const isType = request.place.key === TYPE;
  const [left, right] = isType ? [bareType(challenge.node), bareType(request.node)] : [challenge.node, request.node];
  return isSameValue(challenge.place.name, left, right);
}

function differ(challenge: Leaf, expected: Exact | string, source: Difference["source"], found: Findings): void {
  for (const { place } of leavesOf(challenge.node, challenge.place)) found.compared.add(place.key);
  found.differences.push({
    field: challenge.place.shown,
    challenge: new Exact(print(challenge.node)),
    expected,
    source,
  });
}

/** The nonce proves that a challenge is fresh; nothing else states it, so that only its form can be checked. */
const NONCES = {
  transaction: { name: "antireplay", form: /^[0-9a-fA-F]{64}$/, expected: "32 bytes in hexadecimal" },
  properties: { name: "challenge", form: /^([0-9a-fA-F]{2})+$/, expected: "bytes in hexadecimal" },
};

function checkNonce(shape: keyof typeof NONCES, root: Node, found: Findings): void {
  const { name, form, expected } = NONCES[shape];
  for (const nonce of membersOf(root, ROOT).filter(({ place }) => place.shown === name)) {
    if (nonce.node.kind === "string" && form.test(nonce.node.value)) found.compared.add(nonce.place.key);
    else differ(nonce, expected, "rule", found);
  }
}

/** Two spellings of one name in one object (`maxFees`, `max_fees`): whoever reads the challenge may take either, so neither is taken. */
function checkSpellings(node: Node, place: Place, found: Findings): void {
  for (const [first, ...others] of byName(membersOf(node, place)).values()) {
    if (first === undefined || others.length === 0) continue;
    for (const other of others) differ(other, `one spelling of '${first.name}'`, "rule", found);
    differ(first, `one spelling of '${first.name}'`, "rule", found);
  }
  for (const child of childrenOf({ node, place })) checkSpellings(child.node, child.place, found);
}

/** The account's own name against each `account_name`. Gives what stays open: a challenge that does not say which account it means. */
function checkAccount(leaves: readonly Leaf[], accountName: string, found: Findings): string[] {
  const named = leaves.filter(({ place }) => place.key.endsWith('."account_name"'));
  for (const leaf of named) {
    if (leaf.node.kind !== "string" || leaf.node.value !== accountName) differ(leaf, accountName, "account", found);
    else found.verified.add(leaf.place.key);
    found.compared.add(leaf.place.key);
  }
  const isIdentified = named.length > 0 || [...found.verified].some((key) => key.endsWith('."account_id"'));
  return isIdentified ? [] : ["account_name"];
}

/**
 * True for what a request asks and the challenge leaves out. Fee strategy, ids and notes never stand in a challenge; without a recipient,
 * a token contract or a tag it would mean something else, so those stay open until somebody confirms them.
 */
function isContent({ node, place }: Leaf): boolean {
  const isEmpty = node.kind === "null" || node.kind === "object" || node.kind === "array";
  return (
    !isEmpty &&
    place.key.startsWith('."data".') &&
    !place.key.includes('."fees_strategy"') &&
    !/(^|_)ids?$/.test(place.name)
  );
}

/**
 * `--expect`: each value of the JSON object must stand in the challenge, compared as in a review. A nested value stands at the same path;
 * a value at the top is looked for by its name in the whole challenge, where that name must stand once, so that a second `amount`
 * elsewhere cannot pass for the first. What is absent or ambiguous is a difference. Throws INVALID_ARGUMENT when nothing is expected.
 */
export function expectLeaves(challenge: Challenge, expected: Exact): Difference[] {
  const wanted = membersOf(tree(expected), ROOT);
  if (wanted.length === 0) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "The expectation is not a JSON object with at least one value.",
      field: "--expect",
    });
  }
  const root = challenge.document === undefined ? [] : membersOf(tree(challenge.document), ROOT);
  const everywhere = [...allMembers(root)];
  return wanted.flatMap((want) => {
    const isNested = want.node.kind === "object" && want.node.members.length > 0;
    return expectMember(want, isNested ? root : everywhere);
  });
}

function* allMembers(members: readonly Member[]): Generator<Member> {
  for (const member of members) {
    yield member;
    yield* allMembers(below(member));
  }
}

/** The nearest members inside a value: its own, or those of the objects in its array. */
function below(leaf: Leaf): Member[] {
  const items = itemsOf(leaf.node, leaf.place);
  return items.length > 0 ? items.flatMap(below) : membersOf(leaf.node, leaf.place);
}

function expectMember(want: Member, candidates: readonly Member[]): Difference[] {
  const [only, ...others] = candidates.filter(({ name }) => name === want.name);
  if (only !== undefined && others.length === 0) return expectValue(want, only);
  const texts = [only, ...others].flatMap((member) => (member === undefined ? [] : [print(member.node)]));
  return [{ ...unmet(want), challenge: only === undefined ? null : new Exact(`[${texts.join(",")}]`) }];
}

function expectValue(want: Leaf, actual: Leaf): Difference[] {
  const [wants, actuals] = [childrenOf(want), childrenOf(actual)];
  if (want.node.kind === "object" && actual.node.kind === "object" && wants.length > 0) {
    const candidates = membersOf(actual.node, actual.place);
    return membersOf(want.node, want.place).flatMap((member) => expectMember(member, candidates));
  }
  if (
    want.node.kind === "array" &&
    actual.node.kind === "array" &&
    wants.length > 0 &&
    wants.length === actuals.length
  ) {
    return wants.flatMap((item, index) => expectValue(item, actuals[index] ?? actual));
  }
  const isSame = wants.length === 0 && actuals.length === 0 && isSameValue(want.place.name, want.node, actual.node);
  return isSame ? [] : [{ ...unmet(want), field: actual.place.shown, challenge: new Exact(print(actual.node)) }];
}

function unmet({ node, place }: Leaf): Pick<Difference, "field" | "expected" | "source"> {
  return { field: place.shown, expected: new Exact(print(node)), source: "expect" };
}
