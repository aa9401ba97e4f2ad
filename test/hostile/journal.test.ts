/** Journal and audit trail among many processes, among killed ones, and on a full disk. */
import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Chain } from "../../src/core/state/chain.ts";
import { Journal } from "../../src/core/state/journal.ts";
import { verifyLog } from "../../src/core/state/verify.ts";

const root = await mkdtemp(join(tmpdir(), "journal-"));
afterAll(() => rm(root, { recursive: true }));
const WORKER = join(import.meta.dir, "../support/acts-worker.ts");
let folders = 0;
/** Fewer where everything is tested at once. */
const isCi = process.env.CI !== undefined;
const PROCESSES = isCi ? 20 : 50;

async function place() {
  folders += 1;
  const folder = join(root, String(folders));
  await mkdir(folder, { mode: 0o700 });
  return { directory: join(folder, "state"), server: join(folder, "server") };
}

type Place = Awaited<ReturnType<typeof place>>;

function start({ directory, server }: Place, count: number, body = "") {
  const argv = [process.execPath, WORKER, directory, server, String(count), body];
  return Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
}

async function sent({ server }: Place): Promise<string[]> {
  return existsSync(server) ? (await readFile(server, "utf8")).trimEnd().split("\n") : [];
}

function read({ directory }: Place, name: "audit" | "journal") {
  const chain = new Chain({
    directory: join(directory, name),
    name,
    uid: process.getuid?.(),
    now: Date.now,
  });
  const journal = new Journal();
  const lines: Record<string, unknown>[] = [];
  const found = verifyLog({
    files: chain.files().map((file) => join(directory, name, file)),
    head: chain.head(),
    onLine: (bytes) => {
      const line = JSON.parse(Buffer.from(bytes).toString());
      lines.push(line);
      if (name === "journal") journal.take(line);
    },
  });
  return { found, journal, lines };
}

test(`C3 ${PROCESSES} processes write 5 acts each: both chains are whole, each act has its two lines`, async () => {
  const here = await place();
  const workers = Array.from({ length: PROCESSES }, () => start(here, 5));
  const [texts, warnings] = await Promise.all([
    Promise.all(workers.map(({ stdout }) => new Response(stdout).text())),
    Promise.all(workers.map(({ stderr }) => new Response(stderr).text())),
  ]);
  expect(await Promise.all(workers.map(({ exited }) => exited))).toEqual(Array(PROCESSES).fill(0));
  const codes = texts.flatMap((text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  );
  const byCode = Map.groupBy(codes, (code) => code);
  const done = byCode.get("DONE")?.length ?? 0;
  // On a slow disk the last of so many wait for the lock longer than they may.
  const late = byCode.get("LOCK_TIMEOUT")?.length ?? 0;
  expect([codes.length, done + late]).toEqual([PROCESSES * 5, PROCESSES * 5]);
  expect(done).toBeGreaterThan(0);
  // The end of an act waits as long; one that could not be written leaves it open, and says so.
  const open = warnings.join("").match(/AUDIT_INCOMPLETE: The outcome of/g)?.length ?? 0;
  console.error(
    `${done} acts of ${PROCESSES} processes, ${late} waited too long for the lock, ${open} at their end`,
  );
  for (const name of ["audit", "journal"] as const) {
    const { found, lines } = read(here, name);
    const count = (event: string) => lines.filter((line) => line.event === event).length;
    const ends = count("outcome");
    const all = 1 + done + ends + count("checkpoint");
    expect(found).toMatchObject({ gaps: 0, missing: [], lines: all });
    expect(count("intent")).toBe(done);
    expect(ends).toBe(done - open);
  }
  expect(new Set(await sent(here)).size).toBe(done);
}, 240_000);

test(`B4 ${PROCESSES} equal creates at once, the answer lost: one is sent, the others name its key`, async () => {
  const here = await place();
  const workers = Array.from({ length: PROCESSES }, () => start(here, 1, "lost-1"));
  const texts = await Promise.all(workers.map(({ stdout }) => new Response(stdout).text()));
  const keys = await sent(here);
  expect(keys).toHaveLength(1);
  const refused = texts.filter((text) => text.startsWith("DUPLICATE_SUSPECTED"));
  const late = texts.filter((text) => text.startsWith("LOCK_TIMEOUT"));
  expect(refused.length + late.length).toBe(PROCESSES - 1);
  expect(refused.length).toBeGreaterThan(0);
  for (const text of refused) expect(text).toContain(`"key":"${keys[0]}"`);
  const slowest = Math.max(...refused.map((text) => Number(text.split(" ")[1])));
  console.error(`slowest refusal among ${PROCESSES} processes: ${slowest} ms`);
}, 120_000);

const KILLS = isCi ? 60 : 200;

test(`B3 C3 ${KILLS} kills at random moments: nothing was sent without an intent, both chains go on`, async () => {
  const here = await place();
  let gaps = 0;
  for (let at = 0; at < KILLS; at += 1) {
    const worker = start(here, 1000);
    // The first act needs some 40 ms of start; the kill comes within the first acts.
    const first = worker.stdout.getReader();
    await first.read();
    await sleep(Math.random() * 12);
    worker.kill("SIGKILL");
    await worker.exited;
  }
  const last = start(here, 1);
  expect(await last.exited).toBe(0);
  const { journal, found } = read(here, "journal");
  const audit = read(here, "audit");
  gaps = found.gaps + audit.found.gaps;
  const keys = await sent(here);
  for (const key of keys) expect([key, journal.get(key)?.kind]).toEqual([key, "create"]);
  const audited = new Set(
    audit.lines.filter(({ event }) => event === "intent").map(({ key }) => key),
  );
  for (const key of keys) expect(audited.has(key)).toBe(true);
  const done = [...journal.all()].filter(({ state }) => state === "done");
  const open = [...journal.all()].filter(({ state }) => state === "open");
  expect(new Set(keys).size).toBe(keys.length);
  for (const { key } of done) expect(keys).toContain(key);
  expect(open.length).toBeLessThanOrEqual(KILLS);
  console.error(
    `${KILLS} kills: ${keys.length} sent, ${done.length} done, ${open.length} open, ${gaps} gaps`,
  );
}, 300_000);

test("C1 on a full disk nothing is sent, and once there is room it goes on", async () => {
  const here = await place();
  await mkdir(here.directory, { mode: 0o700 });
  const script = `set -e
mount -t tmpfs -o mode=0700,size=128k tmpfs "$1"
run() { "$0" "$3" "$1" "$2" 1; }
run "$@"
head -c 1m /dev/zero > "$1/filler" 2>/dev/null || true
run "$@"; run "$@"
rm "$1/filler"
run "$@"`;
  const argv = [
    "unshare",
    "-m",
    "sh",
    "-c",
    script,
    process.execPath,
    here.directory,
    here.server,
    WORKER,
  ];
  const outcome = Bun.spawnSync(argv);
  const codes = outcome.stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect([codes, outcome.stderr.toString()]).toEqual([
    ["DONE", "AUDIT_UNAVAILABLE", "AUDIT_UNAVAILABLE", "DONE"],
    "",
  ]);
  expect(await sent(here)).toHaveLength(2);
}, 120_000);
