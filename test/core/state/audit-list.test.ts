/** `audit list`: the newest lines, all of them, and as many as were asked for. */
import { afterAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOURCE } from "../../support/forms.ts";
import { writeLog } from "../../support/log-file.ts";

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
