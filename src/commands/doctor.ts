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

export const doctor = command({
  summary: "Check settings, key, clock, network, session and skill; change nothing.",
  notes: [
    "Each finding that is not ok says what to do in `fix`. No value of a setting is shown, only where it comes from.",
    "No signer and no command that prints a secret is started, unless --signer is given.",
    "Exit 0 when nothing is wrong; with a problem exit 1, DOCTOR_PROBLEMS, and the same report under error.details.",
  ],
  effect: "read",
  needs: ["diagnosis"],
  args: {
    offline: flag("Send nothing; leave out clock, network and authorisation."),
    signer: flag("Start the external signer and compare its public key."),
  },
  output: Report,
  fails: ["DOCTOR_PROBLEMS"],
  ungated: true,
  examples: [
    { line: "doctor", means: "Is everything ready?" },
    { line: "doctor --offline", means: "Without a call to the API" },
    { line: "doctor --signer", means: "Does the external signer hold the configured key?" },
  ],
  run: async ({ diagnosis }, { offline, signer }) => {
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
    const count = wrong.length === 1 ? "One check" : `${wrong.length} checks`;
    throw new CliError("DOCTOR_PROBLEMS", {
      message: `${count} found a problem.`,
      details: report,
    });
  },
});
