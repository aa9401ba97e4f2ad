/** Parts of a guard without processes: its limits, its frames, what it loads, what it counts. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../../scripts/build.ts";
import { CliError } from "../../src/errors.ts";
import { type Client, levelOfPoints, pointsOf, type Status } from "../../src/guard/level.ts";
import { Allowance, Allowances } from "../../src/guard/limits.ts";
import { parseRequest } from "../../src/guard/request.ts";
import { Watch } from "../../src/guard/watch.ts";
import { encodeFrame, FrameReader } from "../../src/guard/wire.ts";

test("limits run on a clock that nobody can set, and a write that was not sent is given back", () => {
  let now = 0;
  const allowance = new Allowance(() => now);
  for (let number = 0; number < 6; number += 1) allowance.write();
  expect(() => allowance.write()).toThrow("writes a minute");
  now = 59_999;
  expect(() => allowance.write()).toThrow("writes a minute");
  now = 60_000;
  const giveBack = allowance.write();
  for (let number = 0; number < 5; number += 1) allowance.write();
  expect(() => allowance.write()).toThrow("writes a minute");
  giveBack();
  allowance.write();
  const leave = Array.from({ length: 8 }, () => allowance.connect());
  expect(() => allowance.connect()).toThrow("connections at once");
  leave[0]?.();
  allowance.connect();
});

test("four calls to the API at once; a fifth waits for its turn, or until its time is over", async () => {
  const allowance = new Allowance(() => 0);
  const running: (() => void)[] = [];
  const call = () => new Promise<void>((resolve) => running.push(resolve));
  const calls = Array.from({ length: 5 }, () => allowance.upstream(call, undefined));
  await Promise.resolve();
  expect(running.length).toBe(4);
  const late = new AbortController();
  const given = allowance.upstream(call, late.signal);
  late.abort(new Error("late"));
  expect(given).rejects.toThrow("late");
  running[0]?.();
  await calls[0];
  await Promise.resolve();
  expect(running.length).toBe(5);
  for (const end of running) end();
  await Promise.all(calls);
});

test("refusals beyond 20 a minute are counted, and told in one line for each user", async () => {
  const allowances = new Allowances(() => 0);
  const told = Array.from({ length: 25 }, () => allowances.of(7).mayTell());
  expect(told.filter(Boolean).length).toBe(20);
  const lines: unknown[] = [];
  const house = { books: { note: async (facts: unknown) => void lines.push(facts) } };
  const watch = new Watch(house as never, allowances);
  await watch.tellRefusals();
  await watch.tellRefusals();
  expect(lines).toEqual([
    { event: "refusals", command: "guard", agent: { uid: 7, pid: 0 }, data: { count: 5 } },
  ]);
});

test("a frame is the same, however its bytes arrive", () => {
  const document = Buffer.from('{"a":"\u00e9"}');
  const bytes = encodeFrame({ verb: "policy", ask: "request" }, document);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const frames = new FrameReader();
    frames.push(bytes.subarray(0, cut));
    let line = frames.line();
    frames.push(bytes.subarray(cut));
    line ??= frames.line();
    const request = parseRequest(line ?? new Uint8Array());
    expect(request).toMatchObject({ verb: "policy", length: document.length });
    expect(Buffer.from(frames.bytes(request.length) ?? [])).toEqual(document);
    expect(frames.rest).toBe(0);
  }
});

/** Modules that a guard's verbs never reach, each with its reason. */
const NOT_LOADED: readonly RegExp[] = [
  /^src\/core\/(device|skill|notifications|doctor|report)/,
  /^src\/core\/(login\/reporting|release\/upgrade|meaning\/(describe|payment))/,
  /^src\/io\/(progress|version)/,
  /^src\/(cli|mcp|sandbox|guard|app|commands)\//,
];

test("everything that a verb loads late is loaded before the first client is heard", () => {
  const late = new Set<string>();
  for (const file of new Glob("src/{app,core,io}/**/*.ts").scanSync(ROOT)) {
    const text = readFileSync(join(ROOT, file), "utf8");
    for (const [, target = ""] of text.matchAll(/(?<!typeof )\bimport\("(\.[^"]+)"\)/g))
      late.add(join(dirname(file), target));
  }
  const loaded = new Set(
    [...readFileSync(join(ROOT, "src/guard/load.ts"), "utf8").matchAll(/import\("([^"]+)"\)/g)].map(
      ([, target = ""]) => join("src/guard", target),
    ),
  );
  const missing = [...late].filter(
    (file) => !loaded.has(file) && !NOT_LOADED.some((pattern) => pattern.test(file)),
  );
  expect(missing.sort()).toEqual([]);
});

const CLIENT: Client = { uid: 1000, groups: [], bypasses: [], hasSession: false };
const GUARD: Status = {
  ...{ version: "1.0.0", uid: 1001, peer: { uid: 1000 }, policyFault: null, counts: {} },
  policy: { id: "payments", sha256: "00", since: "2026-01-01T00:00:00.000Z" },
  ...{ exposed: [], places: { secret: [], policy: [] }, newer: null },
};
const UNREACHABLE = new CliError("GUARD_UNREACHABLE", { message: "It does not run." });
/** What breaks each point and no other; a guard that is not there hides what only it can tell. */
const BREAKS: Readonly<Record<string, readonly [client: Client, status: Status | CliError]>> = {
  reachable: [CLIENT, UNREACHABLE],
  otherUser: [CLIENT, { ...GUARD, uid: 1000 }],
  notRoot: [
    { ...CLIENT, uid: 0 },
    { ...GUARD, peer: { uid: 0 } },
  ],
  noRootGroup: [{ ...CLIENT, groups: [0] }, GUARD],
  noCredentials: [{ ...CLIENT, bypasses: ["LEDGER_ENTERPRISE_API_KEY_SECRET"] }, GUARD],
  noSession: [{ ...CLIENT, hasSession: true }, GUARD],
  secrets: [CLIENT, { ...GUARD, exposed: ["secretFiles"] }],
  state: [CLIENT, { ...GUARD, exposed: ["state"] }],
  policy: [CLIENT, { ...GUARD, policy: null }],
};
const ONLY_IT_TELLS = ["otherUser", "secrets", "state", "policy"];

test("A19 every point by itself: advisory, and a remedy", () => {
  const all = pointsOf(CLIENT, GUARD);
  expect([levelOfPoints(all), all.map(({ point }) => point)]).toEqual([
    "enforced",
    Object.keys(BREAKS),
  ]);
  for (const [point, [client, status]] of Object.entries(BREAKS)) {
    const found = pointsOf(client, status);
    const broken = found.filter(({ holds }) => !holds);
    const hidden = point === "reachable" ? ONLY_IT_TELLS : [];
    expect([levelOfPoints(found), ...broken.map((one) => one.point)]).toEqual([
      "advisory",
      point,
      ...hidden,
    ]);
    for (const { point: name, fix } of broken) {
      expect(fix).toMatch(/^[A-Z].{20,}\.$/);
      expect([name, /^Not known/.test(fix)]).toEqual([name, hidden.includes(name)]);
    }
  }
});

test("A19 a file that the service manager reads the secrets from counts, not only its copy", () => {
  const folder = mkdtempSync(join(tmpdir(), "originals-"));
  try {
    expect(levelOfPoints(pointsOf(CLIENT, GUARD, join(folder, "none")))).toBe("enforced");
    expect(levelOfPoints(pointsOf(CLIENT, GUARD, folder))).toBe("enforced");
    writeFileSync(join(folder, "payments.private-key"), "x");
    const points = pointsOf(CLIENT, GUARD, folder);
    const broken = points.filter(({ holds }) => !holds).map(({ point }) => point);
    expect([levelOfPoints(points), broken]).toEqual(["advisory", ["secrets"]]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
