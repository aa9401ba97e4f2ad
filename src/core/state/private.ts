/**
 * Files that are this user's alone (SES-1…4, SES-9): judged on the descriptor before they are
 * believed, and replaced whole or not at all. On Windows (no uid) owner and mode say nothing and
 * are not judged. Only folder.ts uses this.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { makeDirectories, nearest, replaceFile } from "../../io/files.ts";
import { ioError } from "../../io/ioerror.ts";
import { visible } from "../../io/unsafe.ts";

const OTHERS = 0o077;
/** Absent on Windows, where links need a privilege to be made. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_WAIT = constants.O_NONBLOCK ?? 0;

/**
 * The bytes of a secret file, or undefined when there is none (SES-3). Throws SESSION_INSECURE with
 * the command that helps for a link, a file that is none, another owner, or rights for others, on
 * the file or its directory; SESSION_IO for a directory in its place (K04) and when the system
 * fails; SESSION_CORRUPT above `maxBytes`.
 */
export async function readPrivateFile(
  path: string,
  options: { readonly maxBytes: number; readonly uid: number | undefined },
): Promise<Uint8Array | undefined> {
  const { maxBytes, uid } = options;
  const file = openPrivate(path, uid);
  if (file === undefined) return undefined;
  try {
    const stats = fstatSync(file);
    judge(path, stats, uid);
    judgeDirectory(dirname(path), uid);
    const bytes = stats.size > maxBytes ? undefined : readWhole(file, stats.size);
    if (bytes !== undefined) return bytes;
    throw new CliError("SESSION_CORRUPT", {
      message: "A file in the state folder is larger than any that this program writes.",
    });
  } catch (cause) {
    throw ioError("SESSION_IO", "A file in the state folder could not be read.", path, cause);
  } finally {
    closeSync(file);
  }
}

/**
 * Small files of ours are read on the spot: a trip to the thread pool for each step costs a warm
 * command more than its call to the API.
 */
function openPrivate(path: string, uid: number | undefined): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | NO_FOLLOW | NO_WAIT);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    // What cannot even be opened (a link, a socket, a stranger's file) is told apart by looking at
    // it from outside.
    const stats = seenFromOutside(path);
    if (stats !== undefined) judge(path, stats, uid);
    throw ioError("SESSION_IO", "A file in the state folder could not be opened.", path, cause);
  }
}

function judge(path: string, stats: Stats, uid: number | undefined): void {
  if (stats.isDirectory()) {
    throw new CliError("SESSION_IO", {
      message: "A folder is in the place of the session file.",
      hint: `Remove it: rmdir ${quoted(path)}`,
      details: { path },
    });
  }
  if (!stats.isFile()) throw insecure(path, "It is not a regular file.", `rm ${quoted(path)}`);
  judgeRights(path, stats, uid, "600");
}

function seenFromOutside(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/**
 * The bytes of a regular file of `sizeBytes`, or undefined when it has grown meanwhile: ours never
 * do, they are replaced.
 */
function readWhole(file: number, sizeBytes: number): Uint8Array | undefined {
  const buffer = new Uint8Array(sizeBytes + 1);
  let size = 0;
  for (;;) {
    const read = readSync(file, buffer, size, buffer.length - size, null);
    size += read;
    if (size > sizeBytes) return undefined;
    if (read === 0) return buffer.subarray(0, size);
  }
}

function judgeDirectory(directory: string, uid: number | undefined): void {
  const stats = statSync(directory);
  if (!stats.isDirectory()) {
    throw new CliError("SESSION_IO", {
      message: "A file is in the place of the state folder.",
      details: { path: directory },
    });
  }
  judgeRights(directory, stats, uid, "700");
}

const OWN_FOLDER = "Name a folder of your own in LEDGER_ENTERPRISE_STATE_DIR.";

function judgeRights(path: string, stats: Stats, uid: number | undefined, mode: string): void {
  if (uid === undefined) return;
  if (stats.uid === 0 && uid !== 0 && stats.isDirectory()) {
    // A volume that a container was given: root's, and perhaps writable for everybody.
    const isOpen = (stats.mode & 0o003) === 0o003;
    throw new CliError("SESSION_INSECURE", {
      message: "The state folder belongs to root, not to this user.",
      hint: isOpen
        ? `Name a folder below it, which this program then makes: LEDGER_ENTERPRISE_STATE_DIR=${quoted(join(path, "state"))}`
        : OWN_FOLDER,
      details: { path },
    });
  }
  if (stats.uid !== uid) {
    const repair = `${OWN_FOLDER} Or an administrator runs: chown ${uid} ${quoted(path)}`;
    throw insecure(path, "It belongs to another user.", repair);
  }
  if ((stats.mode & OTHERS) !== 0) {
    const repair = `Correct it, then log in again if others may have read it: chmod ${mode} ${quoted(path)}`;
    throw insecure(path, "Others have rights on it.", repair);
  }
}

function insecure(path: string, why: string, hint: string): CliError {
  return new CliError("SESSION_INSECURE", {
    message: `Other users can access the state folder, or a file in it. ${why}`,
    hint,
    details: { path },
  });
}

/** A path as one word for a shell, with nothing in it that acts on a terminal. */
function quoted(path: string): string {
  const shown = visible(path);
  return /^[A-Za-z0-9_./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}

/** True when the directory is there and is not this user's alone. */
export function isExposed(directory: string, uid: number | undefined): boolean {
  const stats = seenFromOutside(directory);
  if (stats === undefined || uid === undefined) return false;
  return !stats.isDirectory() || stats.uid !== uid || (stats.mode & OTHERS) !== 0;
}

/**
 * Appends to a private file, which it makes when there is none. Judged on the descriptor like a
 * read. `isDurable`: returns when the bytes are on the disk. Throws SESSION_INSECURE, SESSION_IO.
 */
export function appendPrivateFile(
  path: string,
  bytes: Uint8Array,
  uid: number | undefined,
  isDurable: boolean,
): void {
  let file: number | undefined;
  try {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | NO_FOLLOW | NO_WAIT;
    file = openSync(path, flags, 0o600);
    judge(path, fstatSync(file), uid);
    // One call: what two processes append at once is not mixed.
    if (writeSync(file, bytes) !== bytes.length) throw new Error("The disk took a part only.");
    if (isDurable) fdatasyncSync(file);
  } catch (cause) {
    const stats = file === undefined ? seenFromOutside(path) : undefined;
    if (stats !== undefined) judge(path, stats, uid);
    throw ioError("SESSION_IO", "A file in the state folder could not be extended.", path, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Makes the directory and missing parents, mode 0700 (SES-1), or checks that an existing one is
 * this user's alone. Nothing is made below a folder of somebody else (K12: root with a user's
 * HOME); one of root's, like /tmp, will do. Throws SESSION_INSECURE, SESSION_IO.
 */
export async function ensurePrivateDirectory(path: string, uid: number | undefined): Promise<void> {
  try {
    const existing = nearest(path);
    if (existing.path !== path) {
      const owner = existing.stats.uid;
      if (uid !== undefined && owner !== uid && owner !== 0) {
        throw insecure(
          existing.path,
          "The folder that would contain it belongs to another user.",
          "use your own HOME, or set LEDGER_ENTERPRISE_STATE_DIR",
        );
      }
      await makeDirectories(path, 0o700);
    }
    judgeDirectory(path, uid);
  } catch (cause) {
    throw ioError("SESSION_IO", "The state folder could not be made.", path, cause);
  }
}

/**
 * Replaces a secret file by the recipe of SES-2; the old one stays whole until the new one is.
 * Throws SESSION_IO.
 */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  await replaceFile(path, bytes, 0o600, "SESSION_IO");
}

/** How much longer than its present content the next content of a proven file may be. */
const GROWTH_BYTES = 8 * 1024;

/**
 * Proves that a JSON file can be replaced, by the very steps of `writePrivateFile`: its present
 * `bytes` are written again, with white space for a longer content, which is then cut off. Throws
 * SESSION_IO; the file then still has its content.
 */
export async function provePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const padded = new Uint8Array(bytes.length + GROWTH_BYTES).fill(0x20);
  padded.set(bytes);
  await writePrivateFile(path, padded);
  try {
    truncateSync(path, bytes.length);
  } catch (cause) {
    throw ioError("SESSION_IO", "The file could not be written.", path, cause);
  }
}

/** Removes a file (a link itself, not its target); false when there was none. Throws SESSION_IO. */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    unlinkSync(path);
    return true;
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(cause))) return false;
    throw ioError("SESSION_IO", "A file in the state folder could not be removed.", path, cause);
  }
}
