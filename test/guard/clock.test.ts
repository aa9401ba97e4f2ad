/** Somebody sets the clock while a guard serves. */
import { expect } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../support/waiting.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { CLOCKED_COMMAND, openTwoUsers, payment, replace, SOURCE_COMMAND } from "./twousers.ts";

const two = withTwoUsers("a guard's clock");

const HOUR_MS = 3_600_000;

async function openClocked() {
  const folder = await mkdtemp("/run/lec-clock-");
  await chmod(folder, 0o755);
  const file = join(folder, "clock");
  const set = (aheadMs: number) => replace(file, `${aheadMs < 0 ? "" : "+"}${aheadMs}`);
  await set(0);
  const here = await openTwoUsers({
    ...{ command: CLOCKED_COMMAND, agentCommand: SOURCE_COMMAND },
    guardEnv: { TEST_CLOCK_FILE: file },
  });
  return {
    ...here,
    set,
    create: (amount: string) => here.agent("requests", "create", "--requestData", payment(amount)),
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

two.each([30 * HOUR_MS, -30 * HOUR_MS, 2 * HOUR_MS, -2 * HOUR_MS])(
  "A10 the guard's clock jumps by %d ms: a window is as full as before, no deadline and no read is lost",
  async (jump) => {
    await using here = await openClocked();
    // 0.058 of 0.06 are taken.
    expect((await here.create("2900000")).exit).toBe(0);
    expect((await here.create("2900001")).exit).toBe(0);
    expect((await here.create("1000")).exit).toBe(0);
    await here.set(jump);
    const over = await here.create("300000");
    expect([over.exit, over.error.code]).toEqual([2, "POLICY_DENIED"]);
    expect(["window", "clock"]).toContain(over.error.details.field as string);
    const listed = await here.agent("accounts", "list", "--pageSize", "1");
    expect([listed.exit, listed.error]).toEqual([0, undefined as never]);
    expect(here.writes().length).toBe(3);
    await here.set(0);
    const still = await here.create("300000");
    expect([still.error.code, still.error.details.field]).toEqual(["POLICY_DENIED", "window"]);
    expect((await here.create("100000")).exit).toBe(0);
    expect((await here.agent("audit", "verify")).document).toMatchObject({ valid: true });
    expect((await here.guard.stop()).exit).toBe(0);
  },
  LONG_MS,
);

two(
  "A10 a clock that jumps in the middle of a write, and before an approval: one request, one approval",
  async () => {
    await using here = await openClocked();
    expect((await here.agent("accounts", "list")).exit).toBe(0);
    here.sandbox.control.addFault({
      ...{ match: { path: "/requests", method: "POST", times: 1 }, latencyMs: 1e9 },
    });
    const writing = here.create("1000");
    await until(() => here.writes().length > 0);
    await here.set(5 * HOUR_MS);
    here.sandbox.control.clearFaults();
    const { exit, document } = await writing;
    expect([exit, document.key]).toEqual([0, expect.any(String)]);
    const approve = () =>
      here.agent("requests", "approve", "api", "--sign", "--id", String(document.id));
    const refused = await approve();
    // The API's clock is not the local one by now: the policy waits for it.
    expect([refused.exit, refused.error?.details.field ?? "approved"]).toEqual(
      refused.exit === 0 ? [0, "approved"] : [2, "clock"],
    );
    await here.set(0);
    if (refused.exit !== 0) expect((await approve()).exit).toBe(0);
    expect(here.writes().length).toBe(2);
    const replayed = await approve();
    expect(replayed.exit).not.toBe(0);
    expect(
      here.sandbox.control.log.filter(({ path }) => path.endsWith("/auth/token")).length,
    ).toBeLessThanOrEqual(3);
  },
  LONG_MS,
);
