/** `policy …`: what the policy of this machine says; offline. */
import * as v from "valibot";
import { json, material, path } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { CliError } from "../errors.ts";
import { command } from "./parts/command.ts";

const FILE = path("A policy file that is not in force yet, in place of those that are.");

const check = command({
  summary: "Show each rule's verdict on a request or a challenge; offline.",
  notes: [
    "`allowed` is false when no rule can allow it, and null when the account, its asset or a window decide, which only the API and the journal know.",
    "Exit 0 for every verdict. Without a policy file `rules` is empty and `allowed` is true.",
    "LEDGER_ENTERPRISE_READ_ONLY and the stop file deny everything, unless --file is given.",
  ],
  effect: "local",
  needs: ["policies"],
  args: {
    requestData: json("The request."),
    challenge: material("A challenge as 'requests getChallenge' printed it."),
    file: FILE,
  },
  output: () =>
    v.looseObject({
      allowed: v.nullable(v.boolean()),
      rules: v.array(
        v.looseObject({
          id: v.string(),
          verdict: v.picklist(["allowed", "denied", "not checked"]),
          field: v.optional(v.string()),
        }),
      ),
    }),
  fields: "object",
  fails: ["POLICY_INVALID", "POLICY_INSECURE", "INVALID_CHALLENGE"],
  ungated: true,
  examples: [
    { line: "policy check --requestData @payout.json", means: "Would the policy allow it?" },
  ],
  run: ({ policies }, { requestData, challenge, file }) => {
    if ((requestData === undefined) === (challenge === undefined)) {
      throw new CliError("INVALID_ARGUMENT", {
        message: "Give exactly one of --requestData and --challenge.",
        hint: "Whether a file is valid is shown by 'policy show --file'.",
        field: "--requestData",
      });
    }
    return policies.check({ requestData, challenge }, file);
  },
});

const show = command({
  summary: "Print the policies in words, amounts in both forms; offline.",
  notes: [
    "`also` is the second file, where LEDGER_ENTERPRISE_POLICY_FILE names one; both must allow.",
  ],
  effect: "local",
  needs: ["policies"],
  args: { file: FILE },
  output: () =>
    v.looseObject({
      id: v.nullable(v.string()),
      sha256: v.nullable(v.string()),
      text: v.array(v.string()),
      also: v.optional(v.looseObject({ id: v.string() })),
    }),
  fields: "object",
  fails: ["POLICY_INVALID", "POLICY_INSECURE"],
  ungated: true,
  examples: [
    { line: "policy show", means: "What is allowed here" },
    { line: "policy show --file new.json", means: "Is the file valid, and what would it allow?" },
  ],
  run: ({ policies }, { file }) => policies.show(file),
});

export const policy = group("The policy file of this machine: what it allows.", { check, show });
