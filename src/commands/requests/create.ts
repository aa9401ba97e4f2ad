/** `requests create`: raises a request, and keeps what was sent. */
import * as v from "valibot";
import { flag, json, oneOf, required, text } from "../../cli/argument.ts";
import { requestIdOf } from "../../core/api/requestid.ts";
import { COINS, readCoinRequest, readNewRequest } from "../../core/signing/creation.ts";
import { notAsSent } from "../../core/signing/sent.ts";
import { requireNoTag, tagOf, withTag } from "../../core/signing/tag.ts";
import { CliError } from "../../errors.ts";
import { Exact, encode, member } from "../../io/json.ts";
import { checkNew } from "../parts/check.ts";
import { command } from "../parts/command.ts";
import { NO_SUMMARY } from "../parts/meaning.ts";
import { DryRun, Request, Similar, Summary } from "../parts/schemas.ts";

/**
 * Where a request is created, and the request out of its envelope. Throws INVALID_REQUEST_DATA, and
 * INVALID_ARGUMENT for a tag where no note can have it.
 */
function creationOf(document: Exact, coin: (typeof COINS)[number] | undefined, tag: boolean) {
  if (coin === undefined)
    return { operation: "requests.create" as const, request: readNewRequest(document) };
  if (tag)
    throw new CliError("INVALID_ARGUMENT", {
      message: "A request for one coin has no note that a tag could end.",
      field: "--tag",
    });
  return { operation: "requests.createSui" as const, request: readCoinRequest(document) };
}

const MOST_NAMED = 5;

function sentenceOf(places: readonly string[]): string {
  const more = places.length > MOST_NAMED ? ` and ${places.length - MOST_NAMED} more` : "";
  return `The server shows the new request otherwise than it was sent: ${places.slice(0, MOST_NAMED).join(", ")}${more}. Do not approve it before a person has seen it.`;
}

/** Members that a line of the audit trail names at most. */
const MOST_CHANGES = 10;

export const create = command({
  summary: "Create a request; it takes effect when enough people approved it.",
  notes: [
    '--requestData is {type,data,note?}, also inside {"request":…}; it is forwarded token by token. Let `requests draft` write payments.',
    "`schema requestData` describes the data of each type. A member that the catalogue does not have is refused, because servers drop it silently.",
    "The warning NOT_AS_SENT names what the server dropped or changed, where its answer shows the data.",
    "What was sent is kept on this machine so that the challenge can be compared with it.",
    "The answer's last member, `key`, names the record in this machine's journal; errors have it in details.key.",
    "DUPLICATE_SUSPECTED: a like request is open or was created less than ten minutes ago; nothing was sent.",
  ],
  effect: "write",
  needs: ["api", "records", "books", "tagsNotes", "log", "catalogue"],
  args: {
    requestData: required(json("The request.")),
    coin: oneOf(
      "Create the transaction at this coin's own address (V2): --requestData is {accountId,transaction}, which the catalogue does not have.",
      COINS,
    ),
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
      line: "requests create --coin sui --requestData @sui.json",
      means: "A Sui transaction on V2: {accountId,transaction}",
    },
    {
      line: "requests create --requestData @payout.json --dryRun",
      means: "Show what would be sent, and what it means; works offline",
    },
  ],
  run: async ({ api, records, books, tagsNotes, ...host }, args) => {
    const { requestData, coin, allowUnknown, again } = args;
    const tag = args.tag || (coin === undefined && (await tagsNotes()));
    requireNoTag(creationOf(requestData, coin, tag).request);
    // Asked for before: after the write nothing but its own outcome may decide what is reported.
    const session = await api.session();
    if (coin === undefined)
      await checkNew(host, requestData, { version: session.apiVersion, allowUnknown });
    const key = books.newKey();
    const document = tag ? withTag(requestData, tagOf(key, books.audit.head()?.hash)) : requestData;
    const { operation, request } = creationOf(document, coin, tag);
    const creation = { key, tagged: tag, again };
    const answer = await api.write(operation, {}, document, undefined, creation);
    const changed = notAsSent(request, answer);
    if (changed.length > 0) {
      host.log.warn("NOT_AS_SENT", sentenceOf(changed));
      const result = { code: "NOT_AS_SENT", notAsSent: changed.slice(0, MOST_CHANGES) };
      await books.note({ event: "outcome", key, command: "requests create", session, result });
    }
    const created = requestIdOf(answer);
    if (created === undefined)
      host.log.warn("RECORD_NOT_KEPT", "The answer names no id to keep the request under.");
    else await records.keepCreated(session, created, request);
    return withKey(answer, key);
  },
  dryRun: {
    needs: [
      "draft",
      "books",
      "tagsNotes",
      "judgement",
      "log",
      "catalogue",
      "meaning",
      "reader",
      "sessions",
      "clock",
    ],
    output: () =>
      v.looseObject({ ...DryRun().entries, summary: v.optional(Summary()), similar: Similar() }),
    run: async (capabilities, args) => {
      const { draft, books, tagsNotes, judgement, ...others } = capabilities;
      const { meaning, reader, sessions, clock, ...host } = others;
      const given = args.requestData;
      const tag = args.tag || (args.coin === undefined && (await tagsNotes()));
      requireNoTag(creationOf(given, args.coin, tag).request);
      const document = tag ? withTag(given, tagOf(books.newKey(), undefined)) : given;
      const { operation, request } = creationOf(document, args.coin, tag);
      const described = await draft.describe(operation, {}, document);
      const session = await sessions.read();
      if (session !== undefined) {
        const common = { command: "requests create", requestId: undefined, content: undefined };
        await judgement({ kind: "create", operation, session, body: document, ...common });
      }
      if (args.coin !== undefined) return { dryRun: true, request: described };
      const version = await draft.version();
      await checkNew(host, args.requestData, { version, allowUnknown: args.allowUnknown });
      const shown = { dryRun: true, request: described };
      if (args.noSummary) return shown;
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
