/**
 * Real transactions and messages of the public clear-signing registry (CC0-1.0), which lie outside
 * this repository: TEST_VECTORS names their folder. Tests that need them are skipped without it.
 */
import { notRun, textOf } from "../../support/given.ts";

function casesOf<T>(file: string): readonly T[] | undefined {
  const text = textOf("TEST_VECTORS", `calldata/${file}`);
  return text === undefined ? undefined : (JSON.parse(text) as { cases: readonly T[] }).cases;
}

export interface TypedData {
  readonly types: Record<string, { name: string; type: string }[]>;
  readonly primaryType: string;
  readonly domain: Record<string, unknown>;
  readonly message: Record<string, unknown>;
}

/** 374 unsigned transactions. */
export const TRANSACTIONS = casesOf<{ readonly from: string; readonly rawTx: string }>(
  "registry-transactions.json",
);

/** 135 EIP-712 messages. */
export const TYPED_DATA = casesOf<{ readonly from: string; readonly typedData: TypedData }>(
  "registry-typed-data.json",
);

/** Behind the name of a group that is skipped. */
export const WITHOUT_VECTORS =
  TRANSACTIONS === undefined ? notRun("TEST_VECTORS", "calldata/") : "";
