/** Balances in the unit that people use, beside the base units. */
import { type Exact, members, type Node, tree } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import type { Amount } from "./amount.ts";
import { amountOf, coinOf, tokenOf } from "./asset.ts";
import { textOf } from "./content.ts";
import { readLists } from "./facts.ts";

interface Balance {
  readonly currency: Exact | null;
  readonly balance: Exact;
  readonly contract: string | null;
}

/** The amounts of each balance, by the names that the balance has; null where there is no digit. */
export async function readableBalances(
  reader: Reader,
  balances: readonly Balance[],
): Promise<Record<string, Amount | null>[]> {
  const lists = await readLists(
    reader,
    balances.some(({ contract }) => contract !== null),
  );
  return balances.map(({ currency, balance, contract }) => {
    const network = textOf(currency === null ? undefined : tree(currency)) ?? "";
    const asset = contract === null ? coinOf(network, lists) : tokenOf(network, contract, lists);
    const parts = balance.text.startsWith("{") ? members(balance) : [];
    return Object.fromEntries(
      parts.map(([name, part]) => {
        const digits = digitsOf(tree(part));
        return [name, digits === undefined ? null : amountOf(digits, asset)];
      }),
    );
  });
}

function digitsOf(node: Node): string | undefined {
  const text = textOf(node);
  return text !== undefined && /^[0-9]+$/.test(text) ? text : undefined;
}
