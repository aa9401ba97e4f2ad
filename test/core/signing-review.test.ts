import { describe, expect, test } from "bun:test";
import { type Challenge, decodeChallenge } from "../../src/core/signing/challenge.ts";
import {
  expectLeaves,
  type Review,
  type ReviewSource,
  reviewChallenge,
} from "../../src/core/signing/review.ts";
import { CliError } from "../../src/errors.ts";
import { encode, exact } from "../../src/io/json.ts";

const NONCE = "AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91";

const challengeOf = (text: string): Challenge =>
  decodeChallenge(Buffer.from(text).toString("base64url"));

type Request = Readonly<Record<string, unknown>>;
const sourceOf = (
  request: Request | string,
  source: ReviewSource["source"] = "server",
): ReviewSource => ({
  request: exact(typeof request === "string" ? request : JSON.stringify(request)),
  source,
});

function review(challenge: string, request: Request | string, accountName?: string): Review {
  return reviewChallenge({
    challenge: challengeOf(challenge),
    sources: [sourceOf(request)],
    ...(accountName === undefined ? {} : { accountNames: [accountName] }),
  });
}

/**
 * What a mistake in the product could make of a finding shows here: the field, both tokens, the
 * source.
 */
const told = ({ differences }: Review): string[] =>
  differences.map(
    ({ field, challenge, expected, source }) =>
      `${field}: ${encode(challenge)} ≠ ${encode(expected)} (${source})`,
  );

const wrap = (data: unknown, type = "APPROVE_TRANSACTION"): string =>
  JSON.stringify({ antireplay: NONCE, data, type });

interface Pair {
  readonly name: string;
  readonly challenge: string;
  readonly request: Request;
  readonly requestOnly: readonly string[];
}

const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
const EVM_RECIPIENT = "0xb550388547691a526190d60C30C2f9E2af03fF3D";

const PAIRS: readonly Pair[] = [
  {
    name: "the vendor's Bitcoin sample, V1",
    challenge:
      '{"antireplay":"AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91","data":{"transaction_data":{"account_name":"my btc account","amount":"1000","currency":"bitcoin testnet","max_fees":"4018","recipient":"tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv"},"transaction_type":"BITCOIN_LIKE_SEND"},"type":"APPROVE_TRANSACTION"}',
    request: {
      type: "CREATE_TRANSACTION",
      data: {
        account_id: 2,
        transaction_type: "BITCOIN_LIKE_SEND",
        fees_strategy: { type: "SPEED", data: { speed: "FAST" } },
        transaction_data: {
          account_name: "my btc account",
          amount: "1000",
          currency: "bitcoin_testnet",
          max_fees: "4018",
          recipient: "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv",
        },
      },
      note: { title: "Payout", content: "Invoice 42" },
    },
    requestOnly: [
      "data.account_id",
      "data.fees_strategy.type",
      "data.fees_strategy.data.speed",
      "note.title",
      "note.content",
    ],
  },
  {
    name: "ERC-20, V2 as the server gives it",
    challenge: wrap({
      transaction_type: "ETHEREUM_LIKE_SEND",
      transaction_data: {
        account_name: "ETH Wallet 1",
        amount: "1000000",
        contract_address: USDC.toLowerCase(),
        currency: "ethereum",
        max_fees: "141476090490000",
        recipient: EVM_RECIPIENT,
      },
    }),
    request: {
      id: "req_1",
      legacyId: 7,
      type: "CREATE_TRANSACTION",
      state: "INITIAL",
      data: {
        accountId: "acc_1",
        transactionType: "ETHEREUM_LIKE_SEND",
        feesStrategy: { type: "CUSTOM", data: { gasLimit: "65000", priorityFees: "2000" } },
        transactionData: {
          accountName: "ETH Wallet 1",
          amount: "1000000",
          contractAddress: USDC,
          currency: "ethereum",
          maxFees: "141476090490000",
          recipient: EVM_RECIPIENT,
          memo: null,
        },
      },
      reviews: [{ stepIndex: 0, userId: "u1", status: "PENDING" }],
      note: null,
    },
    requestOnly: [
      "data.transactionData.memo",
      "data.accountId",
      "data.feesStrategy.type",
      "data.feesStrategy.data.gasLimit",
      "data.feesStrategy.data.priorityFees",
      "id",
      "legacyId",
      "state",
      "reviews[0].stepIndex",
      "reviews[0].userId",
      "reviews[0].status",
      "note",
    ],
  },
  {
    name: "Solana token, created here, in its envelope",
    challenge: wrap({
      transaction_type: "SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED",
      transaction_data: {
        account_name: "SOL 1",
        amount: "50000000000000000000",
        currency: "solana",
        max_priority_fee: "5000",
        recipient: "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
        token_mint: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
      },
    }),
    request: {
      request: {
        type: "CREATE_TRANSACTION",
        data: {
          accountId: "acc_9",
          transactionType: "SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED",
          transactionData: {
            accountName: "SOL 1",
            amount: "50000000000000000000",
            currency: "solana",
            maxPriorityFee: "5000",
            recipient: "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
            tokenMint: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
          },
        },
      },
    },
    requestOnly: ["data.accountId"],
  },
  {
    name: "Ripple with a tag",
    challenge: wrap({
      transaction_type: "RIPPLE_LIKE_SEND",
      transaction_data: {
        account_name: "XRP",
        amount: "25",
        currency: "ripple",
        max_fees: "12",
        recipient: "rPVMhWBsfF9iMXYj3aAzJVkPDTFNSyWdKy",
        tag: 1234567890,
      },
    }),
    request: {
      type: "CREATE_TRANSACTION",
      data: {
        account_id: 5,
        transaction_type: "RIPPLE_LIKE_SEND",
        transaction_data: {
          account_name: "XRP",
          amount: "25",
          currency: "ripple",
          max_fees: "12",
          recipient: "rPVMhWBsfF9iMXYj3aAzJVkPDTFNSyWdKy",
          tag: 1234567890,
        },
      },
    },
    requestOnly: ["data.account_id"],
  },
  {
    name: "Stellar with a memo",
    challenge: wrap({
      transaction_type: "STELLAR_LIKE_SEND",
      transaction_data: {
        account_name: "XLM",
        amount: "70000000",
        currency: "stellar",
        max_fees: "100",
        memo: { type: "MEMO_TEXT", value: "invoice 42" },
        recipient: "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR",
      },
    }),
    request: {
      type: "CREATE_TRANSACTION",
      data: {
        account_id: 6,
        transaction_type: "STELLAR_LIKE_SEND",
        transaction_data: {
          account_name: "XLM",
          amount: "70000000",
          currency: "stellar",
          max_fees: "100",
          memo: { type: "MEMO_TEXT", value: "invoice 42" },
          recipient: "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR",
        },
      },
    },
    requestOnly: ["data.account_id"],
  },
  {
    name: "CREATE_ACCOUNT",
    challenge: wrap(
      {
        account_type: "TRC20_LIKE",
        account_data: {
          name: "JST",
          currency: "tron",
          index: 0,
          policy_name: "Multipolicy 1",
          contract_address: "TCFLL5dx5ZJdKnWuesXxi1VPwjLVmWZZy9",
        },
      },
      "APPROVE_ACCOUNT",
    ),
    request: {
      type: "CREATE_ACCOUNT",
      data: {
        account_type: "TRC20_LIKE",
        account_data: {
          index: 0,
          name: "JST",
          currency: "tron",
          policy_name: "Multipolicy 1",
          parent_id: 95,
          contract_address: "TCFLL5dx5ZJdKnWuesXxi1VPwjLVmWZZy9",
        },
      },
    },
    requestOnly: ["data.account_data.parent_id"],
  },
  {
    name: "CREATE_WHITELIST with a list of addresses",
    challenge: wrap(
      {
        name: "Exchanges",
        is_private: false,
        addresses: [
          {
            name: "A",
            currency: "bitcoin testnet",
            address: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
          },
          { name: "B", currency: "ethereum", address: EVM_RECIPIENT.toLowerCase() },
          {
            name: "C",
            currency: "ripple",
            address: "rPVMhWBsfF9iMXYj3aAzJVkPDTFNSyWdKy",
            destination_tags: [1, 2],
          },
        ],
      },
      "APPROVE_WHITELIST",
    ),
    request: {
      type: "CREATE_WHITELIST",
      data: {
        name: "Exchanges",
        isPrivate: false,
        addresses: [
          {
            name: "A",
            currency: "bitcoin_testnet",
            address: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
          },
          { name: "B", currency: "ethereum", address: EVM_RECIPIENT },
          {
            name: "C",
            currency: "ripple",
            address: "rPVMhWBsfF9iMXYj3aAzJVkPDTFNSyWdKy",
            destinationTags: [1, 2],
          },
        ],
      },
    },
    requestOnly: [],
  },
];

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type Path = readonly (string | number)[];

function pathsOf(value: Json, path: Path = []): Path[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index]));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...path, name]));
  return [path];
}

function getAt(value: Json, path: Path): Json {
  return path.reduce<Json>(
    (inner, step) => (inner as Record<string | number, Json>)[step] ?? null,
    value,
  );
}

function setAt(value: Json, path: Path, next: Json | undefined): Json {
  const copy = structuredClone(value);
  const parent = getAt(copy, path.slice(0, -1));
  const last = path.at(-1) ?? "";
  if (next !== undefined) (parent as Record<string | number, Json>)[last] = next;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as Record<string, Json>)[last];
  return copy;
}

const shown = (path: Path): string =>
  path
    .map((step, index) =>
      typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`,
    )
    .join("");

/**
 * What an attacker, or a defect, could put in the place of a value. None of them is another
 * spelling of it.
 */
function alterations(original: Json): (readonly [name: string, value: Json])[] {
  const always: (readonly [string, Json])[] = [
    ["an object around it", { value: original }],
    ["a list around it", [original]],
    ["null", null],
    ["nothing in braces", {}],
    ["nothing in brackets", []],
    ["true", true],
  ];
  if (typeof original === "boolean")
    return [
      ...always.filter(([, value]) => value !== original),
      ["the other", !original],
      ["text", String(original)],
    ];
  if (typeof original === "number")
    return [
      ...always,
      ["one more", original + 1],
      ["ten times", original * 10 || 10],
      ["a fraction more", original + 0.5],
    ];
  const text = String(original);
  const last = text.slice(-1);
  return [
    ...always,
    ["empty", ""],
    ["last character changed", text.slice(0, -1) + (last === "1" ? "2" : "1")],
    ["first character changed", (text.startsWith("1") ? "2" : "1") + text.slice(1)],
    ["a character more", `${text}0`],
    ["cut", text.slice(0, -1)],
    ["a leading zero", `0${text}`],
    ["a space after", `${text} `],
    ["a line break after", `${text}\n`],
    ["an invisible character inside", `${text.slice(0, 2)}\u200b${text.slice(2)}`],
    ["a NUL after", `${text}\u0000`],
    [
      "a look-alike letter",
      text.replace(/[aceopxy]/, (letter) => "асеорху".charAt("aceopxy".indexOf(letter)) || letter),
    ],
    [
      "fullwidth digits",
      text.replace(/\d/, (digit) => String.fromCharCode(0xff10 + Number(digit))),
    ],
  ].filter((entry): entry is [string, Json] => entry[1] !== original);
}

describe("SIG-6 E24 altered challenge, field by field", () => {
  for (const { name, challenge, request, requestOnly } of PAIRS) {
    test(`${name}: the honest one matches, nothing left open`, () => {
      expect(review(challenge, request)).toEqual({
        match: true,
        differences: [],
        unverified: [],
        requestOnly: [...requestOnly],
      });
    });

    const document = JSON.parse(challenge) as Json;
    for (const path of pathsOf(document)) {
      const isNonce = /^(antireplay|challenge)$/.test(String(path.at(-1)));
      const original = getAt(document, path);
      test(`E24 ${name}: ${shown(path)}`, () => {
        for (const [change, value] of isNonce ? nonces() : alterations(original)) {
          const altered = setAt(document, path, value);
          const challenge = challengeOf(JSON.stringify(altered));
          const found = reviewChallenge({ challenge, sources: [sourceOf(request)] });
          if (challenge.shape === "unknown") {
            // type or data of another kind: no longer a shape we know, so nothing is called equal
            expect([change, found.match, found.unverified.length > 0]).toEqual([
              change,
              false,
              true,
            ]);
            continue;
          }
          expect([change, found.match, found.differences.map(({ field }) => field)]).toEqual([
            change,
            false,
            [shown(path)],
          ]);
          expect(found.differences[0]?.source).toBe(isNonce ? "rule" : "server");
        }
      });
    }

    test(`E24 ${name}: a field more stays open, wherever it is put`, () => {
      for (const parent of new Set([
        "",
        ...pathsOf(document).map((path) => JSON.stringify(path.slice(0, -1))),
      ])) {
        const path = parent === "" ? [] : (JSON.parse(parent) as Path);
        if (Array.isArray(getAt(document, path))) continue;
        for (const [key, extra] of [
          ["extra", "1"],
          ["__proto__", "1"],
          ["constructor", "1"],
          ["extra", { deep: [1] }],
          ["extra", {}],
          ["extra", null],
        ] as const) {
          const text = insertMember(document, path, key, extra);
          const found = reviewChallenge({
            challenge: challengeOf(text),
            sources: [sourceOf(request)],
          });
          expect(found.differences).toEqual([]);
          expect(found.unverified.length).toBe(1);
          expect(found.unverified[0]).toContain(key);
        }
      }
    });
  }

  function nonces(): (readonly [string, Json])[] {
    return [
      ["a number", 1],
      ["null", null],
      ["empty", ""],
      ["no hexadecimal", "g".repeat(64)],
      ["odd", NONCE.slice(1)],
      ["an object", { a: NONCE }],
      ["a list", [NONCE]],
      ["a line break", `${NONCE}\n`],
    ];
  }

  test("a nonce of 31 or 33 bytes is refused, its letter case is free", () => {
    const honest = PAIRS[0];
    if (honest === undefined) throw new Error("no pair");
    for (const nonce of [NONCE.slice(2), `${NONCE}00`]) {
      expect(told(review(honest.challenge.replace(NONCE, nonce), honest.request))).toEqual([
        `antireplay: "${nonce}" ≠ "32 bytes in hexadecimal" (rule)`,
      ]);
    }
    expect(review(honest.challenge.replace(NONCE, NONCE.toLowerCase()), honest.request).match).toBe(
      true,
    );
  });

  test("a nested type has no prefix to drop", () => {
    expect(pairOf("memo", '{"type":"APPROVE_X"}', '{"type":"CREATE_X"}').match).toBe(false);
  });

  test("E24 another type: a rejection is no approval, and only one prefix is dropped", () => {
    const [pair] = PAIRS;
    if (pair === undefined) throw new Error("no pair");
    const withType = (type: string): string => pair.challenge.replace("APPROVE_TRANSACTION", type);
    for (const type of ["CREATE_TRANSACTION", "TRANSACTION"])
      expect(review(withType(type), pair.request).match).toBe(true);
    for (const type of ["REJECT_TRANSACTION", "ABORT_TRANSACTION"])
      expect(told(review(withType(type), pair.request))).toEqual([
        `type: "${type}" ≠ "an approval" (rule)`,
      ]);
    for (const type of [
      "CREATE_APPROVE_TRANSACTION",
      "approve_TRANSACTION",
      "APPROVE_ACCOUNT",
      "APPROVE_",
      "",
    ]) {
      expect(told(review(withType(type), pair.request))).toEqual([
        `type: "${type}" ≠ "CREATE_TRANSACTION" (server)`,
      ]);
    }
  });
});

/**
 * Writes the document with one member more; by text, so that `__proto__` is a member like any
 * other.
 */
function insertMember(document: Json, path: Path, key: string, extra: unknown): string {
  const marker = "\u0001here";
  const marked = JSON.stringify(setAt({ root: document }, ["root", ...path, marker], "x") as Json);
  const inner = marked.slice('{"root":'.length, -1);
  return inner.replace(
    `${JSON.stringify(marker)}:"x"`,
    `${JSON.stringify(key)}:${JSON.stringify(extra)}`,
  );
}

describe("SIG-6 a field that the challenge leaves out", () => {
  for (const { name, challenge, request, requestOnly } of PAIRS) {
    const document = JSON.parse(challenge) as Json;
    for (const path of pathsOf(document).filter(
      (steps) => !/^(antireplay|challenge|type|data)$/.test(String(steps.at(-1))),
    )) {
      test(`${name}: without ${shown(path)} it is listed, and not everything is verified`, () => {
        const found = reviewChallenge({
          challenge: challengeOf(JSON.stringify(setAt(document, path, undefined))),
          sources: [sourceOf(request)],
        });
        if (typeof path.at(-1) === "number")
          return void expect([found.match, found.differences.length]).toEqual([false, 1]);
        expect(found.requestOnly.length).toBe(requestOnly.length + 1);
        expect(found.unverified.length).toBe(1);
        expect(found.requestOnly).toContain(found.unverified[0] ?? "");
      });
    }
  }

  test("fee strategy, ids, notes and what is null are no content", () => {
    const [, pair] = PAIRS;
    if (pair === undefined) throw new Error("no pair");
    expect(review(pair.challenge, pair.request).unverified).toEqual([]);
  });
});

const DATA = { account_name: "A", amount: "1000", currency: "bitcoin testnet", recipient: "tb1qx" };
const simple = (transaction: unknown): string =>
  wrap({ transaction_data: transaction, transaction_type: "BITCOIN_LIKE_SEND" });
const requestOf = (transaction: unknown): Request => ({
  type: "CREATE_TRANSACTION",
  data: { transaction_type: "BITCOIN_LIKE_SEND", transaction_data: transaction },
});
/** Challenge and request that differ in one field of the transaction, given as JSON texts. */
function pairOf(name: string, left: string, right: string): Review {
  const [challenge, request] = [left, right].map(
    (token) => `{"transaction_data":{"amount":"1","${name}":${token}},"transaction_type":"T"}`,
  );
  return review(
    `{"antireplay":"${NONCE}","data":${challenge},"type":"APPROVE_T"}`,
    `{"type":"CREATE_T","data":${request}}`,
  );
}

describe("SPEC §4 Review: values", () => {
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

describe("SPEC §4 Review: names", () => {
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

  test("a name with a dot or a bracket does not read like a path, nor stand in for one", () => {
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
    expect(review(text("1"), request)).toEqual({
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

describe("SIG-6 several sources", () => {
  const challenge = challengeOf(simple(DATA));
  const [honest, other] = [requestOf(DATA), requestOf({ ...DATA, recipient: "tb1qevil" })];

  test("both agree", () => {
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(honest), sourceOf(honest, "record")],
    });
    expect(found).toEqual({ match: true, differences: [], unverified: [], requestOnly: [] });
  });

  test("a contradiction of either is a difference that names its source", () => {
    const byRecord = reviewChallenge({
      challenge,
      sources: [sourceOf(honest), sourceOf(other, "record")],
    });
    expect(told(byRecord)).toEqual([
      'data.transaction_data.recipient: "tb1qx" ≠ "tb1qevil" (record)',
    ]);
    const byServer = reviewChallenge({
      challenge,
      sources: [sourceOf(other), sourceOf(honest, "record")],
    });
    expect(told(byServer)).toEqual([
      'data.transaction_data.recipient: "tb1qx" ≠ "tb1qevil" (server)',
    ]);
    expect([byRecord.match, byServer.match]).toEqual([false, false]);
  });

  test("a server that changed challenge and request alike is caught by the record", () => {
    const swapped = challengeOf(simple({ ...DATA, recipient: "tb1qevil" }));
    expect(reviewChallenge({ challenge: swapped, sources: [sourceOf(other)] }).match).toBe(true);
    const found = reviewChallenge({
      challenge: swapped,
      sources: [sourceOf(other), sourceOf(honest, "record")],
    });
    expect(told(found)).toEqual(['data.transaction_data.recipient: "tb1qevil" ≠ "tb1qx" (record)']);
  });

  test("what one source lacks another may verify", () => {
    const { recipient, ...rest } = DATA;
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(requestOf(rest)), sourceOf(requestOf({ recipient }), "record")],
    });
    expect(found).toEqual({ match: true, differences: [], unverified: [], requestOnly: [] });
  });

  test("one field that only requests have is listed once", () => {
    const request = {
      ...honest,
      data: { ...(honest.data as object), feesStrategy: { type: "SPEED" } },
    };
    const snake = {
      ...honest,
      data: { ...(honest.data as object), fees_strategy: { type: "SPEED" } },
    };
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(request), sourceOf(snake, "record")],
    });
    expect(found.requestOnly).toEqual(["data.feesStrategy.type"]);
  });

  test("no source: nothing matches", () => {
    const found = reviewChallenge({ challenge, sources: [] });
    expect([found.match, found.differences, found.requestOnly]).toEqual([false, [], []]);
    expect(found.unverified).toEqual([
      "data.transaction_data.account_name",
      "data.transaction_data.amount",
      "data.transaction_data.currency",
      "data.transaction_data.recipient",
      "data.transaction_type",
      "type",
    ]);
  });

  test("a request that says nothing verifies nothing", () => {
    for (const request of [
      "{}",
      "[]",
      '"x"',
      "null",
      '{"type":"CREATE_TRANSACTION"}',
      '{"type":"CREATE_TRANSACTION","data":{}}',
    ]) {
      expect([request, review(simple(DATA), request).match]).toEqual([request, false]);
    }
  });

  test("a challenge of nothing but the right type does not match", () => {
    for (const data of ["{}", '{"x":{}}']) {
      expect(
        review(`{"antireplay":"${NONCE}","data":${data},"type":"APPROVE_TRANSACTION"}`, honest)
          .match,
      ).toBe(false);
    }
    expect(
      review(`{"Transaction properties":{"type":"APPROVE_TRANSACTION"},"challenge":"00"}`, honest)
        .match,
    ).toBe(false);
  });

  test("an envelope is opened only where the request itself is not", () => {
    const inner = {
      request: { type: "CREATE_TRANSACTION", data: { transaction_data: { amount: "1" } } },
    };
    const found = review(simple(DATA), { ...honest, ...inner });
    expect(found.match).toBe(true);
    expect(found.requestOnly).toEqual(["request.type", "request.data.transaction_data.amount"]);
  });
});

describe("a challenge made to hurt the reviewer", () => {
  const wide = `[${"1,".repeat(400_000)}1]`;
  const deep = `${'{"n":'.repeat(500)}${wide}${"}".repeat(500)}`;
  const longName = `{"${"n".repeat(200_000)}":${wide}}`;

  for (const [name, inner] of [
    ["wide", wide],
    ["deep and wide", deep],
    ["with a long name", longName],
  ] as const) {
    test(`${name}: lists stay short, nothing matches, everything stays open`, () => {
      const text = `{"antireplay":"${NONCE}","data":{"transaction_data":${inner}},"type":"APPROVE_TRANSACTION"}`;
      for (const challenge of [text, text.replace("antireplay", "other")]) {
        const found = review(challenge, requestOf(DATA));
        expect(found.match).toBe(false);
        expect(found.unverified.length + found.differences.length).toBeWithin(1, 1010);
        expect(found.unverified.concat("").at(-2) === "…" || found.differences.length > 0).toBe(
          true,
        );
        expect(Math.max(...found.unverified.map(({ length }) => length), 0)).toBeLessThan(2000);
      }
    });
  }

  test("everything different: the first thousand are named", () => {
    const other = wide.replaceAll("1", "2");
    const found = review(
      simple({ list: JSON.parse(wide) as unknown }),
      requestOf({ list: JSON.parse(other) as unknown }),
    );
    expect([found.match, found.differences.length]).toEqual([false, 1000]);
  });

  test("a flood of fields that only the server has does not hide what a record asks for", () => {
    const flood = Object.fromEntries(
      Array.from({ length: 5000 }, (_, index) => [`x${index}`, index]),
    );
    const sources = [
      sourceOf({ ...requestOf(DATA), ...flood }),
      sourceOf(requestOf({ ...DATA, contract_address: "0x1" }), "record"),
    ];
    const found = reviewChallenge({ challenge: challengeOf(simple(DATA)), sources });
    expect(found.unverified).toEqual(["data.transaction_data.contract_address"]);
    expect(found.requestOnly.length).toBe(1001);
  });
});

describe("SIG-6 content that only the request has", () => {
  const open = (data: unknown): readonly string[] =>
    review(simple(DATA), { type: "CREATE_TRANSACTION", data } as Request).unverified;
  const base = { transaction_type: "BITCOIN_LIKE_SEND" };

  test("a memo stays open although its name ends like an id", () => {
    for (const memo of [{ MEMO_ID: "123" }, { memoId: "123" }]) {
      expect(open({ ...base, transactionData: { ...DATA, memo } })).toEqual([
        `data.transactionData.memo.${Object.keys(memo)[0]}`,
      ]);
    }
  });

  test("ids and fee strategy beside the transaction's data do not", () => {
    const beside = {
      accountId: "a",
      whitelistIds: ["w"],
      feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
      note: null,
    };
    expect(open({ ...base, ...beside, transactionData: DATA })).toEqual([]);
  });

  test("anything else beside it does", () => {
    expect(open({ ...base, broadcast: false, transactionData: DATA })).toEqual(["data.broadcast"]);
  });
});

describe("SPEC §4 Review: the account", () => {
  const { account_name: _, ...nameless } = DATA;

  test("the account's own name contradicts", () => {
    expect(told(review(simple(DATA), requestOf(DATA), "Other"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "Other" (account)',
    ]);
    expect(told(review(simple(DATA), requestOf(nameless), "Other"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "Other" (account)',
    ]);
  });

  test("the request's name contradicts although the account's agrees", () => {
    expect(told(review(simple(DATA), requestOf({ ...DATA, account_name: "B" }), "A"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "B" (server)',
    ]);
  });

  test("the account's name verifies what the request does not say", () => {
    expect(review(simple(DATA), requestOf(nameless))).toMatchObject({
      match: true,
      unverified: ["data.transaction_data.account_name"],
    });
    expect(review(simple(DATA), requestOf(nameless), "A")).toMatchObject({
      match: true,
      unverified: [],
    });
  });

  test("a challenge that does not say which account it means stays open", () => {
    expect(review(simple(nameless), requestOf(nameless), "A").unverified).toEqual(["account_name"]);
    expect(
      review(simple({ ...nameless, account_id: 5 }), requestOf({ ...nameless, accountId: 5 }), "A")
        .unverified,
    ).toEqual([]);
    expect(
      review(simple({ ...nameless, account_id: 6 }), requestOf({ ...nameless, accountId: 5 }), "A")
        .match,
    ).toBe(false);
  });

  test("a name whose path only reads like the right one is a name elsewhere", () => {
    const decoy = JSON.parse(simple(nameless)) as Record<string, Json>;
    const found = review(
      JSON.stringify({ ...decoy, "data/transaction_data": { account_name: "A" } }),
      requestOf(nameless),
      "A",
    );
    expect(found.unverified).toEqual(['"data/transaction_data".account_name', "account_name"]);
  });

  test("an id that nothing vouches for does not say it either", () => {
    const found = review(simple({ ...nameless, account_id: 5 }), requestOf(nameless), "A");
    expect(found.unverified).toEqual(["data.transaction_data.account_id", "account_name"]);
  });

  test("a name elsewhere does not say which account is meant", () => {
    const decoy = simple({ ...nameless, other: { account_name: "A" } });
    expect(review(decoy, requestOf(nameless), "A").unverified).toEqual([
      "data.transaction_data.other.account_name",
      "account_name",
    ]);
  });

  test("a list or a number in its place is no name", () => {
    const listed = review(simple({ ...nameless, account_name: ["A"] }), requestOf(nameless), "A");
    expect(listed.unverified).toEqual(["data.transaction_data.account_name[0]", "account_name"]);
    expect(review(simple({ ...nameless, account_name: 7 }), requestOf(nameless), "7").match).toBe(
      false,
    );
  });
});

describe("E27 shapes that are not known", () => {
  for (const [name, text, open] of [
    [
      "another object",
      '{"transaction_data":{"amount":"1000"},"type":"APPROVE_TRANSACTION"}',
      ["transaction_data.amount", "type"],
    ],
    ["nothing in it", "{}", ["payload"]],
    ["an object equal to the request", JSON.stringify(requestOf(DATA)), 6],
  ] as const) {
    test(`E27 ${name}: all of it unverified, never a match`, () => {
      const found = review(text, requestOf(DATA), "A");
      expect([found.match, found.differences, found.requestOnly]).toEqual([false, [], []]);
      if (typeof open === "number") expect(found.unverified.length).toBe(open);
      else expect(found.unverified).toEqual([...open]);
    });
  }

  test("E09 no JSON object: the payload as a whole is unverified", () => {
    expect(review("hello", requestOf(DATA))).toEqual({
      match: false,
      differences: [],
      unverified: ["payload"],
      requestOnly: [],
    });
  });
});

describe("--expect", () => {
  const text = `{"antireplay":"${NONCE}","data":{"transaction_data":{"amount":"1000","currency":"bitcoin testnet","max_fees":4018,"memo":{"type":"MEMO_TEXT"},"recipient":"${EVM_RECIPIENT}","list":[{"a":1},{"a":2}]},"transaction_type":"SEND"},"type":"APPROVE_TRANSACTION"}`;
  const unmet = (expected: string, challenge = text): string[] =>
    expectLeaves(challengeOf(challenge), exact(expected)).map(
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

  test("every value that does not stand there is named", () => {
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

describe("the account's name when the account that was asked for cannot be read", () => {
  const paid = { amount: "1000", recipient: "tb1q" };
  const request = (accountId: string, name?: string): Request => ({
    type: "CREATE_TRANSACTION",
    data: {
      accountId,
      transactionData: { ...paid, ...(name === undefined ? {} : { accountName: name }) },
    },
  });
  const challenge = challengeOf(wrap({ transaction_data: { account_name: "Cold", ...paid } }));
  const open = (server: Request, record: Request, accountNames: string[]): readonly string[] =>
    reviewChallenge({
      challenge,
      sources: [sourceOf(server), sourceOf(record, "record")],
      accountNames,
    }).unverified;

  test.each([
    ["the server names another account", request("cold", "Cold"), request("hot"), ["Cold"]],
    [
      "the server names the same one, and says what it is called",
      request("hot", "Cold"),
      request("hot"),
      [],
    ],
  ])("stays open when %s", (_name, server, record, names) => {
    expect(open(server, record, names)).toEqual(["data.transaction_data.account_name"]);
  });

  test("is verified when whoever asked said the name, or the account says it", () => {
    expect(open(request("hot", "Cold"), request("hot", "Cold"), [])).toEqual([]);
    expect(open(request("hot", "Cold"), request("hot"), ["Cold"])).toEqual([]);
  });
});
