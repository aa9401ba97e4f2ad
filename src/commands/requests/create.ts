/** `requests create`: raises a request, and keeps what was sent. */
import * as v from "valibot";
import { flag, json, required, text } from "../../cli/argument.ts";
import { requestIdOf } from "../../core/api/requestid.ts";
import { readNewRequest } from "../../core/signing/creation.ts";
import { requireNoTag, tagOf, withTag } from "../../core/signing/tag.ts";
import { Exact, encode, member } from "../../io/json.ts";
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
    "The answer's last member, `key`, names the record in this machine's journal; errors have it in details.key.",
    "DUPLICATE_SUSPECTED: a like request is open or was created less than ten minutes ago; nothing was sent.",
  ],
  effect: "write",
  needs: ["api", "records", "books", "log", "catalogue"],
  args: {
    requestData: required(json("The request.")),
    allowUnknown: flag("Let members pass that the catalogue does not have."),
    noSummary: NO_SUMMARY,
    tag: flag("End the note with the record's key, so that 'requests reconcile' is exact."),
    again: text("Create it although it is like this record: its key.", "<key>", 26),
  },
  output: () => v.looseObject({ ...Request().entries, key: v.string() }),
  fails: ["INVALID_REQUEST_DATA", "INVALID_AMOUNT", "DUPLICATE_SUSPECTED"],
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
  run: async ({ api, records, books, ...host }, { requestData, allowUnknown, tag, again }) => {
    requireNoTag(readNewRequest(requestData));
    // Asked for before: after the write nothing but its own outcome may decide what is reported.
    const session = await api.session();
    await checkNew(host, requestData, { version: session.apiVersion, allowUnknown });
    const key = books.newKey();
    const document = tag ? withTag(requestData, tagOf(key, books.audit.head()?.hash)) : requestData;
    const creation = { key, tagged: tag, again };
    const answer = await api.write("requests.create", {}, document, undefined, creation);
    const created = requestIdOf(answer);
    if (created === undefined)
      host.log.warn("RECORD_NOT_KEPT", "The answer names no id to keep the request under.");
    else await records.keepCreated(session, created, readNewRequest(document));
    return withKey(answer, key);
  },
  dryRun: {
    needs: ["draft", "books", "log", "catalogue", "meaning", "reader", "sessions", "clock"],
    output: () =>
      v.looseObject({ ...DryRun().entries, summary: v.optional(Summary()), similar: Similar() }),
    run: async ({ draft, books, meaning, reader, sessions, clock, ...host }, args) => {
      const given = args.requestData;
      requireNoTag(readNewRequest(given));
      const document = args.tag ? withTag(given, tagOf(books.newKey(), undefined)) : given;
      const request = readNewRequest(document);
      const described = await draft.describe("requests.create", {}, document);
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

/** The answer with the key after the API's own members. */
function withKey(answer: Exact, key: string): Exact {
  if (!answer.text.startsWith("{") || member(answer, "key") !== undefined) return answer;
  const own = answer.text.slice(0, -1);
  return new Exact(`${own}${own === "{" ? "" : ","}"key":${encode(key)}}`);
}
