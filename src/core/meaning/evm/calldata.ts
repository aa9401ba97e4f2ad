/**
 * The one place that decodes and encodes calldata (Solidity ABI specification). The decoder is
 * micro-eth-signer, which refuses dirty bytes, overlapping offsets and lengths beyond the data.
 * Nothing else of that package is used: its own table of contracts is not bound to a chain.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { mapArgs } from "micro-eth-signer/abi/mapper.js";
import { parseAbi } from "micro-eth-signer/abi/parse.js";
import { checksummed } from "../address.ts";

/** One parameter of a function. */
export interface Parameter {
  readonly name: string;
  /** `uint256`, `bytes[]`, `tuple[]`. */
  readonly type: string;
  readonly components: readonly Parameter[];
}

/** A function that calldata can ask for. */
export interface Signature {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Four bytes as `0x` and eight hexadecimal digits. */
  readonly selector: string;
  /** `transfer(address to, uint256 amount)` */
  readonly text: string;
}

/** Digits of a number, `0x…` of bytes, a checksummed address, or several of these. */
export type Decoded = string | boolean | readonly Decoded[];

/** Decoded arguments, in the order of the parameters. */
export interface Arguments {
  readonly values: readonly Decoded[];
  /** Bytes that no argument accounts for: behind the last one, or between two. */
  readonly unreadBytes: number;
}

interface AbiItem {
  readonly type: string;
  readonly name?: string;
  readonly components?: readonly AbiItem[];
  readonly inputs?: readonly AbiItem[];
}

/** Reads `transfer(address to, uint256 amount)`; throws when it is not a signature. */
export function parseSignature(text: string): Signature {
  const [item] = parseAbi([`function ${text}`]) as readonly AbiItem[];
  return signatureOf(item ?? { type: "function" });
}

/**
 * A function of a contract's ABI in JSON. Throws when a parameter has no type, or two have one
 * name.
 */
export function signatureOf({ name = "", inputs = [] }: AbiItem): Signature {
  const parameters = inputs.map(parameterOf);
  const types = `${name}(${parameters.map(canonical).join(",")})`;
  const selector = `0x${hex(keccak_256(Buffer.from(types)).subarray(0, 4))}`;
  const text = `${name}(${parameters.map(showParameter).join(", ")})`;
  return { name, parameters, selector, text };
}

/** The type as it is hashed: no names, no aliases, tuples in brackets. */
function canonical({ type, components }: Parameter): string {
  if (type.startsWith("tuple"))
    return `(${components.map(canonical).join(",")})${type.slice("tuple".length)}`;
  return type.replace(/^(u?int)(?=\[|$)/, "$1256");
}

/** What the library makes of a list of types. */
interface Packer {
  encode(values: unknown): Uint8Array;
  decode(bytes: Uint8Array, options?: { readonly allowUnreadBytes: boolean }): unknown;
}

/** Undefined for a function without parameters. */
function packerOf(inputs: readonly AbiItem[]): Packer | undefined {
  return inputs.length === 0 ? undefined : (mapArgs(inputs as never) as unknown as Packer);
}

function parameterOf({ name = "", type, components = [] }: AbiItem): Parameter {
  return { name, type, components: components.map(parameterOf) };
}

/** `(address token, uint256 amount)[] items`, for a reader. */
export function showParameter({ name, type, components }: Parameter): string {
  const inside = `(${components.map(showParameter).join(", ")})`;
  const shown = type.startsWith("tuple") ? `${inside}${type.slice("tuple".length)}` : type;
  return name === "" ? shown : `${shown} ${name}`;
}

/** Without names every value has its own place: two equal names hide nothing. */
function withoutNames({ type, components }: Parameter): AbiItem {
  return components.length === 0 ? { type } : { type, components: components.map(withoutNames) };
}

/**
 * Decodes strictly. When only unread bytes are wrong, returns their number. Returns undefined for
 * anything else that is malformed.
 */
export function decodeArguments(
  { parameters, selector }: Signature,
  calldata: Uint8Array,
): Arguments | undefined {
  if (`0x${hex(calldata.subarray(0, 4))}` !== selector) return undefined;
  const data = calldata.subarray(4);
  const inputs = parameters.map(withoutNames);
  const packer = packerOf(inputs);
  if (packer === undefined) return { values: [], unreadBytes: data.length };
  const strict = attempt(packer, data, false);
  const found = strict ?? attempt(packer, data, true);
  if (found === undefined) return undefined;
  const raw = listOf(found.value, inputs.length);
  const values = raw.map((value, at) => plain(value, inputs[at]));
  if (strict !== undefined) return { values, unreadBytes: 0 };
  const unreadBytes = data.length - packer.encode(found.value).length;
  // Fewer bytes than the canonical form has: two arguments share some.
  return unreadBytes > 0 ? { values, unreadBytes } : undefined;
}

function attempt(
  packer: Packer,
  data: Uint8Array,
  allowUnreadBytes: boolean,
): { readonly value: unknown } | undefined {
  try {
    return { value: packer.decode(data, { allowUnreadBytes }) };
  } catch {
    return undefined;
  }
}

/** The library takes and returns a single argument bare. */
function listOf(value: unknown, count: number): readonly unknown[] {
  return count === 1 ? [value] : (value as readonly unknown[]);
}

/** Calldata for a function; values as JSON has them. Throws when one does not fit its type. */
export function encodeCall(
  { parameters, selector }: Signature,
  values: readonly unknown[],
): Uint8Array {
  const typed = values.map((value, at) => fromPlain(value, parameters[at]));
  const packer = packerOf(parameters.map(withoutNames));
  const data = packer?.encode(parameters.length === 1 ? typed[0] : typed) ?? new Uint8Array();
  return Uint8Array.from(Buffer.concat([bytesOf(selector), data]));
}

function plain(value: unknown, item: AbiItem | undefined): Decoded {
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return `0x${hex(value)}`;
  if (Array.isArray(value)) {
    const isArray = item?.type.endsWith("]") === true;
    const inner = isArray ? { ...item, type: item.type.replace(/\[\d*\]$/, "") } : undefined;
    return value.map((one: unknown, at) => plain(one, inner ?? item?.components?.[at]));
  }
  const text = String(value);
  return item?.type === "address" ? `0x${checksummed(text.slice(2).toLowerCase())}` : text;
}

/** A JSON value as the library takes it. */
function fromPlain(value: unknown, parameter: Parameter | undefined): unknown {
  const { type = "", components = [] } = parameter ?? {};
  if (Array.isArray(value)) {
    const isArray = type.endsWith("]");
    const inner = { name: "", type: type.replace(/\[\d*\]$/, ""), components };
    return value.map((one: unknown, at) => fromPlain(one, isArray ? inner : components[at]));
  }
  if (/^u?int\d*$/.test(type)) return BigInt(String(value));
  if (/^bytes\d*$/.test(type)) return bytesOf(String(value));
  return value;
}

/** Bytes of `0x…`; throws for anything else. */
export function bytesOf(text: string): Uint8Array {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text))
    throw new TypeError("It is not 0x and pairs of digits.");
  return Uint8Array.from(Buffer.from(text.slice(2), "hex"));
}

/** Lower-case hexadecimal digits without `0x`. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
