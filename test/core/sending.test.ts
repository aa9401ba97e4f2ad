/** The time in which a write must leave: by both clocks, and kept to by the client. */
import { expect, test } from "bun:test";
import { Client } from "../../src/core/api/client.ts";
import { LONGEST_SENDING_MS, SendingTime } from "../../src/core/sending.ts";
import { CliError } from "../../src/errors.ts";
import { Exact } from "../../src/io/json.ts";
import { runtimeWith } from "../support/runtime.ts";

function clocks() {
  const at = { local: 1_000_000, elapsed: 5 };
  return { at, now: () => at.local, elapsed: () => at.elapsed };
}

test.each([
  [undefined, LONGEST_SENDING_MS],
  [86_400_000, LONGEST_SENDING_MS],
  [29_500.2, 29_501],
  [0, 1],
  [-5, 1],
])("B7 with %p ms left a write has %d ms to leave", (leftMs, ms) => {
  expect(new SendingTime(leftMs, clocks()).ms).toBe(ms);
});

test.each([
  ["a clock that goes on", 1000, 1000, 29_000],
  ["a local clock that is set back", -3_600_000, 1000, 29_000],
  ["a machine that slept", 20_000, 10, 10_000],
  ["a local clock that is set ahead", 3_600_000, 10, 0],
  ["a process that was stopped", 60_000, 60_000, 0],
])("B7 %s: the clock that moved more counts", (_, local, elapsed, left) => {
  const { at, ...own } = clocks();
  const time = new SendingTime(30_000, own);
  at.local += local;
  at.elapsed += elapsed;
  expect([time.leftMs(), time.isOver]).toEqual([left, left === 0]);
});

/**
 * A create at a real server, held up for `before` ms of both clocks before it begins; its
 * connection is there only after `delay` ms more.
 */
async function send(delay: number, before = 0) {
  const bodies: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      bodies.push(await request.text());
      return Response.json({ id: "R1" });
    },
  });
  const { at, ...own } = clocks();
  const time = new SendingTime(30_000, own);
  at.local += before;
  at.elapsed += before;
  let calls = 0;
  const slow = async (...given: Parameters<typeof fetch>) => {
    calls += 1;
    at.local += delay;
    at.elapsed += delay;
    // Timers of 0 ms fire first.
    await Bun.sleep(20);
    return fetch(...given);
  };
  const runtime = runtimeWith({ fetch: slow as typeof fetch });
  const client = new Client({ origin: `http://127.0.0.1:${server.port}`, basePath: "" }, runtime);
  const body = new Exact('{"type":"X"}');
  try {
    const outcome = await client
      .send({ method: "POST", path: "/requests", writes: "create", body, time })
      .catch((cause: unknown) => cause);
    return { outcome, bodies, calls };
  } finally {
    await server.stop(true);
  }
}

test("B7 a write whose time is over when there is a connection is not sent, and says so", async () => {
  expect(await send(29_000)).toMatchObject({ bodies: ['{"type":"X"}'] });
  const { outcome, bodies } = await send(30_000);
  expect(bodies.filter((text) => text !== "")).toEqual([]);
  expect(outcome).toBeInstanceOf(CliError);
  expect(outcome).toMatchObject({ code: "TIMEOUT" });
  expect((outcome as CliError).facts.message).toContain("nothing was sent");
});

test("B7 a write whose time is over before it begins connects to nothing, and says that nothing was sent", async () => {
  const { outcome, bodies, calls } = await send(0, 30_000);
  expect([bodies, calls]).toEqual([[], 0]);
  expect(outcome).toMatchObject({ code: "TIMEOUT" });
  expect((outcome as CliError).facts.message).toContain("nothing was sent");
});
