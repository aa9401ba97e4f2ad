/** `requests create`: raises a request, and keeps what was sent. */
import { json, required } from "../../cli/argument.ts";
import { requestIdOf } from "../../core/api/requestid.ts";
import { readNewRequest } from "../../core/signing/creation.ts";
import { command } from "../parts/command.ts";
import { DryRun, Request } from "../parts/schemas.ts";

export const create = command({
  summary: "Create a request; it takes effect when enough people approved it.",
  notes: [
    '--requestData is {type,data,note?}, also inside {"request":…}; it is forwarded token by token.',
    "What was sent is kept on this machine so that the challenge can be compared with it.",
  ],
  effect: "write",
  needs: ["api", "records", "log"],
  args: { requestData: required(json("The request.")) },
  output: Request,
  fails: ["INVALID_REQUEST_DATA"],
  fields: "object",
  examples: [
    {
      line: "requests create --requestData @payout.json",
      means: "Raise the request in payout.json",
    },
    {
      line: "requests create --requestData @payout.json --dryRun",
      means: "Show what would be sent; works offline",
    },
  ],
  run: async ({ api, records, log }, { requestData }) => {
    const request = readNewRequest(requestData);
    // Asked for before: after the write nothing but its own outcome may decide what is reported.
    const session = await api.session();
    const answer = await api.write("requests.create", {}, requestData);
    const created = requestIdOf(answer);
    if (created === undefined)
      log.warn("RECORD_NOT_KEPT", "The answer names no id to keep the request under.");
    else await records.keepCreated(session, created, request);
    return answer;
  },
  dryRun: {
    needs: ["draft"],
    output: DryRun,
    run: async ({ draft }, { requestData }) => {
      readNewRequest(requestData);
      return { dryRun: true, request: await draft.describe("requests.create", {}, requestData) };
    },
  },
});
