/**
 * What calldata asks for, inward to the last call, and what is dangerous about it. Names come from
 * selectors: unless the target is a token of the workspace they are a guess, and say so.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import type { Listing } from "../recipient.ts";
import {
  bytesOf,
  type Decoded,
  decodeArguments,
  hex,
  type Parameter,
  parseSignature,
  type Signature,
  showParameter,
} from "./calldata.ts";
import { FUNCTIONS, type FunctionRow, type Mark } from "./functions.ts";

/** A contract that the workspace lists as a token. */
export interface KnownToken {
  readonly name: string | undefined;
  readonly unit: string | undefined;
  readonly decimals: number | undefined;
}

/** Why a person must look. All but `UNREAD_BYTES` and `GUESSED` are grave. */
export type Danger =
  | "DELEGATECALL"
  | "UNLIMITED_APPROVAL"
  | "APPROVAL_FOR_ALL"
  | "ADMIN_CHANGE"
  | "ONLY_A_HASH"
  | "GAS_REFUND"
  | "NOT_DECODED"
  | "UNREAD_BYTES"
  | "GUESSED";

/** One argument. */
export interface Argument {
  readonly name: string;
  readonly type: string;
  readonly value: Decoded;
  /** The amount in the token's own unit, when the workspace knows it. */
  readonly readable?: string;
  /** The whitelists' entries that name an address; absent where none does. */
  readonly whitelists?: readonly Listing[];
}

/** One call, with the calls inside it. */
export interface Call {
  readonly to: string | null;
  readonly operation: "call" | "delegatecall";
  readonly contract: { readonly known: "workspace token" | "no"; readonly name?: string };
  /** Base units of the coin that are sent along. */
  readonly value: string;
  readonly selector: string | null;
  readonly function: string | null;
  /** Other functions with the same selector, whose arguments fit too. */
  readonly alsoReads?: readonly string[];
  /** `request`: only the request's own ABI has the function, so the requester chose its name. */
  readonly namedBy?: "request";
  /** True when the name comes from the selector alone, or from the request. */
  readonly guess: boolean;
  /** True when the bytes are exactly the encoding of the arguments. */
  readonly exact: boolean;
  readonly unreadBytes: number;
  readonly arguments: readonly Argument[];
  /** ERC-8213: Keccak-256 over the length as 32 bytes, then the calldata; null above 128 KiB. */
  readonly "Calldata Digest": string | null;
  readonly danger: readonly Danger[];
  readonly calls: readonly Call[];
  /** Why the call was not decoded, or not further. */
  readonly notDecoded?: string;
}

/** What is known around a call. */
export interface CallFacts {
  tokenAt(address: string): KnownToken | undefined;
  /** The amount as text, when the token's decimals are known. */
  readable(base: string, token: KnownToken): string | undefined;
  /** The entries of whitelists that name an address; absent: they are not known. */
  listingsOf?(address: string): readonly Listing[];
}

interface Target {
  readonly to: string | null;
  readonly value: string;
  readonly operation: Call["operation"];
}

const MOST_BYTES = 128 * 1024;
const MOST_NESTED = 5;
const MOST_INNER = 100;

/**
 * Decodes a call and the calls inside it; never throws for hostile bytes. `own` is the function of
 * the request's own ABI. It shows the arguments of a selector that the table does not have. What
 * the function does stays unknown: the requester wrote the ABI, and can choose any name.
 */
export function readCall(
  { to, value }: { readonly to: string | null; readonly value: string },
  calldata: Uint8Array,
  facts: CallFacts,
  own?: Signature,
): Call {
  return new Reading(facts, own).read({ to, value, operation: "call" }, calldata, 0);
}

/** The terms of ERC-8213 for calldata, as `0x…`. */
function calldataDigest(calldata: Uint8Array): string {
  const length = Buffer.alloc(32);
  length.writeUInt32BE(calldata.length, 28);
  return `0x${hex(keccak_256(Buffer.concat([length, calldata])))}`;
}

interface Match {
  readonly row: FunctionRow;
  /** The table does not have it; the request's own ABI does. */
  readonly isOwn: boolean;
  readonly signature: Signature;
  readonly values: readonly Decoded[];
  readonly unreadBytes: number;
}

class Reading {
  private inner = 0;

  constructor(
    private readonly facts: CallFacts,
    private readonly own: Signature | undefined,
  ) {}

  read(target: Target, calldata: Uint8Array, depth: number): Call {
    this.inner += depth === 0 ? 0 : 1;
    const digest = calldata.length > MOST_BYTES ? null : calldataDigest(calldata);
    const bare = this.bare(target, calldata, digest);
    if (calldata.length === 0) return { ...bare, exact: true, danger: dangerOf(target, []) };
    const limit = limitOf(calldata, depth);
    const matches = limit === undefined ? this.matchesOf(target, calldata) : [];
    const [match, ...others] = matches;
    if (match === undefined) {
      const notDecoded = limit ?? whyNot(calldata);
      return { ...bare, notDecoded, danger: dangerOf(target, ["NOT_DECODED"]) };
    }
    const { row, signature, values, unreadBytes, isOwn } = match;
    const { calls, fault: missing } = this.callsOf(row[3], target, values, depth);
    const fault = isOwn ? ONLY_NAMED : missing;
    const looksLikeTransfer = bare.guess && !isOwn && row[2].startsWith("transfer(");
    return {
      ...bare,
      function: signature.text,
      ...(isOwn ? { namedBy: "request", guess: true } : {}),
      ...(others.length === 0 ? {} : { alsoReads: others.map(readingOf) }),
      exact: unreadBytes === 0,
      unreadBytes,
      arguments: this.argumentsOf(target, match),
      danger: dangerOf(target, [
        ...this.dangersOf(target, match),
        ...(unreadBytes > 0 ? (["UNREAD_BYTES"] as const) : []),
        ...(fault === undefined ? [] : (["NOT_DECODED"] as const)),
        ...(looksLikeTransfer ? (["GUESSED"] as const) : []),
      ]),
      calls,
      ...(fault === undefined ? {} : { notDecoded: fault }),
    };
  }

  private bare(
    { to, value, operation }: Target,
    calldata: Uint8Array,
    digest: string | null,
  ): Call {
    const token = to === null || operation === "delegatecall" ? undefined : this.facts.tokenAt(to);
    const name = token?.name === undefined ? {} : { name: token.name };
    return {
      ...{ to, operation, value },
      contract: token === undefined ? { known: "no" } : { known: "workspace token", ...name },
      selector: calldata.length < 4 ? null : `0x${hex(calldata.subarray(0, 4))}`,
      function: null,
      guess: token === undefined,
      ...{ exact: false, unreadBytes: 0, arguments: [] },
      "Calldata Digest": digest,
      ...{ danger: [], calls: [] },
    };
  }

  /** Readings whose arguments fit, the exact ones first; a known token is read as ERC-20 only. */
  private matchesOf({ to, operation }: Target, calldata: Uint8Array): Match[] {
    const selector = `0x${hex(calldata.subarray(0, 4))}`;
    const rows = FUNCTIONS.filter(([known]) => known === selector);
    if (rows.length === 0) return this.ownMatch(selector, calldata);
    const isToken =
      to !== null &&
      operation === "call" &&
      this.facts.tokenAt(to) !== undefined &&
      rows.length > 1;
    const fitting = isToken ? rows.filter(([, standard]) => standard === "ERC-20") : rows;
    return fitting.flatMap((row) => {
      const signature = parseSignature(row[2]);
      const found = decodeArguments(signature, calldata);
      return found === undefined ? [] : [{ row, isOwn: false, signature, ...found }];
    });
  }

  /** The function of the request's own ABI. Its text is another's, and is not parsed. */
  private ownMatch(selector: string, calldata: Uint8Array): Match[] {
    const signature = this.own?.selector === selector ? this.own : undefined;
    const found = signature === undefined ? undefined : decodeArguments(signature, calldata);
    if (signature === undefined || found === undefined) return [];
    const row = [selector, "the request's ABI", signature.text] as const;
    return [{ row, isOwn: true, signature, ...found }];
  }

  private argumentsOf({ to }: Target, { signature, values, row }: Match): Argument[] {
    const token = to === null ? undefined : this.facts.tokenAt(to);
    return signature.parameters.map((parameter, at): Argument => {
      const value = values[at] ?? "";
      const { name } = parameter;
      const isAmount = row[1] === "ERC-20" && /amount|value/i.test(name);
      const readable =
        isAmount && token !== undefined && typeof value === "string"
          ? this.facts.readable(value, token)
          : undefined;
      const type = showParameter({ ...parameter, name: "" });
      const whitelists = type === "address" ? this.facts.listingsOf?.(`${value}`) : undefined;
      return {
        ...{ name, type, value },
        ...(readable === undefined ? {} : { readable }),
        ...(whitelists === undefined || whitelists.length === 0 ? {} : { whitelists }),
      };
    });
  }

  private dangersOf({ to }: Target, { row, signature, values }: Match): Danger[] {
    switch (row[3]) {
      case "admin":
      case "adminCall":
        return ["ADMIN_CHANGE"];
      case "approvalForAll": {
        const at = signature.parameters.findIndex(({ type }) => type === "bool");
        const all = row[1] === "DAI" ? "UNLIMITED_APPROVAL" : "APPROVAL_FOR_ALL";
        return values[at] === true ? [all] : [];
      }
      case "approval":
        return isAnyUnlimited(signature.parameters, values, (address) =>
          this.facts.tokenAt(address ?? to ?? ""),
        )
          ? ["UNLIMITED_APPROVAL"]
          : [];
      case "hash":
        return ["ONLY_A_HASH"];
      case "execute":
        return paysRefund(signature, values) ? ["GAS_REFUND"] : [];
      default:
        return [];
    }
  }

  /** Calls inside, and why some of them are missing. */
  private callsOf(
    mark: Mark | undefined,
    { to }: Target,
    values: readonly Decoded[],
    depth: number,
  ): { readonly calls: readonly Call[]; readonly fault?: string } {
    const found = innerOf(mark, to, values);
    if (found === undefined) return { calls: [], fault: "its inner calls are malformed" };
    const room = Math.max(0, MOST_INNER - this.inner);
    const calls: Call[] = [];
    for (const { data, ...target } of found.slice(0, room)) {
      if (this.inner >= MOST_INNER) break;
      calls.push(this.read(target, data, depth + 1));
    }
    if (calls.length === found.length) return { calls };
    return { calls, fault: `there are more than ${MOST_INNER} inner calls` };
  }
}

const ONLY_NAMED = "only the ABI in the request names its function, in the requester's words";

/** A Safe pays for gas at the price that its transaction names, in a token and to a place of it. */
function paysRefund({ parameters }: Signature, values: readonly Decoded[]): boolean {
  const at = parameters.findIndex(({ name }) => name === "gasPrice");
  return at >= 0 && values[at] !== "0";
}

function limitOf(calldata: Uint8Array, depth: number): string | undefined {
  if (calldata.length > MOST_BYTES) return "it is longer than 128 KiB";
  return depth > MOST_NESTED ? `it is nested deeper than ${MOST_NESTED} calls` : undefined;
}

interface Inner extends Target {
  readonly data: Uint8Array;
}

/** What the arguments of a function that runs others ask for; undefined when malformed. */
function innerOf(
  mark: Mark | undefined,
  to: string | null,
  values: readonly Decoded[],
): readonly Inner[] | undefined {
  switch (mark) {
    case "execute": {
      const [target, value, data, operation] = values.map(textOf);
      if (operation !== "0" && operation !== "1") return undefined;
      return [inner(target ?? null, value, data, operation === "1")];
    }
    case "adminCall": {
      const [target, data] = values.slice(-2).map(textOf);
      return data === "0x" ? [] : [inner(target ?? null, "0", data, true)];
    }
    case "multiSend":
      return unpackMultiSend(bytesOf(textOf(values[0])));
    case "selfCalls":
      return listOf(values.at(-1)).map((data) => inner(to, "0", textOf(data), false));
    case "calls":
      return listOf(values.at(-1)).map((call) => {
        const parts = listOf(call).map(textOf);
        return inner(parts[0] ?? null, parts.length === 4 ? parts[2] : "0", parts.at(-1), false);
      });
    default:
      return [];
  }
}

function inner(to: string | null, value = "0", data = "0x", isDelegated: boolean): Inner {
  return { to, value, operation: isDelegated ? "delegatecall" : "call", data: bytesOf(data) };
}

function textOf(value: Decoded | undefined): string {
  return typeof value === "string" ? value : `${value}`;
}

function listOf(value: Decoded | undefined): readonly Decoded[] {
  return Array.isArray(value) ? value : [];
}

const MULTISEND_HEAD = 85;

/** Safe's packed form: operation, address, value, length, data; undefined when it is malformed. */
function unpackMultiSend(packed: Uint8Array): Inner[] | undefined {
  const found: Inner[] = [];
  for (let at = 0; at < packed.length; ) {
    if (packed.length - at < MULTISEND_HEAD) return undefined;
    const head = packed.subarray(at, at + MULTISEND_HEAD);
    const operation = head[0];
    const length = BigInt(`0x${hex(head.subarray(53, 85))}`);
    const start = at + MULTISEND_HEAD;
    if ((operation !== 0 && operation !== 1) || length > BigInt(packed.length - start))
      return undefined;
    const end = start + Number(length);
    const to = `0x${hex(head.subarray(1, 21))}`;
    const value = `${BigInt(`0x${hex(head.subarray(21, 53))}`)}`;
    const data = packed.subarray(start, end);
    found.push({ to, value, operation: operation === 1 ? "delegatecall" : "call", data });
    at = end;
  }
  return found;
}

function dangerOf({ operation }: Target, dangers: readonly Danger[]): Danger[] {
  return operation === "delegatecall" ? ["DELEGATECALL", ...dangers] : [...dangers];
}

function readingOf({ row, signature }: Match): string {
  return `${signature.text} of ${row[1]}`;
}

function whyNot(calldata: Uint8Array): string {
  if (calldata.length < 4) return "it is shorter than a selector";
  const selector = `0x${hex(calldata.subarray(0, 4))}`;
  return FUNCTIONS.some(([known]) => known === selector)
    ? "its arguments are malformed"
    : "the function is not known";
}

const WHOLE_TOKENS = 10n ** 15n;

/**
 * Whether an approved amount is as good as everything: half of its type's range, or 10^15 whole
 * tokens, or 2^128 when the decimals are not known.
 */
export function isUnlimited(amount: bigint, type: string, decimals: number | undefined): boolean {
  const bits = BigInt(/^uint(\d+)$/.exec(type)?.[1] ?? 256);
  if (amount >= 1n << (bits - 1n)) return true;
  return amount >= (decimals === undefined ? 1n << 128n : WHOLE_TOKENS * 10n ** BigInt(decimals));
}

/** Whether any amount among the parameters is unlimited; `token` is a member beside it. */
function isAnyUnlimited(
  parameters: readonly Parameter[],
  values: readonly Decoded[],
  tokenAt: (address: string | undefined) => KnownToken | undefined,
): boolean {
  const beside = values[parameters.findIndex(({ name }) => name === "token")];
  const token = tokenAt(typeof beside === "string" ? beside : undefined);
  return parameters.some(({ name, type, components }, at) => {
    const value = values[at];
    if (Array.isArray(value) && components.length > 0) {
      const items = type.endsWith("]") ? value.map(listOf) : [value as readonly Decoded[]];
      return items.some((item) => isAnyUnlimited(components, item, tokenAt));
    }
    const isAmount = /^(amount|value|addedValue)$/.test(name) && type.startsWith("uint");
    return isAmount && isUnlimited(BigInt(textOf(value)), type, token?.decimals);
  });
}
