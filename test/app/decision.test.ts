/** The dry run of a decision: the examination and the description of the call, side by side. */
import { expect, test } from "bun:test";
import { approve } from "../../src/commands/requests/approve.ts";
import { CliError } from "../../src/errors.ts";
import { codeOf } from "../support/failure.ts";

const api = approve.members.get("api");
const ORDER = { id: "1", sign: true, signature: undefined, noSummary: false };
const CALL = { method: "POST", url: "https://example.invalid/", headers: {}, body: null };

/** Runs the dry run with these two capabilities. */
async function dryRun(examine: () => Promise<object>, describe: () => Promise<object>) {
  if (api?.kind !== "command" || api.dryRun === undefined) throw new Error("no such dry run");
  const capabilities = { examination: { order: examine }, draft: { describe } };
  return api.dryRun.run(capabilities as never, ORDER as never);
}

const refuse = (code: "CHALLENGE_MISMATCH" | "NOT_LOGGED_IN") => () =>
  Promise.reject(new CliError(code, { message: "Refused." }));

test("the call is described while the examination waits", async () => {
  const described = Promise.withResolvers<void>();
  const shown = await dryRun(
    async () => {
      await described.promise;
      return { report: { id: "1", summary: "all" } };
    },
    async () => {
      described.resolve();
      return CALL;
    },
  );
  expect(shown).toEqual({ dryRun: true, request: CALL, review: { id: "1", summary: "all" } });
});

test("what the examination refuses is said, even where nothing can be described", async () => {
  const late = async () => {
    await Bun.sleep(1);
    return refuse("CHALLENGE_MISMATCH")();
  };
  expect(await codeOf(() => dryRun(late, refuse("NOT_LOGGED_IN")))).toBe("CHALLENGE_MISMATCH");
  const examine = async () => ({ report: { id: "1" } });
  expect(await codeOf(() => dryRun(examine, refuse("NOT_LOGGED_IN")))).toBe("NOT_LOGGED_IN");
});
