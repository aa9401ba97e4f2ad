/**
 * One tool call: the command that it names, run like a command line of its own. The text of its
 * result is what that command prints.
 */
import { failureDocument, print, projectionOf, toCliError } from "../app/document.ts";
import { invoke, openConfig, openRun } from "../app/invoke.ts";
import type { Oversight } from "../app/occasion.ts";
import type { InputReader } from "../cli/argument.ts";
import type { Group } from "../cli/command.ts";
import { changes } from "../cli/effect.ts";
import type { Projection } from "../cli/fields.ts";
import { DEFAULT_TIMEOUT_SECONDS } from "../cli/globals.ts";
import { interpret } from "../cli/parse.ts";
import type { Deed } from "../core/acts.ts";
import { deedText } from "../core/deeds.ts";
import { CliError } from "../errors.ts";
import { Exact, encode, member } from "../io/json.ts";
import { Log } from "../io/log.ts";
import { Redactor } from "../io/redact.ts";
import { Output, type Sink } from "../io/stdout.ts";
import type { Context } from "../world.ts";
import type { Order } from "./tools.ts";

/** Bytes of the largest result: what common clients show without cutting it. */
export const RESULT_MAX_BYTES = 40_000;
/** Bytes of the largest failure. */
export const FAILURE_MAX_BYTES = 10_000;

const TIMEOUT_MS = DEFAULT_TIMEOUT_SECONDS * 1000;

/** What a call needs of the server around it. */
export interface Surroundings extends Oversight {
  readonly context: Context;
  readonly debug: boolean;
  /** Ends the call, as far as nothing was sent. */
  readonly stop: AbortSignal;
  registry(): Promise<Group>;
  /** Told before each request that the call sends. Throws RATE_LIMITED before the first. */
  reaching(): void;
  /** Throws RATE_LIMITED where the command may not run now. */
  starting(order: Order): void;
  /** Gets what a person beside the machine must do, such as a look at a device. */
  tell(text: string): void;
  /** Gets lines for stderr. */
  readonly stderr: Sink;
}

/** What a call came to. */
export interface Answer {
  /** The document, without the newline. */
  readonly text: string;
  /** What the command line would have warned of on stderr. */
  readonly warnings: readonly string[];
  readonly isFailure: boolean;
  /** One line about each write that was carried out, for those who get no answer. */
  readonly outcome: string;
}

/** Runs the order that `read` returns or throws for. Never throws. */
export async function carryOut(read: () => Order, around: Surroundings): Promise<Answer> {
  const redactor = new Redactor();
  const deeds: Deed[] = [];
  const warnings: string[] = [];
  const log = new Log({
    sink: linesOf(around, warnings),
    redactor,
    debug: around.debug,
    timestamps: false,
    clock: around.context.now,
  });
  const answered = (text: string, failure: CliError | undefined): Answer => {
    return { text, warnings, isFailure: failure !== undefined, outcome: outcomeOf(deeds, failure) };
  };
  try {
    const order = read();
    const { text, failure } = await documentOf(order, { around, redactor, log, deeds });
    await log.flush();
    return answered(fitting(text, order), failure);
  } catch (cause) {
    const error = toCliError(cause);
    log.debug("failed", { trace: error.stack ?? error.message });
    await log.flush();
    return answered(await failureText(error, redactor), error);
  }
}

interface Parts {
  readonly around: Surroundings;
  readonly redactor: Redactor;
  readonly log: Log;
  readonly deeds: Deed[];
}

async function documentOf(
  { words, command, raw, operands }: Order,
  { around, redactor, log, deeds }: Parts,
): Promise<{ readonly text: string; readonly failure: CliError | undefined }> {
  const context = contextOf(around);
  const run = openRun({
    ...{ context, redactor, log, deeds, name: words.join(" "), registry: around.registry },
    config: openConfig(context, redactor),
    oversight: around,
  });
  let projection: Projection | undefined;
  const values = async () => {
    const asked = { words, target: command, asks: "run" as const, raw, operands };
    const read = await interpret(asked, command, NO_FILES);
    projection = projectionOf(command, read);
    around.starting({ words, command, raw, operands });
    return read;
  };
  try {
    const asked = { command, isDryRun: raw.has("dryRun"), timeoutMs: TIMEOUT_MS, values };
    const result = await invoke(asked, run);
    const isWrite = writes({ command, raw });
    const page = new Page(isWrite ? Number.POSITIVE_INFINITY : RESULT_MAX_BYTES);
    const output = new Output(page, redactor, false);
    const failure = await print(result, command.fields, projection, output);
    return { text: page.text, failure };
  } finally {
    run.deadline.clear();
  }
}

/** Neither a file nor standard input, which carries the protocol. */
const NO_FILES: InputReader = {
  mayQuote: () => false,
  file: () => Promise.reject(noFile()),
  stdin: () => Promise.reject(noFile()),
};

function noFile(): CliError {
  return new CliError("INVALID_ARGUMENT", {
    message: "A tool reads neither files nor standard input.",
    hint: "Give the value itself.",
  });
}

/** The process's world, with a network and an interrupt of this call's own. */
function contextOf({ context, stop, reaching }: Surroundings): Context {
  const { fetch } = context;
  const counting = async (...given: Parameters<typeof fetch>): Promise<Response> => {
    reaching();
    return fetch(...given);
  };
  return Object.create(context, {
    fetch: { value: Object.assign(counting as typeof fetch, { preconnect: fetch.preconnect }) },
    interrupt: { value: stop },
  }) as Context;
}

/** Keeps a document, up to a size. Throws RESULT_TOO_LARGE. */
class Page implements Sink {
  private readonly parts: string[] = [];
  private size = 0;

  constructor(private readonly most: number) {}

  async write(text: string): Promise<void> {
    this.size += Buffer.byteLength(text);
    if (this.size > this.most + 1) {
      throw new CliError("RESULT_TOO_LARGE", {
        message: `The result has more than ${this.most} bytes.`,
      });
    }
    this.parts.push(text);
  }

  get text(): string {
    return this.parts.join("").replace(/\n$/, "");
  }
}

/** False for a dry run, whose document can be refused like that of a read. */
function writes({ command, raw }: Pick<Order, "command" | "raw">): boolean {
  return changes(command.effect) && !raw.has("dryRun");
}

/** The members of a write's answer that are shown when all of them are too many. */
const BRIEF = ["id", "state", "status", "type", "key"];

/** What was written is never refused afterwards: a long answer shows what it is about. */
function fitting(text: string, order: Order): string {
  if (!writes(order) || Buffer.byteLength(text) <= RESULT_MAX_BYTES) return text;
  const document = new Exact(text);
  const kept = BRIEF.map((name) => [name, member(document, name)] as const).filter(
    ([, value]) => value !== undefined && value.text.length < 1000,
  );
  return encode(Object.fromEntries(kept));
}

async function failureText(error: CliError, redactor: Redactor): Promise<string> {
  const whole = failureDocument(error);
  const { details: _, api: __, ...short } = whole;
  for (const shown of [whole, short]) {
    const page = new Page(Number.POSITIVE_INFINITY);
    await new Output(page, redactor, false).emit({ error: shown });
    if (Buffer.byteLength(page.text) <= FAILURE_MAX_BYTES || shown === short) return page.text;
  }
  throw new Error("a failure without a text");
}

/** Warnings go to the caller, everything else to the person. */
function linesOf({ stderr, tell }: Surroundings, warnings: string[]): Sink {
  return {
    async write(line) {
      const text = line.trimEnd();
      if (text.startsWith("warning: ")) warnings.push(text);
      else if (!text.startsWith("[debug]")) tell(text);
      void stderr.write(line);
    },
  };
}

function outcomeOf(deeds: readonly Deed[], failure: CliError | undefined): string {
  const said = deeds.map((deed) => `${deedText(deed)}.`);
  if (said.length > 0) return said.join(" ");
  const next = failure?.code === "OUTCOME_UNKNOWN" ? ` ${failure.hint}` : "";
  return `It ended with ${failure?.code ?? "OK"}.${next}`;
}
