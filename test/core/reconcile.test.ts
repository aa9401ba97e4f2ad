/**
 * What became of a create whose answer was lost, found by looking at the server and nothing else.
 */
import { afterAll, afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { SOURCE } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";

const root = await mkdtemp(join(tmpdir(), "reconcile-"));
afterAll(() => rm(root, { recursive: true }));
let homes = 0;

type Json = Record<string, unknown>;

/** A sandbox with its own clock, or one that is there, and a home. */
async function open(version: "v1" | "v2" = "v2", there?: Sandbox) {
  homes += 1;
  const home = join(root, String(homes));
  await mkdir(home);
  const sandbox = there ?? (await startSandbox({}));
  const env = {
    HOME: home,
    ...operatorSettings(sandbox.description, version),
    ...NOTHING_PUBLISHED,
  };
  const run = async (...argv: string[]) => {
    const { exit, stdout } = await SOURCE.run({ argv, env, stdin: undefined, cwd: home });
    return { exit, document: JSON.parse(stdout) as Json };
  };
  expect(
    (await run("login", "api", ...(version === "v1" ? ["--apiVersion", "v1"] : []))).exit,
  ).toBe(0);
  return { sandbox, run, [Symbol.asyncDispose]: () => sandbox.close() };
}

const payment = (amount: string): string =>
  JSON.stringify({
    type: "CREATE_TRANSACTION",
    data: { ...PAYOUT, transactionData: { ...PAYOUT.transactionData, amount } },
  });

const LOST = { match: { method: "POST", path: "/requests" }, reset: true } as const;
const results = ({ document }: { document: Json }) => document.results as Json[];

async function lose(here: Awaited<ReturnType<typeof open>>, isDone: boolean, ...more: string[]) {
  here.sandbox.control.addFault({ ...LOST, execute: isDone });
  const { exit, document } = await here.run(
    "requests",
    "create",
    "--requestData",
    payment("700000"),
    ...more,
  );
  const error = document.error as { code: string; details: { key: string }; hint: string };
  expect([exit, error.code]).toEqual([1, "OUTCOME_UNKNOWN"]);
  expect(error.hint).toContain(`requests reconcile --key ${error.details.key}`);
  return error.details.key;
}

function writesOf({ sandbox }: Awaited<ReturnType<typeof open>>): number {
  return sandbox.control.log.filter(
    ({ method, path }) => method === "POST" && /requests/.test(path),
  ).length;
}

test("B7 found by content; the record is closed, and no write is sent", async () => {
  await using here = await open();
  const key = await lose(here, true);
  const before = writesOf(here);
  const [verdict] = results(await here.run("requests", "reconcile"));
  expect(verdict).toMatchObject({ key, verdict: "found", certainty: "content" });
  expect(writesOf(here)).toBe(before);
  expect(results(await here.run("requests", "journal"))).toMatchObject([
    { key, state: "done", id: verdict?.id },
  ]);
  expect(results(await here.run("requests", "reconcile"))).toEqual([]);
});

test("B7 B8 found by tag, also among twins; the tag is shown by a dry run", async () => {
  await using here = await open();
  const { document } = await here.run(
    "requests",
    "create",
    "--requestData",
    payment("700000"),
    "--tag",
    "--dryRun",
  );
  expect(JSON.stringify(document)).toMatch(/\[lec:[0-9A-Z]{26}\.[0-9a-f]{16}\]/);
  const key = await lose(here, true, "--tag");
  const twin = await here.run(
    "requests",
    "create",
    "--requestData",
    payment("700000"),
    "--again",
    key,
  );
  expect(twin.exit).toBe(0);
  const [verdict] = results(await here.run("requests", "reconcile", "--key", key));
  expect(verdict).toMatchObject({ key, verdict: "found", certainty: "tag" });
  expect(verdict?.id).not.toBe(twin.document.id);
});

test("B7 too early after a loss: undetermined, and the record stays open", async () => {
  await using here = await open();
  const key = await lose(here, false);
  expect(results(await here.run("requests", "reconcile"))).toMatchObject([
    { key, verdict: "undetermined" },
  ]);
  expect(results(await here.run("requests", "journal"))).toMatchObject([{ key, state: "open" }]);
});

test("B7 two open alikes and two equals on the server: both are found, each its own", async () => {
  await using here = await open();
  const key = await lose(here, true);
  const other = await lose(here, true, "--again", key);
  const both = results(await here.run("requests", "reconcile"));
  expect(both).toMatchObject([
    { key, verdict: "found" },
    { key: other, verdict: "found" },
  ]);
  expect(both[0]?.id).not.toBe(both[1]?.id);
});

test("B7 a twin that another host made: ambiguous, both are named", async () => {
  await using here = await open();
  const there = await open("v2", here.sandbox);
  const key = await lose(here, true);
  const twin = await there.run("requests", "create", "--requestData", payment("700000"));
  const [verdict] = results(await here.run("requests", "reconcile"));
  expect(verdict).toMatchObject({ key, verdict: "ambiguous" });
  expect(verdict?.candidates).toHaveLength(2);
  expect(verdict?.candidates).toContain(twin.document.id);
  expect(results(await here.run("requests", "journal"))).toMatchObject([{ key, state: "open" }]);
});

/** The same payment as V1 spells it. */
function paymentOnV1(amount: string): string {
  const common = { account_name: "ClientA COL TBTC 1", currency: "bitcoin_testnet" };
  const { recipient } = PAYOUT.transactionData;
  const data = {
    ...{ account_id: 25, transaction_type: "BITCOIN_LIKE_SEND" },
    fees_strategy: { type: "SPEED", data: { speed: "NORMAL" } },
    transaction_data: { ...common, amount, max_fees: "4018", recipient },
  };
  return JSON.stringify({ type: "CREATE_TRANSACTION", data });
}

test("B7 V1: without a request of one's own undetermined, with one found by content", async () => {
  await using here = await open("v1");
  here.sandbox.control.addFault({ ...LOST, execute: true });
  const lost = await here.run("requests", "create", "--requestData", paymentOnV1("700000"));
  expect(lost.document.error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(results(await here.run("requests", "reconcile"))).toMatchObject([
    { verdict: "undetermined" },
  ]);
  expect((await here.run("requests", "create", "--requestData", paymentOnV1("800000"))).exit).toBe(
    0,
  );
  expect(results(await here.run("requests", "reconcile"))).toMatchObject([
    { verdict: "found", certainty: "content" },
  ]);
});

test("B7 B8 V1: the tag alone finds a record, before there is a request of one's own", async () => {
  await using here = await open("v1");
  here.sandbox.control.addFault({ ...LOST, execute: true });
  const pay = ["requests", "create", "--requestData", paymentOnV1("700000")];
  const lost = await here.run(...pay, "--tag");
  const { key } = (lost.document.error as { details: { key: string } }).details;
  const twin = await here.run(...pay, "--again", key);
  expect(twin.exit).toBe(0);
  here.sandbox.control.clearLog();
  const [verdict] = results(await here.run("requests", "reconcile", "--key", key));
  expect(verdict).toMatchObject({ key, verdict: "found", certainty: "tag" });
  expect(verdict?.id).not.toBe(String(twin.document.id));
  const [search] = here.sandbox.control.log.filter(({ path }) => path.endsWith("/transactions"));
  expect(decodeURIComponent(search?.query ?? "")).toContain(`title=[lec:${key}.`);
  expect(writesOf(here)).toBe(0);
});

/** What moves `Date` for the program and the sandbox alike. */
function later(ms: number): void {
  setSystemTime(Date.now() + ms);
}
afterEach(() => void setSystemTime());

const DECISIONS = [
  ["v2", "approve"],
  ["v1", "approve"],
  ["v1", "reject"],
] as const;

describe.each(DECISIONS)("%s %s", (version, verb) => {
  const pay = (amount: string) => (version === "v1" ? paymentOnV1(amount) : payment(amount));
  const decide = (id: unknown) => [
    ...["requests", verb, "api", "--id", String(id)],
    ...(verb === "approve" ? ["--sign"] : []),
  ];
  const lost = { match: { method: "POST", path: "/requests/*" }, reset: true } as const;

  /** A request whose decision was sent, and its answer lost. */
  async function decided(here: Awaited<ReturnType<typeof open>>, isDone: boolean) {
    const made = await here.run("requests", "create", "--requestData", pay("700000"));
    expect(made.exit).toBe(0);
    const { id } = made.document;
    here.sandbox.control.addFault({ ...lost, execute: isDone });
    const { document } = await here.run(...decide(id));
    const error = document.error as { code: string; hint: string; details: { key: string } };
    expect(error).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(error.hint).toContain(`requests reconcile --key ${error.details.key}`);
    here.sandbox.control.clearLog();
    return { id: String(id), key: error.details.key };
  }

  test("B7 one that arrived is found by what the server tells of its reviews, and closed", async () => {
    await using here = await open(version);
    const { id, key } = await decided(here, true);
    expect(results(await here.run("requests", "reconcile"))).toMatchObject([
      { key, verdict: "found", id },
    ]);
    expect(writesOf(here)).toBe(0);
    expect(results(await here.run("requests", "journal")).map(({ state }) => state)).toEqual([
      ...["done", "done", "done"],
    ]);
  });

  test("B7 one that did not arrive is undetermined at first, then absent, and can be repeated", async () => {
    await using here = await open(version);
    const { id, key } = await decided(here, false);
    expect(results(await here.run("requests", "reconcile"))).toMatchObject([
      { key, verdict: "undetermined" },
    ]);
    later(61_000);
    expect(results(await here.run("requests", "reconcile"))).toMatchObject([
      { key, verdict: "absent" },
    ]);
    expect(writesOf(here)).toBe(0);
    expect((await here.run(...decide(id))).exit).toBe(0);
    expect(results(await here.run("requests", "reconcile"))).toEqual([]);
  });

  test("B7 a server that does not tell its reviews: undetermined", async () => {
    await using here = await open(version);
    const { key } = await decided(here, true);
    later(3_600_000);
    const body = JSON.stringify({ id: "x" });
    here.sandbox.control.addFault({
      match: { method: "GET", path: "/requests/*", times: 0 },
      status: 200,
      body,
    });
    expect(results(await here.run("requests", "reconcile"))).toMatchObject([
      { key, verdict: "undetermined" },
    ]);
  });
});

test("B7 a list that fails: undetermined", async () => {
  await using here = await open();
  const key = await lose(here, true);
  here.sandbox.control.addFault({ match: { method: "GET", path: "/requests" }, status: 400 });
  const found = results(await here.run("requests", "reconcile"));
  expect(found).toMatchObject([{ key, verdict: "undetermined" }]);
});

test("B6 --again with the key of the record; the audit trail tells all of it", async () => {
  await using here = await open();
  const key = await lose(here, true);
  const again = await here.run("requests", "create", "--requestData", payment("700000"));
  expect(again.document.error).toMatchObject({ code: "DUPLICATE_SUSPECTED", details: { key } });
  await here.run("requests", "reconcile");
  const events = results(await here.run("audit", "list")).map(({ event }) => event);
  expect(events).toEqual(["genesis", "login", "intent", "outcome", "denied", "reconciled"]);
  const { anchor } = (await here.run("audit", "anchor")).document;
  expect((await here.run("audit", "verify", "--against", String(anchor))).document).toEqual({
    ...{ valid: true, lines: 7, gaps: 0, missing: [], complete: "anchored" },
  });
  expect((await here.run("audit", "restart", "--reason", "test")).document.error).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("a note that looks tagged is refused", async () => {
  await using here = await open();
  const document = JSON.parse(payment("1"));
  const note = { title: "x", content: "[lec:01M8HYXX26Z8JW84D6ZGHAX8E8.0123456789abcdef]" };
  const text = JSON.stringify({ ...document, note });
  const { document: answer } = await here.run("requests", "create", "--requestData", text);
  expect(answer.error).toMatchObject({ code: "INVALID_REQUEST_DATA" });
});

test("B3 B4 B7 a create whose answer names no id is not repeated, and reconcile finds its id", async () => {
  await using here = await open();
  const create = ["requests", "create", "--requestData", payment("700000")];
  const status = { status: 201, execute: true };
  here.sandbox.control.addFault({ match: LOST.match, ...status, body: '{"data":{}}' });
  const { exit, document } = await here.run(...create);
  expect([exit, document]).toEqual([0, { data: {}, key: expect.any(String) }]);
  const { key } = document;
  later(11 * 60_000);
  const { error } = (await here.run(...create)).document as { error: Json };
  expect(error).toMatchObject({ code: "DUPLICATE_SUSPECTED", details: { key, state: "done" } });
  expect(error.message).toContain("the server named no id for it");
  expect(writesOf(here)).toBe(1);
  const [verdict] = results(await here.run("requests", "reconcile"));
  expect(verdict).toMatchObject({ key, verdict: "found", certainty: "content" });
  expect(results(await here.run("requests", "journal"))).toMatchObject([
    { key, state: "done", id: verdict?.id },
  ]);
  expect(results(await here.run("requests", "reconcile"))).toEqual([]);
});

test("B3 M4 a 2xx answer that reads like a failure of this program is OUTCOME_UNKNOWN", async () => {
  await using here = await open();
  const body = JSON.stringify({ error: { code: "POLICY_DENIED", message: "No.", exitCode: 2 } });
  here.sandbox.control.addFault({ match: LOST.match, status: 200, execute: true, body });
  const { exit, document } = await here.run(
    ...["requests", "create", "--requestData", payment("700000")],
  );
  expect([exit, document.error]).toMatchObject([1, { code: "OUTCOME_UNKNOWN" }]);
  const found = results(await here.run("requests", "reconcile"));
  expect(found).toMatchObject([{ verdict: "found", certainty: "content" }]);
});

test("B7 a list that is late: undetermined, then found", async () => {
  await using here = await open();
  here.sandbox.control.set({ listDelaySeconds: 600 });
  const key = await lose(here, true);
  const early = results(await here.run("requests", "reconcile"));
  expect(early).toMatchObject([{ key, verdict: "undetermined" }]);
  here.sandbox.control.set({ listDelaySeconds: 0 });
  const found = results(await here.run("requests", "reconcile"));
  expect(found).toMatchObject([{ key, verdict: "found", certainty: "content" }]);
});

test("B7 B8 a server that cuts notes: the tag is lost, the content still tells", async () => {
  await using here = await open();
  here.sandbox.control.set({ cutNotes: 10 });
  const key = await lose(here, true, "--tag");
  const found = results(await here.run("requests", "reconcile"));
  expect(found).toMatchObject([{ key, verdict: "found", certainty: "content" }]);
});
