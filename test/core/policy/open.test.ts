/** The policy is loaded when something can refuse, and asked whether it can at each decision. */
import { expect, test } from "bun:test";
import { denied } from "../../../src/core/policy/decide.ts";
import { NO_POLICY, policyWhere } from "../../../src/core/policy/open.ts";
import { Journal } from "../../../src/core/state/journal.ts";
import { Exact } from "../../../src/io/json.ts";
import { createIntent, failing } from "../../support/acts.ts";

test("a policy that appears between two acts decides about the second one", async () => {
  const world = { applies: false, loads: 0, isStopped: false };
  const stage = policyWhere(
    () => world.applies,
    async () => {
      world.loads += 1;
      return {
        decide: async () => Promise.reject(denied(undefined, "stopped")),
        files: () => ["digest"],
        isStopped: () => world.isStopped,
      };
    },
  );
  const decide = () => stage.decide(createIntent(new Exact("{}")), new Journal(), 1000);
  expect((await decide()).rules).toEqual([]);
  expect([world.loads, stage.files?.(), stage.isStopped?.()]).toEqual([0, [], false]);
  world.applies = true;
  // What applies since then may be the stop file.
  expect([stage.files?.(), stage.isStopped?.()]).toEqual([undefined, true]);
  expect((await failing(decide())).code).toBe("POLICY_DENIED");
  expect((await failing(decide())).code).toBe("POLICY_DENIED");
  expect([world.loads, stage.files?.(), stage.isStopped?.()]).toEqual([1, ["digest"], false]);
  world.isStopped = true;
  expect(stage.isStopped?.()).toBe(true);
  world.applies = false;
  expect(await decide()).toMatchObject({ policySha256: [] });
  expect(stage.files?.()).toEqual([]);
});

test("without a policy nothing is reserved or required", async () => {
  const decision = await NO_POLICY.decide(createIntent(new Exact("{}")), new Journal(), undefined);
  expect(decision.reserve(new Journal())).toBeUndefined();
  expect(decision.againRefused()).toBeUndefined();
});
