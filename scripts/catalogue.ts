/**
 * `npm run catalogue`: which rows of the fault catalogue and which security rules
 * (docs/rules.md) have a test whose name, or the name of a group around it, opens
 * with their id, and whether one runs the executable and one the npm package. Names come from Bun's
 * own report of all tests, none of which is run. The exceptions are in
 * test/catalogue-exceptions.json with the reason; an unneeded exception is an error.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { READY } from "../test/support/artifacts.ts";
import { ROOT } from "./build.ts";
import { readRules } from "./rules.ts";

/** Reasons by id, several ids or the letter of a whole section. */
interface Exceptions {
  /** Has no test at all. */
  readonly untested: Readonly<Record<string, string>>;
  /** Has tests, but not of both built forms. */
  readonly notBuilt: Readonly<Record<string, string>>;
}

/** What is asked of a list of tests. */
export interface Coverage {
  readonly tested: readonly string[];
  /** Without a test and without a reason. */
  readonly missing: readonly string[];
  /** Tested, but not as an executable and as an npm package, and without a reason. */
  readonly notBuilt: readonly string[];
  /** Excused although there is nothing to excuse. */
  readonly stale: readonly string[];
}

const ID = "(?:[A-Z]\\d{1,2}|[A-Z]{3}-\\d+)";
const OPENING = new RegExp(`^${ID}(?: ${ID})*\\b`);

/** The ids that a test's full name opens with, or that a group around it does. */
export function idsOf(name: string): string[] {
  return name.split(" > ").flatMap((part) => OPENING.exec(part)?.[0].split(" ") ?? []);
}

/** Holds the ids against full test names (groups and name). */
export function coverageOf(
  ids: readonly string[],
  names: readonly string[],
  exceptions: Exceptions,
): Coverage {
  const [tested, asExecutable, asPackage] = [
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
  ];
  for (const name of names) {
    for (const id of idsOf(name)) {
      tested.add(id);
      if (/\bexecutable\b/.test(name)) asExecutable.add(id);
      if (/\bnpm package\b/.test(name)) asPackage.add(id);
    }
  }
  const isBuilt = (id: string): boolean => asExecutable.has(id) && asPackage.has(id);
  const excused = (of: Readonly<Record<string, string>>): string[] =>
    Object.keys(of).flatMap((key) =>
      /^[A-Z]$/.test(key) ? ids.filter((id) => id.startsWith(key)) : key.split(" "),
    );
  const [untested, notBuilt] = [excused(exceptions.untested), excused(exceptions.notBuilt)];
  return {
    tested: ids.filter((id) => tested.has(id)),
    missing: ids.filter((id) => !tested.has(id) && !untested.includes(id)),
    notBuilt: ids.filter((id) => tested.has(id) && !isBuilt(id) && !notBuilt.includes(id)),
    stale: [
      ...untested.filter((id) => !ids.includes(id) || tested.has(id)),
      ...notBuilt.filter((id) => !tested.has(id) || isBuilt(id)),
    ],
  };
}

/** The full names in a JUnit report: the groups, then the test. */
export function namesOf(xml: string): string[] {
  const entities: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    amp: "&",
  };
  const plain = (text: string): string =>
    text.replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole);
  return [...xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"/g)].map(
    ([, name = "", group = ""]) => plain(`${group} > ${name}`),
  );
}

/** Loads every test file without running a test. */
async function listTests(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "catalogue-"));
  const report = join(folder, "junit.xml");
  try {
    const none = "(?!)";
    const command = [
      process.execPath,
      "test",
      "-t",
      none,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
    ];
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
  const all = readRules();
  const isRow = ({ section }: { readonly section: string }): boolean =>
    section.startsWith("Catalogue: ");
  const [rows, rules] = [all.filter(isRow), all.filter((rule) => !isRow(rule)).map(({ id }) => id)];
  const exceptions = await readJson<Exceptions>("test/catalogue-exceptions.json");
  const names = await listTests();
  const ids = [...rows.map(({ id }) => id), ...rules];
  const { missing, stale, tested, notBuilt } = coverageOf(ids, names, exceptions);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  for (const letter of new Set(rows.map(({ id }) => id[0]))) {
    const own = rows.filter(({ id }) => id.startsWith(letter ?? ""));
    const count = own.filter(({ id }) => tested.includes(id)).length;
    print(
      `${letter}  ${String(count).padStart(3)} of ${String(own.length).padStart(3)}  ${own[0]?.section}`,
    );
  }
  const count = (of: readonly string[]): number => of.filter((id) => tested.includes(id)).length;
  print(`rows tested:   ${count(rows.map(({ id }) => id))} of ${rows.length}`);
  print(`rules checked: ${count(rules)} of ${rules.length}`);
  print(`tests:         ${names.length}`);
  for (const [kind, reasons] of Object.entries(exceptions))
    for (const [key, reason] of Object.entries(reasons))
      print(`excused (${kind}): ${key}: ${reason}`);
  if (missing.length > 0) print(`without a test: ${missing.join(" ")}`);
  if (notBuilt.length > 0) print(`not run as executable and as npm package: ${notBuilt.join(" ")}`);
  if (stale.length > 0) print(`excused for no reason: ${stale.join(" ")}`);
  process.exitCode =
    names.length > 0 && missing.length + notBuilt.length + stale.length === 0 ? 0 : 1;
}
