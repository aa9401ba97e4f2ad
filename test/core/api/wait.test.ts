import { describe, expect, test } from "bun:test";
import type { Reader } from "../../../src/core/api/api.ts";
import { waitForState } from "../../../src/core/api/wait.ts";
import { CliError } from "../../../src/errors.ts";
import { encode, exact } from "../../../src/io/json.ts";
import type { Log } from "../../../src/io/log.ts";

type Version = "v1" | "v2";

/** A request that is seen in one state after the other, and stays in the last one. */
function readerOf(
  version: Version,
  request: Record<string, unknown>,
  states: readonly string[],
): Reader {
  let looks = 0;
  const name = version === "v1" ? "status" : "state";
  const reader = {
    session: async () => ({ apiVersion: version }),
    read: async () => {
      const state = states[Math.min(looks, states.length - 1)];
      looks += 1;
      return exact(JSON.stringify({ id: "r1", ...request, [name]: state }));
    },
  };
  return reader as unknown as Reader;
}

const SILENT = { debug: () => undefined, progress: () => undefined } as unknown as Log;

async function wait(
  version: Version,
  type: string,
  states: readonly string[],
  named: readonly string[] = [],
): Promise<{ code?: string; hint?: string; state?: string; broadcast?: string }> {
  let now = 0;
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
    stop: new AbortController().signal,
  };
  const host = { reader: readerOf(version, { type }, states), log: SILENT, clock };
  const plan = { states: named, timeoutMs: 20_000, intervalMs: 5_000 };
  try {
    const { request, broadcast } = await waitForState(host, "r1", plan);
    const { state, status } = JSON.parse(request.text);
    return { state: state ?? status, ...(broadcast === undefined ? {} : { broadcast }) };
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    const { hint } = cause.facts;
    return { code: cause.code, ...(hint === undefined ? {} : { hint }) };
  }
}

describe("X2 R3 on V1 a transaction has arrived when it was broadcast", () => {
  for (const state of ["SUBMITTED", "CONFIRMED"])
    test(`X2 ${state} is arrival`, async () => {
      const states = ["PENDING_APPROVAL", "APPROVED", "SIGNED", state];
      expect(await wait("v1", "CREATE_TRANSACTION", states)).toEqual({ state });
    });

  for (const state of ["APPROVED", "SIGNED"])
    test(`X2 ${state} is on the way; when time runs out there, the hint says what it can mean`, async () => {
      const { code, hint } = await wait("v1", "CREATE_TRANSACTION", [state]);
      expect([code, hint?.includes("could not sign")]).toEqual(["WAIT_TIMEOUT", true]);
    });

  for (const state of ["APPROVED", "ACTIVE", "COMPLETED"])
    test(`X2 ${state} is arrival of everything else`, async () =>
      expect(await wait("v1", "CREATE_ACCOUNT", ["PENDING_APPROVAL", state])).toEqual({ state }));
});

describe("X2 R3 on V2 the names are unknown, so that the set stays and the answer says so", () => {
  for (const state of ["APPROVED", "SIGNED"])
    test(`X2 a transaction at ${state}: broadcast unknown`, async () =>
      expect(await wait("v2", "CREATE_TRANSACTION", [state])).toEqual({
        state,
        broadcast: "unknown",
      }));

  for (const [type, state] of [
    ["CREATE_TRANSACTION", "SUBMITTED"],
    ["CREATE_TRANSACTION", "CONFIRMED"],
    ["CREATE_ACCOUNT", "APPROVED"],
    ["CREATE_ACCOUNT", "ACTIVE"],
    ["CREATE_WHITELIST", "COMPLETED"],
  ] as const)
    test(`X2 ${type} at ${state} says nothing of a broadcast`, async () =>
      expect(await wait("v2", type, [state])).toEqual({ state }));
});

describe("specification §4 other final states", () => {
  const ended =
    "REJECTED ABORTED CANCELLED CANCELED EXPIRED BLOCKED FAILED FAILED_TO_BROADCAST FAILED_TO_SIGN FAILED_TO_CRAFT DROPPED REPLACED";
  for (const state of ended.split(" "))
    test(`R3 ${state} ends the wait on both API versions`, async () => {
      for (const version of ["v1", "v2"] as const)
        expect((await wait(version, "CREATE_TRANSACTION", [state])).code).toBe("WAIT_OTHER_STATE");
    });

  test("R3 after a failed broadcast the hint says that the old request is not sent again", async () =>
    expect((await wait("v1", "CREATE_TRANSACTION", ["FAILED_TO_BROADCAST"])).hint).toContain(
      "not sent again",
    ));

  test("any other name goes on waiting", async () =>
    expect((await wait("v2", "CREATE_TRANSACTION", ["PENDING_CREATE_IN_HSM"])).code).toBe(
      "WAIT_TIMEOUT",
    ));

  test("X2 a moment on the way does not end the wait for a later state", async () => {
    for (const version of ["v1", "v2"] as const) {
      const states = ["APPROVED", "SIGNED", "SUBMITTED", "CONFIRMED"];
      expect(await wait(version, "CREATE_TRANSACTION", states, ["confirmed"])).toEqual({
        state: "CONFIRMED",
      });
    }
    expect((await wait("v2", "CREATE_TRANSACTION", ["CONFIRMED"], ["APPROVED"])).code).toBe(
      "WAIT_OTHER_STATE",
    );
  });

  test("a named state is found however it was typed", async () =>
    expect(await wait("v2", "CREATE_ACCOUNT", ["INITIAL"], ["initial"])).toEqual({
      state: "INITIAL",
    }));
});

test("the answer of a wait has no member that is undefined", () =>
  expect(encode({ reached: true, broadcast: undefined })).toBe('{"reached":true}'));
