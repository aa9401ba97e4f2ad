/** A walk ends, whatever the server says comes next (specification §4, `--all`). */
import { expect, test } from "bun:test";
import {
  type Companion,
  type Position,
  type Walk,
  type WalkOptions,
  walkPages,
} from "../../../src/core/api/pages.ts";
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

/** A server whose answers the test lets go one by one. */
class SlowPages {
  readonly asked: number[] = [];
  readonly stopped: number[] = [];
  private readonly waiting = new Map<number, (page: Exact | Error) => void>();
  private readonly companions = new Map<number, Companion>();

  readonly fetch = ({ page = 0 }: Position, companion: Companion): Promise<Exact> => {
    this.asked.push(page);
    this.companions.set(page, companion);
    return new Promise((resolve, reject) => {
      this.waiting.set(page, (answer) =>
        answer instanceof Error ? reject(answer) : resolve(answer),
      );
      companion.stop?.addEventListener("abort", () => {
        this.stopped.push(page);
        reject(new Error("stopped"));
      });
    });
  };

  answer(page: number, next: number | null, { total = 8, size = 2 } = {}): void {
    const results = Array.from({ length: size }, (_, at) => ({ id: `${page}.${at}` }));
    this.waiting.get(page)?.(new Exact(JSON.stringify({ next, total, results })));
  }

  fail(page: number): void {
    this.waiting.get(page)?.(new CliError("SERVER_ERROR", { message: "broken" }));
  }

  limit(page: number): void {
    this.companions.get(page)?.onLimited();
  }
}

/** Begins an eager walk, and lets the first page go. */
async function begin(options: WalkOptions = {}, total = 8) {
  const server = new SlowPages();
  const walk = walkPages(server.fetch, "pages", { isEager: true, ...options });
  const first = walk.next();
  server.answer(1, 2, { total });
  await first;
  return { server, walk, second: walk.next() };
}

test("the next page is asked for together with this one, each once, in order", async () => {
  const { server, walk, second } = await begin();
  await Promise.resolve();
  expect(server.asked).toEqual([1, 2, 3]);
  server.answer(3, 4);
  server.answer(2, 3);
  expect((await second).value).toEqual([new Exact('{"id":"2.0"}'), new Exact('{"id":"2.1"}')]);
  const third = walk.next();
  expect((await third).value).toEqual([new Exact('{"id":"3.0"}'), new Exact('{"id":"3.1"}')]);
  expect(server.asked).toEqual([1, 2, 3, 4]);
  const fourth = walk.next();
  server.answer(4, null);
  await fourth;
  expect((await walk.next()).value).toMatchObject({ complete: true });
  expect([server.asked, server.stopped]).toEqual([[1, 2, 3, 4], []]);
});

test("nothing beyond --limit or the last page is asked for", async () => {
  const limited = await begin({ limit: 4 });
  const short = await begin({}, 4);
  await Promise.resolve();
  expect([limited.server.asked, short.server.asked]).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test("an answer that the page before does not name is not used, and the request ends", async () => {
  const { server, walk, second } = await begin();
  server.answer(3, 4);
  server.answer(2, 4);
  await second;
  const third = walk.next();
  await Promise.resolve();
  expect([server.asked, server.stopped]).toEqual([[1, 2, 3, 4], [3]]);
  server.answer(4, null);
  expect((await third).value).toHaveLength(2);
});

test("a walk that fails or is left ends the request that is no longer needed", async () => {
  const failed = await begin();
  failed.server.fail(2);
  await expect(failed.second).rejects.toThrow("broken");
  expect(failed.server.stopped).toEqual([3]);
  const left = await begin();
  left.server.answer(2, 3);
  await left.second;
  await left.walk.return({});
  expect(left.server.stopped).toEqual([3]);
});

test("after the API asked to slow down, or with pages of different sizes, one page at a time", async () => {
  const limited = await begin();
  limited.server.limit(2);
  limited.server.answer(2, 3);
  await limited.second;
  void limited.walk.next();
  limited.server.answer(3, 4);
  await Promise.resolve();
  expect(limited.server.asked).toEqual([1, 2, 3]);
  const uneven = await begin();
  uneven.server.answer(2, 3, { size: 1 });
  await uneven.second;
  void uneven.walk.next();
  await Promise.resolve();
  expect(uneven.server.asked).toEqual([1, 2, 3]);
});

test("a page that was asked for early fails when its turn comes", async () => {
  const { server, walk, second } = await begin();
  server.fail(3);
  server.answer(2, 3);
  expect((await second).value).toHaveLength(2);
  await expect(walk.next()).rejects.toThrow("broken");
});

test("cursors are never asked for early", async () => {
  const server = new SlowPages();
  const walk = walkPages(server.fetch, "cursors", { isEager: true });
  const first = walk.next();
  server.answer(0, "b" as unknown as null);
  await first;
  void walk.next();
  await Promise.resolve();
  expect(server.asked).toEqual([0, 0]);
});
