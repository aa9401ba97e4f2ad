/**
 * One process that wants a lock: `lock-worker.ts <lock> <counter> <rounds> <mode>`. In each round
 * it adds one to the counter in a way that loses counts, and says so, when two are inside at once.
 * Mode `die` kills itself while it holds the lock after the last round; mode `hold` says `held` and
 * keeps the lock until a line arrives on stdin.
 */
import { closeSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../src/core/state/lock.ts";

const [lock = "", counter = "", rounds = "", mode = ""] = process.argv.slice(2);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}

const options = {
  now: Date.now,
  sleep: (ms: number, signal?: AbortSignal) =>
    sleep(ms, undefined, signal === undefined ? {} : { signal }),
  pid: process.pid,
  hostname: hostname(),
  isAlive,
};

async function addOne(isLast: boolean): Promise<void> {
  const inside = `${counter}.inside`;
  closeSync(openSync(inside, "wx"));
  const count = Number(readFileSync(counter, "utf8"));
  await sleep(Math.random() * 3);
  writeFileSync(counter, String(count + 1));
  unlinkSync(inside);
  if (isLast && mode === "die") process.kill(process.pid, "SIGKILL");
}

if (mode === "hold") {
  await withLock(lock, options, async () => {
    process.stdout.write("held");
    await new Promise((resolve) => process.stdin.once("data", resolve));
  });
  process.exit(0);
}

for (let round = 1; round <= Number(rounds); round += 1) {
  await withLock(lock, options, () => addOne(round === Number(rounds)));
}
