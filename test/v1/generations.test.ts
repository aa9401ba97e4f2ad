/**
 * One workspace, seen and moved through both API versions: the same objects, the same governance,
 * one request's life from end to end.
 */
import { describe, expect, test } from "bun:test";
import { createPublicKey, verify } from "node:crypto";
import type { Program } from "../hostile/program.ts";
import type { Answer } from "../support/answer.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

const ALICE = "b7c1d2e3-0000-4000-8000-000000000004";
const FIRST = "ClientA COL TBTC 1";
const EXCHANGE = "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq";

async function ask(program: Program, ...argv: string[]): Promise<Answer> {
  return program.succeed(argv);
}

/** The number of the account that both API versions call by `name`. */
async function accountOf(program: Program, name = FIRST): Promise<number> {
  const { results } = await ask(program, "accounts", "list", "--name", name);
  return results[0].id;
}

function payment(account: number, more: object = {}, amount = "2500000"): string {
  return JSON.stringify({
    type: "CREATE_TRANSACTION",
    data: {
      account_id: account,
      transaction_type: "BITCOIN_LIKE_SEND",
      fees_strategy: { type: "SPEED", data: { speed: "NORMAL" } },
      transaction_data: {
        account_name: FIRST,
        amount,
        currency: "bitcoin_testnet",
        max_fees: "4018",
        recipient: EXCHANGE,
        ...more,
      },
    },
    note: { title: "Payout", content: "Invoice 42" },
  });
}

function forget(program: Program): Promise<unknown> {
  return Bun.$`rm -rf ${program.stateDirectory}/records`.quiet();
}

describe("the same workspace", () => {
  test("accounts, users, groups, whitelists and entities have the same names and numbers", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    for (const noun of ["accounts", "groups", "whitelists", "entities", "users"]) {
      const [one, two] = [
        await ask(v1, noun, "list", "--all"),
        await ask(v2, noun, "list", "--all"),
      ];
      expect(one.complete && two.complete).toBe(true);
      const rows = (list: Answer[], id: string, name: string): unknown[] =>
        list.map((row) => [row[id], row[name]]).sort((a, b) => a[0] - b[0]);
      const name = noun === "users" ? "username" : "name";
      expect(rows(one.results, "id", name)).toEqual(rows(two.results, "legacyId", "name"));
    }
  });

  test("balances agree, beyond 2^53, under the same names", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const id = await accountOf(v1, "Ether Reserve USDC");
    const other = (await ask(v2, "accounts", "list", "--name", "Ether Reserve USDC")).results[0].id;
    const [one] = (await ask(v1, "accounts", "getBalance", "--id", `${id}`)).results;
    const [two] = (await ask(v2, "accounts", "getBalance", "--id", other)).results;
    expect(one.balance.total).toBe("9007199254740993");
    expect([one.balance.total, one.balance.pending]).toEqual([
      two.balance.total,
      two.balance.pending,
    ]);
  });

  test("every page of transactions, by our own cursor", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const account = await accountOf(v1);
    const uuid = (await ask(v2, "accounts", "list", "--name", FIRST)).results[0].id;
    workspace.calls();
    const one = await ask(v1, "transactions", "list", "--accountId", `${account}`, "--all");
    const query = (page: number) =>
      `GET /transactions?account=${account}${page === 1 ? "" : `&page=${page}`}`;
    expect(workspace.calls()).toEqual([query(1), query(2), query(3)]);
    const two = await ask(v2, "transactions", "list", "--accountId", uuid, "--all");
    // V1 lists a transaction from the moment somebody asks for it, V2 once it is on its way.
    const hashes = one.results.flatMap(({ tx_hash }: Answer) => tx_hash ?? []);
    expect(hashes).toEqual(two.results.map(({ hash }: Answer) => hash));
    expect(one).toMatchObject({ total: one.results.length, complete: true });
    expect(new Set(one.results.map(({ id }: Answer) => id)).size).toBe(one.results.length);
  });

  test("estimates agree", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const account = await accountOf(v1);
    const uuid = (await ask(v2, "accounts", "list", "--name", FIRST)).results[0].id;
    const data = { transactionType: "BITCOIN_LIKE_SEND", transactionData: { accountName: FIRST } };
    const one = await ask(
      v1,
      "transactions",
      "estimate",
      "--accountId",
      `${account}`,
      "--transactionData",
      payment(account),
    );
    const two = await ask(
      v2,
      "transactions",
      "estimate",
      "--accountId",
      uuid,
      "--transactionData",
      JSON.stringify(data),
    );
    expect(one.max_fees).toBe(two.maxFees);
    expect(one.coin_fields.fees_per_byte).toBe(two.coinFields.feesPerByte);
  });
});

/** Raises a payment through V1; its number there, its id in V2. */
async function raise(
  workspace: Workspace,
  v1: Program,
  v2: Program,
): Promise<{ number: string; uuid: string }> {
  const { id } = await ask(v1, "requests", "create", "--requestData", payment(await accountOf(v1)));
  const { results } = await ask(v2, "requests", "list", "--sortOrder", "desc", "--pageSize", "1");
  expect(results[0].legacyId).toBe(id);
  workspace.calls();
  return { number: `${id}`, uuid: results[0].id };
}

describe("the life of a request", () => {
  test("raised and signed on V1, approved by a person, confirmed; V2 says the same at each step", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number, uuid } = await raise(workspace, v1, v2);
    const both = async (): Promise<string[]> => {
      const [one, two] = [
        await ask(v1, "requests", "get", "--id", number),
        await ask(v2, "requests", "get", "--id", uuid),
      ];
      return [one.status, two.state];
    };
    expect(await both()).toEqual(["PENDING_FIRST_APPROVAL", "PENDING_APPROVAL"]);
    expect(await ask(v1, "requests", "review", "--id", number)).toMatchObject({
      match: true,
      unverified: [],
    });
    workspace.calls();
    await ask(v1, "requests", "approve", "api", "--id", number, "--sign");
    const account = await accountOf(v1);
    // Beside these, the lists that a summary reads.
    const ofASummary = /^GET \/(currencies|whitelists|accounts\?|transactions\?)/;
    const decisive = workspace.calls().filter((call) => !ofASummary.test(call));
    expect(decisive.slice(0, 5)).toEqual([
      `GET /requests/${number}/challenge`,
      `GET /requests/${number}`,
      `GET /transactions/${number}`,
      `GET /accounts/${account}`,
      `POST /requests/${number}/approve`,
    ]);
    expect(await both()).toEqual(["PENDING_APPROVAL", "PENDING_APPROVAL"]);
    const before = await ask(v1, "requests", "governanceStatus", "--id", number);
    expect(before).toMatchObject({ is_complete: false, request: { current_step_index: 1 } });
    expect(before.governance_steps[0].approvals).toHaveLength(1);
    workspace.sandbox.control.review(uuid, ALICE, "APPROVE");
    expect(await both()).toEqual(["APPROVED", "APPROVED"]);
    workspace.sandbox.control.advanceClock(60);
    expect(await both()).toEqual(["SUBMITTED", "CONFIRMED"]);
    const done = await ask(v1, "api", "--path", `/transactions/${number}`);
    expect(done).toMatchObject({ status: "CONFIRMED", amount: "2500000", recipient: EXCHANGE });
    expect(await ask(v1, "requests", "wait", "--id", number)).toMatchObject({ reached: true });
  });

  test("raised on V2, reviewed and signed on V1 by somebody who did not raise it: compared with what V1 shows", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number, uuid } = await raise(workspace, v1, v2);
    await forget(v1);
    const report = await ask(v1, "requests", "review", "--id", number);
    expect(report).toMatchObject({ match: true, differences: [], unverified: [] });
    const signed = await ask(
      v1,
      "requests",
      "sign",
      "--id",
      number,
      "--challenge",
      report.challenge,
    );
    expect(signed.review).toBe("matched");
    await ask(v1, "requests", "approve", "api", "--id", number, "--signature", signed.signature);
    expect((await ask(v2, "requests", "get", "--id", uuid)).currentStepIndex).toBe(1);
  });

  test("a JWS of the client is what node:crypto verifies: header, the challenge's own bytes, 64 bytes", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number } = await raise(workspace, v1, v2);
    const { challenge } = await ask(v1, "requests", "getChallenge", "--id", number);
    const { signature } = await ask(v1, "requests", "sign", "--challenge", challenge);
    const [head, body, raw] = signature.split(".");
    expect(Buffer.from(head, "base64url").toString()).toBe('{"alg":"ES256","typ":"JWT"}');
    expect(body).toBe(challenge);
    const point = Buffer.from(workspace.sandbox.description.operator.publicKey, "hex");
    const [x, y] = [
      point.subarray(1, 33).toString("base64url"),
      point.subarray(33).toString("base64url"),
    ];
    const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    const bytes = Buffer.from(raw, "base64url");
    expect(bytes).toHaveLength(64);
    expect(
      verify("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, bytes),
    ).toBe(true);
  });
});

describe("a rejection", () => {
  test("over its own challenge, with the same review; V2 sees it", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number, uuid } = await raise(workspace, v1, v2);
    await forget(v1);
    const dry = await ask(v1, "requests", "reject", "api", "--id", number, "--dryRun");
    expect(dry).toMatchObject({
      request: { method: "POST", body: { jws: "[not made]" } },
      review: { match: true },
    });
    expect(dry.review.decoded.type).toBe("REJECT_TRANSACTION");
    const reject = ["requests", "reject", "api", "--id", number, "--dryRun"];
    const chosen = await ask(v1, ...reject, "--fields", "dryRun,review.match");
    expect(chosen).toEqual({ dryRun: true, review: { match: true } });
    workspace.calls();
    expect(await ask(v1, "requests", "reject", "api", "--id", number)).toMatchObject({
      status: "ABORTED",
    });
    const calls = workspace.calls();
    expect([calls[0], calls.at(-1)]).toEqual([
      `GET /requests/${number}/challenge/reject`,
      `POST /requests/${number}/reject`,
    ]);
    expect((await ask(v2, "requests", "get", "--id", uuid)).state).toBe("REJECTED");
    expect((await ask(v1, "requests", "get", "--id", number)).status).toBe("REJECTED");
    await v1.fail(["requests", "wait", "--id", number], 1, "WAIT_OTHER_STATE");
  });

  test.each([
    ["an approval", { type: "APPROVE_TRANSACTION" }, "type"],
    ["a creation", { type: "CREATE_TRANSACTION" }, "type"],
    ["no decision", { type: "TRANSACTION" }, "type"],
    ["another kind of request", { type: "REJECT_ACCOUNT" }, "type"],
    [
      "another amount",
      { "data.transaction_data.amount": "2500001" },
      "data.transaction_data.amount",
    ],
    [
      "another recipient",
      { "data.transaction_data.recipient": "tb1qother" },
      "data.transaction_data.recipient",
    ],
    [
      "another account",
      { "data.transaction_data.account_name": "Other" },
      "data.transaction_data.account_name",
    ],
  ] as const)(
    "a challenge that says %s is refused, and nothing is sent",
    async (_name, alterChallenge, field) => {
      await using workspace = await openWorkspace();
      const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
      const { number } = await raise(workspace, v1, v2);
      workspace.sandbox.control.set({ alterChallenge });
      const error = await v1.fail(
        ["requests", "reject", "api", "--id", number],
        2,
        "CHALLENGE_MISMATCH",
      );
      const { differences } = error.details as Answer;
      expect(differences.map((one: Answer) => one.field)).toContain(field);
      // Confirming the digest, or naming values, does not turn one decision into another.
      const { payloadSha256 } = error.details as Answer;
      const argv = [
        "requests",
        "reject",
        "api",
        "--id",
        number,
        "--expectPayloadSha256",
        payloadSha256,
      ];
      await v1.fail(argv, 2, "CHALLENGE_MISMATCH");
      expect(workspace.calls().filter((call) => call.startsWith("POST"))).toEqual([]);
    },
  );

  test("the older shape does not say that it rejects, so it is refused", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number } = await raise(workspace, v1, v2);
    workspace.sandbox.control.set({ challengeShape: "transactionProperties" });
    await v1.fail(["requests", "reject", "api", "--id", number], 2, "CHALLENGE_MISMATCH");
    expect(workspace.calls().filter((call) => call.startsWith("POST"))).toEqual([]);
  });

  test("an unknown shape needs the confirmed digest", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number } = await raise(workspace, v1, v2);
    workspace.sandbox.control.set({
      challengeBytes: Buffer.from('{"rejected":true}').toString("base64"),
    });
    const argv = ["requests", "reject", "api", "--id", number];
    const { payloadSha256 } = (await v1.fail(argv, 2, "CHALLENGE_MISMATCH")).details as Answer;
    await ask(v1, ...argv, "--expectPayloadSha256", payloadSha256);
  });

  test("an approval over a challenge that rejects is refused", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const { number } = await raise(workspace, v1, v2);
    workspace.sandbox.control.set({ alterChallenge: { type: "REJECT_TRANSACTION" } });
    await v1.fail(
      ["requests", "approve", "api", "--id", number, "--sign"],
      2,
      "CHALLENGE_MISMATCH",
    );
  });

  test("V2: NOT_SUPPORTED before anything is asked, with or without a key", async () => {
    await using workspace = await openWorkspace();
    for (const env of [{}, { LEDGER_ENTERPRISE_API_PRIVATE_KEY: "" }]) {
      const v2 = await workspace.client("v2", env);
      workspace.calls();
      for (const dry of [[], ["--dryRun"]]) {
        const { hint } = await v2.fail(
          ["requests", "reject", "api", "--id", "x", ...dry],
          2,
          "NOT_SUPPORTED",
        );
        expect(hint).toContain("not public");
      }
      await v2.fail(["requests", "governanceStatus", "--id", "x"], 2, "NOT_SUPPORTED");
      expect(workspace.calls()).toEqual([]);
    }
  });
});

describe("sessions", () => {
  test("an expired token is refreshed once, in V1's words", async () => {
    await using workspace = await openWorkspace();
    const v1 = await workspace.client("v1");
    workspace.sandbox.control.addFault({ match: { path: "/entities" }, expireTokens: true });
    workspace.calls();
    await ask(v1, "entities", "list");
    expect(workspace.calls()).toEqual([
      "GET /entities",
      "POST /auth/token/refresh",
      "GET /entities",
    ]);
  });

  test("the workspace goes with every call; a token for another one is not stored", async () => {
    await using workspace = await openWorkspace();
    const v1 = await workspace.client("v1", { LEDGER_ENTERPRISE_WORKSPACE: "elsewhere" }, false);
    await v1.fail(["login", "api", "--apiVersion", "v1"], 3, "UNAUTHORIZED");
    const right = await workspace.client("v1");
    await ask(right, "accounts", "list");
    for (const { headers } of workspace.sandbox.control.log.slice(-2))
      expect(headers["x-ledger-workspace"]).toBe(workspace.sandbox.description.workspace);
  });

  test("who one is comes from the token; nothing is called for it", async () => {
    await using workspace = await openWorkspace();
    const v1 = await workspace.client("v1");
    expect(workspace.calls()).toEqual(["POST /auth/token"]);
    const { session, user } = await ask(v1, "whoami");
    expect([session.apiVersion, session.user.name, user]).toEqual(["v1", "agent-operator", null]);
    expect(workspace.calls()).toEqual([]);
  });

  test("a key of another user is refused before anything is signed (KEY-4)", async () => {
    await using workspace = await openWorkspace();
    const { keyPair } = await import("./keys.ts");
    const v1 = await workspace.client("v1", {
      LEDGER_ENTERPRISE_API_PRIVATE_KEY: keyPair().pemHex,
    });
    workspace.calls();
    await v1.fail(["requests", "reject", "api", "--id", "7"], 2, "KEY_MISMATCH");
    expect(workspace.calls()).toEqual([]);
  });

  test("V1's errors and limits", async () => {
    await using workspace = await openWorkspace();
    const v1 = await workspace.client("v1");
    const missing = await v1.fail(["accounts", "get", "--id", "999999"], 4, "NOT_FOUND");
    expect(missing.api).toMatchObject({ name: "NOT_FOUND", status_code: 404 });
    await v1.fail(["requests", "getChallenge", "--id", "999999"], 4, "NOT_FOUND");
    workspace.sandbox.control.set({ rateLimit: { limit: 0, windowSeconds: 3600 } });
    const limited = await v1.fail(["accounts", "list"], 1, "RATE_LIMITED");
    expect([limited.httpStatus, typeof limited.retryAfterSeconds]).toEqual([420, "number"]);
  });
});
