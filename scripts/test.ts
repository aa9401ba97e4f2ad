/**
 * `npm test [files or filters…]`: makes the artefacts, runs the tests, shows their output, and ends
 * with the line `N passed, N failed` (and `, N skipped`), counted from Bun's report. No report or
 * no test is a failure: a test that ends the process would otherwise pass for success.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { makeArtifacts, READY } from "../test/support/artifacts.ts";
import { adviceFor, MISSING_PACKAGES } from "../test/support/programs.ts";
import { ROOT } from "./build.ts";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts from the root element of a JUnit report; undefined when it is not a report. */
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

/** Seconds of each test file of a JUnit report, the slowest first. */
export function slowestFiles(xml: string, count: number): readonly (readonly [string, number])[] {
  const seconds = new Map<string, number>();
  for (const [suite] of xml.matchAll(/<testsuite\b[^>]*>/g)) {
    const name = /\sname="([^"]+\.test\.ts)"/.exec(suite)?.[1];
    const time = Number(/\stime="([\d.]+)"/.exec(suite)?.[1]);
    if (name !== undefined && time > 0) seconds.set(name, (seconds.get(name) ?? 0) + time);
  }
  return [...seconds].sort((a, b) => b[1] - a[1]).slice(0, count);
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

/** What a run came to, what to install for skipped tests, and where the time went. */
interface Result {
  readonly tally: Tally;
  readonly advice: string;
  readonly slowest: ReturnType<typeof slowestFiles>;
}

async function runTests(args: readonly string[]): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "report-"));
  const [report, missing] = [join(folder, "junit.xml"), join(folder, "missing")];
  await writeFile(missing, "");
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
      env: { ...cleanEnvironment(), [MISSING_PACKAGES]: missing },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const exitCode = await run.exited;
    const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
    return {
      tally: judge(readReport(xml), exitCode),
      advice: adviceFor(readFileSync(missing, "utf8")),
      slowest: slowestFiles(xml, 10),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  process.stdout.write(
    args.length > 0
      ? "The programs are built first, which takes about half a minute.\n"
      : "The whole suite takes 10 to 20 minutes on two cores; 'npm test -- <file>' runs one file, 'npm run test:unit' what needs no build.\n",
  );
  await makeArtifacts();
  const { tally, advice, slowest } = await runTests(args);
  const { passed, failed, skipped } = tally;
  const rows = slowest.map(([file, seconds]) => `${seconds.toFixed(1).padStart(7)} s  ${file}\n`);
  if (rows.length > 1) process.stdout.write(`\nThe slowest files:\n${rows.join("")}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
  process.stdout.write(
    `${advice}${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}\n`,
  );
}
