/** Amounts: what is accepted, what is refused and why, and that nothing is ever rounded. */
import { describe, expect, test } from "bun:test";
import { formatUnits as ethersFormat, parseUnits as ethersParse } from "ethers";
import { formatUnits as viemFormat, parseUnits as viemParse } from "viem";
import {
  isTenthOrMore,
  parseAmount,
  parseBase,
  percentOf,
  toDecimal,
  type Unit,
} from "../../../src/core/meaning/amount.ts";
import { CliError } from "../../../src/errors.ts";
import { FUZZ_FACTOR, FUZZ_SEED, Random } from "../../support/random.ts";

const BITCOIN: readonly Unit[] = [
  { code: "sat", magnitude: 0 },
  { code: "bit", magnitude: 2 },
  { code: "mBTC", magnitude: 5 },
  { code: "BTC", magnitude: 8 },
];

const parse = (text: string, units = BITCOIN) => parseAmount(text, units, "--amount").base;

function refusal(work: () => unknown): CliError {
  try {
    work();
  } catch (cause) {
    if (cause instanceof CliError) return cause;
    throw cause;
  }
  throw new Error("It was accepted.");
}

test.each([
  ["0.007 BTC", "700000"],
  ["0.00700000 BTC", "700000"],
  ["1 BTC", "100000000"],
  ["700000 sat", "700000"],
  ["7000.00 bit", "700000"],
  ["7 mBTC", "700000"],
  ["0.00000001 BTC", "1"],
  ["21000000 BTC", "2100000000000000"],
])("M01 %s is %s base units", (text, base) => {
  expect(parse(text)).toBe(base);
});

/** Each spelling that the grammar does not have, and a word of the sentence that says why. */
const REFUSED: readonly (readonly [text: string, why: string])[] = [
  ["", "empty"],
  ["15000", "no unit"],
  ["0.007", "--amountBase"],
  ["1e3 BTC", "exponent"],
  ["1E-3 BTC", "exponent"],
  ["1,000 BTC", "separators"],
  ["0,007 BTC", "separators"],
  ["1_000 BTC", "separators"],
  ["1'000 BTC", "separators"],
  ["1 000 BTC", "space inside"],
  ["-1 BTC", "sign"],
  ["+1 BTC", "sign"],
  ["−1 BTC", "sign"],
  [".5 BTC", "before the point"],
  ["5. BTC", "after the point"],
  ["007 BTC", "leading zeros"],
  ["00.7 BTC", "leading zeros"],
  ["1.2.3 BTC", "two points"],
  ["0x10 BTC", "hexadecimal"],
  ["NaN BTC", "not a number"],
  ["Infinity BTC", "not a number"],
  ["50% BTC", "percentage"],
  ["all BTC", "not a word"],
  ["max", "not a word"],
  ["$5", "fiat"],
  ["0.007BTC", "space is missing"],
  ["0.007  BTC", "more than one space"],
  ["0.007\u00A0BTC", "plain ASCII"],
  ["0.007\tBTC", "plain ASCII"],
  ["٠.٠٠٧ BTC", "plain ASCII"],
  ["１ BTC", "plain ASCII"],
  [" 1 BTC", "not a number, one space and a unit"],
  ["1 BTC ", "plain ASCII"],
  ["1 BTC\n", "plain ASCII"],
  ["BTC 1", "not a number, one space and a unit"],
  ["0 BTC", "zero"],
  ["0.00000000 BTC", "zero"],
  [`1${"0".repeat(71)} BTC`, "78 digits"],
];

test.each(REFUSED)("M01 %p is refused, because %s", (text, why) => {
  const { code, facts } = refusal(() => parse(text));
  expect([code, facts.field]).toEqual(["INVALID_AMOUNT", "--amount"]);
  expect(facts.message).toContain(why);
});

test("M01 a unit in another case, or of another asset, is refused with the asset's units", () => {
  for (const code of ["btc", "MBTC", "Sat", "ETH", "tBTC", "USD", "constructor"]) {
    const { code: failure, facts } = refusal(() => parse(`1 ${code}`));
    expect([failure, facts.details]).toEqual([
      "UNKNOWN_UNIT",
      { units: ["sat", "bit", "mBTC", "BTC"] },
    ]);
  }
  expect(refusal(() => parse("1 btc")).message).toContain('is spelled "BTC" here');
});

test("M01 only a leading mathematical t may be typed as t", () => {
  const units = [{ code: "\u{1D69D}BTC", magnitude: 8 }];
  expect(parse("1 tBTC", units)).toBe("100000000");
  expect(parse("1 \u{1D69D}BTC", units)).toBe("100000000");
  expect(refusal(() => parse("1 BTC", units)).code).toBe("UNKNOWN_UNIT");
});

test("M02 excess decimals are refused, trailing zeros included, and never rounded", () => {
  for (const text of ["0.000000001 BTC", "0.000000010 BTC", "1.0 sat", "0.005 bit"])
    expect(refusal(() => parse(text)).message).toContain("nothing is rounded");
  // What viem makes of it: 1 base unit out of half of one.
  expect(viemParse("0.000000005", 8)).toBe(1n);
});

test("M03 a number without a unit is refused, and the message names --amountBase", () => {
  for (const text of ["15000", "0", "0.5", "1000000000000000000"])
    expect(refusal(() => parse(text)).message).toContain("--amountBase");
});

test("M01 M03 the hint names the option at fault, and what it takes", () => {
  const hintOf = (make: () => unknown) => refusal(make).facts.hint;
  expect(hintOf(() => parse("0 BTC"))).toBe(
    "Write --amount as a number above zero, with its unit.",
  );
  expect(hintOf(() => parseBase("0", "--amountBase"))).toBe(
    "Write --amountBase as digits, the first of them not 0.",
  );
  const fee = refusal(() => parseAmount("15000", [{ code: "BTC", magnitude: 8 }], "--maxFees"));
  expect([fee.message, fee.facts.hint]).toEqual([
    '--maxFees "15000" is not accepted: it has no unit; whole base units go to --maxFeesBase.',
    "Write --maxFees as a number, one space and a unit: BTC; or give base units with --maxFeesBase.",
  ]);
});

test("M03 --amountBase takes plain digits only", () => {
  expect(parseBase("700000", "--amountBase")).toBe("700000");
  for (const text of ["0", "007", "1.0", "1e3", "-1", "700000 sat", "", " 1", "1".repeat(79)])
    expect(refusal(() => parseBase(text, "--amountBase")).code).toBe("INVALID_AMOUNT");
});

function* digits(count: number): Generator<readonly [base: string, decimals: number]> {
  const random = new Random(FUZZ_SEED);
  for (let n = 0; n < count * FUZZ_FACTOR; n += 1) {
    const rest = Array.from({ length: random.below(78) }, () => random.below(10)).join("");
    yield [`${1 + random.below(9)}${rest}`, random.below(37)];
  }
}

test("M04 decimal and base are each other's inverse, and two libraries agree", () => {
  for (const [base, decimals] of digits(3000)) {
    const decimal = toDecimal(base, decimals);
    const units = [{ code: "X", magnitude: decimals }];
    expect(parse(`${decimal} X`, units)).toBe(base);
    expect(viemFormat(BigInt(base), decimals)).toBe(decimal);
    expect(viemParse(decimal, decimals)).toBe(BigInt(base));
    if (base.length < 77) {
      expect(ethersFormat(base, decimals).replace(/\.0$/, "")).toBe(decimal);
      expect(ethersParse(decimal, decimals)).toBe(BigInt(base));
    }
  }
});

test("M05 no code of amounts holds a JavaScript number", async () => {
  const text = await Bun.file(
    new URL("../../../src/core/meaning/amount.ts", import.meta.url),
  ).text();
  expect(text).not.toMatch(/\bNumber\b|parseFloat|parseInt|Math\.|toFixed/);
});

describe("percent of a fee", () => {
  test.each([
    ["4018", "700000", "0.574"],
    ["1", "3", "33.333"],
    ["2", "3", "66.667"],
    ["5", "1000000", "0.001"],
    ["4", "1000000", "<0.001"],
    ["0", "1000000", "0"],
    ["10", "100", "10"],
    ["1", "0", undefined],
  ])("M33 %s of %s is %s percent", (fee, amount, percent) => {
    expect(percentOf(fee, amount)).toBe(percent);
  });

  test("M33 the warning begins at exactly a tenth", () => {
    expect([isTenthOrMore("9", "100"), isTenthOrMore("10", "100")]).toEqual([false, true]);
  });
});
