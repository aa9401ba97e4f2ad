/** When two names of a challenge and a request are one. */
import { describe, expect, test } from "bun:test";
import { DATA, NONCE, requestOf, review, simple, told } from "./reviewing.ts";

describe("specification §4 Review: names", () => {
  for (const [left, right] of [
    ["contract_address", "contractAddress"],
    ["max_fees", "maxFees"],
    ["UTXO_limit", "utxo_limit"],
    ["UTXO_limit", "UTXOLimit"],
    ["account_ID", "accountId"],
    ["maxFees", "max_fees"],
    ["max_fees", "MaxFees"],
  ] as const) {
    test(`${left} and ${right} are one name`, () => {
      const found = review(simple({ ...DATA, [left]: "9" }), requestOf({ ...DATA, [right]: "9" }));
      expect([found.match, found.unverified, found.requestOnly]).toEqual([true, [], []]);
      expect(
        review(simple({ ...DATA, [left]: "9" }), requestOf({ ...DATA, [right]: "8" })).match,
      ).toBe(false);
    });
  }

  for (const [left, right] of [
    ["to\u212aen_mint", "token_mint"],
    ["amount ", "amount"],
    ["max-fees", "max_fees"],
    ["maxfees", "max_fees"],
    ["аmount", "amount"],
    ["max__fees", "max_fees"],
  ] as const) {
    test(`${JSON.stringify(left)} and ${right} are two names`, () => {
      const { amount: _, ...rest } = DATA;
      const found = review(simple({ ...rest, [left]: "9" }), requestOf({ ...rest, [right]: "9" }));
      expect(found.unverified.length).toBe(2);
    });
  }

  test("two spellings of one name in a challenge are a difference, whichever agrees", () => {
    for (const [one, two] of [
      ["1", "4018"],
      ["4018", "1"],
      ["4018", "4018"],
    ]) {
      const found = review(
        simple({ ...DATA, max_fees: one, maxFees: two }),
        requestOf({ ...DATA, max_fees: "4018" }),
      );
      expect(found.match).toBe(false);
      expect(found.differences.map(({ field, source }) => [field, source])).toEqual([
        ["data.transaction_data.max_fees", "rule"],
        ["data.transaction_data.maxFees", "rule"],
      ]);
    }
  });

  test("… also at the top, around whole objects, in lists, and where the request has no such name", () => {
    const honest = simple(DATA);
    const spellings = [
      honest.replace('"type":', '"Type":"APPROVE_OTHER","type":'),
      honest.replace('"data":', '"Data":{"transaction_data":{"amount":"9"}},"data":'),
      honest.replace('"antireplay":', `"Antireplay":"${NONCE}","antireplay":`),
      honest.replace('"transaction_data":', '"transactionData":{"amount":"9"},"transaction_data":'),
      honest.replace('"amount":', '"list":[{"newName":1,"new_name":2}],"amount":'),
    ];
    for (const challenge of spellings) {
      const found = review(challenge, requestOf(DATA));
      expect([found.match, found.differences.length > 0]).toEqual([false, true]);
      expect(found.differences.every(({ source }) => source === "rule")).toBe(true);
    }
  });

  test("two spellings in a request are a difference when the challenge has the name", () => {
    const found = review(
      simple({ ...DATA, max_fees: "1" }),
      requestOf({ ...DATA, max_fees: "1", maxFees: "9" }),
    );
    expect(told(found)).toEqual(['data.transaction_data.max_fees: "1" ≠ ["1","9"] (server)']);
  });

  test("a name with a dot or a bracket does not read like a path, nor replace one", () => {
    const found = review(
      `{"antireplay":"${NONCE}","data":{"transaction_data.amount":"1","addresses[0]":"x","transaction_data":{"amount":"1"}},"type":"A"}`,
      {
        type: "A",
        data: { transaction_data: { amount: "1" }, addresses: ["x"] },
      },
    );
    expect(found.unverified).toEqual([
      'data."transaction_data.amount"',
      'data."addresses[0]"',
      "data.addresses[0]",
    ]);
  });

  test("prototype names are names like any other", () => {
    const text = (value: string): string =>
      `{"antireplay":"${NONCE}","data":{"transaction_data":{"__proto__":{"amount":"${value}"},"hasOwnProperty":"x"}},"type":"A"}`;
    const request =
      '{"type":"A","data":{"transaction_data":{"__proto__":{"amount":"1"},"hasOwnProperty":"x"}}}';
    expect(review(text("1"), request)).toMatchObject({
      match: true,
      differences: [],
      unverified: [],
      requestOnly: [],
    });
    expect(told(review(text("2"), request))).toEqual([
      'data.transaction_data.__proto__.amount: "2" ≠ "1" (server)',
    ]);
    const bare = review(text("1"), '{"type":"A","data":{"transaction_data":{"amount":"1"}}}');
    expect(bare.match).toBe(false);
    expect(bare.unverified.length).toBe(3);
  });

  test("amounts inside another object are another field", () => {
    const found = review(
      simple({ ...DATA, amount: "1", inner: { amount: "1000" } }),
      requestOf(DATA),
    );
    expect(found.differences.map(({ field }) => field)).toEqual(["data.transaction_data.amount"]);
    expect(found.unverified).toEqual(["data.transaction_data.inner.amount"]);
  });
});
