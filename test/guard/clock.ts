/**
 * Preloaded into a process of this source: its clock is what a file says, as if somebody had set
 * the system's. `+N` is N milliseconds ahead, `N` stands still there; timers go on.
 */
import { readFileSync } from "node:fs";

const file = process.env.TEST_CLOCK_FILE;
if (file !== undefined) {
  const RealDate = globalThis.Date;
  const now = (): number => {
    const text = readFileSync(file, "utf8").trim();
    return /^[+-]/.test(text) ? RealDate.now() + Number(text) : Number(text);
  };
  class SetDate extends RealDate {
    constructor(...given: readonly unknown[]) {
      super(...((given.length === 0 ? [now()] : given) as [number]));
    }
    static override now(): number {
      return now();
    }
  }
  globalThis.Date = SetDate as DateConstructor;
}
