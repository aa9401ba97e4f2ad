/**
 * A log whose lines are chained (docs/audit-format.md): each line holds the SHA-256 of the bytes
 * before it, and a head file says where the last one ends. Journal and audit trail are two of
 * these. All steps are synchronous and expect that the caller holds the lock of the logs.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { randomName } from "../../io/random.ts";
import { escapeUnsafe } from "../../io/unsafe.ts";
import { isWholeLine, LINE_MAX_BYTES, NO_HASH, readLine } from "./line.ts";

/**
 * Where a log ends: `size` in bytes of `file`, `hash` over the last line's bytes in hexadecimal.
 */
export interface Head {
  readonly log: string;
  readonly file: string;
  readonly size: number;
  readonly seq: number;
  readonly hash: string;
}

/** What a line says, in the order in which it says it; members that are undefined are left out. */
export interface LineDraft {
  readonly event: string;
  readonly members: Readonly<Record<string, unknown>>;
  /** The level of protection that the writer runs under. */
  readonly level: "none" | "advisory" | "enforced";
}

export interface ChainHost {
  /** The folder of the log; its parent exists and is this user's alone. */
  readonly directory: string;
  readonly name: "audit" | "journal";
  readonly uid: number | undefined;
  now(): number;
}

/** A file is closed with a line `rotated` above this size, and when the month (UTC) changes. */
export const ROTATION_BYTES = 16 * 1024 * 1024;
const HEAD_BYTES = 512;
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const OTHERS = 0o077;

/** One chained log. Nothing is kept in memory between two calls. */
export class Chain {
  constructor(private readonly host: ChainHost) {}

  /**
   * The head, or undefined when the log was never begun. Throws AUDIT_BROKEN when files are there
   * without a usable head, AUDIT_UNAVAILABLE when the system fails.
   */
  head(): Head | undefined {
    return this.guarded(() => this.readHead());
  }

  get name(): "audit" | "journal" {
    return this.host.name;
  }

  /** Name of the head file, for messages and for `verify`. */
  get headPath(): string {
    return join(this.host.directory, `${this.host.name}.head`);
  }

  /** The log's files in the order of their names, which is the order of their lines. */
  files(): string[] {
    return this.guarded(() => listFiles(this.host.directory, this.host.name));
  }

  /**
   * Appends the lines in one write and syncs them. A log that does not exist is begun; a torn tail
   * is closed with a line `gap`; lines beyond the head are followed. Throws AUDIT_UNAVAILABLE and
   * AUDIT_BROKEN; then nothing may be done that the lines announce.
   *
   * `isLazy` leaves the sync to the next append: for lines that a power cut may take away. The head
   * stays behind them, because a head may never be ahead of what is on the disk.
   */
  append(drafts: readonly LineDraft[], { isLazy = false }: { isLazy?: boolean } = {}): Head {
    return this.guarded(() => {
      const [first] = drafts;
      if (first === undefined) throw new Error("an append without a line");
      const begun = this.readHead() ?? this.begin(first.level, "genesis", {});
      const at = this.recover(begun, first.level);
      const rotated = this.rotated(at, first.level);
      return this.write(rotated, drafts, isLazy);
    });
  }

  /** Whether the log ends at `end`, as far as its head and its size tell. */
  endsAt(end: Head): boolean {
    return this.guarded(() => {
      const head = this.readHead();
      if (head?.log !== end.log || head.file !== end.file || head.seq > end.seq) return false;
      if (head.seq === end.seq && head.hash !== end.hash) return false;
      return attempt(() => lstatSync(join(this.host.directory, end.file)))?.size === end.size;
    });
  }

  /** Begins the log when it was never begun. */
  ensure(level: LineDraft["level"]): void {
    this.guarded(() => this.readHead() ?? this.begin(level, "genesis", {}));
  }

  /**
   * Begins a new log after one that is broken, whose files stay where they are. The first line is
   * `restarted` and holds `reason` and the old head as far as it can be read.
   */
  restart(reason: string, level: LineDraft["level"]): Head {
    return this.guarded(() => {
      const { directory } = this.host;
      const before = attempt(() => this.readHead());
      let kept: string | undefined;
      if (attempt(() => lstatSync(directory)) !== undefined) {
        kept = `${directory}.broken.${new Date(this.host.now()).toISOString().replace(/\D/g, "")}`;
        renameSync(directory, kept);
      }
      const old = before === undefined ? null : `${before.log} ${before.seq} ${before.hash}`;
      return this.begin(level, "restarted", { reason, before: old });
    });
  }

  /** The log's folder with its first file and head appears at once, by one rename. */
  private begin(
    level: LineDraft["level"],
    event: "genesis" | "restarted",
    data: Readonly<Record<string, unknown>>,
  ): Head {
    const { directory, name } = this.host;
    const log = randomName(16);
    const file = fileName(name, log, 1);
    const line = composeLine(
      { log, seq: 1, prev: NO_HASH, time: this.host.now() },
      { event, members: { data: event === "genesis" ? undefined : data }, level },
    );
    const head = { log, file, size: line.length, seq: 1, hash: hashLine(line) };
    const made = `${directory}.${randomName(8)}.tmp`;
    mkdirSync(made, { mode: 0o700 });
    try {
      createSynced(join(made, file), line);
      createSynced(join(made, `${name}.head`), headBytes(head));
      syncDirectory(made);
      renameSync(made, directory);
      syncDirectory(join(directory, ".."));
    } catch (cause) {
      rmSync(made, { recursive: true, force: true });
      throw cause;
    }
    return head;
  }

  private readHead(): Head | undefined {
    const { directory, name, uid } = this.host;
    const folder = attempt(() => lstatSync(directory), ["ENOENT"]);
    if (folder === undefined) return undefined;
    if (!folder.isDirectory())
      throw broken(directory, undefined, "The log's folder is not a folder.");
    requireOwn(directory, folder, uid, true);
    let descriptor: number;
    try {
      descriptor = openSync(this.headPath, constants.O_RDONLY | NO_FOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ELOOP")
        throw broken(`${name}.head`, undefined, "The head file is lost.");
      throw cause;
    }
    try {
      requireOwn(this.headPath, fstatSync(descriptor), uid, false);
      const bytes = readAt(descriptor, 0, HEAD_BYTES + 1);
      const head = parseHead(bytes);
      if (head === undefined)
        throw broken(`${name}.head`, undefined, "The head file is not usable.");
      return head;
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * From the head to the true end of the log: a process that was killed between line and head left
   * the head behind. Returns the head of the last line.
   */
  private recover(from: Head, level: LineDraft["level"]): Head {
    let head = from;
    for (;;) {
      const followed = this.follow(head, level);
      head = followed.head;
      if (followed.next === undefined) return head;
      const path = join(this.host.directory, followed.next);
      if (attempt(() => lstatSync(path), ["ENOENT"]) === undefined) {
        createSynced(path, new Uint8Array(0));
        syncDirectory(this.host.directory);
      }
      head = { ...head, file: followed.next, size: 0 };
      this.writeHead(head);
    }
  }

  /** The last line of the head's file; `next` is the file that a line `rotated` names. */
  private follow(head: Head, level: LineDraft["level"]): { head: Head; next: string | undefined } {
    const descriptor = this.openLog(head.file);
    try {
      const { size } = fstatSync(descriptor);
      if (size < head.size)
        throw broken(head.file, undefined, "The file is shorter than the head says.");
      const last = lastLine(
        readAt(descriptor, Math.max(0, head.size - LINE_MAX_BYTES - 1), head.size),
      );
      if (head.size > 0 && (last === undefined || hashLine(last) !== head.hash))
        throw broken(head.file, head.seq, "The last line is not the one that the head names.");
      const rest = readAt(descriptor, head.size, size);
      const followed = followLines(head, rest);
      const closed = rest.length > followed.bytes;
      const at = closed
        ? this.closeGap(descriptor, head.file, followed, rest, level)
        : followed.head;
      const line = closed ? undefined : (followed.last ?? last);
      const event = line === undefined ? undefined : readLine(line);
      const next = event?.event === "rotated" ? nextFile(head.file) : undefined;
      return { head: at, next };
    } finally {
      closeSync(descriptor);
    }
  }

  /** Closes what a killed write left with a newline and a line `gap` that covers its bytes. */
  private closeGap(
    descriptor: number,
    file: string,
    followed: { readonly head: Head; readonly bytes: number },
    rest: Uint8Array,
    level: LineDraft["level"],
  ): Head {
    const { head } = followed;
    const torn = rest.subarray(followed.bytes);
    const text = torn[torn.length - 1] === NEWLINE ? torn.subarray(0, -1) : torn;
    const data = { after: head.hash, bytes: text.length };
    const facts = { log: head.log, seq: head.seq + 1, prev: hashLine(text), time: this.host.now() };
    const line = composeLine(facts, { event: "gap", members: { data }, level });
    const bytes = text === torn ? Buffer.concat([Buffer.from("\n"), line]) : line;
    appendSynced(descriptor, bytes);
    const size = head.size + text.length + 1 + line.length;
    const at = { log: head.log, file, size, seq: head.seq + 1, hash: hashLine(line) };
    this.writeHead(at);
    return at;
  }

  /** The head itself, or that of a new file when the old one is full or of another month. */
  private rotated(head: Head, level: LineDraft["level"]): Head {
    if (head.size === 0) return head;
    const isFull = head.size >= ROTATION_BYTES;
    if (!isFull && !this.isOfAnotherMonth(head)) return head;
    const next = nextFile(head.file);
    const draft = { event: "rotated", members: { data: { next } }, level };
    const closed = this.write(head, [draft], false);
    return this.recover(closed, level);
  }

  private isOfAnotherMonth(head: Head): boolean {
    const path = join(this.host.directory, head.file);
    const { mtimeMs } = lstatSync(path);
    const month = (ms: number): string => new Date(ms).toISOString().slice(0, 7);
    return month(mtimeMs) < month(this.host.now());
  }

  private write(head: Head, drafts: readonly LineDraft[], isLazy: boolean): Head {
    const lines: Uint8Array[] = [];
    let { seq, hash } = head;
    for (const draft of drafts) {
      seq += 1;
      const line = composeLine({ log: head.log, seq, prev: hash, time: this.host.now() }, draft);
      hash = hashLine(line);
      lines.push(line);
    }
    const bytes = Buffer.concat(lines);
    const descriptor = this.openLog(head.file);
    try {
      append(descriptor, bytes);
      if (!isLazy) sync(descriptor);
      // A file that was removed or replaced meanwhile keeps the line where it cannot be found.
      const named = attempt(() => lstatSync(join(this.host.directory, head.file)));
      if (named?.ino !== fstatSync(descriptor).ino)
        throw broken(head.file, seq, "The file was replaced while a line was written.");
    } finally {
      closeSync(descriptor);
    }
    const written = { log: head.log, file: head.file, size: head.size + bytes.length, seq, hash };
    if (!isLazy) this.writeHead(written);
    return written;
  }

  private openLog(file: string): number {
    const path = join(this.host.directory, file);
    let descriptor: number;
    try {
      descriptor = openSync(
        path,
        constants.O_RDWR | constants.O_APPEND | NO_FOLLOW | constants.O_NONBLOCK,
      );
    } catch (cause) {
      if (["ENOENT", "ELOOP", "EISDIR", "ENXIO"].includes(errnoOf(cause)))
        throw broken(file, undefined, "The file that the head names is missing.");
      throw cause;
    }
    try {
      requireOwn(path, fstatSync(descriptor), this.host.uid, false);
      return descriptor;
    } catch (cause) {
      closeSync(descriptor);
      throw cause;
    }
  }

  /**
   * The head is one sector, written in place and not synced: a head that is behind is followed, and
   * a process that is killed leaves the old one or the new one.
   */
  private writeHead(head: Head): void {
    const descriptor = openSync(this.headPath, constants.O_WRONLY | NO_FOLLOW);
    try {
      writeSync(descriptor, headBytes(head), 0, HEAD_BYTES, 0);
    } finally {
      closeSync(descriptor);
    }
  }

  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (cause instanceof CliError || errnoOf(cause) === "") throw cause;
      throw new CliError("AUDIT_UNAVAILABLE", {
        message: `The ${this.host.name} log cannot be written; nothing was sent.`,
        details: { reason: errnoOf(cause), path: this.host.directory },
        cause,
      });
    }
  }
}

const NEWLINE = 0x0a;

/** SHA-256 in hexadecimal over a line's bytes without its newline. */
export function hashLine(line: Uint8Array): string {
  const bytes = line[line.length - 1] === NEWLINE ? line.subarray(0, -1) : line;
  return createHash("sha256").update(bytes).digest("hex");
}

/** The failure of a log that was changed by somebody else. */
export function broken(file: string, line: number | undefined, reason: string): CliError {
  return new CliError("AUDIT_BROKEN", {
    message: `A log was changed since this program wrote it: ${reason}`,
    details: { file, ...(line === undefined ? {} : { line }), reason },
  });
}

/** One line of format v1 with its newline. Throws when it is longer than a line may be. */
function composeLine(
  at: { readonly log: string; readonly seq: number; readonly prev: string; readonly time: number },
  { event, members, level }: LineDraft,
): Uint8Array {
  const time = new Date(at.time).toISOString();
  const document = {
    v: 1,
    log: at.log,
    seq: at.seq,
    time,
    prev: at.prev,
    event,
    ...members,
    level,
  };
  const bytes = Buffer.from(`${escapeUnsafe(JSON.stringify(document))}\n`);
  if (bytes.length > LINE_MAX_BYTES) throw new Error("a log line that is too long");
  return bytes;
}

/** Whole, chained lines at the start of `rest`, and the bytes that they take. */
function followLines(
  from: Head,
  rest: Uint8Array,
): { head: Head; bytes: number; last: Uint8Array | undefined } {
  let head = from;
  let bytes = 0;
  let last: Uint8Array | undefined;
  while (bytes < rest.length) {
    const end = rest.indexOf(NEWLINE, bytes);
    const line = rest.subarray(bytes, end === -1 ? rest.length : end);
    const facts = isWholeLine(line) ? readLine(line) : undefined;
    const isNext =
      facts?.log === head.log && facts.seq === head.seq + 1 && facts.prev === head.hash;
    // A whole line whose newline is missing is closed by the gap that follows it.
    if (end === -1 || !isNext) break;
    bytes = end + 1;
    last = line;
    head = { ...head, size: from.size + bytes, seq: head.seq + 1, hash: hashLine(line) };
  }
  return { head, bytes, last };
}

function lastLine(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[bytes.length - 1] !== NEWLINE) return undefined;
  const start = bytes.lastIndexOf(NEWLINE, bytes.length - 2);
  return bytes.subarray(start + 1, bytes.length - 1);
}

function fileName(name: string, log: string, number: number): string {
  return `${name}-${log.slice(0, 8)}-${String(number).padStart(6, "0")}.jsonl`;
}

function nextFile(file: string): string {
  return file.replace(/\d{6}(?=\.jsonl$)/, (digits) => String(Number(digits) + 1).padStart(6, "0"));
}

function listFiles(directory: string, name: string): string[] {
  const form = new RegExp(`^${name}-[0-9a-f]{8}-\\d{6}\\.jsonl$`);
  const names = attempt(() => readdirSync(directory), ["ENOENT"]) ?? [];
  return names.filter((file) => form.test(file)).sort();
}

function headBytes(head: Head): Uint8Array {
  const { log, file, size, seq, hash } = head;
  const text = JSON.stringify({ v: 1, log, file, size, seq, hash });
  return Buffer.from(`${text.padEnd(HEAD_BYTES - 1)}\n`);
}

const HEAD_FORM =
  /^\{"v":1,"log":"([0-9a-f]{32})","file":"((?:audit|journal)-[0-9a-f]{8}-\d{6}\.jsonl)","size":(\d{1,15}),"seq":(\d{1,15}),"hash":"([0-9a-f]{64})"\} *\n$/;

function parseHead(bytes: Uint8Array): Head | undefined {
  const [, log, file, size, seq, hash] =
    HEAD_FORM.exec(Buffer.from(bytes).toString("latin1")) ?? [];
  if (log === undefined || file === undefined || hash === undefined) return undefined;
  return { log, file, size: Number(size), seq: Number(seq), hash };
}

/** The bytes from `start` to `end`, or to the end of the file when it is shorter. */
function readAt(descriptor: number, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, end - start));
  let size = 0;
  while (size < bytes.length) {
    const read = readSync(descriptor, bytes, size, bytes.length - size, start + size);
    if (read === 0) break;
    size += read;
  }
  return bytes.subarray(0, size);
}

function append(descriptor: number, bytes: Uint8Array): void {
  const written = writeSync(descriptor, bytes, 0, bytes.length);
  if (written !== bytes.length) throw noSpace();
}

/** The flag exists on Linux only. */
const IS_LINUX = constants.O_NOATIME !== undefined;

/**
 * On Linux `fdatasync` covers the bytes, the file's size and the drive's cache; `fsync` would only
 * add its times. On macOS only the first of both may empty the drive's cache.
 */
function sync(descriptor: number): void {
  fdatasyncSync(descriptor);
  if (!IS_LINUX) fsyncSync(descriptor);
}

function appendSynced(descriptor: number, bytes: Uint8Array): void {
  append(descriptor, bytes);
  sync(descriptor);
}

function createSynced(path: string, bytes: Uint8Array): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
  const descriptor = openSync(path, flags, 0o600);
  try {
    appendSynced(descriptor, bytes);
  } finally {
    closeSync(descriptor);
  }
}

function noSpace(): Error {
  return Object.assign(new Error("a write was cut"), { code: "ENOSPC" });
}

function syncDirectory(directory: string): void {
  const descriptor = attempt(() => openSync(directory, constants.O_RDONLY));
  if (descriptor === undefined) return;
  try {
    attempt(() => fsyncSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** The result, or undefined when the system refuses (with one of `codes`, when they are named). */
function attempt<T>(work: () => T, codes?: readonly string[]): T | undefined {
  try {
    return work();
  } catch (cause) {
    if (codes !== undefined && !codes.includes(errnoOf(cause))) throw cause;
    return undefined;
  }
}

function requireOwn(path: string, stats: Stats, uid: number | undefined, isFolder: boolean): void {
  const isRight = isFolder ? stats.isDirectory() : stats.isFile();
  if (!isRight) throw broken(path, undefined, "It is not a regular file.");
  if (!isFolder && stats.nlink !== 1)
    throw broken(path, undefined, "It has more than one name, or none.");
  if (uid === undefined || (stats.uid === uid && (stats.mode & OTHERS) === 0)) return;
  throw broken(path, undefined, "Others have rights on it.");
}
