/** Command scripts through a guard: what reads, reads the same. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../../scripts/build.ts";
import { type Form, type Input, type Outcome, SOURCE } from "../support/forms.ts";
import { play } from "../support/play.ts";
import { openSandbox } from "../support/sandbox.ts";
import { parseScript } from "../support/script.ts";
import { AGENT_UID, asUser, OBSTACLE, openTwoUsers, SOURCE_COMMAND } from "./twousers.ts";

const FOLDER = join(ROOT, "test/scripts");
/** Scripts of commands that a guard carries out for anybody it serves. */
const THROUGH = ["directory", "lookups", "notifications", "requests", "transactions", "usage"];
/** Why the others are not played: what they say is different behind a guard, and meant to be. */
const NOT_THROUGH: Readonly<Record<string, string>> = {
  ...{ accounts: "counts calls, and a guard may have read the next page", session: "logs in" },
  ...{ debug: "the guard's log is its own", redaction: "puts credentials beside the guard" },
  ...{ keys: "holds a key", signatures: "hands out signatures", verdicts: "hands out signatures" },
  ...{
    introspection: "asks nobody, and 'doctor' looks at other things",
    policy: "reads its own policy",
  },
  ...{ v1: "logs in to V1", "v1-reporting": "logs in with a reporting key" },
  ...{
    "read-only": "reads its own audit trail",
    journal: "needs the API's clock, which stands still",
  },
  ...Object.fromEntries(
    ["approval", "approve-at-once", "challenge-mismatch", "unverified"].map((name) => [
      name,
      "pays while the API's clock stands still, which a policy refuses",
    ]),
  ),
  ...Object.fromEntries(
    ["first-contact", "forwarding", "meaning", "outcomes", "server-faults"].map((name) => [
      name,
      "creates what a policy of payments refuses",
    ]),
  ),
};

test("every script is played through a guard, or says why not", () => {
  const all = [...new Glob("*.txt").scanSync(FOLDER)]
    .map((file) => file.replace(".txt", ""))
    .sort();
  expect([...THROUGH, ...Object.keys(NOT_THROUGH)].sort()).toEqual(all);
});

/** Variables of the agent: none of those that name the API or its credentials. */
function withoutApi(env: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(env).filter(
    ([name]) => !/^(HOME|LEDGER_ENTERPRISE_(API_|WORKSPACE|REPORTING_))/.test(name),
  );
  return Object.fromEntries(own);
}

test.skipIf(OBSTACLE !== undefined).each(THROUGH)(
  "through a guard: %s",
  async (name) => {
    const steps = parseScript(await Bun.file(join(FOLDER, `${name}.txt`)).text());
    await using counterpart = await openSandbox();
    await using two = await openTwoUsers({ environment: counterpart.environment });
    // The guard has looked at the API by then.
    expect((await two.agent("accounts", "list", "--pageSize", "1")).exit).toBe(0);
    await counterpart.control("forget", "");
    const run = async ({ argv, env, stdin, cwd }: Input): Promise<Outcome> => {
      // A session is the guard's affair; the script's own has its calls.
      if (argv[0] === "login") return SOURCE.run({ argv, env, stdin, cwd });
      Bun.spawnSync(["chmod", "-R", "a+rwX", join(cwd, "..")]);
      const child = Bun.spawn(asUser(AGENT_UID, [...SOURCE_COMMAND, ...argv]), {
        ...{ cwd, env: { ...withoutApi(env), ...two.agentEnv }, stdin: new Blob([stdin ?? ""]) },
        ...{ stdout: "pipe", stderr: "pipe" },
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      await child.exited;
      return { exit: child.exitCode, stdout, stderr };
    };
    const form: Form = { ...SOURCE, name: "through a guard", run };
    await play(steps, form, counterpart);
  },
  120_000,
);
