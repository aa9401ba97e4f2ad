/**
 * Every document says only what is there: command lines parse, variables are read somewhere, links
 * lead somewhere, and npm scripts exist.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../scripts/build.ts";
import { parse } from "../src/cli/parse.ts";
import { type Sandbox, startSandbox } from "../src/sandbox/index.ts";
import { commands } from "./support/registry.ts";
import { PROGRAM, splitCommand } from "./support/script.ts";

const PAGES = ["*.md", "docs/**/*.md", ".github/**/*.md"]
  .flatMap((pattern) => [...new Glob(pattern).scanSync({ cwd: ROOT, dot: true })])
  .sort();
const pages = PAGES.map((name) => ({ name, text: readFileSync(join(ROOT, name), "utf8") }));
const sources = [...new Glob("{src,scripts,helpers,test}/**/*.{ts,sh,cjs,mjs}").scanSync(ROOT)].map(
  (name) => readFileSync(join(ROOT, name), "utf8"),
);
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

function shellBlocks(text: string): string[] {
  return [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, block = ""]) => block);
}

/** Command lines of a page's shell blocks; a line that ends in a backslash goes on. */
function commandLines(text: string): string[] {
  return shellBlocks(text)
    .flatMap((block) => block.replace(/\\\n\s*/g, "").split("\n"))
    .map((line) =>
      line
        .trim()
        .replace(/\s+#.*$/, "")
        .replace(/ &$/, ""),
    )
    .filter((line) => line.startsWith(`${PROGRAM} `));
}

const lines = pages.flatMap(({ name, text }) => commandLines(text).map((line) => [name, line]));
test("there are pages and command lines to check", () => {
  expect(PAGES.length).toBeGreaterThan(15);
  expect(lines.length).toBeGreaterThan(10);
});

test.each(lines)("%s: %s", (_name, line = "") => {
  const plain = line.replace(/\s+[12]?>.*$|\s+\|.*$/, "");
  const [program, ...argv] = splitCommand(plain, new Map());
  expect(program).toBe(PROGRAM);
  expect(parse(argv, commands).target.kind).toBe("command");
});

test("a block to paste has no comment and no backquote: zsh takes the one for a command, runs the other", () => {
  const spoilt = (text: string) => shellBlocks(text).filter((block) => /(^|\s)#|`/m.test(block));
  expect(spoilt("```sh\nls # all\n```\n```sh\necho `id`\n```\n```sh\nls\n```")).toHaveLength(2);
  expect(pages.flatMap(({ name, text }) => spoilt(text).map((block) => [name, block]))).toEqual([]);
});

test("the line of docs/mcp.md that talks to the server by hand gets both answers", () => {
  const page = pages.find(({ name }) => name === "docs/mcp.md")?.text ?? "";
  const [, line = ""] = /^(\(echo .*\| ledger-enterprise-cli mcp)$/m.exec(page) ?? [];
  const program = `'${process.execPath}' '${join(ROOT, "src/main.ts")}'`;
  const home = mkdtempSync(join(tmpdir(), "mcp-"));
  // A loaded machine takes longer than the page's 3 s: the input ends once both answers are there.
  const waiting = `n=0; until [ "$(wc -l <'${home}/said')" -ge 2 ] || [ $n -ge 150 ]; do n=$((n + 1)); sleep 0.1; done`;
  expect(line).toContain("; sleep 3) |");
  const played = line.replace("sleep 3", waiting).replace(`${PROGRAM} mcp`, `${program} mcp`);
  Bun.spawnSync(["sh", "-c", `: >'${home}/said'; ${played} >'${home}/said'`], {
    env: { PATH: process.env.PATH ?? "", HOME: home },
    stderr: "ignore",
  });
  const stdout = readFileSync(join(home, "said"), "utf8");
  rmSync(home, { recursive: true });
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(answers.map(({ id, result }) => [id, result.isError ?? false])).toEqual([
    [1, false],
    [2, false],
  ]);
}, 20_000);

const everything = pages.map(({ text }) => text).join("\n");
const variables = [...new Set(everything.match(/\bLEDGER_ENTERPRISE_[A-Z_]*[A-Z]\b/g))];
test.each(variables)("%s is read by the program", (name) => {
  const plain = name.replace(/^LEDGER_ENTERPRISE_/, "").replace(/_(FILE|COMMAND)$/, "");
  expect(sources.some((source) => source.includes(`"${plain}"`) || source.includes(name))).toBe(
    true,
  );
});

const links = pages.flatMap(({ name, text }) =>
  [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, path = ""]) => [name, path]),
);
test.each(links)("%s: the link to %s leads somewhere", (name = "", path = "") =>
  expect(existsSync(join(ROOT, dirname(name), path))).toBe(true),
);

const called = [...new Set(everything.match(/npm (?:run |test\b)[\w:]*/g))];
test.each(called)("%s is a script", (line) =>
  expect(Object.keys(scripts)).toContain(line.replace(/^npm (run )?/, "")),
);

/**
 * Paths in backticks: with a slash, or a file's name; not globs, placeholders or other addresses.
 */
function pathsIn(text: string): string[] {
  const spans = [...text.replace(/```[\s\S]*?```/g, "").matchAll(/`([^`\s]+)`/g)].map(
    ([, span = ""]) => span,
  );
  return spans.filter((span) =>
    /^(src|test|docs|scripts|skill|helpers|packaging|containers|\.github|\.ci)\/[\w./-]*$/.test(
      span,
    ),
  );
}

const paths = ["docs/architecture.md", "CONTRIBUTING.md", "docs/testing.md"].flatMap((name) =>
  pathsIn(pages.find((page) => page.name === name)?.text ?? "").map((path) => [name, path]),
);
test.each(paths)("%s: the path %s exists", (_name = "", path = "") => {
  expect(existsSync(join(ROOT, path))).toBe(true);
});
test("paths are found in text and not in code, and enough of them are checked", () => {
  expect(pathsIn("see `src/none.ts`, `test/` and `x/y`\n```sh\n`src/code.ts`\n```")).toEqual([
    "src/none.ts",
    "test/",
  ]);
  expect(paths.length).toBeGreaterThan(30);
});

test("README has at most 150 lines", async () => {
  const readme = pages.find(({ name }) => name === "README.md")?.text ?? "";
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});

const sandboxPage = pages.find(({ name }) => name === "docs/sandbox.md")?.text ?? "";

/** As a reader would send it with curl. */
async function control(
  { description }: Sandbox,
  method: string,
  path: string,
  body?: string,
): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${description.control}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

test("the sandbox's control path is as docs/sandbox.md says: its lines are taken, its calls and actions are there", async () => {
  const sandbox = await startSandbox();
  try {
    const sent = [...sandboxPage.matchAll(/^curl .* \$control(\/\w+) -d '(.*)'$/gm)];
    expect(sent.length).toBe(3);
    for (const [line, path = "", body = ""] of sent)
      expect([line, (await control(sandbox, "POST", path, body)).status]).toEqual([line, 200]);
    const calls = [
      ...sandboxPage.matchAll(
        /`(GET|POST|DELETE) (\/(?:faults|switches|clock|requests|log)[^`]*)`/g,
      ),
    ];
    expect(calls.length).toBe(8);
    for (const [, method = "", path = ""] of calls) {
      const answer = await (
        await control(sandbox, method, path, method === "POST" ? "{}" : undefined)
      ).text();
      expect([method, path, answer.includes("No such control")]).toEqual([method, path, false]);
    }
    const [, row = ""] = /^\| `POST \/faults` \|(.*)$/m.exec(sandboxPage) ?? [];
    const actions = [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    for (const name of actions) {
      const { issues = [] } = (await (
        await control(sandbox, "POST", "/faults", `{"${name}":[]}`)
      ).json()) as {
        issues?: { message: string }[];
      };
      const isPart = ["method", "path", "times", "location", "bytes", "everyMs"].includes(
        name ?? "",
      );
      expect([name, issues.some(({ message }) => message.startsWith("Unrecognized"))]).toEqual([
        name,
        isPart,
      ]);
    }
  } finally {
    await sandbox.close();
  }
});
