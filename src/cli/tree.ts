/**
 * Command values → citty definitions, for usage text (and completion). citty's own parser is not used: it lets unknown and
 * repeated options, missing values and surplus arguments pass (see parse.ts).
 */
import type { ArgsDef, CommandDef } from "citty";
import type { Argument } from "./argument.ts";
import type { Command, Group } from "./command.ts";
import { SHORT } from "./globals.ts";
import { optionsOf } from "./parse.ts";

/** A citty command for `target`, named by the words that lead to it. */
export function toCitty(target: Command | Group, name: string): CommandDef {
  const subCommands =
    target.kind === "group"
      ? Object.fromEntries([...target.members].map(([word, member]) => [word, toCitty(member, word)]))
      : undefined;
  return {
    meta: { name, description: target.summary },
    args: argsOf(target),
    ...(subCommands === undefined ? {} : { subCommands }),
  };
}

function argsOf(target: Command | Group): ArgsDef {
  const args: ArgsDef = {};
  if (target.kind === "command" && target.operands !== undefined) {
    const { description, placeholder, required } = target.operands;
    args[placeholder.replace(/[<>]/g, "")] = { type: "positional", description, required };
  }
  const globals = new Set(Object.keys(optionsOf({ kind: "group", summary: "", members: new Map() })));
  const options = Object.entries(optionsOf(target)).filter(([name]) => target.kind === "group" || !globals.has(name));
  const own = target.kind === "command" ? Object.entries(target.args).filter(([name]) => globals.has(name)) : [];
  for (const [name, argument] of [...options, ...own]) args[name] = argOf(name, argument);
  return args;
}

function argOf(name: string, argument: Argument<unknown>): ArgsDef[string] {
  const description = `${argument.description}${argument.many ? " May stand several times." : ""}${defaultOf(argument)}`;
  const alias = [...SHORT].filter(([, long]) => long === name).map(([short]) => short.slice(1));
  if (argument.kind === "flag") return { type: "boolean", description, alias };
  return { type: "string", description, valueHint: argument.placeholder.slice(1, -1), required: argument.required };
}

function defaultOf(argument: Argument<unknown>): string {
  const { fallback, limits } = argument;
  const range = limits.minimum === undefined ? "" : ` ${limits.minimum} to ${limits.maximum}.`;
  return `${range}${typeof fallback === "number" || typeof fallback === "string" ? ` Default ${fallback}.` : ""}`;
}

const NEEDS: Readonly<Record<string, string>> = {
  reader: "Needs a session.",
  api: "Needs a session.",
  device: "Needs a Ledger device.",
  signer: "Needs the operator's private key.",
};

/** Help as plain text: citty's usage, then what citty does not know (needs, notes, examples). */
export async function renderHelp(target: Command | Group, program: string, words: readonly string[]): Promise<string> {
  const { renderUsage } = await import("citty");
  const name = [program, ...words].join(" ");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: citty colours its text; help is plain
  const usage = (await renderUsage(toCitty(target, name))).replace(/\u001b\[[0-9;]*m/g, "").trimEnd();
  const sections = [usage, ...(target.kind === "command" ? [...factsOf(target), examplesOf(target, program)] : [])];
  if (target.kind === "command")
    sections.push("Global options: --pretty --debug --timestamps --timeout <seconds> --help");
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function factsOf(command: Command): string[] {
  const needs = [...new Set(command.needs.map((need) => NEEDS[need]).filter((need) => need !== undefined))];
  return [[...needs, ...command.notes].join("\n")];
}

function examplesOf(command: Command, program: string): string {
  if (command.examples.length === 0) return "";
  const lines = command.examples.map((example) => `  # ${example.means}\n  ${program} ${example.line}`);
  return `EXAMPLES\n\n${lines.join("\n")}`;
}
