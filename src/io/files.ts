/**
 * Writing files: whole or not at all, new ones only where there is none, folders with their rights,
 * and what killed processes left behind. Each step is made on the spot: a trip to the thread pool
 * takes longer than the step, and writing one small file takes a dozen.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CliError, type ErrorCode } from "../errors.ts";
import { errnoOf } from "./errno.ts";
import { ioError } from "./ioerror.ts";
import { randomName } from "./random.ts";
import { wordOf } from "./word.ts";

const DAY_MS = 24 * 3600 * 1000;
/** Absent on Windows, where links need a privilege to be made. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

/**
 * Makes a directory and its missing parents, each with `mode`. Not `recursive`: Node 22 never
 * returns from that where the system says of a new folder that its parent is missing although it is
 * there, as below /proc. Throws the system's error.
 */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  const missing: string[] = [];
  const existing = nearest(resolve(path));
  for (let at = resolve(path); at !== existing.path; at = dirname(at)) missing.unshift(at);
  // A file in the way is the system's to name.
  if (!existing.stats.isDirectory()) mkdirSync(existing.path);
  for (const directory of missing) {
    try {
      mkdirSync(directory, { mode });
    } catch (cause) {
      // Another process was faster; whether it is a directory shows when it is used.
      if (errnoOf(cause) !== "EEXIST") throw cause;
    }
  }
}

/** The nearest folder above `path` that is there, or `path` itself. Throws the system's error. */
export function nearest(path: string): { path: string; stats: Stats } {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, stats: statSync(at) };
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT" || dirname(at) === at) throw cause;
    }
  }
}

/**
 * Puts a complete file in the place of `path` (SES-2, INS-1, INS-4): new file beside it with a
 * random name, all bytes, fsync, rename. A link in its place is replaced, not followed. On failure
 * the new file is removed and the old one untouched; throws `code`.
 */
export async function replaceFile(
  path: string,
  bytes: Uint8Array,
  mode: number,
  code: ErrorCode,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomName(8)}.tmp`);
  try {
    createFile(temporary, bytes, mode);
    try {
      renameSync(temporary, path);
    } catch (cause) {
      removeQuietly(temporary);
      throw cause;
    }
  } catch (cause) {
    throw ioError(code, "The file could not be written.", path, cause);
  }
  syncDirectory(dirname(path));
}

/**
 * Creates a file that must not exist, with exactly these rights whatever the umask; nothing is left
 * behind on failure. Works on descriptors: the `FileHandle` of Yarn's Plug'n'Play has no `sync`.
 */
function createFile(path: string, bytes: Uint8Array, mode: number): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
  const file = openSync(path, flags, mode);
  try {
    try {
      fchmodSync(file, mode);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    removeQuietly(path);
    throw cause;
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, or a later sweep removes it.
  }
}

/** Makes a rename last through a power cut, where the system offers it. */
function syncDirectory(directory: string): void {
  try {
    const file = openSync(directory, constants.O_RDONLY);
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch {
    // Windows and some file systems cannot; the rename itself was carried out.
  }
}

/** What killed processes leave: temporary files of `replaceFile`, claims of the lock. */
function isTemporary(name: string): boolean {
  return /\.[0-9a-z]{1,64}\.tmp$/.test(name);
}

/**
 * Removes files that were last written more than `olderThanMs` ago: what killed processes left
 * (K08), or what `isOld` names. Never fails: a file that cannot be removed now can be removed
 * another day.
 */
export async function sweepLeftovers(
  directory: string,
  clock: () => number,
  olderThanMs = DAY_MS,
  isOld: (name: string) => boolean = isTemporary,
): Promise<void> {
  const names = attempt(() => readdirSync(directory)) ?? [];
  for (const name of names.filter(isOld)) {
    const path = join(directory, name);
    const stats = attempt(() => lstatSync(path));
    if (stats?.isFile() === true && clock() - stats.mtimeMs > olderThanMs) removeQuietly(path);
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

const NOT_A_PLACE = new Set([
  "ENOENT",
  "ENOTDIR",
  "ENAMETOOLONG",
  "EISDIR",
  "ELOOP",
  "EINVAL",
  "ERR_INVALID_ARG_VALUE",
]);

/**
 * Writes a file that must not exist yet (`keys generate --out`). `option` named it. Throws
 * FILE_EXISTS, INVALID_PATH,
 * IO_ERROR.
 */
export async function writeNewFile(
  path: string,
  bytes: Uint8Array,
  mode: number,
  option?: string,
): Promise<void> {
  try {
    createFile(path, bytes, mode);
  } catch (cause) {
    const errno = errnoOf(cause);
    const named = option === undefined ? {} : { field: option };
    const details = { reason: errno, path };
    const word = wordOf(path);
    const at = word === undefined ? "" : `, ${word}`;
    if (errno === "EEXIST") {
      throw new CliError("FILE_EXISTS", {
        message: `${option === undefined ? "There is a file already" : `${option} names a file that exists${at}`}; it was left as it is.`,
        ...named,
        details,
        cause,
      });
    }
    const code = NOT_A_PLACE.has(errno) ? "INVALID_PATH" : "IO_ERROR";
    throw new CliError(code, {
      message: `The file${at} could not be made.`,
      ...{ ...named, details, cause },
    });
  }
  syncDirectory(dirname(path));
}
