/** Whether processes that a test started indirectly are still there. */
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

const PATIENCE_MS = 2000;

/** Those of `pids` that still run. The system needs a moment to carry a kill out, so this waits. */
export async function survivorsOf(pids: readonly string[]): Promise<string[]> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const running = pids.filter(isRunning);
    if (running.length === 0 || performance.now() > end) return running;
    await turn();
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
