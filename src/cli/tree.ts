/**
 * Command values → citty definitions, for usage text. citty's own parser is not used: it lets
 * unknown and repeated options, missing values and surplus arguments pass (see parse.ts).
 */
import type { ArgsDef, CommandDef } from "citty";
import type { Argument } from "./argument.ts";
import type { Command, Group } from "./command.ts";
import { EFFECTS } from "./effect.ts";
import { GLOBALS, SHORT } from "./globals.ts";
import { type Facts, needsOf } from "./manifest.ts";

/**
 * A citty command for `target`, named by the words that lead to it. The global options are at the
 * root only.
 */
function toCitty(target: Command | Group, name: string, isRoot = true): CommandDef {
  const subCommands =
    target.kind === "group"
      ? Object.fromEntries(
          [...target.members].map(([word, member]) => [word, toCitty(member, word, false)]),
        )
      : undefined;
  return {
    meta: { name, description: target.summary },
    args: target.kind === "command" ? argsOf(target) : isRoot ? globalArgs() : {},
    ...(subCommands === undefined ? {} : { subCommands }),
  };
}

function argsOf({ operands, args: own }: Command): ArgsDef {
  const args: ArgsDef = {};
  if (operands !== undefined) {
    const { description, placeholder, required } = operands;
    args[placeholder.replace(/[<>]/g, "")] = { type: "positional", description, required };
  }
  for (const [name, argument] of Object.entries(own)) args[name] = argOf(name, argument);
  return args;
}

function globalArgs(): ArgsDef {
  return Object.fromEntries(
    Object.entries(GLOBALS).map(([name, argument]) => [name, argOf(name, argument)]),
  );
}

function argOf(name: string, argument: Argument<unknown>): ArgsDef[string] {
  const description = `${argument.description}${argument.many ? " May be repeated." : ""}${limitsOf(argument)}`;
  const alias = [...SHORT].filter(([, long]) => long === name).map(([short]) => short.slice(1));
  if (argument.kind === "flag") return { type: "boolean", description, alias };
  return {
    type: "string",
    description,
    valueHint: argument.placeholder.slice(1, -1),
    required: argument.required,
  };
}

/** Above this, a limit is only there to catch typing errors. */
const NO_LIMIT = 1_000_000_000;

function limitsOf({
  fallback,
  limits: { minimum, maximum = NO_LIMIT },
}: Argument<unknown>): string {
  const range = minimum === undefined || maximum >= NO_LIMIT ? "" : ` ${minimum} to ${maximum}.`;
  return `${range}${typeof fallback === "number" || typeof fallback === "string" ? ` Default ${fallback}.` : ""}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: citty colours its text; help is plain
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * Help as plain text: citty's usage, then what citty does not know (effect, needs, notes,
 * examples).
 */
export async function renderHelp(
  target: Command | Group,
  program: string,
  words: readonly string[],
  facts: Facts,
): Promise<string> {
  const { renderUsage } = await import("citty");
  const name = [program, ...words].join(" ");
  const usage = (await renderUsage(toCitty(target, name, words.length === 0))).replace(COLOURS, "");
  const own =
    target.kind === "command" ? [factsOf(target, facts), examplesOf(target, program)] : [];
  const takesOptions = target.kind === "group" || Object.keys(target.args).length > 0;
  const sections = [
    arrange(takesOptions ? usage : usage.replace(" [OPTIONS]", ""), name),
    ...own,
    closing(target, program, words),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

/** citty's text with its columns aligned to the left, and without repeated entries. */
function arrange(usage: string, name: string): string {
  const rows = usage
    .replace(` (${name})`, "")
    .replace(/\n+Use .* for more information about a command\.\s*$/, "");
  const lines = rows
    .split("\n")
    .map((line) => /^ {2,}(\S.*?) {4}(.*)$/.exec(line) ?? line.trimEnd());
  const widths = lines.map((line) => (typeof line === "string" ? 0 : (line[1]?.length ?? 0)));
  const width = Math.min(Math.max(...widths), 32);
  const text = lines.map((line) =>
    typeof line === "string" ? line : `  ${line[1]?.padEnd(width)}  ${line[2]?.trimEnd()}`,
  );
  return text.join("\n").trimEnd();
}

function factsOf(command: Command, facts: Facts): string {
  const change = EFFECTS[command.effect].warning;
  const needs = needsOf(command, facts).map((need) => {
    const { thing = need, how = "" } = facts.requirements[need] ?? {};
    return `Needs ${thing}${how}.`;
  });
  return [...(change === undefined ? [] : [change]), ...needs, ...command.notes].join("\n");
}

function examplesOf(command: Command, program: string): string {
  if (command.examples.length === 0) return "";
  const lines = command.examples.map(
    (example) => `  # ${example.means}\n  ${program} ${example.line}`,
  );
  return `EXAMPLES\n\n${lines.join("\n")}`;
}

/** The way on: to the commands below, or to the same facts as JSON. */
function closing(target: Command | Group, program: string, words: readonly string[]): string {
  const name = [program, ...words].join(" ");
  if (target.kind === "group")
    return `${name} <command> --help says more about one; ${program} schema lists all as JSON.`;
  const globals = "Global options: --pretty --debug --timestamps --timeout <seconds> --help";
  return `${globals}\nAs JSON, with result and errors: ${program} schema ${words.join(" ")}`;
}
