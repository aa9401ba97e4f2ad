/** A command and its values → its result: for any caller, and many times in one process. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { invoke, openConfig, openRun } from "../../src/app/invoke.ts";
import { required, text } from "../../src/cli/argument.ts";
import { type Command, walk } from "../../src/cli/command.ts";
import { find } from "../../src/cli/parse.ts";
import { command } from "../../src/commands/parts/command.ts";
import { Exact, encode, value } from "../../src/io/json.ts";
import { Redactor } from "../../src/io/redact.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { codeOf } from "../support/failure.ts";
import { Collector, testContext } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { commands } from "../support/registry.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { runtimeWith } from "../support/runtime.ts";

const folder = mkdtempSync(join(tmpdir(), "invoke-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Values = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string>>;

interface Caller {
  readonly env?: Environment;
  readonly timeoutMs?: number;
  readonly interrupt?: AbortSignal;
  /** Called when the values are read. */
  onRead?(): void;
}

/** Invokes a command with values that are ready, as a caller without a command line does. */
async function call(
  asked: string | Command,
  values: Values = {},
  { env = {}, timeoutMs = 30_000, interrupt, onRead }: Caller = {},
): Promise<unknown> {
  const name = typeof asked === "string" ? asked : "test";
  const found = typeof asked === "string" ? find(commands, asked.split(" ")).target : asked;
  if (found.kind === "group") throw new Error(`a group: ${name}`);
  const streams = { stdout: new Collector(), stderr: new Collector() };
  const context = testContext({ env: { HOME: folder, ...env }, stdin: undefined, ...streams });
  const redactor = new Redactor();
  const run = openRun({
    context,
    name,
    redactor,
    log: runtimeWith({ redactor }).log,
    config: openConfig(context, redactor),
    deeds: [],
    registry: async () => commands,
    ...(interrupt === undefined ? {} : { interrupt }),
  });
  const read = (): Values => {
    onRead?.();
    return values;
  };
  try {
    return await invoke({ command: found, timeoutMs, values: read }, run);
  } finally {
    run.deadline.clear();
  }
}

/** A workspace of its own, and the environment of its operator. */
async function openWorkspace(name: string) {
  const sandbox = await startSandbox();
  const { baseUrls } = sandbox.description;
  const env: Environment = {
    HOME: join(folder, name),
    LEDGER_ENTERPRISE_STATE_DIR: join(folder, name, "state"),
    ...operatorSettings(sandbox.description),
    ...NOTHING_PUBLISHED,
  };
  return { env, origin: new URL(baseUrls.v2).origin, [Symbol.asyncDispose]: sandbox.close };
}

const LOGIN = { baseUrl: undefined, workspace: undefined, apiVersion: undefined };

test("two workspaces are served side by side in one process, each with its own session", async () => {
  await using one = await openWorkspace("one");
  await using other = await openWorkspace("other");
  const origins = await Promise.all(
    [one, other].map(async ({ env }) => {
      await call("login api", LOGIN, { env });
      const { session } = (await call("whoami", {}, { env })) as { session: { origin: string } };
      return session.origin;
    }),
  );
  expect(origins).toEqual([one.origin, other.origin]);
});

test("one process creates, signs and approves several requests", async () => {
  await using workspace = await openWorkspace("signer");
  const { env } = workspace;
  await call("login api", LOGIN, { env });
  const approvals: number[] = [];
  for (const amount of ["2500000", "2500001"]) {
    const transactionData = { ...PAYOUT.transactionData, amount };
    const data = { ...PAYOUT, transactionData };
    const requestData = new Exact(encode({ type: "CREATE_TRANSACTION", data }));
    const made = await call("requests create", { requestData }, { env });
    const { id } = value(made as Exact) as { id: string };
    const approved = await call("requests approve api", { id, sign: true }, { env });
    const { reviews } = value(approved as Exact) as { reviews: { status: string }[] };
    approvals.push(reviews.filter(({ status }) => status === "APPROVED").length);
  }
  expect(approvals).toEqual([1, 1]);
});

const base = { summary: "A test.", examples: [], ungated: true, args: {} } as const;

const writing = command({
  ...base,
  effect: "write",
  needs: ["log", "config"],
  run: (given) => Object.keys(given),
  dryRun: {
    needs: ["clock"],
    output: () => {
      throw new Error("not asked");
    },
    run: (given) => Object.keys(given),
  },
});

test("what would change something is refused in read-only mode, before its values are read", async () => {
  const reads: string[] = [];
  const env = { LEDGER_ENTERPRISE_READ_ONLY: "1" };
  const caller = { env, onRead: () => void reads.push("read") };
  expect(await codeOf(() => call(writing, {}, caller))).toBe("READ_ONLY");
  expect(reads).toEqual([]);
});

test("a command is given what it names, and a dry run only what that names", async () => {
  expect(await call(writing)).toEqual(["log", "config"]);
  expect(await call(writing, { dryRun: true })).toEqual(["clock"]);
});

/** Ends when its time is over or it is interrupted. */
const waiting = (changes: object = {}) =>
  command({
    ...base,
    effect: "read",
    needs: ["clock"],
    run: ({ clock: { stop } }) =>
      new Promise((resolve) => {
        if (stop.aborted) resolve("stopped");
        stop.addEventListener("abort", () => resolve("stopped"), { once: true });
      }),
    ...changes,
  });

test("the time of a command is its caller's", async () => {
  expect(await call(waiting(), {}, { timeoutMs: 1 })).toBe("stopped");
});

test("an interrupt ends one run, and no other of the process", async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const ended: string[] = [];
  const runs = [one, other].map(async ({ signal }, index) => {
    await call(waiting(), {}, { interrupt: signal });
    ended.push(index === 0 ? "one" : "other");
  });
  one.abort();
  await runs[0];
  expect(ended).toEqual(["one"]);
  other.abort();
  await Promise.all(runs);
  expect(ended).toEqual(["one", "other"]);
});

test("a command with a time of its own is bounded by that, and a local one by none", async () => {
  const local = waiting({ effect: "local" });
  const interrupt = new AbortController();
  const running = call(local, {}, { timeoutMs: 1, interrupt: interrupt.signal });
  const first = await Promise.race([
    running,
    call(waiting(), {}, { timeoutMs: 20 }).then(() => "later"),
  ]);
  expect(first).toBe("later");
  interrupt.abort();
  expect(await running).toBe("stopped");
});

test("behind a guard a local command has its caller's time, and one that serves has no end", async () => {
  const env = { LEDGER_ENTERPRISE_GUARD: join(folder, "none.sock") };
  const local = waiting({ effect: "local" });
  expect(await call(local, {}, { timeoutMs: 1, env })).toBe("stopped");
  const interrupt = new AbortController();
  const serving = waiting({ effect: "local", serves: true });
  const running = call(serving, {}, { timeoutMs: 1, env, interrupt: interrupt.signal });
  expect(await Promise.race([running, Bun.sleep(50).then(() => "later")])).toBe("later");
  interrupt.abort();
  expect(await running).toBe("stopped");
  const names = [...walk(commands)].filter(([, { serves }]) => serves);
  expect(names.map(([words]) => words.join(" "))).toEqual(["mcp", "sandbox start", "guard serve"]);
});

test("a signer that starts this program is refused", async () => {
  const env = { LEDGER_ENTERPRISE_HELPER: "1" };
  expect(await codeOf(() => call(writing, {}, { env }))).toBe("NOT_SUPPORTED");
});

test("values are read by the caller, whatever its form", async () => {
  const echo = command({
    ...base,
    effect: "local",
    needs: [],
    args: { name: required(text("A name.")) },
    run: (_, { name }) => ({ name }),
  });
  expect(await call(echo, { name: "x" })).toEqual({ name: "x" });
});
