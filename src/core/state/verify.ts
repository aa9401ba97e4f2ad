/**
 * Reads a chained log line by line and says where it is not as it was written. Memory does not
 * depend on the length of the log.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { CliError } from "../../errors.ts";
import { expectLongWork } from "../../io/effort.ts";
import { errnoOf } from "../../io/errno.ts";
import { broken, type Head, hashLine } from "./chain.ts";
import { isWholeLine, LINE_MAX_BYTES, type LineFacts, readLine } from "./line.ts";

const CHUNK_BYTES = 1024 * 1024;
/** A short log, such as a month's of one user, is read with one small chunk. */
const FIRST_CHUNK_BYTES = 32 * 1024;
/** A log longer than this is read faster by compiled code. */
const LARGE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const NO_BYTES = new Uint8Array(0);
/** What is read at once when others shall see how far it is. */
const STEP_LINES = 4096;
/** What is given at once. */
const BATCH_LINES = 256;
/** More torn bytes than this in one place are not what a killed process leaves. */
const TORN_MAX_BYTES = 8 * LINE_MAX_BYTES;

/** A place of the chain that is known from elsewhere: a head file, or an anchor. */
export interface Anchor {
  readonly log: string;
  readonly seq: number;
  readonly hash: string;
}

/** What `audit verify` found. `missing` are lines, by their numbers, that no file holds. */
export interface Verified {
  readonly lines: number;
  readonly gaps: number;
  readonly missing: readonly { readonly from: number; readonly to: number }[];
  /** `anchored`: the log holds the anchor that was given. Nothing else proves completeness. */
  readonly complete: "unproven" | "anchored";
  readonly last: Anchor | undefined;
  /** The last file, and its bytes up to its last newline. */
  readonly end: { readonly file: string; readonly size: number } | undefined;
}

export interface VerifyOptions {
  readonly files: readonly string[];
  /** The head beside the files, when the whole log is read. */
  readonly head?: Head | undefined;
  readonly against?: Anchor | undefined;
  /** Where to begin; what is before it is not read. */
  readonly from?: Head | undefined;
  /** Gets each line that counts, in order; torn ones are left out. */
  readonly onLine?: (line: Uint8Array, facts: LineFacts) => void;
}

/** A line that counts, and what the chain needs of it. */
export interface LogLine {
  readonly line: Uint8Array;
  readonly facts: LineFacts;
}

/**
 * Verifies the files as one log, in the order of their lines. Throws AUDIT_BROKEN with the first
 * bad line, INVALID_PATH for a file that cannot be read.
 */
export function verifyLog({ onLine, ...options }: VerifyOptions): Verified {
  const steps = verifySteps(options, onLine !== undefined);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    for (const { line, facts } of step.value.lines) onLine?.(line, facts);
  }
}

/** What was read since the step before. */
export interface Step {
  /** Lines so far. */
  readonly read: number;
  /** The lines that count, in order; empty where none are wanted. */
  readonly lines: readonly LogLine[];
}

/** The same in steps of many lines; throws as `verifyLog` does. */
export function* verifySteps(
  { files, head, against, from }: Omit<VerifyOptions, "onLine">,
  givesLines: boolean,
): Generator<Step, Verified, void> {
  const watched = [head, against].filter((anchor) => anchor !== undefined);
  let batch: LogLine[] = [];
  const walk = new Walk(watched, givesLines ? (one) => void batch.push(one) : undefined);
  const ordered = inOrder(files);
  const first = from === undefined ? 0 : ordered.findIndex((file) => basename(file) === from.file);
  if (first === -1) throw broken(from?.file ?? "", undefined, "The file is missing.");
  walk.position = from;
  let end: Verified["end"];
  for (const [at, file] of ordered.slice(first).entries()) {
    const start = at === 0 ? from?.size : undefined;
    let size = start ?? 0;
    walk.begin(file);
    for (const line of linesOf(file, start)) {
      walk.take(line);
      size += line.length + 1;
      const isDue = givesLines ? batch.length >= BATCH_LINES : walk.lines % STEP_LINES === 0;
      if (!isDue) continue;
      yield { read: walk.lines, lines: batch };
      batch = [];
    }
    end = { file: basename(file), size };
  }
  walk.end();
  if (head !== undefined) walk.require(head, "The log ends before the line that the head names.");
  if (against !== undefined) walk.require(against, "The log ends before the anchor.");
  if (batch.length > 0) yield { read: walk.lines, lines: batch };
  const isAnchored = against !== undefined && walk.passed(against);
  return {
    lines: walk.lines,
    gaps: walk.gaps,
    missing: walk.missing,
    complete: isAnchored ? "anchored" : "unproven",
    last: walk.position,
    end,
  };
}

class Walk {
  lines = 0;
  gaps = 0;
  readonly missing: { from: number; to: number }[] = [];
  position: Anchor | undefined;
  private before: Anchor | undefined;
  private held: LogLine | undefined;
  /** A line whose link does not fit: the next one tells which of the two was changed. */
  private doubtful:
    | { readonly name: string; readonly line: number; readonly hash: string }
    | undefined;
  private torn: Uint8Array[] = [];
  private tornAt = 0;
  private name = "";
  private line = 0;
  private isStart = false;
  private readonly seen = new Set<string>();

  constructor(
    private readonly watched: readonly Anchor[],
    private readonly onLine: ((line: LogLine) => void) | undefined,
  ) {}

  /** The lines that follow are of this file. */
  begin(path: string): void {
    if (this.torn.length > 0) throw broken(this.name, this.tornAt, FORM);
    this.name = basename(path);
    this.line = 0;
    this.isStart = true;
  }

  end(): void {
    this.settleDoubt(this.watched.map(({ hash }) => hash));
    this.release();
    if (this.torn.length === 0) return;
    // A killed process leaves a torn tail, which the next writer closes; it leaves no line behind.
    if (this.torn.some((line) => isWholeLine(line) && readLine(line) !== undefined))
      throw broken(this.name, this.tornAt, FORM);
    this.gaps += 1;
  }

  /** Throws AUDIT_BROKEN when `anchor` should have been passed and was not. */
  require(anchor: Anchor, reason: string): void {
    if (this.passed(anchor) || this.isMissing(anchor.seq)) return;
    throw broken(this.name, this.torn.length > 0 ? this.tornAt : this.line, reason);
  }

  passed({ log, seq, hash }: Anchor): boolean {
    return this.seen.has(`${log} ${seq} ${hash}`);
  }

  private isMissing(seq: number): boolean {
    return this.missing.some(({ from, to }) => seq >= from && seq <= to);
  }

  take(line: Uint8Array): void {
    this.line += 1;
    const facts = readLine(line);
    const isWhole = facts !== undefined && isWholeLine(line);
    this.settleDoubt(isWhole ? [facts.prev] : []);
    if (isWhole && facts.event === "gap" && this.closesGap(line, facts)) return;
    if (this.torn.length > 0 || !isWhole) {
      this.keepTorn(line);
      return;
    }
    if (this.isStart) this.join(facts);
    const { position } = this;
    if (position !== undefined && facts.log !== position.log)
      throw broken(this.name, this.line, "The line belongs to another log.");
    if (position !== undefined && facts.seq !== position.seq + 1)
      throw broken(
        this.name,
        this.line,
        `The line's number is ${facts.seq}, not ${position.seq + 1}.`,
      );
    if (position !== undefined && facts.prev !== position.hash)
      this.doubtful = { name: this.name, line: this.line, hash: hashLine(line) };
    else this.accept(line, facts);
  }

  /** Throws for the line that was changed: the doubtful one, unless one of `hashes` is its own. */
  private settleDoubt(hashes: readonly string[]): void {
    if (this.doubtful === undefined) return;
    const { name, line, hash } = this.doubtful;
    throw broken(name, Math.max(1, hashes.includes(hash) ? line - 1 : line), CHANGED);
  }

  private accept(line: Uint8Array, facts: LineFacts): void {
    this.release();
    this.isStart = false;
    this.before = this.position;
    this.position = { log: facts.log, seq: facts.seq, hash: hashLine(line) };
    this.held = { line: this.onLine === undefined ? NO_BYTES : line.slice(), facts };
    this.lines += 1;
  }

  /** The line that was held back counts: nothing after it says that it was torn. */
  private release(): void {
    const { held, position } = this;
    if (held === undefined || position === undefined) return;
    this.held = undefined;
    for (const anchor of this.watched) {
      if (anchor.seq !== position.seq || anchor.log !== position.log) continue;
      if (anchor.hash !== position.hash)
        throw broken(
          this.name,
          this.line,
          "A line is not the one that the head or the anchor names.",
        );
      this.seen.add(`${anchor.log} ${anchor.seq} ${anchor.hash}`);
    }
    this.onLine?.(held);
  }

  private keepTorn(line: Uint8Array): void {
    if (this.torn.length === 0) this.tornAt = this.line;
    this.torn.push(line.slice());
    if (this.torn.reduce((sum, { length }) => sum + length + 1, 0) > TORN_MAX_BYTES)
      throw broken(this.name, this.tornAt, FORM);
  }

  /** True when the line `gap` covers exactly the torn bytes before it. */
  private closesGap(line: Uint8Array, facts: LineFacts): boolean {
    const after = /"data":\{"after":"([0-9a-f]{64})"/.exec(
      Buffer.from(line).toString("latin1"),
    )?.[1];
    const { torn, before, held, position } = this;
    if (torn.length > 0) {
      const isCovered = facts.prev === hashOf(torn) && facts.seq === (position?.seq ?? 0) + 1;
      if (!isCovered || after !== position?.hash || facts.log !== position?.log) return false;
      this.torn = [];
    } else {
      // The line before has all its bytes but was never closed by its own writer.
      if (held === undefined || before === undefined || after !== before.hash) return false;
      if (facts.prev !== position?.hash || facts.seq !== before.seq + 1) return false;
      this.held = undefined;
      this.position = before;
      this.lines -= 1;
    }
    this.gaps += 1;
    this.accept(line, facts);
    return true;
  }

  /** The first line of a file: it goes on where the last file ended, or lines are missing. */
  private join(facts: LineFacts): void {
    const { position } = this;
    const expected = position?.log === facts.log ? position.seq + 1 : 1;
    if (facts.seq === expected && position === undefined && !isGenesis(facts))
      throw broken(this.name, this.line, "The first line is not the beginning of a log.");
    if (facts.seq <= expected) return;
    this.release();
    this.missing.push({ from: expected, to: facts.seq - 1 });
    this.position = { log: facts.log, seq: facts.seq - 1, hash: facts.prev };
  }
}

const CHANGED = "The line is not as it was written.";
const FORM = "The line does not have the form of a log line.";

function isGenesis({ prev, event }: LineFacts): boolean {
  return /^0+$/.test(prev) && (event === "genesis" || event === "restarted");
}

function hashOf(lines: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  lines.forEach((line, index) => {
    if (index > 0) hash.update("\n");
    hash.update(line);
  });
  return hash.digest("hex");
}

/** By the number of the first line; a file without one comes last. */
function inOrder(files: readonly string[]): readonly string[] {
  if (files.length < 2) return files;
  const first = (path: string): number => {
    for (const line of linesOf(path)) return readLine(line)?.seq ?? Number.MAX_SAFE_INTEGER;
    return Number.MAX_SAFE_INTEGER;
  };
  return files
    .map((path) => ({ path, seq: first(path) }))
    .sort((one, other) => one.seq - other.seq)
    .map(({ path }) => path);
}

/**
 * The lines of a file without their newlines; what follows the last newline is the last one. A
 * line's bytes are overwritten once the next one is asked for.
 */
function* linesOf(path: string, from = 0): Generator<Uint8Array> {
  const descriptor = openForReading(path);
  try {
    let buffer = new Uint8Array(TORN_MAX_BYTES + FIRST_CHUNK_BYTES);
    let position = from;
    let kept = 0;
    for (let size = FIRST_CHUNK_BYTES; ; ) {
      const read = readSync(descriptor, buffer, kept, size, position);
      if (read === 0) break;
      position += read;
      if (read > LARGE_BYTES) expectLongWork();
      const bytes = buffer.subarray(0, kept + read);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield bytes.subarray(start, end);
        start = end + 1;
      }
      kept = bytes.length - start;
      if (kept > TORN_MAX_BYTES) throw broken(basename(path), undefined, FORM);
      const rest = bytes.subarray(start);
      // A short log needs a small chunk only; a long one gets a large one, once.
      if (read === size && size < CHUNK_BYTES) {
        size = CHUNK_BYTES;
        buffer = new Uint8Array(TORN_MAX_BYTES + size);
      }
      buffer.set(rest);
    }
    if (kept > 0) yield buffer.subarray(0, kept);
  } finally {
    closeSync(descriptor);
  }
}

function openForReading(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new CliError("INVALID_PATH", {
      message: "A log file cannot be read.",
      field: "--file",
      details: { path, reason: errnoOf(cause) },
      cause,
    });
  }
}
