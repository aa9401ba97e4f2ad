/** Messages to sign: EIP-191 text, and EIP-712 typed data. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { Exact, exact, JsonError, type Node, print, tree } from "../../../io/json.ts";
import { membersOf, textOf } from "../content.ts";
import { type Call, type CallFacts, isUnlimited, readCall } from "./call.ts";
import { bytesOf, hex } from "./calldata.ts";
import { readTyped, TypedFault, type TypedMessage } from "./typed.ts";

/** Why a person must look at a message. All are grave. */
export type MessageDanger =
  | "ONLY_A_HASH"
  | "TYPED_DATA_AS_TEXT"
  | "NOT_DECODED"
  | "UNLIMITED_APPROVAL"
  | "DELEGATECALL"
  | "GAS_REFUND";

/** EIP-191, version 0x45: text behind a fixed line. */
export interface TextMessage {
  readonly kind: "EIP-191";
  readonly text: string;
  readonly "ERC-191 Digest": string;
}

/** Typed data, its domain and message token by token. */
export interface TypedContent extends Omit<TypedMessage, "domain" | "message"> {
  readonly kind: "EIP-712";
  readonly domain: Exact;
  readonly message: Exact;
}

/** What a message says. */
export interface Message {
  readonly content: TextMessage | TypedContent | null;
  readonly danger: readonly MessageDanger[];
  /** Why it was not decoded. */
  readonly notDecoded?: string;
  /** The call that a Safe transaction in the message makes. */
  readonly call?: Call;
}

const MOST_CHARACTERS = 128 * 1024;

/** Reads a message of the standard that its request names. Never throws for hostile content. */
export function readMessage(standard: string | undefined, given: Node, facts: CallFacts): Message {
  const text = textOf(given);
  if (standard === "EIP-191" && given.kind === "string") return readText(given.value);
  if (standard === "EIP-712") {
    const document = given.kind === "object" ? given : objectIn(text ?? "");
    if (document !== undefined) return readTypedMessage(document, facts);
    return undecoded("it is not an EIP-712 document");
  }
  return undecoded("its standard is not known");
}

function undecoded(notDecoded: string): Message {
  return { content: null, danger: ["NOT_DECODED"], notDecoded };
}

function readText(text: string): Message {
  const bytes = Buffer.from(text);
  const line = Buffer.from(`\x19Ethereum Signed Message:\n${bytes.length}`);
  const digest = `0x${hex(keccak_256(Buffer.concat([line, bytes])))}`;
  const content = { kind: "EIP-191" as const, text, "ERC-191 Digest": digest };
  const isHash = /^\s*(?:0x)?[0-9a-fA-F]{64}\s*$/.test(text) || isRawHash(bytes);
  const names = new Set(membersOf(objectIn(text)).map(([name]) => name));
  const isTyped = names.has("primaryType") || names.has("types");
  return {
    content,
    danger: [
      ...(isHash ? (["ONLY_A_HASH"] as const) : []),
      ...(isTyped ? (["TYPED_DATA_AS_TEXT"] as const) : []),
    ],
  };
}

/** Exactly 32 bytes that are not plain text. */
function isRawHash(bytes: Uint8Array): boolean {
  return bytes.length === 32 && bytes.some((byte) => byte < 0x20 || byte > 0x7e);
}

function objectIn(text: string): Node | undefined {
  if (!text.trimStart().startsWith("{") || text.length > MOST_CHARACTERS) return undefined;
  try {
    return tree(exact(text.trim()));
  } catch (cause) {
    if (cause instanceof JsonError) return undefined;
    throw cause;
  }
}

function readTypedMessage(document: Node, facts: CallFacts): Message {
  try {
    const typed = readTyped(document);
    const call = safeCallOf(typed, facts);
    const domain = new Exact(print(typed.domain));
    const message = new Exact(print(typed.message));
    return {
      content: { kind: "EIP-712", ...typed, domain, message },
      danger: [
        ...(isUnlimitedPermit(typed, facts) ? (["UNLIMITED_APPROVAL"] as const) : []),
        ...(call?.operation === "delegatecall" ? (["DELEGATECALL"] as const) : []),
        ...(call !== undefined && paysRefund(typed) ? (["GAS_REFUND"] as const) : []),
      ],
      ...(call === undefined ? {} : { call }),
    };
  } catch (cause) {
    if (!(cause instanceof TypedFault)) throw cause;
    return undecoded(cause.message);
  }
}

/** A permit has a spender and amounts; unlimited ones hand over everything. */
function isUnlimitedPermit({ message, domain }: TypedMessage, facts: CallFacts): boolean {
  const members = new Map(membersOf(message));
  if (!members.has("spender")) return false;
  const allowed = members.get("allowed");
  if (allowed?.kind === "boolean" && allowed.value) return true;
  const contract = textOf(new Map(membersOf(domain)).get("verifyingContract"));
  return hasUnlimited(message, contract, facts);
}

function hasUnlimited(node: Node, contract: string | undefined, facts: CallFacts): boolean {
  if (node.kind === "array") return node.items.some((item) => hasUnlimited(item, contract, facts));
  const members = new Map(membersOf(node));
  const token = facts.tokenAt(textOf(members.get("token")) ?? contract ?? "");
  return [...members].some(([name, child]) => {
    if (!/^(amount|value)$/.test(name)) return hasUnlimited(child, contract, facts);
    const text = textOf(child) ?? "";
    const type = members.has("expiration") ? "uint160" : "uint256";
    return /^(?:[0-9]+|0x[0-9a-fA-F]+)$/.test(text)
      ? isUnlimited(BigInt(text), type, token?.decimals)
      : false;
  });
}

/** Whether a Safe's transaction has a price for gas, which the Safe then pays. */
function paysRefund({ message }: TypedMessage): boolean {
  const price = new Map(membersOf(message)).get("gasPrice");
  return price !== undefined && !/^(?:0x)?0+$/.test(textOf(price) ?? "");
}

/** A Safe's transaction as its owners sign it. */
function safeCallOf({ primaryType, message }: TypedMessage, facts: CallFacts): Call | undefined {
  if (primaryType !== "SafeTx") return undefined;
  const members = new Map(membersOf(message));
  const text = (name: string): string => textOf(members.get(name)) ?? "";
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text("data"))) throw new TypedFault("its data are not bytes");
  const call = readCall({ to: text("to"), value: text("value") }, bytesOf(text("data")), facts);
  if (text("operation") === "0") return call;
  return { ...call, operation: "delegatecall", danger: ["DELEGATECALL", ...call.danger] };
}
