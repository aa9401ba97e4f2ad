/** What holds for every policy: orders do not matter, and a second file only narrows. Seeded. */
import { expect, test } from "bun:test";
import { debitOf, requireAllowed, requireRoom } from "../../../src/core/policy/decide.ts";
import type { Policy } from "../../../src/core/policy/load.ts";
import type { Entry } from "../../../src/core/state/journal.ts";
import { CliError } from "../../../src/errors.ts";
import {
  ACCOUNT,
  actOf,
  DATA,
  DAY,
  FILE,
  GAS,
  HOSTING,
  policyOf,
  sent,
} from "../../support/policy.ts";

/** The same numbers at each run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

function pick<T>(next: Random, ...of: readonly T[]): T {
  const found = of[Math.floor(next() * of.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

function some<T>(next: Random, of: readonly T[]): T[] {
  const chosen = of.filter(() => next() < 0.5);
  return chosen.length === 0 ? [pick(next, ...of)] : chosen;
}

/**
 * The same document with the members of its objects and the rules of its lists in another order.
 */
function shuffled(next: Random, document: unknown): unknown {
  const mixed = <T>(items: readonly T[]): T[] =>
    items
      .map((item) => [next(), item] as const)
      .sort(([one], [other]) => one - other)
      .map(([, item]) => item);
  if (Array.isArray(document)) return mixed(document.map((item) => shuffled(next, item)));
  if (typeof document !== "object" || document === null) return document;
  const members = Object.entries(document).map(([name, value]) => [name, shuffled(next, value)]);
  return Object.fromEntries(mixed(members));
}

const ACCOUNTS = ["A1", "A2", "A3"];
const ADDRESSES = ["0xb550388547691a526190d60C30C2f9E2af03fF3D", `0x${"1".repeat(40)}`];

function fileOf(next: Random): Record<string, unknown> {
  const allow = Array.from({ length: 1 + Math.floor(next() * 4) }, (_, at) => ({
    ...{ ...HOSTING, id: `allow${at}`, decisions: some(next, ["create", "approve"]) },
    accounts: pick<unknown>(next, "any", some(next, ACCOUNTS)),
    destinations: pick<unknown>(
      next,
      "any",
      some(next, ADDRESSES).map((address) => ({ address })),
    ),
    perRequest: pick(next, "1", "2500.00", "0.5"),
    note: pick<unknown>(next, "none", 40),
  }));
  const deny = Array.from({ length: Math.floor(next() * 3) }, (_, at) => ({
    id: `deny${at}`,
    ...pick<object>(next, { accounts: some(next, ACCOUNTS) }, { decisions: ["approve"] }),
  }));
  const narrow = { ...DAY, id: "narrow", per: pick(next, "1h", "7d"), count: pick(next, 1, 2, 9) };
  const windows = pick(next, [DAY, GAS], [GAS, narrow, { ...DAY, amount: "3" }]);
  return { ...FILE, allow, deny, windows };
}

function requestOf(next: Random) {
  const id = pick(next, ...ACCOUNTS);
  const changes = { amount: pick(next, "1", "999999", "1000000", "2500000001") };
  const request = sent({ ...changes, recipient: pick(next, ...ADDRESSES) });
  const data = { ...request.data, accountId: id };
  const decision = pick(next, "create" as const, "approve" as const);
  return actOf(
    { ...request, data, note: pick<object>(next, {}, { title: "short" }) },
    { decision, account: { ...ACCOUNT, id } },
  );
}

type Request = ReturnType<typeof requestOf>;
const NOON = Date.UTC(2026, 10, 28, 12);

function entriesOf(next: Random, debit: ReturnType<typeof debitOf>): Entry[] {
  return Array.from({ length: Math.floor(next() * 4) }, (_, at) => ({
    ...{ key: `K${at}`, kind: "create", command: "requests create", origin: "o", basePath: "" },
    ...{ workspace: "w", user: "u", uid: 0, debit, clock: NOON - next() * 48 * 3_600_000 },
    ...{ time: 0, state: "open", endedAt: undefined, isDebited: next() < 0.9 },
  }));
}

/** `allowed`, or the code and the dimension of the refusal. */
function verdictOf(policies: readonly Policy[], act: Request, entries: readonly Entry[]): string {
  try {
    for (const policy of policies) requireAllowed(policy, act);
    const ledger = { entries, now: NOON, restartedAt: undefined };
    for (const policy of policies) requireRoom(policy, debitOf(act), ledger);
    return "allowed";
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    return `${cause.code} ${String((cause.facts.details as { field: unknown }).field)}`;
  }
}

const RUNS = 2000;

test(`A5 ${RUNS} policies: the order of rules, windows, lists and members changes no decision`, () => {
  const next = random(5);
  const seen = new Set<string>();
  for (let run = 0; run < RUNS; run += 1) {
    const file = fileOf(next);
    const act = requestOf(next);
    const entries = entriesOf(next, debitOf(act));
    const verdict = verdictOf([policyOf(file)], act, entries);
    const other = policyOf(shuffled(next, file));
    expect([run, verdictOf([other], act, shuffled(next, entries) as Entry[])]).toEqual([
      run,
      verdict,
    ]);
    seen.add(verdict);
  }
  // The property says something only where every outcome occurs.
  for (const verdict of ["allowed", "POLICY_DENIED deny", "POLICY_DENIED window"])
    expect(seen).toContain(verdict);
});

test("A5 a deny rule wins wherever it is", () => {
  const next = random(6);
  for (let run = 0; run < 200; run += 1) {
    const file = fileOf(next);
    const act = requestOf(next);
    const frozen = { id: "frozen", accounts: [act.account.id] };
    const deny = [...(file.deny as object[]), frozen];
    expect(verdictOf([policyOf({ ...file, deny })], act, [])).toBe("POLICY_DENIED deny");
  }
});

test(`A12 ${RUNS} pairs of files: both allow what each of them allows, and nothing else`, () => {
  const next = random(12);
  const seen = new Set<string>();
  for (let run = 0; run < RUNS; run += 1) {
    const files = [fileOf(next), fileOf(next)].map(policyOf);
    const act = requestOf(next);
    const entries = entriesOf(next, debitOf(act));
    const each = files.map((file) => verdictOf([file], act, entries) === "allowed");
    const both = verdictOf(files, act, entries) === "allowed";
    expect([run, both]).toEqual([run, each.every(Boolean)]);
    seen.add(`${each.join()} ${both}`);
  }
  expect(seen.size).toBe(4);
});

test("A5 the fixture's payment is allowed by its own rule", () => {
  expect(verdictOf([policyOf(FILE)], actOf({ ...sent({}), data: DATA }), [])).toBe("allowed");
});
