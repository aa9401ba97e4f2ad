/**
 * Transactions of an account, and what one would cost. Source: Accounts > Transactions of the API
 * reference.
 */
import * as v from "valibot";
import { flag, id, json, required } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { checkNew } from "../core/meaning/known.ts";
import { command } from "./parts/command.ts";
import { base, given, maybe } from "./parts/fields.ts";
import { cursorListOf } from "./parts/resource.ts";

const Transaction = () =>
  v.looseObject({
    ...base,
    accountId: given,
    account_id: v.optional(v.number()),
    type: given,
    status: given,
    amount: maybe,
    fees: maybe,
    maxFees: maybe,
    currency: given,
    recipient: maybe,
    senders: v.optional(v.nullable(v.array(v.string()))),
    hash: maybe,
    confirmations: v.optional(v.number()),
    block: v.optional(v.nullable(v.looseObject({}))),
    createdAt: given,
  });

const Estimate = () =>
  v.looseObject({
    maxFees: given,
    coinFields: v.optional(v.looseObject({})),
    max_fees: given,
    coin_fields: v.optional(v.looseObject({})),
  });

const accountId = required(id("Id of the account."));
const ofAccount = id("Id of the account; V1 lists all accounts' transactions without it.");

export const transactions = group("Transactions of an account, and fee estimates.", {
  list: cursorListOf({
    summary: "List transactions, of one account or on V1 of all.",
    notes: [
      "Order: API V1 returns the newest first. For API V2 no order is documented: sort by `createdAt` where it matters.",
    ],
    operation: "transactions.list",
    agent: "tool",
    item: Transaction,
    columns: [
      "id",
      "accountId|account_id",
      "type",
      "status",
      "amount",
      "fees",
      "currency",
      "recipient",
      "hash|tx_hash",
      "createdAt|created_on",
    ],
    filters: { accountId: ofAccount },
    fails: ["MISSING_OPTION"],
    examples: [
      { line: "transactions list --accountId ACCOUNT_ID --limit 20", means: "The first twenty" },
    ],
  }),
  estimate: command({
    summary: "Estimate the fees of a transaction; creates nothing.",
    notes: [
      "--transactionData is the request's `data`, or the whole {type,data} document; amounts as strings in the smallest unit. `requests draft` writes one and estimates it, too; 'schema requestData CREATE_TRANSACTION' shows the forms.",
    ],
    effect: "read",
    needs: ["reader", "catalogue", "log"],
    args: {
      accountId,
      transactionData: required(json("The transaction.")),
      allowUnknown: flag(
        "Send members that this program does not know; they are refused otherwise.",
      ),
    },
    output: Estimate,
    fields: "object",
    agent: "tool",
    examples: [
      {
        line: "transactions estimate --accountId ACCOUNT_ID --transactionData @tx.json",
        means: "Fees of the transaction in tx.json",
      },
      {
        line: `transactions estimate --accountId ACCOUNT_ID --transactionData '{"transactionType":"BITCOIN_LIKE_SEND","transactionData":{"accountName":"ClientA COL TBTC 1","amount":"700000","currency":"bitcoin_testnet","maxFees":"0","recipient":"tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"},"feesStrategy":{"type":"SPEED","data":{"speed":"NORMAL"}}}'`,
        means: "The same inline, for a bitcoin payment on V2",
      },
    ],
    fails: ["INVALID_REQUEST_DATA", "INVALID_AMOUNT"],
    run: async (
      { reader, catalogue: { check }, log },
      { accountId: account, transactionData, allowUnknown },
    ) => {
      const { apiVersion: version } = await reader.session();
      const option = "--transactionData";
      const options = { version, allowUnknown, option, purpose: "estimate" } as const;
      await checkNew({ check, log }, transactionData, options);
      return reader.read("transactions.estimate", { accountId: account }, transactionData);
    },
  }),
});
