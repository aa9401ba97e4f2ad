/**
 * The call or the message in the content of a request. Loaded only where the content has one, since
 * the decoder is larger than everything else here.
 */
import type { Node } from "../../../io/json.ts";
import { type Content, membersOf, named, onlyValue, textOf, type Value } from "../content.ts";
import { type Call, type CallFacts, readCall } from "./call.ts";
import { bytesOf, encodeCall, type Signature, signatureOf } from "./calldata.ts";
import { type Message, readMessage } from "./message.ts";

/** The call that a contract transaction makes. Never throws for hostile content. */
export function callOf(content: Content, facts: CallFacts): Call {
  const to = onlyValue(content, "address")?.text ?? null;
  const value = onlyValue(content, "amount")?.text ?? "0";
  const given = content.values.filter(isCalldata);
  const made = given.length > 1 ? undefined : calldataOf(given[0]);
  if (made !== undefined) return readCall({ to, value }, made.bytes, facts, made.signature);
  const nothing = readCall({ to, value }, new Uint8Array(), facts);
  const notDecoded =
    given.length > 1 ? "it is given twice" : "it is neither hexadecimal nor an ABI";
  return { ...nothing, exact: false, danger: ["NOT_DECODED"], notDecoded };
}

function isCalldata({ kind, name }: Value): boolean {
  return kind === "call" || name === "encoded_contract_data";
}

interface Calldata {
  readonly bytes: Uint8Array;
  readonly signature?: Signature;
}

/** The bytes of `0x…`, or of a function of an ABI with its arguments; undefined when malformed. */
function calldataOf(value: Value | undefined): Calldata | undefined {
  if (value === undefined) return { bytes: new Uint8Array() };
  try {
    if (value.text !== undefined) return { bytes: bytesOf(value.text.replace(/^(?:0x)?/, "0x")) };
    return encoded(value.node);
  } catch {
    // Whatever the ABI or its arguments are, they do not make calldata.
    return undefined;
  }
}

/** `{abi, function_name, function_arguments}` → the bytes that they encode. */
function encoded(node: Node): Calldata | undefined {
  const members = membersOf(node);
  const found = ["abi", "function_name", "function_arguments"].map((one) => named(members, one));
  // In two spellings: the server may read the one that is not read here.
  if (found.some(({ length }) => length > 1)) return undefined;
  const [abi, name, given] = found.map(([first]) => first?.[1]);
  const items = abi?.kind === "array" ? abi.items.map(plainOf) : [];
  const functions = items.filter(isFunctionCalled(textOf(name)));
  const [only, ...others] = functions;
  if (only === undefined || others.length > 0) return undefined;
  const signature = signatureOf(only);
  const values = new Map(membersOf(given));
  const names = signature.parameters.map((parameter) => parameter.name);
  const isComplete = names.length === values.size && names.every((one) => values.has(one));
  if (!isComplete || new Set(names).size !== names.length) return undefined;
  const ordered = names.map((one) => plainOf(values.get(one) ?? { kind: "null" }));
  return { bytes: encodeCall(signature, ordered), signature };
}

interface AbiFunction {
  readonly type: "function";
  readonly name: string;
}

function isFunctionCalled(name: string | undefined): (item: unknown) => item is AbiFunction {
  return (item): item is AbiFunction =>
    typeof item === "object" &&
    item !== null &&
    (!("type" in item) || item.type === "function") &&
    "name" in item &&
    item.name === name;
}

/** The value as JavaScript has it; numbers stay digits. */
function plainOf(node: Node): unknown {
  if (node.kind === "object")
    return Object.fromEntries(node.members.map(([name, child]) => [name, plainOf(child)]));
  if (node.kind === "array") return node.items.map(plainOf);
  return node.kind === "boolean" ? node.value : (textOf(node) ?? null);
}

/** The message of a signing request. Never throws for hostile content. */
export function messageOf(content: Content, facts: CallFacts): Message {
  const standard = content.values.find(({ name }) => name === "message_type")?.text;
  const given = onlyValue(content, "message");
  return readMessage(standard, given?.node ?? { kind: "null" }, facts);
}
