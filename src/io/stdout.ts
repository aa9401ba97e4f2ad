/**
 * The one way out (OUT-1, OUT-6, OUT-7): exactly one JSON document and a newline, escaped (OUT-4)
 * and redacted (SEC-1), each write awaited, so that nothing is lost and nothing lost goes
 * unnoticed.
 */
import type { CliError } from "../errors.ts";
import { isClosedAtStart } from "./closed.ts";
import { outputError, type Sink } from "./descriptor.ts";
import { type Exact, encode, escapeUnsafe, pretty } from "./json.ts";
import type { Redactor } from "./redact.ts";

export type { Sink } from "./descriptor.ts";

/**
 * A stream as a sink. A broken or closed stream fails each write; its error events are never
 * unhandled.
 */
export function streamSink(stream: NodeJS.WritableStream): Sink {
  let failure: CliError | undefined;
  stream.on("error", (cause: unknown) => {
    failure ??= outputError(cause);
  });
  stream.on("close", () => {
    failure ??= outputError("CLOSED");
  });
  if ("fd" in stream && stream.fd === 1 && isClosedAtStart()) failure = outputError("CLOSED");
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        const lost = (cause: unknown): void => {
          failure ??= outputError(cause);
          reject(failure);
        };
        if (failure !== undefined) return lost(failure);
        // A stream that is destroyed meanwhile may never call back.
        stream.once("close", lost);
        stream.write(text, (cause) => {
          stream.removeListener("close", lost);
          if (cause === null || cause === undefined) resolve();
          else lost(cause);
        });
      }),
  };
}

/**
 * A list written as it arrives (specification §1, `--all`): batches of items, then the members that
 * close the document.
 */
export interface StreamedList {
  readonly items: AsyncGenerator<readonly Exact[], Record<string, unknown>, void>;
}

/**
 * Prints one document and refuses a second one. All methods throw OUTPUT_ERROR when output is lost.
 */
export class Output {
  private isUsed = false;

  constructor(
    private readonly sink: Sink,
    private readonly redactor: Redactor,
    private readonly isPretty: boolean,
  ) {}

  /** One JSON document and a newline. */
  async emit(value: unknown): Promise<void> {
    const text = this.form(encode(value), 0);
    await this.begin(`${text}\n`);
  }

  /**
   * The same, and nothing in it is masked: a document whose secrets are made up, such as a
   * sandbox's, holds them for the reader to use. In a shell that still has the variables of an
   * earlier sandbox they would be taken for the configured ones.
   */
  async emitMadeUp(value: unknown): Promise<void> {
    const json = escapeUnsafe(encode(value));
    await this.begin(`${this.isPretty ? pretty(json, 0) : json}\n`);
  }

  /** Help, version, completion and skill text, which are ours and not JSON. */
  async emitText(text: string): Promise<void> {
    await this.begin(this.redactor.clean(text));
  }

  /**
   * A list as one document, written while it arrives; the next batch is asked for while one is
   * written. What fails before the first batch is thrown. What fails later ends the document with
   * `"complete":false,"error":<failure(cause)>` and is returned.
   */
  async emitList(
    list: StreamedList,
    failure: (cause: unknown) => unknown,
  ): Promise<{ cause: unknown } | undefined> {
    const { items } = list;
    let step = await items.next();
    let count = 0;
    try {
      await this.begin(this.layout('{"results":[', '{\n  "results": ['));
      while (step.done !== true) {
        const next = settle(items.next());
        await this.writeItems(step.value, count);
        count += step.value.length;
        const outcome = await next;
        if ("cause" in outcome) return await this.fail(outcome.cause, failure, count);
        step = outcome.step;
      }
    } catch (cause) {
      abandon(items);
      throw cause;
    }
    return this.finish(step.value, failure, count);
  }

  /**
   * Text that is written while it arrives; the next part is asked for while one is written. What
   * fails before the first part is thrown. What fails later is returned as `cause`, behind what was
   * written; else what the source returned.
   */
  async emitParts<T>(
    parts: AsyncGenerator<string, T, void>,
  ): Promise<{ cause: unknown } | { closing: T }> {
    let step = await parts.next();
    try {
      await this.begin("");
      while (step.done !== true) {
        const next = settle(parts.next());
        await this.sink.write(step.value);
        const outcome = await next;
        if ("cause" in outcome) return outcome;
        step = outcome.step;
      }
    } catch (cause) {
      parts.return(undefined as never).catch(() => undefined);
      throw cause;
    }
    return { closing: step.value };
  }

  private async writeItems(batch: readonly Exact[], count: number): Promise<void> {
    if (batch.length === 0) return;
    const text = batch.map((item) => item.text).join(",");
    const lead = count > 0 ? "," : "";
    await this.sink.write(`${lead}${this.layout("", "\n    ")}${this.form(text, 2)}`);
  }

  private async finish(
    closing: Record<string, unknown>,
    failure: (cause: unknown) => unknown,
    count: number,
  ): Promise<{ cause: unknown } | undefined> {
    let text: string;
    try {
      text = encode(closing).slice(1, -1);
    } catch (cause) {
      return this.fail(cause, failure, count);
    }
    await this.close(text, count);
    return undefined;
  }

  private async fail(
    cause: unknown,
    failure: (cause: unknown) => unknown,
    count: number,
  ): Promise<{ cause: unknown }> {
    await this.close(encode({ complete: false, error: failure(cause) }).slice(1, -1), count);
    return { cause };
  }

  private async close(members: string, count: number): Promise<void> {
    const end = count > 0 ? this.layout("]", "\n  ]") : "]";
    const rest = members === "" ? "" : `,${this.layout("", "\n  ")}${this.form(members, 1)}`;
    await this.sink.write(`${end}${rest}${this.layout("}", "\n}")}\n`);
  }

  private async begin(text: string): Promise<void> {
    if (this.isUsed) throw new Error("A second document was about to be printed.");
    this.isUsed = true;
    await this.sink.write(text);
  }

  /** Compact JSON, or a part of it that will be `depth` levels deep, as it may be shown. */
  private form(json: string, depth: number): string {
    const safe = this.redactor.cleanJson(escapeUnsafe(json));
    return this.isPretty ? pretty(safe, depth) : safe;
  }

  private layout(compact: string, indented: string): string {
    return this.isPretty ? indented : compact;
  }
}

/** The next step as a value: its failure is looked at only after the current batch was written. */
async function settle<S>(step: Promise<S>): Promise<{ step: S } | { cause: unknown }> {
  try {
    return { step: await step };
  } catch (cause) {
    return { cause };
  }
}

/** Tells the source that its rest is not needed; it may be busy, so this does not wait. */
function abandon(items: StreamedList["items"]): void {
  items.return({}).catch(() => undefined);
}
