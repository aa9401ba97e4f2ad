/** `requests review`: a challenge beside its request, field by field. */
import * as v from "valibot";
import { material } from "../../cli/argument.ts";
import { command } from "../parts/command.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { Review, Summary } from "../parts/schemas.ts";
import { REQUEST_ID } from "./id.ts";

export const review = command({
  summary: "Compare a request's challenge with the request, field by field.",
  notes: [
    "Compares with the request on the server and, when it was created here, with what was sent then: `sources` says record, server, account. Without record the challenge is only what the server calls this request.",
    "A difference is remembered: 'requests approve' refuses this challenge from then on, and 'requests sign' signs it with --expectPayloadSha256 only.",
    "Exit 0 means that everything compared is equal; `unverified` lists what had nothing to be compared with.",
    "`maxFees` and `max_fees`, `bitcoin_testnet` and `bitcoin testnet` are one: that is how the API spells a request and its challenge.",
    "`summary` says what the challenge means, from the challenge alone; show `summary.text` to a person. Grave warnings stop 'requests approve api'.",
    "`requestOnly` lists what the request asks for and a challenge never contains: ids, note, fee strategy. It is not a fault.",
    "A difference's `source`: server (the request there), record (what was sent from here), account (its name), rule, expect.",
  ],
  effect: "read",
  needs: ["reviews"],
  args: {
    id: REQUEST_ID,
    challenge: material("A challenge fetched before; without it a new one is asked for."),
    noSummary: NO_SUMMARY,
  },
  output: () =>
    v.looseObject({ ...Review(), match: v.literal(true), summary: v.optional(Summary()) }),
  fails: ["INVALID_CHALLENGE", "CHALLENGE_MISMATCH"],
  fields: "object",
  agent: "tool",
  examples: [
    {
      line: "requests review --id REQUEST_ID",
      means: "Does the challenge say what the request says?",
    },
  ],
  run: ({ reviews }, args) => reviews.review(args.id, args.challenge, args.noSummary),
});
