/** Command scripts through a guard: what reads, reads the same. */
import { expect, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../../scripts/build.ts";
import { type Form, type Input, type Outcome, SOURCE } from "../support/forms.ts";
import { type Counterpart, play } from "../support/play.ts";
import { openSandbox, START } from "../support/sandbox.ts";
import { parseScript, type Step } from "../support/script.ts";
import {
  AGENT_UID,
  asUser,
  CLOCKED_COMMAND,
  OBSTACLE,
  openTwoUsers,
  SOURCE_COMMAND,
} from "./twousers.ts";

const FOLDER = join(ROOT, "test/scripts");
/** Scripts of commands that a guard carries out for anybody it serves. */
const THROUGH = [
  ...["accounts", "approval", "approve-at-once", "challenge-mismatch", "directory", "journal"],
  ...["lookups", "notifications", "read-only", "requests", "transactions", "unverified", "usage"],
];
/** Why the others are not played: what they say is different behind a guard, and meant to be. */
const NOT_THROUGH: Readonly<Record<string, string>> = {
  session: "is about logging in and the session's file, which are the guard's affair",
  debug: "shows the log of the process that calls the API, which is the guard's",
  redaction: "puts credentials into the agent's environment, which is refused beside a guard",
  keys: "is about a private key in the agent's hands",
  signatures: "is about signatures that are handed out, which a guard never does",
  verdicts: "asks for signatures without sending them, which a guard never does",
  introspection: "asks no server, and 'doctor' examines the guard instead of the settings",
  policy: "is about policy files that the agent's process reads itself",
  v1: "begins with a login; a guard on V1 has tests of its own",
  "v1-reporting": "logs in with a reporting key, which a guard does not use",
  ...Object.fromEntries(
    ["first-contact", "forwarding", "meaning", "outcomes", "server-faults"].map((name) => [
      name,
      "creates requests that are no payments within a policy, and these a guard never sends",
    ]),
  ),
};

const NOT_APPROVED = "the approval by a signature was not played";
/** Lines that a guard answers otherwise, by a part of the line or of its answer, and why. */
const SKIPPED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  approval: {
    "requests sign": "a guard hands out no signature",
    "--signature": "a guard takes no signature",
    ...{ "/approve": NOT_APPROVED, "$ALICE APPROVE": NOT_APPROVED, "requests wait": NOT_APPROVED },
    ...{ "pendingBy me": NOT_APPROVED, $OTHERS: NOT_APPROVED },
  },
  journal: { "audit ": "the trail is the guard's, with lines of its own" },
  "read-only": {
    "audit list": "the refusal is the client's, and the trail is the guard's",
    logout: "the session is the guard's",
  },
  "approve-at-once": { KEY_MISMATCH: "the agent's variables do not name the guard's key" },
  "challenge-mismatch": {
    "requests sign": "a guard hands out no signature",
    "--signature": "a guard takes no signature",
  },
  unverified: { '{\\"memo\\"': "expectations never lift what is unverified" },
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
    await using clock = await openClock();
    await using two = await openTwoUsers({
      ...{ command: CLOCKED_COMMAND, agentCommand: SOURCE_COMMAND },
      ...{ environment: counterpart.environment, guardEnv: { TEST_CLOCK_FILE: clock.file } },
    });
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
    const steered: Counterpart = {
      ...counterpart,
      async control(verb, rest) {
        if (verb === "calls" || verb === "decisive") return expectWrites(counterpart, rest);
        await counterpart.control(verb, rest);
        if (verb === "advance") await clock.advance(Number(rest));
      },
    };
    const skipped = Object.keys(SKIPPED[name] ?? {});
    const isPlayed = (step: Step): boolean =>
      !skipped.some((part) => JSON.stringify(step).includes(part));
    await play(steps.filter(isPlayed).map(withoutChance), form, steered);
  },
  120_000,
);

/** A guard reads more than a command does, and what it keeps is not read again: writes count. */
async function expectWrites(counterpart: Counterpart, expected: string): Promise<void> {
  const writes = (calls: string): string[] =>
    calls.split("; ").filter((call) => /^(POST \/requests|PUT|DELETE)/.test(call));
  const found = await counterpart.control("calls", "nothing that could be").then(
    () => "",
    (cause: Error) => /found: +(.*)/.exec(cause.message)?.[1] ?? "",
  );
  expect(writes(found)).toEqual(writes(expected));
}

/** The guard has called before the script: what the sandbox makes by chance is other bytes. */
function withoutChance(step: Step): Step {
  if (step.kind !== "run" || !("json" in step.stdout)) return step;
  const json = step.stdout.json
    .replace(/"([0-9A-F]{64}|[0-9a-f]{64})"/g, '"<any>"')
    .replace(/"legacyId": *\d+/g, '"legacyId": "<any>"')
    .replace(/"challenge": *"eyJ[^"]+"/g, '"challenge": "<any>"')
    .replace(/"targetId": *"[^"$]+"/g, '"targetId": "<any>"');
  return { ...step, stdout: { json } };
}

/** The guard's clock, which stands still where the sandbox's does. */
async function openClock() {
  const folder = await mkdtemp("/run/lec-clock-");
  await chmod(folder, 0o755);
  const file = join(folder, "clock");
  let now = START;
  const set = () => writeFile(file, String(now), { mode: 0o644 });
  await set();
  return {
    file,
    async advance(seconds: number) {
      now += seconds * 1000;
      await set();
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
