/** Guard and agent under two users: what the agent can do, and everything that it tries besides. */
import { expect, test } from "bun:test";
import { AGENT_UID, GUARD_UID, OBSTACLE, openTwoUsers, payment } from "./twousers.ts";

const LONG_MS = 120_000;
const here = OBSTACLE === undefined;
if (!here) console.error(`skipped: two users ${OBSTACLE}`);

test.skipIf(!here)(
  "A15 an agent without any secret reads, creates and approves within the policy, and not above it",
  async () => {
    await using two = await openTwoUsers();
    const accounts = await two.agent("accounts", "list", "--pageSize", "2", "--fields", "id");
    expect([accounts.exit, accounts.document]).toMatchObject([0, { results: [{}, {}] }]);
    const created = await two.agent("requests", "create", "--requestData", payment("2500000"));
    expect([created.exit, created.document, created.stderr]).toMatchObject([
      0,
      { key: expect.any(String) },
      "",
    ]);
    const id = String(created.document.id);
    const reviewed = await two.agent("requests", "review", "--id", id);
    expect([reviewed.exit, reviewed.document]).toMatchObject([
      0,
      { match: true, sources: ["record", "server", "account"] },
    ]);
    const approved = await two.agent("requests", "approve", "api", "--id", id, "--sign");
    expect([approved.exit, approved.error]).toEqual([0, undefined as never]);
    const above = await two.agent("requests", "create", "--requestData", payment("3000001"));
    expect([above.exit, above.error.code, above.error.details.field]).toEqual([
      2,
      "POLICY_DENIED",
      "amount",
    ]);
    const who = await two.agent("whoami");
    expect([who.exit, who.document.level]).toEqual([0, "enforced"]);
    expect(two.writes().length).toBe(2);
    const { exit, stderr } = await two.guard.stop();
    expect([exit, stderr]).toEqual([0, ""]);
    const trail = await two.trail();
    expect(trail.map(({ event }) => event)).toContain("denied");
    const intents = trail.filter(({ event }) => event === "intent");
    for (const line of intents)
      expect(line).toMatchObject({ level: "enforced", agent: { uid: AGENT_UID } });
    expect(GUARD_UID).not.toBe(AGENT_UID);
  },
  LONG_MS,
);
