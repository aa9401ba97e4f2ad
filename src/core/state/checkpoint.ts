/**
 * A copy of the journal at one of its lines, so that a write reads what came after and not the
 * whole journal. The journal's next line is `checkpoint` and holds the copy's SHA-256: a copy that
 * is not the one is not used, and then the journal is read from its beginning.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../io/errno.ts";
import { randomName } from "../../io/random.ts";
import type { Head } from "./chain.ts";
import { Journal } from "./journal.ts";

/** A journal as it was when `head` was its end. */
export interface Checkpoint {
  readonly head: Head;
  readonly journal: Journal;
  /** What the line `checkpoint` after `head` must hold. */
  readonly sha256: string;
}

const NAME = "journal.state";
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Lines after the last checkpoint from which on a new one is worth its writing: an act of a new
 * process reads and verifies half of them on average.
 */
export function linesBetween(entries: number): number {
  return Math.max(128, Math.floor(entries / 64));
}

/** Writes the copy beside the log and returns its SHA-256; undefined when the system refuses. */
export function writeCheckpoint(
  directory: string,
  head: Head,
  journal: Journal,
): string | undefined {
  const bytes = Buffer.from(JSON.stringify({ v: 2, head, journal: journal.copy() }));
  const made = join(directory, `${NAME}.${randomName(8)}.tmp`);
  try {
    // Not synced: a copy that was cut is not the one that the line names.
    writeFileSync(made, bytes, { mode: 0o600, flag: "wx" });
    renameSync(made, join(directory, NAME));
  } catch (cause) {
    if (errnoOf(cause) === "") throw cause;
    return undefined;
  }
  return hashOf(bytes);
}

/** The copy as it is on the disk; undefined when there is none that has the form of one. */
export function readCheckpoint(directory: string): Checkpoint | undefined {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  let bytes: Buffer;
  try {
    const descriptor = openSync(join(directory, NAME), flags);
    try {
      bytes = readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (bytes.length > MOST_BYTES) return undefined;
    const document = JSON.parse(bytes.toString("utf8")) as {
      readonly v: number;
      readonly head: Head;
      readonly journal: ReturnType<Journal["copy"]>;
    };
    if (document.v !== 2) return undefined;
    return { head: document.head, journal: Journal.of(document.journal), sha256: hashOf(bytes) };
  } catch {
    return undefined;
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
