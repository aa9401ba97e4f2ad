/** `requests journal` and `requests reconcile`: what was sent from here, and what became of it. */
import * as v from "valibot";
import { text } from "../../cli/argument.ts";
import { command } from "../parts/command.ts";

const key = text("Only the record with this key.", "<key>", 26);

const Results = (item: v.GenericSchema) => v.looseObject({ results: v.array(item) });

export const journal = command({
  summary: "List what was sent and signed from here, with its state; offline.",
  notes: [
    "state: open (its outcome is not known), done, refused, absent (reconcile found that it was not carried out).",
  ],
  effect: "local",
  needs: ["journal"],
  args: { key },
  output: () =>
    Results(
      v.looseObject({
        key: v.string(),
        command: v.string(),
        state: v.picklist(["open", "done", "refused", "absent"]),
        id: v.optional(v.string()),
        time: v.string(),
      }),
    ),
  ungated: true,
  fields: "results",
  columns: ["key", "command", "state", "id", "time"],
  agent: "lookup",
  examples: [{ line: "requests journal", means: "Every record, the oldest first" }],
  run: async ({ journal: read }, { key: wanted }) => {
    const rows = await read.rows();
    return { results: rows.filter((row) => wanted === undefined || row.key === wanted) };
  },
});

export const reconcile = command({
  summary: "Find the outcome of writes whose answer was lost; sends no write.",
  notes: [
    "found: it was carried out. For a new request `certainty` says how it was recognised: tag is exact, content may also be an equal request of another user.",
    "absent: it was not carried out, and may be repeated. ambiguous: `candidates` lists what it could be; a person decides.",
    "undetermined: it is too early (within a minute of the last moment at which it can have left), or not everything could be seen; run it again later.",
  ],
  effect: "read",
  needs: ["reconciliation"],
  args: { key },
  output: () =>
    Results(
      v.looseObject({
        key: v.string(),
        verdict: v.picklist(["found", "absent", "ambiguous", "undetermined"]),
        id: v.optional(v.string()),
        certainty: v.optional(v.picklist(["tag", "content"])),
        candidates: v.optional(v.array(v.string())),
      }),
    ),
  fields: "results",
  agent: "lookup",
  examples: [{ line: "requests reconcile", means: "Every record that is open" }],
  run: async ({ reconciliation }, args) => ({ results: await reconciliation(args.key) }),
});
