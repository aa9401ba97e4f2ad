/** README and SECURITY say only what is there: command lines parse, variables are read somewhere, links lead somewhere. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../scripts/build.ts";
import { parse } from "../src/cli/parse.ts";
import { commands } from "../src/commands/index.ts";
import { PROGRAM, splitCommand } from "./support/script.ts";

const texts = await Promise.all(["README.md", "SECURITY.md"].map((name) => Bun.file(join(ROOT, name)).text()));
const text = texts.join("\n");
const sources = await Promise.all(
  [...new Glob("src/**/*.ts").scanSync(ROOT)].map((name) => Bun.file(join(ROOT, name)).text()),
);

const lines = [...text.matchAll(/^ledger-enterprise-cli .*$/gm)].map(([line]) => line);
test("there are command lines to check", () => expect(lines.length).toBeGreaterThan(5));
test.each(lines)("%s", (line) => {
  const [program, ...argv] = splitCommand(line, new Map());
  expect(program).toBe(PROGRAM);
  expect(parse(argv, commands).target.kind).toBe("command");
});

const variables = [...new Set(text.match(/\bLEDGER_ENTERPRISE_[A-Z_]*[A-Z]\b/g))];
test.each(variables)("%s is read by the program", (name) => {
  const plain = name.replace(/^LEDGER_ENTERPRISE_/, "").replace(/_FILE$/, "");
  expect(sources.some((source) => source.includes(`"${plain}"`) || source.includes(name))).toBe(true);
});

const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path ?? "");
test.each(links)("the link to %s leads somewhere", (path) => expect(existsSync(join(ROOT, path))).toBe(true));
