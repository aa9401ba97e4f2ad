/** The server behind a guard: the guard decides, and the person is still asked. */
import { expect, test } from "bun:test";
import {
  AGENT_UID,
  asUser,
  OBSTACLE,
  openTwoUsers,
  payment,
  SOURCE_COMMAND,
} from "../guard/twousers.ts";
import { start } from "./child.ts";
import { codeOf, documentOf, FORMS, Speaker, VERSIONS, YES } from "./peer.ts";

const here = OBSTACLE === undefined;
if (!here) console.error(`skipped: two users ${OBSTACLE}`);

const ALL = ["mcp", "--allow", "create", "--allow", "approve"];

test.skipIf(!here).each(VERSIONS)(
  "R14 R16 through a guard a person confirms what the guard then does, %s",
  async (version) => {
    await using two = await openTwoUsers();
    await using child = start(asUser(AGENT_UID, [...SOURCE_COMMAND, ...ALL]), two.agentEnv);
    const speaker = await Speaker.open(child.peer, version, FORMS);
    expect((await speaker.call("whoami")).result.isError).toBe(false);
    const given = { requestData: JSON.parse(payment("2500000")) };
    const no = await speaker.confirm("requests_create", given, () => ({ action: "decline" }));
    expect(codeOf(no.answer)).toBe("CONFIRMATION_DECLINED");
    expect(two.writes()).toEqual([]);
    const made = await speaker.confirm("requests_create", given, YES);
    expect(made.message).toStartWith("Amount: 0.025 BTC (2500000 base units)\nTo: tb1q5");
    const { id } = documentOf(made.answer);
    const refused = await speaker.confirm("requests_approve_api", { id }, () => ({
      action: "accept",
    }));
    expect(codeOf(refused.answer)).toBe("CONFIRMATION_MISMATCH");
    const approved = await speaker.confirm("requests_approve_api", { id }, YES);
    expect(approved.message).toContain(id);
    expect(approved.message).toMatch(/SHA-256 of the payload begins with [0-9a-f]{16}/);
    expect(approved.answer.result.isError).toBe(false);
    expect(two.writes()).toHaveLength(2);
  },
  120_000,
);

test.skipIf(!here)(
  "R14 through a guard a client without forms creates nothing, and the policy comes first",
  async () => {
    await using two = await openTwoUsers();
    await using child = start(asUser(AGENT_UID, [...SOURCE_COMMAND, ...ALL]), two.agentEnv);
    const speaker = await Speaker.open(child.peer, "2025-11-25", {});
    const given = { requestData: JSON.parse(payment("2500000")) };
    expect(codeOf(await speaker.call("requests_create", given))).toBe("CONFIRMATION_UNAVAILABLE");
    const above = { requestData: JSON.parse(payment("3000001")) };
    expect(codeOf(await speaker.call("requests_create", above))).toBe("POLICY_DENIED");
    expect(two.writes()).toEqual([]);
  },
  120_000,
);
