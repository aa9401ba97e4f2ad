/** From an intent to the exact request, against a workspace that answers what a test says. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Reader } from "../../../src/core/api/api.ts";
import { summaryOf } from "../../../src/core/meaning/meaning.ts";
import { draftPayment } from "../../../src/core/meaning/payment.ts";
import type { Session } from "../../../src/core/state/session.ts";
import { CliError } from "../../../src/errors.ts";
import { exact } from "../../../src/io/json.ts";

const HOSTING = "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv";
const EXCHANGE = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
const TWIN = "0x52908400098527886E0F7030069857D2E4169EE7";
const XRP = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
const STELLAR = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ";
const MUXED = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK";
const MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const SOL = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
const NOW = Date.parse("2026-03-02T10:00:00Z");

const page = (results: unknown[]) => ({
  page: 1,
  next: null,
  prev: null,
  total: results.length,
  results,
});

const account = (id: number, name: string, currency: string, more: object = {}) => ({
  ...{ id: `${id}`, name, currency, status: "ACTIVE", contractAddress: null },
  ...more,
});

const ACCOUNTS = [
  account(1, "Bitcoin", "bitcoin_testnet"),
  account(2, "Ether", "ethereum"),
  account(3, "Dollars", "ethereum", { contractAddress: USDC }),
  account(4, "Solana", "solana"),
  account(5, "Ripple", "ripple"),
  account(6, "Stellar", "stellar"),
  account(7, "Closed", "bitcoin_testnet", { status: "INACTIVE" }),
  account(8, "Twice", "bitcoin_testnet"),
  account(9, "Twice", "ethereum"),
  account(10, "Cosmos", "cosmos"),
  account(11, "Tron", "tron", { contractAddress: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" }),
];

const whitelist = (id: string, name: string, addresses: object[], status = "ACTIVE") => ({
  ...{ id, name, status, addresses },
});

const ANSWERS: Readonly<Record<string, unknown>> = {
  "assets.currencies": {
    results: [
      { id: "bitcoin_testnet", ticker: "BTC", decimals: 8 },
      { id: "ethereum", ticker: "ETH", decimals: 18 },
      { id: "ripple", ticker: "XRP", decimals: 6 },
      { id: "stellar", ticker: "XLM", decimals: 7 },
      { id: "solana", ticker: "SOL", decimals: 9 },
    ],
  },
  "assets.tokens": {
    results: [
      { contractAddress: USDC, network: "ethereum", name: "USD Coin", symbol: "USDC", decimals: 6 },
      { contractAddress: TWIN, network: "ethereum", name: "USDC", symbol: "USDC", decimals: 6 },
      { contractAddress: MINT, network: "solana", name: "USD Coin", symbol: "USDC", decimals: 6 },
    ],
  },
  "whitelists.list": page([
    whitelist("w1", "Suppliers", [
      { name: "Hosting", currency: "bitcoin_testnet", address: HOSTING },
      { name: "Exchange", currency: "ethereum", address: EXCHANGE },
      { name: "Exchange", currency: "ripple", address: XRP, destinationTags: ["1001"] },
    ]),
    whitelist("w2", "Old", [{ name: "Gone", currency: "ethereum", address: TWIN }], "INACTIVE"),
  ]),
  "accounts.list": page(ACCOUNTS),
  "transactions.estimate": { maxFees: "4018" },
  "requests.list": page([]),
};

interface Opened {
  readonly reader: Reader;
  readonly asked: string[];
}

function workspace(changes: Readonly<Record<string, unknown>> = {}, apiVersion = "v2"): Opened {
  const answers = { ...ANSWERS, ...changes };
  const asked: string[] = [];
  const reader: Reader = {
    async read(name) {
      asked.push(name);
      const answer: unknown = answers[name];
      if (answer === undefined || answer instanceof CliError)
        throw answer ?? new CliError("FORBIDDEN", { message: "No." });
      return exact(JSON.stringify(answer));
    },
    get: async () => exact("{}"),
    session: async () => ({ apiVersion }) as Session,
  };
  return { reader, asked };
}

type Intent = Parameters<typeof draftPayment>[1];

const NOTHING = Object.fromEntries(
  [
    ...["accountId", "accountName", "amount", "amountBase", "token", "to", "toEntry", "whitelist"],
    ...["tag", "memo", "speed", "maxFees", "maxFeesBase", "noteTitle", "note"],
  ].map((name) => [name, undefined]),
) as unknown as Intent;

const PAY = { accountName: "Bitcoin", amount: "0.007 BTC", toEntry: "Hosting" };

const draft = (intent: Partial<Intent>, { reader } = workspace()) =>
  draftPayment(reader, { ...NOTHING, ...intent }, NOW);

async function refusal(intent: Partial<Intent>, opened = workspace()): Promise<CliError> {
  try {
    await draft(intent, opened);
  } catch (cause) {
    if (cause instanceof CliError) return cause;
    throw cause;
  }
  throw new Error("It was drafted.");
}

const told = async (intent: Partial<Intent>, opened = workspace()) => {
  const { code, facts } = await refusal(intent, opened);
  return [code, facts.field];
};

test("M10 the same answers give the same bytes, in V2's spelling and in V1's", async () => {
  const intent = { ...PAY, noteTitle: "Hosting", note: "Invoice 42" };
  const [first, second] = [await draft(intent), await draft(intent)];
  expect(first.request.text).toBe(second.request.text);
  expect(first.request.text).toBe(
    `{"type":"CREATE_TRANSACTION","data":{"accountId":"1","transactionType":"BITCOIN_LIKE_SEND","feesStrategy":{"type":"SPEED","data":{"speed":"NORMAL"}},"transactionData":{"accountName":"Bitcoin","amount":"700000","currency":"bitcoin_testnet","maxFees":"4018","recipient":"${HOSTING}"}},"note":{"title":"Hosting","content":"Invoice 42"}}`,
  );
  const sha256 = createHash("sha256").update(first.request.text).digest("hex");
  expect(first.requestSha256).toBe(sha256);
  const answers = {
    "transactions.estimate": { max_fees: "4018" },
    "transactions.list": { next: null, results: [] },
  };
  const v1 = await draft(PAY, workspace(answers, "v1"));
  expect(v1.request.text).toBe(
    `{"type":"CREATE_TRANSACTION","data":{"account_id":1,"transaction_type":"BITCOIN_LIKE_SEND","fees_strategy":{"type":"SPEED","data":{"speed":"NORMAL"}},"transaction_data":{"account_name":"Bitcoin","amount":"700000","currency":"bitcoin_testnet","max_fees":"4018","recipient":"${HOSTING}"}}}`,
  );
  expect(v1.summary.amount).toEqual(first.summary.amount);
});

test("M10 a name that acts on a terminal is escaped in the bytes that are hashed", async () => {
  const name = "a\u202Eb";
  const changes = { "accounts.list": page([account(1, name, "bitcoin_testnet")]) };
  const { request } = await draft({ ...PAY, accountName: name }, workspace(changes));
  expect(request.text).toContain('"accountName":"a\\u202eb"');
});

test("M11 nothing but reads is asked for", async () => {
  const opened = workspace();
  await draft(PAY, opened);
  const reads = [
    "accounts.list",
    "assets.currencies",
    "assets.tokens",
    "requests.list",
    "transactions.estimate",
    "whitelists.list",
  ];
  expect([...new Set(opened.asked)].sort()).toEqual(reads);
});

test("M28 a summary reads only the lists that it can say something of", async () => {
  const message = {
    type: "CREATE_MESSAGE_SIGNING",
    data: { accountId: "2", messageType: "EIP-191", messageData: { rawMessage: "Hello" } },
  };
  const opened = workspace({ "accounts.get": ACCOUNTS[1] });
  await summaryOf(exact(JSON.stringify(message)), "request", opened.reader);
  expect(opened.asked).not.toContain("whitelists.list");
  const paying = workspace();
  await summaryOf((await draft(PAY)).request, "request", paying.reader);
  expect(paying.asked).toContain("whitelists.list");
});

test.each([
  ["no account", { amount: "1 BTC", to: HOSTING }, ["INVALID_ARGUMENT", "--accountId"]],
  ["two accounts", { ...PAY, accountId: "1" }, ["INVALID_ARGUMENT", "--accountId"]],
  ["no amount", { ...PAY, amount: undefined }, ["INVALID_ARGUMENT", "--amount"]],
  ["two amounts", { ...PAY, amountBase: "1" }, ["INVALID_ARGUMENT", "--amount"]],
  ["two recipients", { ...PAY, to: HOSTING }, ["INVALID_ARGUMENT", "--to"]],
  ["a closed account", { ...PAY, accountName: "Closed" }, ["INVALID_ARGUMENT", "--accountId"]],
  ["a number without a unit", { ...PAY, amount: "0.007" }, ["INVALID_AMOUNT", "--amount"]],
  ["a unit of another asset", { ...PAY, amount: "1 XRP" }, ["UNKNOWN_UNIT", "--amount"]],
  [
    "an invalid address",
    { ...PAY, toEntry: undefined, to: `${HOSTING}q` },
    ["INVALID_ADDRESS", "--to"],
  ],
  ["a network without a payment", { ...PAY, accountName: "Cosmos" }, ["NOT_SUPPORTED", undefined]],
  ["a tag where there are none", { ...PAY, tag: "1" }, ["INVALID_ARGUMENT", "--tag"]],
  ["a memo where there are none", { ...PAY, memo: "TEXT:x" }, ["INVALID_ARGUMENT", "--memo"]],
  [
    "a speed where there is none",
    { accountName: "Solana", amount: "1 SOL", to: SOL, speed: "FAST" },
    ["INVALID_ARGUMENT", "--speed"],
  ],
  ["a token on a bitcoin account", { ...PAY, token: USDC }, ["INVALID_ARGUMENT", "--token"]],
  ["a fee limit without a unit", { ...PAY, maxFees: "4018" }, ["INVALID_AMOUNT", "--maxFees"]],
] as const)("M01 %s is refused", async (_, intent, expected) => {
  expect(await told(intent)).toEqual([...expected]);
});

test("M06 decimals that contradict the table are refused", async () => {
  const currencies = { results: [{ id: "bitcoin_testnet", ticker: "BTC", decimals: 6 }] };
  const opened = workspace({ "assets.currencies": currencies });
  expect(await told(PAY, opened)).toEqual(["DECIMALS_CONFLICT", "--amount"]);
  expect(await told({ ...PAY, amount: undefined, amountBase: "700000" }, opened)).toEqual([
    "DECIMALS_CONFLICT",
    "--amount",
  ]);
});

test("M06 a server that is wrong about the network's coin is not believed about a token of it", async () => {
  const currencies = { results: [{ id: "ethereum", ticker: "ETH", decimals: 16 }] };
  const tokens = {
    results: [{ contractAddress: USDC, network: "ethereum", symbol: "USDC", decimals: 4 }],
  };
  const opened = workspace({ "assets.currencies": currencies, "assets.tokens": tokens });
  const pay = { accountName: "Dollars", to: EXCHANGE };
  for (const amount of [{ amount: "1 USDC" }, { amountBase: "1000000" }])
    for (const from of [pay, { ...pay, accountName: "Ether", token: USDC }])
      expect(await told({ ...from, ...amount }, opened)).toEqual(["DECIMALS_CONFLICT", "--amount"]);
  const { message } = await refusal({ ...pay, amount: "1 USDC" }, opened);
  expect(message).toContain("ETH has 16 decimals; the coin has 18");
});

test("M07 a token without decimals takes base units only", async () => {
  const opened = workspace({ "assets.tokens": { results: [] } });
  const pay = { accountName: "Dollars", to: EXCHANGE };
  expect(await told({ ...pay, amount: "25 USDC" }, opened)).toEqual(["UNKNOWN_UNIT", "--amount"]);
  const { summary } = await draft({ ...pay, amountBase: "25000000" }, opened);
  expect([
    summary.amount?.decimal,
    summary.warnings.some(({ code }) => code === "DECIMALS_UNKNOWN"),
  ]).toEqual([null, true]);
});

describe("M08 tickers", () => {
  const pay = { accountName: "Ether", to: EXCHANGE };

  /** Code and contracts of a refused amount. */
  async function candidates(intent: Partial<Intent>): Promise<[string, string[]]> {
    const { code, facts } = await refusal(intent);
    const { candidates: found } = facts.details as { candidates: { contract: string }[] };
    return [code, found.map(({ contract }) => contract)];
  }

  test("M08 one that two contracts of the network have is refused, with both, and so is one that one has", async () => {
    expect(await candidates({ ...pay, amount: "25 USDC" })).toEqual([
      "AMBIGUOUS_ASSET",
      [USDC, TWIN],
    ]);
    expect(await candidates({ accountName: "Solana", to: SOL, amount: "25 USDC" })).toEqual([
      "AMBIGUOUS_ASSET",
      [MINT],
    ]);
  });

  test("M08 tokens of other networks are no candidates: the unit is unknown", async () => {
    expect(await told({ ...PAY, amount: "25 USDC" })).toEqual(["UNKNOWN_UNIT", "--amount"]);
  });

  test("M08 the contract, or the token's own account, says which", async () => {
    const named = await draft({ ...pay, amount: "25 USDC", token: TWIN });
    expect(named.request.text).toContain(`"contractAddress":"${TWIN}"`);
    const own = await draft({ accountName: "Dollars", to: EXCHANGE, amount: "25 USDC" });
    expect(own.request.text).toContain(`"contractAddress":"${USDC}"`);
    expect(own.summary.text[0]).toStartWith(
      "Send 25 USDC (25000000 base units, unit by the server) of token",
    );
    expect(
      await told({ accountName: "Dollars", to: EXCHANGE, amount: "25 USDC", token: TWIN }),
    ).toEqual(["INVALID_ARGUMENT", "--token"]);
  });

  test("M08 on Solana the mint makes it a payment of the token", async () => {
    const { request } = await draft({
      accountName: "Solana",
      to: SOL,
      amount: "1.5 USDC",
      token: MINT,
    });
    expect(request.text).toContain('"transactionType":"SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED"');
    expect(request.text).toContain(
      `"amount":"1500000","currency":"solana","recipient":"${SOL}","tokenMint":"${MINT}"`,
    );
    expect(request.text).not.toContain("maxFees");
  });
});

describe("M09 names", () => {
  test("M09 an account's that two have is refused with both ids; an unknown one is not found", async () => {
    const { code, facts } = await refusal({ ...PAY, accountName: "Twice" });
    const { candidates } = facts.details as { candidates: { id: string }[] };
    expect([code, candidates.map(({ id }) => id)]).toEqual(["AMBIGUOUS_NAME", ["8", "9"]]);
    expect(facts.hint).toContain("--accountId");
    for (const accountName of ["bitcoin", "Bitcoin ", "Bit\u0441oin"])
      expect((await refusal({ ...PAY, accountName })).code).toBe("NOT_FOUND");
  });

  test("M09 the candidates show what tells two accounts of one name apart", async () => {
    const twins = [
      account(8, "Twice", "ethereum", { balance: { total: "5" }, asset: { address: EXCHANGE } }),
      account(9, "Twice", "ethereum", { balance: { total: "7" }, contractAddress: USDC }),
    ];
    const opened = workspace({ "accounts.list": page(twins) });
    const { facts } = await refusal({ ...PAY, accountName: "Twice" }, opened);
    const common = { currency: "ethereum", status: "ACTIVE" };
    expect(facts.details).toEqual({
      candidates: [
        { id: "8", ...common, contract: null, balance: "5", address: EXCHANGE },
        { id: "9", ...common, contract: USDC, balance: "7", address: null },
      ],
    });
  });

  test("M09 M16 of two accounts of one name on one network, the text names the id", async () => {
    const twin = account(12, "Ether", "ethereum");
    const opened = workspace({ "accounts.list": page([...ACCOUNTS, twin]) });
    const intent = { accountId: "12", amount: "1 ETH", to: EXCHANGE };
    expect((await draft(intent, opened)).summary.text[0]).toEndWith(
      ' from account "Ether" (id 12)',
    );
    const other = { ...intent, accountId: "9" };
    expect((await draft(other, opened)).summary.text[0]).toEndWith(' from account "Twice"');
  });

  test("M09 an entry counts on the account's network and on active whitelists only", async () => {
    const { request } = await draft({ accountName: "Ether", amount: "1 ETH", toEntry: "Exchange" });
    expect(request.text).toContain(EXCHANGE);
    expect(await told({ accountName: "Ether", amount: "1 ETH", toEntry: "Gone" })).toEqual([
      "NOT_FOUND",
      "--toEntry",
    ]);
    expect(await told({ ...PAY, toEntry: "hosting" })).toEqual(["NOT_FOUND", "--toEntry"]);
  });

  test("M09 an entry that two whitelists have with two addresses needs the whitelist", async () => {
    const other = {
      name: "Hosting",
      currency: "bitcoin_testnet",
      address: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
    };
    const { "whitelists.list": known } = ANSWERS as { "whitelists.list": { results: object[] } };
    const opened = workspace({
      "whitelists.list": page([...known.results, whitelist("w3", "Others", [other])]),
    });
    expect(await told(PAY, opened)).toEqual(["AMBIGUOUS_NAME", "--toEntry"]);
    for (const one of ["w3", "Others"])
      expect((await draft({ ...PAY, whitelist: one }, opened)).request.text).toContain(
        other.address,
      );
  });

  test("M09 while whitelists cannot be read, no entry is taken", async () => {
    expect(await told(PAY, workspace({ "whitelists.list": undefined }))).toEqual([
      "NOT_FOUND",
      "--toEntry",
    ]);
  });
});

test("M19 a look-alike of a whitelist's entry, or of an own account, is refused with both", async () => {
  const near = `0xb550${"0".repeat(32)}ff3d`;
  const { code, facts } = await refusal({ accountName: "Ether", amount: "1 ETH", to: near });
  expect([code, facts.details]).toMatchObject([
    "LOOKALIKE_ADDRESS",
    { address: near, resembles: [{ address: EXCHANGE, firstDifference: 6 }] },
  ]);
  // The index counts from 0, the sentence as people do.
  expect(facts.message).toContain("but its character 7 is another");
});

test("M19 on V1 the recipients of own confirmed transactions are anchors, incoming ones never", async () => {
  const sent = (type: string) => ({
    "transactions.list": {
      next: null,
      results: [{ type, status: "CONFIRMED", recipient: `0x1234${"5".repeat(32)}abcd` }],
    },
    "transactions.estimate": { max_fees: "1" },
  });
  const intent = { accountName: "Ether", amount: "1 ETH", to: `0x1234${"6".repeat(32)}abcd` };
  expect((await refusal(intent, workspace(sent("SEND"), "v1"))).code).toBe("LOOKALIKE_ADDRESS");
  expect((await draft(intent, workspace(sent("RECEIVE"), "v1"))).request.text).toContain("0x1234");
});

describe("tags and memos", () => {
  const ripple = { accountName: "Ripple", amount: "1 XRP" };

  test("M18 the entry's only tag is taken, another one is refused", async () => {
    expect((await draft({ ...ripple, toEntry: "Exchange" })).request.text).toContain('"tag":1001');
    expect(await told({ ...ripple, toEntry: "Exchange", tag: "7" })).toEqual([
      "INVALID_ARGUMENT",
      "--tag",
    ]);
    expect(await told({ ...ripple, to: XRP, tag: "4294967296" })).toEqual([
      "INVALID_ARGUMENT",
      "--tag",
    ]);
  });

  test("M18 an X-address becomes the classic one and its tag; another tag is refused", async () => {
    const to = "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGZMhc9YTE92ehJ2Fu";
    const { request } = await draft({ ...ripple, to });
    expect(request.text).toContain('"recipient":"r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59","tag":1');
    expect(await told({ ...ripple, to, tag: "2" })).toEqual(["INVALID_ARGUMENT", "--tag"]);
  });

  test("M18 a memo has one of four forms, and a muxed account has its own", async () => {
    const pay = { accountName: "Stellar", amount: "1 XLM", to: STELLAR };
    const memo = async (text: string) => (await draft({ ...pay, memo: text })).request.text;
    expect(await memo("TEXT:invoice 42")).toContain('"memo":{"MEMO_TEXT":"invoice 42"}');
    expect(await memo("ID:18446744073709551615")).toContain(
      '"memo":{"MEMO_ID":18446744073709551615}',
    );
    expect(await memo(`HASH:${"ab".repeat(32)}`)).toContain("MEMO_HASH");
    for (const bad of [
      "x",
      "TEXT:",
      `TEXT:${"x".repeat(29)}`,
      "ID:1.5",
      "ID:18446744073709551616",
      "HASH:ab",
    ])
      expect(await told({ ...pay, memo: bad })).toEqual(["INVALID_ARGUMENT", "--memo"]);
    const muxed = await draft({ ...pay, to: MUXED });
    expect(muxed.request.text).toContain(
      `"recipient":"${STELLAR}","memo":{"MEMO_ID":9223372036854775808}`,
    );
    expect(await told({ ...pay, to: MUXED, memo: "ID:1" })).toEqual(["INVALID_ARGUMENT", "--memo"]);
  });
});

describe("similar requests", () => {
  const open = {
    id: "R7",
    type: "CREATE_TRANSACTION",
    state: "PENDING_APPROVAL",
    createdAt: "2026-03-01T10:00:00Z",
  };
  const like = (more: object) => ({
    "requests.list": page([{ ...open, ...more }]),
  });
  const sent = (recipient: string, amount: string) => ({
    data: { transactionType: "BITCOIN_LIKE_SEND", transactionData: { recipient, amount } },
  });

  test("M01 an amount that the account does not have is a warning, which is not grave", async () => {
    const having = (balance: unknown) =>
      workspace({ "accounts.list": page([account(1, "Bitcoin", "bitcoin_testnet", { balance })]) });
    const warnings = async (balance: unknown) =>
      (await draft(PAY, having(balance))).summary.warnings.filter(
        ({ code }) => code === "INSUFFICIENT_BALANCE",
      );
    const message = "The account has 0.00699999 BTC, which is less than the amount.";
    const short = [{ code: "INSUFFICIENT_BALANCE", grave: false, at: "account", message }];
    expect(await warnings({ total: "699999", pending: "0" })).toEqual(short);
    expect(await warnings("699999")).toEqual(short);
    for (const balance of [{ total: "700000" }, { total: "x" }, undefined])
      expect(await warnings(balance)).toEqual([]);
  });

  test("M13 same recipient and amount, or the same note title, is named and warned of", async () => {
    const same = await draft(PAY, workspace(like(sent(HOSTING, "700000"))));
    expect(same.similar).toEqual([
      {
        id: "R7",
        state: "PENDING_APPROVAL",
        createdAt: "2026-03-01T10:00:00Z",
        same: ["recipient", "amount"],
      },
    ]);
    expect(same.summary.warnings.map(({ code }) => code)).toContain("SIMILAR_REQUEST");
    const noted = { ...sent("other", "1"), note: { title: "Hosting", content: "x" } };
    const titled = await draft({ ...PAY, noteTitle: "Hosting" }, workspace(like(noted)));
    expect(titled.similar.map(({ same: traits }) => traits)).toEqual([["noteTitle"]]);
    expect((await draft(PAY, workspace(like(sent(HOSTING, "700001"))))).similar).toEqual([]);
  });

  test.each([
    ["could not be read", { "requests.list": undefined }, "none"],
    [
      "go on beyond what is read",
      {
        "requests.list": {
          ...page(Array.from({ length: 30 }, () => ({ ...open, ...sent("other", "1") }))),
          total: 301,
        },
      },
      "some",
    ],
    ["were all read", like(sent("other", "1")), "all"],
  ] as const)("M13 an empty list says whether requests %s", async (_, answers, similarRead) => {
    const found = await draft(PAY, workspace(answers));
    expect([found.similar, found.similarRead]).toEqual([[], similarRead]);
    const warned = found.summary.warnings.map(({ code }) => code).includes("SIMILAR_UNREADABLE");
    expect(warned).toBe(similarRead !== "all");
  });

  test("M13 on V1 they are transactions of the last seven days, from any account", async () => {
    const row = (id: number, created_on: string) => ({
      ...{
        id,
        status: "SUBMITTED",
        type: "SEND",
        recipient: HOSTING,
        amount: "700000",
        created_on,
        notes: [],
      },
    });
    const answers = {
      "transactions.list": {
        next: null,
        results: [row(7, "2026-03-01T10:00:00Z"), row(6, "2026-02-20T10:00:00Z")],
      },
      "transactions.estimate": { max_fees: "4018" },
    };
    expect((await draft(PAY, workspace(answers, "v1"))).similar.map(({ id }) => id)).toEqual(["7"]);
  });
});

test("M33 without a limit the estimate is taken and said; with one, twice the estimate warns", async () => {
  expect((await draft(PAY)).summary.text.at(-1)).toBe("The fee limit is the server's estimate.");
  const given = await draft({ ...PAY, maxFees: "0.0001 BTC" });
  expect(given.request.text).toContain('"maxFees":"10000"');
  expect(given.summary.warnings.map(({ code }) => code)).toContain("FEE_ABOVE_ESTIMATE");
  const unreadable = workspace({ "transactions.estimate": undefined });
  expect(await told(PAY, unreadable)).toEqual(["FORBIDDEN", undefined]);
  expect((await draft({ ...PAY, maxFeesBase: "4018" }, unreadable)).request.text).toContain("4018");
});
