/**
 * Damaged frames by the hundred, with a seed: the server answers each or none, says only what the
 * protocol knows, and still serves afterwards. `FUZZ=100` tries a hundred times as many.
 */
import { expect, test } from "bun:test";
import { frameOf } from "../../src/mcp/frames.ts";
import { fuzz } from "../support/fuzz.ts";
import { PAYOUT } from "../support/payout.ts";
import type { Random } from "../support/random.ts";
import { FORMS, Local, type Message, meta, VERSIONS, Workspace } from "./peer.ts";

const CALLS: readonly object[] = [
  { method: "server/discover", params: meta() },
  { method: "tools/list", params: meta() },
  { method: "ping" },
  {
    method: "initialize",
    params: {
      protocolVersion: VERSIONS[1],
      capabilities: FORMS,
      clientInfo: { name: "f", version: "1" },
    },
  },
  {
    method: "tools/call",
    params: { name: "describe", arguments: { command: "users list" }, ...meta() },
  },
  { method: "tools/call", params: { name: "whoami", arguments: {}, ...meta() } },
  {
    method: "tools/call",
    params: {
      name: "lookup",
      arguments: { command: "users get", options: { id: "me" } },
      ...meta(),
    },
  },
  {
    method: "tools/call",
    params: {
      name: "requests_create",
      arguments: { requestData: { type: "CREATE_TRANSACTION", data: PAYOUT } },
      ...meta(FORMS),
      inputResponses: { confirm: { action: "accept", content: { confirm: "0.026" } } },
      requestState: "a.1.b.c",
    },
  },
  { method: "notifications/cancelled", params: { requestId: 1 } },
  { id: "confirm-1", result: { action: "accept", content: { confirm: "0.026" } } },
];

function damaged(random: Random): string {
  const own = random.pick<object>([{}, ...[1, "a", null, 1.5, 2, -7].map((id) => ({ id }))]);
  const text = JSON.stringify({ jsonrpc: "2.0", ...own, ...random.pick(CALLS) });
  return random.below(4) === 0 ? text : random.damage(text);
}

test("R4 R5 a damaged frame is a frame, a fault, or nothing; never an exception", async () => {
  const outcomes = await fuzz(4_000, (random) => {
    const bytes = Buffer.from(damaged(random), random.below(3) === 0 ? "latin1" : "utf8");
    return frameOf(bytes)?.kind ?? "nothing";
  });
  expect([...outcomes.keys()].sort()).toEqual([
    "answer",
    "fault",
    "nothing",
    "notification",
    "request",
  ]);
});

const CODES = new Set([-32700, -32600, -32601, -32602, -32603, -32022]);

function isSound(message: Message): boolean {
  if (message.method !== undefined)
    return message.method === "elicitation/create" || message.method === "notifications/progress";
  if (message.error !== undefined)
    return CODES.has(message.error.code) && typeof message.error.message === "string";
  return message.result !== undefined && message.id !== undefined;
}

test("R4 R14 a server that is sent damaged frames goes on, and sends nothing", async () => {
  await using workspace = await Workspace.open();
  await using server = new Local(["--allow", "create", "--allow", "approve"], workspace.env);
  await server.peer.ask("ping");
  await fuzz(400, async (random) => {
    for (let left = 1 + random.below(4); left > 0; left -= 1)
      server.peer.write(`${damaged(random).replaceAll("\n", " ")}\n`);
    server.advance(10_000);
    const id = `alive-${random.seed}`;
    server.peer.send({ id, method: "tools/list", params: meta() });
    const answer = await server.peer.find((one) => one.id === id);
    if (answer.result?.tools?.length !== 16) throw new Error(JSON.stringify(answer).slice(0, 500));
    const odd = server.peer.received.filter((one) => !isSound(one));
    if (odd.length > 0) throw new Error(JSON.stringify(odd[0]));
    server.peer.received.length = 0;
    return "alive";
  });
  const sent = workspace.sandbox.control.log.filter(
    ({ method, path }) => method === "POST" && path.endsWith("/requests"),
  );
  expect(sent).toEqual([]);
}, 120_000);
