/** How one field of a challenge is named and compared (SPEC §4, Review): names, places, values. Nothing here is lenient by accident. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Node } from "../../io/json.ts";

/** Where a field stands: `key` is unambiguous and in our spelling of names, `shown` is for readers and spelled as it stands there. */
export interface Place {
  readonly key: string;
  readonly shown: string;
  /** Name of the nearest member, in snake_case; empty at the root. */
  readonly name: string;
}

export interface Leaf {
  readonly place: Place;
  readonly node: Node;
}

/** A member of an object, with the place it has. */
export interface Member extends Leaf {
  readonly name: string;
}

export const ROOT: Place = { key: "", shown: "", name: "" };

/**
 * camelCase → snake_case: `maxFees`, `max_fees`; `UTXO_limit`, `UTXOLimit` → `utxo_limit`. ASCII letters only: Unicode's lower-casing
 * turns look-alikes (the Kelvin sign) into letters.
 */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The members of an object node, in order; none for any other node. */
export function membersOf(node: Node, place: Place): Member[] {
  if (node.kind !== "object") return [];
  return node.members.map(([written, child]) => {
    const name = snakeCase(written);
    // A name with a dot or bracket in it must not read like a path.
    const segment = /^[\w -]+$/.test(written) ? written : JSON.stringify(written);
    const shown = place.shown === "" ? segment : `${place.shown}.${segment}`;
    return { name, node: child, place: { key: `${place.key}.${JSON.stringify(name)}`, shown, name } };
  });
}

/** The items of an array node; none for any other node. An index never has the key of a member. */
export function itemsOf(node: Node, place: Place): Leaf[] {
  if (node.kind !== "array") return [];
  return node.items.map((item, index) => ({
    node: item,
    place: { key: `${place.key}[${index}]`, shown: `${place.shown}[${index}]`, name: place.name },
  }));
}

/** Every value that has no further value inside; an empty object or array is one. */
export function leavesOf(node: Node, place: Place): Leaf[] {
  const children = [...membersOf(node, place), ...itemsOf(node, place)];
  return children.length === 0 ? [{ node, place }] : children.flatMap((child) => leavesOf(child.node, child.place));
}

/** Whether two leaves say the same: same kind and content, but for the rules of this file. Two empty containers of one kind are the same. */
export function isSameValue(name: string, one: Node, other: Node): boolean {
  const [a, b] = [textOf(one), textOf(other)];
  if (a === undefined || b === undefined) return isSameConstant(one, other);
  // Digits in quotes and digits without are the same digits; 1000, 1e3, 1000.0 and 01000 are not.
  if (one.kind === "number" || other.kind === "number") return a === b;
  if (name === "currency" || name === "network") return a.replaceAll(" ", "_") === b.replaceAll(" ", "_");
  return a === b || (/(^|_)(recipient|address(es)?)$/.test(name) && isSameHexAddress(a, b));
}

function textOf(node: Node): string | undefined {
  return node.kind === "string" ? node.value : node.kind === "number" ? node.raw : undefined;
}

function isSameConstant(one: Node, other: Node): boolean {
  if (one.kind === "boolean" && other.kind === "boolean") return one.value === other.value;
  return one.kind === other.kind && one.kind !== "boolean" && one.kind !== "string" && one.kind !== "number";
}

/** What is approved, whether it is asked for or confirmed: `CREATE_TRANSACTION` and `APPROVE_TRANSACTION` → `TRANSACTION`. */
export function bareType(node: Node): Node {
  if (node.kind !== "string") return node;
  const value = node.value.replace(/^(CREATE|APPROVE)_/, "");
  return { kind: "string", value, raw: JSON.stringify(value) };
}

/** Equal but for letter case, where each spelling is one that carries no error: a single case, or a valid checksum (EIP-55). */
function isSameHexAddress(a: string, b: string): boolean {
  return (
    [a, b].every((text) => /^0x[0-9a-fA-F]{40}$/.test(text) && isCleanCase(text.slice(2))) &&
    a.toLowerCase() === b.toLowerCase()
  );
}

function isCleanCase(digits: string): boolean {
  const lower = digits.toLowerCase();
  return digits === lower || digits === digits.toUpperCase() || digits === checksummed(lower);
}

/** EIP-55: a letter is upper-case where the digit of the address's Keccak-256 at its position is 8 or more. */
function checksummed(lower: string): string {
  const hash = Buffer.from(keccak_256(new TextEncoder().encode(lower))).toString("hex");
  return lower.replace(/[a-f]/g, (letter, at: number) =>
    /[89a-f]/.test(hash.charAt(at)) ? letter.toUpperCase() : letter,
  );
}
