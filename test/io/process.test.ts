/** CFG-8: how programs are started, bounded and ended. Real programs in POSIX sh. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, type Limits, runProgram } from "../../src/io/process.ts";
import { survivorsOf } from "../support/survivors.ts";
import { until } from "../support/waiting.ts";

const folder = await mkdtemp(join(tmpdir(), "process-"));
afterAll(() => rm(folder, { recursive: true }));

const LIMITS: Limits = {
  timeoutMs: 20_000,
  maxBytes: 1024,
  stop: new AbortController().signal,
};

let count = 0;
/** Runs lines of sh as a program of their own; `$PIDS` names a file for process ids. */
async function run(
  lines: string,
  limits: Partial<Limits> = {},
  input = "",
): Promise<Ended & { readonly out: string; readonly err: string; readonly pids: string[] }> {
  count += 1;
  const path = join(folder, `${count}`);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  const env = { PATH: "/usr/bin:/bin", PIDS: `${path}.pids` };
  const program = { path, args: ["one", "$HOME two"], env, input: Buffer.from(input) };
  const ended = await runProgram(program, { ...LIMITS, ...limits });
  const pids = existsSync(env.PIDS) ? readFileSync(env.PIDS, "utf8").trim().split("\n") : [];
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  return { ...ended, out: text(ended.stdout), err: text(ended.stderr), pids };
}

test("CFG-8 a program gets its arguments as they are, its input, the listed environment and /", async () => {
  const { ending, out } = await run('cat; echo "$1|$2|$#|$PWD|$HOME"', {}, "input\n");
  expect(ending).toEqual({ kind: "exit", exitCode: 0 });
  expect(out).toBe("input\none|$HOME two|2|/|\n");
});

test("CFG-8 both streams arrive whole, and apart", async () => {
  const { ending, out, err } = await run("echo out; echo err >&2; exit 3");
  expect([ending, out, err]).toEqual([{ kind: "exit", exitCode: 3 }, "out\n", "err\n"]);
});

test("CFG-8 death by a signal is not an exit", async () => {
  const { ending, out } = await run("echo out; kill -SEGV $$");
  expect([ending, out]).toEqual([{ kind: "signal", signal: "SIGSEGV" }, "out\n"]);
});

test("CFG-8 a program that hangs is killed with its children when its time is over", async () => {
  const lines =
    'trap "" TERM HUP INT; sleep 600 & echo $! >"$PIDS"; echo $$ >>"$PIDS"; wait; sleep 600';
  let pids: string[] = [];
  // It must have come to its last line.
  for (let timeoutMs = 300; pids.length < 2 && timeoutMs < 20_000; timeoutMs *= 2) {
    const ended = await run(lines, { timeoutMs });
    expect(ended.ending).toEqual({ kind: "timeout" });
    ({ pids } = ended);
    expect(await survivorsOf(pids)).toEqual([]);
  }
  expect(pids.length).toBe(2);
  expect(await survivorsOf(pids)).toEqual([]);
});

test.each([
  ["its streams", "sleep 600 &"],
  ["no stream", "sleep 600 >/dev/null 2>&1 </dev/null &"],
])("CFG-8 a child that is left behind with %s is killed at the end", async (_name, child) => {
  const started = performance.now();
  const { ending, out, pids } = await run(`${child} echo $! >"$PIDS"; echo answer`);
  expect([ending, out]).toEqual([{ kind: "exit", exitCode: 0 }, "answer\n"]);
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(pids.length).toBe(1);
  expect(await survivorsOf(pids)).toEqual([]);
});

test("CFG-8 what left the group and holds the streams delays the end by a second at most", async () => {
  const { ending, out, pids } = await run(
    'setsid sleep 600 & echo $! >"$PIDS"; until [ "$(cut -d" " -f5 /proc/$!/stat)" = $! ]; do :; done; echo answer',
  );
  for (const pid of pids) process.kill(Number(pid), "SIGKILL");
  expect([ending, out]).toEqual([{ kind: "exit", exitCode: 0 }, "answer\n"]);
});

test.each([
  ["standard output", "yes"],
  ["standard error", "yes >&2"],
  ["what remains in the pipe after the exit", "head -c 5000 /dev/zero"],
])("CFG-8 a flood on %s ends the program", async (_name, lines) => {
  const { ending, stdout, stderr } = await run(lines);
  expect(ending).toEqual({ kind: "tooMuch" });
  expect(Math.max(stdout.length, stderr.length)).toBe(1024);
});

test("CFG-8 exactly as much as allowed is not too much", async () => {
  const { ending, stdout } = await run("head -c 1024 /dev/zero");
  expect([ending, stdout.length]).toEqual([{ kind: "exit", exitCode: 0 }, 1024]);
});

test("CFG-8 a program that never reads its input is not waited for", async () => {
  const { ending } = await run("exec 0<&-; echo done", {}, "x".repeat(1_000_000));
  expect(ending).toEqual({ kind: "exit", exitCode: 0 });
});

test("CFG-8 a stop kills the group at once; after a stop nothing starts", async () => {
  const stop = new AbortController();
  const running = run('echo $$ >"$PIDS"; sleep 600', { stop: stop.signal });
  const file = join(folder, `${count}.pids`);
  await until(() => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
  stop.abort();
  const { ending, pids } = await running;
  expect([ending, pids.length]).toEqual([{ kind: "stopped" }, 1]);
  expect(await survivorsOf(pids)).toEqual([]);
  const later = await run('echo $$ >"$PIDS"', { stop: stop.signal });
  expect([later.ending, later.pids]).toEqual([{ kind: "stopped" }, []]);
});

test("CFG-8 a program has no terminal", async () => {
  expect((await run("(exec </dev/tty) 2>/dev/null && echo terminal")).out).toBe("");
});

test("CFG-8 a program that the system does not start is named by the system's reason", async () => {
  const program = { path: join(folder, "absent"), args: [], env: {}, input: new Uint8Array() };
  const { ending } = await runProgram(program, LIMITS);
  expect(ending).toEqual({ kind: "unstartable", reason: "ENOENT" });
});
