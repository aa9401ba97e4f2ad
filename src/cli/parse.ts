/**
 * From argv, strictly, to one command and its raw values, or to a usage error (specification §3,
 * catalogue A). Nothing is guessed and nothing is ignored: unknown, repeated, missing and surplus
 * arguments are all refused, with the nearest right spelling.
 */
import { CliError } from "../errors.ts";
import { wordOf } from "../io/word.ts";
import type { Argument, ArgumentMap, InputReader } from "./argument.ts";
import type { Command, Group } from "./command.ts";
import { GLOBALS, type Globals, SHORT } from "./globals.ts";
import { nearest } from "./nearest.ts";

/** What the command line asks for, before any value was interpreted. */
export interface Invocation {
  /** Words that were understood, e.g. `["accounts", "list"]`. */
  readonly words: readonly string[];
  /** The command or group that the words lead to. */
  readonly target: Command | Group;
  readonly asks: "run" | "help" | "version";
  /** Raw values by option name, in the order given; a flag holds one empty string. */
  readonly raw: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

/**
 * Options that the command line offers for `target`: its own, then the global ones it does not
 * redefine.
 */
export function optionsOf(target: Command | Group): ArgumentMap {
  return target.kind === "command" ? { ...GLOBALS, ...target.args } : GLOBALS;
}

/** `pageSize` → `page-size`: the other accepted spelling. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const SECRET_NAME = /secret|private|password|token|credential|apikey/i;

/**
 * Throws the usage codes; exit 2 each, nothing was sent. Help wins over every other fault, then
 * version.
 */
export function parse(argv: readonly string[], root: Group): Invocation {
  const asked = askedFor(argv);
  const state = { words: [] as string[], target: root as Command | Group };
  const raw = new Map<string, string[]>();
  const operands: string[] = [];
  try {
    for (let at = 0; at < argv.length; at += 1) {
      const token = argv[at] ?? "";
      checkCharacters(token);
      if (token === "--") {
        if (at + 1 < argv.length) throw surplus(argv[at + 1] ?? "", state.target, raw);
      } else if (token.startsWith("-") && token !== "-") {
        at += readOption(token, argv[at + 1], state.target, raw);
      } else if (state.target.kind === "group") {
        Object.assign(state, descend(state.target, state.words, token));
      } else {
        const { operands: taken } = state.target;
        if (taken === undefined || (operands.length > 0 && !taken.many))
          throw surplus(token, state.target, raw);
        operands.push(token);
      }
    }
  } catch (cause) {
    if (asked === undefined) throw cause;
  }
  return { ...state, asks: asked ?? "run", raw, operands };
}

function askedFor(argv: readonly string[]): "help" | "version" | undefined {
  const end = argv.indexOf("--");
  const options = end < 0 ? argv : argv.slice(0, end);
  if (options.includes("--help") || options.includes("-h")) return "help";
  return options.includes("--version") || options.includes("-v") ? "version" : undefined;
}

/**
 * Bytes that are not UTF-8 arrive as U+FFFD: they are refused rather than sent as something else
 * (A17).
 */
function checkCharacters(token: string): void {
  if (token.includes("\ufffd") || !token.isWellFormed()) {
    throw new CliError("INVALID_ARGUMENT", { message: "An argument is not valid UTF-8." });
  }
}

type RawValues = ReadonlyMap<string, readonly string[]>;

function surplus(
  token: string,
  target?: Command | Group,
  raw: RawValues = new Map<string, readonly string[]>(),
): CliError {
  const dash = /^[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]/.test(token);
  const hint = dash
    ? "Type the options with two plain hyphens: '--'."
    : target?.kind === "command"
      ? placeOfValue(token, target, raw)
      : undefined;
  const word = wordOf(token);
  return new CliError("UNEXPECTED_ARGUMENT", {
    message: dash
      ? "An argument begins with a dash that is not '-'."
      : word === undefined
        ? "There is an argument that belongs to no option."
        : `The argument ${word} belongs to no option.`,
    details: { argument: shorten(token) },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What a value without an option was probably meant to be: a part of a document, or an id. */
function placeOfValue(token: string, { args }: Command, raw: RawValues): string | undefined {
  const documents = Object.keys(args).filter((name) => args[name]?.kind === "json");
  const isSplit = documents.some((name) => raw.get(name)?.some((text) => /^['"]?[{[]/.test(text)));
  const name = documents.find((one) => raw.has(one)) ?? documents[0];
  if (name !== undefined && (isSplit || /[{}[\]"]/.test(token)))
    return `The shell split the document: put it in quotes, or write it to a file and give --${name} @file.`;
  const id = ["id", "accountId"].find((one) => args[one] !== undefined);
  const looksLikeId = /^[A-Za-z0-9._~-]{1,128}$/.test(token);
  return id !== undefined && looksLikeId ? `Give an id as --${id}.` : undefined;
}

/**
 * What is quoted back of a user's argument: all or nothing, for a part of a secret would not be
 * known for one (SEC-1).
 */
function shorten(token: string): string {
  return token.length > 80 ? `[${token.length} characters]` : token;
}

/**
 * The command or group that the words name, in either spelling. Throws UNKNOWN_COMMAND with the
 * nearest name, UNEXPECTED_ARGUMENT.
 */
export function find(
  root: Group,
  words: readonly string[],
): { words: string[]; target: Command | Group } {
  let found = { words: [] as string[], target: root as Command | Group };
  for (const word of words) {
    if (found.target.kind === "command") throw surplus(word);
    found = descend(found.target, found.words, word);
  }
  return found;
}

function descend(
  group: Group,
  words: readonly string[],
  token: string,
): { words: string[]; target: Command | Group } {
  for (const [name, target] of group.members) {
    if (name === token || kebab(name) === token) return { words: [...words, name], target };
  }
  if (/^[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]/.test(token)) throw surplus(token);
  const names = [...group.members.keys()];
  const guess = nearest(token, names);
  throw new CliError("UNKNOWN_COMMAND", {
    message: `${lacking("command", token)}${words.length > 0 ? ` in '${words.join(" ")}'` : ""}.`,
    details: {
      given: shorten(token),
      ...(guess === undefined ? {} : { nearest: [...words, guess].join(" ") }),
      commands: names,
    },
    hint: otherForm(token, words, names) ?? hintOf(words, guess, names),
  });
}

/** `There is no option '--x'`, or without its name. */
function lacking(what: "command" | "option", given: string): string {
  const word = wordOf(given);
  return word === undefined ? `There is no such ${what}` : `There is no ${what} ${word}`;
}

/** What to write for words that are right in another place: `help x`, or all of them in quotes. */
function otherForm(token: string, words: readonly string[], names: readonly string[]) {
  if (token === "help") return "Write --help after the command, as in 'accounts list --help'.";
  const parts = token.split(" ");
  const isWords = parts.every((part) => /^[A-Za-z-]{1,40}$/.test(part));
  if (parts.length < 2 || !isWords || !names.includes(parts[0] ?? "")) return undefined;
  return `Write the words without quotes around them: ${[...words, ...parts].join(" ")}`;
}

/** The nearest name, and all that there are. */
function hintOf(words: readonly string[], guess: string | undefined, names: string[]): string {
  const meant = guess === undefined ? "" : `Did you mean '${[...words, guess].join(" ")}'?`;
  if (words.length === 0 && meant !== "") return meant;
  const group = words.length === 0 ? "The commands" : `The commands of '${words.join(" ")}'`;
  return `${meant} ${group} are: ${names.join(", ")}.`.trimStart();
}

/** Returns how many further tokens the option used. */
function readOption(
  token: string,
  next: string | undefined,
  target: Command | Group,
  raw: Map<string, string[]>,
): 0 | 1 {
  const equals = token.indexOf("=");
  const spelled = equals < 0 ? token : token.slice(0, equals);
  const options = optionsOf(target);
  const name = findOption(spelled, options, target);
  const argument = options[name] as Argument<unknown>;
  const given = raw.get(name);
  if (given !== undefined && !argument.many) {
    throw new CliError("DUPLICATE_OPTION", {
      message: `--${name} is given more than once.`,
      field: `--${name}`,
    });
  }
  if (argument.kind === "flag") {
    if (equals >= 0) {
      throw new CliError("INVALID_ARGUMENT", {
        message: `--${name} is a flag and takes no value.`,
        field: `--${name}`,
      });
    }
    raw.set(name, [""]);
    return 0;
  }
  const value = equals < 0 ? next : token.slice(equals + 1);
  if (value === undefined || (equals < 0 && value.startsWith("-") && value !== "-")) {
    // A number with a sign, or words that begin with one.
    const isSigned = value !== undefined && /^-[\d.]/.test(value);
    throw new CliError("MISSING_OPTION_VALUE", {
      message: isSigned
        ? `--${name} has no value: what follows begins with '-'.`
        : `--${name} has no value.`,
      field: `--${name}`,
    });
  }
  checkValue(name, value);
  raw.set(name, [...(given ?? []), value]);
  return equals < 0 ? 1 : 0;
}

/** Throws INVALID_ARGUMENT for the value of an option that is empty or not Unicode text. */
export function checkValue(name: string, value: string): void {
  checkCharacters(value);
  if (value !== "") return;
  throw new CliError("INVALID_ARGUMENT", {
    message: `--${name} has an empty value.`,
    field: `--${name}`,
  });
}

function findOption(spelled: string, options: ArgumentMap, target: Command | Group): string {
  const short = SHORT.get(spelled);
  if (short !== undefined) return short;
  const word = spelled.replace(/^--?/, "");
  const names = Object.keys(options);
  const isLong = spelled.startsWith("--");
  const found = names.find((name) => isLong && (name === word || kebab(name) === word));
  if (found !== undefined) return found;
  if (SECRET_NAME.test(word)) {
    throw new CliError("UNKNOWN_OPTION", {
      message: "Secrets are never options: arguments can be read by every process of the machine.",
      hint: "Set the LEDGER_ENTERPRISE_… environment variable, or its _FILE form.",
    });
  }
  const guess = nearest(word, names);
  const hint = guess === undefined ? placeOf(target) : `Did you mean '--${guess}'?`;
  throw new CliError("UNKNOWN_OPTION", {
    message: `${lacking("option", spelled)}${target.kind === "group" ? " before the command" : ""}.`,
    field: shorten(spelled),
    ...(hint === undefined ? {} : { hint }),
    details: { options: names.map((name) => `--${name}`) },
  });
}

/** Where an option that a group does not know may belong. */
function placeOf(target: Command | Group): string | undefined {
  if (target.kind === "command") return undefined;
  return `A command's options come after its name. The name is one of: ${[...target.members.keys()].join(", ")}.`;
}

/**
 * Interprets the raw values. Required ones that are missing are named together. Throws the codes of
 * each argument.
 */
export async function interpret(
  invocation: Invocation,
  command: Command,
  reader: InputReader,
): Promise<Record<string, unknown> & { operands?: unknown }> {
  const missing = Object.entries(command.args).filter(
    ([name, argument]) => argument.required && !invocation.raw.has(name),
  );
  if (missing.length > 0) {
    const names = missing.map(([name]) => `--${name}`).join(", ");
    throw new CliError("MISSING_OPTION", {
      message: `Missing: ${names}.`,
      field: `--${missing[0]?.[0] ?? ""}`,
    });
  }
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, argument] of Object.entries(command.args)) {
    values[name] = await interpretOne(argument, invocation.raw.get(name), `--${name}`, reader);
  }
  const { operands } = command;
  if (operands !== undefined) {
    if (operands.required && invocation.operands.length === 0) {
      throw new CliError("MISSING_OPTION", {
        message: `Missing: ${operands.placeholder}.`,
        hint: "Add it after the command's name; --help shows how.",
      });
    }
    values.operands = invocation.operands.map((raw) =>
      operands.parse(raw, operands.placeholder, reader),
    );
  }
  return values;
}

/** The global options of an invocation; throws INVALID_ARGUMENT for a bad `--timeout`. */
export function interpretGlobals(invocation: Invocation): Globals {
  const own = invocation.target.kind === "command" ? invocation.target.args : {};
  const values: Record<string, unknown> = {};
  for (const [name, argument] of Object.entries(GLOBALS) as [string, Argument<unknown>][]) {
    const raw = Object.hasOwn(own, name) ? undefined : invocation.raw.get(name)?.[0];
    values[name] =
      raw === undefined ? argument.fallback : argument.parse(raw, `--${name}`, NO_READER);
  }
  return values as Globals;
}

const NO_READER: InputReader = {
  mayQuote: () => true,
  file: () => Promise.reject(new Error("no input option among the globals")),
  stdin: () => Promise.reject(new Error("no input option among the globals")),
};

async function interpretOne(
  argument: Argument<unknown>,
  given: readonly string[] | undefined,
  option: string,
  reader: InputReader,
): Promise<unknown> {
  if (given === undefined) return argument.fallback;
  const values: unknown[] = [];
  for (const raw of given) values.push(await argument.parse(raw, option, reader));
  return argument.many ? values : values[0];
}
