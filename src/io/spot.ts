/**
 * Writing at once, without the runtime's thread pool: its threads take longer to start than most
 * outputs to write. Knows no errors of ours: a fast path need not load them.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { errnoOf } from "./errno.ts";

/** What a process writes to a socket at once, at most: the system holds three times as much. */
const SOCKET_BYTES = 64 * 1024;

/** How a descriptor is written at once. */
interface Way {
  readonly descriptor: number;
  /** Whether the system may hold the call, and with it the process. */
  readonly mayHold: boolean;
  /** How many bytes may still be written so. */
  left: number;
}

/** Makes the call, which the system may hold, or answers 0 in its place. */
export type Hold = (call: () => number) => number;

const ways: Partial<Record<1 | 2, Way>> = {};

/**
 * Returns how many bytes the system took at once: fewer than all where the thread pool has to write
 * the rest, as of a pipe that is full. Throws what the system says.
 *
 * Only a socket that others have filled holds the call, and with it the process. A text that goes
 * beyond the first 64 KiB of the process is not written to a socket at once.
 */
export function writeOnTheSpot(
  to: 1 | 2,
  bytes: Uint8Array,
  hold: Hold = (call) => call(),
): number {
  const way = ways[to] ?? wayOf(to);
  ways[to] = way;
  way.left -= bytes.length;
  if (way.left < 0) return 0;
  const write = (): number => writeAll(way.descriptor, bytes);
  return way.mayHold ? hold(write) : write();
}

/**
 * A file's own descriptor; on Linux a second one of a pipe, which never waits and does not change
 * the one that others share. Not for terminals, nor for a pipe without a reader.
 */
function wayOf(to: 1 | 2): Way {
  try {
    const stats = fstatSync(to);
    if (stats.isSocket()) return { descriptor: to, mayHold: true, left: SOCKET_BYTES };
    const free = { mayHold: false, left: Number.POSITIVE_INFINITY };
    if (stats.isFile()) return { descriptor: to, ...free };
    if (stats.isFIFO()) {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK;
      return { descriptor: openSync(`/proc/self/fd/${to}`, flags), ...free };
    }
  } catch {
    // What is wrong with it, the thread pool's write says.
  }
  return { descriptor: to, mayHold: false, left: 0 };
}

function writeAll(descriptor: number, bytes: Uint8Array): number {
  let taken = 0;
  try {
    while (taken < bytes.length) taken += writeSync(descriptor, bytes, taken);
  } catch (cause) {
    if (errnoOf(cause) !== "EAGAIN") throw cause;
  }
  return taken;
}
