/** One line of a chained log, format v1 (docs/audit-format.md). */

/** Most bytes of a line, the newline included. */
export const LINE_MAX_BYTES = 8 * 1024;
/** The `prev` of a log's first line. */
export const NO_HASH = "0".repeat(64);

/** What the chain needs of a line. `time` is ISO 8601 in UTC with milliseconds. */
export interface LineFacts {
  readonly log: string;
  readonly seq: number;
  readonly time: string;
  readonly prev: string;
  readonly event: string;
}

const BEGIN =
  /^\{"v":1,"log":"([0-9a-f]{32})","seq":([1-9]\d{0,14}),"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","prev":"([0-9a-f]{64})","event":"([a-zA-Z]{1,32})"[,}]/;
const END = /,"level":"(?:none|advisory|enforced)"\}$/;
const BEGIN_BYTES = 256;
const END_BYTES = 32;

/** The facts at the start of a line, or undefined when it does not have the form. */
export function readLine(line: Uint8Array): LineFacts | undefined {
  const [, log, seq, time, prev, event] = BEGIN.exec(latin(line, 0, BEGIN_BYTES)) ?? [];
  if (log === undefined || time === undefined || prev === undefined || event === undefined)
    return undefined;
  return { log, seq: Number(seq), time, prev, event };
}

/**
 * True when the line ends as every line does: `"level"` is its last member, and text inside a
 * string cannot hold its quotes.
 */
export function isWholeLine(line: Uint8Array): boolean {
  return END.test(latin(line, Math.max(0, line.length - END_BYTES), line.length));
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString("latin1", start, Math.min(end, bytes.length));
}
