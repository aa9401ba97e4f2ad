/**
 * How one field of a challenge is named and compared (specification §4, Review): names, places,
 * values. Nothing here is lenient by accident.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { type Exact, type Node, tree } from "../../io/json.ts";

/** The place of a field, seen from the root. */
export interface Place {
  /** Undefined for the root only. */
  readonly parent: Place | undefined;
  /** The member's name as written, or the item's index: a member called "0" is not an item. */
  readonly step: string | number;
  /** Name of the nearest member, in snake_case; empty at the root. */
  readonly name: string;
}

/**
 * A value and its place. Made once for a document, so that a field's identity tells two equal
 * values at two places apart.
 */
export interface Field {
  readonly place: Place;
  readonly node: Node;
  /** Members of an object, items of an array; none in an empty one. */
  readonly children: readonly Field[];
}

/** The place of the document itself. */
export const ROOT: Place = { parent: undefined, step: "", name: "" };

/** The path of the document itself, as it is shown. */
export const WHOLE = "payload";

const LONGEST_STEP = 60;

/** The places from the first below the root to this one. */
export function pathOf(place: Place): Place[] {
  const path: Place[] = [];
  for (let at = place; at.parent !== undefined; at = at.parent) path.push(at);
  return path.reverse();
}

/**
 * The path for a reader: `data.transaction_data.amount`, `addresses[0]`. `spell` may bring names to
 * one spelling.
 */
export function show(place: Place, spell: (name: string) => string = (name) => name): string {
  const parts = pathOf(place).map(({ step }) =>
    typeof step === "number" ? `[${step}]` : `.${quote(spell(step))}`,
  );
  return parts.length === 0 ? WHOLE : parts.join("").replace(/^\./, "");
}

/** A name with a dot or bracket in it must not read like a path; a long one is cut. */
function quote(name: string): string {
  const short = name.length > LONGEST_STEP ? `${name.slice(0, LONGEST_STEP)}…` : name;
  return /^[\w -]+$/.test(short) ? short : JSON.stringify(short);
}

/**
 * camelCase → snake_case: `maxFees`, `max_fees`; `UTXO_limit`, `UTXOLimit` → `utxo_limit`. ASCII
 * letters only: Unicode's lower-casing turns look-alikes (the Kelvin sign) into letters.
 */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The document, or a part of it at `place`, as fields. */
export function fieldOf(node: Node, place: Place = ROOT): Field {
  const children =
    node.kind === "object"
      ? node.members.map(([step, child]) =>
          fieldOf(child, { parent: place, step, name: snakeCase(step) }),
        )
      : node.kind === "array"
        ? node.items.map((item, step) => fieldOf(item, { parent: place, step, name: place.name }))
        : [];
  return { place, node, children };
}

const ROOTS = new WeakMap<Exact, Field>();

/**
 * The whole document as fields: each time the very same ones, so that they can be told by identity.
 */
export function rootOf(document: Exact): Field {
  const known = ROOTS.get(document);
  if (known !== undefined) return known;
  const root = fieldOf(tree(document));
  ROOTS.set(document, root);
  return root;
}

/** The members of an object, in order; none of anything else. */
export function membersOf({ node, children }: Field): readonly Field[] {
  return node.kind === "object" ? children : [];
}

/** Every field that has no further one inside; an empty object or array is one. */
export function leavesOf(field: Field, into: Field[] = []): Field[] {
  if (field.children.length === 0) into.push(field);
  for (const child of field.children) leavesOf(child, into);
  return into;
}

/** Members under their names; more than one where a name is spelled in several ways. */
export function byName(members: readonly Field[]): Map<string, Field[]> {
  return Map.groupBy(members, ({ place }) => place.name);
}

/**
 * Whether two leaves say the same: same kind and content, but for the rules of this file. Two empty
 * containers of one kind are the same.
 */
export function isSameValue(name: string, one: Node, other: Node): boolean {
  const [a, b] = [textOf(one), textOf(other)];
  if (a === undefined || b === undefined) return isSameConstant(one, other);
  // Digits in quotes and digits without are the same digits; 1000, 1e3, 1000.0 and 01000 are not.
  if (one.kind === "number" || other.kind === "number") return a === b;
  if (name === "currency" || name === "network")
    return a.replaceAll(" ", "_") === b.replaceAll(" ", "_");
  return a === b || (/(^|_)(recipient|address(es)?)$/.test(name) && isSameHexAddress(a, b));
}

function textOf(node: Node): string | undefined {
  return node.kind === "string" ? node.value : node.kind === "number" ? node.raw : undefined;
}

function isSameConstant(one: Node, other: Node): boolean {
  if (one.kind === "boolean" && other.kind === "boolean") return one.value === other.value;
  return one.kind === other.kind;
}

/** What a signature over a challenge does. */
export type Decision = "APPROVE" | "REJECT";

const DECIDES = /^(CREATE|APPROVE|REJECT|ABORT)_/;

/** The decision that the type of a challenge names, or undefined when it names none. */
export function decisionOf(node: Node): Decision | undefined {
  const word = node.kind === "string" ? DECIDES.exec(node.value)?.[1] : undefined;
  if (word === undefined) return undefined;
  return word === "REJECT" || word === "ABORT" ? "REJECT" : "APPROVE";
}

/**
 * What is decided, whether it is asked for or confirmed: `CREATE_TRANSACTION` and
 * `APPROVE_TRANSACTION` → `TRANSACTION`.
 */
export function bareType(node: Node): Node {
  if (node.kind !== "string") return node;
  const value = node.value.replace(DECIDES, "");
  return { kind: "string", value, raw: JSON.stringify(value) };
}

/**
 * Equal but for letter case, where each spelling is one that carries no error: a single case, or a
 * valid checksum (EIP-55).
 */
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

/**
 * EIP-55: a letter is upper-case where the digit of the address's Keccak-256 at its position is 8
 * or more.
 */
function checksummed(lower: string): string {
  const hash = Buffer.from(keccak_256(new TextEncoder().encode(lower))).toString("hex");
  return lower.replace(/[a-f]/g, (letter, at: number) =>
    /[89a-f]/.test(hash.charAt(at)) ? letter.toUpperCase() : letter,
  );
}
