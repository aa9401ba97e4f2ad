/** The one door for writes and signatures: the checks between an intent and its work. */
import { expect, test } from "bun:test";
import { Acts, type Deed, type Intent, type Outcome, type Stages } from "../../src/core/acts.ts";
import type { Session } from "../../src/core/state/session.ts";
import { CliError } from "../../src/errors.ts";

const SESSION: Session = {
  version: 1,
  kind: "api",
  apiVersion: "v2",
  origin: "https://vault.example",
  basePath: "",
  workspace: "minivault",
};

const COMMON = { command: "test", session: SESSION, content: undefined };
const CREATE: Intent = {
  ...COMMON,
  kind: "create",
  operation: "requests.create",
  requestId: undefined,
  body: undefined,
};
const CONTENT = { bytes: new Uint8Array([1]), payloadSha256: "00", document: undefined };
const SIGN: Intent = {
  ...COMMON,
  kind: "sign",
  purpose: "approve",
  requestId: "R1",
  content: CONTENT,
};

/** Acts whose stages note their order; `changes` replaces some. */
function noted(changes: Partial<Stages> = {}): { acts: Acts; steps: unknown[]; deeds: Deed[] } {
  const steps: unknown[] = [];
  const deeds: Deed[] = [];
  const stages: Stages = {
    decide: async ({ kind }) => void steps.push(`decide ${kind}`),
    denied: async ({ kind }) => void steps.push(`denied ${kind}`),
    open: async () => {
      steps.push("open");
      return "KEY";
    },
    close: async (_intent, key, outcome) => void steps.push([key, outcome]),
    ...changes,
  };
  return { acts: new Acts({ command: "test", deeds, stages: async () => stages }), steps, deeds };
}

const refusal = (code: CliError["code"]): CliError => new CliError(code, { message: "No." });

test("an act is decided, kept, carried out and closed, in this order", async () => {
  const { acts, steps, deeds } = noted();
  const work = async (key: string | undefined) => {
    steps.push(`work ${key}`);
    return "R7";
  };
  expect(await acts.perform(CREATE, work, (id) => id)).toBe("R7");
  const outcome: Outcome = { state: "done", requestId: "R7" };
  expect(steps).toEqual(["decide create", "open", "work KEY", ["KEY", outcome]]);
  expect(deeds).toEqual([{ kind: "create", requestId: "R7", key: "KEY" }]);
});

test("a signature passes the same stages and is not a deed", async () => {
  const { acts, steps, deeds } = noted();
  expect(await acts.perform(SIGN, async () => "jws")).toBe("jws");
  const outcome: Outcome = { state: "done", requestId: "R1" };
  expect(steps).toEqual(["decide sign", "open", ["KEY", outcome]]);
  expect(deeds).toEqual([]);
});

test.each(["decide", "open"] as const)("what %s refuses is not carried out", async (stage) => {
  const error = refusal("READ_ONLY");
  const { acts, steps, deeds } = noted({ [stage]: () => Promise.reject(error) });
  const work = async () => void steps.push("work");
  await expect(acts.perform(CREATE, work)).rejects.toBe(error);
  expect(steps).toEqual([stage === "decide" ? "denied create" : "decide create"]);
  expect(deeds).toEqual([]);
});

test.each([
  ["a refusal", refusal("FORBIDDEN"), "refused"],
  ["an unknown outcome", refusal("OUTCOME_UNKNOWN"), "unknown"],
  ["an unexpected failure", new Error("?"), "unknown"],
] as const)("%s of the work is told to the last stage", async (_name, cause, state) => {
  const { acts, steps, deeds } = noted();
  const failure = await acts.perform(CREATE, () => Promise.reject(cause)).catch((error) => error);
  expect(steps.at(-1)).toEqual(["KEY", expect.objectContaining({ state })]);
  expect(deeds).toEqual([]);
  expect(failure.message).toBe(cause.message);
});

test("a failure of the work has the key in its details, beside what was there", async () => {
  const { acts } = noted();
  const cause = new CliError("CONFLICT", {
    message: "No.",
    details: { reason: "x" },
    httpStatus: 409,
  });
  const failure = await acts.perform(CREATE, () => Promise.reject(cause)).catch((error) => error);
  expect(failure).toBeInstanceOf(CliError);
  expect([failure.code, failure.facts.httpStatus]).toEqual(["CONFLICT", 409]);
  expect(failure.facts.details).toEqual({ reason: "x", key: "KEY" });
});

test("a dry run is decided and keeps nothing", async () => {
  const { acts, steps } = noted();
  await acts.decide(CREATE);
  expect(steps).toEqual(["decide create"]);
});
