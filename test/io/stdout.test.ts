/** OUT-1, OUT-6, OUT-7: one document, complete, and a lost write is a failed command. */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { CliError } from "../../src/errors.ts";
import { type Exact, encode, exact, pretty } from "../../src/io/json.ts";
import { Redactor } from "../../src/io/redact.ts";
import { Output, type Sink, type StreamedList, streamSink } from "../../src/io/stdout.ts";

class Recorder implements Sink {
  readonly writes: string[] = [];
  /** The write with this number, from 0, fails. */
  failAt = Number.POSITIVE_INFINITY;

  async write(text: string): Promise<void> {
    if (this.writes.length >= this.failAt) throw new CliError("OUTPUT_ERROR", { message: "lost" });
    this.writes.push(text);
  }

  get text(): string {
    return this.writes.join("");
  }
}

function make(isPretty = false, ...secrets: readonly string[]): { output: Output; sink: Recorder } {
  const sink = new Recorder();
  const redactor = new Redactor();
  for (const secret of secrets) redactor.learn(secret);
  return { output: new Output(sink, redactor, isPretty), sink };
}

const failure = (cause: unknown): unknown => ({ code: "TEST", message: String(cause) });

describe("emit", () => {
  test("OUT-1 prints one document and a newline", async () => {
    const { output, sink } = make();
    await output.emit({ a: exact("1.0"), b: undefined });
    expect(sink.writes).toEqual(['{"a":1.0}\n']);
  });

  test("A21 pretty changes nothing but the layout", async () => {
    const { output, sink } = make(true);
    await output.emit({ a: [exact("1.0"), {}], b: [] });
    expect(sink.text).toBe('{\n  "a": [\n    1.0,\n    {}\n  ],\n  "b": []\n}\n');
  });

  test("OUT-1 refuses a second document", async () => {
    const { output, sink } = make();
    await output.emit({});
    await expect(output.emit({})).rejects.toThrow("second document");
    await expect(output.emitText("x")).rejects.toThrow("second document");
    expect(sink.text).toBe("{}\n");
  });

  test("a value that cannot be printed leaves room for the failure's document", async () => {
    const { output, sink } = make();
    await expect(output.emit({ a: 2 ** 60 })).rejects.toThrow(TypeError);
    await output.emit({ error: 1 });
    expect(sink.text).toBe('{"error":1}\n');
  });

  test.each([false, true])(
    "OUT-4 SEC-1 G17 everything is escaped and redacted (pretty: %p)",
    async (isPretty) => {
      const { output, sink } = make(isPretty, "hunter2hunter2", "12345678");
      await output.emit({
        "hunter2hunter2\u202e": exact(
          '["\\u0068unter2hunter2","\u001b[31m\u202e",123456789]'.replace("\u001b", "\\u001b"),
        ),
      });
      const text = '{"[redacted]\\u202e":["[redacted]","\\u001b[31m\\u202e","[redacted]"]}';
      expect(sink.text).toBe(`${isPretty ? pretty(text) : text}\n`);
    },
  );

  test("text is redacted, and stays text", async () => {
    const { output, sink } = make(true, "hunter2hunter2");
    await output.emitText("Usage: x\n  hunter2hunter2 {}\n");
    expect(sink.text).toBe("Usage: x\n  [redacted] {}\n");
  });
});

const BATCHES = [
  [exact('{"id":1,"x":[]}'), exact("1.0")],
  [],
  [exact('"a\u202eb"')],
  [exact("{}"), exact("[[]]")],
];
const CLOSING = { total: exact("6"), complete: true };

/**
 * Yields the batches, and fails in the place of step `failAt`; the return counts as the last step.
 */
async function* source(
  failAt = Number.POSITIVE_INFINITY,
  closing: Record<string, unknown> = CLOSING,
): StreamedList["items"] {
  for (const [step, batch] of BATCHES.entries()) {
    if (step === failAt) throw new Error(`step ${step}`);
    yield batch;
  }
  if (failAt === BATCHES.length) throw new Error(`step ${failAt}`);
  return closing;
}

function whole(
  items: readonly Exact[],
  closing: Record<string, unknown>,
  isPretty: boolean,
): string {
  const text = encode({ results: items, ...closing }).replaceAll("\u202e", "\\u202e");
  return `${isPretty ? pretty(text) : text}\n`;
}

describe.each([false, true])("emitList (pretty: %p)", (isPretty) => {
  test("writes the document that emit would write", async () => {
    const { output, sink } = make(isPretty);
    expect(await output.emitList({ items: source() }, failure)).toBeUndefined();
    expect(sink.text).toBe(whole(BATCHES.flat(), CLOSING, isPretty));
    const all = make(isPretty);
    await all.output.emit({ results: BATCHES.flat(), ...CLOSING });
    expect(sink.text).toBe(all.sink.text);
  });

  test("writes as it arrives", async () => {
    const { output, sink } = make(isPretty);
    await output.emitList({ items: source() }, failure);
    expect(sink.writes.length).toBeGreaterThan(BATCHES.length);
  });

  test("an empty list, and one without closing members", async () => {
    async function* nothing(closing: Record<string, unknown>): StreamedList["items"] {
      yield [];
      return closing;
    }
    for (const closing of [CLOSING, {}]) {
      const { output, sink } = make(isPretty);
      await output.emitList({ items: nothing(closing) }, failure);
      expect(sink.text).toBe(whole([], closing, isPretty));
    }
  });

  test("a failure before the first batch is thrown and nothing is written", async () => {
    const { output, sink } = make(isPretty);
    await expect(output.emitList({ items: source(0) }, failure)).rejects.toThrow("step 0");
    expect(sink.text).toBe("");
    await output.emit({ error: 1 });
    expect(JSON.parse(sink.text)).toEqual({ error: 1 });
  });

  test.each([1, 2, 3, 4])(
    "D13 a failure at step %d ends the same document, never as complete",
    async (failAt) => {
      const { output, sink } = make(isPretty);
      const ended = await output.emitList({ items: source(failAt) }, failure);
      expect(String(ended?.cause)).toBe(`Error: step ${failAt}`);
      const error = { code: "TEST", message: `Error: step ${failAt}` };
      expect(sink.text).toBe(
        whole(BATCHES.slice(0, failAt).flat(), { complete: false, error }, isPretty),
      );
    },
  );

  test("closing members that cannot be printed end it as a failure, too", async () => {
    const { output, sink } = make(isPretty);
    const ended = await output.emitList(
      { items: source(undefined, { total: Number.NaN, complete: true }) },
      failure,
    );
    expect(ended?.cause).toBeInstanceOf(TypeError);
    expect(JSON.parse(sink.text)).toMatchObject({ complete: false, error: { code: "TEST" } });
  });

  test.each([0, 1, 2, 3, 4])(
    "OUT-7 output that is lost at write %d fails, and the source is told",
    async (failAt) => {
      const { output, sink } = make(isPretty);
      sink.failAt = failAt;
      let isClosed = false;
      async function* watched(): StreamedList["items"] {
        try {
          return yield* source();
        } finally {
          isClosed = true;
        }
      }
      await expect(output.emitList({ items: watched() }, failure)).rejects.toMatchObject({
        code: "OUTPUT_ERROR",
      });
      expect(sink.writes.length).toBe(failAt);
      await Promise.resolve();
      expect(isClosed).toBe(true);
    },
  );
});

test("emitList asks for the next batch while one is being written", async () => {
  const events: string[] = [];
  const sink: Sink = {
    async write(text) {
      events.push(`write ${text}`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push("written");
    },
  };
  async function* slow(): StreamedList["items"] {
    for (const step of [1, 2]) {
      events.push(`ask ${step}`);
      yield [exact(String(step))];
    }
    return {};
  }
  await new Output(sink, new Redactor(), false).emitList({ items: slow() }, failure);
  expect(events).toEqual([
    "ask 1",
    'write {"results":[',
    "written",
    "ask 2",
    "write 1",
    "written",
    "write ,2",
    "written",
    "write ]}\n",
    "written",
  ]);
});

describe("streamSink", () => {
  const broken = (code: string): Error =>
    Object.assign(new Error("secret words of the runtime"), { code });

  test("OUT-6 resolves only when the stream has taken the text", async () => {
    const pending: (() => void)[] = [];
    const stream = new Writable({ write: (_chunk, _encoding, done) => pending.push(done) });
    const events: string[] = [];
    const write = streamSink(stream)
      .write("x")
      .then(() => events.push("resolved"));
    await new Promise((resolve) => setImmediate(resolve));
    events.push("taken");
    for (const done of pending) done();
    await write;
    expect(events).toEqual(["taken", "resolved"]);
  });

  test.each(["EPIPE", "ENOSPC"])(
    "OUT-7 %s is OUTPUT_ERROR, for that write and every later one",
    async (code) => {
      const stream = new Writable({ write: (_chunk, _encoding, done) => done(broken(code)) });
      const sink = streamSink(stream);
      const expected = {
        code: "OUTPUT_ERROR",
        message: "The output could not be written.",
        facts: { details: { reason: code } },
      };
      await expect(sink.write("x")).rejects.toMatchObject(expected);
      await expect(sink.write("y")).rejects.toMatchObject(expected);
    },
  );

  test("OUT-7 a destroyed stream is OUTPUT_ERROR", async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    const sink = streamSink(stream);
    stream.destroy();
    await expect(sink.write("x")).rejects.toMatchObject({ code: "OUTPUT_ERROR" });
  });

  test("OUT-7 a stream that is destroyed during a write never hangs", async () => {
    const stream = new Writable({ write: () => undefined });
    const write = streamSink(stream).write("x");
    stream.destroy();
    await expect(write).rejects.toMatchObject({ code: "OUTPUT_ERROR" });
  });

  test("an error between two writes is not unhandled, and fails the next write", async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    const sink = streamSink(stream);
    await sink.write("x");
    stream.emit("error", broken("EIO"));
    await expect(sink.write("y")).rejects.toMatchObject({
      code: "OUTPUT_ERROR",
      facts: { details: { reason: "EIO" } },
    });
  });
});

/**
 * Runs a writer in a shell; returns its text on stderr (`done`, or the error's code and reason).
 */
async function inShell(
  redirection: string,
  bytes = 10,
): Promise<{ stdout: string; stderr: string }> {
  const program = `
    import { streamSink } from ${JSON.stringify(new URL("../../src/io/stdout.ts", import.meta.url).pathname)};
    try {
      await streamSink(process.stdout).write("x".repeat(${bytes}));
      process.stderr.write("done");
    } catch (error) {
      process.stderr.write(error.code + " " + error.facts.details.reason);
    }`;
  const child = spawn("/bin/sh", ["-c", `"$0" -e "$1" ${redirection}`, process.execPath, program]);
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    let text = "";
    for await (const chunk of stream) text += chunk;
    return text;
  };
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { stdout, stderr };
}

describe.skipIf(process.platform !== "linux")("real descriptors", () => {
  test("L05 a stdout that is closed from the start is noticed", async () => {
    expect((await inShell(">&-")).stderr).toBe("OUTPUT_ERROR CLOSED");
  });

  test("OUT-7 a full device is noticed", async () => {
    expect((await inShell(">/dev/full")).stderr).toBe("OUTPUT_ERROR ENOSPC");
  });

  test("L04 a reader that goes away is noticed", async () => {
    expect((await inShell("| true", 5_000_000)).stderr).toBe("OUTPUT_ERROR EPIPE");
  });

  test("output that is thrown away on purpose is not a failure", async () => {
    expect((await inShell(">/dev/null")).stderr).toBe("done");
  });

  test("L08 5 MB arrive whole at a slow reader", async () => {
    const { stdout, stderr } = await inShell("| (sleep 0.2; wc -c)", 5_000_000);
    expect([stdout.trim(), stderr]).toEqual(["5000000", "done"]);
  });
});

test.skipIf(process.platform !== "linux")(
  "OUT-6 a pipe that is full for a while gets every byte, and its writer hears timers meanwhile",
  async () => {
    const source = new URL("../../src/io/descriptor.ts", import.meta.url).href;
    const folder = mkdtempSync(join(tmpdir(), "pipe-"));
    const flag = join(folder, "heard");
    // The reader begins when the writer, who waits for it, has heard its timer twenty times.
    const script = `
      const { descriptorSink } = await import(${JSON.stringify(source)});
      let ticks = 0;
      const timer = setInterval(() => {
        ticks += 1;
        if (ticks === 20) require("node:fs").writeFileSync(${JSON.stringify(flag)}, "");
      }, 5);
      const sink = descriptorSink(1, new AbortController().signal);
      for (let at = 0; at < 8; at += 1) await sink.write(String(at).repeat(100_000));
      clearInterval(timer);`;
    try {
      const reader = `"$1" -e "$2" | { while [ ! -e "$3" ]; do :; done; cat; }`;
      const command = ["sh", "-c", reader, "sh", process.execPath, script, flag];
      const text = await new Response(Bun.spawn(command, { stdout: "pipe" }).stdout).text();
      expect(text).toBe(Array.from({ length: 8 }, (_, at) => `${at}`.repeat(100_000)).join(""));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
