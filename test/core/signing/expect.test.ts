/** `--expect`: values that must be in a challenge. */
import { describe, expect, test } from "bun:test";
import { expectLeaves } from "../../../src/core/signing/review.ts";
import { CliError } from "../../../src/errors.ts";
import { encode, exact } from "../../../src/io/json.ts";
import { challengeOf, EVM_RECIPIENT, NONCE } from "./reviewing.ts";

describe("--expect", () => {
  const text = `{"antireplay":"${NONCE}","data":{"transaction_data":{"amount":"1000","currency":"bitcoin testnet","max_fees":4018,"memo":{"type":"MEMO_TEXT"},"recipient":"${EVM_RECIPIENT}","list":[{"a":1},{"a":2}]},"transaction_type":"SEND"},"type":"APPROVE_TRANSACTION"}`;
  const unmet = (expected: string, challenge = text): string[] =>
    expectLeaves(challengeOf(challenge), exact(expected)).differences.map(
      ({ field, challenge: found, expected: wanted, source }) =>
        `${field}: ${encode(found)} ≠ ${encode(wanted)} (${source})`,
    );

  for (const expected of [
    '{"amount":"1000"}',
    '{"amount":1000}',
    '{"maxFees":"4018","transactionType":"SEND"}',
    '{"currency":"bitcoin_testnet"}',
    `{"recipient":"${EVM_RECIPIENT.toLowerCase()}"}`,
    '{"data":{"transactionData":{"amount":"1000","maxFees":4018}}}',
    '{"data":{"transaction_data":{"memo":{"type":"MEMO_TEXT"}}}}',
    '{"list":[{"a":1},{"a":2}]}',
    `{"antireplay":"${NONCE}"}`,
  ]) {
    test(`holds: ${expected}`, () => expect(unmet(expected)).toEqual([]));
  }

  for (const [expected, difference] of [
    ['{"amount":"1001"}', 'data.transaction_data.amount: "1000" ≠ "1001" (expect)'],
    ['{"amount":"1e3"}', 'data.transaction_data.amount: "1000" ≠ "1e3" (expect)'],
    ['{"amount":{"value":"1000"}}', 'amount: null ≠ {"value":"1000"} (expect)'],
    ['{"amount":["1000"]}', 'data.transaction_data.amount: "1000" ≠ ["1000"] (expect)'],
    ['{"memo":{}}', 'data.transaction_data.memo: {"type":"MEMO_TEXT"} ≠ {} (expect)'],
    ['{"memo":null}', 'data.transaction_data.memo: {"type":"MEMO_TEXT"} ≠ null (expect)'],
    ['{"tag":null}', "tag: null ≠ null (expect)"],
    ['{"tag":"1"}', 'tag: null ≠ "1" (expect)'],
    ['{"transactionData":{"amount":"1000"}}', 'transactionData: null ≠ {"amount":"1000"} (expect)'],
    ['{"data":{"amount":"1000"}}', 'data.amount: null ≠ "1000" (expect)'],
    [
      '{"type":"APPROVE_TRANSACTION"}',
      'type: ["MEMO_TEXT","APPROVE_TRANSACTION"] ≠ "APPROVE_TRANSACTION" (expect)',
    ],
    ['{"list":[{"a":1}]}', 'data.transaction_data.list: [{"a":1},{"a":2}] ≠ [{"a":1}] (expect)'],
    ['{"list":[{"a":2},{"a":1}]}', "data.transaction_data.list[0].a: 1 ≠ 2 (expect)"],
    ['{"a":1}', "a: [1,2] ≠ 1 (expect)"],
    ['{"toString":"x"}', 'toString: null ≠ "x" (expect)'],
    ['{"__proto__":"x"}', '__proto__: null ≠ "x" (expect)'],
  ] as const) {
    test(`does not hold: ${expected}`, () => expect(unmet(expected)[0]).toBe(difference));
  }

  test("every value that is absent is named", () => {
    expect(
      unmet('{"amount":"1","recipient":"x","maxFees":"4018","tag":1}').map(
        (line) => line.split(":")[0],
      ),
    ).toEqual(["data.transaction_data.amount", "data.transaction_data.recipient", "tag"]);
  });

  test("a decoy of the same name elsewhere, or in another spelling, makes it ambiguous", () => {
    for (const decoy of [
      text.replace('{"antireplay"', '{"amount":"1000","antireplay"'),
      text.replace('"memo":{', '"memo":{"amount":"1000",'),
      text.replace('"list":[{"a":1}', '"list":[{"a":1,"amount":"1000"}'),
      text.replace('"amount"', '"Amount":"9","amount"'),
    ]) {
      expect(decoy).not.toBe(text);
      expect(unmet('{"amount":"1000"}', decoy).length).toBe(1);
    }
    expect(
      unmet(
        '{"data":{"transaction_data":{"amount":"1000"}}}',
        text.replace('{"antireplay"', '{"amount":"9","antireplay"'),
      ),
    ).toEqual([]);
    expect(
      unmet(
        '{"data":{"transaction_data":{"amount":"1000"}}}',
        text.replace('"amount"', '"Amount":"9","amount"'),
      ).length,
    ).toBe(1);
  });

  test("both spellings of a name are expected, so both must hold", () => {
    expect(unmet('{"maxFees":"4018","max_fees":"1"}')).toEqual([
      'data.transaction_data.max_fees: 4018 ≠ "1" (expect)',
    ]);
  });

  test("works on a shape that is not known, and on nothing", () => {
    expect(unmet('{"amount":"1"}', '{"x":{"amount":"1"}}')).toEqual([]);
    expect(unmet('{"amount":"1"}', "hello").length).toBe(1);
    expect(unmet('{"amount":"1"}', "{}").length).toBe(1);
  });

  test("an expectation of nothing is refused, it would confirm everything", () => {
    for (const expected of ["{}", "[]", '"x"', "null", "[1]"]) {
      let code = "";
      try {
        expectLeaves(challengeOf(text), exact(expected));
      } catch (failure) {
        code = failure instanceof CliError ? failure.code : String(failure);
      }
      expect(code).toBe("INVALID_ARGUMENT");
    }
  });
});
