/**
 * The way from a request to its approval through the built program, against a server that alters,
 * omits and answers oddly.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
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
import { builtForms, closeAll, openLoggedIn, type Program } from "./program.ts";
import { http, type RawAnswer, RawApi } from "./raw-api.ts";

/**
 * Answers after 1.5 s, when what the program knows of its session is no longer recent, and after
 * `meanwhile`.
 */
function late(body: unknown, meanwhile: () => Promise<void>): RawAnswer {
  return (socket: Socket) => {
    setTimeout(() => void meanwhile().then(() => socket.end(kept(body))), 1500);
  };
}

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeEach(async () => {
      ({ api, program } = await openLoggedIn(form));
      api.serve(routes());
    });
    afterEach(() => closeAll(program, api));

    test("SIG-6 what is in order is approved, once", async () => {
      await program.succeed(CREATE);
      await program.succeed(APPROVE, SIGNING);
      expect(api.count(POSTED)).toBe(1);
    });

    test("M27 a payment to no valid address is approved only with the digest that a person confirmed", async () => {
      const paid = { ...PAID, recipient: `${PAID.recipient.slice(0, -1)}w` };
      const challenge = challengeFor({ account_name: "Hot", ...paid });
      api.serve(
        routes({
          "GET /requests/R1": [kept({ id: "R1", ...payout("hot", paid) })],
          "GET /requests/R1/challenge": [kept({ challenge })],
        }),
      );
      const { details } = await program.fail(APPROVE, 2, "MEANING_UNCLEAR", SIGNING);
      const expected = ["--expect", JSON.stringify({ recipient: paid.recipient })];
      await program.fail([...APPROVE, ...expected], 2, "MEANING_UNCLEAR", SIGNING);
      expect(api.count(POSTED)).toBe(0);
      const { payloadSha256 } = details as { payloadSha256: string };
      await program.succeed([...APPROVE, "--expectPayloadSha256", payloadSha256], SIGNING);
      expect(api.count(POSTED)).toBe(1);
    });

    test("SIG-6 the account that was asked for here counts, whatever account the server's request names", async () => {
      await program.succeed(CREATE);
      const challenge = challengeFor({ account_name: "Cold", ...PAID });
      api.serve(
        routes({
          "GET /requests/R1": [kept({ id: "R1", ...payout("cold") })],
          "GET /requests/R1/challenge": [kept({ challenge })],
        }),
      );
      const { details } = await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
      const difference = { challenge: "Cold", expected: "Hot", source: "account" };
      expect(details).toMatchObject({ differences: [difference] });
      expect(api.count(POSTED)).toBe(0);
    });

    test("SIG-6 another account stays open when the one that was asked for cannot be read", async () => {
      await program.succeed(CREATE);
      const named = { account_name: "Cold", ...PAID };
      const data = {
        accountId: "cold",
        transactionType: "BITCOIN_LIKE_SEND",
        transactionData: named,
      };
      api.serve(
        routes({
          "GET /accounts/hot": [http("404 Not Found", '{"code":"NOT_FOUND"}')],
          "GET /requests/R1": [kept({ id: "R1", type: "CREATE_TRANSACTION", data })],
          "GET /requests/R1/challenge": [kept({ challenge: challengeFor(named) })],
        }),
      );
      const { details } = await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
      expect(details).toMatchObject({
        differences: [],
        unverified: ["data.transaction_data.account_name"],
      });
      expect(api.count(POSTED)).toBe(0);
    });

    test.each([
      [
        "the server's request names none",
        { "GET /requests/R1": [kept({ id: "R1", ...payout(undefined) })] },
      ],
      [
        "the account cannot be read",
        { "GET /accounts/hot": [http("404 Not Found", '{"code":"NOT_FOUND"}')] },
      ],
      [
        "the request comes in an envelope",
        { "GET /requests/R1": [kept({ request: payout("hot") })] },
      ],
    ] as const)(
      "SIG-6 a challenge that names no account stays open although %s",
      async (_name, changes) => {
        await program.succeed(CREATE);
        api.serve(
          routes({
            ...changes,
            "GET /requests/R1/challenge": [kept({ challenge: challengeFor(PAID) })],
          }),
        );
        const { details } = await program.fail(APPROVE, 2, "CHALLENGE_MISMATCH", SIGNING);
        expect(details).toMatchObject({ differences: [], unverified: ["account_name"] });
        expect(api.count(POSTED)).toBe(0);
      },
    );

    test("SIG-6 a challenge with nothing to compare it with is not signed for a request that was named", async () => {
      api.serve(routes({ "GET /requests/R1": [kept({ id: "R1", type: "CREATE_TRANSACTION" })] }));
      const sign = ["requests", "sign", "--id", "R1", "--challenge", challengeFor(PAID)];
      await program.fail(sign, 2, "CHALLENGE_MISMATCH", SIGNING);
      const confirmed = await program.succeed([...sign, "--expect", '{"amount":"1000"}'], SIGNING);
      expect(confirmed).toMatchObject({ review: "none" });
    });

    test("NET-2 a session that becomes another one meanwhile: what was reviewed here is not approved there", async () => {
      await using other = await RawApi.start();
      other.serve({ "*": [kept({ id: "R1", state: "APPROVED" })] });
      const session = JSON.parse(await readFile(program.sessionFile, "utf8"));
      const swap = () =>
        writeFile(program.sessionFile, JSON.stringify({ ...session, origin: other.url }));
      api.serve(routes({ "GET /accounts/hot": [late({ id: "hot", name: "Hot" }, swap)] }));
      const env = { ...SIGNING.env, LEDGER_ENTERPRISE_API_URL: "" };
      await program.fail(APPROVE, 3, "SESSION_MISMATCH", { env });
      expect([api.count(POSTED), other.requests.length]).toEqual([0, 0]);
    });

    test("NET-6 a logout while a request is created does not make the creation a failure", async () => {
      api.serve(routes({ "POST /requests": [late({ id: "R1" }, () => rm(program.sessionFile))] }));
      expect(await program.succeed(CREATE)).toMatchObject({ id: "R1" });
    });

    test("F14 NET-6 status 421 does not make the runtime send a write again", async () => {
      const misdirected = http("421 Misdirected Request", '{"code":"MISDIRECTED","message":"m"}');
      api.serve(routes({ [POSTED]: [misdirected], "POST /requests": [misdirected] }));
      await program.fail(CREATE, 1, "OUTCOME_UNKNOWN");
      await program.fail(APPROVE, 1, "OUTCOME_UNKNOWN", SIGNING);
      expect([api.count("POST /requests"), api.count(POSTED)]).toEqual([1, 1]);
    });

    test.each([
      ["F10", "408 Request Timeout"],
      ["F27", "303 See Other"],
      ["F28", "304 Not Modified"],
    ] as const)("%s %s to a write says that it may have been carried out", async (_row, status) => {
      api.serve(routes({ "POST /requests": [http(status, "", { location: "/requests/R1" })] }));
      const { hint, retryable } = await program.fail(CREATE, 1, "OUTCOME_UNKNOWN");
      expect([hint, retryable]).toEqual([expect.stringContaining("Do not repeat"), false]);
      expect(api.count("POST /requests")).toBe(1);
    });
  });
}
