/**
 * `npm test [files or filters…]`: makes the artefacts, runs the tests, shows their output, and ends
 * with the line `N passed, N failed` (and `, N skipped`), counted from Bun's report. No report or
 * no test is a failure: a test that ends the process would otherwise pass for success.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { makeArtifacts, READY } from "../test/support/artifacts.ts";
import { ROOT } from "./build.ts";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts from the root element of a JUnit report; undefined when it is no report. */
export function readReport(xml: string): Tally | undefined {
  const root = /<testsuites\b[^>]*>/.exec(xml)?.[0];
  if (root === undefined) return undefined;
  const count = (name: string): number =>
    Number(new RegExp(`\\s${name}="(\\d+)"`).exec(root)?.[1] ?? 0);
  const [tests, failed, skipped] = [
    count("tests"),
    count("failures") + count("errors"),
    count("skipped"),
  ];
  return { passed: tests - failed - skipped, failed, skipped };
}

/**
 * What the run amounts to: a failed exit without a failed test (a crash, an error outside a test)
 * counts as one failure.
 */
export function judge(report: Tally | undefined, exitCode: number | null): Tally {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const isUnexplained = report.failed === 0 && (exitCode !== 0 || report.passed === 0);
  return isUnexplained ? { ...report, failed: 1 } : report;
}

/** Nothing of the developer's own configuration may reach the tests. */
function cleanEnvironment(): Record<string, string> {
  const foreign = /^(LEDGER_|.*_proxy$|NODE_|BUN_)/i;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return {
    ...Object.fromEntries(kept),
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    [READY]: "1",
  } as Record<string, string>;
}

async function runTests(args: readonly string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "report-"));
  const report = join(folder, "junit.xml");
  try {
    const workers = Math.min(4, Math.max(2, availableParallelism()));
    const flags = [
      `--parallel=${workers}`,
      "--timeout=120000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
    ];
    const run = Bun.spawn([process.execPath, "test", ...flags, ...args], {
      cwd: ROOT,
      env: cleanEnvironment(),
      stdio: ["ignore", "inherit", "inherit"],
    });
    const exitCode = await run.exited;
    return judge(
      existsSync(report) ? readReport(readFileSync(report, "utf8")) : undefined,
      exitCode,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await makeArtifacts();
  const { passed, failed, skipped } = await runTests(process.argv.slice(2));
  process.exitCode = failed === 0 ? 0 : 1;
  process.stdout.write(
    `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}\n`,
  );
}
