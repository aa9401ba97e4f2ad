/**
 * Sign what was meant: a challenge compared, field by field, with everything known about its
 * request (SIG-6; specification §4, Review). Pure. What could not be compared is never counted as
 * equal, and nothing matches by being empty.
 */
import type { Exact } from "../../io/json.ts";
import type { Summary } from "../meaning/parts.ts";
import { type Challenge, isKnownShape, type KnownShape } from "./challenge.ts";
import { compareMembers, type Difference, differ, type Findings } from "./comparison.ts";
import {
  byName,
  type Decision,
  decisionOf,
  type Field,
  leavesOf,
  membersOf,
  pathOf,
  ROOT,
  rootOf,
  show,
  snakeCase,
  WHOLE,
} from "./field.ts";

import { checkProduct, compareProperties } from "./properties.ts";
import { requestMembers, saysAccountName } from "./request.ts";

export type { Difference } from "./comparison.ts";
export { expectLeaves } from "./expectation.ts";

/** `server` proves less than `record`, which was kept when the request was created here. */
export interface ReviewSource {
  /**
   * The request as the server gave it, or as it was created, with or without its `{"request": …}`
   * envelope.
   */
  readonly request: Exact;
  readonly source: "server" | "record";
}

/** Everything that one review looks at. */
export interface ReviewInput {
  readonly challenge: Challenge;
  readonly sources: readonly ReviewSource[];
  /** Names of the accounts that the sources name, read from the server. */
  readonly accountNames?: readonly string[];
  /** What the signature is for; an approval when absent. */
  readonly decision?: Decision;
}

/** What a review found; every field as a path that a person can read. */
export interface Review {
  /**
   * Something of the content was verified and nothing contradicts. Says nothing about `unverified`.
   */
  readonly match: boolean;
  readonly differences: readonly Difference[];
  /**
   * Content without evidence: fields of the challenge without a counterpart, and content of the
   * request that the challenge leaves out.
   */
  readonly unverified: readonly string[];
  /** Fields that only a request has. */
  readonly requestOnly: readonly string[];
  /** What the challenge was compared with, in the order of trust. */
  readonly sources: readonly ("record" | "server" | "account")[];
  /** The fields behind `unverified`: the challenge's own, and those that it leaves out. */
  readonly open: readonly Field[];
  /** The challenge does not say which account it means. */
  readonly isAccountOpen: boolean;
}

/**
 * Holds the challenge against every source: a field is verified when one agrees and none
 * contradicts, and the record of what was asked for, if there is one, has it. A shape that is not
 * known is not compared at all: everything in it is `unverified` and it never matches.
 */
export function reviewChallenge({
  challenge,
  sources,
  accountNames = [],
  decision = "APPROVE",
}: ReviewInput): Review {
  const names = [...sources.map(({ source }) => source), ...accountNames.map(() => "account")];
  const nothing = {
    ...{ match: false, differences: [], requestOnly: [], open: [], isAccountOpen: false },
    sources: SOURCES.filter((name) => names.includes(name)),
  };
  if (challenge.document === undefined) return { ...nothing, unverified: [WHOLE] };
  const root = rootOf(challenge.document);
  const leaves = leavesOf(root);
  const found: Findings = {
    differences: [],
    compared: new Set(),
    verified: new Set(),
    requestOnly: [],
  };
  const { shape } = challenge;
  checkDecision(shape, root, decision, found);
  if (!isKnownShape(shape))
    return { ...nothing, differences: found.differences, unverified: list(leaves), open: leaves };
  const content = contentOf(shape, root);
  const asked: Set<Field>[] = [];
  for (const { request, source } of sources) {
    const members = requestMembers(request, content);
    const own: Findings = source === "record" ? { ...found, compared: new Set() } : found;
    if (shape === "properties") compareProperties(root, members, source, own);
    else compareMembers(content, members, source, own);
    if (source === "record") asked.push(own.compared);
  }
  for (const compared of asked) keepAsked(leaves, compared, found);
  if (shape === "properties") checkProduct(root, found);
  checkNonce(shape, root, found);
  checkSpellings(root, found);
  const accountIds = new Set(sources.flatMap(({ request }) => accountIdsOf(request)));
  const unnamed =
    accountIds.size + accountNames.length > 0 ? checkAccount(leaves, accountNames, found) : [];
  if (accountNames.length < accountIds.size && sources.some(asksForAccountById))
    reopen(leaves.filter(isAccountName), found);
  const leftOut = found.requestOnly.filter(isContent);
  const open = [...leaves.filter((leaf) => !found.compared.has(leaf)), ...leftOut];
  const isAccountOpen =
    unnamed.length > 0 && !leftOut.some(({ place }) => place.name === "account_name");
  const review = {
    match: found.verified.size > 0 && found.differences.length === 0,
    differences: found.differences,
    requestOnly: list(found.requestOnly),
    ...{ sources: nothing.sources, open, isAccountOpen },
  };
  return { ...review, unverified: stillOpen(review, new Set()) };
}

const SOURCES = ["record", "server", "account"] as const;

/** What stays unverified when these fields of the challenge are confirmed; for a reader. */
export function stillOpen(
  { open, isAccountOpen }: Pick<Review, "open" | "isAccountOpen">,
  confirmed: ReadonlySet<Field>,
): string[] {
  const places = list(open.filter((field) => !confirmed.has(field)));
  return isAccountOpen ? [...places, "account_name"] : places;
}

/**
 * The review as commands print it, beside what was reviewed; `id` is null where no request was
 * named.
 */
export function reviewReport(
  id: string | null,
  challenge: Challenge,
  { match, sources, differences, unverified, requestOnly }: Review,
  summary?: Summary,
): Record<string, unknown> {
  const { challenge: text, ...content } = shown(challenge);
  return {
    ...{ requestId: id, match, sources, summary, differences, unverified },
    ...{ ...content, challenge: text, requestOnly: requestOnly.filter(isAskedFor) },
  };
}

/** True for what was asked for; what a server keeps beside it is not part of a decision. */
function isAskedFor(path: string): boolean {
  return /^(data|note|transaction|account_?id)\b/i.test(path);
}

/**
 * The challenge, what it says, and its digest. `decoded` is null for a challenge that is not a JSON
 * object.
 */
export function shown(challenge: Challenge): {
  challenge: string;
  decoded: Exact | null;
  payloadSha256: string;
} {
  return {
    challenge: challenge.base64url,
    decoded: challenge.document ?? null,
    payloadSha256: challenge.payloadSha256,
  };
}

const MOST_LISTED = 1000;

/**
 * The places for a reader, each once whatever its spelling; cut with "…" where a document was made
 * to have millions.
 */
function list(leaves: readonly Field[]): string[] {
  const shown = new Map<string, string>();
  for (const { place } of leaves) {
    if (shown.size === MOST_LISTED) return [...shown.values(), "…"];
    const key = show(place, snakeCase);
    if (!shown.has(key)) shown.set(key, show(place));
  }
  return [...shown.values()];
}

/** What a request is compared with: all but the nonce. */
function contentOf(shape: KnownShape, root: Field): Field[] {
  return membersOf(root).filter(({ place }) => place.name !== NONCES[shape].name);
}

/**
 * The nonce proves that a challenge is fresh; nothing else states it, so that only its form can be
 * checked.
 */
const NONCES = {
  transaction: {
    name: "antireplay",
    form: /^[0-9a-fA-F]{64}$/,
    expected: "32 bytes in hexadecimal",
  },
  properties: { name: "challenge", form: /^([0-9a-fA-F]{2})+$/, expected: "bytes in hexadecimal" },
} satisfies Record<KnownShape, unknown>;

function checkNonce(shape: KnownShape, root: Field, found: Findings): void {
  const { name, form, expected } = NONCES[shape];
  for (const nonce of membersOf(root).filter(({ place }) => place.step === name)) {
    if (nonce.node.kind === "string" && form.test(nonce.node.value)) found.compared.add(nonce);
    else differ(nonce, expected, "rule", found);
  }
}

/**
 * Nothing that approves is signed as a rejection, nor the other way round. A rejection must say
 * that it is one, unless its shape is unknown: that needs the confirmed digest anyway.
 */
function checkDecision(
  shape: Challenge["shape"],
  root: Field,
  decision: Decision,
  found: Findings,
): void {
  const types = membersOf(root).filter(({ place }) => place.name === "type");
  const says = types.map(({ node }) => decisionOf(node));
  const wrong = types.filter((_, index) => says[index] !== undefined && says[index] !== decision);
  const isUnsaid = decision === "REJECT" && shape !== "unknown" && !says.includes("REJECT");
  const faults = wrong.length === 0 && isUnsaid ? [types[0] ?? root] : wrong;
  for (const fault of faults) differ(fault, DECISIONS[decision], "rule", found);
}

const DECISIONS = { APPROVE: "an approval", REJECT: "a rejection" };

/**
 * Two spellings of one name in one object (`maxFees`, `max_fees`): a reader of the challenge may
 * take either, so neither is taken.
 */
function checkSpellings(field: Field, found: Findings): void {
  if (field.node.kind === "array") for (const item of field.children) checkSpellings(item, found);
  for (const spellings of byName(membersOf(field)).values()) {
    const [only, ...others] = spellings;
    if (only !== undefined && others.length === 0) checkSpellings(only, found);
    else
      for (const spelling of spellings)
        differ(spelling, "one spelling of this name", "rule", found);
  }
}

/** The objects in which a challenge says which account it means. */
const ACCOUNT_HOLDERS = [["data"], ["data", "transaction_data"]].map((path) =>
  JSON.stringify(path),
);

/** The accounts that a request names, as text. */
export function accountIdsOf(request: Exact): string[] {
  const data = requestMembers(request).filter(({ place }) => place.name === "data");
  return data.flatMap(membersOf).flatMap(({ place, node }) => {
    if (place.name !== "account_id") return [];
    return node.kind === "string" ? [node.value] : node.kind === "number" ? [node.raw] : [];
  });
}

function isHeld({ place: { parent = ROOT } }: Field): boolean {
  return ACCOUNT_HOLDERS.includes(JSON.stringify(pathOf(parent).map(({ name }) => name)));
}

function isAccountName(leaf: Field): boolean {
  return leaf.place.name === "account_name" && isHeld(leaf);
}

/**
 * What was asked for here tells the account by its id only. What that is called is for the account
 * itself to say: while it cannot be read, the name in the server's copy of the request vouches for
 * nothing.
 */
function asksForAccountById({ request, source }: ReviewSource): boolean {
  if (source !== "record" || accountIdsOf(request).length === 0) return false;
  return !saysAccountName(requestMembers(request));
}

/**
 * What was asked for here is all that is meant: a tag, a contract or a fee that the server added to
 * only the server's word supports it, and it stays open. The account's name and currency follow
 * from its id.
 */
function keepAsked(leaves: readonly Field[], asked: ReadonlySet<Field>, found: Findings): void {
  for (const leaf of asked) found.compared.add(leaf);
  const isAdded = (leaf: Field): boolean => found.verified.has(leaf) && !asked.has(leaf);
  reopen(
    leaves.filter((leaf) => isAdded(leaf) && !isOfAccount(leaf)),
    found,
  );
}

function isOfAccount(leaf: Field): boolean {
  return isAccountName(leaf) || (leaf.place.name === "currency" && isHeld(leaf));
}

function reopen(leaves: readonly Field[], found: Findings): void {
  for (const leaf of leaves) {
    found.compared.delete(leaf);
    found.verified.delete(leaf);
  }
}

/**
 * The accounts' own names against each `account_name`: all must be it. Returns what stays open: a
 * challenge that does not say which account it means.
 */
function checkAccount(
  leaves: readonly Field[],
  accountNames: readonly string[],
  found: Findings,
): string[] {
  const named = leaves.filter(isAccountName);
  for (const leaf of named) {
    for (const accountName of accountNames) {
      if (leaf.node.kind !== "string" || leaf.node.value !== accountName)
        differ(leaf, accountName, "account", found);
      else found.verified.add(leaf);
      found.compared.add(leaf);
    }
  }
  const isIdentified = leaves.some(
    (leaf) => leaf.place.name === "account_id" && isHeld(leaf) && found.verified.has(leaf),
  );
  return named.length > 0 || isIdentified ? [] : ["account_name"];
}

/**
 * True for content that a request asks for, so that a challenge without it would mean something
 * else (no token contract, no tag): it stays open until somebody confirms it. Fee strategy and ids
 * beside the transaction's own data never appear in a challenge.
 */
function isContent({ node, place }: Field): boolean {
  const [top, container, ...inside] = pathOf(place);
  if (container === undefined) return false;
  if (node.kind === "null" || node.kind === "object" || node.kind === "array") return false;
  // V2's document for one coin has the transaction beside its account, without `data`.
  if (top?.name === "transaction_data") return true;
  if (top?.name !== "data") return false;
  if (container.name === "transaction_data") return inside.length > 0;
  return container.name !== "fees_strategy" && !/(^|_)ids?$/.test(place.name);
}
