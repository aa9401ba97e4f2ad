/**
 * What a request or a challenge would do, read with the catalogue of request types. Everything in
 * it must be explained: one unknown member makes it unreadable.
 */
import { type Exact, print } from "../../io/json.ts";
import { onlyValue, readContent, type Value } from "../meaning/content.ts";
import type { Kind } from "../meaning/requests.ts";
import { leastFee } from "../meaning/strategy.ts";
import { isTagAlone, withoutTag } from "../state/tag.ts";

/** A payment, as its document says it. */
export interface Payment {
  readonly type: string;
  readonly transactionType: string;
  readonly accountId: string | undefined;
  readonly accountName: string | undefined;
  readonly currency: string | undefined;
  /** Contract or mint that the document names. */
  readonly contract: string | undefined;
  readonly recipient: string;
  readonly tag: string | undefined;
  /** Compact JSON of the memo. */
  readonly memo: string | undefined;
  readonly amount: bigint;
  /** Ceiling of the fee; undefined where the document has none. */
  readonly fee: bigint | undefined;
  readonly strategy: string | undefined;
  /** Printable characters of title and content. */
  readonly noteLength: number;
}

/** Why a document cannot be decided about: the path of what is at fault. */
export interface Unreadable {
  readonly unreadable: string;
}

const DIGITS = /^(0|[1-9]\d{0,77})$/;

/** Reads a request, wrapped or not, or a decoded challenge. */
export function readPayment(document: Exact): Payment | Unreadable {
  const content = readContent(document);
  const { type, transactionType, shape, unexplained, values } = content;
  if (type === undefined) return { unreadable: "type" };
  if (shape?.type !== "CREATE_TRANSACTION" || transactionType === undefined)
    return { unreadable: "type" };
  const [first] = unexplained;
  if (first !== undefined) return { unreadable: first };
  const odd = values.find(({ kind }) => ["call", "hex", "any", "message"].includes(kind));
  if (odd !== undefined) return { unreadable: odd.path };
  const twice = secondOf(values);
  if (twice !== undefined) return { unreadable: twice.path };
  const [amount, recipient] = [onlyValue(content, "amount"), onlyValue(content, "address")];
  if (amount?.text === undefined || !DIGITS.test(amount.text))
    return { unreadable: amount?.path ?? "data.amount" };
  if (recipient?.text === undefined) return { unreadable: "data.recipient" };
  const fee = onlyValue(content, "fee");
  if (fee !== undefined && !DIGITS.test(fee.text ?? "")) return { unreadable: fee.path };
  const strategy = values.find(({ path }) => /\.fees_?strategy\.type$/i.test(path));
  const custom = customOf(values);
  if (typeof custom === "object") return custom;
  // A custom strategy that chooses nothing leaves it to the server.
  if (strategy?.text === "CUSTOM" && custom === undefined) return { unreadable: strategy.path };
  const memo = onlyValue(content, "memo");
  const notes = values.filter(({ path }) => path.startsWith("note."));
  const textAt = (wanted: string) => notes.find(({ path }) => path === wanted)?.text;
  return {
    type,
    transactionType,
    accountId: onlyValue(content, "accountId")?.text,
    accountName: onlyValue(content, "accountName")?.text,
    currency: onlyValue(content, "currency")?.text,
    contract: (onlyValue(content, "contract") ?? onlyValue(content, "mint"))?.text,
    recipient: recipient.text,
    tag: onlyValue(content, "tag")?.text,
    memo: memo && print(memo.node),
    amount: BigInt(amount.text),
    fee: fee?.text === undefined ? undefined : largest(BigInt(fee.text), custom),
    strategy: strategy?.text,
    noteLength: isTagAlone(textAt("note.title"), textAt("note.content"))
      ? 0
      : notes.reduce((sum, { text }) => sum + [...withoutTag(text ?? "")].length, 0),
  };
}

function largest(one: bigint, other = 0n): bigint {
  return one > other ? one : other;
}

/** Kinds that a payment has once: of two, no one knows which the API would take. */
const ONCE: ReadonlySet<Kind> = new Set([
  ...(["amount", "address", "tag", "memo", "fee", "gas", "gasPrice", "feeRate"] as const),
  ...(["accountId", "accountName", "currency", "contract", "mint"] as const),
]);

/** The first value of a kind that was there before. */
function secondOf(values: readonly Value[]): Value | undefined {
  const seen = new Set<Kind>();
  return values.find(({ kind }) => {
    const isAgain = ONCE.has(kind) && seen.has(kind);
    seen.add(kind);
    return isAgain;
  });
}

const ABOVE_ZERO = /^[1-9]\d{0,77}$/;
const PLAIN_RATE = /^(0|[1-9]\d{0,77})(\.\d{1,77})?$/;

/**
 * What a custom strategy may spend, or spends at least: it counts where it is above the ceiling
 * that the document names beside it. Undefined without one. A price that cannot be multiplied,
 * because its limit is missing, no number or zero, bounds nothing.
 */
function customOf(values: readonly Value[]): bigint | Unreadable | undefined {
  const of = (wanted: Kind) => values.find(({ kind }) => kind === wanted);
  const [limit, price, rate] = [of("gas"), of("gasPrice"), of("feeRate")];
  if (rate !== undefined) {
    const least = PLAIN_RATE.test(rate.text ?? "") ? leastFee(rate.text ?? "") : undefined;
    return least ?? { unreadable: rate.path };
  }
  if (limit === undefined && price === undefined) return undefined;
  const odd = [limit, price].find((one) => one !== undefined && !ABOVE_ZERO.test(one.text ?? ""));
  const lonely = limit === undefined ? price : price === undefined ? limit : undefined;
  const fault = odd ?? lonely;
  if (fault !== undefined) return { unreadable: fault.path };
  return BigInt(limit?.text ?? "") * BigInt(price?.text ?? "");
}
