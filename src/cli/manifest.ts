/**
 * Command values → plain JSON: the source of schema, skill reference, completion and the README's
 * table.
 */
import type { Argument, ArgumentMap } from "./argument.ts";
import { type Command, type Example, type Group, walk } from "./command.ts";
import { GLOBALS } from "./globals.ts";

export interface OptionFacts {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  /** May stand several times. */
  readonly many?: true;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
  readonly maxLength?: number;
  readonly maxBytes?: number;
}

export interface CommandFacts {
  readonly name: string;
  readonly summary: string;
  readonly effect: string;
  /**
   * True for every command that a person must agree to before it runs: it writes or signs (SPEC
   * §8).
   */
  readonly needsConfirmation: boolean;
  /** What must be there: "session", "address", "privateKey", "device". */
  readonly needs: readonly string[];
  readonly dryRun: boolean;
  readonly operands?: OptionFacts;
  readonly options: readonly OptionFacts[];
  readonly notes: readonly string[];
  readonly fails: readonly string[];
  readonly examples: readonly Example[];
}

export interface Manifest {
  readonly commands: readonly CommandFacts[];
  readonly globalOptions: readonly OptionFacts[];
}

/**
 * Capabilities that mean something to the caller: what has to be configured, connected or done
 * before.
 */
const NEEDS: Readonly<Record<string, string>> = {
  reader: "session",
  api: "session",
  host: "address",
  keyring: "privateKey",
  publicKey: "privateKey",
  device: "device",
};

/** Every command of the registry, in its order. */
export function manifest(root: Group): Manifest {
  return {
    commands: [...walk(root)].map(([words, command]) => factsOf(words.join(" "), command)),
    globalOptions: optionFacts(GLOBALS),
  };
}

/** One command as plain facts; `name` is the words that lead to it. */
export function factsOf(name: string, command: Command): CommandFacts {
  const { summary, effect, notes, fails, examples, operands } = command;
  return {
    name,
    summary,
    effect,
    needsConfirmation: effect === "write" || effect === "sign",
    needs: needsOf(command),
    dryRun: command.dryRun !== undefined,
    ...(operands === undefined
      ? {}
      : { operands: factsOfArgument(operands.placeholder, operands) }),
    options: optionFacts(command.args),
    notes,
    fails,
    examples,
  };
}

/**
 * What the caller must have for a command, each once. One that looks for a session itself can do
 * without.
 */
export function needsOf({ needs }: Pick<Command, "needs">): string[] {
  const named = needs.flatMap((need) => NEEDS[need] ?? []);
  return [
    ...new Set(needs.includes("sessions") ? named.filter((need) => need !== "session") : named),
  ];
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
