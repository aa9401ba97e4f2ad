/** Guard and agent under two users, on an API of version 1. */
import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keyPair } from "../v1/keys.ts";
import { LONG_MS, withTwoUsers } from "./testing.ts";
import { AGENT_UID, openTwoUsers, POLICY } from "./twousers.ts";

const two = withTwoUsers("a guard on V1");

/** Number of the account that the policy names. */
const ACCOUNT = 25;
const [RULE] = POLICY.allow;
const V1_POLICY = { ...POLICY, allow: [{ ...RULE, accounts: [String(ACCOUNT)] }] };

function payment(amount: string, account = ACCOUNT): string {
  const strategy = { type: "SPEED", data: { speed: "NORMAL" } };
  return JSON.stringify({
    type: "CREATE_TRANSACTION",
    data: {
      ...{ account_id: account, transaction_type: "BITCOIN_LIKE_SEND", fees_strategy: strategy },
      transaction_data: {
        ...{ account_name: "ClientA COL TBTC 1", amount, currency: "bitcoin_testnet" },
        ...{ max_fees: "4018", recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq" },
      },
    },
  });
}

const openV1 = () => openTwoUsers({ policy: V1_POLICY, isV1: true, adopt: ["--fromZero"] });

two(
  "A15 V1: an agent without any secret creates and approves within the policy, and not above it",
  async () => {
    await using here = await openV1();
    const listed = await here.agent("accounts", "list", "--pageSize", "1", "--fields", "id");
    expect([listed.exit, listed.document]).toMatchObject([0, { results: [{}] }]);
    const created = await here.agent("requests", "create", "--requestData", payment("2500000"));
    expect([created.exit, created.document, created.stderr]).toMatchObject([
      0,
      { key: expect.any(String), status: "PENDING_FIRST_APPROVAL" },
      "",
    ]);
    const id = String(created.document.id);
    const approved = await here.agent("requests", "approve", "api", "--id", id, "--sign");
    expect([approved.exit, approved.error]).toEqual([0, undefined as never]);
    const refused: readonly (readonly [document: string, field: string])[] = [
      [payment("3000001"), "amount"],
      [payment("1000", 26), "accountName"],
    ];
    for (const [document, field] of refused) {
      const { exit, error } = await here.agent("requests", "create", "--requestData", document);
      expect([exit, error.code, error.details.field]).toEqual([2, "POLICY_DENIED", field]);
    }
    // 0.025 of 0.06 are taken.
    expect((await here.agent("requests", "create", "--requestData", payment("2900000"))).exit).toBe(
      0,
    );
    const over = await here.agent("requests", "create", "--requestData", payment("2900001"));
    expect([over.error.code, over.error.details.field]).toEqual(["POLICY_DENIED", "window"]);
    expect(here.writes().length).toBe(3);
    const status = await here.agent("guard", "status");
    expect([status.exit, status.document.level]).toEqual([0, "enforced"]);
    expect(await here.guard.stop()).toEqual({ exit: 0, stderr: "" });
    for (const line of (await here.trail()).filter(({ event }) => event === "intent"))
      expect(line).toMatchObject({ level: "enforced", agent: { uid: AGENT_UID } });
  },
  LONG_MS,
);

two(
  "V1: a key that is not the registered one signs nothing; another workspace is not served",
  async () => {
    await using here = await openV1();
    const { document } = await here.agent("requests", "create", "--requestData", payment("1000"));
    const id = String(document.id);
    await writeFile(join(here.folder, "private-key"), keyPair().pemHex);
    const approved = await here.agent("requests", "approve", "api", "--id", id, "--sign");
    expect([approved.exit, approved.error.code]).toEqual([2, "KEY_MISMATCH"]);
    expect(here.writes().filter((path) => path.includes("approve"))).toEqual([]);
    const dry = await here.agent("requests", "approve", "api", "--id", id, "--sign", "--dryRun");
    expect(dry.error.code).toBe("KEY_MISMATCH");
    const denied = (await here.trail()).filter(({ event }) => event === "denied");
    expect(denied).toMatchObject([
      { agent: { uid: AGENT_UID }, request: { id }, result: { code: "KEY_MISMATCH", exit: 2 } },
    ]);
    await here.guard.stop();
    here.guardEnv.LEDGER_ENTERPRISE_WORKSPACE = "another";
    const started = await here.guard.start().catch((cause: Error) => cause.message);
    expect(started).toContain("GUARD_NOT_ADOPTED");
    expect(started).toContain('"differs":"workspace"');
  },
  LONG_MS,
);
