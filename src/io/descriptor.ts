/**
 * Writing to what the process was given as stdout and stderr (OUT-6, OUT-7): all of it, or
 * OUTPUT_ERROR.
 */
import { constants, fstatSync, openSync, statSync, write, writeSync } from "node:fs";
import { CliError } from "../errors.ts";
import { isClosedAtStart } from "./closed.ts";
import { errnoOf } from "./errno.ts";

/**
 * False where a descriptor is certainly no terminal: a file, a pipe, /dev/null. Asking the
 * runtime's own stream loads everything for streams, which takes longer than a list.
 */
export function mayBeTerminal(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isCharacterDevice() && stats.rdev !== statSync("/dev/null").rdev;
  } catch {
    return false;
  }
}

/** Where text goes. */
export interface Sink {
  /**
   * Resolves when the text was handed to the system; throws OUTPUT_ERROR, with the system's code in
   * `details.reason`, when it is lost.
   */
  write(text: string): Promise<void>;
}

const FULL_PIPE_POLL_MS = 5;

/**
 * An open descriptor as a sink. Written to directly, because the runtimes take longer to open their
 * streams for stdin, stdout and stderr than most commands take for all the rest. A slow reader
 * holds the write, not the process: signals are still heard.
 */
export function descriptorSink(descriptor: 1 | 2): Sink {
  const failure = descriptor === 1 && isClosedAtStart() ? outputError("CLOSED") : undefined;
  let direct: { readonly descriptor: number | undefined } | undefined;
  return {
    async write(text) {
      if (failure !== undefined) throw failure;
      let rest: Uint8Array = Buffer.from(text);
      if (rest.length === 0) return;
      direct ??= { descriptor: openDirect(descriptor) };
      if (direct.descriptor !== undefined) rest = rest.subarray(writeNow(direct.descriptor, rest));
      while (rest.length > 0) rest = rest.subarray(await writeSome(descriptor, rest));
    },
  };
}

/**
 * A descriptor for writing on the spot that never holds the process: a file's own, and on Linux a
 * second one of a pipe, which does not change the one that others share. Undefined for terminals,
 * sockets, and a pipe without a reader. The first write by the thread pool starts it (0.44 ms).
 */
function openDirect(descriptor: number): number | undefined {
  try {
    const stats = fstatSync(descriptor);
    if (stats.isFile()) return descriptor;
    if (!stats.isFIFO()) return undefined;
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    return openSync(`/proc/self/fd/${descriptor}`, flags);
  } catch {
    return undefined;
  }
}

/** Returns how many bytes the system took at once: fewer than all when a pipe is full. */
function writeNow(descriptor: number, bytes: Uint8Array): number {
  let taken = 0;
  try {
    while (taken < bytes.length) taken += writeSync(descriptor, bytes, taken);
  } catch (cause) {
    if (errnoOf(cause) !== "EAGAIN") throw outputError(cause);
  }
  return taken;
}

/** Returns how many bytes the system took; waits while a pipe that does not block is full. */
function writeSome(descriptor: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (cause, written) => {
      if (cause === null || cause === undefined) resolve(written);
      else if (cause.code === "EAGAIN") setTimeout(() => resolve(0), FULL_PIPE_POLL_MS);
      else reject(outputError(cause));
    });
  });
}

/** The failure of a write, with the system's name for it in `details.reason`. */
export function outputError(cause: unknown): CliError {
  const code = cause instanceof Error && "code" in cause ? cause.code : cause;
  const reason = typeof code === "string" && /^[A-Z0-9_]+$/.test(code) ? code : "CLOSED";
  return new CliError("OUTPUT_ERROR", {
    message: "The output could not be written.",
    details: { reason },
    cause,
  });
}
