/**
 * Times of policy, journal and audit trail (A20, B4, C3, C7), alone: `node scripts/bun.mjs
 * scripts/bench/belts.ts`. Medians; a synced line depends on the disk.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debitOf, requireAllowed, requireRoom } from "../../src/core/policy/decide.ts";
import type { Entry } from "../../src/core/state/journal.ts";
import { verifyLog } from "../../src/core/state/verify.ts";
import { createIntent, openActs, payment } from "../../test/support/acts.ts";
import { writeLog } from "../../test/support/log-file.ts";
import { actOf, DAY, FILE, GAS, HOSTING, policyOf, REQUEST } from "../../test/support/policy.ts";

/** The name of this part, for `--only`. */
export const BELTS = "belts";
const NOON = Date.UTC(2026, 10, 28, 12);

async function medianMs(times: number, work: (at: number) => unknown): Promise<number> {
  const found: number[] = [];
  for (let at = 0; at < times; at += 1) {
    const start = performance.now();
    await work(at);
    found.push(performance.now() - start);
  }
  return found.sort((one, other) => one - other)[Math.floor(times / 2)] ?? Number.NaN;
}

/** A20: one decision with 200 rules and 10,000 entries, in ms. */
function decision(): Promise<number> {
  const allow = Array.from({ length: 199 }, (_, at) => {
    return { ...HOSTING, id: `r${at}`, accounts: [`X${at}`] };
  });
  const windows = [
    { ...DAY, count: 1e6, amount: "100000000000" },
    { ...GAS, count: 1e6, amount: "5000000" },
  ];
  const policy = policyOf({ ...FILE, allow: [...allow, HOSTING], windows });
  const act = actOf(REQUEST);
  const debit = debitOf(act);
  const entries = Array.from({ length: 10_000 }, (_, at): Entry => {
    const place = { origin: "o", basePath: "", workspace: "w", user: "u", uid: 0 };
    const state = { state: "done" as const, endedAt: undefined, isDebited: true, time: 0 };
    const facts = { key: `K${at}`, kind: "create" as const, command: "requests create" };
    return { ...facts, ...place, ...state, debit, clock: NOON - at * 1000 };
  });
  return medianMs(200, () => {
    requireAllowed(policy, act);
    requireRoom(policy, debit, { entries, now: NOON, restartedAt: undefined });
  });
}

/** C7: ms of one synced line of the audit trail. */
function line(): Promise<number> {
  const { books } = openActs();
  return medianMs(200, () => books.note({ event: "login", command: "login api" }));
}

/** C7: lines a second that `audit verify` reads. */
async function verified(folder: string): Promise<number> {
  const path = join(folder, "audit-abababab-000001.jsonl");
  writeLog(path, 200_000);
  return Math.round(200_000 / ((await medianMs(3, () => verifyLog({ files: [path] }))) / 1000));
}

/** A process of the acts' worker: `count` acts, or one whose answer is lost. */
function worker(folder: string, count: number, body: string) {
  const script = join(import.meta.dir, "../../test/support/acts-worker.ts");
  const argv = [join(folder, "state"), join(folder, "server"), String(count), body];
  return Bun.spawn([process.execPath, script, ...argv], { stdout: "pipe" });
}

const CROWD = 24;

/** B4: ms until the slowest of 23 refusals, of 24 equal creates at once whose first is lost. */
async function refused(folder: string): Promise<number> {
  await mkdir(folder, { mode: 0o700 });
  const workers = Array.from({ length: CROWD }, () => worker(folder, 1, "lost-1"));
  const texts = await Promise.all(workers.map(({ stdout }) => new Response(stdout).text()));
  const refusals = texts.filter((text) => text.startsWith("DUPLICATE_SUSPECTED"));
  if (refusals.length !== CROWD - 1) throw new Error(`${refusals.length} refusals: ${texts}`);
  return Math.max(...refusals.map((text) => Number(text.split(" ")[1])));
}

/** C3: ms of one act, intents and outcomes in both logs, among 24 processes with 5 acts each. */
async function crowded(folder: string): Promise<number> {
  await mkdir(folder, { mode: 0o700 });
  const start = performance.now();
  const workers = Array.from({ length: CROWD }, () => worker(folder, 5, ""));
  const texts = await Promise.all(workers.map(({ stdout }) => new Response(stdout).text()));
  const took = performance.now() - start;
  const done = texts.join("").match(/^DONE/gm)?.length ?? 0;
  if (done !== CROWD * 5) throw new Error(`${done} of ${CROWD * 5} acts were carried out.`);
  return took / done;
}

/** Ms of an act in a process that begins anew, in a journal with this number of records. */
async function act(records: number): Promise<number> {
  const { acts, directory } = openActs();
  let last = 0;
  const work = async (): Promise<string> => {
    last += 1;
    return `R${last}`;
  };
  for (let at = 0; at < records; at += 1)
    await acts.perform(createIntent(payment(`${at}`)), work, (id) => id);
  return medianMs(15, (at) =>
    openActs({ directory }).acts.perform(createIntent(payment(`new ${at}`)), work, (id) => id),
  );
}

/** Ids and figures of the belts; `records` is the length of the longer journal. */
export async function measureBelts(records = 10_000): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "bench-belts-"));
  try {
    return {
      "A20 decision, 200 rules and 10,000 entries, ms": await decision(),
      "C7 synced line, ms": await line(),
      "C7 audit verify, lines a second": await verified(folder),
      "B4 slowest refusal among 24 equal creates, ms": await refused(join(folder, "equal")),
      "C3 act among 24 processes, ms": await crowded(join(folder, "crowd")),
      "act in a journal of 1 record, ms": await act(1),
      [`act in a journal of ${records} records, ms`]: await act(records),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const records = Number(process.argv[2] ?? 10_000);
  process.stdout.write(`${JSON.stringify(await measureBelts(records), null, 2)}\n`);
}
