/**
 * The log: lines on stderr, for people (specification §1). Never needed to understand the outcome,
 * and so never a reason to fail (L06). Callers log what a whitelist allows (SEC-2); the redactor
 * and the visible form of unsafe characters are the second line.
 */
import type { ConsolaInstance } from "consola/basic";
import { encode, escapeUnsafe } from "./json.ts";
import type { Redactor } from "./redact.ts";
import type { Sink } from "./stdout.ts";
import { visible } from "./unsafe.ts";

/** Where lines go, and which of them are wanted. */
export interface LogOptions {
  readonly sink: Sink;
  readonly redactor: Redactor;
  readonly debug: boolean;
  /** An ISO time before each line. */
  readonly timestamps: boolean;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Whether the sink is a terminal; asked only for progress. Absent: it is not. */
  readonly isTerminal?: () => boolean;
}

/** Back to the start of the line, which becomes empty. */
const ERASE = "\r\u001b[2K";
/** A line that the terminal breaks would not be erased whole. */
const PROGRESS_WIDTH = 72;

/** One run's lines for people. A line that cannot be written is lost without a failure (L06). */
export class Log {
  /** Lines are written one after the other, in the order of the calls. */
  private tail: Promise<void> = Promise.resolve();
  private console: ConsolaInstance | undefined;
  private printed = "";
  /** Whether progress is on the screen. */
  private isShown = false;

  constructor(private readonly options: LogOptions) {}

  /** Whether what happens inside is wanted. */
  get isDebug(): boolean {
    return this.options.debug;
  }

  /** What happens inside, with `--debug` only: `[debug] message name=value …`. */
  debug(message: string, fields: Readonly<Record<string, string | number | boolean>> = {}): void {
    if (!this.options.debug) return;
    const parts = [
      message,
      ...Object.entries(fields).map(([name, field]) => `${name}=${quoted(String(field))}`),
    ];
    const text = this.lines(parts.join(" "));
    const time = this.time();
    this.enqueue(async () => {
      this.console ??= await openConsole((line) => {
        this.printed += line;
      });
      this.console.debug(text);
      const line = this.printed;
      this.printed = "";
      return `${time}${line}`;
    });
  }

  /** `warning: CODE: text` */
  warn(code: string, text: string): void {
    this.line(`warning: ${code}: ${text}`);
  }

  /** `CODE: message`, for a person whose stdout goes elsewhere. */
  failure(code: string, message: string): void {
    this.line(`${code}: ${message}`);
  }

  /** A document on one line, for a program that reads stderr. */
  document(value: unknown): void {
    this.line(this.options.redactor.cleanJson(escapeUnsafe(encode(value))));
  }

  /** One line as it is: what a person shall do now. */
  line(text: string): void {
    const line = `${this.time()}${visible(this.options.redactor.clean(text))}`;
    this.enqueue(async () => line);
  }

  /**
   * Shows how far the command is, in place of what was shown before; erased before the next line.
   * Only on a terminal, and not with `--debug`.
   */
  progress(text: string): void {
    if (this.options.debug || this.options.isTerminal?.() !== true) return;
    this.isShown = true;
    const line = visible(this.options.redactor.clean(text)).slice(0, PROGRESS_WIDTH);
    this.write(async () => `${ERASE}${line}`);
  }

  /** Erases what `progress` showed. Resolves when that was written, or was lost. */
  async clear(): Promise<void> {
    if (!this.isShown) return;
    this.isShown = false;
    this.write(async () => ERASE);
    await this.flush();
  }

  /** Resolves when every line so far was written, or was lost; at the latest after `mostMs`. */
  async flush(mostMs?: number): Promise<void> {
    if (mostMs === undefined) return this.tail;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, mostMs);
    });
    await Promise.race([this.tail, over]);
    clearTimeout(timer);
  }

  private enqueue(line: () => Promise<string>): void {
    const erase = this.isShown ? ERASE : "";
    this.isShown = false;
    this.write(async () => `${erase}${await line()}\n`);
  }

  private write(text: () => Promise<string>): void {
    const write = async (): Promise<void> => this.options.sink.write(await text());
    this.tail = this.tail.then(write).catch(() => undefined);
  }

  private time(): string {
    return this.options.timestamps ? `${new Date(this.options.clock()).toISOString()} ` : "";
  }

  /**
   * Line breaks stay only in front of an indentation, so that nothing can pass for a line of ours.
   */
  private lines(text: string): string {
    return this.options.redactor.clean(text).split("\n").map(visible).join("\n    ");
  }
}

/**
 * A value with spaces gets quotes, so that its end can be seen; one of several lines is a trace and
 * stays as it is.
 */
function quoted(text: string): string {
  return /[\s"=]/.test(text) && !text.includes("\n") ? JSON.stringify(text) : text;
}

/**
 * Consola without colours, throttling and its own streams; loaded only when somebody asked for
 * `--debug`.
 */
async function openConsole(print: (line: string) => void): Promise<ConsolaInstance> {
  const { createConsola, LogLevels } = await import("consola/basic");
  return createConsola({
    level: LogLevels.debug,
    throttleMin: Number.POSITIVE_INFINITY,
    reporters: [{ log: ({ type, args }) => print(`[${type}] ${args.join(" ")}`) }],
  });
}
