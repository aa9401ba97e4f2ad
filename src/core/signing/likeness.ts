/**
 * What makes two new requests look like one and the same: everything that they ask for, in whatever
 * order and spelling, without the words of the note and without what fees are paid. A payment that
 * is written anew after a lost answer must be recognised.
 */
import { createHash } from "node:crypto";
import { type Exact, member, type Node, tree } from "../../io/json.ts";
import { isBech32InCapitals } from "../meaning/bech32.ts";
import { snakeCase } from "./field.ts";

/** Where a request is created, and by whom: alike means alike there only. */
export interface Place {
  readonly origin: string;
  readonly basePath: string;
  readonly workspace: string;
  /** The user's id, or its name; empty where the session does not tell. */
  readonly user: string;
}

/**
 * SHA-256 in hexadecimal over the place, but for its user, and the request. Whole digits are the
 * same with quotes, without, and with leading zeros; hexadecimal and bech32 addresses in either
 * case; null is absence. `1` and `1.0` differ.
 */
export function likenessOf(place: Omit<Place, "user">, request: Exact): string {
  const { origin, basePath, workspace } = place;
  const hash = createHash("sha256").update(JSON.stringify([origin, basePath, workspace]));
  return hash.update(canonicalRequest(tree(bareRequest(request)))).digest("hex");
}

/** The request out of its envelope, if it has one. */
export function bareRequest(document: Exact): Exact {
  const inner = member(document, "request");
  const isWrapped = inner?.text.startsWith("{") === true && member(document, "type") === undefined;
  return isWrapped ? inner : document;
}

/** Estimates change from one draft to the next. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  "fees_strategy",
  "max_fees",
  "max_priority_fee",
]);
/** The account's id says these, too; on V2 they may be left out. */
const OF_ACCOUNT: ReadonlySet<string> = new Set(["account_name", "currency"]);

type Member = readonly [name: string, node: Node];

function membersOf(node: Node): Member[] {
  if (node.kind !== "object") return [];
  return node.members.map(([name, child]) => [snakeCase(name), child] as const);
}

function canonicalRequest(request: Node): string {
  const members = membersOf(request).filter(([name]) => name !== "note");
  const data = members.flatMap(([name, node]) => (name === "data" ? membersOf(node) : []));
  const hasAccount = data.some(([name]) => name === "account_id");
  return canonicalObject(members, (name) => {
    return NOT_COMPARED.has(name) || (hasAccount && OF_ACCOUNT.has(name));
  });
}

type IsLeftOut = (name: string) => boolean;

function canonicalObject(members: readonly Member[], isLeftOut: IsLeftOut): string {
  const parts = members
    .filter(([name, { kind }]) => kind !== "null" && !isLeftOut(name))
    .map(([name, child]) => `${JSON.stringify(name)}:${canonical(child, isLeftOut)}`);
  return `{${parts.sort().join(",")}}`;
}

function canonical(node: Node, isLeftOut: IsLeftOut): string {
  switch (node.kind) {
    case "object":
      return canonicalObject(membersOf(node), isLeftOut);
    case "array":
      return `[${node.items.map((item) => canonical(item, isLeftOut)).join(",")}]`;
    case "string":
      return JSON.stringify(canonicalText(node.value));
    case "number":
      return JSON.stringify(canonicalText(node.raw));
    default:
      return node.kind === "null" ? "null" : String(node.value);
  }
}

function canonicalText(text: string): string {
  if (/^0x[0-9a-f]+$/i.test(text) || isBech32InCapitals(text)) return text.toLowerCase();
  return /^\d+$/.test(text) ? text.replace(/^0+(?=\d)/, "") : text;
}
