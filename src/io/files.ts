/**
 * Files of ours: the state directory and what lies in it (SES-1…4, SES-9), and files that the user
 * asks for. Secret files are judged on the descriptor before they are believed, and replaced whole
 * or not at all. On Windows (no uid) owner and mode say nothing and are not judged.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { lstat, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CliError, type ErrorCode } from "../errors.ts";
import { errnoOf, ioError } from "./ioerror.ts";
import { randomName } from "./random.ts";
import { visible } from "./unsafe.ts";

export { readInputFile, readStdin } from "./input.ts";

const OTHERS = 0o077;
const DAY_MS = 24 * 3600 * 1000;
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
      message: "A file in the state directory is larger than any that this program writes.",
    });
  } catch (cause) {
    throw ioError("SESSION_IO", "A file in the state directory could not be read.", path, cause);
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
    throw ioError("SESSION_IO", "A file in the state directory could not be opened.", path, cause);
  }
}

function judge(path: string, stats: Stats, uid: number | undefined): void {
  if (stats.isDirectory()) {
    throw new CliError("SESSION_IO", {
      message: "A directory lies where the session file belongs.",
      hint: `Remove it: rmdir ${quoted(path)}`,
      details: { path },
    });
  }
  if (!stats.isFile()) throw insecure(path, "It is no regular file.", `rm ${quoted(path)}`);
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
      message: "A file lies where the state directory belongs.",
      details: { path: directory },
    });
  }
  judgeRights(directory, stats, uid, "700");
}

function judgeRights(path: string, stats: Stats, uid: number | undefined, mode: string): void {
  if (uid === undefined) return;
  if (stats.uid !== uid)
    throw insecure(path, "It belongs to another user.", `chown ${uid} ${quoted(path)}`);
  if ((stats.mode & OTHERS) !== 0) {
    throw insecure(path, "Others have rights on it.", `chmod ${mode} ${quoted(path)}`);
  }
}

function insecure(path: string, why: string, command: string): CliError {
  return new CliError("SESSION_INSECURE", {
    message: `The state directory, or a file in it, is not this user's alone. ${why}`,
    hint: `Correct it, then log in again if others may have read it: ${command}`,
    details: { path },
  });
}

/** A path as one word for a shell, with nothing in it that acts on a terminal. */
function quoted(path: string): string {
  const shown = visible(path);
  return /^[A-Za-z0-9_./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}

/**
 * Makes the directory and missing parents, mode 0700 (SES-1), or checks that an existing one is
 * this user's alone. Nothing is made below a folder of somebody else (K12: root with a user's
 * HOME); one of root's, like /tmp, will do. Throws SESSION_INSECURE, SESSION_IO.
 */
export async function ensurePrivateDirectory(path: string, uid: number | undefined): Promise<void> {
  try {
    const existing = await nearest(path);
    if (existing.path !== path) {
      const owner = existing.stats.uid;
      if (uid !== undefined && owner !== uid && owner !== 0) {
        throw insecure(
          existing.path,
          "The folder that it would lie in belongs to another user.",
          "use your own HOME, or set LEDGER_ENTERPRISE_STATE_DIR",
        );
      }
      await makeDirectories(path, 0o700);
    }
    judgeDirectory(path, uid);
  } catch (cause) {
    throw ioError("SESSION_IO", "The state directory could not be made.", path, cause);
  }
}

/**
 * Makes a directory and its missing parents, each with `mode`. Not `recursive`: Node 22 never
 * returns from that where the system says of a new folder that its parent is missing although it is
 * there, as below /proc. Throws the system's error.
 */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  const missing: string[] = [];
  const existing = await nearest(resolve(path));
  for (let at = resolve(path); at !== existing.path; at = dirname(at)) missing.unshift(at);
  // A file in the way is the system's to name.
  if (!existing.stats.isDirectory()) await mkdir(existing.path);
  for (const directory of missing) {
    await mkdir(directory, { mode }).catch((cause: unknown) => {
      // Another process was faster; whether it is a directory shows when it is used.
      if (errnoOf(cause) !== "EEXIST") throw cause;
    });
  }
}

async function nearest(path: string): Promise<{ path: string; stats: Stats }> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, stats: await stat(at) };
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT" || dirname(at) === at) throw cause;
    }
  }
}

/**
 * Replaces a secret file by the recipe of SES-2; the old one stays whole until the new one is.
 * Throws SESSION_IO.
 */
export async function writePrivateFile(
  path: string,
  bytes: Uint8Array,
  options: { readonly mode: number },
): Promise<void> {
  await replaceFile(path, bytes, options.mode, "SESSION_IO");
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
    await createFile(temporary, bytes, mode);
    try {
      await rename(temporary, path);
    } catch (cause) {
      await unlink(temporary).catch(() => undefined);
      throw cause;
    }
  } catch (cause) {
    throw ioError(code, "The file could not be written.", path, cause);
  }
  await syncDirectory(dirname(path));
}

/**
 * Creates a file that must not exist, with exactly these rights whatever the umask; nothing is left
 * behind on failure.
 */
async function createFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW,
    mode,
  );
  try {
    await file.chmod(mode);
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
  } catch (cause) {
    await file.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw cause;
  }
}

/** Makes a rename last through a power cut, where the system offers it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close().catch(() => undefined);
}

/** Removes a file (a link itself, not its target); false when there was none. Throws SESSION_IO. */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(cause))) return false;
    throw ioError("SESSION_IO", "A file in the state directory could not be removed.", path, cause);
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
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter(isOld)) {
    const path = join(directory, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isFile() === true && clock() - stats.mtimeMs > olderThanMs)
      await unlink(path).catch(() => undefined);
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
 * Writes a file that must not exist yet (`keys generate --out`). Throws FILE_EXISTS, INVALID_PATH,
 * IO_ERROR.
 */
export async function writeNewFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  try {
    await createFile(path, bytes, mode);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "EEXIST")
      throw ioError(
        "FILE_EXISTS",
        "There is a file already, which was left as it is.",
        path,
        cause,
      );
    throw ioError(
      NOT_A_PLACE.has(errno) ? "INVALID_PATH" : "IO_ERROR",
      "The file could not be made.",
      path,
      cause,
    );
  }
  await syncDirectory(dirname(path));
}
