/** Fees that a document chooses itself: what cannot be multiplied out is not decided about. */
import { expect, test } from "bun:test";
import { debitOf, requireAllowed } from "../../../src/core/policy/decide.ts";
import { readPayment } from "../../../src/core/policy/read.ts";
import { exact } from "../../../src/io/json.ts";
import {
  ACCOUNT,
  actOf,
  DATA,
  DAY,
  FILE,
  failureOf,
  HOSTING,
  policyOf,
  REQUEST,
} from "../../support/policy.ts";

const HUGE = "9".repeat(30);

const custom = (data: unknown) => ({
  ...REQUEST,
  data: { ...DATA, feesStrategy: { type: "CUSTOM", data } },
});
const read = (request: object) => readPayment(exact(JSON.stringify(request)));

test.each<[string, object, string]>([
  ["without a limit", { gasPrice: HUGE }, "gasPrice"],
  ["with a limit that is null", { gasLimit: null, gasPrice: HUGE }, "gasPrice"],
  ["with a limit of zero", { gasLimit: "0", gasPrice: HUGE }, "gasLimit"],
  ["with a limit that is not a number", { gasLimit: "1e9", gasPrice: HUGE }, "gasLimit"],
  ["with a limit that has leading zeros", { gasLimit: "021000", gasPrice: HUGE }, "gasLimit"],
  ["of zero", { gasLimit: "21000", gasPrice: "0" }, "gasPrice"],
  ["that is null", { gasLimit: "21000", gasPrice: null }, "gasLimit"],
  ["below zero", { gasLimit: "21000", gasPrice: "-1" }, "gasPrice"],
  ["beside a tip", { gasLimit: "21000", gasPrice: HUGE, priorityFees: "1" }, "priorityFees"],
  ["beside a tip of zero", { priorityFees: "0", gasLimit: "21000", gasPrice: HUGE }, "gasPrice"],
])("A4 A6 a gas price %s makes the request unreadable", (_, data, member) => {
  expect(read(custom(data))).toEqual({ unreadable: `data.feesStrategy.data.${member}` });
});

test.each<[string, object, string]>([
  ["without a limit", { priorityFees: HUGE }, "priorityFees"],
  ["with a limit that is null", { priorityFees: HUGE, gasLimit: null }, "priorityFees"],
  ["with a limit of zero", { priorityFees: HUGE, gasLimit: "0" }, "gasLimit"],
])("A4 A6 a tip %s makes the request unreadable", (_, data, member) => {
  expect(read(custom(data))).toEqual({ unreadable: `data.feesStrategy.data.${member}` });
});

test.each([{}, null, { gasLimit: null, gasPrice: null }])(
  "A4 A6 a custom strategy that chooses nothing is not decided about: %j",
  (data) => {
    expect(read(custom(data))).toEqual({ unreadable: "data.feesStrategy.type" });
  },
);

test("A4 A6 the older challenge's gas price without its limit is unreadable, too", () => {
  const properties = { "Max gas price": `wei ${HUGE}` };
  const document = { ...REQUEST, "Transaction properties": properties };
  expect(read(document)).toEqual({ unreadable: "Transaction properties.Max gas price" });
});

test("A4 two ceilings of one payment are unreadable: which one counts is not known", () => {
  const document = { ...REQUEST, "Transaction properties": { "Max total fees": "wei 1" } };
  expect(read(document)).toEqual({ unreadable: "Transaction properties.Max total fees" });
});

const COIN = { currency: "bitcoin" };
const SHOP = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";

/** A Bitcoin payment that chooses its fee for one byte, and a rule that lets it. */
function bitcoin(feesPerByte: unknown) {
  const rule = {
    ...{ ...HOSTING, transactionTypes: ["BITCOIN_LIKE_SEND"], asset: COIN, perRequest: "100" },
    destinations: [{ address: SHOP }],
    fees: { strategies: ["CUSTOM"], max: "5000" },
  };
  const policy = policyOf({
    ...FILE,
    allow: [rule],
    windows: [{ ...DAY, asset: COIN, amount: "9999" }],
  });
  const transactionData = {
    ...{ accountName: "Main", amount: "5", currency: "bitcoin", recipient: SHOP, maxFees: "4000" },
  };
  const request = {
    type: "CREATE_TRANSACTION",
    data: {
      ...{ accountId: "A1", transactionType: "BITCOIN_LIKE_SEND", transactionData },
      feesStrategy: { type: "CUSTOM", data: { feesPerByte } },
    },
  };
  const account = { ...ACCOUNT, currency: "bitcoin", contract: null };
  return { policy, request, act: () => actOf(request, { account }) };
}

test.each(["0", "0.000", "1e9", "-1", "01", ".5", ""])(
  "A4 A6 Bitcoin: a fee of %p for one byte makes the request unreadable",
  (rate) => {
    expect(read(bitcoin(rate).request)).toEqual({
      unreadable: "data.feesStrategy.data.feesPerByte",
    });
  },
);

test("A4 A6 Bitcoin: a custom strategy without a fee for one byte is unreadable", () => {
  expect(read(bitcoin(null).request)).toEqual({ unreadable: "data.feesStrategy.type" });
});

test("A6 Bitcoin: what the smallest payment costs at a rate counts against the ceiling", () => {
  // 82 bytes are the least; the document's own ceiling is 4000, the rule's 5000.
  for (const [rate, fee] of [
    ["12", "4000"],
    ["60.9", "4994"],
    ["60.97", "5000"],
    [12.5, "4000"],
  ] as const) {
    const { policy, act } = bitcoin(rate);
    expect(requireAllowed(policy, act())).toEqual(["hosting"]);
    expect(debitOf(act()).fee).toBe(fee);
  }
  for (const rate of ["60.98", HUGE]) {
    const { policy, act } = bitcoin(rate);
    expect(failureOf(() => requireAllowed(policy, act())).details.field).toBe("fees");
  }
});
