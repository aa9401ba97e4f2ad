/** Command values → plain JSON: the source of schema, skill reference, completion and the README's table. */
import type { ArgumentMap, Limits } from "./argument.ts";
import { type Command, type Example, type Group, walk } from "./command.ts";
import { GLOBALS } from "./globals.ts";

export interface OptionFacts {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  readonly many: boolean;
  readonly default?: unknown;
  readonly limits: Limits;
}

export interface CommandFacts {
  readonly name: string;
  readonly summary: string;
  readonly effect: string;
  readonly needs: readonly string[];
  readonly dryRun: boolean;
  readonly options: readonly OptionFacts[];
  readonly notes: readonly string[];
  readonly examples: readonly Example[];
}

export interface Manifest {
  readonly commands: readonly CommandFacts[];
  readonly globalOptions: readonly OptionFacts[];
}

/** Every command of the registry, in its order. */
export function manifest(root: Group): Manifest {
  return {
    commands: [...walk(root)].map(([words, command]) => factsOf(words.join(" "), command)),
    globalOptions: optionFacts(GLOBALS),
  };
}

function factsOf(name: string, command: Command): CommandFacts {
  const { summary, effect, needs, notes, examples } = command;
  const dryRun = command.rehearsal !== undefined;
  return { name, summary, effect, needs, dryRun, notes, examples, options: optionFacts(command.args) };
}

function optionFacts(args: ArgumentMap): OptionFacts[] {
  return Object.entries(args).map(([name, argument]) => ({
    name,
    type: argument.kind,
    description: argument.description,
    required: argument.required,
    many: argument.many,
    ...(argument.fallback === undefined || argument.kind === "flag" || argument.many
      ? {}
      : { default: argument.fallback }),
    limits: argument.limits,
  }));
}
