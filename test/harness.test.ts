/** The instruments themselves: each must see what it is there to see. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandPage, replaceBetween } from "../scripts/generate.ts";
import { judge, readReport, slowestFiles } from "../scripts/test.ts";
import { difference, indent, tokensOf } from "./support/document.ts";
import type { Form, Input, Outcome } from "./support/forms.ts";
import { type Counterpart, play } from "./support/play.ts";
import { adviceFor, MISSING_PACKAGES } from "./support/programs.ts";
import { parseScript, splitCommand } from "./support/script.ts";

const SECRET = "canary-secret-0123456789";
const noServer: Counterpart = {
  environment: { LEDGER_ENTERPRISE_API_KEY_SECRET: SECRET },
  control: async (verb) => {
    throw new Error(`no ${verb} here`);
  },
  [Symbol.asyncDispose]: async () => {},
};

/** A program that answers the same to everything. */
function answering(
  outcome: Partial<Outcome>,
  act: (input: Input) => Promise<void> = async () => {},
): Form {
  const run = async (input: Input): Promise<Outcome> => {
    await act(input);
    return { exit: 0, stdout: '{"a":1}\n', stderr: "", ...outcome };
  };
  return { name: "fake", version: "1.2.3", hostile: false, command: [], run };
}

const plain = '$ ledger-enterprise-cli x\n{"a": 1}\n';

test("a script passes when everything is as expected", async () => {
  await play(parseScript(plain), answering({}), noServer);
  await play(
    parseScript(plain.replace(" x", " x --pretty")),
    answering({ stdout: '{\n  "a": 1\n}\n' }),
    noServer,
  );
  await play(
    parseScript("$ ledger-enterprise-cli x\ntext <<END\n$VERSION\nEND"),
    answering({ stdout: "1.2.3\n" }),
    noServer,
  );
});

test.each<[string, string, Partial<Outcome>, string]>([
  ["another exit", plain, { exit: 1 }, "exit 1 instead of 0"],
  ["death by a signal", plain, { exit: null }, "exit null instead of 0"],
  ["other digits", plain, { stdout: '{"a":1.0}\n' }, "expected 1 after"],
  ["a surplus member", plain, { stdout: '{"a":1,"b":2}\n' }, "expected }"],
  ["a second document", plain, { stdout: '{"a":1}\n{}\n' }, "not one JSON document"],
  ["no final newline", plain, { stdout: '{"a":1}' }, "not compact"],
  ["white space", plain, { stdout: '{"a": 1}\n' }, "not compact"],
  ["output where none is due", "$ ledger-enterprise-cli x\n", {}, "stdout is not empty"],
  ["no output", plain, { stdout: "" }, "not one JSON document"],
  ["noise on stderr", plain, { stderr: "note\n" }, "1 lines on stderr"],
  ["missing words on stderr", plain.replace("{", "stderr hello\n{"), {}, "0 lines on stderr"],
  [
    "other words on stderr",
    plain.replace("{", "stderr hello\n{"),
    { stderr: "hallo\n" },
    "another text on stderr",
  ],
  [
    "the secret on stderr",
    plain.replace("{", "stderr <any>\n{"),
    { stderr: `x${SECRET}y\n` },
    "API key secret is in stderr",
  ],
  [
    "the secret in base64",
    '$ ledger-enterprise-cli x\n["<any>"]\n',
    { stdout: `["${btoa(SECRET)}"]\n` },
    "is in stdout",
  ],
])("a script fails on %s", async (_case, script, outcome, problem) => {
  await expect(play(parseScript(script), answering(outcome), noServer)).rejects.toThrow(problem);
});

test("a secret in a file below the home is seen, and a token of the session anywhere else (SEC-1)", async () => {
  const write = (name: string, content: string) => (input: Input) =>
    writeFile(join(input.env.HOME ?? "", name), content);
  const session = JSON.stringify({ tokens: { access: "token-of-the-session" } });
  await play(parseScript(plain), answering({}, write("session.json", session)), noServer);
  const leaky = answering({}, write("cache.json", SECRET));
  await expect(play(parseScript(plain), leaky, noServer)).rejects.toThrow(
    "API key secret is in cache.json",
  );
  const chatty = answering({ stderr: "token-of-the-session\n" }, write("session.json", session));
  const script = parseScript(plain.replace("{", "stderr <any>\n{"));
  await expect(play(script, chatty, noServer)).rejects.toThrow("access token is in stderr");
});

test("a script of the folder that runs is seen (CFG-1)", async () => {
  const careless = answering({}, async ({ cwd }) => {
    Bun.spawnSync([process.execPath, "run", "./preload.js"], { cwd });
  });
  await expect(play(parseScript(plain), { ...careless, hostile: true }, noServer)).rejects.toThrow(
    "CFG-1",
  );
});

test("variables, captures, files and standard input reach the command", async () => {
  const seen: Input[] = [];
  const form = answering(
    { stdout: '{"id":"42","list":[{"x":1},2]}\n' },
    async (input) => void seen.push(input),
  );
  const script = `env COLOUR=red
file data.json <<END
{"id":"$COLOUR"}
END
$ ledger-enterprise-cli one --id '$COLOUR' --name "$COLOUR wine" --x=$COLOUR
stdin <<END
for $COLOUR
END
{"id": "<capture ID>", "list": ["<any>", 2]}

unset COLOUR
$ ledger-enterprise-cli two \\
    --id $ID $COLOUR
{"id": "$ID", "list": "<any>"}
`;
  await play(parseScript(script), form, noServer);
  expect(seen.map(({ argv, stdin }) => ({ argv, stdin }))).toEqual([
    { argv: ["one", "--id", "$COLOUR", "--name", "red wine", "--x=red"], stdin: "for red\n" },
    { argv: ["two", "--id", "42", "$COLOUR"], stdin: undefined },
  ]);
});

test.each([
  ["exit 3", "Line 1"],
  ["# nothing", "runs no command"],
  ["$ ledger-enterprise-cli x\nnonsense", "Line 2"],
  ["$ ledger-enterprise-cli x\nstdin <<END", "END is never reached"],
])("the script %j is refused", (script, problem) => {
  expect(() => parseScript(script)).toThrow(problem);
});

test("words are split as a shell splits them", () => {
  const variables = new Map([["A", "x y"]]);
  expect(splitCommand(`p '{"a":"$A"}' "$A"z $A ''`, variables)).toEqual([
    "p",
    '{"a":"$A"}',
    "x yz",
    "x y",
    "",
  ]);
});

test("documents are compared by tokens", () => {
  const compare = (a: string, b: string): string | undefined =>
    difference(tokensOf(a), tokensOf(b), () => {});
  expect(compare('{"a":[1,{}]}', '{"a":[1,{}]}')).toBeUndefined();
  for (const other of [
    '{"b":1,"a":2}',
    '{"a":2,"b":1.0}',
    '{"a":2}',
    '{"a":2,"b":1,"c":3}',
    '{"a":2,"b":"\\u0031"}',
  ]) {
    expect(compare('{"a":2,"b":1}', other)).toBeString();
  }
  expect(compare('["<any>"]', "[]")).toBeString();
  expect(compare('["<any>"]', "[1,2]")).toBeString();
  expect(compare('{"<any>":1}', '{"a":1}')).toBeString();
  expect(indent(tokensOf('{"a":[],"b":{"c":[1,"x"]}}'))).toBe(
    JSON.stringify({ a: [], b: { c: [1, "x"] } }, null, 2),
  );
});

test("the last line of a test run is counted from the report", () => {
  const xml = (attributes: string): string =>
    `<?xml version="1.0"?>\n<testsuites name="bun test" ${attributes}>\n</testsuites>`;
  expect(readReport(xml('tests="7" assertions="9" failures="2" skipped="1" time="0.1"'))).toEqual({
    passed: 4,
    failed: 2,
    skipped: 1,
  });
  expect(readReport("")).toBeUndefined();
  const suites = ["a 0.5", "b 12", "a 1", "c 0"].map((row) => {
    const [name, time] = row.split(" ");
    return `<testsuite name="test/${name}.test.ts" file="x" time="${time}">`;
  });
  expect(slowestFiles(`${suites.join("")}<testsuite name="a describe" time="99">`, 2)).toEqual([
    ["test/b.test.ts", 12],
    ["test/a.test.ts", 1.5],
  ]);
  expect(judge({ passed: 3, failed: 0, skipped: 0 }, 0).failed).toBe(0);
  expect(judge({ passed: 3, failed: 0, skipped: 0 }, 1).failed).toBe(1);
  expect(judge({ passed: 0, failed: 0, skipped: 2 }, 0).failed).toBe(1);
  expect(judge({ passed: 3, failed: 2, skipped: 0 }, 1).failed).toBe(2);
  expect(judge(undefined, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("a generated part is replaced between its marks, which must appear once", () => {
  const text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
  expect(replaceBetween(text, "x", "new")).toBe("a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n");
  expect(() => replaceBetween("a", "x", "new")).toThrow("must appear once");
  expect(() => replaceBetween(text + text, "x", "new")).toThrow("must appear once");
});

test("the command table has a row for each command and keeps its cells apart", () => {
  const facts = {
    name: "a b",
    summary: "One | two.",
    effect: "sign",
    needs: [],
    dryRun: true,
    options: [],
    notes: [],
    examples: [],
  };
  expect(commandPage([facts as unknown as Parameters<typeof commandPage>[0][number]])).toContain(
    "| [`a b`](../skill/references/a.md#a-b) | **signs** | One \\| two. |",
  );
});

/** Runs a test file whose one test needs fish, on a machine without it. */
async function runWithoutFish(env: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "programs-"));
  try {
    const [file, list] = [join(folder, "one.test.ts"), join(folder, "missing")];
    const support = JSON.stringify(join(import.meta.dir, "support/programs.ts"));
    await writeFile(
      file,
      `import { test } from "bun:test"; import { lacks } from ${support};
       test.skipIf(lacks("fish"))("needs fish", () => { throw new Error("ran"); });
       test.skipIf(lacks("bash"))("needs bash", () => {});`,
    );
    await writeFile(list, "");
    const child = Bun.spawn([process.execPath, "test", file], {
      env: {
        PATH: "/usr/bin:/bin",
        TESTS_WITHOUT_PROGRAMS: "fish",
        [MISSING_PACKAGES]: list,
        ...env,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const text = await new Response(child.stderr).text();
    return { exit: await child.exited, text, list: readFileSync(list, "utf8") };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("F1 a test that lacks a program is skipped, counted, and the package named", async () => {
  const { exit, text, list } = await runWithoutFish({});
  expect({ exit, list }).toEqual({ exit: 0, list: "fish\n" });
  expect(text).toMatch(/^ 1 pass\n 1 skip\n 0 fail$/m);
});

test("F1 in CI a missing program is a failure", async () => {
  const { exit, text } = await runWithoutFish({ CI: "true" });
  expect(exit).not.toBe(0);
  expect(text).toContain("Missing in CI: fish; install fish.");
});

test("F1 the one command that installs what is missing", () => {
  expect(adviceFor("zsh\nfish\nzsh\n")).toBe(
    "Tests were skipped because this machine lacks: fish, zsh. Install them with:\n  sudo apt-get install --yes fish zsh\n",
  );
  expect(adviceFor("")).toBe("");
});

test("F1 every package that tests can lack is installed by .ci/run", async () => {
  const [ci, programs] = await Promise.all([
    Bun.file(join(import.meta.dir, "../.ci/run")).text(),
    Bun.file(join(import.meta.dir, "support/programs.ts")).text(),
  ]);
  const essential = ["bash", "bsdutils", "dash", "dpkg", "python3", "util-linux"];
  const table = programs.slice(programs.indexOf("PACKAGES ="), programs.indexOf("} as const"));
  const packages = [...table.matchAll(/: "([a-z0-9-]+)"/g)].map(([, name]) => name ?? "");
  expect(packages.length).toBeGreaterThan(10);
  const list = ci.slice(ci.indexOf("packages=("), ci.indexOf("\n)"));
  const words = new Set(list.split(/\s+/));
  expect(packages.filter((name) => !words.has(name) && !essential.includes(name))).toEqual([]);
  expect(ci).toContain("export CI=true");
});
