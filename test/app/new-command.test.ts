/**
 * A command and a request type that do not exist yet: the program was told nothing about them, and
 * they are denied, journalled and audited all the same.
 */
import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invoke, openConfig, openRun } from "../../src/app/invoke.ts";
import { command } from "../../src/commands/parts/command.ts";
import { openRegistry } from "../../src/commands/registry.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import { Redactor } from "../../src/io/redact.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { accessSettings } from "../../src/sandbox/settings.ts";
import { Collector, SOURCE, testContext } from "../support/forms.ts";
import { FILE } from "../support/policy.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { runtimeWith } from "../support/runtime.ts";
import { trustedFolder } from "../support/trusted.ts";

const root = trustedFolder();

const TELEPORT = new Exact('{"type":"CREATE_TELEPORT","data":{"to":"moon"}}');

/** Nothing in it speaks of policy, journal or audit; `effect` is what its author claims. */
const teleport = (effect: "write" | "read") =>
  command({
    summary: "Send somebody to the moon.",
    effect,
    needs: ["api"],
    args: {},
    examples: [],
    run: async ({ api }) => api.write("requests.create", {}, TELEPORT),
    ...(effect === "write"
      ? { dryRun: { needs: [], output: () => undefined as never, run: async () => ({}) } }
      : {}),
  });

async function open(name: string, policy?: unknown) {
  const home = join(root, name);
  await mkdir(home);
  const sandbox = await startSandbox({});
  const path = join(home, "policy.json");
  if (policy !== undefined) await writeFile(path, JSON.stringify(policy));
  const env: Record<string, string> = {
    HOME: home,
    ...accessSettings(sandbox.description),
    ...NOTHING_PUBLISHED,
    ...(policy === undefined ? {} : { LEDGER_ENTERPRISE_POLICY_FILE: path }),
  };
  const cli = async (...argv: string[]) => {
    const { stdout } = await SOURCE.run({ argv, env, stdin: undefined, cwd: home });
    return JSON.parse(stdout) as { results: Record<string, unknown>[] };
  };
  await cli("login", "api");
  sandbox.control.clearLog();
  const perform = async (found: ReturnType<typeof teleport>, more: Record<string, string> = {}) => {
    const redactor = new Redactor();
    const world = { env: { ...env, ...more }, stdin: undefined };
    const context = testContext({ ...world, stdout: new Collector(), stderr: new Collector() });
    const run = openRun({
      ...{ context, name: "teleport now", redactor, deeds: [] },
      log: runtimeWith({ redactor }).log,
      config: openConfig(context, redactor),
      registry: () => openRegistry(),
    });
    try {
      return await invoke({ command: found, timeoutMs: 30_000, values: () => ({}) }, run);
    } catch (cause) {
      if (cause instanceof CliError) return cause.code;
      throw cause;
    } finally {
      run.deadline.clear();
    }
  };
  const audited = async () =>
    (await cli("audit", "list")).results.slice(2).filter(({ event }) => event !== "policy");
  const writes = () =>
    sandbox.control.log.filter(
      ({ method, path: at }) => method === "POST" && /\/requests/.test(at),
    );
  const close = () => sandbox.close();
  return { sandbox, cli, perform, audited, writes, [Symbol.asyncDispose]: close };
}

test.each(["write", "read"] as const)(
  "A1 C4 a new command (%s) with a new request type is denied under a policy, and audited",
  async (effect) => {
    await using here = await open(`denied-${effect}`, FILE);
    expect(await here.perform(teleport(effect))).toBe("POLICY_DENIED");
    expect(here.writes()).toEqual([]);
    expect(await here.audited()).toMatchObject([
      {
        ...{ event: "denied", command: "teleport now", request: { type: "CREATE_TELEPORT" } },
        ...{ result: { code: "POLICY_DENIED" }, data: { field: "unreadable: type" } },
      },
    ]);
  },
);

test.each(["write", "read"] as const)(
  "A13 READ_ONLY refuses a new command (%s), whatever its author claims, and the refusal is a line",
  async (effect) => {
    await using here = await open(`read-only-${effect}`);
    const more = { LEDGER_ENTERPRISE_READ_ONLY: "1" };
    expect(await here.perform(teleport(effect), more)).toBe("READ_ONLY");
    expect(here.writes()).toEqual([]);
    expect(await here.audited()).toMatchObject([
      { event: "denied", command: "teleport now", result: { code: "READ_ONLY" } },
    ]);
  },
);

test("B1 C1 without a policy a new command is journalled and audited before it is sent", async () => {
  await using here = await open("journalled");
  here.sandbox.control.addFault({ match: { method: "POST", path: "/requests" }, reset: true });
  expect(await here.perform(teleport("write"))).toBe("OUTCOME_UNKNOWN");
  expect(here.writes()).toHaveLength(1);
  const [record] = (await here.cli("requests", "journal")).results;
  expect(record).toMatchObject({ key: expect.any(String), state: "open" });
  expect(await here.audited()).toMatchObject([
    { event: "intent", command: "teleport now", key: record?.key },
    { event: "outcome", result: { code: "OUTCOME_UNKNOWN" }, key: record?.key },
  ]);
  // A second one is a suspected duplicate, as of any other request.
  expect(await here.perform(teleport("write"))).toBe("DUPLICATE_SUSPECTED");
  expect(here.writes()).toHaveLength(1);
});
