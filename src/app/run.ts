/**
 * One run: argv → exit code. Parse, refuse what may not run, prepare what the command needs, run
 * it, emit its result or the one failure document (SPEC §1). Commands return data; nothing else
 * prints.
 */
import type { Command, Group } from "../cli/command.ts";
import { declaredFields, Projection } from "../cli/fields.ts";
import { interpret, interpretGlobals, parse } from "../cli/parse.ts";
import { openRegistry } from "../commands/registry.ts";
import type { Deed } from "../core/acts.ts";
import { CliError, ERRORS } from "../errors.ts";
import { Exact, encode } from "../io/json.ts";
import { Log } from "../io/log.ts";
import { Redactor } from "../io/redact.ts";
import { Output } from "../io/stdout.ts";
import { List, Serving, Text } from "../result.ts";
import { PROGRAM, VERSION } from "../version.ts";
import type { Context } from "../world.ts";
import { createConfig, createInputReader, createProviders, passGate } from "./capabilities.ts";

/** What a command with a time of its own may still ask when that is over. */
const LAST_LOOK_MS = 5_000;

/**
 * Runs one command line; never throws and never exits. 130 or 143 are left to main.ts, which knows
 * the signal.
 */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  const redactor = new Redactor();
  const loose = (name: string): boolean => argv.includes(`--${name}`);
  const output = new Output(context.stdout, redactor, loose("pretty"));
  const log = new Log({
    sink: context.stderr,
    redactor,
    debug: loose("debug"),
    timestamps: loose("timestamps"),
    clock: context.now,
  });
  const parts = { redactor, output, log, deeds: [] };
  try {
    return await execute(argv, context, parts);
  } catch (cause) {
    return await fail(cause, context, parts);
  } finally {
    // A signal may end the process right after this.
    await log.flush();
  }
}

interface Parts {
  readonly redactor: Redactor;
  readonly output: Output;
  readonly log: Log;
  /** The writes that were carried out. */
  readonly deeds: Deed[];
}

async function execute(argv: readonly string[], context: Context, parts: Parts): Promise<number> {
  const config = createConfig(context, parts.redactor);
  const invocation = parse(argv, await openRegistry(argv[0]));
  const { target, words } = invocation;
  if (invocation.asks === "version") return text(parts.output, `${VERSION}\n`);
  if (invocation.asks === "help" || argv.length === 0) {
    const { renderHelp } = await import("../cli/tree.ts");
    return text(parts.output, await renderHelp(target, PROGRAM, words));
  }
  if (target.kind === "group") throw missingCommand(target, words);
  if (config.isInsideHelper) {
    throw new CliError("NOT_SUPPORTED", {
      message: "A signer or secret command of this program started this program.",
      hint: "Name a program in LEDGER_ENTERPRISE_SIGNER and the _COMMAND variables that does not start this one.",
    });
  }
  const globals = interpretGlobals(invocation);
  if (config.readOnly && (target.effect === "write" || target.effect === "sign")) {
    throw new CliError("READ_ONLY", {
      message: `'${words.join(" ")}' would ${target.effect}, which is switched off.`,
    });
  }
  const ownTime = Object.hasOwn(target.args, "timeout") || target.effect === "local";
  const deadline = new Deadline(ownTime ? undefined : globals.timeout * 1000, context.interrupt);
  // A command with a time of its own waits for standard input no longer than any other.
  const reading = ownTime ? new Deadline(globals.timeout * 1000, context.interrupt) : deadline;
  try {
    const input = createInputReader(context, config, parts.redactor, reading.signal);
    const values = await interpret(invocation, target, input);
    if (typeof values.timeout === "number") deadline.limitTo(values.timeout * 1000 + LAST_LOOK_MS);
    if (!target.ungated) await passGate(context, config, { ...parts, stop: deadline.signal });
    const providers = createProviders(context, config, {
      ...parts,
      command: words.join(" "),
      registry: openRegistry,
      stop: deadline.signal,
      patiently: (work) => deadline.pausedDuring(work),
    });
    const acting = values.dryRun === true && target.dryRun !== undefined ? target.dryRun : target;
    const capabilities: Record<string, unknown> = {};
    for (const need of acting.needs)
      capabilities[need] = await providers[need as keyof typeof providers]();
    const projection = projectionOf(target, values.fields);
    // An answer that nobody can read must not be caused: a closed stdout is found before anything
    // changes (OUT-7).
    if (target.effect === "write" || target.effect === "sign") await context.stdout.write("");
    const result = await acting.run(capabilities as never, values as never);
    return await deliver(
      result,
      target,
      acting === target ? projection : undefined,
      context,
      parts,
    );
  } finally {
    deadline.clear();
    reading.clear();
  }
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
  projection: Projection | undefined,
  context: Context,
  parts: Parts,
): Promise<number> {
  if (result instanceof Serving) {
    await parts.output.emitMadeUp(result.document);
    await result.ended;
    return 0;
  }
  if (result instanceof List) {
    const items = projection === undefined ? result.items : projected(result.items, projection);
    const failure = await parts.output.emitList({ items }, (cause) =>
      failureDocument(toCliError(cause)),
    );
    if (failure === undefined) return 0;
    reportToPerson(toCliError(failure.cause), context, parts.log);
    return toCliError(failure.cause).exit;
  }
  if (result instanceof Text) return text(parts.output, result.content);
  await parts.output.emit(
    projection === undefined ? result : projectWhole(result, projection, command.fields),
  );
  return 0;
}

function projectionOf(command: Command, fields: unknown): Projection | undefined {
  if (fields === undefined || command.fields === undefined) return undefined;
  const projection = new Projection(
    fields as string[][],
    declaredFields(command.output?.(), command.fields),
  );
  if (command.effect !== "read") projection.requireDeclared();
  return projection;
}

function projectWhole(result: unknown, projection: Projection, target: Command["fields"]): unknown {
  const document = new Exact(encode(result));
  return target === "results" ? projection.results(document) : projection.items([document])[0];
}

async function* projected(items: List["items"], projection: Projection): List["items"] {
  for (;;) {
    const batch = await items.next();
    if (batch.done === true) return batch.value;
    yield projection.items(batch.value);
  }
}

/** The end of the command's time and the user's interrupt, as one signal. */
class Deadline {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private pauses = 0;
  readonly signal: AbortSignal;

  constructor(
    private leftMs: number | undefined,
    interrupt: AbortSignal,
  ) {
    this.signal = AbortSignal.any([this.controller.signal, interrupt]);
    this.start();
  }

  /** Sets the end of a time that had none. */
  limitTo(ms: number): void {
    this.leftMs = ms;
    this.start();
  }

  /** Runs what has a time of its own, such as waiting for a person. */
  async pausedDuring<T>(work: () => Promise<T>): Promise<T> {
    if (this.pauses === 0) this.clear();
    this.pauses += 1;
    try {
      return await work();
    } finally {
      this.pauses -= 1;
      if (this.pauses === 0) this.start();
    }
  }

  clear(): void {
    clearTimeout(this.timer);
    if (this.leftMs !== undefined) this.leftMs -= performance.now() - this.startedAt;
  }

  private start(): void {
    if (this.leftMs === undefined) return;
    this.startedAt = performance.now();
    this.timer = setTimeout(() => this.controller.abort(), Math.max(0, this.leftMs));
  }
}

/** Anything but a CliError is a defect of ours (SEC-4). */
function toCliError(cause: unknown): CliError {
  if (cause instanceof CliError) return cause;
  return new CliError("INTERNAL", { message: "The program failed in an unforeseen way.", cause });
}

async function fail(cause: unknown, context: Context, parts: Parts): Promise<number> {
  const { output, log, deeds } = parts;
  const error = toCliError(cause);
  logTrace(error, log);
  if (context.interrupt.aborted) {
    if (error.code === "OUTCOME_UNKNOWN") log.failure(error.code, error.message);
    reportDeeds(deeds, log);
    return error.exit;
  }
  if (error.code === "OUTPUT_ERROR") {
    if (!reportDeeds(deeds, log)) reportToPerson(error, context, log);
    return error.exit;
  }
  reportToPerson(error, context, log);
  try {
    await output.emit({ error: failureDocument(error) });
  } catch {
    if (error.code === "OUTCOME_UNKNOWN") log.failure(error.code, error.message);
    reportDeeds(deeds, log);
    return ERRORS.OUTPUT_ERROR.exit;
  }
  return error.exit;
}

const DONE = {
  create: "was created",
  approve: "was approved",
  reject: "was rejected",
  deviceApprove: "was approved with the device",
} satisfies Record<Deed["kind"], string>;

/** One line for each write whose answer nobody sees (SPEC §1). True when there was one. */
function reportDeeds(deeds: readonly Deed[], log: Log): boolean {
  for (const { kind, requestId, key } of deeds) {
    const named = requestId === undefined ? "A request without an id" : `Request ${requestId}`;
    const kept = key === undefined ? "" : ` (key ${key})`;
    log.failure(
      "OUTPUT_ERROR",
      `${named} ${DONE[kind]}${kept}, but the result could not be printed. Do not repeat the command.`,
    );
  }
  return deeds.length > 0;
}

/**
 * SPEC §1: when stdout is not a terminal and stderr is, a failure also says one line to the person
 * there.
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

/** The failure document of SPEC §1. */
function failureDocument(error: CliError): Record<string, unknown> {
  const {
    message,
    hint,
    field,
    details,
    httpStatus,
    retryAfterSeconds,
    requestId,
    api,
    retryable,
  } = error.facts;
  const entry = ERRORS[error.code];
  return {
    code: error.code,
    message,
    exitCode: entry.exit,
    retryable: retryable ?? entry.retryable,
    hint: hint ?? entry.hint,
    httpStatus,
    retryAfterSeconds,
    requestId,
    field,
    details,
    api,
  };
}
