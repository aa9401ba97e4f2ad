/**
 * Amounts between a person's text and base units. Everything here is text and BigInt: a JavaScript
 * number would round.
 */
import { CliError } from "../../errors.ts";

/** A unit of an asset: one of it is 10^magnitude base units. */
export interface Unit {
  /** As the asset spells it; case counts. */
  readonly code: string;
  readonly magnitude: number;
}

/** An amount in both forms, for a reader. */
export interface Amount {
  /** Digits of the base unit, as they arrived. */
  readonly base: string;
  /** Undefined decimals, or digits that are not plain, leave this and `text` null. */
  readonly decimal: string | null;
  readonly unit: string | null;
  /** `0.007 BTC`: what `--amount` takes, giving the same base. */
  readonly text: string | null;
  readonly decimals: number | null;
  /** Where the decimals come from. */
  readonly decimalsSource: string | null;
}

const MOST_DIGITS = 78;

/** The base digits that a text means, and the unit that it names. */
export interface ParsedAmount {
  readonly base: string;
  readonly unit: Unit;
}

/**
 * Reads `<number> <unit>`: plain ASCII digits, at most one point, one space, a unit of the asset.
 * Never rounds. Throws INVALID_AMOUNT with what is wrong, UNKNOWN_UNIT with the asset's units.
 */
export function parseAmount(text: string, units: readonly Unit[], option: string): ParsedAmount {
  const match = /^((?:0|[1-9][0-9]*)(?:\.[0-9]+)?) (\S+)$/.exec(text);
  const form = `Write ${option} as a number, one space and a unit: ${codesOf(units)}; or give base units with ${option}Base.`;
  if (match === null) throw invalid(text, option, mistakeOf(text, option), form);
  const [, number = "", code = ""] = match;
  const unit = units.find((one) => one.code === code || typed(one.code) === code);
  if (unit === undefined) throw unknownUnit(code, units, option);
  const [whole = "", fraction = ""] = number.split(".");
  if (fraction.length > unit.magnitude) {
    const most = `${unit.code} has at most ${unit.magnitude} decimals; nothing is rounded.`;
    throw invalid(text, option, most, form);
  }
  const digits = `${whole}${fraction.padEnd(unit.magnitude, "0")}`.replace(/^0+(?=.)/, "");
  if (digits.length > MOST_DIGITS)
    throw invalid(text, option, `it has more than ${MOST_DIGITS} digits.`, form);
  if (digits === "0")
    throw invalid(text, option, ZERO, `Write ${option} as a number above zero, with its unit.`);
  return { base: digits, unit };
}

/**
 * Reads whole base units: plain digits, not zero. Throws INVALID_AMOUNT.
 */
export function parseBase(text: string, option: string): string {
  if (!isPlain(text) || text.length > MOST_DIGITS)
    throw invalid(
      text,
      option,
      "base units are digits only, without a unit, sign or point.",
      `Write ${option} as at most ${MOST_DIGITS} digits.`,
    );
  if (text === "0")
    throw invalid(text, option, ZERO, `Write ${option} as digits, the first of them not 0.`);
  return text;
}

/** Whether digits are plain: no sign, point, exponent or leading zero. */
export function isPlain(digits: string): boolean {
  return /^(?:0|[1-9][0-9]*)$/.test(digits);
}

/** The decimal form of plain base digits, trailing zeros dropped: 700000, 8 → `0.007`. */
export function toDecimal(base: string, decimals: number): string {
  const digits = base.padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** Trailing and leading numbers of places for a percentage: three decimals, half up. */
const PERCENT_SCALE = 100_000n;

/**
 * `fee` in percent of `amount`, both plain base digits of one asset: at most three decimals, half
 * up, trailing zeros dropped, `<0.001` below that. Undefined when the amount is zero.
 */
export function percentOf(fee: string, amount: string): string | undefined {
  const [part, total] = [BigInt(fee), BigInt(amount)];
  if (total === 0n) return undefined;
  const thousandths = (2n * part * PERCENT_SCALE + total) / (2n * total);
  if (thousandths === 0n) return part === 0n ? "0" : "<0.001";
  return toDecimal(`${thousandths}`, 3);
}

/** Whether `fee` is at least a tenth of `amount`; both plain base digits of one asset. */
export function isTenthOrMore(fee: string, amount: string): boolean {
  return BigInt(fee) * 10n >= BigInt(amount);
}

/**
 * A unit as a keyboard writes it. One folding only: Ledger's own asset list spells testnet units
 * with U+1D69D, a mathematical letter.
 */
function typed(code: string): string {
  return code.startsWith("\u{1D69D}") ? `t${code.slice(2)}` : code;
}

/** What is wrong with a text that is not an amount; the first row that fits. */
const MISTAKES: readonly (readonly [form: RegExp, message: string])[] = [
  [/^$/, "it is empty."],
  [/^[0-9]+(\.[0-9]+)?$/, "it has no unit; whole base units go to {option}Base."],
  [/^ *(all|max|everything)( |$)/i, "a number is needed, not a word."],
  [/%/, "a percentage is not an amount."],
  [/^[-+\u2212]/, "it has a sign."],
  [/^0x/i, "it is hexadecimal."],
  [/^(nan|inf|infinity)( |$)/i, "it is not a number."],
  [/^[$€£¥]|[$€£¥]$/, "fiat is not an asset of an account."],
  [/^[0-9.]*[0-9]e[-+]?[0-9]/i, "it has an exponent."],
  [/^[0-9.]*[,_'’][0-9]/, "it has separators between digits; write digits and at most one point."],
  [/^[0-9.]+ [0-9]/, "it has a space inside the number."],
  [/^\./, "a digit is missing before the point."],
  [/^[0-9]+\.( |$)/, "a digit is missing after the point."],
  [/^0[0-9]/, "it has leading zeros."],
  [/^[0-9]+\.[0-9]+\./, "it has two points."],
  [/^[0-9.]+[A-Za-z]/, "one space is missing before the unit."],
  [/^[\p{Nd}.]+/u, "its digits or its space are not plain ASCII, or there is more than one space."],
];

function mistakeOf(text: string, option: string): string {
  const known = MISTAKES.find(([form]) => form.test(text));
  return known?.[1].replace("{option}", option) ?? "it is not a number, one space and a unit.";
}

const ZERO = "it is zero.";

function codesOf(units: readonly Unit[]): string {
  return units.length === 0 ? "the asset's" : units.map(({ code }) => code).join(", ");
}

function invalid(text: string, option: string, why: string, hint: string): CliError {
  return new CliError("INVALID_AMOUNT", {
    message: `${option} ${JSON.stringify(cut(text))} is not accepted: ${why}`,
    field: option,
    hint,
  });
}

function unknownUnit(code: string, units: readonly Unit[], option: string): CliError {
  const known = units.map((unit) => unit.code);
  const near = known.find((one) => one.toLowerCase() === code.toLowerCase());
  const why =
    near === undefined ? "is not a unit of this asset" : `is spelled ${JSON.stringify(near)} here`;
  return new CliError("UNKNOWN_UNIT", {
    message: `The unit ${JSON.stringify(cut(code))} ${why}; its units are ${known.join(", ")}.`,
    field: option,
    details: { units: known },
  });
}

const LONGEST_QUOTE = 60;

function cut(text: string): string {
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
}
