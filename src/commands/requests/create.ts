/** `requests create`: raises a request, and keeps what was sent. */
import * as v from "valibot";
import { flag, json, oneOf, required, text } from "../../cli/argument.ts";
import { COINS } from "../../core/signing/creation.ts";
import { command } from "../parts/command.ts";
import { DryRun, Request, Similar, Summary } from "../parts/schemas.ts";

export const create = command({
  summary: "Create a request; it takes effect when enough people approved it.",
  notes: [
    '--requestData is {type,data,note?}, also inside {"request":…}; it is sent exactly as written. Let `requests draft` write payments.',
    "`schema requestData` describes the data of each type. A member that is not among them is refused, because servers drop it silently.",
    "The warning NOT_AS_SENT names what the server dropped or changed, where its answer shows the data.",
    "This machine keeps what was sent, so that the challenge can be compared with it.",
    "The answer's last member, `key`, names the record in this machine's journal; errors have it in details.key.",
    "DUPLICATE_SUSPECTED: a like request, whatever its note and fee, was created here less than ten minutes ago, or its outcome is still unknown; nothing was sent.",
    "A like request that is older does not stop a new one, even while it waits for approval: `similar` of `requests draft` and of --dryRun lists those.",
  ],
  effect: "write",
  needs: ["creations"],
  args: {
    requestData: required(json("The request.")),
    coin: oneOf(
      "Send the transaction to this coin's own path of the API (V2); --requestData is then {accountId,transaction}, which the catalogue does not have.",
      COINS,
    ),
    allowUnknown: flag("Send members that this program does not know; they are refused otherwise."),
    noSummary: flag("With --dryRun: leave the summary out, and the reads that it needs."),
    tag: flag(
      "Mark the note with the record's key, so that 'requests reconcile' is exact. Not XRP's destination tag, which is in --requestData.",
    ),
    again: text("Key of a like record: create the request all the same.", "<key>", 26),
  },
  output: () => v.looseObject({ ...Request().entries, key: v.string() }),
  fails: ["INVALID_REQUEST_DATA", "INVALID_AMOUNT", "DUPLICATE_SUSPECTED"],
  fields: "object",
  agent: "tool",
  examples: [
    {
      line: "requests create --requestData @payout.json",
      means: "Raise the request in payout.json",
    },
    {
      line: "requests create --coin sui --requestData @sui.json",
      means: "A Sui transaction on V2: {accountId,transaction}",
    },
    {
      line: "requests create --requestData @payout.json --dryRun",
      means: "Show what would be sent, and what it means; works offline",
    },
  ],
  run: ({ creations }, { noSummary: _, ...order }) => creations.create(order),
  dryRun: {
    needs: ["dryRuns"],
    output: () =>
      v.looseObject({ ...DryRun().entries, summary: v.optional(Summary()), ...Similar() }),
    run: ({ dryRuns }, order) => dryRuns.create(order),
  },
});
