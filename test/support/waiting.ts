/** Waiting for a fact instead of for a time. */
import { readdirSync, readFileSync } from "node:fs";

/** Far longer than anything takes that still happens. */
const PATIENCE_MS = 60_000;
const BETWEEN_LOOKS_MS = 5;
/** So many looks in a row must find a process at rest. */
const LOOKS_AT_REST = 5;

/** Looks until there is something, and returns it. Throws when it does not happen. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error("It did not happen.");
    await Bun.sleep(BETWEEN_LOOKS_MS);
  }
}

/**
 * Waits until a process has done everything that it can do so far: each of its threads sleeps. What
 * it was sent before (a signal, bytes, the end of its input) it has taken by then, however busy the
 * machine is, for the system makes it run at once.
 */
export async function atRest(pid: number): Promise<void> {
  let looks = 0;
  await until(() => {
    looks = isAtRest(pid) ? looks + 1 : 0;
    return looks >= LOOKS_AT_REST;
  });
}

/** True while no thread of the process runs, waits for a processor or for a disk. */
function isAtRest(pid: number): boolean {
  const threads = `/proc/${pid}/task`;
  try {
    // proc(5): the state follows the name, which is in parentheses.
    return readdirSync(threads).every((thread) =>
      /^\d+ \(.*\) [^RD]/s.test(readFileSync(`${threads}/${thread}/stat`, "utf8")),
    );
  } catch {
    // A thread that ended meanwhile; or the whole process, which does nothing more.
    return !isThere(threads);
  }
}

function isThere(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
