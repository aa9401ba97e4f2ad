/** `audit list`: the newest lines, all of them, and as many as were asked for. */
import { afterAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../src/app/run.ts";
import { openWorld } from "../../agent/world.ts";
import { Collector, SOURCE, testContext } from "../../support/forms.ts";
import { writeLog } from "../../support/log-file.ts";
import { PAYOUT } from "../../support/payout.ts";
import { FILE } from "../../support/policy.ts";
import { trustedFolder } from "../../support/trusted.ts";

const LINES = 12_345;
const root = await mkdtemp(join(tmpdir(), "audit-list-"));
afterAll(() => rm(root, { recursive: true }));
await mkdir(join(root, "audit"), { mode: 0o700 });
writeLog(join(root, "audit/audit-abababab-000001.jsonl"), LINES);

test.each([
  [[], 1000],
  [["--limit", "3"], 3],
  [["--limit", "10000"], 10_000],
  // So many are counted first, and read again.
  [["--limit", "10001"], 10_001],
  [["--limit", String(LINES)], LINES],
  [["--limit", "99999"], LINES],
  [["--all"], LINES],
  [["--all", "--limit", "2"], 2],
] as const)("C7 audit list %j prints the newest lines, in their order", async (more, count) => {
  const { exit, stdout } = await SOURCE.run({
    argv: ["audit", "list", ...more, "--fields", "seq"],
    env: { HOME: root, LEDGER_ENTERPRISE_STATE_DIR: root },
    stdin: undefined,
    cwd: root,
  });
  const { results, total, complete } = JSON.parse(stdout) as {
    results: { seq: number }[];
    total: number;
    complete: boolean;
  };
  expect([exit, total, complete]).toEqual([0, LINES, count === LINES]);
  const seqs = results.map(({ seq }) => seq);
  expect(seqs).toEqual(Array.from({ length: count }, (_, at) => LINES - count + 1 + at));
});

test.each([
  ["list", ["--all"]],
  ["list", ["--all", "--output", "csv"]],
  ["export", ["--as", "ndjson"]],
  ["verify", ["--file", join(root, "audit/audit-abababab-000001.jsonl")]],
])("C7 OUT-8 a signal ends 'audit %s' before the last line", async (name, options) => {
  const stop = new AbortController();
  const stdout = new Collector();
  const env = { HOME: root, LEDGER_ENTERPRISE_STATE_DIR: root };
  const world = testContext({ env, stdin: undefined, stdout, stderr: new Collector() });
  const context = Object.create(world, {
    interrupt: { value: stop.signal },
    // It takes everything at once, as a file does.
    stdout: { value: { write: async (text: string) => void stdout.write(text) } },
  });
  // A signal is heard when the program lets the runtime look for one.
  const exit = run(["audit", name, ...options], context);
  setTimeout(() => stop.abort());
  expect(await exit).toBe(1);
  expect(stdout.text).not.toContain(`"seq":${LINES},`);
  expect(stdout.text).not.toContain('"lines"');
});

test("C4 as rows it says who was refused what, and why", async () => {
  await using world = await openWorld();
  await world.run("login api");
  const policy = join(trustedFolder(), "policy.json");
  await writeFile(policy, JSON.stringify({ ...FILE, stopped: true }), { mode: 0o600 });
  world.env.LEDGER_ENTERPRISE_POLICY_FILE = policy;
  const data = JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT });
  expect((await world.run("requests create --requestData -", data)).exit).toBe(2);
  const { stdout } = await world.run("audit list --limit 1 --output csv");
  const [head = "", row = ""] = stdout.split("\r\n");
  const cells = row.split(",");
  const found = Object.fromEntries(head.split(",").map((name, at) => [name, cells[at]]));
  expect(found).toMatchObject({
    event: "denied",
    command: "requests create",
    "agent.uid": String(process.getuid?.() ?? ""),
    "request.type": "CREATE_TRANSACTION",
    "result.code": "POLICY_DENIED",
    "data.field": "stopped",
  });
});
