/** Which acts ended, by the last lines of the audit trail; read from its end, and not verified. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { readLine } from "./line.ts";

/** Two acts' lines fit; more are read where there are more. */
const FIRST_BYTES = 16 * 1024;
const ENDS: ReadonlySet<string> = new Set(["outcome", "signed", "reconciled"]);
const KEY = /"event":"[a-z]+","key":"([0-9A-Z]{26})"/;

/**
 * Keys of the acts that ended after the line with the number `after`. `files` are the trail's, in
 * the order of their lines.
 */
export function endedAfter(files: readonly string[], after: number): Set<string> {
  const keys = new Set<string>();
  for (const file of files.toReversed()) if (takeFrom(file, after, keys)) break;
  return keys;
}

/** True when the lines before those of this file are older. */
function takeFrom(path: string, after: number, keys: Set<string>): boolean {
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const { size } = fstatSync(descriptor);
    for (let bytes = FIRST_BYTES; ; bytes *= 8) {
      const start = Math.max(0, size - bytes);
      const lines = linesAt(descriptor, start, size);
      const first = lines.map((line) => readLine(line)?.seq).find((seq) => seq !== undefined);
      const isReached = first !== undefined && first <= after + 1;
      if (!isReached && start > 0) continue;
      for (const line of lines) addEnd(line, after, keys);
      return isReached;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Whole lines; what is before the first newline is left out unless it begins the file. */
function linesAt(descriptor: number, start: number, end: number): Uint8Array[] {
  const bytes = Buffer.alloc(end - start);
  const size = readSync(descriptor, bytes, 0, bytes.length, start);
  const lines: Uint8Array[] = [];
  let from = start === 0 ? 0 : bytes.indexOf(0x0a) + 1;
  for (let to = bytes.indexOf(0x0a, from); to !== -1 && to < size; to = bytes.indexOf(0x0a, from)) {
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return lines;
}

function addEnd(line: Uint8Array, after: number, keys: Set<string>): void {
  const facts = readLine(line);
  if (facts === undefined || facts.seq <= after || !ENDS.has(facts.event)) return;
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("latin1");
  const key = KEY.exec(text)?.[1];
  if (key !== undefined) keys.add(key);
}
