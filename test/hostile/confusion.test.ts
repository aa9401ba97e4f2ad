/** A server that mixes requests up, or reuses what may be used once: nothing of it is signed. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { SOURCE } from "../support/forms.ts";
import { CREATE, challengeFor, kept, PAID, payout, routes, SIGNING } from "./payment.ts";
import { closeAll, openLoggedIn, type Program } from "./program.ts";
import type { RawApi } from "./raw-api.ts";

let api: RawApi;
let program: Program;
beforeEach(async () => {
  ({ api, program } = await openLoggedIn(SOURCE));
});
afterEach(() => closeAll(program, api));

const approve = (id: string) => ["requests", "approve", "api", "--id", id, "--sign"];
const posts = () => api.requests.filter(({ path }) => path.endsWith("/approve")).length;
const CHALLENGE = challengeFor({ account_name: "Hot", ...PAID });
const TWIN = {
  "GET /requests/R2": [kept({ id: "R2", ...payout("hot") })],
  "GET /requests/R2/challenge": [kept({ challenge: CHALLENGE })],
  "POST /requests/R2/approve": [kept({ id: "R2" })],
};

test("SIG-7 a challenge that was received for one request does not decide about its twin", async () => {
  api.serve(routes(TWIN));
  await program.succeed(CREATE);
  await program.succeed(["requests", "review", "--id", "R1"]);
  const { details } = await program.fail(approve("R2"), 2, "CHALLENGE_MISMATCH", SIGNING);
  expect(details).toMatchObject({ requestId: "R2", receivedFor: "R1" });
  await program.fail(["requests", "getChallenge", "--id", "R2"], 2, "CHALLENGE_MISMATCH");
  expect(posts()).toBe(0);
  await program.succeed(approve("R1"), SIGNING);
  expect(posts()).toBe(1);
});

test("SIG-6 an answer about another request than the asked one is not compared", async () => {
  api.serve(routes({ "GET /requests/R1": [kept({ id: "R2", ...payout("hot") })] }));
  await program.succeed(CREATE);
  const { details } = await program.fail(approve("R1"), 5, "INVALID_RESPONSE", SIGNING);
  expect(details).toEqual({ requestId: "R1", answered: "R2" });
  expect(posts()).toBe(0);
});

test.each([
  "../R1",
  "..",
  "R1/approve",
  "R1?x=1",
  "R1\n",
  "R\u202e1",
  "",
  "x".repeat(129),
  "x".repeat(3_000_000),
])("NET-9 a new request's id that no command can take is none (%#)", async (id) => {
  api.serve(routes({ "POST /requests": [kept({ id })] }));
  const { exit, stderr } = await program.run(CREATE);
  expect(exit).toBe(0);
  expect(stderr).toContain("RECORD_NOT_KEPT");
  const listed = (await program.succeed(["requests", "journal"])) as { results: object[] };
  expect(listed.results).toEqual([
    {
      key: expect.any(String),
      state: "done",
      time: expect.any(String),
      command: "requests create",
    },
  ]);
});
