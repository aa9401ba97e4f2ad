/** From the data of a transaction request to what it would move: the input rules, the fee, the account that pays. */
import {
  CURRENCIES,
  FAMILIES,
  type Family,
  type Speed,
  strategyCheck,
  TRANSACTION_KINDS,
  type TransactionKind,
} from "./assets.ts";
import { type JsonObject, memberAt, textAt } from "./json.ts";
import { type Check, type Checks, choice, insist, object, record, Refusal, text } from "./schema.ts";
import type { Account, Workspace } from "./workspace.ts";

export interface Plan {
  /** Whose balance the amount leaves: a token account when a contract is named. */
  readonly account: Account;
  /** Whose balance the fee leaves. */
  readonly payer: Account;
  readonly operation: string;
  readonly amount: bigint;
  /** What leaves `account` besides the fee. */
  readonly moved: bigint;
  readonly fee: bigint;
  readonly maxFees: bigint | null;
  readonly recipient: string | null;
}

const INTENT: Check = record(
  { transactionType: choice(...Object.keys(TRANSACTION_KINDS)), transactionData: object },
  { accountId: text(), feesStrategy: object },
  true,
);

/** What a CREATE_TRANSACTION request would do. Throws Refusal 400 for data that is incomplete, contradictory or not covered by funds. */
export function planTransaction(workspace: Workspace, data: JsonObject): Plan {
  insist(INTENT, data, "data");
  const named = workspace.accounts.get(textAt(data, "accountId") ?? "");
  if (named === undefined || named.status !== "ACTIVE") throw invalid("data.accountId: no active account with this id");
  const { kind, family } = kindFor(data, named);
  const required = { accountName: text(), currency: text(), ...kind.required };
  insist(
    record({ transactionData: record(required, kind.optional, true), ...strategyOf(family) }, {}, true),
    data,
    "data",
  );
  const fields = memberAt(data, "transactionData") as JsonObject;
  checkNames(fields, named);
  const account = tokenAccount(workspace, named, fields);
  const payer = workspace.accounts.get(account.parentId ?? "") ?? account;
  const amount = BigInt(textAt(fields, "amount") ?? "0");
  if (kind.movesAmount && amount === 0n) throw invalid("data.transactionData.amount: must be greater than zero");
  const recipient = textAt(fields, "recipient") ?? null;
  if (recipient !== null && !family.address.test(recipient)) {
    throw invalid(`data.transactionData.recipient: not an address of ${account.currency}`);
  }
  const typical = feeOf(family, data, account).fee + BigInt(textAt(fields, "maxPriorityFee") ?? "0");
  const maxFees = family.strategy === "none" ? null : BigInt(textAt(fields, "maxFees") ?? "0");
  if (maxFees === 0n) throw invalid("data.transactionData.maxFees: must be greater than zero");
  const plan = {
    account,
    payer,
    operation: kind.operation,
    amount,
    moved: kind.operation === "STAKE" ? 0n : amount,
    fee: maxFees !== null && maxFees < typical ? maxFees : typical,
    maxFees,
    recipient,
  };
  checkFunds(workspace, plan);
  return plan;
}

/** The fee of an intent whose other fields may still be missing. Throws Refusal 400. */
export function estimateFee(workspace: Workspace, account: Account, data: JsonObject): ReturnType<Family["fee"]> {
  insist(INTENT, data, "body");
  if ((textAt(data, "accountId") ?? account.id) !== account.id)
    throw invalid("body.accountId: not the account of the path");
  const { kind, family } = kindFor(data, account);
  const given: Checks = { accountName: text(), currency: text(), ...kind.required, ...kind.optional };
  insist(record({ transactionData: record({}, given, true) }, strategyOf(family), true), data, "body");
  const fields = memberAt(data, "transactionData") as JsonObject;
  checkNames(fields, account);
  return feeOf(family, data, tokenAccount(workspace, account, fields));
}

function kindFor(data: JsonObject, account: Account): { kind: TransactionKind; family: Family } {
  const type = textAt(data, "transactionType") ?? "";
  const kind = TRANSACTION_KINDS[type];
  const family = FAMILIES[kind?.family ?? ""];
  if (kind === undefined || family === undefined || kind.family !== CURRENCIES[account.currency]?.family) {
    throw invalid(`transactionType: ${type} does not fit an account of ${account.currency}`);
  }
  return { kind, family };
}

function strategyOf(family: Family): Checks {
  const check = strategyCheck(family);
  return check === undefined ? {} : { feesStrategy: check };
}

function checkNames(fields: JsonObject, account: Account): void {
  const wrong: string[] = [];
  if ((textAt(fields, "accountName") ?? account.name) !== account.name)
    wrong.push("transactionData.accountName: not the account's name");
  if ((textAt(fields, "currency") ?? account.currency) !== account.currency) {
    wrong.push("transactionData.currency: not the account's currency");
  }
  if (wrong.length > 0) throw new Refusal(400, "Input validation failed", wrong);
}

/** A token is moved by naming its account, or its parent's; either way the contract must be named and be the account's. */
function tokenAccount(workspace: Workspace, named: Account, fields: JsonObject): Account {
  const contract = textAt(fields, "contractAddress") ?? textAt(fields, "tokenMint") ?? null;
  const isSame = (other: string | null) => other?.toLowerCase() === contract?.toLowerCase();
  if (isSame(named.contractAddress)) return named;
  const child = [...workspace.accounts.values()].find(
    (one) => one.parentId === named.id && isSame(one.contractAddress),
  );
  if (child !== undefined && child.status === "ACTIVE") return child;
  if (textAt(fields, "contractAddress") === undefined && named.contractAddress === null) return named;
  throw invalid("transactionData.contractAddress: not the contract of this account");
}

function feeOf(family: Family, data: JsonObject, account: Account): ReturnType<Family["fee"]> {
  const speed = textAt(data, "feesStrategy", "data", "speed");
  const isHeavy = account.contractAddress !== null || textAt(data, "transactionType")?.endsWith("CONTRACT") === true;
  return family.fee(speed === "SLOW" || speed === "FAST" ? speed : ("NORMAL" satisfies Speed), isHeavy);
}

function checkFunds(workspace: Workspace, { account, payer, moved, maxFees, fee }: Plan): void {
  const feeLimit = maxFees ?? fee;
  const wrong: string[] = [];
  const needed = account === payer ? moved + feeLimit : moved;
  if (account.balance - reserved(workspace, account) < needed) wrong.push("Insufficient funds on the account");
  if (account !== payer && payer.balance < feeLimit) wrong.push("Insufficient funds for fees on the parent account");
  if (wrong.length > 0) throw new Refusal(400, "The account cannot cover this transaction", wrong);
}

const RESERVING: ReadonlySet<string> = new Set(["PENDING_APPROVAL", "APPROVED", "SUBMITTED"]);

/** What open transaction requests would take from `account`, base unit. */
export function reserved(workspace: Workspace, account: Account): bigint {
  let sum = 0n;
  for (const request of workspace.requests.values()) {
    if (request.plan?.account === account && RESERVING.has(request.state)) sum += request.plan.moved;
  }
  return sum;
}

function invalid(issue: string): Refusal {
  return new Refusal(400, "Input validation failed", [issue]);
}
