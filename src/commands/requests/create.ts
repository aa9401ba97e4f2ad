/** `requests create`: raises a request, and keeps what was sent. */
import * as v from "valibot";
import { flag, json, required } from "../../cli/argument.ts";
import { requestIdOf } from "../../core/api/requestid.ts";
import { readNewRequest } from "../../core/signing/creation.ts";
import { checkNew } from "../parts/check.ts";
import { command } from "../parts/command.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { DryRun, Request, Similar, Summary } from "../parts/schemas.ts";

export const create = command({
  summary: "Create a request; it takes effect when enough people approved it.",
  notes: [
    '--requestData is {type,data,note?}, also inside {"request":…}; it is forwarded token by token. Let `requests draft` write payments.',
    "`schema requestData` describes the data of each type. A member that the catalogue does not have is refused, because servers drop it silently.",
    "What was sent is kept on this machine so that the challenge can be compared with it.",
  ],
  effect: "write",
  needs: ["api", "records", "log", "catalogue"],
  args: {
    requestData: required(json("The request.")),
    allowUnknown: flag("Let members pass that the catalogue does not have."),
    noSummary: NO_SUMMARY,
  },
  output: Request,
  fails: ["INVALID_REQUEST_DATA", "INVALID_AMOUNT"],
  fields: "object",
  examples: [
    {
      line: "requests create --requestData @payout.json",
      means: "Raise the request in payout.json",
    },
    {
      line: "requests create --requestData @payout.json --dryRun",
      means: "Show what would be sent, and what it means; works offline",
    },
  ],
  run: async ({ api, records, ...host }, { requestData, allowUnknown }) => {
    const request = readNewRequest(requestData);
    // Asked for before: after the write nothing but its own outcome may decide what is reported.
    const session = await api.session();
    await checkNew(host, requestData, { version: session.apiVersion, allowUnknown });
    const answer = await api.write("requests.create", {}, requestData);
    const created = requestIdOf(answer);
    if (created === undefined)
      host.log.warn("RECORD_NOT_KEPT", "The answer names no id to keep the request under.");
    else await records.keepCreated(session, created, request);
    return answer;
  },
  dryRun: {
    needs: ["draft", "log", "catalogue", "meaning", "reader", "sessions", "clock"],
    output: () =>
      v.looseObject({ ...DryRun().entries, summary: v.optional(Summary()), similar: Similar() }),
    run: async ({ draft, meaning, reader, sessions, clock, ...host }, args) => {
      const request = readNewRequest(args.requestData);
      const described = await draft.describe("requests.create", {}, args.requestData);
      const version = await draft.version();
      await checkNew(host, args.requestData, { version, allowUnknown: args.allowUnknown });
      const shown = { dryRun: true, request: described };
      if (args.noSummary) return shown;
      const session = await sessions.read();
      if (session === undefined)
        return { ...shown, summary: await meaning.summaryOf(request, "request", undefined) };
      return { ...shown, ...(await meaning.summaryWithSimilar(reader, request, clock.now())) };
    },
  },
});
