/** A policy with one payment that it allows, and acts to try on it. */
import type { Act } from "../../src/core/policy/decide.ts";
import { type Policy, parsePolicy } from "../../src/core/policy/load.ts";
import { readPayment } from "../../src/core/policy/read.ts";
import { CliError } from "../../src/errors.ts";
import { exact } from "../../src/io/json.ts";

export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
export const SHOP = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
export const HOSTING = {
  id: "hosting",
  decisions: ["create", "approve"],
  types: ["CREATE_TRANSACTION"],
  transactionTypes: ["ETHEREUM_LIKE_SEND"],
  accounts: ["A1"],
  asset: { currency: "ethereum", contract: USDC, decimals: 6 },
  destinations: [{ address: SHOP }],
  perRequest: "2500.00",
  fees: { strategies: ["SPEED"], max: "0.01", decimals: 18 },
  note: 40,
};
const ALL = { accounts: "any", destinations: "any" };
export const DAY = {
  id: "usdc-day",
  asset: HOSTING.asset,
  ...ALL,
  per: "24h",
  amount: "10000",
  count: 3,
};
export const GAS = {
  id: "eth-day",
  asset: { currency: "ethereum", decimals: 18 },
  ...ALL,
  per: "24h",
  amount: "0.5",
  count: 40,
};
export const FILE = {
  version: 1,
  id: "payments",
  reads: "all",
  allow: [HOSTING],
  deny: [],
  windows: [DAY, GAS],
};

export function policyOf(file: unknown): Policy {
  return parsePolicy(
    Buffer.from(typeof file === "string" ? file : JSON.stringify(file)),
    "/p.json",
  );
}

export const TRANSACTION = {
  accountName: "Main",
  amount: "1000000",
  currency: "ethereum",
  maxFees: "141476090490000",
  contractAddress: USDC,
  recipient: SHOP,
};
export const DATA = {
  accountId: "A1",
  transactionType: "ETHEREUM_LIKE_SEND",
  feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
  transactionData: TRANSACTION,
};
export const REQUEST = {
  type: "CREATE_TRANSACTION",
  data: DATA,
  note: { title: "Hosting", content: "Week 9" },
};

/** The account of the request, as the API describes it. */
export const ACCOUNT = { id: "A1", name: "Main", currency: "ethereum", contract: USDC };

export function actOf(request: unknown, changes: Partial<Act> = {}): Act {
  const payment = readPayment(exact(JSON.stringify(request)));
  if ("unreadable" in payment) throw new Error(`unreadable: ${payment.unreadable}`);
  const decimals = { asset: 6, coin: 18 };
  return { decision: "create", payment, account: ACCOUNT, decimals, ...changes };
}

export function failureOf(work: () => unknown): { code: string; details: Record<string, unknown> } {
  try {
    work();
  } catch (cause) {
    if (cause instanceof CliError)
      return { code: cause.code, details: cause.facts.details as Record<string, unknown> };
    throw cause;
  }
  throw new Error("it did not fail");
}

export const sent = (changes: object) => ({
  ...REQUEST,
  data: { ...DATA, transactionData: { ...TRANSACTION, ...changes } },
});
