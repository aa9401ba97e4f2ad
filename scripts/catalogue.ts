/**
 * `npm run catalogue`: which rows of the fault catalogue and which security rules (test/vectors/catalogue.json) have a test whose name holds
 * their id. Names come from Bun's own report of all tests, none of which is run. A row without a test must stand in
 * test/catalogue-exceptions.json with the reason; one that stands there and has a test is an error, too.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { READY } from "../test/support/artifacts.ts";
import { ROOT } from "./build.ts";

interface Catalogue {
  readonly rows: readonly { readonly id: string; readonly section: string }[];
  readonly rules: readonly string[];
}

/** What is asked of a list of tests. */
export interface Coverage {
  /** Ids without a test and without a reason. */
  readonly missing: readonly string[];
  /** Ids that are excused although they have a test, or are none. */
  readonly stale: readonly string[];
  readonly tested: readonly string[];
  /** Rows whose tests all run inside the test's own process, none on what users get. */
  readonly inProcessOnly: readonly string[];
}

/** Holds the ids against full test names (groups and name). */
export function coverageOf(
  ids: readonly string[],
  names: readonly string[],
  exceptions: Readonly<Record<string, string>>,
): Coverage {
  const [found, foundBuilt] = [new Set<string>(), new Set<string>()];
  for (const name of names) {
    const isBuilt = /\b(executable|npm package)\b/.test(name);
    for (const id of name.match(/\b([A-P]\d\d|[A-Z]{3}-\d+)\b/g) ?? []) {
      found.add(id);
      if (isBuilt) foundBuilt.add(id);
    }
  }
  const isExcused = (id: string): boolean => Object.hasOwn(exceptions, id);
  return {
    missing: ids.filter((id) => !found.has(id) && !isExcused(id)),
    stale: Object.keys(exceptions).filter((id) => !ids.includes(id) || found.has(id)),
    tested: ids.filter((id) => found.has(id)),
    inProcessOnly: ids.filter((id) => found.has(id) && !foundBuilt.has(id)),
  };
}

/** The full names in a JUnit report: the groups, then the test. */
export function namesOf(xml: string): string[] {
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  const plain = (text: string): string => text.replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole);
  return [...xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"/g)].map(([, name = "", group = ""]) =>
    plain(`${group} > ${name}`),
  );
}

/** Loads every test file without running a test. */
async function listTests(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "catalogue-"));
  const report = join(folder, "junit.xml");
  try {
    const none = "(?!)";
    const command = [process.execPath, "test", "-t", none, "--reporter=junit", `--reporter-outfile=${report}`];
    const env = { ...process.env, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0", [READY]: "1" };
    await Bun.spawn(command, { cwd: ROOT, env, stdio: ["ignore", "ignore", "ignore"] }).exited;
    return namesOf(await readFile(report, "utf8"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(ROOT, path), "utf8")) as T;
}

if (import.meta.main) {
  const { rows, rules } = await readJson<Catalogue>("test/vectors/catalogue.json");
  const exceptions = await readJson<Record<string, string>>("test/catalogue-exceptions.json");
  const names = await listTests();
  const ids = [...rows.map(({ id }) => id), ...rules];
  const { missing, stale, tested, inProcessOnly } = coverageOf(ids, names, exceptions);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  for (const letter of new Set(rows.map(({ id }) => id[0]))) {
    const own = rows.filter(({ id }) => id.startsWith(letter ?? ""));
    const count = own.filter(({ id }) => tested.includes(id)).length;
    print(`${letter}  ${String(count).padStart(3)} of ${String(own.length).padStart(3)}  ${own[0]?.section}`);
  }
  const count = (of: readonly string[]): number => of.filter((id) => tested.includes(id)).length;
  print(`rows tested:   ${count(rows.map(({ id }) => id))} of ${rows.length}`);
  print(`rules checked: ${count(rules)} of ${rules.length}`);
  print(`excused:       ${Object.keys(exceptions).length}`);
  print(`tests:         ${names.length}`);
  if (inProcessOnly.length > 0) print(`tested in process only: ${inProcessOnly.join(" ")}`);
  if (missing.length > 0) print(`without a test: ${missing.join(" ")}`);
  if (stale.length > 0) print(`excused for no reason: ${stale.join(" ")}`);
  process.exitCode = names.length > 0 && missing.length + stale.length === 0 ? 0 : 1;
}
