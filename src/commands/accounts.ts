/** Accounts of the workspace. Source: Accounts section of the API reference; balance guide. */
import * as v from "valibot";
import { flag, id, many, oneOf, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { readBalances } from "../core/api/balance.ts";
import { command } from "./parts/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf } from "./parts/resource.ts";

const Balance = () => v.looseObject({ total: v.string(), pending: given });

const Account = () =>
  v.looseObject({
    ...base,
    name: given,
    currency: given,
    network: given,
    contractAddress: maybe,
    index: v.optional(v.number()),
    derivationPath: given,
    status: given,
    ...times,
    /** V1: the total alone. */
    balance: v.optional(v.union([Balance(), v.string()])),
    available_balance: given,
    pending_balance: given,
    asset: v.optional(v.looseObject({})),
    governance: v.optional(v.looseObject({})),
  });

const getBalance = command({
  summary: "Balances of one or more accounts, in the order of the ids.",
  notes: [
    "`balance` has whole numbers in the asset's smallest unit, `readable` the same as amounts with a unit. One account that fails fails the command.",
  ],
  effect: "read",
  needs: ["reader", "meaning"],
  args: { id: required(many(id("Id of an account."))) },
  output: () =>
    v.looseObject({
      results: v.array(
        v.looseObject({
          id: v.string(),
          name: v.nullable(v.string()),
          currency: v.nullable(v.string()),
          balance: Balance(),
          readable: v.record(v.string(), v.nullable(v.looseObject({ base: v.string() }))),
        }),
      ),
    }),
  fields: "results",
  examples: [
    { line: "accounts getBalance --id ACCOUNT_ID --id OTHER_ID", means: "Two balances at once" },
  ],
  run: async ({ reader, meaning }, args) => {
    const balances = await readBalances(reader, args.id);
    const readable = await meaning.readableBalances(reader, balances);
    const results = balances.map(({ contract: _, ...one }, at) => {
      return { ...one, readable: readable[at] ?? {} };
    });
    return { results };
  },
});

export const accounts = group("Accounts and their balances.", {
  list: listOf({
    summary: "List accounts.",
    operation: "accounts.list",
    item: Account,
    filters: {
      status: oneOf("Only accounts in this status.", ["ACTIVE", "INACTIVE"]),
      name: text("Only accounts whose name matches."),
      governanceType: text("Only accounts of this governance type.", "<type>", 64),
      skipLiveData: flag("Leave out live balances; faster."),
    },
    examples: [
      {
        line: "accounts list --status ACTIVE --all --fields id,name,balance.total",
        means: "Every active account, three fields each",
      },
      { line: "accounts list --name Treasury", means: "Find an account's id by its name" },
    ],
  }),
  get: getOf({
    summary: "One account.",
    operation: "accounts.get",
    item: Account,
    of: "account",
    examples: [
      { line: "accounts get --id ACCOUNT_ID", means: "One account with its live balance" },
    ],
  }),
  getBalance,
});
