/**
 * Plain English: the words that this repository does not use, and lines of at most 100 columns.
 * docs/architecture.md has the glossary, CONTRIBUTING.md the style.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../scripts/build.ts";

const COLUMNS = 100;

/** A pattern, what to write in its place, and a line that it finds. */
const FORBIDDEN: readonly { pattern: RegExp; instead: string; spoilt: string }[] = [
  { pattern: /\bstands?\b/i, instead: "is, appears", spoilt: "No secret stands in it." },
  {
    // "There is no such command" is plain.
    pattern: /(?<!\bthere )\b(is|are) no\b(?! longer)/i,
    instead: "is not a",
    spoilt: "The value is no list.",
  },
  { pattern: /\bwhoever\b/i, instead: "a process that, the user who", spoilt: "Whoever holds it" },
  { pattern: /\bnobody\b/i, instead: "the actor, or a passive", spoilt: "what nobody knows" },
  { pattern: /\bgives\b(?! up)/i, instead: "returns, contains", spoilt: "It gives the bytes." },
  { pattern: /\bso many\b/i, instead: "the number", spoilt: "At most so many bytes" },
  { pattern: /\brehears/i, instead: "dry run, trial", spoilt: "A rehearsal of the write" },
  { pattern: /\bgenerations?\b/i, instead: "API version", spoilt: "Both API generations" },
  { pattern: /\bstate director(y|ies)\b/i, instead: "state folder", spoilt: "the state directory" },
];

/** Names of places outside the repository. */
const OUTSIDE = /\bSPEC\b|\bARCHITECTURE\b|\.\.\/shared|\breference\/[\w-]+\.md/;

/** A line that may contain a forbidden word, and why. `part` is a part of that line. */
const ALLOWED: readonly { file: string; part: string; reason: string }[] = [
  {
    file: "CONTRIBUTING.md",
    part: "Write *is not valid*, not *is no valid*",
    reason: "The style guide shows the wrong form.",
  },
];

/** Pages in which a line may be longer, and why. */
const WIDE: readonly { file: RegExp; reason: string }[] = [
  { file: /^docs\/(commands|errors|rules-tests)\.md$/, reason: "They are generated." },
  { file: /^skill\/references\//, reason: "They are generated." },
  { file: /^skill\/SKILL\.md$/, reason: "It has at most 150 lines, and agents read it." },
  {
    file: /^docs\/(rules|api\/facts)\.md$/,
    reason: "Each rule is one line, so that grep shows it.",
  },
];

const DOCUMENTS = ["*.md", "docs/**/*.md", "skill/**/*.md", ".github/**/*.md"];
const SOURCES = ["src/**/*.{ts,html}", "scripts/**/*.{ts,mjs,sh}", "install.sh", "helpers/*"];
const TESTS = ["test/**/*.ts"];

function read(patterns: readonly string[]): { file: string; text: string }[] {
  const files = patterns.flatMap((one) => [...new Glob(one).scanSync({ cwd: ROOT, dot: true })]);
  return [...new Set(files)]
    .sort()
    .map((file) => ({ file, text: readFileSync(join(ROOT, file), "utf8") }));
}

function isAllowed(file: string, line: string): boolean {
  return ALLOWED.some((one) => one.file === file && line.includes(one.part));
}

/** `file:line: text (write: …)` for each forbidden word. */
function wordsIn(file: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, at) =>
      FORBIDDEN.filter(({ pattern }) => pattern.test(line) && !isAllowed(file, line)).map(
        ({ instead }) => `${file}:${at + 1}: ${line.trim()} (write: ${instead})`,
      ),
    );
}

/**
 * Lines of comments that are too long; a line with an address or an instruction of a tool may be.
 */
function wideCommentsIn(file: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, at) =>
      line.length > COLUMNS &&
      /^\s*(\/\/|\/\*\*|\* )/.test(line) &&
      !/https?:\/\/|biome-/.test(line)
        ? [`${file}:${at + 1}: ${line.length} columns`]
        : [],
    );
}

/**
 * Lines of prose that are too long: not tables, code, addresses, links alone or generated parts.
 */
function wideProseIn(file: string, text: string): string[] {
  if (WIDE.some((one) => one.file.test(file))) return [];
  const blank = (part: string) => part.replace(/[^\n]+/g, "");
  const prose = text
    .replace(/<!-- (\w+):begin -->[\s\S]*?<!-- \1:end -->/g, blank)
    .replace(/^ *```[\s\S]*?^ *```/gm, blank);
  return prose
    .split("\n")
    .flatMap((line, at) =>
      line.length > COLUMNS && !/^\||https?:\/\/|^\s*!?\[[^\]]*\]\([^)]*\)$/.test(line)
        ? [`${file}:${at + 1}: ${line.length} columns`]
        : [],
    );
}

test("sources, documents and the skill use plain words", () => {
  const faults = read([...DOCUMENTS, ...SOURCES]).flatMap(({ file, text }) => wordsIn(file, text));
  expect(faults).toEqual([]);
});

test("comments have at most 100 columns", () => {
  const faults = read([...SOURCES, ...TESTS])
    .filter(({ file }) => /\.(ts|mjs)$/.test(file))
    .flatMap(({ file, text }) => wideCommentsIn(file, text));
  expect(faults).toEqual([]);
});

test("documents have at most 100 columns", () => {
  const faults = read(DOCUMENTS).flatMap(({ file, text }) => wideProseIn(file, text));
  expect(faults).toEqual([]);
});

test("nothing cites a place outside the repository", () => {
  const faults = read([...DOCUMENTS, ...SOURCES, ...TESTS, "test/scripts/*.txt"])
    .filter(({ file }) => file !== "test/prose.test.ts")
    .flatMap(({ file, text }) =>
      text.split("\n").flatMap((line, at) => (OUTSIDE.test(line) ? [`${file}:${at + 1}`] : [])),
    );
  expect(faults).toEqual([]);
});

test("every exception is needed and has a reason", () => {
  const all = read([...DOCUMENTS, ...SOURCES]);
  for (const { file, part, reason } of ALLOWED) {
    expect(all.find((one) => one.file === file)?.text).toContain(part);
    expect(reason).not.toBe("");
  }
});

test.each(FORBIDDEN)("a spoilt copy is found: $spoilt", ({ spoilt }) => {
  const [{ file, text }] = read(["src/errors.ts"]) as [{ file: string; text: string }];
  expect(wordsIn(file, text)).toEqual([]);
  expect(wordsIn(file, `${text}// ${spoilt}\n`)).toHaveLength(1);
  expect(wordsIn("docs/limits.md", `- ${spoilt}\n`)).toHaveLength(1);
});

test("a spoilt copy is found: long lines of comments and documents, and not of tables and code", () => {
  const long = "word ".repeat(21).trim();
  expect(wideCommentsIn("a.ts", `/** ${long} */`)).toHaveLength(1);
  expect(wideCommentsIn("a.ts", `const text = "${long}";`)).toEqual([]);
  expect(wideProseIn("a.md", `- ${long}`)).toHaveLength(1);
  expect(wideProseIn("a.md", `| ${long} |\n\`\`\`sh\n${long}\n\`\`\``)).toEqual([]);
});
