/** What became of a decision, as the server's answers tell it; answers are the test's. */
import { describe, expect, test } from "bun:test";
import type { Reader } from "../../src/core/api/api.ts";
import { reviewedOf, usedOf } from "../../src/core/reviewed.ts";
import type { Entry } from "../../src/core/state/journal.ts";
import type { Session } from "../../src/core/state/session.ts";
import { exact } from "../../src/io/json.ts";

const ME = "1";
const V1 = { apiVersion: "v1" } as Session;

/** A request on V1 that has one step with these approvals. */
function server(creator: string, status: string, approvals: object[], isComplete = false): Reader {
  const answers: Readonly<Record<string, unknown>> = {
    "requests.governanceStatus": {
      request: { id: 7, created_by: { id: Number(creator) } },
      governance_steps: [{ step_index: 0, quorum: 1, approvals }],
      is_complete: isComplete,
    },
    "requests.get": { id: 7, status },
  };
  return {
    read: async (name: string) => exact(JSON.stringify(answers[name])),
  } as unknown as Reader;
}

const open = (kind: "approve" | "reject"): readonly Entry[] => [
  { kind, requestId: "7" } as unknown as Entry,
];
const approved = (id: number) => ({ type: "APPROVE", user: { id } });

describe("B7 V1 does not show the first approval of a request's creator", () => {
  const of = (kind: "approve" | "reject", reader: Reader) =>
    reviewedOf(reader, V1, ME, open(kind), 0);

  test("B7 an approval of an own request is unknown once the request has its first one", async () => {
    expect(await of("approve", server(ME, "PENDING_APPROVAL", []))).toEqual(["unknown"]);
    expect(await of("approve", server(ME, "PENDING_FIRST_APPROVAL", []))).toEqual(["notGiven"]);
  });

  test("B7 a rejection, and an approval of another's request, are always shown", async () => {
    expect(await of("reject", server(ME, "PENDING_APPROVAL", []))).toEqual(["notGiven"]);
    expect(await of("approve", server("2", "PENDING_APPROVAL", [approved(2)]))).toEqual([
      "notGiven",
    ]);
    expect(await of("approve", server("2", "PENDING_APPROVAL", [approved(1)]))).toEqual(["given"]);
  });

  test("B7 a signature over an own request is not called unused while that may be hidden", async () => {
    const used = (status: string) => usedOf(server(ME, status, [], true), V1, ME, "7");
    expect(await used("EXPIRED")).toBe("unknown");
    expect(await used("PENDING_FIRST_APPROVAL")).toBe("notGiven");
  });
});
