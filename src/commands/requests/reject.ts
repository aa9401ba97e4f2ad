/**
 * `requests reject …`: a rejection is signed like an approval, over a challenge of its own that
 * says so.
 */
import { group } from "../../cli/command.ts";
import { missingFrom } from "../../core/api/dialect.ts";
import { AGAIN, decision } from "../parts/decision.ts";
import { EXPECTATIONS } from "../parts/expectations.ts";
import { REQUEST_ID } from "./id.ts";

const api = decision({
  summary: "Reject a request with the API operator's signature on API V1.",
  notes: [
    "Fetches the challenge of the rejection, reviews it, signs it and rejects. Refused unless every field is verified or confirmed: --expect confirms the fields that it names, --expectPayloadSha256 all of them.",
    "A difference always refuses. A challenge that would approve is never signed here.",
    ...missingFrom("requests.reject"),
  ],
  operation: "requests.reject",
  args: { id: REQUEST_ID, ...EXPECTATIONS, again: AGAIN },
  examples: [
    {
      line: "requests reject api --id REQUEST_ID",
      means: "Review, sign and reject in one command",
    },
  ],
  orderOf: (order) => ({ ...order, decision: "REJECT", signature: undefined }),
});

export const reject = group("Reject a request (API V1 only).", { api });
