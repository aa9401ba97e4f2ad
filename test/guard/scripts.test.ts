/** Command scripts through a guard: what reads, reads the same. */
import { expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
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
  type Options,
  openTwoUsers,
  POLICY,
  payment,
  replace,
  SOURCE_COMMAND,
} from "./twousers.ts";

const FOLDER = join(ROOT, "test/scripts");
/** Scripts that are played; what is left out of them is in SKIPPED. */
const THROUGH = [
  ...["accounts", "approval", "approve-at-once", "challenge-mismatch", "directory"],
  ...["first-contact", "forwarding", "introspection", "journal", "keys", "lookups", "meaning"],
  ...["notifications", "outcomes", "read-only", "redaction", "requests", "server-faults"],
  ...["session", "transactions", "unverified", "usage", "v1", "verdicts"],
];
/** Why the others are not played: what they say is different behind a guard, and meant to be. */
const NOT_THROUGH: Readonly<Record<string, string>> = {
  debug: "shows the log of the process that calls the API, which is the guard's",
  signatures: "is about signatures that are handed out, which a guard never does",
  policy: "is about policy files that the agent's process reads itself",
  "v1-reporting": "logs in with a reporting key, which a guard does not use",
};

const NOT_APPROVED = "the approval by a signature was not played";
const NOT_KNOWN = "the agent's process does not know the guard's secret";
const NO_PAYMENT = "a guard sends nothing but payments within its policy";
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
  "challenge-mismatch": { "requests sign": "a guard hands out no signature" },
  keys: {
    "keys public": "the key is the guard's",
    "requests sign": "a guard hands out no signature",
  },
  "first-contact": { CREATE_GROUP: NO_PAYMENT },
  forwarding: { "--dryRun": NO_PAYMENT },
  introspection: { doctor: "it examines the guard instead of the settings" },
  meaning: {
    ...{ "approval.json": NO_PAYMENT, $UNLIMITED: NO_PAYMENT, $SAFE: NO_PAYMENT },
    ...{ "safe.json": NO_PAYMENT, "own-abi.json": NO_PAYMENT, $OWN: NO_PAYMENT },
  },
  redaction: {
    ...{ "list $LEDGER": NOT_KNOWN, "cli $LEDGER": NOT_KNOWN, "--$LEDGER": NOT_KNOWN },
    "Data $LEDGER": NOT_KNOWN,
    "secret.txt": "the agent's process has no file with a secret",
    "--dryRun": NO_PAYMENT,
  },
  session: {
    NOT_LOGGED_IN: "the guard is logged in, and stays so",
    SESSION_EXPIRED: "the guard logs in again by itself",
    SESSION_MISMATCH: "the agent names no workspace",
    '"hadSession": true': "the agent has no session",
    '"level": "none"': "the level is another one behind a guard",
  },
  verdicts: {
    "requests sign": "a guard hands out no signature",
    "--signature": "a guard takes no signature",
    '{\\"memo\\"': "expectations never lift what is unverified",
  },
  unverified: { '{\\"memo\\"': "expectations never lift what is unverified" },
};

test("every script is played through a guard, or says why not", () => {
  const all = [...new Glob("*.txt").scanSync(FOLDER)]
    .map((file) => file.replace(".txt", ""))
    .sort();
  expect([...THROUGH, ...Object.keys(NOT_THROUGH)].sort()).toEqual(all);
});

/** Parts of the step for which it is left out. */
function reasonsFor(name: string, step: Step): string[] {
  const text = JSON.stringify(step);
  return Object.keys(SKIPPED[name] ?? {}).filter(
    (part) => text.includes(part) || text.includes(JSON.stringify(part).slice(1, -1)),
  );
}

test.each(THROUGH)("%s: each reason leaves a line out, and lines are left", async (name) => {
  const steps = parseScript(await Bun.file(join(FOLDER, `${name}.txt`)).text());
  const used = new Set(steps.flatMap((step) => reasonsFor(name, step)));
  expect([...used].sort()).toEqual(Object.keys(SKIPPED[name] ?? {}).sort());
  const left = steps.filter(
    (step) =>
      step.kind === "run" &&
      !step.command.includes(" login api") &&
      reasonsFor(name, step).length === 0,
  );
  expect(left.length).toBeGreaterThan(0);
});

const [RULE] = POLICY.allow;
/** Everything that can be allowed of the sandbox's first account. */
const WIDE = {
  ...POLICY,
  onlyOwn: false,
  allow: [{ ...RULE, decisions: ["create", "approve", "reject"], destinations: "any" }],
};
/** How a guard is set up for some of them. */
const SETTINGS: Readonly<Record<string, Options>> = {
  meaning: { policy: WIDE },
  verdicts: { policy: WIDE },
  v1: {
    ...{ isV1: true, adopt: ["--fromZero"] },
    policy: { ...WIDE, allow: [{ ...WIDE.allow[0], accounts: ["25"] }] },
  },
};

/** Steps in which a payment within the policy takes the place of a document that is none. */
function withPayment(step: Step): Step {
  if (step.kind === "file" && step.name === "group.json")
    return { ...step, content: payment("1000") };
  if (step.kind !== "run") return step;
  const command = step.command.replace(/'{"type":"CREATE_GROUP".*}'/, `'${payment("1001")}'`);
  return { ...step, command, stderr: step.stderr.filter((line) => !line.includes("UNKNOWN_TYPE")) };
}
const REWRITTEN: Readonly<Record<string, (step: Step) => Step>> = {
  outcomes: withPayment,
  "server-faults": withPayment,
};

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
    const rewritten = REWRITTEN[name] ?? ((step: Step) => step);
    const steps = parseScript(await Bun.file(join(FOLDER, `${name}.txt`)).text()).map(rewritten);
    const settings = SETTINGS[name] ?? {};
    await using counterpart = await openSandbox();
    await using clock = await openClock();
    await using two = await openTwoUsers({
      ...{ command: CLOCKED_COMMAND, agentCommand: SOURCE_COMMAND },
      ...{ environment: counterpart.environment, ...settings },
      guardEnv: {
        TEST_CLOCK_FILE: clock.file,
        ...(settings.isV1 === true
          ? { LEDGER_ENTERPRISE_API_URL: `${counterpart.environment.ORIGIN}/vault` }
          : {}),
      },
    });
    // The guard has looked at the API by then.
    expect((await two.agent("accounts", "list", "--pageSize", "1")).exit).toBe(0);
    await counterpart.control("forget", "");
    const run = async ({ argv, env, stdin, cwd }: Input): Promise<Outcome> => {
      // A session is the guard's affair; the script's own has its calls.
      if (argv[0] === "login") return SOURCE.run({ argv, env, stdin, cwd });
      Bun.spawnSync(["chmod", "a+x", join(cwd, "..")]);
      Bun.spawnSync(["chmod", "-R", "a+rwX", cwd]);
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
    const played = steps.filter((step) => reasonsFor(name, step).length === 0);
    await play(played.map(withoutChance), form, steered);
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
  const set = () => replace(file, String(now));
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
