/** `mcp`: the tools of an agent, over the Model Context Protocol. */
import { many, oneOf } from "../cli/argument.ts";
import { command } from "./parts/command.ts";

export const mcp = command({
  summary: "Serve an agent over the Model Context Protocol, on standard input and output.",
  notes: [
    "A client starts it; it ends with its input. Without --allow it only reads, and what is not allowed is neither listed nor callable.",
    "Before a request is created, approved or rejected, a person types a value of the decoded content into the client's form. A client without forms is refused (CONFIRMATION_UNAVAILABLE).",
    "A start that is refused prints its failure document on stderr.",
    "--allow approve requires the key in a file, or an external signer; in the environment it is CONFIG_CONFLICT.",
  ],
  effect: "local",
  needs: ["mcp"],
  args: {
    allow: many(oneOf("Acts that tools may do beside reading.", ["create", "approve"])),
    confirm: oneOf("client: this program asks nothing, and only the client's own prompt does.", [
      "client",
    ]),
  },
  fails: [
    ...(["CONFIRMATION_DECLINED", "CONFIRMATION_MISMATCH", "CONFIRMATION_UNAVAILABLE"] as const),
    ...(["CONFIRMATION_EXPIRED", "RESULT_TOO_LARGE", "SESSION_MISMATCH", "RATE_LIMITED"] as const),
  ],
  ungated: true,
  serves: true,
  examples: [
    { line: "mcp", means: "For a client's configuration: reads only" },
    {
      line: "mcp --allow create --allow approve",
      means: "The same; a person confirms each request and each signature",
    },
  ],
  run: ({ mcp: serve }, options) => serve(options),
});
