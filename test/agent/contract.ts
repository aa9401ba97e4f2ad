/**
 * What `schema` promises of every answer, held against answers: their form, and the codes that a
 * command may fail with.
 */
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";
import { type Command, walk } from "../../src/cli/command.ts";
import { parse } from "../../src/cli/parse.ts";
import { type Outcome, SOURCE } from "../support/forms.ts";
import { commands } from "../support/registry.ts";

interface Promised {
  readonly result: ValidateFunction | undefined;
  readonly dryRun: ValidateFunction | undefined;
  readonly codes: ReadonlySet<string>;
}

interface Described {
  readonly result: object | null;
  readonly dryRunResult?: object;
  readonly errors: Readonly<Record<string, readonly string[]>>;
  readonly commonErrors: readonly string[];
}

interface Errors {
  readonly document: object;
  readonly common: Readonly<Record<string, readonly string[]>>;
}

async function ask(...words: string[]): Promise<unknown> {
  const { stdout } = await SOURCE.run({
    argv: ["schema", ...words],
    env: { HOME: "/nonexistent" },
    stdin: undefined,
    cwd: ".",
  });
  return JSON.parse(stdout) as unknown;
}

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });

/**
 * How the program describes each command, compiled; strict, so that a schema that says nothing is
 * noticed.
 */
async function promises({ common }: Errors): Promise<Map<Command, Promised>> {
  const made = new Map<Command, Promised>();
  for (const [words, command] of walk(commands)) {
    const { result, dryRunResult, errors, commonErrors } = (await ask(...words)) as Described;
    made.set(command, {
      result: result === null ? undefined : ajv.compile(result),
      dryRun: dryRunResult === undefined ? undefined : ajv.compile(dryRunResult),
      codes: new Set([
        ...Object.values(errors).flat(),
        ...commonErrors.flatMap((name) => common[name] ?? []),
      ]),
    });
  }
  return made;
}

const ERRORS = (await ask("errors")) as Errors;
const PROMISED = await promises(ERRORS);
const FAILURE = ajv.compile(ERRORS.document);

/** Answers that were compared with a schema so far. */
export const tally = { results: 0, failures: 0 };

/**
 * What an answer breaks of what `schema` says, or nothing. Help, version and usage errors above a
 * command are not answers of one.
 */
export function breaches(argv: readonly string[], { exit, stdout }: Outcome): string[] {
  const target = targetOf(argv);
  if (target === undefined) return [];
  const promised = PROMISED.get(target);
  if (promised === undefined) return ["The command is not described."];
  if (exit === 0) return resultBreaches(promised, argv, stdout);
  const document = JSON.parse(stdout) as { error: { code: string; exitCode: number } };
  tally.failures += 1;
  return [
    ...(FAILURE(document) || "results" in document ? [] : [ajv.errorsText(FAILURE.errors)]),
    ...(document.error.exitCode === exit
      ? []
      : [`exitCode ${document.error.exitCode}, exit ${exit}`]),
    ...(promised.codes.has(document.error.code)
      ? []
      : [`${document.error.code} is not among the codes of the command.`]),
  ];
}

function resultBreaches(promised: Promised, argv: readonly string[], stdout: string): string[] {
  const isProjected = argv.some((word) => word.startsWith("--fields"));
  const isDry = argv.includes("--dryRun") || argv.includes("--dry-run");
  const validate = isDry ? promised.dryRun : promised.result;
  if (validate === undefined)
    return promised.result === undefined && stdout !== ""
      ? []
      : ["There is an answer, and no schema of it."];
  if (isProjected) return [];
  // Lists as text for people and spreadsheets.
  if (["ndjson", "csv", "table"].includes(argv[argv.indexOf("--output") + 1] ?? "")) return [];
  tally.results += 1;
  // Only `skill install` without a target may print text.
  if (!stdout.startsWith("{") && !stdout.startsWith("["))
    return argv[0] === "skill" ? [] : ["The answer is not a document."];
  return validate(JSON.parse(stdout)) ? [] : [ajv.errorsText(validate.errors)];
}

function targetOf(argv: readonly string[]): Command | undefined {
  try {
    const { target, asks } = parse(argv, commands);
    return target.kind === "command" && asks === "run" ? target : undefined;
  } catch {
    return undefined;
  }
}
