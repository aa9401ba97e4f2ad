/** The parts of a summary as sentences; words of others are JSON strings in them. */
import { callLines, listingText, messageLines, taggedText } from "./dangers.ts";
import type { Call } from "./evm/call.ts";
import type { Message } from "./evm/message.ts";
import type { AmountPart, FeePart, RecipientPart, Summary } from "./parts.ts";
import { plain, quote } from "./words.ts";

/** What the sentences say; `means` is the catalogue's phrase for the request. */
export interface Parts {
  readonly means: string | undefined;
  /** Ticker of the network's coin, from the built-in table. */
  readonly ticker: string | undefined;
  readonly account: Summary["account"];
  /** False where another account of its network has, or may have, the same name. */
  readonly isAccountUnique: boolean;
  readonly amount: AmountPart | null;
  readonly fee: FeePart | null;
  readonly recipient: RecipientPart | null;
  readonly call: Call | null;
  readonly message: Message["content"];
  readonly others: Summary["others"];
}

/** Sentences in the order in which a person reads them. */
export function textOfParts(parts: Parts): string[] {
  const { means, ticker, amount, fee, recipient, call, message, others } = parts;
  const from = fromText(parts);
  const what = amount === null ? "" : `${amountText(amount, ticker)}`;
  const isSend = means?.startsWith("send") === true && amount !== null;
  const doing = `${capital(means ?? "move")}${what === "" ? "" : `: ${what}`}`;
  const isSaid = means !== undefined || what !== "";
  return [
    ...(isSaid ? [`${isSend ? `Send ${what}` : doing}${from}`] : []),
    ...(recipient === null ? [] : [recipientLine(recipient)]),
    ...(fee === null ? [] : [feeLine(fee, ticker)]),
    ...(call === null ? [] : callLines(call)),
    ...messageLines(message),
    ...others.map(({ name, value }) => `${capital(name.replaceAll("_", " "))} ${quote(value)}`),
  ];
}

/** The account by its name, and by its id where the name does not say which one it is. */
function fromText({ account, isAccountUnique }: Parts): string {
  if (account?.name == null) return "";
  const id = isAccountUnique || account.id === null ? "" : ` (id ${plain(account.id)})`;
  return ` from account ${quote(account.name)}${id}`;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** An amount in both forms with its contract; says where the unit is only a server's word. */
function amountText(
  { base, decimal, unit, contract }: Measured,
  ticker: string | undefined,
): string {
  const of = contract == null ? "" : ` of token ${plain(contract)}`;
  if (decimal === null || unit === null) return `${plain(base)} base units${of}`;
  const isKnown = contract == null && unit === ticker;
  const whose = isKnown ? "" : ", unit by the server";
  return `${decimal} ${plain(unit)} (${base} base units${whose})${of}`;
}

type Measured = Pick<AmountPart, "base" | "decimal" | "unit"> & {
  readonly contract?: string | null;
};

function recipientLine(recipient: RecipientPart): string {
  const { address, tag, memo, whitelists, whitelistsRead, otherTags = [] } = recipient;
  const beside = [
    tag === null ? "" : ` with tag ${plain(tag)}`,
    memo === null ? "" : ` with memo ${quote(memo)}`,
  ].join("");
  const named = whitelists.map(listingText);
  const unnamed = {
    all: "not on any whitelist you can read",
    some: "not on the whitelists that could be read; others could not",
    none: "whitelists could not be read",
  }[whitelistsRead];
  if (otherTags.length > 0) {
    const others = whitelistsRead === "all" ? "" : " (not all whitelists could be read)";
    named.push(`listed with another tag only${others}: ${taggedText(otherTags)}`);
  }
  return `To ${plain(address)}${beside}: ${named.length === 0 ? unnamed : named.join("; ")}`;
}

function feeLine(fee: FeePart, ticker: string | undefined): string {
  const { kind, percentOfAmount } = fee;
  const what = kind === "limit" ? "Fee at most" : "Priority fee at most";
  const percent = percentOfAmount === null ? "" : `, ${percentOfAmount} % of the amount`;
  return `${what} ${amountText(fee, ticker)}${percent}`;
}
