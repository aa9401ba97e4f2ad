/**
 * Command values → plain JSON: the source of schema, skill reference, completion and the README's
 * table.
 */
import { ERRORS, type ErrorCode } from "../errors.ts";
import type { Argument, ArgumentMap } from "./argument.ts";
import { type Command, type Example, type Group, walk } from "./command.ts";
import { changes, type Effect } from "./effect.ts";
import { GLOBALS } from "./globals.ts";

/** One option, as schema and references describe it. */
export interface OptionFacts {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  /** May be given several times. */
  readonly many?: true;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
  readonly maxLength?: number;
  readonly maxBytes?: number;
}

/** One command, as schema and references describe it. */
export interface CommandFacts {
  readonly name: string;
  readonly summary: string;
  readonly effect: Effect;
  /**
   * True for every command that a person must agree to before it runs: it writes or signs
   * (specification §8).
   */
  readonly needsConfirmation: boolean;
  /** What must be there: "session", "address", "privateKey", "device". */
  readonly needs: readonly string[];
  readonly dryRun: boolean;
  readonly operands?: OptionFacts;
  readonly options: readonly OptionFacts[];
  readonly notes: readonly string[];
  /** Codes that are particular to the command, in the order of the error table. */
  readonly fails: readonly ErrorCode[];
  /** Groups of codes that it shares with others. */
  readonly common: readonly string[];
  readonly examples: readonly Example[];
}

/** Every command, and the options that all of them take. */
export interface Manifest {
  readonly commands: readonly CommandFacts[];
  readonly globalOptions: readonly OptionFacts[];
}

/** What is known of a capability without making it. */
export interface CapabilityFacts {
  /** Makes it; of no interest here. */
  readonly make: unknown;
  /** What the caller must have configured, connected or done before; keys of `requirements`. */
  readonly requires?: readonly string[];
  /** A requirement that a command with this capability can do without. */
  readonly spares?: string;
  /** Codes that its use can end in, beside the `common` ones. */
  readonly codes?: readonly ErrorCode[];
  /** Groups of codes that its use can end in, too; keys of `errors`. */
  readonly common?: readonly string[];
}

/** What the parts above know of capabilities, for what describes commands. */
export interface Facts {
  readonly capabilities: Readonly<Record<string, CapabilityFacts>>;
  /** What a caller must have, in words: `a session`, and how to come by it. */
  readonly requirements: Readonly<Record<string, { readonly thing: string; readonly how: string }>>;
  /** Groups of codes that many commands can answer, by name; said once. */
  readonly errors: Readonly<Record<string, readonly ErrorCode[]>>;
}

/** Every command of the registry, in its order. */
export function manifest(root: Group, facts: Facts): Manifest {
  return {
    commands: [...walk(root)].map(([words, command]) => factsOf(words.join(" "), command, facts)),
    globalOptions: optionFacts(GLOBALS),
  };
}

/** One command as plain facts; `name` is the words that lead to it. */
export function factsOf(name: string, command: Command, facts: Facts): CommandFacts {
  const { summary, effect, needsConfirmation, notes, examples, operands } = command;
  return {
    name,
    summary,
    effect,
    needsConfirmation,
    needs: needsOf(command, facts),
    dryRun: command.dryRun !== undefined,
    ...(operands === undefined
      ? {}
      : { operands: factsOfArgument(operands.placeholder, operands) }),
    options: optionFacts(command.args),
    notes,
    fails: failuresOf(command, facts),
    common: commonOf(command, facts),
    examples,
  };
}

/** What the caller must have for a command, each once. */
export function needsOf({ needs }: Pick<Command, "needs">, { capabilities }: Facts): string[] {
  const rows = needs.flatMap((need) => capabilities[need] ?? []);
  const spared = new Set(rows.map(({ spares }) => spares));
  const named = rows.flatMap(({ requires = [] }) => requires);
  return [...new Set(named)].filter((need) => !spared.has(need));
}

/** What reading an argument of a kind can end in, beside the codes of every command. */
const BY_KIND: Readonly<Record<string, readonly ErrorCode[]>> = {
  json: ["INVALID_JSON", "JSON_DUPLICATE_KEY", "PAYLOAD_TOO_LARGE", "INVALID_PATH", "IO_ERROR"],
  material: ["INVALID_JSON", "PAYLOAD_TOO_LARGE", "INVALID_PATH", "IO_ERROR"],
  path: ["INVALID_PATH"],
};

function failuresOf(command: Command, { capabilities, errors }: Facts): ErrorCode[] {
  const { effect, needs, args, operands } = command;
  const taken = [...Object.values(args), ...(operands === undefined ? [] : [operands])];
  const found = new Set<string>([
    ...command.fails,
    ...needs.flatMap((need) => capabilities[need]?.codes ?? []),
    ...taken.flatMap(({ kind }) => BY_KIND[kind] ?? []),
    ...(taken.some(({ required }) => required) ? ["MISSING_OPTION"] : []),
    ...(changes(effect) ? ["READ_ONLY"] : []),
  ]);
  const shared = new Set<string>(
    commonOf(command, { capabilities }).flatMap((name) => errors[name] ?? []),
  );
  return Object.keys(ERRORS).filter(
    (code): code is ErrorCode => found.has(code) && !shared.has(code),
  );
}

function commonOf(
  { needs, ungated }: Command,
  { capabilities }: Pick<Facts, "capabilities">,
): string[] {
  const named = needs.flatMap((need) => capabilities[need]?.common ?? []);
  return [...new Set(["every", ...(ungated ? [] : ["version"]), ...named])];
}

function optionFacts(args: ArgumentMap): OptionFacts[] {
  return Object.entries(args).map(([name, argument]) => factsOfArgument(name, argument));
}

function factsOfArgument(name: string, argument: Argument<unknown>): OptionFacts {
  const { kind, description, required, many, fallback, limits } = argument;
  const hasDefault = fallback !== undefined && kind !== "flag" && !many;
  return {
    name,
    type: kind,
    description,
    required,
    ...(many ? { many } : {}),
    ...(hasDefault ? { default: fallback } : {}),
    ...limits,
  };
}
