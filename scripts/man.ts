/**
 * Manual pages from the command values: one for the program, one for each group and each command.
 * The source is man(7), which both groff and mandoc read.
 */
import { FACTS } from "../src/app/capabilities.ts";
import type { Argument } from "../src/cli/argument.ts";
import type { Command, Group } from "../src/cli/command.ts";
import { EFFECTS } from "../src/cli/effect.ts";
import { GLOBALS, SHORT } from "../src/cli/globals.ts";
import { needsOf } from "../src/cli/manifest.ts";
import { EXIT_CODES } from "../src/errors.ts";
import { PROGRAM } from "../src/version.ts";

type Part = Command | Group;

/** What a page says beside its command. */
export interface PageFacts {
  /** Printed at the foot: YYYY-MM-DD. */
  readonly date: string;
  readonly version: string;
  /** docs/configuration.md, whose table of variables is a section of the program's page. */
  readonly configuration: string;
}

/** File name (`ledger-enterprise-cli-requests-create.1`) → page. */
export function manPages(
  root: Group,
  { date, version, configuration }: PageFacts,
): Map<string, string> {
  const foot = { date, source: `${PROGRAM} ${version}`, variables: variablesIn(configuration) };
  const pages = new Map<string, string>();
  const add = (words: readonly string[], part: Part): void => {
    pages.set(`${nameOf(words)}.1`, page(words, part, foot));
    if (part.kind === "group")
      for (const [word, member] of part.members) add([...words, word], member);
  };
  add([], root);
  return pages;
}

function nameOf(words: readonly string[]): string {
  return [PROGRAM, ...words].join("-");
}

interface Foot {
  readonly date: string;
  readonly source: string;
  readonly variables: readonly Variable[];
}

/** Variables of one kind, and what they mean. */
type Variable = readonly [names: readonly string[], meaning: string];

function variablesIn(configuration: string): Variable[] {
  const secrets = /^A secret comes from one place\.(?:.+\n)+/m.exec(configuration)?.[0];
  const rows = [...configuration.matchAll(/^\| (`LEDGER_ENTERPRISE_[^|]*) \| (.*) \|$/gm)];
  if (rows.length === 0 || secrets === undefined)
    throw new Error("docs/configuration.md does not say the variables as it did.");
  const known = rows.map(([, names = "", meaning = ""]): Variable => {
    return [plain(names).split(", "), plain(meaning)];
  });
  return [...known, [["_FILE", "_COMMAND"], plain(secrets)]];
}

/** Without the marks of Markdown, as one line. */
function plain(markdown: string): string {
  return markdown
    .replaceAll("`", "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll("\n", " ")
    .trim();
}

function environment(variables: readonly Variable[]): string[] {
  return variables.flatMap(([names, meaning]) => [
    ...[".TP", `.B ${names.map(escaped).join(", ")}`],
    ...text(meaning),
  ]);
}

function page(words: readonly string[], part: Part, { date, source, variables }: Foot): string {
  const name = nameOf(words);
  const heading = `.TH ${quoted(name.toUpperCase())} 1 ${quoted(date)} ${quoted(source)} ${quoted("User commands")}`;
  const sections = [
    heading,
    // Ragged on the right: a line of one long word cannot be stretched.
    ".ad l",
    section("Name", text(`${name} \u2010 ${part.summary.replace(/\.$/, "")}`)),
    section("Synopsis", synopsis(words, part)),
    ...(part.kind === "command" ? ofCommand(part) : ofGroup(words, part)),
    ...(words.length === 0 ? [section("Environment", environment(variables))] : []),
    section("See also", seeAlso(words, part)),
  ];
  return `${sections.filter((one) => one !== "").join("\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`.SH ${title.toUpperCase()}`, ...lines].join("\n");
}

function synopsis(words: readonly string[], part: Part): string[] {
  const command = `.B ${escaped([PROGRAM, ...words].join(" "))}`;
  if (part.kind === "group") return [command, ".I command", ".RI [ options ]"];
  const required = Object.entries(part.args).filter(([, argument]) => argument.required);
  return [
    command,
    ...required.map(([name, argument]) => `${optionText(name, argument)}`),
    ...(part.operands === undefined ? [] : [`.I ${quoted(escaped(part.operands.placeholder))}`]),
    ...(Object.keys(part.args).length > required.length ? [".RI [ options ]"] : []),
  ];
}

/** `.BI --name= value`, or `.B --name` for a flag. */
function optionText(name: string, argument: Argument<unknown>): string {
  const option = escaped(`--${name}`);
  if (argument.kind === "flag") return `.B ${option}`;
  // A list of many words may be broken after each.
  const placeholder = escaped(argument.placeholder.slice(1, -1)).replaceAll("|", "|\\:");
  return `.BI ${quoted(`${option} `)} ${quoted(placeholder)}`;
}

function ofCommand(command: Command): string[] {
  const needs = needsOf(command, FACTS).map((need) => {
    const { thing = need, how = "" } = FACTS.requirements[need] ?? {};
    return `Needs ${thing}${how}.`;
  });
  const description = [EFFECTS[command.effect].sentence, ...needs, ...command.notes];
  return [
    section("Description", paragraphs([command.summary, ...description])),
    section("Options", options(command.args)),
    section("Exit status", exitStatus()),
    section("Examples", command.examples.flatMap(example)),
  ];
}

function ofGroup(words: readonly string[], group: Group): string[] {
  const commands = [...group.members].flatMap(([word, member]) => [
    ".TP",
    `.B ${escaped(word)}`,
    ...text(member.summary),
  ]);
  const isRoot = words.length === 0;
  return [
    section("Description", paragraphs([group.summary])),
    section("Commands", commands),
    ...(isRoot ? [section("Options", options(GLOBALS)), section("Exit status", exitStatus())] : []),
  ];
}

function options(args: Readonly<Record<string, Argument<unknown>>>): string[] {
  const shorts = new Map([...SHORT].map(([short, name]) => [name as string, short]));
  return Object.entries(args).flatMap(([name, argument]) => {
    const short = args === GLOBALS ? shorts.get(name) : undefined;
    const many = argument.many ? " May be given more than once." : "";
    return [
      ".TP",
      optionText(name, argument),
      ...text(`${argument.description}${many}${short === undefined ? "" : ` Also ${short}.`}`),
    ];
  });
}

function exitStatus(): string[] {
  return Object.entries(EXIT_CODES).flatMap(([code, meaning]) => [
    ".TP",
    `.B ${code}`,
    ...text(meaning),
  ]);
}

function example({ means, line }: Command["examples"][number], at: number): string[] {
  const begin = at === 0 ? [] : [".PP"];
  return [
    ...begin,
    ...text(`${means}:`),
    ".PP",
    ".nf",
    ".RS 4",
    escaped(`${PROGRAM} ${line}`),
    ".RE",
    ".fi",
  ];
}

function seeAlso(words: readonly string[], part: Part): string[] {
  const others = [
    ...(words.length === 0 ? [] : [nameOf(words.slice(0, -1))]),
    ...(part.kind === "group"
      ? [...part.members.keys()].map((word) => nameOf([...words, word]))
      : []),
  ];
  return others.map((name, at) => `.BR ${escaped(name)} (1)${at < others.length - 1 ? "," : ""}`);
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((one, at) => [...(at === 0 ? [] : [".PP"]), ...text(one)]);
}

const LONGEST_LINE = 78;

/** Text in lines that break between words; each is escaped on its own. */
function text(content: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of content.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || escaped(longer).length <= LONGEST_LINE) line = longer;
    else {
      lines.push(escaped(line));
      line = word;
    }
  }
  return [...lines, escaped(line)];
}

/** Text that roff prints as it is: no escapes, no requests, hyphens that can be copied. */
function escaped(content: string): string {
  const plain = content
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("\u2010", "\\-")
    .replace(
      /[^\x20-\x7e]/gu,
      (one) => `\\[u${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

/** An argument of a request, which ends at a space. */
function quoted(content: string): string {
  return `"${content.replaceAll('"', '""')}"`;
}
