/** A workspace on loopback, for trials. */
import * as v from "valibot";

import { integer, json, path, seconds } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { value } from "../io/json.ts";
import { Serving } from "../result.ts";
import { type Capabilities, command } from "./parts/command.ts";

const Description = () =>
  v.looseObject({
    baseUrls: v.looseObject({ v1: v.string(), v2: v.string() }),
    workspace: v.string(),
    operator: v.optional(
      v.looseObject({
        userId: v.string(),
        apiKeyId: v.string(),
        apiKeySecret: v.string(),
        privateKey: v.string(),
        publicKey: v.string(),
      }),
    ),
    reportingKey: v.optional(v.string()),
    environment: v.optional(v.array(v.string())),
    control: v.string(),
    page: v.string(),
    envFile: v.optional(v.string()),
  });

/** Writes the lines to source. The sandbox does not serve when they cannot be written. */
async function keep(
  files: Capabilities["files"],
  envFile: string,
  running: Awaited<ReturnType<Capabilities["sandbox"]>>,
): Promise<void> {
  const lines = running.description.environment.map((line) => `${line}\n`).join("");
  try {
    await files.writeNew(envFile, new TextEncoder().encode(lines), 0o600, "--envFile");
  } catch (cause) {
    await running.close();
    throw cause;
  }
}

/** Where commands keep the sandbox's session, journal and records: apart from everybody's own. */
function stateBeside(envFile: string): string {
  return `${envFile}.state`;
}

/** The description without credentials. */
function addressesOf({
  baseUrls,
  workspace,
  control,
  page,
}: Awaited<ReturnType<Capabilities["sandbox"]>>["description"]) {
  return { baseUrls, workspace, control, page };
}

export const sandbox = group(
  "A Ledger Enterprise workspace on this machine, in memory, for trials.",
  {
    start: command({
      summary:
        "Serve a sandbox workspace until stopped; prints addresses, and credentials or their file.",
      notes: [
        "Listens on loopback only. Everything in it is made up and gone when it stops.",
        "`page` is an address for a browser: requests, accounts, calls, and a button for each reviewer.",
        "Without --envFile it prints the made-up credentials, and `environment`, lines for a shell. With it they are in that file alone.",
        "The file also names a state folder beside it, `<path>.state`: a session of yours is neither used nor replaced.",
        "`control` is the root of the control path (faults, clock, reviews by others), which docs/sandbox.md in the repository describes.",
      ],
      effect: "local",
      needs: ["sandbox", "clock", "files"],
      args: {
        port: integer("Port to listen on; any free one when absent.", 1, 65_535),
        seed: json("Workspace to serve instead of the built-in one."),
        envFile: path(
          "New file for the `export` lines, mode 0600, never overwritten; `. <path>` sets them in a shell.",
        ),
        autoApprove: seconds("Let the human reviewers approve after this time.", 0, 86_400),
      },
      output: Description,
      ungated: true,
      serves: true,
      examples: [
        {
          line: "sandbox start --autoApprove 2",
          means: "A workspace whose people approve after two seconds",
        },
        {
          line: "sandbox start --envFile sandbox.env",
          means: "In another shell, '. ./sandbox.env' then sets what commands need",
        },
      ],
      run: async ({ sandbox: start, clock, files }, { port, seed, autoApprove, envFile }) => {
        const running = await start({
          ...(port === undefined ? {} : { port }),
          ...(seed === undefined ? {} : { seed: value(seed) }),
          ...(autoApprove === undefined ? {} : { autoApproveSeconds: autoApprove }),
          ...(envFile === undefined ? {} : { stateFolder: stateBeside(files.absolute(envFile)) }),
        });
        if (envFile !== undefined) await keep(files, envFile, running);
        const document =
          envFile === undefined
            ? running.description
            : { ...addressesOf(running.description), envFile };
        const ended = new Promise<void>((resolve) => {
          if (clock.stop.aborted) resolve();
          clock.stop.addEventListener("abort", () => resolve(), { once: true });
        });
        return new Serving(
          document,
          ended.then(() => running.close()),
        );
      },
    }),
  },
);
