/**
 * What a request or a challenge would do, read with the catalogue of request types. Everything in
 * it must be explained: one unknown member makes it unreadable.
 */
import { type Exact, print } from "../../io/json.ts";
import { type Content, onlyValue, readContent } from "../meaning/content.ts";
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
  const [amount, recipient] = [onlyValue(content, "amount"), onlyValue(content, "address")];
  if (amount?.text === undefined || !DIGITS.test(amount.text))
    return { unreadable: amount?.path ?? "data.amount" };
  if (recipient?.text === undefined) return { unreadable: "data.recipient" };
  const fee = onlyValue(content, "fee");
  if (fee !== undefined && !DIGITS.test(fee.text ?? "")) return { unreadable: fee.path };
  const gas = gasOf(content);
  if (gas !== undefined && typeof gas !== "bigint") return gas;
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
    fee: fee?.text === undefined ? undefined : largest(BigInt(fee.text), gas),
    strategy: values.find(({ path }) => /\.fees_?strategy\.type$/i.test(path))?.text,
    noteLength: isTagAlone(textAt("note.title"), textAt("note.content"))
      ? 0
      : notes.reduce((sum, { text }) => sum + [...withoutTag(text ?? "")].length, 0),
  };
}

function largest(one: bigint, other = 0n): bigint {
  return one > other ? one : other;
}

/**
 * What a custom strategy may spend, price × limit of gas: it counts where it is above the ceiling
 * that the document names beside it. Undefined without one.
 */
function gasOf(content: Content): bigint | Unreadable | undefined {
  const [limit, price] = [onlyValue(content, "gas"), onlyValue(content, "gasPrice")];
  if (limit === undefined || price === undefined) return undefined;
  const odd = [limit, price].find(({ text = "" }) => !DIGITS.test(text));
  if (odd !== undefined) return { unreadable: odd.path };
  return BigInt(limit.text ?? "") * BigInt(price.text ?? "");
}
