/**
 * `schema`: the program described for a machine, from the same values that run it (specification
 * §8).
 */
import * as v from "valibot";
import { many, text } from "../cli/argument.ts";
import { type Command, type Group, walk } from "../cli/command.ts";
import { type Facts, factsOf, manifest } from "../cli/manifest.ts";
import { find } from "../cli/parse.ts";
import { ERRORS, type ErrorCode, EXIT_CODES } from "../errors.ts";
import { PROGRAM, VERSION } from "../version.ts";
import { command } from "./parts/command.ts";

type Convert = (schema: v.GenericSchema) => Promise<object>;

const Entry = v.looseObject({ name: v.string(), summary: v.string(), effect: v.string() });
const Option = v.looseObject({
  name: v.string(),
  type: v.string(),
  description: v.string(),
  required: v.boolean(),
});

const Index = v.looseObject({
  program: v.string(),
  version: v.string(),
  commands: v.array(Entry),
  globalOptions: v.array(Option),
  exitCodes: v.record(v.string(), v.string()),
});

const Description = v.looseObject({
  ...Entry.entries,
  needsConfirmation: v.boolean(),
  needs: v.array(v.string()),
  options: v.array(Option),
  notes: v.array(v.string()),
  result: v.nullable(v.looseObject({})),
  dryRunResult: v.optional(v.looseObject({})),
  errors: v.record(v.string(), v.array(v.string())),
  commonErrors: v.array(v.string()),
  examples: v.array(v.looseObject({ line: v.string(), means: v.string() })),
  reference: v.optional(v.looseObject({})),
});

const Failures = v.looseObject({
  document: v.looseObject({}),
  exitCodes: v.record(v.string(), v.string()),
  errors: v.record(
    v.string(),
    v.looseObject({ exitCode: v.number(), retryable: v.boolean(), hint: v.string() }),
  ),
  common: v.record(v.string(), v.array(v.string())),
});

/** The document of every failure (specification §1). */
const FAILURE = v.looseObject({
  error: v.looseObject({
    code: v.string(),
    message: v.string(),
    exitCode: v.number(),
    retryable: v.boolean(),
    hint: v.string(),
    httpStatus: v.optional(v.number()),
    retryAfterSeconds: v.optional(v.number()),
    requestId: v.optional(v.string()),
    field: v.optional(v.string()),
    details: v.optional(v.unknown()),
    api: v.optional(v.unknown()),
  }),
});

function entriesOf(group: Group, words: readonly string[]): object[] {
  return [...walk(group, words)].map(([path, { summary, effect }]) => ({
    name: path.join(" "),
    summary,
    effect,
  }));
}

function indexOf(root: Group, facts: Facts): object {
  const { globalOptions } = manifest(root, facts);
  return {
    program: PROGRAM,
    version: VERSION,
    commands: entriesOf(root, []),
    globalOptions,
    exitCodes: EXIT_CODES,
  };
}

async function describe(
  words: readonly string[],
  target: Command,
  facts: Facts,
  convert: Convert,
): Promise<object> {
  const {
    fails,
    common,
    dryRun: _,
    examples,
    notes,
    ...described
  } = factsOf(words.join(" "), target, facts);
  const { output, dryRun, reference } = target;
  return {
    ...described,
    notes,
    result: output === undefined ? null : await convert(output()),
    ...(dryRun === undefined ? {} : { dryRunResult: await convert(dryRun.output()) }),
    errors: byExit(fails),
    commonErrors: common,
    examples,
    ...(reference === undefined ? {} : { reference }),
  };
}

/** Codes under their exit codes, both ascending. */
function byExit(codes: readonly ErrorCode[]): Record<string, string[]> {
  const exits = [...new Set(codes.map((code) => ERRORS[code].exit))].sort();
  return Object.fromEntries(
    exits.map((exit) => [exit, codes.filter((code) => ERRORS[code].exit === exit)]),
  );
}

async function failures({ errors: common }: Facts, convert: Convert): Promise<object> {
  const rows = Object.entries(ERRORS).map(([code, { exit, retryable, hint }]) => {
    return [code, { exitCode: exit, retryable, hint }] as const;
  });
  const document = await convert(FAILURE);
  return { document, exitCodes: EXIT_CODES, errors: Object.fromEntries(rows), common };
}

export const schema = command({
  summary: "Describe the program, one command, requests, or all errors as JSON.",
  notes: [
    "Without words: an index of all commands. With a group: its commands. 'schema errors': every error code with its remedy.",
    "'schema requestData': every type of request; with a type, and for CREATE_TRANSACTION a transaction type, the JSON Schema of its data and an example for each API version.",
    "`result` is the JSON Schema of the success document; null means that the command prints text.",
    "`errors` lists, by exit code, the codes that are particular to the command; `commonErrors` names the groups under `common` of 'schema errors' that it can answer, too.",
  ],
  effect: "local",
  needs: ["registry", "facts", "toJsonSchema", "catalogue"],
  args: {},
  operands: many(
    text("Words of a command or group, 'errors', or 'requestData'.", "<command…>", 64),
  ),
  output: () =>
    v.union([
      Index,
      Description,
      Failures,
      v.looseObject({ commands: v.array(Entry) }),
      v.looseObject({}),
    ]),
  fails: ["UNKNOWN_COMMAND"],
  ungated: true,
  examples: [
    { line: "schema", means: "Every command in one line each" },
    { line: "schema requests create", means: "Options, result and errors of one command" },
    {
      line: "schema requestData CREATE_TRANSACTION BITCOIN_LIKE_SEND",
      means: "Members and an example of a bitcoin payment",
    },
    { line: "schema errors", means: "Every error code, its exit code and what to do" },
  ],
  run: async ({ registry, facts, toJsonSchema, catalogue }, { operands: words = [] }) => {
    if (words.length === 0) return indexOf(registry, facts);
    if (words[0] === "requestData") return catalogue.describe(words.slice(1));
    if (words.length === 1 && words[0] === "errors") return failures(facts, toJsonSchema);
    const found = find(registry, words);
    if (found.target.kind === "group") return { commands: entriesOf(found.target, found.words) };
    return describe(found.words, found.target, facts, toJsonSchema);
  },
});
