/**
 * `doctor`: everything a command will need, looked at once, with a fix for each thing that is
 * wrong.
 */
import * as v from "valibot";
import { flag } from "../cli/argument.ts";
import { CliError } from "../errors.ts";
import { CHANNEL, VERSION } from "../version.ts";
import { command } from "./parts/command.ts";

const Finding = () =>
  v.looseObject({
    check: v.string(),
    status: v.picklist(["ok", "warn", "problem"]),
    message: v.string(),
    fix: v.optional(v.string()),
    code: v.optional(v.string()),
    details: v.optional(v.unknown()),
  });

const Report = () =>
  v.looseObject({
    ok: v.boolean(),
    version: v.string(),
    channel: v.picklist(["binary", "npm", "source"]),
    settings: v.array(
      v.looseObject({
        name: v.string(),
        source: v.picklist(["environment", "file", "command", "unset"]),
      }),
    ),
    findings: v.array(Finding()),
  });

/** What `--report` prints; see docs/limits.md. */
const Assumptions = () =>
  v.looseObject({
    version: v.string(),
    channel: v.picklist(["binary", "npm", "source"]),
    apiVersion: v.nullable(v.picklist(["v1", "v2"])),
    server: v.nullable(v.picklist(["v1", "v2"])),
    states: v.array(v.string()),
    looks: v.array(
      v.looseObject({
        settles: v.array(v.string()),
        operation: v.string(),
        status: v.nullable(v.number()),
        code: v.string(),
        shape: v.unknown(),
      }),
    ),
  });

export const doctor = command({
  summary: "Check settings, key, clock, network, session and skill; change nothing.",
  notes: [
    "Each finding that is not ok says what to do in `fix`. No value of a setting is shown, only where it comes from.",
    "No signer and no command that prints a secret is started, unless --signer is given.",
    "Exit 0 when nothing is wrong; with a problem exit 1, DOCTOR_PROBLEMS, and the same report under error.details.",
  ],
  effect: "read",
  needs: ["diagnosis", "assumptions"],
  args: {
    offline: flag("Send nothing; leave out clock, network and authorisation."),
    signer: flag("Start the external signer and compare its public key."),
    report: flag(
      "Print only facts that settle assumptions about the API: shapes of answers, no names, amounts or tokens.",
    ),
  },
  output: () => v.union([Report(), Assumptions()]),
  fields: "object",
  fails: ["DOCTOR_PROBLEMS"],
  ungated: true,
  examples: [
    { line: "doctor", means: "Is everything ready?" },
    { line: "doctor --offline", means: "Without a call to the API" },
    { line: "doctor --report", means: "What to send with an issue about the API" },
    { line: "doctor --signer", means: "Does the external signer hold the configured key?" },
  ],
  run: async ({ diagnosis, assumptions }, { offline, signer, report: isReport }) => {
    if (isReport && (offline || signer))
      throw new CliError("INVALID_ARGUMENT", {
        message: "--report is given alone: it asks the server and no signer.",
        field: "--report",
      });
    if (isReport) return { version: VERSION, channel: CHANNEL, ...(await assumptions()) };
    const { settings, findings } = await diagnosis({ offline, signer });
    const wrong = findings.filter(({ status }) => status === "problem");
    const report = {
      ok: wrong.length === 0,
      version: VERSION,
      channel: CHANNEL,
      settings,
      findings,
    };
    if (report.ok) return report;
    const names = [...new Set(wrong.map(({ check }) => check))].join(", ");
    const count = wrong.length === 1 ? "One check" : `${wrong.length} checks`;
    throw new CliError("DOCTOR_PROBLEMS", {
      message: `${count} found a problem: ${names}.`,
      details: report,
    });
  },
});
