/**
 * `completion`: a script that makes a shell complete the command line, from the same values that
 * parse it.
 */
import { oneOf, required } from "../cli/argument.ts";
import { Text } from "../result.ts";
import { PROGRAM } from "../version.ts";
import { command } from "./parts/command.ts";

const SHELL_NAMES = ["bash", "zsh", "fish", "powershell"] as const;

const shell = required(oneOf(`Shell to complete in: ${SHELL_NAMES.join(", ")}.`, SHELL_NAMES));

export const completion = command({
  summary: "Print a completion script for a shell.",
  notes: [
    "The script starts the program at each Tab, which reads no configuration and sends nothing.",
  ],
  effect: "local",
  needs: ["completion"],
  args: {},
  operands: { ...shell, placeholder: "<shell>", fallback: undefined, parse: shell.parse },
  ungated: true,
  examples: [
    { line: "completion bash", means: "Source it, or put it into the folder of bash-completion" },
    { line: "completion zsh", means: "Put it as _ledger-enterprise-cli into a folder of $fpath" },
    {
      line: "completion fish",
      means: "Put it as ledger-enterprise-cli.fish into fish's folder completions",
    },
    { line: "completion powershell", means: "Dot-source it from the profile" },
  ],
  run: ({ completion: shells }, { operands = [] }) =>
    new Text(shells[operands[0] as (typeof SHELL_NAMES)[number]](PROGRAM)),
});
