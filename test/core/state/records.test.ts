/**
 * What is remembered between commands counts for a day, and for one request of one workspace
 * (SIG-6, SIG-7).
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Records } from "../../../src/core/state/records.ts";
import { Exact } from "../../../src/io/json.ts";
import { runtimeWith, stateAt } from "../../support/runtime.ts";

const directory = await mkdtemp(join(tmpdir(), "records-"));
afterAll(() => rm(directory, { recursive: true }));

const SCOPE = { origin: "https://vault.example", basePath: "/v1/rest", workspace: "minivault" };
const DIGEST = "ab".repeat(32);
const DAY_MS = 24 * 3600 * 1000;
const SEEN_AT = Date.now();

/** Records whose clock does not move; the files of one moment are read at another. */
function recordsAt(now: number): Records {
  const runtime = runtimeWith({ now: () => now });
  return new Records(stateAt(directory, runtime), runtime);
}

await recordsAt(SEEN_AT).keepCreated(SCOPE, "7", new Exact('{"type":"X"}'));
await recordsAt(SEEN_AT).keepChallenge(SCOPE, "7", DIGEST);

async function rememberedAt(now: number): Promise<unknown[]> {
  const records = recordsAt(now);
  const owner = await records.ownerOf(DIGEST);
  return [
    await records.newestChallenge(SCOPE, "7"),
    owner?.id,
    (await records.createdForChallenge(DIGEST))[0]?.text,
  ];
}

test.each([0, DAY_MS - 1, 1 - DAY_MS])(
  "SIG-7 a challenge counts when the clock moved by %d ms",
  async (ms) => {
    expect(await rememberedAt(SEEN_AT + ms)).toEqual([DIGEST, "7", '{"type":"X"}']);
  },
);

test.each([DAY_MS, -DAY_MS, 400 * DAY_MS, -400 * DAY_MS])(
  "SIG-7 it counts no longer when the clock moved by %d ms",
  async (ms) => {
    expect(await rememberedAt(SEEN_AT + ms)).toEqual([undefined, undefined, undefined]);
  },
);

test.each([
  ["another request", SCOPE, "8"],
  ["another workspace", { ...SCOPE, workspace: "other" }, "7"],
  ["another server", { ...SCOPE, origin: "https://other.example" }, "7"],
  ["another base path", { ...SCOPE, basePath: "" }, "7"],
] as const)("SIG-7 the challenge is not that of %s", async (_other, scope, id) => {
  const records = recordsAt(SEEN_AT);
  expect(await records.newestChallenge(scope, id)).toBeUndefined();
  expect(await records.created(scope, id)).toEqual([]);
  const owner = await records.ownerOf(DIGEST);
  expect([owner?.isFor(scope, id), owner?.isFor(SCOPE, "7")]).toEqual([false, true]);
});

test("P5 a record is kept as fast beside 5,000 others: they are looked at once a day", async () => {
  const own = await mkdtemp(join(tmpdir(), "records-"));
  try {
    const folder = join(own, "records", "seen");
    const at = (now: number): Records => {
      const runtime = runtimeWith({ now: () => now });
      return new Records(stateAt(own, runtime), runtime);
    };
    const now = Date.now();
    await at(now).keepChallenge(SCOPE, "1", DIGEST);
    const old = join(folder, "old.json");
    writeFileSync(old, "{}", { mode: 0o600 });
    utimesSync(old, 1, 1);
    await at(now + DAY_MS - 1).keepChallenge(SCOPE, "2", DIGEST);
    expect(existsSync(old)).toBe(true);
    await at(now + DAY_MS).keepChallenge(SCOPE, "3", DIGEST);
    expect(existsSync(old)).toBe(false);
  } finally {
    await rm(own, { recursive: true });
  }
});

test("SIG-6 a record of other content is never overwritten: both are compared from then on", async () => {
  const records = recordsAt(SEEN_AT);
  const [first, second] = [new Exact('{"type":"A"}'), new Exact('{"type":"B"}')];
  expect(await records.keepCreated(SCOPE, "9", first)).toBe(true);
  expect(await records.keepCreated(SCOPE, "9", first)).toBe(true);
  expect(await records.keepCreated(SCOPE, "9", second)).toBe(false);
  expect(await records.keepCreated(SCOPE, "9", second)).toBe(false);
  expect((await records.created(SCOPE, "9")).map(({ text }) => text)).toEqual([
    '{"type":"B"}',
    '{"type":"A"}',
  ]);
});
