/**
 * `command()`: a command value with its types tied together. Asking for an undeclared capability
 * does not compile.
 */

import type { Capabilities } from "../../app/capabilities.ts";
import {
  type Argument,
  type ArgumentMap,
  flag,
  oneOf,
  type Values,
  withDefault,
} from "../../cli/argument.ts";
import type { Command, Example, Shape } from "../../cli/command.ts";
import { changes, type Effect } from "../../cli/effect.ts";
import { parseFields } from "../../cli/fields.ts";
import type { ErrorCode } from "../../errors.ts";

export type { Capabilities };

/** The name of something that a command can be given. */
export type Need = keyof Capabilities;

interface Spec<N extends Need, A extends ArgumentMap, R extends Need> {
  readonly summary: string;
  readonly notes?: readonly string[];
  readonly effect: Effect;
  readonly needs: readonly N[];
  readonly args: A;
  readonly operands?: Argument<readonly string[]>;
  readonly output?: Shape;
  readonly fields?: "results" | "object";
  readonly columns?: readonly string[];
  readonly ungated?: boolean;
  readonly serves?: boolean;
  /** For a command without dry run that changes what a person answers for. */
  readonly needsConfirmation?: boolean;
  /** What agents get of it over MCP. */
  readonly agent?: Command["agent"];
  readonly examples: readonly Example[];
  readonly relays?: Command["relays"];
  readonly reference?: Command["reference"];
  /** Codes of its own, beyond those that follow from what it needs, takes and changes. */
  readonly fails?: readonly ErrorCode[];
  run(capabilities: Pick<Capabilities, N>, args: Values<A> & Operands): unknown;
  /** What `--dryRun` does instead; obligatory for every command that writes or signs. */
  readonly dryRun?: {
    readonly needs: readonly R[];
    readonly output: Shape;
    run(capabilities: Pick<Capabilities, R>, args: Values<A> & Operands): unknown;
  };
}

interface Operands {
  readonly operands?: readonly string[];
}

const DRY_RUN = flag(
  "Check what can be checked from here and show what would be sent; nothing is sent that changes anything, nothing is signed.",
);

const FIELDS: Argument<readonly (readonly string[])[] | undefined> = {
  kind: "text",
  description: "Print only these fields, e.g. id,name,balance.total.",
  placeholder: "<a,b.c>",
  required: false,
  many: false,
  limits: {},
  fallback: undefined,
  parse: parseFields,
};

const OUTPUT = withDefault(
  oneOf("Form of the list; the others are text with a line for each row.", [
    ...["json", "ndjson", "csv", "table"],
  ]),
  "json",
);

/** Names the columns of the forms that have some. */
function columnsNote(columns: readonly string[]): string {
  const names = columns.map((column) => column.replace(/\|.*/, ""));
  const isCounted = names.some((name) => /balance|amount|fees/.test(name));
  return [
    `Columns of --output csv and table without --fields: ${names.join(", ")}.`,
    ...(isCounted ? ["Amounts without a unit are in base units, the asset's smallest unit."] : []),
  ].join(" ");
}

/**
 * Makes a command. A write or sign command without a dry run, or a dry run of any other, is a
 * mistake of its author.
 */
export function command<const N extends Need, A extends ArgumentMap, const R extends Need = never>(
  spec: Spec<N, A, R>,
): Command {
  const hasEffect = changes(spec.effect);
  if (hasEffect !== (spec.dryRun !== undefined))
    throw new Error(`--dryRun belongs to write and sign commands: ${spec.summary}`);
  const args = {
    ...spec.args,
    ...(spec.fields === undefined ? {} : { fields: FIELDS }),
    ...(spec.columns === undefined ? {} : { output: OUTPUT }),
    ...(hasEffect ? { dryRun: DRY_RUN } : {}),
  };
  return {
    kind: "command",
    summary: spec.summary,
    notes: [
      ...(spec.notes ?? []),
      ...(spec.columns === undefined ? [] : [columnsNote(spec.columns)]),
    ],
    effect: spec.effect,
    needs: spec.needs,
    args,
    operands: spec.operands,
    fails: spec.fails ?? [],
    output: spec.output,
    fields: spec.fields,
    columns: spec.columns,
    ungated: spec.ungated ?? false,
    serves: spec.serves ?? false,
    needsConfirmation: spec.needsConfirmation ?? hasEffect,
    agent: spec.agent,
    examples: spec.examples,
    relays: spec.relays,
    reference: spec.reference,
    dryRun: spec.dryRun as Command["dryRun"],
    run: spec.run as Command["run"],
  };
}
