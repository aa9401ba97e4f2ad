/** Tests of a guard and an agent under users of their own. */
import { test } from "bun:test";
import { OBSTACLE } from "./twousers.ts";

/** Time for a test that starts both. */
export const LONG_MS = 120_000;

/** Tests that need both users; skipped, and said so, where they cannot be had. */
export function withTwoUsers(what: string) {
  if (OBSTACLE !== undefined) console.error(`skipped: ${what}: ${OBSTACLE}`);
  return test.skipIf(OBSTACLE !== undefined);
}
