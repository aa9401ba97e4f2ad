/** When two values of a challenge and a request are one. */
import { describe, expect, test } from "bun:test";
import { exact } from "../../../src/io/json.ts";
import { EVM_RECIPIENT, pairOf, told, USDC } from "./reviewing.ts";

describe("specification §4 Review: values", () => {
  const rows: readonly (readonly [
    name: string,
    challenge: string,
    request: string,
    same: boolean,
  ])[] = [
    ["currency", '"bitcoin testnet"', '"bitcoin_testnet"', true],
    ["currency", '"bitcoin_testnet"', '"bitcoin testnet"', true],
    ["currency", '"bitcoin  testnet"', '"bitcoin_testnet"', false],
    ["currency", '"a_b_c"', '"a b c"', true],
    ["currency", '"a b c"', '"a_b_c"', true],
    ["currency", '"Bitcoin_testnet"', '"bitcoin_testnet"', false],
    ["currency", '"bitcoin-testnet"', '"bitcoin_testnet"', false],
    ["currency", '"bitcoin\\u00a0testnet"', '"bitcoin_testnet"', false],
    ["network", '"polygon pos"', '"polygon_pos"', true],
    ["account_name", '"my account"', '"my_account"', false],
    ["tag", "1000", "1000", true],
    ["tag", '"1000"', "1000", true],
    ["tag", "1000", '"1000"', true],
    ["tag", "1e3", "1000", false],
    ["tag", "1000.0", "1000", false],
    ["tag", '"01000"', '"1000"', false],
    ["tag", '"01000"', "1000", false],
    ["tag", "-0", "0", false],
    ["tag", '"+1000"', "1000", false],
    ["tag", '" 1000"', "1000", false],
    ["tag", '"１０００"', "1000", false],
    ["amount2", "9007199254740993", "9007199254740992", false],
    ["amount2", "12345678901234567890123", "12345678901234567890123", true],
    ["amount2", "0.1", "0.10", false],
    ["amount2", "1e400", "1e401", false],
    ["memo", '"caf\\u00e9"', '"café"', true],
    ["memo", '"cafe\\u0301"', '"café"', false],
    ["memo", '"true"', "true", false],
    ["memo", '"null"', "null", false],
    ["memo", "null", "null", true],
    ["memo", "{}", "{}", true],
    ["memo", "[]", "[]", true],
    ["memo", "{}", "[]", false],
    ["memo", "{}", "null", false],
    ["memo", "[1]", "[]", false],
    ["memo", "[]", "[1]", false],
    ["memo", '{"a":1}', "[1]", false],
    ["memo", '{"0":1}', "[1]", false],
    ["memo", "[1,2]", "[1]", false],
    ["memo", "[[1],[2]]", "[[1],[2]]", true],
    ["memo", "{}", '{"type":"MEMO_TEXT"}', false],
    ["recipient", `"${EVM_RECIPIENT}"`, `"${EVM_RECIPIENT}"`, true],
    ["recipient", `"${EVM_RECIPIENT.toLowerCase()}"`, `"${EVM_RECIPIENT}"`, true],
    [
      "recipient",
      `"0x${EVM_RECIPIENT.slice(2).toUpperCase()}"`,
      `"${EVM_RECIPIENT.toLowerCase()}"`,
      true,
    ],
    ["recipient", `"0X${EVM_RECIPIENT.slice(2)}"`, `"${EVM_RECIPIENT}"`, false],
    ["recipient", `"${EVM_RECIPIENT.slice(2)}"`, `"${EVM_RECIPIENT}"`, false],
    ["recipient", `"${EVM_RECIPIENT.replace("b5", "B5")}"`, `"${EVM_RECIPIENT}"`, false],
    [
      "recipient",
      `"${EVM_RECIPIENT.replace("b5", "B5")}"`,
      `"${EVM_RECIPIENT.replace("b5", "B5")}"`,
      true,
    ],
    ["recipient", `"${EVM_RECIPIENT.replace("D", "E")}"`, `"${EVM_RECIPIENT}"`, false],
    ["contractAddress", `"${USDC.toLowerCase()}"`, `"${USDC}"`, true],
    ["memo", `"${USDC.toLowerCase()}"`, `"${USDC}"`, false],
    ["recipient", '"TB1QX"', '"tb1qx"', false],
    ["recipient", '"0xabc"', '"0xABC"', false],
  ];
  for (const [name, challenge, request, same] of rows) {
    test(`${name === "currency" ? "E26 " : ""}${name}: ${challenge} ${same ? "=" : "≠"} ${request}`, () => {
      const found = pairOf(name, challenge, request);
      expect(found.match).toBe(same);
      expect(found.unverified).toEqual([]);
      const expected = same
        ? []
        : [`data.transaction_data.${name}: ${exact(challenge).text} ≠ ${request} (server)`];
      expect(told(found)).toEqual(expected);
    });
  }

  test("a list is compared place by place", () => {
    expect(told(pairOf("memo", "[1,2]", "[2,1]"))).toEqual([
      "data.transaction_data.memo[0]: 1 ≠ 2 (server)",
      "data.transaction_data.memo[1]: 2 ≠ 1 (server)",
    ]);
  });

  test("EIP-55: the specification's own examples are valid spellings, one letter wrong is none", () => {
    for (const address of [
      "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
      "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
      "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
      "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ]) {
      expect(
        pairOf("recipient", JSON.stringify(address), JSON.stringify(address.toLowerCase())).match,
      ).toBe(true);
      const at = address.search(/[a-fA-F](?!x)/);
      const letter = address.charAt(at);
      const swapped = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
      const wrong = address.slice(0, at) + swapped + address.slice(at + 1);
      expect(
        pairOf("recipient", JSON.stringify(wrong), JSON.stringify(address.toLowerCase())).match,
      ).toBe(false);
    }
  });
});
