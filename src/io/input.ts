/**
 * What the user hands over to be read: `@file`, standard input, secrets from files. Always bounded,
 * and never waits for ever.
 */
import { constants, type Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { CliError } from "../errors.ts";
import { errnoOf } from "./errno.ts";
import { ioError } from "./ioerror.ts";
import { wordOf } from "./word.ts";

const NO_WAIT = constants.O_NONBLOCK ?? 0;
/** Loaded when something is read: most commands read nothing, and it takes 0.4 ms. */
const files = () => import("node:fs/promises");
const PIPE_POLL_MS = 20;
const PIPE_SILENCE_MS = 30_000;

const NO_SUCH_FILE = new Set([
  "",
  "ENOENT",
  "ENOTDIR",
  "ENAMETOOLONG",
  "EISDIR",
  "ELOOP",
  "ERR_INVALID_ARG_VALUE",
]);

/** What may not be read as input, and the end of the command's time. */
interface InputOptions {
  readonly secretFiles?: readonly string[];
  readonly stop?: AbortSignal | undefined;
  /** Told the facts about what was opened. */
  seen?(stats: Stats): void;
}

/**
 * Whether others can read a file that holds a secret of `uid`, or change it. A group may read a
 * file of root's: that is how container platforms hand out secrets.
 */
export function isOpenToOthers(stats: Stats, uid: number | undefined): boolean {
  if (uid === undefined || !stats.isFile()) return false;
  return (stats.mode & (stats.uid === uid && uid !== 0 ? 0o077 : 0o027)) !== 0;
}

/**
 * The bytes of a file or pipe (`<(…)`, /dev/stdin) that the user named. Throws INVALID_PATH when
 * there is none, or it is a directory or device, or one of `secretFiles` under whatever name;
 * PAYLOAD_TOO_LARGE above `maxBytes`; TIMEOUT when `stop` fires while a pipe is silent; IO_ERROR
 * when the system fails or a pipe is silent for 30 s. A named pipe may get its writer later.
 */
export async function readInputFile(
  path: string,
  maxBytes: number,
  { secretFiles = [], stop, seen }: InputOptions = {},
): Promise<Uint8Array> {
  try {
    const { open, stat } = await files();
    for (const secret of secretFiles) await refuseSecret(path, secret);
    // Opening is harmless for files and pipes only: looked at first, and again on the descriptor.
    refuseOthers(path, await stat(path));
    const file = await open(path, constants.O_RDONLY | NO_WAIT);
    try {
      const stats = await file.stat();
      refuseOthers(path, stats);
      seen?.(stats);
      const expectsWriter = stats.isFIFO() && (await isNamed(path));
      const bytes = await readAtMost(file, maxBytes, { expectsWriter, stop });
      if (bytes !== undefined) return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = NO_SUCH_FILE.has(errnoOf(cause)) ? "INVALID_PATH" : "IO_ERROR";
    throw ioError(code, `${fileOf(path)} could not be read.`, path, cause);
  }
  throw tooLarge(maxBytes);
}

function fileOf(path: string): string {
  const word = wordOf(path);
  return word === undefined ? "The named file" : `The file ${word}`;
}

function refuseOthers(path: string, stats: Stats): void {
  if (stats.isFile() || stats.isFIFO()) return;
  throw new CliError("INVALID_PATH", {
    message: `${wordOf(path) ?? "The named path"} is neither a file nor a pipe.`,
    hint: "Name a file that can be read.",
    details: { path },
  });
}

/** A secret that is taken for a document would be quoted, decoded or sent (SEC-1). */
async function refuseSecret(path: string, secret: string): Promise<void> {
  const { stat } = await files();
  const identities = await Promise.all(
    [path, secret].map((one) => stat(one, { bigint: true }).catch(() => undefined)),
  );
  const [given, kept] = identities;
  if (given === undefined || kept === undefined || given.ino !== kept.ino || given.dev !== kept.dev)
    return;
  throw new CliError("INVALID_PATH", {
    message: `${fileOf(path)} contains a secret that the environment configures; it is not read as input.`,
    hint: "Name the file that holds the document.",
    details: { path },
  });
}

function tooLarge(maxBytes: number): CliError {
  return new CliError("PAYLOAD_TOO_LARGE", {
    message: `The input has more than ${maxBytes} bytes.`,
    details: { maxBytes },
  });
}

/** Whether a pipe has a name by which a writer can still come; `<(…)` has none. */
async function isNamed(path: string): Promise<boolean> {
  const { realpath, stat } = await files();
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined) return false;
  return stat(target).then(
    (stats) => stats.isFIFO(),
    () => false,
  );
}

interface Pipe {
  /** No data and no writer yet is not the end. */
  readonly expectsWriter: boolean;
  readonly stop: AbortSignal | undefined;
}

/**
 * Reads to the end; undefined when there is more than `maxBytes`. A pipe without data is asked
 * again for 30 s (error EAGAIN), within the command's time (TIMEOUT).
 */
async function readAtMost(
  file: FileHandle,
  maxBytes: number,
  { expectsWriter, stop }: Pipe,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let silentMs = 0; size <= maxBytes; ) {
    const chunk = await readChunk(file, maxBytes + 1 - size, silentMs);
    const isEarly = chunk?.length === 0 && expectsWriter && size === 0;
    if (chunk === undefined || isEarly) {
      if (stop?.aborted === true) throw silent("TIMEOUT");
      if (isEarly && silentMs >= PIPE_SILENCE_MS) throw silent("IO_ERROR");
      silentMs += PIPE_POLL_MS;
      await new Promise((resolve) => setTimeout(resolve, PIPE_POLL_MS));
      continue;
    }
    if (chunk.length === 0) return Buffer.concat(chunks);
    silentMs = 0;
    chunks.push(chunk);
    size += chunk.length;
  }
  return undefined;
}

function silent(code: "TIMEOUT" | "IO_ERROR"): CliError {
  return new CliError(code, {
    message: "The named pipe was not written to in time.",
    hint: "Start the program that writes to the pipe, then run the command again.",
  });
}

/** The next bytes; none at the end; undefined when a pipe has no data yet. */
async function readChunk(
  file: FileHandle,
  wanted: number,
  silentMs: number,
): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(Math.min(wanted, 64 * 1024));
  try {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    if (errnoOf(cause) !== "EAGAIN" || silentMs >= PIPE_SILENCE_MS) throw cause;
    return undefined;
  }
}

/**
 * Everything that a stream contains, to its end. Throws PAYLOAD_TOO_LARGE above `maxBytes`,
 * IO_ERROR when the stream fails.
 */
async function readStream(stream: NodeJS.ReadableStream, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(bytes);
    }
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const details = { reason: errnoOf(cause) };
    throw new CliError("IO_ERROR", {
      message: "Standard input could not be read.",
      details,
      cause,
    });
  }
  return Buffer.concat(chunks);
}

/**
 * The same of standard input, which is never read from a terminal. Throws INVALID_JSON for one,
 * TIMEOUT when `stop` fires first.
 */
export async function readStdin(
  stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; destroy?(): unknown },
  maxBytes: number,
  stop: AbortSignal,
): Promise<Uint8Array> {
  if (stdin.isTTY === true) {
    throw new CliError("INVALID_JSON", {
      message: "Standard input is a terminal: pipe the document into the command.",
    });
  }
  // A pipe that stays open and silent must not hold the command beyond its time.
  const stopped = new Promise<never>((_, reject) => {
    const onStop = (): void => {
      reject(
        new CliError("TIMEOUT", {
          message: "Standard input was not complete before the command's time was over.",
        }),
      );
      stdin.destroy?.();
    };
    if (stop.aborted) onStop();
    stop.addEventListener("abort", onStop, { once: true });
  });
  const reading = readStream(stdin, maxBytes);
  reading.catch(() => undefined);
  return Promise.race([reading, stopped]);
}
