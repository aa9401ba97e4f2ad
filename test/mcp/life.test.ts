/** Cancelling, ending, limits and order, in this process with a clock that the test moves. */
import { expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { withLock } from "../../src/core/state/lock.ts";
import { PAYOUT } from "../support/payout.ts";
import { trustedFolder } from "../support/trusted.ts";
import { until } from "../support/waiting.ts";
import { codeOf, documentOf, FORMS, MODERN, Speaker, VERSIONS, Workspace, YES } from "./peer.ts";

const ALL = ["--allow", "create", "--allow", "approve"];
const payment = (amount: string) => ({
  requestData: {
    type: "CREATE_TRANSACTION",
    data: { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, amount } },
  },
});

function created({ sandbox }: Workspace): number {
  const own = ({ method, path }: { method: string; path: string }): boolean =>
    method === "POST" && path.endsWith("/requests");
  return sandbox.control.log.filter(own).length;
}

/** Holds what matches at the sandbox, until `clearFaults`. */
const HELD_MS = 1e9;

test.each(VERSIONS)("R20 a read that is cancelled in %s gets no answer", async (version) => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, version);
  workspace.sandbox.control.addFault({ match: { path: "/accounts" }, hang: "answer" });
  const params = speaker.params({ name: "accounts_list" });
  server.peer.send({ id: "read", method: "tools/call", params });
  await until(() => workspace.sandbox.control.log.some(({ path }) => path.endsWith("/accounts")));
  server.peer.send({ method: "notifications/cancelled", params: { requestId: "read" } });
  // The id is free again as soon as the call has ended.
  await until(async () => {
    const before = server.peer.received.length;
    server.peer.send({
      id: "read",
      method: "tools/call",
      params: speaker.params({ name: "describe" }),
    });
    const next = () => server.peer.received[before];
    await until(() => next() !== undefined);
    return next()?.id === "read";
  });
  const answers = server.peer.received.filter(({ id }) => id === "read");
  expect(answers.map(({ result }) => result.isError)).toEqual([false]);
});

test("R20 a cancelled call whose question is open counts as a no", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve(ALL);
  const speaker = await Speaker.open(server.peer, "2025-11-25", FORMS);
  const params = { name: "requests_create", arguments: payment("2500000") };
  server.peer.send({ id: "create", method: "tools/call", params });
  const asked = await server.peer.find(({ method }) => method === "elicitation/create");
  server.peer.send({ method: "notifications/cancelled", params: { requestId: "create" } });
  server.peer.send({ id: asked.id, result: YES(asked.params.message) });
  expect((await speaker.call("whoami")).result.isError).toBe(false);
  const other = await speaker.confirm("requests_create", payment("2500001"), YES);
  expect(other.answer.result.isError).toBe(false);
  expect(created(workspace)).toBe(1);
  expect(server.peer.received.some(({ id }) => id === "create")).toBe(false);
});

test("R20 stderr names the key of a write that was cancelled and whose outcome is not known", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL, "--confirm", "client"]);
  const speaker = await Speaker.open(server.peer, MODERN);
  const { control } = workspace.sandbox;
  const held = { match: { method: "POST", path: "/requests" }, latencyMs: HELD_MS, reset: true };
  control.addFault(held);
  const given = { name: "requests_create", arguments: payment("2500000") };
  server.peer.send({ id: "create", method: "tools/call", params: speaker.params(given) });
  await until(() => created(workspace) === 1);
  server.peer.send({ method: "notifications/cancelled", params: { requestId: "create" } });
  expect((await speaker.call("whoami")).result.isError).toBe(false);
  control.clearFaults();
  await until(() => server.stderr.text !== "");
  expect(server.stderr.text).toMatch(
    /ended with OUTCOME_UNKNOWN\. .*'requests reconcile --key \w{26}'/,
  );
});

test("R20 a write that was sent is not torn off by a cancel, and stderr and journal say how it ended", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL, "--confirm", "client"]);
  const speaker = await Speaker.open(server.peer, MODERN);
  const held = { match: { method: "POST", path: "/requests" }, latencyMs: HELD_MS };
  workspace.sandbox.control.addFault(held);
  const given = { name: "requests_create", arguments: payment("2500000") };
  server.peer.send({ id: "create", method: "tools/call", params: speaker.params(given) });
  await until(() => created(workspace) === 1);
  expect(await workspace.cli(["requests", "journal"])).toContain('"open"');
  server.peer.send({ method: "notifications/cancelled", params: { requestId: "create" } });
  // The server takes its frames in order.
  expect((await speaker.call("describe", { command: "whoami" })).result.isError).toBe(false);
  workspace.sandbox.control.clearFaults();
  await until(() => server.stderr.text.includes("was created"));
  expect(server.stderr.text).toMatch(
    /^requests_create was cancelled after it was sent\. Request \S+ was created \(key \w{26}\)\.\n$/,
  );
  const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
  expect(results.map(({ state }: { state: string }) => state)).toEqual(["done"]);
  expect(server.peer.received.some(({ id }) => id === "create")).toBe(false);
});

test("R20 a yes that comes behind another write and is cancelled there sends nothing", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve(ALL);
  await Speaker.open(server.peer, "2025-11-25", FORMS);
  const { control } = workspace.sandbox;
  const ask = async (id: string, amount: string) => {
    const seen = server.peer.received.length;
    const params = { name: "requests_create", arguments: payment(amount) };
    server.peer.send({ id, method: "tools/call", params });
    return server.peer.find(
      (one) => one.method === "elicitation/create" && server.peer.received.indexOf(one) >= seen,
    );
  };
  const say = (asked: { id: string; params: { message: string } }) =>
    server.peer.send({ id: asked.id, result: YES(asked.params.message) });
  const [one, other] = [await ask("one", "2500001"), await ask("other", "2500002")];
  control.addFault({ match: { method: "POST", path: "/requests" }, latencyMs: HELD_MS });
  say(one);
  await until(() => created(workspace) === 1);
  say(other);
  server.peer.send({ method: "notifications/cancelled", params: { requestId: "other" } });
  server.peer.send({ id: "ping", method: "ping" });
  await server.peer.find(({ id }) => id === "ping");
  control.clearFaults();
  await server.peer.find(({ id }) => id === "one");
  expect(await server.end()).toBe(0);
  expect([created(workspace), server.stderr.text]).toEqual([1, ""]);
  const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
  expect(results.map(({ state }: { state: string }) => state)).toEqual(["done"]);
});

const isList = ({ path }: { path: string }): boolean => path.endsWith("/accounts");

test.each(["end of input", "a signal"])("R20 %s lets a write that was sent finish", async (end) => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL, "--confirm", "client"]);
  const speaker = await Speaker.open(server.peer, MODERN);
  const { control } = workspace.sandbox;
  control.addFault({ match: { method: "POST", path: "/requests" }, latencyMs: HELD_MS });
  control.addFault({ match: { path: "/accounts" }, hang: "answer" });
  const params = speaker.params({ name: "accounts_list" });
  server.peer.send({ id: "read", method: "tools/call", params });
  const given = { name: "requests_create", arguments: payment("2500000") };
  server.peer.send({ id: "create", method: "tools/call", params: speaker.params(given) });
  await until(() => created(workspace) === 1 && control.log.some(isList));
  if (end === "a signal") server.interrupt.abort();
  else server.stdin.end();
  // What was not sent has its time, and then the write is awaited alone.
  await until(() => server.sleeps);
  server.advance(5_000);
  await until(() => server.sleeps);
  control.clearFaults();
  expect(await server.exit).toBe(0);
  const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
  expect(results.map(({ state }: { state: string }) => state)).toEqual(["done"]);
  expect(created(workspace)).toBe(1);
  expect(server.peer.received.some(({ id }) => id === "read")).toBe(false);
});

test("R20 R21 a record is closed at the end of input, also when its lock is free only later", async () => {
  await using workspace = await Workspace.open();
  const folder = trustedFolder();
  const helper = join(folder, "helper");
  writeFileSync(helper, '#!/bin/sh\ntouch "$0.began"\nexec sleep 600\n', { mode: 0o755 });
  const made = await workspace.cli([
    ...["requests", "create", "--requestData"],
    JSON.stringify(payment("2500000").requestData),
  ]);
  await using server = workspace.serve([...ALL, "--confirm", "client"], {
    LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: "",
    LEDGER_ENTERPRISE_SIGNER: helper,
    LEDGER_ENTERPRISE_API_PUBLIC_KEY: workspace.sandbox.description.operator.publicKey,
  });
  const speaker = await Speaker.open(server.peer, MODERN);
  const given = { name: "requests_approve_api", arguments: { id: JSON.parse(made).id } };
  server.peer.send({ id: "approve", method: "tools/call", params: speaker.params(given) });
  await until(() => existsSync(`${helper}.began`));
  const lock = join(workspace.home, ".local/state/ledger-enterprise-cli/journal.lock");
  const other = { pid: process.pid, hostname: hostname(), isAlive: () => true };
  await withLock(lock, { ...other, now: Date.now, sleep: Bun.sleep }, async () => {
    let isOver = false;
    void server.exit.then(() => {
      isOver = true;
    });
    server.stopClock();
    server.stdin.end();
    for (let passed = 0; passed < 800; passed += 100) {
      await until(() => server.sleeps || isOver);
      server.advance(100);
      await Bun.sleep(1);
    }
    expect(isOver).toBe(false);
  });
  // Who waits for the lock looks again.
  const pump = setInterval(() => server.advance(80), 100);
  expect(await server.exit).toBe(0);
  clearInterval(pump);
  const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
  expect(results.map(({ state }: { state: string }) => state)).toEqual(["done", "refused"]);
  rmSync(folder, { recursive: true });
});

test("R22 writes are one at a time, in the order of the calls; reads go on beside them", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL, "--confirm", "client"]);
  const speaker = await Speaker.open(server.peer, MODERN);
  const { control } = workspace.sandbox;
  const match = { method: "POST", path: "/requests" };
  control.addFault({ match, latencyMs: HELD_MS });
  const amounts = ["2500001", "2500002", "2500003"];
  const calls = amounts.map((amount) => speaker.call("requests_create", payment(amount)));
  await until(() => created(workspace) === 1);
  expect((await speaker.call("whoami")).result.isError).toBe(false);
  expect(server.peer.received.filter(({ result }) => result?.content !== undefined)).toHaveLength(
    1,
  );
  expect(created(workspace)).toBe(1);
  control.clearFaults();
  control.addFault({ match: { ...match, times: 0 }, latencyMs: 60 });
  const made = await Promise.all(calls);
  expect(made.map((one) => documentOf(one).data.transactionData.amount)).toEqual(amounts);
  const posts = workspace.sandbox.control.log.filter(
    ({ method, path }) => method === "POST" && path.endsWith("/requests"),
  );
  const bodies = posts.map(
    ({ body }) => JSON.parse(body ?? "").request.data.transactionData.amount,
  );
  expect(bodies).toEqual(amounts);
  const times = posts.map(({ at }) => Date.parse(at));
  const [, second = 0, third = 0] = times;
  expect(third - second).toBeGreaterThanOrEqual(50);
});

test("R22 two servers of one state folder do not write at once", async () => {
  await using workspace = await Workspace.open();
  await using one = workspace.serve([...ALL, "--confirm", "client"]);
  await using other = workspace.serve([...ALL, "--confirm", "client"]);
  const servers = [one, other];
  const post = { method: "POST", path: "/requests", times: 0 };
  workspace.sandbox.control.addFault({ match: post, latencyMs: 200, execute: true });
  // The one that waits for the other looks again as its clock moves.
  const pump = setInterval(() => {
    if (servers.some(({ sleeps }) => sleeps)) for (const server of servers) server.advance(20);
  }, 5);
  const calls = servers.map(async (server, at) => {
    const speaker = await Speaker.open(server.peer, MODERN);
    return speaker.call("requests_create", payment(`250001${at}`));
  });
  const made = await Promise.all(calls);
  clearInterval(pump);
  expect(made.map(({ result }) => result.isError)).toEqual([false, false]);
  const posts = workspace.sandbox.control.log.filter(
    ({ method, path }) => method === "POST" && path.endsWith("/requests"),
  );
  const [first = 0, second = 0] = posts.map(({ at }) => Date.parse(at));
  expect(second - first).toBeGreaterThanOrEqual(195);
});

test("R23 four reads run at once, 32 wait, and the rest is told that the server is busy", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, MODERN);
  const { control } = workspace.sandbox;
  control.clearLog();
  control.addFault({ match: { path: "/accounts", times: 0 }, latencyMs: HELD_MS });
  const calls = Array.from({ length: 50 }, () => speaker.call("accounts_list", { pageSize: 1 }));
  const refusals = () => server.peer.received.filter(({ error }) => error !== undefined).length;
  await until(() => refusals() === 14 && control.log.filter(isList).length === 4);
  expect((await speaker.ask("tools/list")).result.tools).toHaveLength(12);
  expect([refusals(), control.log.filter(isList).length]).toEqual([14, 4]);
  control.clearFaults();
  const answers = await Promise.all(calls);
  const busy = answers.filter(({ error }) => error?.code === -32603);
  expect([busy.length, answers.length - busy.length]).toEqual([14, 36]);
  expect(busy[0]?.error.message).toContain("busy");
});

test("R23 120 calls a minute reach the API, and local ones do not count", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, MODERN);
  const spend = async (count: number): Promise<string[]> => {
    const codes: string[] = [];
    for (let left = count; left > 0; left -= 1)
      codes.push(codeOf(await speaker.call("accounts_list", { pageSize: 1 })));
    return codes;
  };
  expect(new Set(await spend(120))).toEqual(new Set(["no failure"]));
  const [refused] = await spend(1);
  expect(refused).toBe("RATE_LIMITED");
  const { error } = documentOf(await speaker.call("whoami"));
  expect([error.code, error.retryable, error.retryAfterSeconds > 0]).toEqual([
    "RATE_LIMITED",
    true,
    true,
  ]);
  expect(codeOf(await speaker.call("describe", { command: "whoami" }))).toBe("no failure");
  expect(codeOf(await speaker.call("accounts_list", { page: "1" }))).toBe("INVALID_ARGUMENT");
  server.advance(60_001);
  expect(await spend(1)).toEqual(["no failure"]);
});

test("R23 six writes a minute are sent; what is refused does not count", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL]);
  const speaker = await Speaker.open(server.peer, "2025-11-25", FORMS);
  const no = () => ({ action: "decline" });
  for (let at = 0; at < 3; at += 1)
    expect(codeOf((await speaker.confirm("requests_create", payment("2500000"), no)).answer)).toBe(
      "CONFIRMATION_DECLINED",
    );
  for (let at = 1; at <= 6; at += 1) {
    const { answer } = await speaker.confirm("requests_create", payment(`250000${at}`), YES);
    expect(answer.result.isError).toBe(false);
  }
  const { answer, message } = await speaker.confirm("requests_create", payment("2500007"), YES);
  expect([codeOf(answer), message]).toEqual(["RATE_LIMITED", ""]);
  expect(created(workspace)).toBe(6);
  server.advance(60_001);
  const next = await speaker.confirm("requests_create", payment("2500007"), YES);
  expect(next.answer.result.isError).toBe(false);
});

test("R23 a result over 40,000 bytes is refused whole, and a write's is brief", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve([...ALL, "--confirm", "client"]);
  const speaker = await Speaker.open(server.peer, MODERN);
  const large = JSON.stringify({ results: [{ id: "a", name: "x".repeat(40_000) }] });
  workspace.sandbox.control.addFault({ match: { path: "/accounts" }, body: large, status: 200 });
  const answer = await speaker.call("accounts_list");
  expect(codeOf(answer)).toBe("RESULT_TOO_LARGE");
  expect(documentOf(answer).error.exitCode).toBe(2);
  const made = JSON.stringify({
    id: "R1",
    state: "PENDING",
    type: "X",
    filler: "x".repeat(40_000),
  });
  workspace.sandbox.control.addFault({
    match: { method: "POST", path: "/requests" },
    body: made,
    status: 201,
  });
  const written = await speaker.call("requests_create", payment("2500000"));
  expect(written.result.isError).toBe(false);
  expect(Object.keys(documentOf(written))).toEqual(["id", "state", "type", "key"]);
  const long = {
    ...PAYOUT,
    transactionData: { ...PAYOUT.transactionData, note: "x".repeat(40_000) },
  };
  const requestData = { type: "CREATE_TRANSACTION", data: long };
  const asked = { requestData, dryRun: true, allowUnknown: true };
  expect(codeOf(await speaker.call("requests_create", asked))).toBe("RESULT_TOO_LARGE");
});

test("R23 a failure stays under 10,000 bytes, and is whole JSON", async () => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, MODERN);
  const body = JSON.stringify({ message: "x".repeat(20_000) });
  workspace.sandbox.control.addFault({ match: { path: "/accounts/a" }, body, status: 400 });
  const answer = await speaker.call("accounts_get", { id: "a" });
  expect(answer.result.content[0].text.length).toBeLessThan(10_000);
  expect(codeOf(answer)).toBe("BAD_REQUEST");
});

test.each([
  [51, "INVALID_ARGUMENT"],
  [50.001, "INVALID_ARGUMENT"],
  [3600, "INVALID_ARGUMENT"],
])("R24 a wait of %p seconds is %s", async (timeout, code) => {
  await using workspace = await Workspace.open();
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, MODERN);
  expect(codeOf(await speaker.call("requests_wait", { id: "x", timeout }))).toBe(code);
});

test("R24 a wait ends within 50 seconds, can be called again, and reports each look", async () => {
  await using workspace = await Workspace.open();
  const { requestData } = payment("2500000");
  const made = await workspace.cli([
    "requests",
    "create",
    "--requestData",
    JSON.stringify(requestData),
  ]);
  const { id } = JSON.parse(made);
  await using server = workspace.serve();
  const speaker = await Speaker.open(server.peer, MODERN);
  const answer = speaker.call("requests_wait", { id }, { _meta: { progressToken: 7 } });
  const looks = (): number =>
    server.peer.received.filter(({ method }) => method === "notifications/progress").length;
  await until(() => looks() >= 1);
  let elapsed = 0;
  // Time passes only while it waits, not while it looks.
  const pump = setInterval(() => {
    if (!server.sleeps) return;
    elapsed += 1000;
    server.advance(1000);
  }, 2);
  const ended = await answer;
  clearInterval(pump);
  const { error } = documentOf(ended);
  expect([error.code, error.retryable]).toEqual(["WAIT_TIMEOUT", true]);
  expect(elapsed).toBeLessThanOrEqual(51_000);
  const progress = server.peer.received.filter(({ method }) => method === "notifications/progress");
  const values = progress.map(({ params }) => params.progress);
  expect(values.length).toBeGreaterThan(2);
  expect(values).toEqual([...values].sort((one, other) => one - other));
  expect(new Set(values).size).toBe(values.length);
  expect(new Set(progress.map(({ params }) => params.progressToken))).toEqual(new Set([7]));
  const last = server.peer.received.indexOf(progress.at(-1));
  expect(last).toBeLessThan(server.peer.received.indexOf(ended));
});
