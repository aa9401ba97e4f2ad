/**
 * One run: argv → exit code. Parses, has the command invoked, emits its result or the one failure
 * document (specification §1). Commands return data; nothing else prints.
 */
import type { InputReader } from "../cli/argument.ts";
import type { Command, Group } from "../cli/command.ts";
import { changes } from "../cli/effect.ts";
import type { Projection } from "../cli/fields.ts";
import { type Invocation, interpret, interpretGlobals, parse } from "../cli/parse.ts";
import { openRegistry } from "../commands/registry.ts";
import type { Deed } from "../core/acts.ts";
import { deedText } from "../core/deeds.ts";
import { CliError, ERRORS } from "../errors.ts";
import { outputError } from "../io/descriptor.ts";
import { expectLongWork } from "../io/effort.ts";
import { Log } from "../io/log.ts";
import { Redactor } from "../io/redact.ts";
import type { RowForm } from "../io/rows.ts";
import { Output } from "../io/stdout.ts";
import { Dialogue, List, Serving, TextParts } from "../result.ts";
import { PROGRAM, VERSION } from "../version.ts";
import type { Context } from "../world.ts";
import { FACTS } from "./capabilities.ts";
import { failureDocument, print, projectionOf, toCliError } from "./document.ts";
import { invoke, openConfig, openRun } from "./invoke.ts";

/**
 * Runs one command line; never throws and never exits. 129, 130 and 143 are left to main.ts, which
 * knows the signal.
 */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  const redactor = new Redactor();
  const loose = (name: string): boolean => argv.includes(`--${name}`);
  // The stdout of `mcp` is for frames alone: a start that is refused is reported on stderr.
  const isDialogue = argv.find((word) => !/^(-|\d)/.test(word)) === "mcp" && !asksForText(argv);
  const sink = isDialogue ? context.stderr : context.stdout;
  const output = new Output(sink, redactor, loose("pretty"));
  const log = new Log({
    sink: context.stderr,
    redactor,
    debug: loose("debug"),
    timestamps: loose("timestamps"),
    clock: context.now,
    isTerminal: () => context.stderrIsTerminal,
  });
  const parts = { redactor, output, log, deeds: [] };
  try {
    return await execute(argv, context, parts);
  } catch (cause) {
    return await fail(cause, context, parts);
  } finally {
    // A signal may end the process right after this.
    await log.clear();
    await log.flush();
  }
}

function asksForText(argv: readonly string[]): boolean {
  return argv.some((word) => ["--help", "-h", "--version", "-v"].includes(word));
}

interface Parts {
  readonly redactor: Redactor;
  readonly output: Output;
  readonly log: Log;
  /** The writes that were carried out. */
  readonly deeds: Deed[];
}

async function execute(argv: readonly string[], context: Context, parts: Parts): Promise<number> {
  const lost = context.early?.lost;
  if (lost !== undefined) throw lost instanceof CliError ? lost : outputError(lost);
  if (argv[0] === "__complete") {
    const { completionText } = await import("../cli/complete.ts");
    return text(parts.output, await completionText(argv.slice(1), openRegistry));
  }
  // Before anything of the command line can be quoted back.
  const config = openConfig(context, parts.redactor);
  const invocation = parse(argv, await openRegistry(argv[0], argv[1]));
  const { target, words } = invocation;
  if (invocation.asks === "version") return text(parts.output, `${VERSION}\n`);
  if (invocation.asks === "help" || argv.length === 0) {
    const { renderHelp } = await import("../cli/tree.ts");
    return text(parts.output, await renderHelp(target, PROGRAM, words, FACTS));
  }
  if (target.kind === "group") throw missingCommand(target, words);
  const spentMs = context.early?.spentMs ?? 0;
  const timeoutMs = interpretGlobals(invocation).timeout * 1000 - spentMs;
  const run = openRun({ ...parts, context, config, name: words.join(" "), registry: openRegistry });
  const printing: Printing = { form: "json", projection: undefined };
  const values = async (input: InputReader) => {
    const read = await interpret(invocation, target, input);
    printing.projection = projectionOf(target, read);
    if (target.columns !== undefined) printing.form = formOf(read.output, invocation);
    if (changes(target.effect)) {
      // Whatever becomes of the answer, stderr gets what was done.
      context.stdout.heed?.();
      // Check that stdout is open before anything changes (OUT-7).
      await context.stdout.write("");
    }
    return read;
  };
  try {
    const isDryRun = invocation.raw.has("dryRun");
    const result = await invoke({ command: target, isDryRun, timeoutMs, values }, run);
    return await deliver(result, target, printing, context, parts);
  } finally {
    run.deadline.clear();
  }
}

/** What of the values concerns printing. */
interface Printing {
  form: "json" | RowForm;
  projection: Projection | undefined;
}

/** Throws INVALID_ARGUMENT when `--pretty` is given for a form that it does not change. */
function formOf(value: unknown, { raw }: Invocation): Printing["form"] {
  const form = value as Printing["form"];
  if (form === "json" || !raw.has("pretty")) return form;
  throw new CliError("INVALID_ARGUMENT", {
    message: `--pretty indents JSON; --output ${form} has one line for each row.`,
    field: "--pretty",
  });
}

function missingCommand(group: Group, words: readonly string[]): CliError {
  const names = [...group.members.keys()];
  return new CliError("MISSING_COMMAND", {
    message:
      words.length === 0
        ? "No command is named."
        : `'${words.join(" ")}' is a group; it needs a command.`,
    details: { commands: names },
    hint: `One of: ${names.join(", ")}.`,
  });
}

async function text(output: Output, content: string): Promise<number> {
  await output.emitText(content);
  return 0;
}

async function deliver(
  result: unknown,
  command: Command,
  { form, projection }: Printing,
  context: Context,
  parts: Parts,
): Promise<number> {
  // These do more while they print.
  if ([Dialogue, Serving, List, TextParts].some((kind) => result instanceof kind))
    context.stdout.heed?.();
  if (result instanceof Dialogue) {
    expectLongWork();
    await result.hold(context.stdout);
    return 0;
  }
  await parts.log.clear();
  if (result instanceof Serving) {
    if (result.isService) context.endAsService?.();
    expectLongWork();
    await announce(result, context, parts.output);
    await result.ended;
    return 0;
  }
  const shown = result instanceof List ? await watched(result, context, parts) : result;
  if (result instanceof TextParts) {
    const outcome = await parts.output.emitParts(result.parts);
    return "cause" in outcome ? failLate(outcome.cause, context, parts) : 0;
  }
  if (form !== "json") {
    const { printRows } = await import("./rows.ts");
    const asked = { form, projection, columns: command.columns ?? [] };
    const failure = await printRows(shown, asked, parts);
    return failure === undefined ? 0 : failLate(failure.cause, context, parts);
  }
  const failure = await print(shown, command.fields, projection, parts.output);
  if (failure === undefined) return 0;
  // The sender of a signal knows why the list ended.
  if (!context.interrupt.aborted) reportToPerson(failure, context, parts.log);
  return failure.exit;
}

/**
 * Prints where it serves. Its end does not wait for a reader. Throws OUTPUT_ERROR, and ends the
 * program, when the place cannot be told.
 */
async function announce(
  { document, ended }: Serving,
  { interrupt, endAtOnce }: Context,
  output: Output,
): Promise<void> {
  const printed = output.emitMadeUp(document).then(
    () => undefined,
    (cause: unknown) => ({ cause }),
  );
  const lost = await Promise.race([printed, ended.then(() => undefined)]);
  if (lost === undefined || interrupt.aborted) return;
  endAtOnce?.();
  throw lost.cause;
}

/** A list whose progress a person sees; where stdout is a terminal, the rows themselves show it. */
async function watched(list: List, context: Context, { log }: Parts): Promise<List> {
  if (context.stdoutIsTerminal || !context.stderrIsTerminal) return list;
  const { counting, startMeter } = await import("../io/progress.ts");
  return new List(counting(list, startMeter({ log, now: context.now }, "rows")));
}

/**
 * What failed behind rows that were printed as text: stderr gets the document (specification §1).
 */
function failLate(cause: unknown, context: Context, { log }: Parts): number {
  const error = toCliError(cause);
  logTrace(error, log);
  if (!context.interrupt.aborted) log.document({ error: failureDocument(error) });
  return error.exit;
}

async function fail(cause: unknown, context: Context, parts: Parts): Promise<number> {
  const { output, log, deeds } = parts;
  await log.clear();
  const error = toCliError(cause);
  logTrace(error, log);
  // Whatever failed after a write: what was done is said.
  const isTold = reportDeeds(deeds, log);
  if (context.interrupt.aborted) {
    reportDoubt(error, log);
    return error.exit;
  }
  if (!isTold) reportToPerson(error, context, log);
  if (error.code === "OUTPUT_ERROR") return error.exit;
  try {
    await output.emit({ error: failureDocument(error) });
  } catch {
    reportDoubt(error, log);
    return ERRORS.OUTPUT_ERROR.exit;
  }
  return error.exit;
}

/** A write whose outcome is not known is said where stdout cannot say it, with what to do. */
function reportDoubt({ code, message, hint }: CliError, log: Log): void {
  if (code === "OUTCOME_UNKNOWN") log.failure(code, `${message} ${hint}`);
}

/**
 * One line for each write whose answer was not printed (specification §1). True when there was one.
 */
function reportDeeds(deeds: readonly Deed[], log: Log): boolean {
  for (const deed of deeds) {
    log.failure(
      "OUTPUT_ERROR",
      `${deedText(deed)}, but the result could not be printed. Do not repeat the command.`,
    );
  }
  return deeds.length > 0;
}

/**
 * specification §1: when stdout is not a terminal and stderr is, a failure also says one line to
 * the person there.
 */
function reportToPerson(error: CliError, context: Context, log: Log): void {
  if (!context.stdoutIsTerminal && context.stderrIsTerminal) log.failure(error.code, error.message);
}

function logTrace(error: CliError, log: Log): void {
  for (
    let at: unknown = error, depth = 0;
    at instanceof Error && depth < 5;
    at = at.cause, depth += 1
  ) {
    log.debug("failed", { trace: at.stack ?? at.message });
  }
}
