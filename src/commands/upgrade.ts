/** `upgrade`: the newest release in place of this program, or the command that brings it. */
import * as v from "valibot";
import { flag } from "../cli/argument.ts";
import { command } from "./parts/command.ts";

const Channel = v.picklist(["binary", "npm", "source"]);
const Check = v.looseObject({
  current: v.string(),
  channel: Channel,
  status: v.picklist(["current", "ahead", "outdated", "unchecked"]),
  npm: v.nullable(v.string()),
  releases: v.nullable(v.string()),
  command: v.string(),
});
const Upgraded = v.looseObject({
  changed: v.boolean(),
  current: v.string(),
  version: v.string(),
  path: v.string(),
});

export const upgrade = command({
  summary:
    "Replace this program by the newest release; for an npm package, show the command that does.",
  notes: [
    "A download is used only when its signature and checksum are right and it answers in place of the old program; otherwise the old one stays.",
    "`status` is the version gate's verdict on both sources: `outdated` stops commands, after 24 hours where this version was current before; `ahead` (one source alone) only warns.",
    "An agent may run `upgrade --check` by itself; only a person decides to replace the program.",
  ],
  effect: "local",
  needs: ["upgrades"],
  args: { check: flag("Only say which version is the newest; change nothing.") },
  output: () => v.union([Check, Upgraded]),
  fields: "object",
  ungated: true,
  needsConfirmation: true,
  examples: [
    { line: "upgrade --check", means: "Is there a newer version?" },
    { line: "upgrade", means: "Replace this program by it" },
  ],
  run: ({ upgrades }, { check }) => (check ? upgrades.check() : upgrades.upgrade()),
});
