/**
 * The rules of docs/rules.md: which ids exist, which are cited where, and which tests carry them.
 * `npm run generate` writes the index of tests at the end of that page.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "./build.ts";

/** One rule as docs/rules.md states it. */
export interface Rule {
  readonly id: string;
  readonly sentence: string;
  /** The heading above it. */
  readonly section: string;
}

const ID = String.raw`(?:[A-Z]{3}-\d+|[A-Z]\d{1,2})`;
/** Where the text written by hand ends. */
const INDEX = "\n## Index of tests\n";
/** The ids that may only be cited when docs/rules.md has them: rules, and rows of the catalogue. */
const CITATION =
  /\b(?:(?:CFG|SEC|OUT|NET|SES|KEY|SIG|DEV|INS|VER|REL)-\d+|[A-P]\d\d)\b(?!["'][:,])/g;
/** Rows of the test data that look like a row of the catalogue. */
const OTHERS = new Set(["J56", "J58", "K39"]);

/** All rules of the page, in its order; an id may appear in two sections (device, meaning). */
export function readRules(page = readFileSync(join(ROOT, "docs/rules.md"), "utf8")): Rule[] {
  const rules: Rule[] = [];
  let section = "";
  for (const line of page.split(INDEX)[0]?.split("\n") ?? []) {
    section = /^## (.*)$/.exec(line)?.[1] ?? section;
    const [, id, sentence] = new RegExp(`^- \\*\\*(${ID})\\*\\* (.+)$`).exec(line) ?? [];
    if (id !== undefined && sentence !== undefined) rules.push({ id, sentence, section });
  }
  return rules;
}

/** The ids in `text` that must be rules. */
export function citedIn(text: string): string[] {
  return [...new Set(text.match(CITATION))].filter((id) => !OTHERS.has(id));
}

/** Every text of the repository that people write, with its path from the root. */
export function writtenFiles(): string[] {
  const patterns = [
    "{src,scripts,test,helpers,containers,packaging}/**/*.{ts,mjs,cjs,sh,txt,py}",
    "{docs,skill}/**/*.md",
    "*.{md,sh}",
    ".ci/run",
    ".github/**/*.yml",
  ];
  const files = patterns.flatMap((pattern) => [
    ...new Glob(pattern).scanSync({ cwd: ROOT, dot: true }),
  ]);
  return [...new Set(files)].filter((file) => !file.startsWith("test/vectors/")).sort();
}

/** The test files in which a test's name, or that of a group around it, opens with each id. */
export function testsById(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const opening = new RegExp(`["'\`](${ID}(?: ${ID})*)[ :]`, "g");
  for (const file of writtenFiles().filter((name) => /^test\/.*\.(ts|txt)$/.test(name))) {
    const text = readFileSync(join(ROOT, file), "utf8");
    for (const [, ids = ""] of text.matchAll(opening)) {
      for (const id of ids.split(" ")) {
        const files = found.get(id) ?? [];
        if (!files.includes(file)) found.set(id, [...files, file]);
      }
    }
  }
  return found;
}

/** The page with a new index. */
export function withIndex(page: string): string {
  const tests = testsById();
  const lines = [...new Set(readRules(page).map(({ id }) => id))].map((id) => {
    const files = (tests.get(id) ?? []).map((file) => file.replace(/^test\//, ""));
    return `- ${id}: ${files.length === 0 ? "see the exceptions" : files.join(", ")}`;
  });
  const explanation =
    "Generated. Paths are below `test/`. Ids without a test have their reason in\n" +
    "`test/catalogue-exceptions.json`.";
  return `${page.split(INDEX)[0]?.trimEnd()}\n${INDEX}\n${explanation}\n\n${lines.join("\n")}\n`;
}
