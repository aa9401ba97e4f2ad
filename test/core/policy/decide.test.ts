/** The policy file and its decision table, without a network. */
import { expect, test } from "bun:test";
import {
  type Act,
  debitOf,
  failedDimension,
  requireAllowed,
  requireRoom,
} from "../../../src/core/policy/decide.ts";
import { readPayment } from "../../../src/core/policy/read.ts";
import type { Entry } from "../../../src/core/state/journal.ts";
import { exact } from "../../../src/io/json.ts";
import { failureOf as fullFailureOf } from "../../support/failure.ts";
import {
  ACCOUNT,
  actOf,
  DATA,
  DAY,
  FILE,
  failureOf,
  GAS,
  HOSTING,
  policyOf,
  REQUEST,
  SHOP,
  sent,
  TRANSACTION,
  USDC,
} from "../../support/policy.ts";

test("A1 a payment that fits in every dimension is allowed by its rule", () => {
  expect(requireAllowed(policyOf(FILE), actOf(REQUEST))).toEqual(["hosting"]);
});

const GAS_CHOSEN = { gasLimit: "21000", gasPrice: "1000000000" };

test.each<[string, Act]>([
  ["decision", actOf(REQUEST, { decision: "reject" })],
  [
    "account",
    actOf(
      { ...REQUEST, data: { ...DATA, accountId: "A2" } },
      { account: { ...ACCOUNT, id: "A2" } },
    ),
  ],
  ["asset", actOf(REQUEST, { account: { ...ACCOUNT, contract: `${USDC.slice(0, -1)}9` } })],
  ["destination", actOf(sent({ recipient: "0x0000000000000000000000000000000000000001" }))],
  ["amount", actOf(sent({ amount: "2500000001" }))],
  ["fees", actOf(sent({ maxFees: "10000000000000001" }))],
  [
    "feesStrategy",
    actOf({
      ...REQUEST,
      data: { ...DATA, feesStrategy: { type: "CUSTOM", data: GAS_CHOSEN } },
    }),
  ],
  ["note", actOf({ ...REQUEST, note: { title: "x".repeat(30), content: "y".repeat(11) } })],
  ["decimals", actOf(REQUEST, { decimals: { asset: 18, coin: 18 } })],
])("A6 %s alone denies, and is named", (field, act) => {
  const [rule] = policyOf(FILE).allow;
  if (rule === undefined) throw new Error("no rule");
  expect(failedDimension(rule, act)).toBe(field);
  expect(failureOf(() => requireAllowed(policyOf(FILE), act)).code).toBe("POLICY_DENIED");
});

test.each([
  ["currency", sent({ currency: "ethereum_sepolia" })],
  ["contract", sent({ contractAddress: "0x0000000000000000000000000000000000000002" })],
  ["accountName", sent({ accountName: "Other" })],
])("A21 what the document says otherwise than the account denies: %s", (field, request) => {
  const { code, details } = failureOf(() => requireAllowed(policyOf(FILE), actOf(request)));
  expect([code, details.field]).toEqual(["POLICY_DENIED", field]);
});

test("A8 A21 a rule for the coin allows no token on it, and the reverse", () => {
  const coinRule = { ...HOSTING, asset: { currency: "ethereum", decimals: 18 }, perRequest: "1" };
  const coin = policyOf({ ...FILE, allow: [coinRule] });
  const token = actOf(REQUEST, { decimals: { asset: 18, coin: 18 } });
  expect(failureOf(() => requireAllowed(coin, token)).details.field).toBe("asset");
  const { contractAddress: _, ...plain } = TRANSACTION;
  const onCoin = actOf(
    { ...REQUEST, data: { ...DATA, transactionData: plain } },
    { account: { ...ACCOUNT, contract: null } },
  );
  expect(failureOf(() => requireAllowed(policyOf(FILE), onCoin)).details.field).toBe("asset");
  // A token account denies under the coin's rule also where the document names no contract.
  const unnamed = actOf(
    { ...REQUEST, data: { ...DATA, transactionData: plain } },
    { decimals: { asset: 18, coin: 18 } },
  );
  expect(failureOf(() => requireAllowed(coin, unnamed)).details.field).toBe("asset");
});

const EXCHANGE = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";

test("A8 EVM addresses match in any case, others exactly; an extra tag is refused", () => {
  expect(requireAllowed(policyOf(FILE), actOf(sent({ recipient: SHOP.toLowerCase() })))).toEqual([
    "hosting",
  ]);
  const xrp = {
    ...HOSTING,
    transactionTypes: ["RIPPLE_LIKE_SEND"],
    asset: { currency: "ripple" },
    perRequest: "9000000",
    fees: { strategies: ["SPEED"], max: "100" },
  };
  const window = { ...DAY, asset: { currency: "ripple" }, amount: "100000000" };
  const rules = (destinations: object[]) =>
    policyOf({ ...FILE, allow: [{ ...xrp, destinations }], windows: [window] });
  const pay = (changes: object) =>
    actOf(
      {
        ...REQUEST,
        data: {
          ...DATA,
          transactionType: "RIPPLE_LIKE_SEND",
          transactionData: {
            accountName: "Main",
            amount: "5",
            currency: "ripple",
            maxFees: "10",
            recipient: EXCHANGE,
            ...changes,
          },
        },
      },
      { account: { ...ACCOUNT, currency: "ripple", contract: null } },
    );
  const tagged = rules([{ address: EXCHANGE, tag: "17" }]);
  expect(requireAllowed(tagged, pay({ tag: 17 }))).toEqual(["hosting"]);
  for (const changes of [{}, { tag: 18 }, { tag: 17, recipient: EXCHANGE.toLowerCase() }])
    expect(failureOf(() => requireAllowed(tagged, pay(changes))).details.field).toBe("destination");
  expect(
    failureOf(() => requireAllowed(rules([{ address: EXCHANGE }]), pay({ tag: 17 }))).details.field,
  ).toBe("destination");
});

test.each([
  "9007199254740993",
  "9223372036854775808",
  "18446744073709551616",
  `1${"0".repeat(30)}`,
])("A7 %s compares exactly", (limit) => {
  const rule = { ...HOSTING, asset: { currency: "ethereum", contract: USDC }, perRequest: limit };
  const policy = policyOf({ ...FILE, allow: [rule] });
  const above = String(BigInt(limit) + 1n);
  expect(requireAllowed(policy, actOf(sent({ amount: limit })))).toEqual(["hosting"]);
  expect(
    failureOf(() => requireAllowed(policy, actOf(sent({ amount: above })))).details.field,
  ).toBe("amount");
});

test.each(["1e3", "01", "-0", " 1", "1.", ".5", "1.0000001", 5])(
  "A7 %p is not an amount of a rule",
  (perRequest) => {
    expect(failureOf(() => policyOf({ ...FILE, allow: [{ ...HOSTING, perRequest }] })).code).toBe(
      "POLICY_INVALID",
    );
  },
);

test.each<[string, unknown]>([
  ["an unknown member", { ...FILE, extra: 1 }],
  ["an unknown member of a rule", { ...FILE, allow: [{ ...HOSTING, hours: {} }] }],
  [
    "an unknown member of an asset",
    { ...FILE, allow: [{ ...HOSTING, asset: { ...HOSTING.asset, name: "x" } }] },
  ],
  ["a missing member of a rule", { ...FILE, allow: [{ ...HOSTING, note: undefined }] }],
  ["an empty list", { ...FILE, allow: [{ ...HOSTING, accounts: [] }] }],
  ["any type", { ...FILE, allow: [{ ...HOSTING, types: "any" }] }],
  ["another request type", { ...FILE, allow: [{ ...HOSTING, types: ["CREATE_GROUP"] }] }],
  [
    "a contract call",
    { ...FILE, allow: [{ ...HOSTING, transactionTypes: ["ETHEREUM_LIKE_EXECUTE_CONTRACT"] }] },
  ],
  [
    "an unknown transaction type",
    { ...FILE, allow: [{ ...HOSTING, transactionTypes: ["X_LIKE_SEND"] }] },
  ],
  ["a rule without a window", { ...FILE, windows: [GAS] }],
  ["a token without a window of its coin", { ...FILE, windows: [DAY] }],
  [
    "a window for fewer accounts than the rule",
    { ...FILE, windows: [{ ...DAY, accounts: ["A2"] }, GAS] },
  ],
  ["two rules with one id", { ...FILE, windows: [DAY, { ...GAS, id: "hosting" }] }],
  ["a deny rule that names nothing", { ...FILE, deny: [{ id: "x" }] }],
  ["a duplicate key", JSON.stringify(FILE).replace('"version":1', '"version":1,"version":1')],
  ["another version", { ...FILE, version: 2 }],
  ["no JSON", "{"],
  [
    "a number for decimals' text",
    { ...FILE, allow: [{ ...HOSTING, asset: { ...HOSTING.asset, decimals: "6" } }] },
  ],
])("A4 the whole file is invalid: %s", (_, file) => {
  expect(failureOf(() => policyOf(file)).code).toBe("POLICY_INVALID");
});

test("a type that is not a payment is named, and which types are", () => {
  const file = { ...FILE, allow: [{ ...HOSTING, transactionTypes: ["ETHEREUM_SEND"] }] };
  const told = fullFailureOf(() => policyOf(file)).message;
  expect(told).toMatch(
    /'ETHEREUM_SEND' at allow\.0\.transactionTypes is not a payment\. Payments: .*\bETHEREUM_LIKE_SEND\b/,
  );
  expect(told).not.toContain("EXECUTE_CONTRACT");
});

test("A4 a reader's file allows nothing and needs no window", () => {
  const reader = policyOf({ version: 1, id: "reader", reads: "all", allow: [], windows: [] });
  expect(reader).toMatchObject({ onlyOwn: true, duplicates: "ask", stopped: false });
  expect(failureOf(() => requireAllowed(reader, actOf(REQUEST))).code).toBe("POLICY_DENIED");
});

test.each<[string, unknown]>([
  ["an unknown member", sent({ extra: "1" })],
  ["both spellings of one name", sent({ max_fees: "1" })],
  ["another type", { ...REQUEST, type: "CREATE_GROUP" }],
  ["a type of a later version", { ...REQUEST, type: "CREATE_TELEPORT" }],
  ["an amount with an exponent", sent({ amount: "1e3" })],
  ["an amount that is an object", sent({ amount: {} })],
  ["a member beside the data", { ...REQUEST, more: 1 }],
])("A4 a document with %s cannot be decided about", (_, request) => {
  expect(readPayment(exact(JSON.stringify(request)))).toMatchObject({
    unreadable: expect.any(String),
  });
});

const NOON = Date.UTC(2026, 10, 28, 12);
const HOUR = 3_600_000;

function entry(hoursAgo: number, amount: string, more: Partial<Entry> = {}): Entry {
  const debit = { ...debitOf(actOf(REQUEST)), amount };
  return {
    ...{
      key: `K${hoursAgo}`,
      kind: "create",
      command: "requests create",
      origin: "o",
      basePath: "",
    },
    ...{ workspace: "w", user: "u", uid: 0, debit, clock: NOON - hoursAgo * HOUR, time: 0 },
    ...{ state: "open", endedAt: undefined, isDebited: true, ...more },
  } as Entry;
}

function room(entries: readonly Entry[], now: number | undefined = NOON) {
  const ledger = { entries, now, restartedAt: undefined };
  return () => requireRoom(policyOf(FILE), debitOf(actOf(sent({ amount: "2000000000" }))), ledger);
}

test("A10 a window rolls: older records free their room, an open record keeps its place", () => {
  expect(room([entry(23, "8000000000")])).not.toThrow();
  expect(failureOf(room([entry(23, "8000000001")])).details).toMatchObject({
    field: "window",
    rules: [{ id: "usdc-day", field: "amount" }],
  });
  expect(room([entry(24, "8000000001")])).not.toThrow();
  expect(room([entry(23, "8000000001", { isDebited: false })])).not.toThrow();
  expect(failureOf(room([1, 2, 3].map((hours) => entry(hours, "1")))).details).toMatchObject({
    rules: [{ field: "count" }],
  });
  // A record from a clock that was ahead does not give its room early.
  expect(failureOf(room([entry(-1000, "8000000001")])).code).toBe("POLICY_DENIED");
});

test("A10 without the API's clock, and after a journal that was begun anew, windows deny", () => {
  const ledger = { entries: [], now: undefined, restartedAt: undefined };
  expect(
    failureOf(() => requireRoom(policyOf(FILE), debitOf(actOf(REQUEST)), ledger)).details.field,
  ).toBe("clock");
  const restarted = { ...ledger, now: NOON, restartedAt: NOON - HOUR };
  expect(
    failureOf(() => requireRoom(policyOf(FILE), debitOf(actOf(REQUEST)), restarted)).details.field,
  ).toBe("journal");
});

test("A8 a coin's window counts the fees of token payments in its amount and not in its count", () => {
  const fee = entry(1, "1");
  const full = { ...fee, debit: { ...fee.debit, fee: "500000000000000000" } } as Entry;
  expect(failureOf(room([full])).details).toMatchObject({
    rules: [{ id: "eth-day", field: "amount" }],
  });
});

test("A8 a window of one destination counts payments to it in any case of its letters", () => {
  const address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
  const asset = { currency: "bitcoin" };
  const shop = { ...DAY, id: "shop", asset, destinations: [{ address }], amount: "10" };
  const policy = policyOf({ ...FILE, windows: [...FILE.windows, shop] });
  const paid = { ...debitOf(actOf(REQUEST)), currency: "bitcoin", contract: undefined };
  const ledger = { entries: [], now: NOON, restartedAt: undefined };
  for (const recipient of [address, address.toUpperCase()]) {
    const over = { ...paid, fee: undefined, recipient, amount: "11" };
    expect(failureOf(() => requireRoom(policy, over, ledger)).details).toMatchObject({
      rules: [{ id: "shop" }],
    });
  }
});

test("A13 a refusal names rule and field, and neither limit nor remainder", () => {
  const text = JSON.stringify(failureOf(room([entry(1, "8000000001")])));
  for (const number of ["10000", "8000", "2000", "remain"]) expect(text).not.toContain(number);
});

const RECIPIENTS: Readonly<Record<string, string>> = {
  solana: "So11111111111111111111111111111111111111112",
  polkadot: "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
};

/** A payment on another chain, and a rule that allows it. */
function elsewhere(transactionType: string, currency: string, fees: unknown, changes: object) {
  const asset = { currency };
  const recipient = RECIPIENTS[currency] ?? SHOP;
  const rule = {
    ...{ ...HOSTING, transactionTypes: [transactionType], asset, perRequest: "100", fees },
    destinations: [{ address: recipient }],
  };
  const window = { ...DAY, asset, amount: "1000" };
  const request = {
    type: "CREATE_TRANSACTION",
    data: {
      accountId: "A1",
      transactionType,
      transactionData: { accountName: "Main", amount: "5", currency, recipient, ...changes },
    },
  };
  const file = { ...FILE, allow: [rule], windows: [window] };
  return { file, act: () => actOf(request, { account: { ...ACCOUNT, currency, contract: null } }) };
}

const CEILING = { strategies: "none", max: "50" };

test("A6 Solana: the ceiling bounds max_priority_fee, which must be there", () => {
  const pay = (changes: object) => elsewhere("SOLANA_LIKE_SEND", "solana", CEILING, changes);
  const { file, act } = pay({ maxPriorityFee: "50" });
  expect(requireAllowed(policyOf(file), act())).toEqual(["hosting"]);
  for (const changes of [{}, { maxPriorityFee: null }, { maxPriorityFee: "51" }]) {
    const { details } = failureOf(() => requireAllowed(policyOf(file), pay(changes).act()));
    expect(details.field).toBe("fees");
  }
});

test("A6 a custom gas price beyond the ceiling is refused, however small the limit beside it", () => {
  const custom = (gasPrice: string) => {
    const feesStrategy = { type: "CUSTOM", data: { gasLimit: "21000", gasPrice } };
    return actOf({ ...REQUEST, data: { ...DATA, feesStrategy } });
  };
  const fees = { strategies: ["CUSTOM"], max: "0.01", decimals: 18 };
  const policy = policyOf({ ...FILE, allow: [{ ...HOSTING, fees }] });
  // The ceiling is 10^16 wei: 21,000 units of gas at 476,190,476,190 wei.
  expect(requireAllowed(policy, custom("476190476190"))).toEqual(["hosting"]);
  expect(failureOf(() => requireAllowed(policy, custom("476190476191"))).details.field).toBe(
    "fees",
  );
  expect(debitOf(custom("476190476190")).fee).toBe("9999999999990000");
});

test("A4 a rule has the fees of its types: a ceiling where one is, none where there is none", () => {
  const speed = { strategies: ["SPEED"], max: "50" };
  const wrong: readonly (readonly [string, string, unknown])[] = [
    ["SOLANA_LIKE_SEND", "solana", "none"],
    ["SOLANA_LIKE_SEND", "solana", speed],
    ["POLKADOT_LIKE_SEND", "polkadot", CEILING],
    ["BITCOIN_LIKE_SEND", "bitcoin", CEILING],
    ["BITCOIN_LIKE_SEND", "bitcoin", "none"],
  ];
  for (const [type, currency, fees] of wrong) {
    const { code } = failureOf(() => policyOf(elsewhere(type, currency, fees, {}).file));
    expect([type, fees, code]).toEqual([type, fees, "POLICY_INVALID"]);
  }
  const { file, act } = elsewhere("POLKADOT_LIKE_SEND", "polkadot", "none", {});
  expect(requireAllowed(policyOf(file), act())).toEqual(["hosting"]);
});

test.each([
  ["gasPrice", GAS_CHOSEN],
  ["priorityFees", { gasLimit: "21000", priorityFees: "1000000000" }],
])("A6 a CUSTOM strategy with %s is allowed where the rule names it, and only there", (_, data) => {
  const request = { ...REQUEST, data: { ...DATA, feesStrategy: { type: "CUSTOM", data } } };
  const fees = { ...HOSTING.fees, strategies: ["CUSTOM"] };
  const named = policyOf({ ...FILE, allow: [{ ...HOSTING, fees }] });
  expect(requireAllowed(named, actOf(request))).toEqual(["hosting"]);
  const { details } = failureOf(() => requireAllowed(policyOf(FILE), actOf(request)));
  expect(details.field).toBe("feesStrategy");
  // SPEED is not CUSTOM, and a CUSTOM strategy does not have SPEED's members.
  expect(failureOf(() => requireAllowed(named, actOf(REQUEST))).details.field).toBe("feesStrategy");
  const mixed = { ...DATA, feesStrategy: { type: "CUSTOM", data: { speed: "NORMAL" } } };
  expect(readPayment(exact(JSON.stringify({ ...REQUEST, data: mixed })))).toEqual({
    unreadable: "data.feesStrategy.data.speed",
  });
});

test("A20 A1 200 rules and 10,000 entries: the last rule and the oldest entry count", () => {
  const others = Array.from({ length: 199 }, (_, at) => ({
    ...{ ...HOSTING, id: `r${at}`, accounts: [`X${at}`] },
  }));
  const windows = [
    { ...DAY, count: 1e6, amount: "0.01" },
    { ...GAS, count: 1e6, amount: "5000000" },
  ];
  const policy = policyOf({ ...FILE, allow: [...others, HOSTING], windows });
  expect(requireAllowed(policy, actOf(REQUEST))).toEqual(["hosting"]);
  const entries = Array.from({ length: 10_000 }, (_, at) => entry(23.9 - at / 1000, "1"));
  const ask = (known: readonly Entry[], amount: string) => () => {
    const ledger = { entries: known, now: NOON, restartedAt: undefined };
    requireRoom(policy, debitOf(actOf(sent({ amount }))), ledger);
  };
  expect(failureOf(ask(entries, "1")).details).toMatchObject({ rules: [{ field: "amount" }] });
  expect(ask(entries.slice(1), "1")).not.toThrow();
});
