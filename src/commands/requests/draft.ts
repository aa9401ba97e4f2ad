/** `requests draft`: from what a person wants to the exact request, and what it means. */
import * as v from "valibot";
import { id, oneOf, path, text } from "../../cli/argument.ts";
import { WithFile } from "../../result.ts";
import { command } from "../parts/command.ts";
import { Similar, Summary } from "../parts/schemas.ts";

const unless = (what: string, other: string) => `${what}; or --${other}.`;

export const draft = command({
  summary: "Build the exact request of a payment; creates nothing.",
  notes: [
    "Show `summary.text` to a person. After their yes pass the file of --out to `requests create`: exactly these bytes are then sent.",
    'An amount is a number, one space and a unit of the asset: "0.007 BTC", "700000 sat". A number without a unit is refused.',
    "A ticker chooses no contract: a token is named by --token, or by its own account.",
    "`similar` lists requests of the last seven days with the same recipient and amount, or the same note title; `similarRead` (all, some, none) says how many of these days it could see.",
    "Without --maxFees the limit is the server's estimate.",
  ],
  effect: "read",
  needs: ["reader", "payments", "clock", "files"],
  args: {
    accountId: id(unless("Paying account's id", "accountName")),
    accountName: text(unless("Paying account's exact name", "accountId")),
    amount: text(
      unless('Amount with its unit, such as "0.007 BTC"', "amountBase"),
      "<amount>",
      128,
    ),
    amountBase: text(unless("Amount in base units", "amount"), "<digits>", 128),
    token: text("Contract or mint of the token, for an account of a coin.", "<address>", 128),
    to: text(unless("Address that receives", "toEntry"), "<address>", 256),
    toEntry: text(unless("Exact name of a whitelist's entry", "to"), "<name>"),
    whitelist: text("Id or exact name of that whitelist, when several have the entry.", "<name>"),
    tag: text("Destination tag of the recipient (XRP).", "<number>", 32),
    memo: text("Memo (Stellar): TEXT:…, ID:…, HASH:… or RETURN:….", "<memo>", 128),
    speed: oneOf("Speed of the fee; NORMAL when absent.", ["SLOW", "NORMAL", "FAST"]),
    maxFees: text("Fee limit with its unit.", "<amount>", 128),
    maxFeesBase: text("Fee limit in base units of the network's coin.", "<digits>", 128),
    noteTitle: text("Title of the note for those who approve."),
    note: text("Content of that note."),
    out: path("New file for the request's bytes, to pass to `requests create`."),
  },
  output: () =>
    v.looseObject({
      request: v.looseObject({ type: v.string(), data: v.looseObject({}) }),
      requestSha256: v.string(),
      summary: Summary(),
      ...Similar(),
      file: v.optional(v.string()),
    }),
  fails: [
    ...(["INVALID_AMOUNT", "UNKNOWN_UNIT", "INVALID_ADDRESS", "AMBIGUOUS_NAME"] as const),
    ...(["AMBIGUOUS_ASSET", "LOOKALIKE_ADDRESS", "DECIMALS_CONFLICT", "NOT_FOUND"] as const),
  ],
  fields: "object",
  agent: "tool",
  examples: [
    {
      line: 'requests draft --accountId ACCOUNT_ID --amount "0.007 BTC" --toEntry Hosting',
      means: "Pay an entry of a whitelist",
    },
    {
      line: 'requests draft --accountName "ClientA COL TBTC 1" --amount "0.007 BTC" --to tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv --out payment.json',
      means: "Write the request that a person must see",
    },
  ],
  run: async ({ reader, payments, clock, files }, { out, ...intent }) => {
    const drafted = await payments.draftPayment(reader, intent, clock.now());
    if (out === undefined) return drafted;
    const bytes = new TextEncoder().encode(drafted.request.text);
    const write = () => files.writeNew(out, bytes, 0o600, "--out");
    return new WithFile({ ...drafted, file: out }, write);
  },
});
