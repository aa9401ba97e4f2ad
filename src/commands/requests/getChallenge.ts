/** `requests getChallenge`: what has to be signed, and what it says. */
import * as v from "valibot";
import { command } from "../parts/command.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { Review, Summary } from "../parts/schemas.ts";
import { REQUEST_ID } from "./id.ts";

export const getChallenge = command({
  summary: "Fetch the challenge of an approval, and show its decoded content.",
  notes: [
    "Show `summary.text` to a person, and read `decoded`, before signing. Asking again may void a challenge that was fetched before.",
  ],
  effect: "read",
  needs: ["reviews"],
  args: { id: REQUEST_ID, noSummary: NO_SUMMARY },
  output: () => {
    const { requestId, challenge, decoded, payloadSha256 } = Review();
    const summary = v.optional(Summary());
    return v.looseObject({ requestId, summary, challenge, decoded, payloadSha256 });
  },
  fails: ["INVALID_CHALLENGE"],
  fields: "object",
  examples: [
    { line: "requests getChallenge --id REQUEST_ID", means: "Challenge and its decoded content" },
  ],
  run: ({ reviews }, args) => reviews.challenge(args.id, args.noSummary),
});
