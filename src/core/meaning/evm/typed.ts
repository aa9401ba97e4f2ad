/**
 * EIP-712 messages: read strictly, hashed by our own code. A message that another program would
 * hash in another way, or only in part, is refused: libraries disagree about surplus members and
 * about a domain type that does not fit its domain.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Node } from "../../../io/json.ts";
import { checksummed } from "../address.ts";
import { membersOf, textOf } from "../content.ts";
import { hex } from "./calldata.ts";

/** One member of a struct type. */
interface TypedMember {
  readonly name: string;
  readonly type: string;
}

type Types = ReadonlyMap<string, readonly TypedMember[]>;

/** A message that was read, with the digests that another device can compare. */
export interface TypedMessage {
  readonly domain: Node;
  readonly primaryType: string;
  readonly message: Node;
  readonly "EIP-712 Digest": string;
  readonly "Domain Hash": string;
  readonly "Message Hash": string;
}

/** What of a message is refused, as the end of a sentence. */
export class TypedFault extends Error {}

const DOMAIN = "EIP712Domain";

/** Members of a domain, in the order of EIP-712. */
const DOMAIN_MEMBERS: Readonly<Record<string, string>> = {
  name: "string",
  version: "string",
  chainId: "uint256",
  verifyingContract: "address",
  salt: "bytes32",
};

const MOST_DEPTH = 32;

/** Reads and hashes `{types, primaryType, domain, message}`. Throws TypedFault. */
export function readTyped(document: Node): TypedMessage {
  const parts = strictMembers(document, "the message");
  for (const name of parts.keys())
    if (!["types", "primaryType", "domain", "message"].includes(name))
      throw new TypedFault(`it has an unknown member ${JSON.stringify(name)}`);
  const [domain, message] = [parts.get("domain"), parts.get("message")];
  const primaryType = textOf(parts.get("primaryType"));
  if (domain === undefined || message === undefined || primaryType === undefined)
    throw new TypedFault("it has no domain, message or primaryType");
  const types = readTypes(parts.get("types"), domain);
  checkUse(types, primaryType);
  const separator = hashStruct(DOMAIN, domain, types, 0);
  const content = hashStruct(primaryType, message, types, 0);
  const isDomain = primaryType === DOMAIN;
  const digest = keccak_256(
    Buffer.concat([Buffer.from("1901", "hex"), separator, ...(isDomain ? [] : [content])]),
  );
  return {
    domain,
    primaryType,
    message,
    "EIP-712 Digest": `0x${hex(digest)}`,
    "Domain Hash": `0x${hex(separator)}`,
    "Message Hash": `0x${hex(content)}`,
  };
}

function strictMembers(node: Node | undefined, what: string): Map<string, Node> {
  if (node?.kind !== "object") throw new TypedFault(`${what} is not an object`);
  const found = new Map(node.members);
  if (found.size !== node.members.length) throw new TypedFault(`${what} has a member twice`);
  return found;
}

function readTypes(node: Node | undefined, domain: Node): Types {
  const types = new Map<string, readonly TypedMember[]>();
  for (const [name, listed] of strictMembers(node, "types")) {
    if (!/^[A-Za-z_$][\w$:]*$/.test(name)) throw new TypedFault("a type has an unusable name");
    if (listed.kind !== "array") throw new TypedFault(`type ${name} is not a list`);
    const members = listed.items.map(readMember);
    if (new Set(members.map((one) => one.name)).size !== members.length)
      throw new TypedFault(`type ${name} has a member twice`);
    types.set(name, members);
  }
  const given = [...strictMembers(domain, "the domain").keys()];
  const own = types.get(DOMAIN) ?? derivedDomain(given);
  checkDomain(own, given);
  return types.set(DOMAIN, own);
}

function readMember(node: Node): TypedMember {
  const parts = new Map(membersOf(node));
  const [name, type] = [textOf(parts.get("name")), textOf(parts.get("type"))];
  if (name === undefined || type === undefined || parts.size !== 2)
    throw new TypedFault("a member of a type does not have exactly name and type");
  return { name, type: type.replace(/^(u?int)(?=\[|$)/, "$1256") };
}

function derivedDomain(given: readonly string[]): TypedMember[] {
  return Object.entries(DOMAIN_MEMBERS)
    .filter(([name]) => given.includes(name))
    .map(([name, type]) => ({ name, type }));
}

/** The domain's type must name the domain's members, each with its type, and no other. */
function checkDomain(own: readonly TypedMember[], given: readonly string[]): void {
  const isKnown = own.every(({ name, type }) => DOMAIN_MEMBERS[name] === type);
  const isSame = own.length === given.length && own.every(({ name }) => given.includes(name));
  if (!isKnown || !isSame) throw new TypedFault("the type of the domain does not fit the domain");
}

/** Every type must be reached from the primary type: another program might use what is left. */
function checkUse(types: Types, primaryType: string): void {
  const used = reachedFrom(primaryType, types);
  used.add(DOMAIN);
  for (const name of types.keys())
    if (!used.has(name)) throw new TypedFault(`type ${name} is not used`);
}

function bareType(type: string): string {
  return type.replace(/(\[\d*\])+$/, "");
}

function reachedFrom(name: string, types: Types, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  const members = types.get(name);
  if (members === undefined) throw new TypedFault(`type ${name} is missing`);
  found.add(name);
  for (const { type } of members)
    if (types.has(bareType(type))) reachedFrom(bareType(type), types, found);
  return found;
}

/**
 * `Mail(Person from,Person to)Person(address wallet)`: the primary type, then the others sorted.
 */
function encodeType(name: string, types: Types): string {
  const others = [...reachedFrom(name, types)].filter((one) => one !== name).sort();
  return [name, ...others]
    .map((one) => {
      const members = (types.get(one) ?? []).map(({ name: own, type }) => `${type} ${own}`);
      return `${one}(${members.join(",")})`;
    })
    .join("");
}

function hashStruct(name: string, node: Node, types: Types, depth: number): Uint8Array {
  if (depth > MOST_DEPTH) throw new TypedFault(`it is nested deeper than ${MOST_DEPTH} levels`);
  const values = strictMembers(node, name);
  const members = types.get(name) ?? [];
  for (const given of values.keys())
    if (!members.some((one) => one.name === given))
      throw new TypedFault(`${name} has an unknown member ${JSON.stringify(given)}`);
  const parts = members.map(({ name: own, type }) => {
    const value = values.get(own);
    if (value === undefined) throw new TypedFault(`${name}.${own} is missing`);
    return encodeValue(type, value, types, depth + 1);
  });
  const typeHash = keccak_256(Buffer.from(encodeType(name, types)));
  return keccak_256(Buffer.concat([typeHash, ...parts]));
}

/** 32 bytes for a value of a type. */
function encodeValue(type: string, node: Node, types: Types, depth: number): Uint8Array {
  const array = /^(.+)\[(\d*)\]$/.exec(type);
  if (array !== null) {
    const [, inner = "", length = ""] = array;
    if (node.kind !== "array" || (length !== "" && node.items.length !== Number(length)))
      throw new TypedFault(`a value is not of type ${type}`);
    if (depth > MOST_DEPTH) throw new TypedFault(`it is nested deeper than ${MOST_DEPTH} levels`);
    const items = node.items.map((item) => encodeValue(inner, item, types, depth + 1));
    return keccak_256(Buffer.concat(items));
  }
  return types.has(type) ? hashStruct(type, node, types, depth) : encodeAtom(type, node);
}

function encodeAtom(type: string, node: Node): Uint8Array {
  const wrong = new TypedFault(`a value is not of type ${type}`);
  if (type === "bool") {
    if (node.kind !== "boolean") throw wrong;
    return word(node.value ? 1n : 0n);
  }
  const integer = /^(u?)int(\d+)$/.exec(type);
  if (integer !== null) return word(integerOf(node, Number(integer[2]), integer[1] === "", wrong));
  if (node.kind !== "string") throw wrong;
  if (type === "string") return keccak_256(Buffer.from(node.value));
  if (type === "address") return addressWord(node.value);
  const bytes = /^bytes(\d*)$/.exec(type);
  if (bytes === null || !/^0x(?:[0-9a-fA-F]{2})*$/.test(node.value)) throw wrong;
  const content = Buffer.from(node.value.slice(2), "hex");
  if (bytes[1] === "") return keccak_256(content);
  if (content.length !== Number(bytes[1]) || content.length > 32) throw wrong;
  return Buffer.concat([content, Buffer.alloc(32 - content.length)]);
}

/** Whole digits or hexadecimal, in the range of the type. */
function integerOf(node: Node, bits: number, isSigned: boolean, wrong: TypedFault): bigint {
  const text = textOf(node) ?? "";
  if (!/^(?:-?[0-9]+|0x[0-9a-fA-F]+)$/.test(text) || text.length > 80) throw wrong;
  if (bits % 8 !== 0 || bits < 8 || bits > 256) throw wrong;
  const value = BigInt(text);
  const [least, most] = isSigned
    ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n]
    : [0n, (1n << BigInt(bits)) - 1n];
  if (value < least || value > most) throw wrong;
  return value;
}

function addressWord(text: string): Uint8Array {
  const digits = /^0x([0-9a-fA-F]{40})$/.exec(text)?.[1];
  if (digits === undefined) throw new TypedFault("an address is not 0x and 40 digits");
  const lower = digits.toLowerCase();
  const isClean = [lower, lower.toUpperCase(), checksummed(lower)].includes(digits);
  if (!isClean) throw new TypedFault("an address has a wrong checksum");
  return word(BigInt(`0x${lower}`));
}

/** Two's complement, big-endian. */
function word(value: bigint): Uint8Array {
  return Buffer.from(BigInt.asUintN(256, value).toString(16).padStart(64, "0"), "hex");
}
