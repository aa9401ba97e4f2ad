/** Accounts of the workspace. Source: Accounts section of the API reference; balance guide. */
import * as v from "valibot";
import { flag, id, integer, many, oneOf, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { readBalances } from "../core/api/balance.ts";
import { command } from "./parts/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf } from "./parts/resource.ts";

/** V1's guide has numbers where its reference has text. */
const Amount = () => v.union([v.string(), v.number()]);
const Balance = () => v.looseObject({ total: Amount(), pending: v.optional(Amount()) });

/** What `--allowedAction` takes. */
const ALLOWED_ACTIONS = [
  ...["SEND", "STAKE", "DEPLOY_CONTRACT", "EXECUTE_CONTRACT", "ACTIVATE_TOKEN", "RECEIVE"],
  ...["SIGN_MESSAGE", "SIGN_DIGESTS"],
];

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
    balance: v.optional(v.union([Balance(), v.string(), v.number()])),
    available_balance: v.optional(Amount()),
    pending_balance: v.optional(Amount()),
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
  columns: [
    "id",
    "name",
    "currency",
    "balance.total",
    "readable.total.decimal",
    "readable.total.unit",
  ],
  agent: "lookup",
  examples: [
    { line: "accounts getBalance --id ACCOUNT_ID --id OTHER_ID", means: "Two balances at once" },
    {
      line: "accounts getBalance --id ACCOUNT_ID --output csv",
      means: "A balance for a spreadsheet, in base units and in the asset's unit",
    },
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
    agent: "tool",
    item: Account,
    notes: [
      "A list's balance is in base units of the account's asset: of its token where it has a contract, else of its currency. `accounts getBalance` adds the amount with its unit.",
    ],
    columns: [
      "id",
      "name",
      "currency",
      "contractAddress|contract_address",
      "status",
      "balance.total|balance",
      "createdAt|created_on",
    ],
    sortBy: ["name", "currency", "index", "createdAt", "updatedAt"],
    filters: {
      status: oneOf("Only accounts in this status.", ["ACTIVE", "INACTIVE"]),
      name: text("Only accounts of this name; the server decides whether a part of it is enough."),
      governanceType: oneOf("Only accounts of this governance type (V2).", [
        "CLASSIC",
        "TRADELINK",
        "RAW_SIGNING",
      ]),
      allowedAction: oneOf("Only accounts with which you may do this (V2).", ALLOWED_ACTIONS),
      currency: text("Only accounts of this currency.", "<currency>", 64),
      index: integer("Only accounts with this index (V2).", 0, 2_147_483_647),
      contractAddress: text("Only accounts of this token contract (V2).", "<address>", 128),
      support: oneOf("Only accounts of this support (V2).", ["standalone", "legacy"]),
      skipLiveData: flag(
        "Leave out live balances where the server can: newer ones ignore it (V2).",
      ),
    },
    examples: [
      {
        line: "accounts list --status ACTIVE --all --fields id,name,balance.total",
        means: "Every active account, three fields each",
      },
      {
        line: "accounts list --allowedAction SEND --fields id,name,currency",
        means: "From which accounts may I send?",
      },
      {
        line: "accounts list --all --output csv",
        means: "Every account as a table for a spreadsheet",
      },
      { line: "accounts list --name Treasury", means: "Find an account's id by its name" },
    ],
  }),
  get: getOf({
    summary: "One account.",
    operation: "accounts.get",
    agent: "tool",
    item: Account,
    of: "account",
    notes: [
      "`balance` is in base units of the account's asset; `accounts getBalance` adds the amount with its unit.",
    ],
    examples: [
      { line: "accounts get --id ACCOUNT_ID", means: "One account with its live balance" },
    ],
  }),
  getBalance,
});
