/** The log speaks to people on stderr, in order, without secrets, and never fails a command. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { CliError } from "../../src/errors.ts";
import { Log } from "../../src/io/log.ts";
import { Redactor } from "../../src/io/redact.ts";

function make(options: { debug?: boolean; timestamps?: boolean } = {}): {
  log: Log;
  lines: () => Promise<string>;
} {
  let text = "";
  const redactor = new Redactor();
  redactor.learn("hunter2hunter2");
  const log = new Log({
    sink: {
      write: async (line) => {
        text += line;
      },
    },
    redactor,
    debug: options.debug ?? false,
    timestamps: options.timestamps ?? false,
    clock: () => Date.UTC(2024, 4, 1, 12, 30, 0, 5),
  });
  const lines = async (): Promise<string> => {
    await log.flush();
    return text;
  };
  return { log, lines };
}

test("without --debug only what a person must know is printed", async () => {
  const { log, lines } = make();
  log.debug("GET https://x", { status: 200 });
  log.warn("VERSION_OUTDATED", "A newer version is there.");
  log.line("Look at your device.");
  log.failure("NOT_FOUND", "The API knows no such object.");
  expect(await lines()).toBe(
    "warning: VERSION_OUTDATED: A newer version is there.\nLook at your device.\nNOT_FOUND: The API knows no such object.\n",
  );
});

test("lines keep the order of the calls, though the debug printer is loaded late", async () => {
  const { log, lines } = make({ debug: true });
  log.warn("A", "first");
  log.debug("second", { status: 200, ok: true, text: "with space", empty: "" });
  log.warn("B", "third");
  log.debug("fourth");
  expect(await lines()).toBe(
    'warning: A: first\n[debug] second status=200 ok=true text="with space" empty=\nwarning: B: third\n[debug] fourth\n',
  );
});

test("A20 with timestamps each line begins with an ISO time", async () => {
  const { log, lines } = make({ debug: true, timestamps: true });
  log.debug("one");
  log.warn("CODE", "two");
  expect(await lines()).toBe(
    "2024-05-01T12:30:00.005Z [debug] one\n2024-05-01T12:30:00.005Z warning: CODE: two\n",
  );
});

test("equal lines are all printed", async () => {
  const { log, lines } = make({ debug: true });
  for (let count = 0; count < 20; count += 1) log.debug("again");
  expect(await lines()).toBe("[debug] again\n".repeat(20));
});

test("SEC-1 OUT-4 everything is redacted and visible", async () => {
  const { log, lines } = make({ debug: true });
  log.debug("a\u202e", { cause: "hunter2hunter2 \u001b[31m", "na\u0007me": "%s %d {}" });
  log.warn("hunter2hunter2", "x\u009by");
  log.line("hunter2hunter2\r\nwarning: FAKE: line");
  log.failure("C", "a\nb");
  expect(await lines()).toBe(
    '[debug] a<U+202E> cause="[redacted] \\u001b[31m" na<U+0007>me="%s %d {}"\n' +
      "warning: [redacted]: x<U+009B>y\n[redacted]<U+000D><U+000A>warning: FAKE: line\nC: a<U+000A>b\n",
  );
});

test("a trace keeps its lines, indented, so that none passes for one of ours", async () => {
  const { log, lines } = make({ debug: true });
  log.debug("failed", { trace: "Error: x\nwarning: FAKE: y\n    at z" });
  expect(await lines()).toBe("[debug] failed trace=Error: x\n    warning: FAKE: y\n        at z\n");
});

describe("L06 a broken stderr", () => {
  test("does not matter", async () => {
    const failing = {
      write: async () => {
        throw new CliError("OUTPUT_ERROR", { message: "lost" });
      },
    };
    const log = new Log({
      sink: failing,
      redactor: new Redactor(),
      debug: true,
      timestamps: false,
      clock: () => 0,
    });
    log.warn("A", "b");
    log.debug("c");
    log.line("d");
    await log.flush();
  });
});

test("OUT-1 nothing reaches stdout, whatever the environment says, and no colour reaches stderr", () => {
  const path = (name: string): string =>
    JSON.stringify(new URL(`../../src/io/${name}`, import.meta.url).pathname);
  const program = `
    import { Log } from ${path("log.ts")};
    import { Redactor } from ${path("redact.ts")};
    import { streamSink } from ${path("stdout.ts")};
    const log = new Log({ sink: streamSink(process.stderr), redactor: new Redactor(), debug: true, timestamps: false, clock: Date.now });
    log.debug("GET", { status: 200 });
    log.warn("A", "b");
    await log.flush();`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", program], {
    env: { ...process.env, FORCE_COLOR: "1", CONSOLA_LEVEL: "0", DEBUG: "*" },
    encoding: "utf8",
  });
  expect({ stdout, stderr, status }).toEqual({
    stdout: "",
    stderr: "[debug] GET status=200\nwarning: A: b\n",
    status: 0,
  });
});
