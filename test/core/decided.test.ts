/** What the journal says of a decision that the API refused. */
import { expect, test } from "bun:test";
import { isRefusal, tellDecision } from "../../src/core/decided.ts";
import type { Books } from "../../src/core/state/books.ts";
import { Journal } from "../../src/core/state/journal.ts";
import type { Session } from "../../src/core/state/session.ts";
import { CliError } from "../../src/errors.ts";

const PLACE = { origin: "https://api.example", basePath: "/v1/rest", workspace: "w" };
const SESSION = { ...PLACE, user: { id: "u1", name: "me" } } as unknown as Session;
const REFUSAL = new CliError("FORBIDDEN", { message: "No.", httpStatus: 403, hint: "As before." });
const [AT, KEY] = ["2026-11-29T12:00:00.000Z", "01M8KM7204ARSC668TYXGB6TMC"];

/** What is told where the journal has one act with these members. */
function told(changes: object, state = "done") {
  const journal = new Journal();
  const facts = { key: KEY, kind: "approve", command: "requests approve api", uid: 1000 };
  const act = { ...facts, ...PLACE, user: "u1", requestId: "R1", ...changes };
  journal.take({ event: "intent", time: AT, ...act });
  journal.take({ event: "outcome", time: AT, key: KEY, state });
  const books = { read: () => journal } as unknown as Books;
  return tellDecision(REFUSAL, books, SESSION, { requestId: "R1", uid: 1000 }).facts;
}

test("N24 an earlier decision of this operator about this request is named with time and key", () => {
  const approved = told({});
  expect(approved.details).toEqual({ earlier: { decision: "APPROVE", time: AT, key: KEY } });
  expect(approved.hint).toContain(
    `This operator approved the request on ${AT} (journal key ${KEY})`,
  );
  expect(told({ kind: "reject" }).hint).toContain("This operator rejected the request");
  expect(told({ kind: "deviceApprove" }).details).toEqual(approved.details);
});

test.each([
  ["another request", { requestId: "R2" }, "done"],
  ["another user", { user: "u2" }, "done"],
  ["a user who is not known", { user: "" }, "done"],
  ["another client of a guard", { uid: 1001 }, "done"],
  ["another workspace", { workspace: "x" }, "done"],
  ["a signature that was only made", { kind: "sign" }, "done"],
  ["a decision that was refused", {}, "refused"],
  ["a decision whose outcome is not known", {}, "open"],
])("N24 nothing is said of %s", (_what, changes, state) => {
  expect(told(changes, state)).toEqual(REFUSAL.facts);
});

test("N24 a broken journal leaves the refusal as it is, and failures without an answer are none", () => {
  const read = () => {
    throw new CliError("AUDIT_BROKEN", { message: "Broken." });
  };
  const about = { requestId: "R1", uid: 1000 };
  expect(tellDecision(REFUSAL, { read } as unknown as Books, SESSION, about)).toBe(REFUSAL);
  expect(isRefusal(REFUSAL)).toBeTrue();
  expect(isRefusal(new CliError("FORBIDDEN", { message: "No." }))).toBeFalse();
  expect(isRefusal(new CliError("SERVER_ERROR", { message: "No.", httpStatus: 500 }))).toBeFalse();
});
