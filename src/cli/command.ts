/**
 * A command is a value. Parser, help, completion, manifest, schema and skill reference all read the
 * same fields; nothing about a command is written a second time. This folder knows nothing of
 * Ledger.
 */
import type { GenericSchema } from "valibot";
import type { ErrorCode } from "../errors.ts";
import type { Argument, ArgumentMap } from "./argument.ts";
import type { Effect } from "./effect.ts";

/**
 * Makes a schema when somebody asks for it: most runs do not, and making them all costs more than
 * the rest of a start.
 */
export type Shape = () => GenericSchema;

/** A command line that works, and what for; every one is run by the tests. */
export interface Example {
  /** The line as typed, without the program's name. */
  readonly line: string;
  readonly means: string;
}

/**
 * What `--dryRun` of a write or sign command does: it gets only what it lists, so nothing can be
 * sent or signed by it.
 */
export interface DryRun {
  readonly needs: readonly string[];
  /** What the dry run prints. */
  readonly output: Shape;
  run(capabilities: never, args: never): unknown;
}

/** A command that prints what the API answers to one operation, as it is. */
export interface Relay {
  readonly operation: string;
  /** Options that are its parameters, as they are sent in turn; others change what is printed. */
  readonly parameters: readonly string[];
  /** Those of them with which the answer is also examined. */
  readonly examined: readonly string[];
}

/**
 * A command as every reader sees it; commands/parts/command.ts makes it, with its types tied.
 */
export interface Command {
  readonly kind: "command";
  readonly summary: string;
  /** Facts that a reader needs beyond the options, a sentence each. */
  readonly notes: readonly string[];
  readonly effect: Effect;
  readonly needs: readonly string[];
  readonly args: ArgumentMap;
  /** Values after the command that have no option name, for the few commands that take them. */
  readonly operands: Argument<readonly string[]> | undefined;
  /** Codes of its own, beyond those that follow from what it needs, takes and changes. */
  readonly fails: readonly ErrorCode[];
  /**
   * Fields that we read or promise; always loose, since the API's own fields are relayed. Absent:
   * the result is text.
   */
  readonly output: Shape | undefined;
  /**
   * The member of the result that `--fields` projects, or the result itself; absent: no `--fields`.
   */
  readonly fields: "results" | "object" | undefined;
  /**
   * Columns of `--output csv` and `table` without `--fields`; `a|b` reads `b` where there is no
   * `a`. Absent: the result is not a list, and JSON is its only form.
   */
  readonly columns: readonly string[] | undefined;
  /** Works while the version gate refuses (VER-5). */
  readonly ungated: boolean;
  /** Goes on until it is stopped, whatever a guard owes it. */
  readonly serves: boolean;
  /** A person agrees before an agent runs it. */
  readonly needsConfirmation: boolean;
  readonly examples: readonly Example[];
  /**
   * What agents get of it over MCP: a tool of its own, or an entry of the lookup tool. Absent: they
   * do not get it.
   */
  readonly agent: "tool" | "lookup" | undefined;
  /** Absent: the result is more than one answer of the API. */
  readonly relays: Relay | undefined;
  /** Facts for `schema` beyond the options, as they are. */
  readonly reference: Readonly<Record<string, unknown>> | undefined;
  readonly dryRun: DryRun | undefined;
  run(capabilities: never, args: never): unknown;
}

/** Commands under one word. */
export interface Group {
  readonly kind: "group";
  readonly summary: string;
  readonly members: ReadonlyMap<string, Command | Group>;
}

/** A group keeps its members in a Map: names such as `constructor` must not find anything (A24). */
export function group(summary: string, members: Readonly<Record<string, Command | Group>>): Group {
  return { kind: "group", summary, members: new Map(Object.entries(members)) };
}

/** Every command below `root`, with the words that lead to it, in the order of the registry. */
export function* walk(
  root: Group,
  words: readonly string[] = [],
): Generator<readonly [string[], Command]> {
  for (const [name, member] of root.members) {
    const path = [...words, name];
    if (member.kind === "command") yield [path, member];
    else yield* walk(member, path);
  }
}
