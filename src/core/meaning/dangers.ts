/** What is dangerous about a call or a message, in sentences. */
import type { Call, Danger } from "./evm/call.ts";
import type { Message, MessageDanger } from "./evm/message.ts";
import type { Warning } from "./parts.ts";
import type { Listing, TaggedListing } from "./recipient.ts";
import { plain, quote } from "./words.ts";

type Sentence = readonly [code: string, grave: boolean, sentence: (call: Call) => string];

/** What a Safe pays beside its call: a price for the gas that is used, and for `baseGas` more. */
function refundText(call: Call): string {
  const of = (name: string): string => {
    const value = call.arguments.find((one) => one.name === name)?.value;
    return typeof value === "string" ? plain(value) : "unknown";
  };
  const [token, receiver] = [of("gasToken"), of("refundReceiver")];
  const what = isNobody(token) ? "the network's coin" : `token ${token}`;
  const whom = isNobody(receiver) ? "the sender of the transaction" : receiver;
  return `${target(call)} also pays a refund to ${whom}: ${of("gasPrice")} base units of ${what} for each of ${of("baseGas")} units of gas, and for those used.`;
}

function isNobody(address: string): boolean {
  return /^0x0{40}$/.test(address);
}

const target = ({ to }: Call): string => (to === null ? "no contract" : plain(to));

const CALL_DANGERS: Readonly<Record<Danger, Sentence>> = {
  DELEGATECALL: [
    "DELEGATECALL",
    true,
    (call) => `Code at ${target(call)} runs with all rights of this contract (delegatecall).`,
  ],
  UNLIMITED_APPROVAL: [
    "UNLIMITED_APPROVAL",
    true,
    (call) => `An approval without a limit at ${target(call)}: the spender can take every token.`,
  ],
  APPROVAL_FOR_ALL: [
    "APPROVAL_FOR_ALL",
    true,
    (call) => `An operator may move every item of ${target(call)} from now on.`,
  ],
  ADMIN_CHANGE: [
    "ADMIN_CHANGE",
    true,
    (call) => `A change of who controls ${target(call)}, or of its code.`,
  ],
  ONLY_A_HASH: [
    "ONLY_A_HASH",
    true,
    (call) => `Consent at ${target(call)} to a hash whose content cannot be seen.`,
  ],
  GAS_REFUND: ["GAS_REFUND", true, refundText],
  NOT_DECODED: [
    "CALL_NOT_DECODED",
    true,
    (call) => `A call to ${target(call)} cannot be read: ${call.notDecoded ?? "unknown"}.`,
  ],
  UNREAD_BYTES: [
    "UNREAD_BYTES",
    false,
    (call) => `${call.unreadBytes} bytes of the call to ${target(call)} belong to no argument.`,
  ],
  GUESSED: [
    "LOOKS_LIKE_TRANSFER",
    false,
    (call) =>
      `The call looks like a transfer, but ${target(call)} is not a token of the workspace.`,
  ],
};

/** Warnings of a call and of all calls in it; `at` is its path in the summary. */
export function callWarnings(call: Call, at: string): Warning[] {
  const own = call.danger.map((danger): Warning => {
    const [code, grave, sentence] = CALL_DANGERS[danger];
    return { code, grave, at, message: sentence(call) };
  });
  return [...own, ...call.calls.flatMap((inner, n) => callWarnings(inner, `${at}.calls[${n}]`))];
}

const MESSAGE_DANGERS: Readonly<Record<MessageDanger, readonly [code: string, sentence: string]>> =
  {
    ONLY_A_HASH: ["ONLY_A_HASH", "The message is only a hash: its content cannot be seen."],
    TYPED_DATA_AS_TEXT: [
      "TYPED_DATA_AS_TEXT",
      "The message is typed data, to be signed as plain text: that is not its intended use.",
    ],
    NOT_DECODED: ["MESSAGE_NOT_DECODED", "The message cannot be read"],
    UNLIMITED_APPROVAL: [
      "UNLIMITED_APPROVAL",
      "The message is a permit without a limit: the spender can take every token.",
    ],
    DELEGATECALL: ["DELEGATECALL", "The message lets other code run with all rights of the Safe."],
    GAS_REFUND: [
      "GAS_REFUND",
      "The message lets the Safe pay a refund for gas beside its call: see gasPrice, baseGas, gasToken and refundReceiver.",
    ],
  };

/** Warnings of a message and of the call in it. */
export function messageWarnings({ danger, notDecoded, call }: Message): Warning[] {
  const own = danger.map((one): Warning => {
    const [code, sentence] = MESSAGE_DANGERS[one];
    const message = one === "NOT_DECODED" ? `${sentence}: ${notDecoded ?? "unknown"}.` : sentence;
    return { code, grave: true, at: "message", message };
  });
  return [...own, ...(call === undefined ? [] : callWarnings(call, "message"))];
}

const MOST_LINES = 20;

/** A line for each call, inner ones after the outer one. */
export function callLines(call: Call): string[] {
  const lines = linesOf(call, "Call");
  return lines.length > MOST_LINES
    ? [...lines.slice(0, MOST_LINES), `… and ${lines.length - MOST_LINES} more calls`]
    : lines;
}

function linesOf(call: Call, word: string): string[] {
  const { calls, operation, arguments: given, value } = call;
  const verb = operation === "delegatecall" ? `${word}, as a delegatecall,` : word;
  const sent = value === "0" ? "" : ` with ${plain(value)} base units`;
  const line = `${verb} ${nameText(call)} of ${target(call)}${sent}`;
  const shown = given.map((one) => `${plain(one.name)} ${argumentText(one)}`).join(", ");
  return [
    `${line}${shown === "" ? "" : `: ${shown}`}`,
    ...calls.flatMap((inner) => linesOf(inner, "Inside it, call")),
  ];
}

/** The function, and whose word it is that it is this one. */
function nameText({ function: name, selector, guess, namedBy }: Call): string {
  if (name === null) return selector === null ? "nothing" : `selector ${selector}`;
  if (namedBy === "request") return `what the request itself calls ${quote(name)}`;
  return `${guess ? "what looks like " : ""}${name}`;
}

/** The entry of a whitelist that names an address. */
export function listingText({ name, entry, status }: Listing): string {
  const state = status === undefined ? "" : ` (${plain(status)}, so it vouches for nothing)`;
  return `whitelist ${quote(name)}, entry ${quote(entry)}${state}`;
}

/** Entries of whitelists that name an address, each with the tags that it is limited to. */
export function taggedText(listings: readonly TaggedListing[]): string {
  return listings
    .map((one) => `${listingText(one)}, with tag ${one.tags.map(plain).join(" or ")}`)
    .join("; ");
}

/** Every whitelist's entry that an argument of a call, or of one in it, is named by. */
export function listingsIn(call: Call): Listing[] {
  const own = call.arguments.flatMap(({ whitelists = [] }) => whitelists);
  return [...own, ...call.calls.flatMap(listingsIn)];
}

function argumentText(argument: Call["arguments"][number]): string {
  const { whitelists = [] } = argument;
  const named = whitelists.map(listingText).join("; ");
  return `${valueText(argument)}${named === "" ? "" : ` (${named})`}`;
}

function valueText({ value, readable }: Call["arguments"][number]): string {
  if (readable !== undefined)
    return `${plainReadable(readable)} (${String(value)} base units, unit by the server)`;
  return typeof value === "string" ? plain(value) : quote(JSON.stringify(value));
}

function plainReadable(text: string): string {
  return /^[ -~]{1,100}$/.test(text) ? text : quote(text);
}

/** What a message says, and the digests that a second device can compare. */
export function messageLines(message: Message["content"]): string[] {
  if (message === null) return [];
  if (message.kind === "EIP-191")
    return [`The text ${quote(message.text)}`, `ERC-191 Digest ${message["ERC-191 Digest"]}`];
  return [
    `Typed data ${quote(message.primaryType)}`,
    ...(["EIP-712 Digest", "Domain Hash", "Message Hash"] as const).map(
      (name) => `${name} ${message[name]}`,
    ),
  ];
}
