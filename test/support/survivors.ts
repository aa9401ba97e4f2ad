/** Whether processes that a test started indirectly are still there. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What is meant to stay runs for minutes; on a loaded machine a killed process takes seconds. */
const PATIENCE_MS = 20_000;

/** Those of `pids` that still run. The system needs a moment to carry a kill out, so this waits. */
export async function survivorsOf(pids: readonly string[]): Promise<string[]> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const running = pids.filter(isRunning);
    if (running.length === 0 || performance.now() > end) return running;
    await sleep(5);
  }
}

/** True while a process has this id and is not a zombie that waits for its parent. */
function isRunning(pid: string): boolean {
  try {
    // proc(5): the state follows the name, which is in parentheses.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
