/** A log of any length, written as the program would have written it. */
import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

/** Writes an audit trail of `count` lines; its commands are `word`. */
export function writeLog(path: string, count: number, word = "requests create"): void {
  const log = "ab".repeat(16);
  let prev = "0".repeat(64);
  let parts: string[] = [];
  const descriptor = openSync(path, "w", 0o600);
  try {
    for (let seq = 1; seq <= count; seq += 1) {
      const begin = { v: 1, log, seq, time: "2026-11-28T12:00:00.000Z", prev };
      const event = seq === 1 ? "genesis" : "intent";
      const line = JSON.stringify({ ...begin, event, command: word, level: "none" });
      prev = createHash("sha256").update(line).digest("hex");
      parts.push(`${line}\n`);
      if (parts.length < 4096 && seq < count) continue;
      writeSync(descriptor, parts.join(""));
      parts = [];
    }
  } finally {
    closeSync(descriptor);
  }
}
