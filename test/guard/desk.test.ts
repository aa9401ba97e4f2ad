/** What a guard does for one client, in this process: the order of telling and sending. */
import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openConfig, openRun } from "../../src/app/invoke.ts";
import { Desk } from "../../src/guard/desk.ts";
import { House } from "../../src/guard/house.ts";
import { Allowance } from "../../src/guard/limits.ts";
import { parseRequest } from "../../src/guard/request.ts";
import { Redactor } from "../../src/io/redact.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { Collector, testContext } from "../support/forms.ts";
import { commands } from "../support/registry.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { runtimeWith } from "../support/runtime.ts";
import { trustedFolder } from "../support/trusted.ts";
import { POLICY, payment } from "./twousers.ts";

/** A desk over a sandbox, that asks `announce` before it sends. */
async function openDesk() {
  const folder = trustedFolder();
  const policy = join(folder, "policy.json");
  writeFileSync(policy, JSON.stringify(POLICY), { mode: 0o600 });
  const sandbox = await startSandbox();
  const env = {
    HOME: folder,
    LEDGER_ENTERPRISE_STATE_DIR: join(folder, "state"),
    LEDGER_ENTERPRISE_POLICY_FILE: policy,
    ...operatorSettings(sandbox.description),
    ...NOTHING_PUBLISHED,
  };
  const streams = { stdout: new Collector(), stderr: new Collector() };
  const context = testContext({ env, stdin: undefined, ...streams });
  const redactor = new Redactor();
  const { log } = runtimeWith({ redactor });
  const own = { context, name: "guard serve", redactor, log, deeds: [] };
  const config = openConfig(context, redactor);
  const run = openRun({ ...own, config, registry: async () => commands });
  const house = await House.open(run, new AbortController().signal, Date.now, undefined);
  const scope = { origin: "", basePath: "", workspace: "", user: "" };
  const adoption = { ...scope, windows: "zero", clock: Date.now() } as const;
  await house.books.alone(async (pages) => pages.mark("adopted", adoption));
  const desk = new Desk(house);
  const document = Buffer.from(payment("1000"));
  const header = { v: 1, verb: "create", tag: false, dryRun: false, noSummary: true };
  const line = JSON.stringify({ ...header, length: document.length });
  return {
    create: (announce: (key: string) => Promise<void>) =>
      desk.answer(parseRequest(Buffer.from(line)), document, {
        peer: { uid: 1000, pid: 1 },
        allowance: new Allowance(Date.now),
        gone: new AbortController().signal,
        announce,
        isSent: () => true,
      }),
    writes: () =>
      sandbox.control.log.filter(
        ({ method, path }) => method === "POST" && path.endsWith("/requests"),
      ).length,
    async [Symbol.asyncDispose]() {
      run.deadline.clear();
      await sandbox.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Far longer than a sandbox takes to get what is sent to it. */
const LONG_MS = 500;

test("A15 nothing is sent until the client was told the record's key", async () => {
  await using desk = await openDesk();
  const asked = Promise.withResolvers<string>();
  const told = Promise.withResolvers<void>();
  const answer = desk.create((key) => {
    asked.resolve(key);
    return told.promise;
  });
  const key = await Promise.race([asked.promise, answer.then(({ text }) => text)]);
  expect(key).toMatch(/^[0-9A-Z]{26}$/);
  await Bun.sleep(LONG_MS);
  expect(desk.writes()).toBe(0);
  told.resolve();
  expect(await answer).toMatchObject({ ok: true, text: expect.stringContaining(key) });
  expect(desk.writes()).toBe(1);
});

test("A15 nothing is sent for a client that cannot be told the record's key", async () => {
  await using desk = await openDesk();
  const { ok, text } = await desk.create(() => Promise.reject(new Error("the client is gone")));
  expect([ok, JSON.parse(text)]).toMatchObject([false, { code: "GUARD_UNREACHABLE" }]);
  expect(desk.writes()).toBe(0);
});
