/**
 * The only place that starts another program (CFG-8): by an absolute path, without a shell, in `/`,
 * with an environment that the caller lists, in a process group of its own. Both output streams are
 * bounded. The whole group is killed when the program ends, takes too long or writes too much.
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { errnoOf } from "./errno.ts";

/** A program, and what it may see. */
export interface Program {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input; it is closed after these bytes. */
  readonly input: Uint8Array;
}

export interface Limits {
  readonly timeoutMs: number;
  /** For standard output and for standard error, each. */
  readonly maxBytes: number;
  readonly stop: AbortSignal;
}

/** Why a program is over. Only `exit` with code 0 is a success. */
export type Ending =
  | { readonly kind: "exit"; readonly exitCode: number }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "timeout" | "stopped" | "tooMuch" }
  /** The system did not start it; `reason` is the system's name for the failure (`ENOENT`). */
  | { readonly kind: "unstartable"; readonly reason: string };

/** What a program wrote: at most `maxBytes` bytes of each stream. */
export interface Ended {
  readonly ending: Ending;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * How long the streams may stay open after the group was killed. Only a program that left the group
 * holds them longer; its output no longer counts.
 */
const DRAIN_MS = 1000;

/** Runs the program once, to its end or to the first limit. Never throws. */
export function runProgram(program: Program, limits: Limits): Promise<Ended> {
  if (limits.stop.aborted) return Promise.resolve(without({ kind: "stopped" }));
  let child: ChildProcess;
  try {
    child = spawn(program.path, [...program.args], {
      cwd: "/",
      env: { ...program.env },
      detached: true,
      windowsHide: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
  } catch (cause) {
    return Promise.resolve(without({ kind: "unstartable", reason: errnoOf(cause) }));
  }
  return watch(child, program.input, limits);
}

function without(ending: Ending): Ended {
  return { ending, stdout: new Uint8Array(), stderr: new Uint8Array() };
}

/** Waits for the end, or causes it. */
function watch(child: ChildProcess, input: Uint8Array, limits: Limits): Promise<Ended> {
  return new Promise((resolve) => {
    let ending: Ending | undefined;
    let draining: NodeJS.Timeout | undefined;
    const [stdout, stderr] = [new Bounded(limits.maxBytes), new Bounded(limits.maxBytes)];

    const finish = (): void => {
      clearTimeout(timer);
      clearTimeout(draining);
      limits.stop.removeEventListener("abort", onStop);
      for (const stream of child.stdio) stream?.destroy();
      // A program of another user cannot be killed; it must not keep this one running.
      child.unref();
      const found = ending ?? { kind: "unstartable", reason: "" };
      resolve({ ending: found, stdout: stdout.bytes, stderr: stderr.bytes });
    };
    /** The first reason counts. */
    const end = (reason: Ending): void => {
      if (ending !== undefined) return;
      ending = reason;
      killGroup(child);
      draining = setTimeout(finish, DRAIN_MS);
    };
    const onStop = (): void => end({ kind: "stopped" });
    const timer = setTimeout(() => end({ kind: "timeout" }), limits.timeoutMs);
    limits.stop.addEventListener("abort", onStop, { once: true });

    child.on("error", (cause) => {
      ending ??= { kind: "unstartable", reason: errnoOf(cause) };
      finish();
    });
    child.on("exit", (exitCode, signal) =>
      end(
        exitCode === null
          ? { kind: "signal", signal: signal ?? "unknown" }
          : { kind: "exit", exitCode },
      ),
    );
    child.on("close", finish);
    for (const [stream, kept] of [
      [child.stdout, stdout],
      [child.stderr, stderr],
    ] as const) {
      stream?.on("error", () => undefined);
      stream?.on("data", (chunk: Uint8Array) => {
        if (kept.add(chunk)) return;
        end({ kind: "tooMuch" });
        // What a program leaves behind in the pipe is read after its exit.
        if (ending?.kind === "exit") ending = { kind: "tooMuch" };
      });
    }
    // A program need not read its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

/** The first bytes of a stream. */
class Bounded {
  private readonly chunks: Uint8Array[] = [];
  private size = 0;

  constructor(private readonly maxBytes: number) {}

  /** False when the stream is longer than it may be. */
  add(chunk: Uint8Array): boolean {
    const room = this.maxBytes - this.size;
    if (room > 0) this.chunks.push(Uint8Array.from(chunk.subarray(0, room)));
    this.size += Math.min(chunk.length, room);
    return chunk.length <= room;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.chunks);
  }
}

/**
 * Kills every process of the child's group. The child led the group, so the group's number is the
 * child's. Before the system reports the child's end, no other process can have that number. After
 * it, a number that a group still uses is not given away; so a process with this number is another
 * one, and its group is left alone.
 */
function killGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const isReaped = child.exitCode !== null || child.signalCode !== null;
  if (isReaped && isTaken(pid)) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Windows has no groups. Elsewhere nothing is left of the group, or it belongs to another user.
    if (!isReaped) child.kill("SIGKILL");
  }
}

function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return errnoOf(cause) !== "ESRCH";
  }
}
