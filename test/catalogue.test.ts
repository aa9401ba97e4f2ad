/**
 * Which row of the catalogue and which rule has its test: how names are read, and that nothing is
 * left out.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT } from "../scripts/build.ts";
import { coverageOf, idsOf } from "../scripts/catalogue.ts";
import { citedIn, readFacts, readRules, testsById, writtenFiles } from "../scripts/rules.ts";

const NONE = { untested: {}, notBuilt: {} };

test.each([
  ["A01 no arguments", ["A01"]],
  ["executable > K03 SES-2 on a full disk", ["K03", "SES-2"]],
  ["KEY-3 only P-256 > E02 P-384", ["KEY-3", "E02"]],
  ["E06 SIG-1 form C01 standard base64", ["E06", "SIG-1"]],
  ["NET-3 H03: executable", ["NET-3", "H03"]],
  ["a key of another user is refused (KEY-4)", []],
  ["A0123 and UTF-8 are none", []],
])("the ids that %j opens with", (name, ids) => expect(idsOf(name)).toEqual([...ids]));

test("what has no test, or not on both forms, or needs no excuse, is told", () => {
  const names = [
    "executable > A01 x",
    "npm package on Node 22 > A01 x",
    "executable > A02 x",
    "A03 x",
  ];
  const ids = ["A01", "A02", "A03", "A04", "B01"];
  expect(coverageOf(ids, names, NONE)).toEqual({
    tested: ["A01", "A02", "A03"],
    missing: ["A04", "B01"],
    notBuilt: ["A02", "A03"],
    stale: [],
  });
  const excuses = { untested: { "A04 A03": "r", B: "r" }, notBuilt: { A02: "r", A01: "r" } };
  expect(coverageOf(ids, names, excuses)).toMatchObject({
    missing: [],
    notBuilt: ["A03"],
    stale: ["A03", "A01"],
  });
});

test("npm run catalogue: every row and every rule", async () => {
  const command = [process.execPath, join(ROOT, "scripts/catalogue.ts")];
  const child = Bun.spawn(command, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const said = await new Response(child.stdout).text();
  expect({ exit: await child.exited, said }).toEqual({ exit: 0, said });
  expect(said).toContain("rows tested:   292 of 292\n");
  // Two rules cannot be tested (test/catalogue-exceptions.json).
  const [, checked, all] = /^rules checked: (\d+) of (\d+)$/m.exec(said) ?? [];
  expect(Number(all) - Number(checked)).toBe(2);
  expect(Number(checked)).toBeGreaterThanOrEqual(138);
}, 300_000);

test("docs/rules.md has each rule once in its section, in at most two sentences", () => {
  const rules = readRules();
  const keys = rules.map(({ id, section }) => `${section} ${id}`);
  expect(rules.length).toBeGreaterThanOrEqual(368);
  expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
  const long = rules.filter(({ sentence }) => sentence.split(/[.:] /).length > 4);
  expect(long).toEqual([]);
});

test("every id that is cited is a rule", async () => {
  const ids = new Set([...readRules(), ...readFacts()].map(({ id }) => id));
  const texts = writtenFiles().map(async (file) => [file, await Bun.file(file).text()] as const);
  const unknown = (await Promise.all(texts)).flatMap(([file, text]) =>
    citedIn(text).flatMap((id) => (ids.has(id) ? [] : [`${file}: ${id}`])),
  );
  expect(unknown).toEqual([]);
});

test("every fact of the API has a test whose name opens with it", () => {
  const tests = testsById();
  const facts = readFacts().map(({ id }) => id);
  expect(facts.length).toBeGreaterThan(20);
  expect(facts.filter((id) => !tests.has(id))).toEqual([]);
});

test("an id that is not a rule is noticed", () => {
  const [rule, row] = [["NET", 99].join("-"), ["A", 99].join("")];
  expect(citedIn(`as ${rule} and Q01 and ${row} and SHA-256 say`)).toEqual([rule, row]);
});
