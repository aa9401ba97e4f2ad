/**
 * Coins, transaction kinds, and what a transaction request would move. Kinds and their fields are
 * those of V1 in V2's camelCase; the sandbox knows the families of its fixture.
 */
import { type JsonObject, textAt } from "./json.ts";
import {
  type Check,
  type Checks,
  choice,
  insist,
  invalid,
  list,
  nullable,
  number,
  object,
  Refusal,
  record,
  text,
} from "./schema.ts";
import type { Account, Workspace } from "./workspace.ts";

interface Family {
  /** What an address looks like; no checksum is verified, the sandbox has no chain. */
  readonly address: RegExp;
  /**
   * Field names of CUSTOM fee strategies. Undefined: the family takes neither strategy nor maxFees.
   */
  readonly customFees: readonly (readonly string[])[] | undefined;
  /** The fee in base unit at a speed of 1, 2 or 4, and how it is explained. */
  fee(speed: bigint, isHeavy: boolean): Fee;
}

interface Fee {
  readonly fee: bigint;
  readonly coinFields: Readonly<Record<string, string | number>>;
}

const BASE58 = "[1-9A-HJ-NP-Za-km-z]";
const simple = (fee: bigint) => (speed: bigint) => ({ fee: fee * speed, coinFields: {} });

const FAMILIES: Readonly<Record<string, Family>> = {
  BITCOIN_LIKE: {
    address: /^(?:tb1|bc1|[13mn2])[0-9a-zA-Z]{20,87}$/,
    customFees: [["feesPerByte"]],
    fee: (speed) => ({
      fee: 7n * speed * 287n,
      coinFields: { feesPerByte: Number(7n * speed), utxoLimit: 100 },
    }),
  },
  ETHEREUM_LIKE: {
    address: /^0x[0-9a-fA-F]{40}$/,
    customFees: [
      ["gasLimit", "gasPrice"],
      ["gasLimit", "priorityFees"],
    ],
    fee(speed, isHeavy) {
      const gasLimit = isHeavy ? 65_000n : 21_000n;
      const gasPrice = 10_000_000_000n * speed;
      return {
        fee: gasLimit * gasPrice,
        coinFields: { gasLimit: `${gasLimit}`, gasPrice: `${gasPrice}` },
      };
    },
  },
  RIPPLE_LIKE: { address: new RegExp(`^r${BASE58}{24,34}$`), customFees: [], fee: simple(10n) },
  STELLAR_LIKE: { address: /^G[A-Z2-7]{55}$/, customFees: [], fee: simple(100n) },
  TRON_LIKE: { address: new RegExp(`^T${BASE58}{33}$`), customFees: [], fee: simple(550_000n) },
  SUI_LIKE: { address: /^0x[0-9a-f]{64}$/, customFees: [], fee: simple(1_000_000n) },
  SOLANA_LIKE: {
    address: new RegExp(`^${BASE58}{32,44}$`),
    customFees: undefined,
    fee: () => ({ fee: 5_000n, coinFields: {} }),
  },
};

/** Currency id → its names, and the family that its transactions belong to. */
export const CURRENCIES: Readonly<
  Record<string, { name: string; ticker: string; decimals: number; family: string }>
> = {
  bitcoin: { name: "Bitcoin", ticker: "BTC", decimals: 8, family: "BITCOIN_LIKE" },
  bitcoin_testnet: { name: "Bitcoin Testnet", ticker: "BTC", decimals: 8, family: "BITCOIN_LIKE" },
  ethereum: { name: "Ethereum", ticker: "ETH", decimals: 18, family: "ETHEREUM_LIKE" },
  ripple: { name: "XRP", ticker: "XRP", decimals: 6, family: "RIPPLE_LIKE" },
  stellar: { name: "Stellar", ticker: "XLM", decimals: 7, family: "STELLAR_LIKE" },
  tron: { name: "Tron", ticker: "TRX", decimals: 6, family: "TRON_LIKE" },
  sui: { name: "Sui", ticker: "SUI", decimals: 9, family: "SUI_LIKE" },
  solana: { name: "Solana", ticker: "SOL", decimals: 9, family: "SOLANA_LIKE" },
};

interface Kind {
  readonly operation: string;
  /** Fields of transactionData beyond accountName, currency and maxFees. */
  readonly required: Checks;
  readonly optional?: Checks;
}

const integer = text(/^(0|[1-9]\d*)$/, "an integer of the base unit in digits");
const hash = text(/^[0-9a-f]{64}$/i, "64 hexadecimal digits");
const MEMOS = {
  MEMO_TEXT: text(/^.{0,28}$/s, "at most 28 characters"),
  MEMO_ID: number(0, 2 ** 64),
  MEMO_HASH: hash,
  MEMO_RETURN: hash,
};
const memo: Check = (value, at) =>
  value instanceof Map && value.size > 1
    ? [`Invalid input at ${at}: expected one memo`]
    : record({}, MEMOS)(value, at);
const calldata = text(/^0x(?:[0-9a-f]{2})*$/i, "0x and pairs of hexadecimal digits");
const abiCall = record({ abi: list(object), functionName: text(), functionArguments: object });
const contractData: Check = (value, at) => (value instanceof Map ? abiCall : calldata)(value, at);
const move = { amount: integer, recipient: text() };
const priority = { maxPriorityFee: nullable(integer) };

/** The kind's family is the part of its name before the operation. */
const KINDS: Readonly<Record<string, Kind>> = {
  BITCOIN_LIKE_SEND: { operation: "SEND", required: move },
  ETHEREUM_LIKE_SEND: {
    operation: "SEND",
    required: move,
    optional: { contractAddress: nullable(text()) },
  },
  ETHEREUM_LIKE_EXECUTE_CONTRACT: {
    operation: "EXECUTE_CONTRACT",
    required: move,
    optional: { contractData: nullable(contractData) },
  },
  ETHEREUM_LIKE_DEPLOY_CONTRACT: {
    operation: "DEPLOY_CONTRACT",
    required: { encodedContractBytecode: text() },
  },
  RIPPLE_LIKE_SEND: {
    operation: "SEND",
    required: move,
    optional: { tag: nullable(number(0, 2 ** 32 - 1)) },
  },
  STELLAR_LIKE_SEND: { operation: "SEND", required: move, optional: { memo: nullable(memo) } },
  SUI_LIKE_SEND: { operation: "SEND", required: move, optional: { coinType: nullable(text()) } },
  TRON_LIKE_SEND: { operation: "SEND", required: move },
  SOLANA_LIKE_SEND: { operation: "SEND", required: move, optional: priority },
  SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED: {
    operation: "SEND",
    required: { ...move, tokenMint: text() },
    optional: priority,
  },
  SOLANA_LIKE_CREATE_SPL_TOKEN_ACCOUNT: {
    operation: "ACTIVATE_TOKEN",
    required: { tokenMint: text() },
    optional: priority,
  },
};

export interface Plan {
  /** Whose balance the amount leaves: a token account when a contract is named. */
  readonly account: Account;
  /** Whose balance the fee leaves. */
  readonly payer: Account;
  readonly operation: string;
  readonly amount: bigint;
  /** What will be paid, at most maxFees. */
  readonly fee: bigint;
  readonly maxFees: bigint | null;
  readonly recipient: string | null;
}

const INTENT = record(
  { transactionType: choice(...Object.keys(KINDS)), transactionData: object },
  { accountId: text(), feesStrategy: object },
  true,
);

/**
 * What a CREATE_TRANSACTION request would do. Throws Refusal 400 for data that is incomplete,
 * contradictory or not covered by funds.
 */
export function planTransaction(workspace: Workspace, data: JsonObject): Plan {
  const named = workspace.accounts.get(textAt(data, "accountId") ?? "");
  if (named === undefined || named.status !== "ACTIVE")
    throw invalid("data.accountId: no active account with this id");
  const { kind, family, account, fee } = readIntent(workspace, named, data, "data", true);
  const field = (name: string) => textAt(data, "transactionData", name);
  const amount = BigInt(field("amount") ?? "0");
  if (kind.operation === "SEND" && amount === 0n)
    throw invalid("data.transactionData.amount: must be greater than zero");
  const recipient = field("recipient") ?? null;
  if (recipient !== null && !family.address.test(recipient)) {
    throw invalid(`data.transactionData.recipient: not an address of ${account.currency}`);
  }
  const maxFees = family.customFees === undefined ? null : BigInt(field("maxFees") ?? "0");
  if (maxFees === 0n) throw invalid("data.transactionData.maxFees: must be greater than zero");
  const typical = fee.fee + BigInt(field("maxPriorityFee") ?? "0");
  const plan: Plan = {
    account,
    payer: workspace.accounts.get(account.parentId ?? "") ?? account,
    operation: kind.operation,
    amount,
    fee: maxFees !== null && maxFees < typical ? maxFees : typical,
    maxFees,
    recipient,
  };
  checkFunds(workspace, plan);
  return plan;
}

/** The fee of an intent whose other fields may still be missing. Throws Refusal 400. */
export function estimateFee(workspace: Workspace, account: Account, data: JsonObject): Fee {
  if ((textAt(data, "accountId") ?? account.id) !== account.id)
    throw invalid("body.accountId: not the account of the path");
  return readIntent(workspace, account, data, "body", false).fee;
}

function readIntent(
  workspace: Workspace,
  named: Account,
  data: JsonObject,
  at: string,
  isComplete: boolean,
) {
  insist(INTENT, data, at);
  const type = textAt(data, "transactionType") ?? "";
  const familyName = CURRENCIES[named.currency]?.family ?? "";
  const [kind, family] = [KINDS[type], FAMILIES[familyName]];
  if (kind === undefined || family === undefined || !type.startsWith(`${familyName}_`)) {
    throw invalid(`${at}.transactionType: does not fit an account of ${named.currency}`);
  }
  const names = { accountName: choice(named.name), currency: choice(named.currency) };
  const required = {
    ...names,
    ...kind.required,
    ...(family.customFees === undefined ? {} : { maxFees: integer }),
  };
  const strategy: Checks =
    family.customFees === undefined ? {} : { feesStrategy: strategyCheck(family.customFees) };
  const fields = isComplete
    ? record(required, kind.optional, true)
    : record({}, { ...required, ...kind.optional }, true);
  insist(
    isComplete
      ? record({ transactionData: fields, ...strategy }, {}, true)
      : record({ transactionData: fields }, strategy, true),
    data,
    at,
  );
  const account = tokenAccount(workspace, named, data, at);
  const speed = SPEEDS[textAt(data, "feesStrategy", "data", "speed") ?? "NORMAL"] ?? 2n;
  const isHeavy = account.contractAddress !== undefined || type.endsWith("CONTRACT");
  return { kind, family, account, fee: family.fee(speed, isHeavy) };
}

const SPEEDS: Readonly<Record<string, bigint>> = { SLOW: 1n, NORMAL: 2n, FAST: 4n };

function strategyCheck(customFees: readonly (readonly string[])[]): Check {
  const speed = record({
    type: choice("SPEED"),
    data: record({ speed: choice("SLOW", "NORMAL", "FAST") }),
  });
  const customs = customFees.map((names) =>
    record({
      type: choice("CUSTOM"),
      data: record(Object.fromEntries(names.map((name) => [name, integer]))),
    }),
  );
  return (value, at) => {
    const isCustom = customs.length > 0 && textAt(value, "type") === "CUSTOM";
    const results = (isCustom ? customs : [speed]).map((check: Check) => check(value, at));
    return results.find((issues) => issues.length === 0) ?? results[0] ?? [];
  };
}

/**
 * A token is moved by naming its account, or its parent's; either way the contract must be named
 * and be the account's.
 */
function tokenAccount(workspace: Workspace, named: Account, data: JsonObject, at: string): Account {
  const contract = textAt(data, "transactionData", "contractAddress");
  const isSame = (one: Account) => one.contractAddress?.toLowerCase() === contract?.toLowerCase();
  if (isSame(named) || workspace.habits.accountDecides) return named;
  const child = [...workspace.accounts.values()].find(
    (one) => one.parentId === named.id && isSame(one),
  );
  if (child?.status === "ACTIVE") return child;
  throw invalid(`${at}.transactionData.contractAddress: not the contract of this account`);
}

function checkFunds(workspace: Workspace, { account, payer, amount, maxFees, fee }: Plan): void {
  const feeLimit = maxFees ?? fee;
  const free = (one: Account) => one.balance - reserved(workspace, one);
  const isCovered =
    account === payer
      ? free(account) >= amount + feeLimit
      : free(account) >= amount && free(payer) >= feeLimit;
  if (!isCovered)
    throw new Refusal(400, "The account cannot cover this transaction", ["Insufficient funds"]);
}

const RESERVING: ReadonlySet<string> = new Set(["PENDING_APPROVAL", "APPROVED", "SUBMITTED"]);

/** What open transaction requests would take from `account`, base unit, fees left out. */
export function reserved(workspace: Workspace, account: Account): bigint {
  const open = [...workspace.requests.values()].filter(
    ({ plan, state }) => plan?.account === account && RESERVING.has(state),
  );
  return open.reduce((sum, { plan }) => sum + (plan?.amount ?? 0n), 0n);
}
