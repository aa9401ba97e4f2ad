/** `audit …`: the trail of what was sent and signed from here. */
import * as v from "valibot";
import { flag, integer, many, oneOf, path, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import type { Exact } from "../io/json.ts";
import { List, TextParts } from "../result.ts";
import { command } from "./parts/command.ts";

const Line = () =>
  v.looseObject({
    seq: v.number(),
    time: v.string(),
    event: v.string(),
    key: v.optional(v.string()),
    command: v.optional(v.string()),
    request: v.optional(
      v.looseObject({ id: v.optional(v.string()), type: v.optional(v.string()) }),
    ),
    agent: v.optional(v.looseObject({ uid: v.optional(v.number()) })),
    result: v.optional(v.looseObject({ code: v.string(), exit: v.optional(v.number()) })),
    data: v.optional(v.looseObject({ field: v.optional(v.string()) })),
    level: v.string(),
  });

const DEFAULT_LINES = 1000;
/** Most lines of the newest that are kept while the others are read. */
const MOST_KEPT = 10_000;

const list = command({
  summary: "Show the lines of the audit trail.",
  notes: [
    "Every write and signature, each refusal of one, and each reconciliation and restart is a line; reads are none.",
    "`agent.uid` is the user who asked; `data.field` of a refusal names the dimension of the policy that failed.",
    `Without --all and --limit these are the newest ${DEFAULT_LINES}, the oldest of them first; \`complete\` is false when there are more.`,
  ],
  effect: "local",
  needs: ["trail"],
  args: {
    all: flag("Every line, written as it is read."),
    limit: integer("Only this many lines, the newest.", 1, 1_000_000_000),
    key: text("Only lines with this key.", "<key>", 26),
  },
  output: () =>
    v.looseObject({ results: v.array(Line()), total: v.number(), complete: v.boolean() }),
  ungated: true,
  fields: "results",
  columns: [
    ...["seq", "time", "event", "command", "agent.uid", "request.id", "request.type"],
    ...["result.code", "data.field", "key"],
  ],
  examples: [
    { line: "audit list --limit 20", means: "The newest twenty lines" },
    { line: "audit list --all --output table", means: "All of it for a person" },
  ],
  run: ({ trail }, { all, limit, key }) => {
    const pages = () => withKey(trail.lines(), key);
    const wanted = limit ?? (all ? undefined : DEFAULT_LINES);
    return new List(wanted === undefined ? every(pages()) : newest(pages, wanted));
  },
});

type Pages = AsyncIterable<readonly Exact[]>;

async function* withKey(pages: Pages, key: string | undefined): AsyncGenerator<readonly Exact[]> {
  for await (const page of pages)
    yield key === undefined ? page : page.filter(({ text }) => text.includes(`"key":"${key}"`));
}

async function* every(pages: Pages): List["items"] {
  let total = 0;
  for await (const page of pages) {
    total += page.length;
    yield page;
  }
  return { total, complete: true };
}

/** The last `limit` lines. More than fit into memory are counted first, and then read again. */
async function* newest(pages: () => Pages, limit: number): List["items"] {
  let kept: Exact[] = [];
  let total = 0;
  for await (const page of pages()) {
    total += page.length;
    if (limit <= MOST_KEPT) kept = [...kept, ...page].slice(-limit);
  }
  if (limit <= MOST_KEPT) yield kept;
  else yield* between(pages(), Math.max(0, total - limit), total);
  return { total, complete: total <= limit };
}

/** The lines with these numbers, counted from 0; others may have been added since. */
async function* between(pages: Pages, from: number, to: number): AsyncGenerator<readonly Exact[]> {
  let at = 0;
  for await (const page of pages) {
    yield page.slice(Math.max(0, from - at), Math.max(0, to - at));
    at += page.length;
    if (at >= to) return;
  }
}

const verify = command({
  summary: "Check that the audit trail is as it was written.",
  notes: [
    "`complete` is `anchored` when the trail contains the line that --against names, else `unproven`: a chain cannot show by itself that its end was not cut off.",
    "Without a guard, the owner of the trail could have written all of it anew.",
    "`missing` lists lines that are in none of the files; `gaps` counts tails that a killed process left.",
  ],
  effect: "local",
  needs: ["trail"],
  args: {
    file: many(path("A file of the trail, which may have been moved.")),
    against: text("An anchor that 'audit anchor' printed before.", "<anchor>", 200),
  },
  output: () =>
    v.looseObject({
      valid: v.literal(true),
      lines: v.number(),
      gaps: v.number(),
      missing: v.array(v.looseObject({ from: v.number(), to: v.number() })),
      complete: v.picklist(["unproven", "anchored"]),
    }),
  fields: "object",
  fails: ["INVALID_PATH"],
  ungated: true,
  examples: [{ line: "audit verify", means: "The trail of this state folder" }],
  run: async ({ trail }, { file, against }) => {
    const { lines, gaps, missing, complete } = await trail.verify({ files: file, against });
    return { valid: true, lines, gaps, missing, complete };
  },
});

const anchor = command({
  summary: "Print the newest line's number and hash, to be kept elsewhere.",
  notes: ["Keep it in a ticket or another system, and pass it to 'audit verify --against' later."],
  effect: "local",
  needs: ["trail"],
  args: {},
  output: () => v.looseObject({ anchor: v.string() }),
  fields: "object",
  fails: ["NOT_SUPPORTED"],
  ungated: true,
  examples: [{ line: "audit anchor", means: "Log, number, hash and time of the newest line" }],
  run: async ({ trail }) => ({ anchor: await trail.anchor("audit anchor") }),
});

const export_ = command({
  summary: "Print the audit trail as lines of JSON or as CSV.",
  effect: "local",
  needs: ["trail", "exportTrail"],
  args: { as: required(oneOf("Form of the lines.", ["ndjson", "csv"])) },
  ungated: true,
  examples: [{ line: "audit export --as csv", means: "A table for a spreadsheet" }],
  run: ({ trail, exportTrail }, args) => new TextParts(exportTrail(trail, args.as)),
});

const restart = command({
  summary: "Begin a broken journal or audit trail anew; a person decides.",
  notes: [
    "The broken files stay beside the new ones, in a folder whose name ends in .broken and the time.",
    "Open records are forgotten: look at the requests on the server first.",
  ],
  effect: "local",
  needs: ["trail"],
  args: { reason: required(text("Why, for those who read the trail.", "<text>", 500)) },
  output: () => v.looseObject({ anchor: v.string() }),
  ungated: true,
  examples: [
    { line: 'audit restart --reason "restored from backup"', means: "After AUDIT_BROKEN" },
  ],
  run: async ({ trail }, { reason }) => ({ anchor: await trail.restart(reason, "audit restart") }),
});

export const audit = group("The trail of what was sent and signed from here.", {
  list,
  verify,
  anchor,
  export: export_,
  restart,
});
