/** A walk ends, whatever the server says comes next (specification §4, `--all`). */
import { expect, test } from "bun:test";
import { type Walk, walkPages } from "../../../src/core/api/pages.ts";
import { CliError } from "../../../src/errors.ts";
import { Exact } from "../../../src/io/json.ts";

/**
 * Walks pages whose `next` are given, in the order in which they are asked for; ends after the last
 * one.
 */
async function walk(
  by: Walk,
  ...nexts: readonly unknown[]
): Promise<{ asked: number; code: string }> {
  let asked = 0;
  const pages = walkPages(async () => {
    const next = nexts[asked] ?? null;
    asked += 1;
    return new Exact(JSON.stringify({ next, results: [{ id: "1" }] }));
  }, by);
  try {
    for await (const _ of pages);
    return { asked, code: "none" };
  } catch (cause) {
    if (cause instanceof CliError) return { asked, code: cause.code };
    throw cause;
  }
}

test.each([
  ["pages", [2, 3, null], 3, "none"],
  ["pages", [1], 1, "INVALID_RESPONSE"],
  ["pages", [2, 2], 2, "INVALID_RESPONSE"],
  ["pages", [5, 3], 2, "INVALID_RESPONSE"],
  ["pages", [0], 1, "INVALID_RESPONSE"],
  ["pages", ["2"], 1, "INVALID_RESPONSE"],
  ["cursors", ["b", "a", null], 3, "none"],
  ["cursors", ["a", "a"], 2, "INVALID_RESPONSE"],
  ["cursors", ["a", "b", "a"], 3, "INVALID_RESPONSE"],
  ["cursors", [""], 1, "INVALID_RESPONSE"],
  ["cursors", [2], 1, "INVALID_RESPONSE"],
] as const)("%s that lead to %j: %d are asked for, then %s", async (by, nexts, asked, code) => {
  expect(await walk(by, ...nexts)).toEqual({ asked, code });
});
