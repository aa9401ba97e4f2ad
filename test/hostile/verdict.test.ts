/**
 * M1 M2 What a review found stays found, and what was confirmed is exactly what was named: against
 * a server that changes its mind, other sessions, processes side by side, and old or lost records.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
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
import type { RawApi, RawRoutes } from "./raw-api.ts";

const NAMED = { account_name: "Hot", ...PAID };
const RIGHT = challengeFor(NAMED);
const WRONG = challengeFor({ ...NAMED, amount: "9000" }, "CD".repeat(32));
const OPEN = challengeFor({ ...NAMED, memo: "m", tag: "7" }, "EF".repeat(32));
const asks = (challenge: string): RawRoutes => ({
  "GET /requests/R1/challenge": [kept({ challenge })],
});
/** The server's copy of the request says what the challenge with another amount says. */
const SWITCHED: RawRoutes = {
  "GET /requests/R1": [kept({ id: "R1", ...payout("hot", { ...PAID, amount: "9000" }) })],
};

const GET = ["requests", "getChallenge", "--id", "R1"];
const review = (challenge: string) => [
  "requests",
  "review",
  "--id",
  "R1",
  "--challenge",
  challenge,
];
const sign = (challenge: string, ...more: string[]) => [
  "requests",
  "sign",
  "--challenge",
  challenge,
  ...more,
];
const approve = (signature: string, ...more: string[]) => [
  "requests",
  "approve",
  "api",
  "--id",
  "R1",
  "--signature",
  signature,
  ...more,
];
const digestOf = (challenge: string): string =>
  new Bun.CryptoHasher("sha256").update(Buffer.from(challenge, "base64url")).digest("hex");

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeEach(async () => {
      ({ api, program } = await openLoggedIn(form));
      api.serve(routes());
    });
    afterEach(() => closeAll(program, api));

    const signed = async (...argv: string[]): Promise<string> =>
      ((await program.succeed(argv, SIGNING)) as { signature: string }).signature;
    const refuse = (argv: readonly string[]) =>
      program.fail(argv, 2, "CHALLENGE_MISMATCH", SIGNING);
    const posts = (): number => api.count(POSTED);
    const records = (kind: string): string => join(program.stateDirectory, "records", kind);

    test("M1 the published sequence approves where the review matches", async () => {
      await program.succeed(GET);
      await program.succeed(approve(await signed(...sign(RIGHT))), SIGNING);
      expect(posts()).toBe(1);
    });

    test("M1 a signature from elsewhere is sent where the review matches", async () => {
      const signature = await signed(...sign(RIGHT));
      await rm(join(program.stateDirectory, "records"), { recursive: true, force: true });
      await program.succeed(approve(signature), SIGNING);
      expect(posts()).toBe(1);
    });

    test("M1 a refused review protects although the request was not created here", async () => {
      api.serve(routes(asks(WRONG)));
      await program.succeed(GET);
      const before = await signed(...sign(WRONG));
      await refuse(review(WRONG));
      await refuse(sign(WRONG));
      await refuse(sign(WRONG, "--expect", '{"amount":"9000"}'));
      const digest = ["--expectPayloadSha256", digestOf(WRONG)];
      const confirmed = await signed(...sign(WRONG, ...digest));
      for (const signature of [before, confirmed])
        for (const more of [[], digest, ["--expect", '{"amount":"9000"}']])
          await refuse(approve(signature, ...more));
      for (const more of [[], digest]) await refuse([...APPROVE, ...more]);
      expect(posts()).toBe(0);
    });

    test("M1 a difference that was found stays when the server changes its copy", async () => {
      api.serve(routes(asks(WRONG)));
      await refuse(APPROVE);
      api.serve(routes({ ...asks(WRONG), ...SWITCHED }));
      const { message } = await refuse(APPROVE);
      expect(message).toContain("earlier review");
      const digest = ["--expectPayloadSha256", digestOf(WRONG)];
      await refuse([...APPROVE, ...digest]);
      await refuse(["requests", "sign", "--id", "R1", "--challenge", WRONG]);
      await refuse(approve(await signed(...sign(WRONG, ...digest)), ...digest));
      expect(posts()).toBe(0);
    });

    test("M1 a match in between does not take a refusal back", async () => {
      api.serve(routes(asks(WRONG)));
      await refuse(review(WRONG));
      api.serve(routes({ ...asks(WRONG), ...SWITCHED }));
      await program.succeed(review(WRONG));
      await program.succeed(GET);
      await refuse(APPROVE);
      expect(posts()).toBe(0);
    });

    test("M1 a refusal by one process is known to those that run beside it", async () => {
      api.serve(routes(asks(WRONG)));
      await program.succeed(GET);
      const changing = {
        ...asks(WRONG),
        "GET /requests/R1": [
          ...(routes()["GET /requests/R1"] ?? []),
          ...(SWITCHED["GET /requests/R1"] ?? []),
        ],
      };
      api.serve(routes(changing));
      const codes = await Promise.all(
        Array.from({ length: 8 }, async () => (await program.run(review(WRONG))).exit),
      );
      expect(codes.filter((exit) => exit === 2)).toHaveLength(1);
      await refuse(APPROVE);
      expect(posts()).toBe(0);
    });

    test("M1 a mistaken review against another request does not prevent approval", async () => {
      await program.succeed(GET);
      api.serve(
        routes({
          "GET /requests/R2": [kept({ id: "R2", ...payout("hot", { ...PAID, amount: "5" }) })],
        }),
      );
      await refuse(["requests", "review", "--id", "R2", "--challenge", RIGHT]);
      await refuse(sign(RIGHT));
      await program.succeed(APPROVE, SIGNING);
      expect(posts()).toBe(1);
    });

    test("M1 a refusal of another workspace's request of that id does not count", async () => {
      api.serve(routes(asks(WRONG)));
      await refuse(APPROVE);
      const { sessionFile } = program;
      const session = JSON.parse(await readFile(sessionFile, "utf8"));
      await writeFile(sessionFile, JSON.stringify({ ...session, workspace: "other" }));
      api.serve(routes({ ...asks(WRONG), ...SWITCHED }));
      const env = { ...SIGNING.env, LEDGER_ENTERPRISE_WORKSPACE: "other" };
      await program.succeed(APPROVE, { env });
    });

    test("M1 what was confirmed in another workspace is not confirmed here", async () => {
      const signature = await signed(...sign(OPEN, "--expectPayloadSha256", digestOf(OPEN)));
      const session = JSON.parse(await readFile(program.sessionFile, "utf8"));
      await writeFile(program.sessionFile, JSON.stringify({ ...session, workspace: "other" }));
      const env = { ...SIGNING.env, LEDGER_ENTERPRISE_WORKSPACE: "other" };
      await program.fail(approve(signature), 2, "CHALLENGE_MISMATCH", { env });
      expect(posts()).toBe(0);
    });

    test("M1 what was confirmed for another request is not confirmed for this one", async () => {
      api.serve(routes({ "GET /requests/R2": [kept({ id: "R2", ...payout("hot") })] }));
      const digest = ["--expectPayloadSha256", digestOf(OPEN)];
      const signature = await signed(
        "requests",
        "sign",
        "--id",
        "R2",
        "--challenge",
        OPEN,
        ...digest,
      );
      await refuse(approve(signature));
      expect(posts()).toBe(0);
    });

    test("M1 what was confirmed to the signature's maker counts, and only for that signature", async () => {
      await program.succeed(CREATE);
      api.serve(routes(asks(OPEN)));
      await program.succeed(GET);
      const signature = await signed(...sign(OPEN));
      await refuse(approve(signature));
      const confirmed = await signed(...sign(OPEN, "--expectPayloadSha256", digestOf(OPEN)));
      // An equal signature with the other half of s is another text, for which nothing is kept.
      expect(confirmed).toBe(signature);
      await program.succeed(approve(confirmed), SIGNING);
      expect(posts()).toBe(1);
    });

    test("M1 without its record a confirmation has to be given anew", async () => {
      const signature = await signed(...sign(OPEN, "--expectPayloadSha256", digestOf(OPEN)));
      await rm(records("signed"), { recursive: true });
      await refuse(approve(signature));
      await program.succeed(approve(signature, "--expect", '{"memo":"m","tag":"7"}'), SIGNING);
      expect(posts()).toBe(1);
    });

    test("M1 records that were tampered with are refused", async () => {
      const signature = await signed(...sign(OPEN, "--expectPayloadSha256", digestOf(OPEN)));
      const [name = ""] = await readdir(records("signed"));
      await writeFile(join(records("signed"), name), '{"version":1,"all":true}');
      await program.fail(approve(signature), 3, "SESSION_CORRUPT", SIGNING);
      expect(posts()).toBe(0);
    });

    test("M1 records of version 0.3.0 have no verdict: the content is reviewed anew", async () => {
      api.serve(routes(asks(WRONG)));
      await program.succeed(GET);
      // As that version wrote them: the digest was known, and nothing said of what.
      expect(await readdir(join(program.stateDirectory, "records"))).toEqual(
        expect.arrayContaining(["newest", "seen"]),
      );
      await rm(records("refused"), { recursive: true, force: true });
      await refuse(approve(await signed(...sign(WRONG))));
      expect(posts()).toBe(0);
    });

    test("M2 --expect confirms what it names, at its place, and nothing else", async () => {
      api.serve(routes(asks(OPEN)));
      for (const expected of [
        '{"memo":"m"}',
        '{"tag":"7"}',
        '{"amount":"1000"}',
        '{"type":"APPROVE_TRANSACTION"}',
      ])
        await refuse([...APPROVE, "--expect", expected]);
      expect(posts()).toBe(0);
      const nested = '{"data":{"transaction_data":{"memo":"m"}},"tag":"7"}';
      await program.succeed([...APPROVE, "--expect", nested], SIGNING);
      expect(posts()).toBe(1);
    });

    test("M2 two fields that are shown alike are two fields", async () => {
      const long = "x".repeat(60);
      const paid = { ...NAMED, [`${long}1`]: "a", [`${long}2`]: "b" };
      api.serve(routes(asks(challengeFor(paid))));
      const { details } = await refuse([
        ...APPROVE,
        "--expect",
        JSON.stringify({ [`${long}1`]: "a" }),
      ]);
      expect(details).toMatchObject({ unverified: [expect.any(String)] });
      expect(posts()).toBe(0);
    });

    test("M2 content that the challenge leaves out is confirmed by the digest only", async () => {
      const { max_fees: _, ...without } = NAMED;
      const challenge = challengeFor(without);
      api.serve(routes(asks(challenge)));
      for (const expected of ['{"amount":"1000"}', '{"max_fees":"18"}'])
        await refuse([...APPROVE, "--expect", expected]);
      expect(posts()).toBe(0);
      await program.succeed([...APPROVE, "--expectPayloadSha256", digestOf(challenge)], SIGNING);
    });
  });
}
