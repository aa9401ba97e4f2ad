/** What is refused before there is an intent is a line of the audit trail, too. */
import { expect, test } from "bun:test";
import { generateKeyPair } from "../../src/core/auth/key.ts";
import { at, openWorld, type World } from "../agent/world.ts";
import { PAYOUT } from "../support/payout.ts";

/** A world with one request, and the lines of its trail that are refusals. */
async function openRequest() {
  const world = await openWorld();
  await world.run("login api");
  const text = JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT });
  const { document } = await world.run("requests create --requestData -", text);
  world.env.ID = String(at(document, "id"));
  return world;
}

async function refusals(world: World): Promise<Record<string, unknown>[]> {
  const { document } = await world.run("audit list");
  const lines = at(document, "results") as Record<string, unknown>[];
  return lines.filter(({ event }) => event === "denied");
}

test("C4 KEY-4 a key that is not the registered one: a refused approval is a line", async () => {
  await using world = await openRequest();
  world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY = generateKeyPair().pemHex;
  const dry = await world.run("requests approve api --id $ID --sign --dryRun");
  expect(at(dry.document, "error.code")).toBe("KEY_MISMATCH");
  expect(await refusals(world)).toEqual([]);
  const { exit } = await world.run("requests approve api --id $ID --sign");
  await world.run("requests sign --challenge eyJhIjoxfQ");
  const [approval, signature, ...others] = await refusals(world);
  expect([exit, others]).toEqual([2, []]);
  expect(approval).toMatchObject({
    command: "requests approve api",
    workspace: "sandbox",
    agent: { uid: process.getuid?.() },
    request: { id: world.env.ID },
    result: { code: "KEY_MISMATCH", exit: 2 },
  });
  expect(signature).toMatchObject({ command: "requests sign", result: { code: "KEY_MISMATCH" } });
});

test("C4 SIG-6 an approval of something else: a refusal is a line, and a dry run leaves none", async () => {
  await using world = await openRequest();
  const line = `requests approve api --id $ID --sign --expect '{"data":{"transaction_data":{"amount":"1"}}}'`;
  await world.run(`${line} --dryRun`);
  expect(await refusals(world)).toEqual([]);
  await world.run(line);
  expect(await refusals(world)).toMatchObject([
    { request: { id: world.env.ID }, result: { code: "CHALLENGE_MISMATCH", exit: 2 } },
  ]);
});
