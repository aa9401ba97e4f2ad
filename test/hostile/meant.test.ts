/** What was created here is remembered, and the account that pays is the one that was meant. */
import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { SOURCE } from "../support/forms.ts";
import {
  APPROVE,
  CREATE,
  challengeFor,
  kept,
  PAID,
  POSTED,
  payout,
  routes,
  SIGNING,
} from "./payment.ts";
import { closeAll, openLoggedIn } from "./program.ts";
import { http, type RawRequest } from "./raw-api.ts";

test("SIG-6 a server that swaps a payment is caught by the journal, where the record was not kept", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve(routes());
    await program.succeed(CREATE);
    await rm(join(program.stateDirectory, "records"), { recursive: true });
    const swapped = { ...PAID, amount: "9000" };
    api.serve(
      routes({
        "GET /requests/R1": [kept({ id: "R1", ...payout("hot", swapped) })],
        "GET /requests/R1/challenge": [
          kept({ challenge: challengeFor({ account_name: "Hot", ...swapped }) }),
        ],
      }),
    );
    const { details } = await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
    expect(details).toMatchObject({
      sources: ["record", "server", "account"],
      differences: [{ field: "data.transaction_data.amount", source: "record" }],
    });
    expect(api.count(POSTED)).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

test("M33 M27 of two accounts with one name the challenge does not say which one pays", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    const accounts = ["hot", "cold"].map((id) => ({ id, name: "Hot", currency: PAID.currency }));
    api.serve(routes({ "GET /accounts": [kept({ results: accounts, total: 2 })] }));
    await program.succeed(CREATE);
    const { details } = await program.fail(APPROVE, 2, "MEANING_UNCLEAR", SIGNING);
    expect(JSON.stringify(details)).toContain("AMBIGUOUS_ACCOUNT");
    expect(api.count(POSTED)).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

test("M33 M27 an account of the same name beyond the pages that are read is looked for by name", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  const [hot, cold] = ["hot", "cold"].map((id) => ({ id, name: "Hot", currency: PAID.currency }));
  const many = (socket: Socket, { target }: RawRequest): void => {
    const page = Number(/[?&]page=(\d+)/.exec(target)?.[1] ?? 1);
    const others = Array.from({ length: 30 }, (_, at) => ({ id: `a${page}.${at}`, name: "Other" }));
    const isSearch = target.includes("name=Hot");
    const results = isSearch ? [hot, cold] : page === 1 ? [hot, ...others.slice(1)] : others;
    const next = isSearch ? null : page + 1;
    socket.end(kept({ results, total: isSearch ? 2 : 400, page, next }));
  };
  try {
    api.serve(routes({ "GET /accounts": [many] }));
    await program.succeed(CREATE);
    const { details } = await program.fail(APPROVE, 2, "MEANING_UNCLEAR", SIGNING);
    expect(JSON.stringify(details)).toContain("AMBIGUOUS_ACCOUNT");
    expect(api.requests.filter(({ target }) => target.includes("name=Hot"))).toHaveLength(1);
    expect(api.count(POSTED)).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

const OTHER = JSON.stringify(payout("hot", { ...PAID, amount: "9000" }));

/** A server on which R1 is what was created second, for 9000. */
function swapped() {
  const paid = { ...PAID, amount: "9000" };
  return routes({
    "GET /requests/R1": [kept({ id: "R1", ...payout("hot", paid) })],
    "GET /requests/R1/challenge": [
      kept({ challenge: challengeFor({ account_name: "Hot", ...paid }) }),
    ],
  });
}

test("SIG-6 B7 a server that gives two creates one id: the second has no known outcome", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve(swapped());
    const first = (await program.succeed(CREATE)) as { key: string };
    const { stdout, stderr } = await program.run(["requests", "create", "--requestData", OTHER]);
    const second = (JSON.parse(stdout) as { error: { code: string; details: object } }).error;
    expect(second.code).toBe("OUTCOME_UNKNOWN");
    // It is not reported as done.
    expect(stderr).not.toContain("Request R1");
    const { key } = second.details as { key: string };
    expect(second.details).toEqual({ requestId: "R1", otherKey: first.key, key });
    expect(await program.succeed(["requests", "journal"])).toMatchObject({
      results: [
        { key: first.key, state: "done", id: "R1" },
        { key, state: "open" },
      ],
    });
    // Another digest each time, so that the one that was refused is not what refuses.
    const { details } = await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
    expect(details).toMatchObject({
      differences: [{ field: "data.transaction_data.amount", source: "record" }],
    });
    expect(api.count(POSTED)).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

test("SIG-6 the same where the journal was begun anew in between", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve(swapped());
    await program.succeed(CREATE);
    for (const log of ["journal", "audit"])
      await rm(join(program.stateDirectory, log), { recursive: true });
    const { stderr, exit } = await program.run(["requests", "create", "--requestData", OTHER]);
    expect(exit).toBe(0);
    expect(stderr).toContain("NOT_AS_SENT: The server gave this request the id of another one");
    await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
    api.serve(routes());
    await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
    expect(api.count(POSTED)).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

test("B4 E23 an approval whose answer was lost is not signed and sent a second time", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve(routes({ [POSTED]: [(socket) => socket.destroy(), kept({ id: "R1" })] }));
    await program.succeed(CREATE);
    const lost = await program.fail(APPROVE, 1, "OUTCOME_UNKNOWN", SIGNING);
    const { key } = lost.details as { key: string };
    const again = await program.fail(APPROVE, 2, "DUPLICATE_SUSPECTED", SIGNING);
    expect(again.details).toEqual({ key, requestId: "R1", state: "open" });
    expect(await program.succeed(["requests", "journal"])).toMatchObject({
      results: [{ state: "done" }, { state: "done" }, { key, state: "open" }],
    });
    expect(api.count(POSTED)).toBe(1);
    await program.succeed([...APPROVE, "--again", key], SIGNING);
    expect(api.count(POSTED)).toBe(2);
  } finally {
    await closeAll(program, api);
  }
});

test("B2 a server's own 'key' does not pass for the record's", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve(
      routes({ "POST /requests": [kept({ id: "R1", key: "01M8HYXX26Z8JW84D6ZGHAX8E8" })] }),
    );
    const { stderr } = await program.run(CREATE);
    const listed = (await program.succeed(["requests", "journal"])) as {
      results: { key: string }[];
    };
    expect(stderr).toContain(
      `KEY_NOT_SHOWN: The answer has a 'key' of its own; the record's key is ${listed.results[0]?.key}.`,
    );
  } finally {
    await closeAll(program, api);
  }
});

test("B7 another operator's record is not looked for among the requests of this one", async () => {
  const { api, program } = await openLoggedIn(SOURCE);
  const as = (id: string) => ({ "GET /users/me": [kept({ id, name: id })] });
  try {
    api.serve({ ...routes({ "POST /requests": [(socket) => socket.destroy()] }), ...as("first") });
    await program.succeed(["login", "api"]);
    const { details } = await program.fail(CREATE, 1, "OUTCOME_UNKNOWN");
    const { key } = details as { key: string };
    api.serve({
      ...routes({ "GET /requests": [kept({ results: [], total: 0 })] }),
      ...as("second"),
    });
    await program.succeed(["login", "api"]);
    expect(await program.succeed(["requests", "reconcile", "--key", key])).toEqual({
      results: [{ key, verdict: "undetermined" }],
    });
    expect(api.count("GET /requests")).toBe(0);
  } finally {
    await closeAll(program, api);
  }
});

test.each([
  ["F06", "403 Forbidden", "FORBIDDEN"],
  ["F07", "404 Not Found", "NOT_FOUND"],
])("%s whoami tells the session where the API answers %s for the user", async (...row) => {
  const [, status, code] = row;
  const { api, program } = await openLoggedIn(SOURCE);
  try {
    api.serve({ "GET /users/me": [http(status, '{"code":"SOME_CODE","message":"m"}')] });
    const { exit, stdout, stderr } = await program.run(["whoami"]);
    expect([exit, JSON.parse(stdout)]).toMatchObject([0, { user: null, session: { kind: "api" } }]);
    expect(stderr).toContain(
      `USER_UNKNOWN: The API did not name the user of this session (${code}).`,
    );
    api.serve({ "GET /users/me": [http("500 X", "{}")] });
    await program.fail(["whoami"], 5, "SERVER_ERROR");
  } finally {
    await closeAll(program, api);
  }
});
