/** Live balances of several accounts at once. */
import { CliError } from "../../errors.ts";
import { type Exact, member, value } from "../../io/json.ts";
import type { Reader } from "./api.ts";

const AT_ONCE = 8;

/** The live balance of one account, as the API has it: base units. */
export interface AccountBalance {
  readonly id: string;
  readonly name: Exact | null;
  readonly currency: Exact | null;
  readonly balance: Exact;
  /** Contract of a token account; null for the network's own coin. */
  readonly contract: string | null;
}

/**
 * Reads each account once, at most eight at a time, and returns a balance for each id in the order
 * given. The first id in that order that fails decides the error, whatever came back first; it
 * is in `details.id` (D12, D13).
 */
export async function readBalances(
  reader: Reader,
  ids: readonly string[],
): Promise<AccountBalance[]> {
  const distinct = [...new Set(ids)];
  const outcomes = new Map<string, PromiseSettledResult<AccountBalance>>();
  let next = 0;
  let firstFailure = distinct.length;
  const worker = async (): Promise<void> => {
    while (next < firstFailure) {
      const at = next;
      next += 1;
      const id = distinct[at] ?? "";
      const [outcome] = await Promise.allSettled([readBalance(reader, id)]);
      outcomes.set(id, outcome);
      if (outcome.status === "rejected") firstFailure = Math.min(firstFailure, at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, distinct.length) }, worker));
  const balances = new Map<string, AccountBalance>();
  for (const id of distinct) {
    const outcome = outcomes.get(id);
    if (outcome?.status === "rejected") throw naming(id, outcome.reason);
    if (outcome !== undefined) balances.set(id, outcome.value);
  }
  return ids.flatMap((id) => balances.get(id) ?? []);
}

function naming(id: string, cause: unknown): unknown {
  if (!(cause instanceof CliError)) return cause;
  return new CliError(cause.code, {
    ...cause.facts,
    message: "The balance of an account could not be read.",
    details: { id },
    cause,
  });
}

async function readBalance(reader: Reader, id: string): Promise<AccountBalance> {
  const account = await reader.read("accounts.balance", { id });
  return {
    id,
    name: memberOf(account, "name") ?? null,
    currency: memberOf(account, "currency") ?? null,
    balance: balanceOf(account),
    contract: textOf(memberOf(account, "contractAddress") ?? memberOf(account, "contract_address")),
  };
}

/**
 * `account.balance`, else `account.asset.balance` (assumed). A token-exact value; throws
 * INVALID_RESPONSE without one.
 */
function balanceOf(account: Exact): Exact {
  const asset = memberOf(account, "asset");
  const balance =
    memberOf(account, "balance") ?? (asset === undefined ? undefined : memberOf(asset, "balance"));
  if (balance !== undefined && balance.text !== "null") return balance;
  throw new CliError("INVALID_RESPONSE", {
    message: "The account has no 'balance'.",
    field: "balance",
  });
}

function textOf(text: Exact | undefined): string | null {
  const found = text === undefined ? null : value(text);
  return typeof found === "string" ? found : null;
}

function memberOf(document: Exact, name: string): Exact | undefined {
  return document.text.startsWith("{") ? member(document, name) : undefined;
}
