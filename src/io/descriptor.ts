/**
 * Writing to what the process was given as stdout and stderr (OUT-6, OUT-7): all of it, or
 * OUTPUT_ERROR.
 */
import { fstatSync, statSync, write } from "node:fs";
import { CliError } from "../errors.ts";
import { isClosedAtStart } from "./closed.ts";
import { type Hold, writeOnTheSpot } from "./spot.ts";

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
  /** From now on no write holds the process: it hears signals, and does what else it has to do. */
  heed?(): void;
}

const FULL_PIPE_POLL_MS = 5;
/** How long a reader may take what is left once the program was told to end. */
const LAST_WRITE_MS = 1000;

const NEVER: Hold = () => 0;

/**
 * An open descriptor as a sink. Written to directly, because the runtimes take longer to open their
 * streams for stdin, stdout and stderr than most commands take for all the rest. A slow reader
 * holds the write, not the process; only the first text to a socket may hold both, in a call that
 * `hold` makes. Once `ended` fires, what is not taken within a second is lost, and so is all that
 * follows.
 */
export function descriptorSink(descriptor: 1 | 2, ended: AbortSignal, hold = NEVER): Sink {
  let failure = descriptor === 1 && isClosedAtStart() ? outputError("CLOSED") : undefined;
  let held = hold;
  return {
    async write(text) {
      if (failure !== undefined) throw failure;
      let rest: Uint8Array = Buffer.from(text);
      if (rest.length === 0) return;
      try {
        rest = rest.subarray(writeOnTheSpot(descriptor, rest, held));
      } catch (cause) {
        throw outputError(cause);
      }
      if (rest.length === 0) return;
      await unlessUnread(writeAll(descriptor, rest), ended, () => {
        failure = outputError("UNREAD");
        return failure;
      });
    },
    heed() {
      held = NEVER;
    },
  };
}

/** Writes what stdout did not take on the spot. Throws OUTPUT_ERROR. */
export async function writeRest(bytes: Uint8Array): Promise<void> {
  if (isClosedAtStart()) throw outputError("CLOSED");
  await writeAll(1, bytes);
}

async function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await writeSome(descriptor, rest));
}

/** The write; fails with what `lost` returns when it is not taken after the program was to end. */
function unlessUnread(
  write: Promise<void>,
  ended: AbortSignal,
  lost: () => CliError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onEnd = (): void => {
      timer = setTimeout(() => reject(lost()), LAST_WRITE_MS);
    };
    if (ended.aborted) onEnd();
    else ended.addEventListener("abort", onEnd, { once: true });
    const over = (): void => {
      clearTimeout(timer);
      ended.removeEventListener("abort", onEnd);
    };
    write.finally(over).then(resolve, reject);
  });
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
