/** How far something long is, in one line for a person (specification §1). */
import type { Exact } from "./json.ts";
import type { Log } from "./log.ts";
import type { StreamedList } from "./stdout.ts";

/** A person does not see more lines than this. */
const SHORTEST_MS = 100;
/** A rate of the first moments says nothing. */
const FIRST_RATE_MS = 1000;

/** What is counted: `rows`, or bytes, which are shown as `MB`. */
export type Counted = "rows" | "lines" | "MB";

interface Host {
  readonly log: Pick<Log, "progress">;
  now(): number;
}

interface List extends StreamedList {
  expected(): number | undefined;
}

/** Tells how much was done, and of how much where that is known. */
export type Meter = (count: number, total?: number) => void;

/** Makes a meter that begins now: `1,200 of 100,000 rows, 240 rows/s`. */
export function startMeter({ log, now }: Host, counted: Counted): Meter {
  const start = now();
  let shown = Number.NEGATIVE_INFINITY;
  return (count, total) => {
    const time = now();
    if (time - shown < SHORTEST_MS) return;
    shown = time;
    const of = total === undefined ? "" : ` of ${spell(total, counted)}`;
    const elapsed = time - start;
    const rate =
      elapsed < FIRST_RATE_MS ? "" : `, ${spell((count * 1000) / elapsed, counted)} ${counted}/s`;
    log.progress(`${spell(count, counted)}${of} ${counted}${rate}`);
  };
}

/** The same list; `meter` is told how many items of it have arrived. */
export async function* counting(
  { items, expected }: List,
  meter: Meter,
): AsyncGenerator<readonly Exact[], Record<string, unknown>, void> {
  for (let count = 0; ; ) {
    const batch = await items.next();
    if (batch.done === true) return batch.value;
    count += batch.value.length;
    meter(count, expected());
    yield batch.value;
  }
}

function spell(count: number, counted: Counted): string {
  if (counted === "MB") return (count / 1_000_000).toFixed(1);
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}
