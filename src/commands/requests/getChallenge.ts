/** `requests getChallenge`: what has to be signed, and what it says. */
import * as v from "valibot";
import { command } from "../parts/command.ts";
import { Review } from "../parts/schemas.ts";
import { REQUEST_ID } from "./id.ts";

export const getChallenge = command({
  summary: "Fetch what has to be signed to approve a request, and show what it says.",
  notes: [
    "Read `decoded` before signing. Asking again may void a challenge that was fetched before.",
  ],
  effect: "read",
  needs: ["approval", "reader", "records"],
  args: { id: REQUEST_ID },
  output: () => {
    const { requestId, challenge, decoded, payloadSha256 } = Review();
    return v.looseObject({ requestId, challenge, decoded, payloadSha256 });
  },
  fails: ["INVALID_CHALLENGE"],
  fields: "object",
  examples: [
    { line: "requests getChallenge --id REQUEST_ID", means: "Challenge and its decoded content" },
  ],
  run: async ({ approval, ...host }, args) => {
    const challenge = await approval.askChallenge(host, args.id);
    return { requestId: args.id, ...approval.shown(challenge) };
  },
});
