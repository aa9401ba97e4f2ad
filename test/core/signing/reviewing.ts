/**
 * Challenges, the requests that belong to them, and what an attacker could change: for the tests of
 * reviews.
 */
import { type Challenge, decodeChallenge } from "../../../src/core/signing/challenge.ts";
import {
  type Review,
  type ReviewSource,
  reviewChallenge,
} from "../../../src/core/signing/review.ts";
import { encode, exact } from "../../../src/io/json.ts";

export const NONCE = "AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91";

export const challengeOf = (text: string): Challenge =>
  decodeChallenge(Buffer.from(text).toString("base64url"));

export type Request = Readonly<Record<string, unknown>>;
export const sourceOf = (
  request: Request | string,
  source: ReviewSource["source"] = "server",
): ReviewSource => ({
  request: exact(typeof request === "string" ? request : JSON.stringify(request)),
  source,
});

export function review(challenge: string, request: Request | string, accountName?: string): Review {
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
export const told = ({ differences }: Review): string[] =>
  differences.map(
    ({ field, challenge, expected, source }) =>
      `${field}: ${encode(challenge)} ≠ ${encode(expected)} (${source})`,
  );

export const wrap = (data: unknown, type = "APPROVE_TRANSACTION"): string =>
  JSON.stringify({ antireplay: NONCE, data, type });

export interface Pair {
  readonly name: string;
  readonly challenge: string;
  readonly request: Request;
  readonly requestOnly: readonly string[];
}

export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
export const EVM_RECIPIENT = "0xb550388547691a526190d60C30C2f9E2af03fF3D";

export const PAIRS: readonly Pair[] = [
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
    name: "ERC-20, V2 as the server sends it",
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

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type Path = readonly (string | number)[];

export function pathsOf(value: Json, path: Path = []): Path[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index]));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...path, name]));
  return [path];
}

export function getAt(value: Json, path: Path): Json {
  return path.reduce<Json>(
    (inner, step) => (inner as Record<string | number, Json>)[step] ?? null,
    value,
  );
}

export function setAt(value: Json, path: Path, next: Json | undefined): Json {
  const copy = structuredClone(value);
  const parent = getAt(copy, path.slice(0, -1));
  const last = path.at(-1) ?? "";
  if (next !== undefined) (parent as Record<string | number, Json>)[last] = next;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as Record<string, Json>)[last];
  return copy;
}

export const shown = (path: Path): string =>
  path
    .map((step, index) =>
      typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`,
    )
    .join("");

/**
 * What an attacker, or a defect, could put in the place of a value. None of them is another
 * spelling of it.
 */
export function alterations(original: Json): (readonly [name: string, value: Json])[] {
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

/**
 * Writes the document with one member more; by text, so that `__proto__` is a member like any
 * other.
 */
export function insertMember(document: Json, path: Path, key: string, extra: unknown): string {
  const marker = "\u0001here";
  const marked = JSON.stringify(setAt({ root: document }, ["root", ...path, marker], "x") as Json);
  const inner = marked.slice('{"root":'.length, -1);
  return inner.replace(
    `${JSON.stringify(marker)}:"x"`,
    `${JSON.stringify(key)}:${JSON.stringify(extra)}`,
  );
}

export const DATA = {
  account_name: "A",
  amount: "1000",
  currency: "bitcoin testnet",
  recipient: "tb1qx",
};
export const simple = (transaction: unknown): string =>
  wrap({ transaction_data: transaction, transaction_type: "BITCOIN_LIKE_SEND" });
export const requestOf = (transaction: unknown): Request => ({
  type: "CREATE_TRANSACTION",
  data: { transaction_type: "BITCOIN_LIKE_SEND", transaction_data: transaction },
});
/** Challenge and request that differ in one field of the transaction, given as JSON texts. */
export function pairOf(name: string, left: string, right: string): Review {
  const [challenge, request] = [left, right].map(
    (token) => `{"transaction_data":{"amount":"1","${name}":${token}},"transaction_type":"T"}`,
  );
  return review(
    `{"antireplay":"${NONCE}","data":${challenge},"type":"APPROVE_T"}`,
    `{"type":"CREATE_T","data":${request}}`,
  );
}
