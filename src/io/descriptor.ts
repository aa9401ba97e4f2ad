/**
 * Writing to what the process was given as stdout and stderr (OUT-6, OUT-7): all of it, or
 * OUTPUT_ERROR.
 */
import { write } from "node:fs";
import { CliError } from "../errors.ts";
import { isClosedAtStart } from "./closed.ts";

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
  return {
    async write(text) {
      if (failure !== undefined) throw failure;
      for (let rest: Uint8Array = Buffer.from(text); rest.length > 0; )
        rest = rest.subarray(await writeSome(descriptor, rest));
    },
  };
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
