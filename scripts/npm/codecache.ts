/**
 * What Node compiled of the program, kept for the next command: starting takes a third less. It is
 * code, so it is believed only in a folder that is this user's alone, in a state folder that is
 * there already and this user's alone too. Elsewhere, and where it cannot be read or written, the
 * program compiles as if there were none, and says nothing.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Script } from "node:vm";
import { locateState } from "../../src/core/auth/statelocation.ts";

/** The folder's name below the state folder. */
const FOLDER = "code";
const MAGIC = "ledger-enterprise-cli code 1";
const OTHERS = 0o077;
const MAX_BYTES = 32 * 1024 * 1024;
/** What has to be free on the disk: a session must never lack the room that this takes. */
const ROOM_BYTES = 64 * 1024 * 1024;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

interface CodeCache {
  /** What was compiled of a chunk. */
  codeOf(chunk: number): Buffer | undefined;
  /** Replaces the file by what was compiled of these chunks and of those that it has. */
  keep(scripts: ReadonlyMap<number, Script>): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The cache of the program file with this id; undefined where there may be none: under another
 * effective user or group, on Windows, whose rights are not judged, and where the user switched
 * Node's own cache off (NODE_DISABLE_COMPILE_CACHE).
 */
export function openCodeCache(id: string, env: Environment): CodeCache | undefined {
  const uid = process.getuid?.();
  if (uid === undefined || process.geteuid?.() !== uid) return undefined;
  if (process.getegid?.() !== process.getgid?.()) return undefined;
  if ((env.NODE_DISABLE_COMPILE_CACHE ?? "") !== "") return undefined;
  const state = locateState(env, env.HOME, process.platform)?.path ?? "";
  if (!isAbsolute(state) || state.includes("\ufffd")) return undefined;
  if (!isOwn(folderAt(state, statSync), uid)) return undefined;
  const folder = join(state, FOLDER);
  const name = `${id}-${process.version}-${process.arch}`;
  const code = isOwn(folderAt(folder, lstatSync), uid)
    ? readCode(join(folder, name), uid)
    : undefined;
  return {
    codeOf: (chunk) => code?.get(chunk),
    keep(scripts) {
      try {
        if (!hasRoom(state)) return;
        const all = new Map(code);
        writeCode(folder, name, id, uid, () => {
          for (const [chunk, script] of scripts) all.set(chunk, script.createCachedData());
          return all;
        });
      } catch {
        // A full disk, or one that cannot be written.
      }
    },
  };
}

function folderAt(path: string, look: (path: string) => Stats): Stats | undefined {
  try {
    const stats = look(path);
    return stats.isDirectory() ? stats : undefined;
  } catch {
    return undefined;
  }
}

function hasRoom(path: string): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize >= ROOM_BYTES;
}

function isOwn(stats: Stats | undefined, uid: number): boolean {
  return stats !== undefined && stats.uid === uid && (stats.mode & OTHERS) === 0;
}

/**
 * A line with the number and length of each chunk, and the chunks, twice: Node breaks down over
 * code that was damaged on a disk, and comparing takes less than any sum.
 */
function readCode(path: string, uid: number): Map<number, Buffer> | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile() || !isOwn(stats, uid) || stats.size > MAX_BYTES) return undefined;
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    if (readSync(file, bytes, 0, stats.size, 0) !== stats.size) return undefined;
    return parseCode(bytes);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function parseCode(bytes: Buffer): Map<number, Buffer> | undefined {
  const half = bytes.length / 2;
  if (!Number.isInteger(half) || bytes.compare(bytes, 0, half, half) !== 0) return undefined;
  const end = bytes.indexOf(10);
  const [magic, ...parts] = bytes.toString("latin1", 0, end).split(",");
  if (magic !== MAGIC) return undefined;
  const code = new Map<number, Buffer>();
  let at = end + 1;
  for (const part of parts) {
    const [chunk = Number.NaN, length = Number.NaN] = part.split(":").map(Number);
    // V8 reads words at their places.
    at = aligned(at);
    if (!(at + length <= half)) return undefined;
    code.set(chunk, bytes.subarray(at, at + length));
    at += length;
  }
  return code;
}

function aligned(at: number): number {
  return Math.ceil(at / 8) * 8;
}

function formCode(code: ReadonlyMap<number, Buffer>): Buffer {
  const parts = [...code].map(([chunk, { length }]) => `${chunk}:${length}`);
  const head = Buffer.from(`${[MAGIC, ...parts].join(",")}\n`, "latin1");
  const pieces: Buffer[] = [head];
  let at = head.length;
  for (const piece of code.values()) {
    pieces.push(Buffer.alloc(aligned(at) - at), piece);
    at = aligned(at) + piece.length;
  }
  pieces.push(Buffer.alloc(aligned(at) - at));
  return Buffer.concat([...pieces, ...pieces]);
}

/** Opens before it compiles: where nothing can be written, that would be in vain each time. */
function writeCode(
  folder: string,
  name: string,
  id: string,
  uid: number,
  make: () => ReadonlyMap<number, Buffer>,
): void {
  if (folderAt(folder, lstatSync) === undefined) mkdirSync(folder, { mode: 0o700 });
  if (!isOwn(folderAt(folder, lstatSync), uid)) return;
  const temporary = join(folder, `${name}.${process.pid}`);
  const file = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const bytes = formCode(make());
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    renameSync(temporary, join(folder, name));
  } catch (cause) {
    unlinkSync(temporary);
    throw cause;
  } finally {
    closeSync(file);
  }
  // What other versions of the program left, or processes that were killed meanwhile.
  for (const other of readdirSync(folder))
    if (!other.startsWith(`${id}-`) || /\.\d+$/.test(other)) unlinkSync(join(folder, other));
}
