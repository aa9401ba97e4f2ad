/** What a custom fee strategy may spend, and where nothing bounds it. Pure. */
import { isPlain } from "./amount.ts";
import { type Content, onlyValue } from "./content.ts";
import type { Kind } from "./requests.ts";

/** The smallest payment: 10 bytes around an input of 41, signature apart, and an output of 31. */
const LEAST_BYTES = 82n;

/**
 * What a fee for each byte, as plain digits, costs at least in base units: the size is not known
 * before the API makes the transaction. Undefined for anything else, and for nothing.
 */
export function leastFee(rate: string): bigint | undefined {
  const [, whole = "", fraction = ""] = /^(\d{1,78})(?:\.(\d{1,78}))?$/.exec(rate) ?? [];
  const price = BigInt(whole + fraction);
  const scale = 10n ** BigInt(fraction.length);
  return price === 0n ? undefined : (price * LEAST_BYTES + scale - 1n) / scale;
}

/**
 * What contradicts a fee limit in base units: price × limit of gas, or the least that a price of a
 * byte costs. One sentence each. For a content that is not unbounded.
 */
export function conflictsOf(content: Content, limit: string): string[] {
  const [gas, price, rate] = (["gas", "gasPrice", "feeRate"] as const).map(
    (kind) => onlyValue(content, kind)?.text,
  );
  if (!isPlain(limit)) return [];
  const spent = price === undefined ? 0n : BigInt(gas ?? "0") * BigInt(price);
  const least = (rate === undefined ? undefined : leastFee(rate)) ?? 0n;
  return [
    ...(spent > BigInt(limit)
      ? [`Price and limit of gas allow a fee of ${spent} base units, more than the fee limit.`]
      : []),
    ...(least > BigInt(limit)
      ? [`At the price of a byte the fee is ${least} base units or more, above the fee limit.`]
      : []),
  ];
}

/**
 * Why a custom strategy may spend any amount, as the end of a sentence: prices need exactly one
 * limit above 0. Undefined where there is a bound, or no price.
 */
export function whyUnbounded({ values }: Content): string | undefined {
  const textsOf = (kind: Kind): string[] =>
    values.filter((one) => one.kind === kind).map(({ text = "" }) => text);
  const [limits, prices, rates] = [textsOf("gas"), textsOf("gasPrice"), textsOf("feeRate")];
  const isOne = (texts: readonly string[], form: RegExp): boolean =>
    texts.length === 1 && texts.every((text) => form.test(text));
  if (prices.length > 0 && !isOne(prices, /^[0-9]{1,78}$/))
    return "the price of gas is not one whole number";
  if (prices.length > 0 && !isOne(limits, /^(?=.{1,78}$)0*[1-9][0-9]*$/))
    return "the price of gas comes without one gas limit above zero";
  if (rates.length > 0 && !isOne(rates, /^[0-9]{1,78}(?:\.[0-9]+)?$/))
    return "the price of a byte is not one number";
  return undefined;
}
