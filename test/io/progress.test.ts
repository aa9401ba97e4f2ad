/** OUT-16: the line that says how far a command is. */
import { expect, test } from "bun:test";
import { Log } from "../../src/io/log.ts";
import { startMeter } from "../../src/io/progress.ts";
import { Redactor } from "../../src/io/redact.ts";

const ERASE = "\r\u001b[2K";

function open({ isTerminal = true, debug = false } = {}) {
  let written = "";
  let now = 0;
  const sink = {
    async write(text: string) {
      written += text;
    },
  };
  const redactor = new Redactor();
  redactor.learn("hunter2hunter2");
  const log = new Log({
    ...{ sink, redactor, debug, timestamps: false, clock: () => now },
    isTerminal: () => isTerminal,
  });
  const screen = async () => {
    await log.flush();
    return written;
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { log, screen, pass, now: () => now };
}

test("OUT-16 count, total and rate, each where it is known", async () => {
  const { log, screen, pass, now } = open();
  const rows = startMeter({ log, now }, "rows");
  rows(1000);
  pass(2000);
  rows(123456, 1234567);
  expect(await screen()).toBe(`${ERASE}1,000 rows${ERASE}123,456 of 1,234,567 rows, 61,728 rows/s`);
});

test("OUT-16 bytes are megabytes", async () => {
  const { log, screen, pass, now } = open();
  const bytes = startMeter({ log, now }, "MB");
  pass(1000);
  bytes(3_200_000, 40_100_000);
  expect(await screen()).toBe(`${ERASE}3.2 of 40.1 MB, 3.2 MB/s`);
});

test("OUT-16 at most ten lines a second", async () => {
  const { log, screen, pass, now } = open();
  const rows = startMeter({ log, now }, "rows");
  for (let count = 1; count <= 201; count += 1) {
    rows(count);
    pass(1);
  }
  expect((await screen()).split(ERASE).length - 1).toBe(3);
});

test("OUT-16 a warning erases it first, and clear leaves nothing", async () => {
  const { log, screen } = open();
  log.progress("1 rows");
  log.warn("X", "y");
  log.progress("2 rows");
  await log.clear();
  await log.clear();
  expect(await screen()).toBe(`${ERASE}1 rows${ERASE}warning: X: y\n${ERASE}2 rows${ERASE}`);
});

test("OUT-16 OUT-4 SEC-1 one short line, without secrets or control characters", async () => {
  const { log, screen } = open();
  log.progress(`a\n\u001b[2J hunter2hunter2 ${"x".repeat(200)}`);
  const text = (await screen()).slice(ERASE.length);
  expect(text).toStartWith("a<U+000A><U+001B>[2J [redacted] x");
  expect(text.length).toBe(72);
});

test.each([{ isTerminal: false }, { debug: true }])("OUT-16 nothing with %p", async (how) => {
  const { log, screen } = open(how);
  log.progress("1 rows");
  await log.clear();
  expect(await screen()).toBe("");
});
