import { describe, expect, test } from "bun:test";
import { decodeChallenge } from "../../../src/core/signing/challenge.ts";
import { type Review, reviewChallenge } from "../../../src/core/signing/review.ts";
import { encode, exact } from "../../../src/io/json.ts";

/** The payload of `_RequestApprovePayload.jws` in the vendor's V1 document, byte for byte. */
const VENDOR =
  "eyJUcmFuc2FjdGlvbiBwcm9wZXJ0aWVzIjp7Ik1heCBnYXMgcHJpY2UiOiJzd2VpIDY3MzY5NTY2OTAiLCJBbW91bnQiOiJzd2VpIDEyMzAwMDAwMDAwMDAwMCIsIk1heCB0b3RhbCBmZWVzIjoic3dlaSAxNDE0NzYwOTA0OTAwMDAiLCJSZWNpcGllbnQgYWRkcmVzcyI6IjB4YjU1MDM4ODU0NzY5MWE1MjYxOTBkNjBDMzBDMmY5RTJhZjAzZkYzRCIsIkdhcyBsaW1pdCI6IjIxMDAwIn0sImNoYWxsZW5nZSI6IkZGQTMzNzk1MzZDNTVBOEMxRkQwNEREMEEzNjg3MjAwRjQyMkVGRjA1NDZCNTc5QTc3OTA4MTczQTczMEQwQTYifQ";

const REQUEST = {
  type: "CREATE_TRANSACTION",
  data: {
    account_id: 101,
    transaction_type: "ETHEREUM_LIKE_SEND",
    fees_strategy: { type: "SPEED", data: { speed: "FAST" } },
    transaction_data: {
      account_name: "ETH Wallet 1",
      amount: "123000000000000",
      currency: "ethereum",
      max_fees: "141476090490000",
      recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
    },
  },
};
const OPEN = [
  "data.transaction_type",
  "data.transaction_data.account_name",
  "data.transaction_data.currency",
];

const DOCUMENT = JSON.parse(Buffer.from(VENDOR, "base64url").toString());

/** The vendor's sample with some labels replaced; `undefined` removes one. */
function altered(labels: Record<string, unknown>): string {
  const properties = { ...DOCUMENT["Transaction properties"], ...labels };
  const document = { ...DOCUMENT, "Transaction properties": properties };
  return Buffer.from(JSON.stringify(document)).toString("base64url");
}

function review(challenge: string, transaction: Record<string, unknown> = {}): Review {
  const data = {
    ...REQUEST.data,
    transaction_data: { ...REQUEST.data.transaction_data, ...transaction },
  };
  return reviewChallenge({
    challenge: decodeChallenge(challenge),
    sources: [{ request: exact(JSON.stringify({ ...REQUEST, data })), source: "record" }],
  });
}

const told = ({ differences }: Review): string[] =>
  differences.map(
    ({ field, challenge, expected, source }) =>
      `${field.replace("Transaction properties.", "")}: ${encode(challenge)} ≠ ${encode(expected)} (${source})`,
  );

describe("X1 the older challenge shape", () => {
  test("X1 R2 the vendor's own sample agrees with its request in all five labels; what it lacks stays open", () => {
    expect(review(VENDOR)).toMatchObject({ match: true, differences: [], unverified: OPEN });
  });

  for (const [name, labels, difference] of [
    [
      "another amount",
      { Amount: "swei 123000000000001" },
      'Amount: "swei 123000000000001" ≠ "123000000000000" (record)',
    ],
    [
      "ten times the amount",
      { Amount: "swei 1230000000000000" },
      'Amount: "swei 1230000000000000" ≠ "123000000000000" (record)',
    ],
    [
      "another recipient",
      { "Recipient address": "0xb550388547691a526190d60C30C2f9E2af03fF3E" },
      'Recipient address: "0xb550388547691a526190d60C30C2f9E2af03fF3E" ≠ "0xb550388547691a526190d60C30C2f9E2af03fF3D" (record)',
    ],
    [
      "a higher fee",
      { "Max total fees": "swei 141476090490001" },
      'Max total fees: "swei 141476090490001" ≠ "141476090490000" (record)',
    ],
    [
      "another coin's unit",
      { Amount: "sat 123000000000000" },
      'Amount: "sat 123000000000000" ≠ "an amount in the smallest unit of ETHEREUM" (rule)',
    ],
    [
      "a price that does not give the total",
      { "Max gas price": "swei 6736956691" },
      'Max total fees: "swei 141476090490000" ≠ "swei 141476090511000" (rule)',
    ],
    [
      "a limit that does not give the total",
      { "Gas limit": "21001" },
      'Max total fees: "swei 141476090490000" ≠ "swei 141482827446690" (rule)',
    ],
    [
      "price and total in two units",
      { "Max gas price": "wei 6736956690" },
      'Max total fees: "swei 141476090490000" ≠ "wei 141476090490000" (rule)',
    ],
    [
      "two spellings of a label",
      { amount: "swei 123000000000000" },
      'Amount: "swei 123000000000000" ≠ "one spelling of this name" (rule)',
    ],
  ] as const) {
    test(`X1 ${name} is a difference`, () => {
      const found = review(altered(labels));
      expect(found.match).toBe(false);
      expect(told(found)).toContain(difference);
    });
  }

  for (const value of [
    "123000000000000",
    "ether 123000000000000",
    "gwei 123000000000000",
    "swei  123000000000000",
    "swei\u00a0123000000000000",
    "SWEI 123000000000000",
    " swei 123000000000000",
    "swei 0123000000000000",
    "swei 123000000000000 ",
    "swei 123000000000000\n",
    "swei +123000000000000",
    "swei 123,000,000,000,000",
    "swei 1.23e14",
    "max swei 123000000000000",
    "swei１23000000000000",
    "constructor 123000000000000",
  ]) {
    test(`X1 an amount of another form is never called equal: ${JSON.stringify(value)}`, () => {
      const found = review(altered({ Amount: value }));
      expect(found.differences).toEqual([]);
      expect(found.unverified).toContain("Transaction properties.Amount");
      expect(found.unverified).toContain("data.transaction_data.amount");
    });
  }

  test("X1 price and limit count only with a total that was verified", () => {
    const found = review(altered({}), { max_fees: undefined });
    expect(found.differences).toEqual([]);
    expect(found.unverified).toEqual([
      "Transaction properties.Max gas price",
      "Transaction properties.Max total fees",
      "Transaction properties.Gas limit",
      ...OPEN,
    ]);
  });

  test("X1 a label more, or a member more, stays open", () => {
    const more = { ...DOCUMENT, Amount: "swei 123000000000000" };
    const beside = Buffer.from(JSON.stringify(more)).toString("base64url");
    expect(review(altered({ "Token contract": "0x00" })).unverified).toEqual([
      "Transaction properties.Token contract",
      ...OPEN,
    ]);
    expect(review(beside).unverified).toEqual(["Amount", ...OPEN]);
  });

  test("X1 a token contract that the request names and the challenge does not stays open", () => {
    const found = review(VENDOR, {
      contract_address: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    });
    expect(found.unverified).toContain("data.transaction_data.contract_address");
  });

  test("X1 V2's spelling of a request is compared alike, in its envelope too", () => {
    const { account_name: accountName, max_fees: maxFees, ...same } = REQUEST.data.transaction_data;
    const data = {
      transactionType: "ETHEREUM_LIKE_SEND",
      transactionData: { accountName, maxFees, ...same },
    };
    const request = { request: { type: "CREATE_TRANSACTION", data } };
    const found = reviewChallenge({
      challenge: decodeChallenge(VENDOR),
      sources: [{ request: exact(JSON.stringify(request)), source: "server" }],
    });
    expect(found).toMatchObject({ match: true, differences: [] });
    expect(found.unverified.length).toBe(3);
  });

  test("X1 it does not say that it rejects, so it is not a rejection", () => {
    const found = reviewChallenge({
      challenge: decodeChallenge(VENDOR),
      sources: [{ request: exact(JSON.stringify(REQUEST)), source: "server" }],
      decision: "REJECT",
    });
    expect(found.match).toBe(false);
    expect(told(found).length).toBe(1);
  });
});
