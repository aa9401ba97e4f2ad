/** The chained log: what is appended, what a killed process leaves, what `verify` finds. */
import { afterAll, expect, test } from "bun:test";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chain, hashLine, type LineDraft } from "../../../src/core/state/chain.ts";
import { verifyLog } from "../../../src/core/state/verify.ts";
import { failureOf } from "../../support/failure.ts";

const root = await mkdtemp(join(tmpdir(), "chain-"));
afterAll(() => rm(root, { recursive: true }));

const NOON = Date.UTC(2026, 10, 28, 12);
let logs = 0;

function draft(event: string, key?: string): LineDraft {
  return { event, members: { key }, level: "none" };
}

/** A log of `lines` lines after its genesis, and where it is. */
function logOf(lines: number, now = () => NOON) {
  logs += 1;
  const directory = join(root, `log-${logs}`);
  const chain = new Chain({ directory, name: "audit", uid: process.getuid?.(), now });
  for (let at = 1; at <= lines; at += 1) chain.append([draft("intent", `K${at}`)]);
  const paths = () => chain.files().map((file) => join(directory, file));
  const verify = () => verifyLog({ files: paths(), head: chain.head() });
  return { directory, chain, paths, verify, path: () => String(paths()[0]) };
}

const text = (path: string) => readFile(path, "utf8");

test("C1 a line holds the hash of the line before it, and the head that of the last", async () => {
  const { chain, path, verify } = logOf(3);
  const lines = (await text(path())).trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  for (let at = 1; at < lines.length; at += 1) {
    const line = JSON.parse(lines[at] ?? "");
    expect(line.prev).toBe(hashLine(Buffer.from(lines[at - 1] ?? "")));
    expect(line.seq).toBe(at + 1);
  }
  expect(chain.head()?.hash).toBe(hashLine(Buffer.from(lines[3] ?? "")));
  expect(verify()).toMatchObject({ lines: 4, gaps: 0, missing: [], complete: "unproven" });
});

const LINES = 6;
const EDITS: Readonly<Record<string, (lines: string[], at: number) => string[]>> = {
  edit: (lines, at) => lines.map((line, index) => (index === at ? line.replace("K", "L") : line)),
  delete: (lines, at) => lines.filter((_, index) => index !== at),
  duplicate: (lines, at) => lines.flatMap((line, index) => (index === at ? [line, line] : [line])),
  swap: (lines, at) =>
    lines.map((line, index) =>
      index === at ? (lines[at + 1] ?? "") : index === at + 1 ? (lines[at] ?? "") : line,
    ),
  insert: (lines, at) => [...lines.slice(0, at), '{"v":1}', ...lines.slice(at)],
  "change the link of": (lines, at) =>
    lines.map((line, index) =>
      index === at
        ? line.replace(/"prev":"(.)/, (_, digit) => `"prev":"${digit === "0" ? 1 : 0}`)
        : line,
    ),
  "cut the end of": (lines, at) =>
    lines.map((line, index) => (index === at ? line.slice(0, -9) : line)),
};

for (const [name, change] of Object.entries(EDITS)) {
  test.each([1, 2, 3, 4, 5])(`C2 ${name} line %d: verify names exactly that line`, async (at) => {
    const { path, verify } = logOf(LINES);
    const lines = (await text(path())).trimEnd().split("\n");
    await writeFile(path(), `${change(lines, at).join("\n")}\n`);
    const failure = failureOf(verify);
    expect(failure.code).toBe("AUDIT_BROKEN");
    const { line, reason } = failure.facts.details as { line: number; reason: string };
    // The lines of a file count from 1; a line that is there twice is bad the second time.
    expect(line).toBe(name === "duplicate" ? at + 2 : at + 1);
    expect(reason).not.toBe("");
  });
}

test("C2 every single byte of a log counts: one changed bit is found", async () => {
  const { path, verify } = logOf(2);
  const bytes = new Uint8Array(await readFile(path()));
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(path(), changed);
    expect([at, failureOf(verify).code]).toEqual([at, "AUDIT_BROKEN"]);
  }
});

test("C2 a cut tail is found by the head, and without a head by an anchor", async () => {
  const { path, chain, verify } = logOf(LINES);
  const anchor = chain.head();
  if (anchor === undefined) throw new Error("no head");
  const lines = (await text(path())).trimEnd().split("\n");
  await writeFile(path(), `${lines.slice(0, -2).join("\n")}\n`);
  expect(failureOf(verify).code).toBe("AUDIT_BROKEN");
  expect(verifyLog({ files: [path()] })).toMatchObject({ lines: 5, complete: "unproven" });
  const { code, facts } = failureOf(() => verifyLog({ files: [path()], against: anchor }));
  expect(code).toBe("AUDIT_BROKEN");
  expect(facts.details).toMatchObject({ reason: "The log ends before the anchor." });
});

test("C2 an anchor that the log holds is found, also when lines followed it", () => {
  const { chain, paths } = logOf(2);
  const anchor = chain.head();
  if (anchor === undefined) throw new Error("no head");
  chain.append([draft("outcome")]);
  const found = verifyLog({ files: paths(), against: anchor });
  expect(found.complete).toBe("anchored");
  const other = { ...anchor, hash: "ab".repeat(32) };
  expect(failureOf(() => verifyLog({ files: paths(), against: other })).code).toBe("AUDIT_BROKEN");
});

test("C3 a tail that was torn at any byte is closed by a gap, and the log goes on", async () => {
  const whole = logOf(1);
  whole.chain.append([draft("intent", "TORN")]);
  const bytes = await readFile(whole.path());
  const start = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  for (let cut = start + 1; cut < bytes.length; cut += 1) {
    const { chain, path, verify } = logOf(1);
    const before = chain.head();
    chain.append([draft("intent", "TORN")]);
    // The head is that of the line before: the process was killed inside the write.
    await restoreHead(chain, before);
    await truncate(path(), cut);
    // A line that lacks its newline only is whole until the gap says that it was never synced.
    const isWhole = cut === bytes.length - 1;
    expect(verify()).toMatchObject(isWhole ? { lines: 3, gaps: 0 } : { lines: 2, gaps: 1 });
    chain.append([draft("intent", "NEXT")]);
    expect([cut, verify()]).toMatchObject([cut, { lines: 4, gaps: 1, missing: [] }]);
  }
}, 240_000);

async function restoreHead(chain: Chain, head: ReturnType<Chain["head"]>): Promise<void> {
  const bytes = JSON.stringify({ v: 1, ...head }).padEnd(511);
  await writeFile(chain.headPath, `${bytes}\n`);
}

test("C3 a gap line that is itself torn is covered by the next one", async () => {
  const { chain, path, verify } = logOf(1);
  const before = chain.head();
  await appendFile(path(), '{"v":1,"log":"to');
  await appendFile(path(), `\n{"v":1,"log":"${before?.log}","se`);
  chain.append([draft("intent")]);
  expect(verify()).toMatchObject({ lines: 4, gaps: 1 });
});

test("C3 a process that was killed between line and head leaves a log that goes on", async () => {
  const { chain, verify } = logOf(1);
  const before = chain.head();
  chain.append([draft("intent", "A")]);
  chain.append([draft("outcome", "A")]);
  await restoreHead(chain, before);
  chain.append([draft("intent", "B")]);
  expect(verify()).toMatchObject({ lines: 5, gaps: 0 });
  expect(chain.head()?.seq).toBe(5);
});

test("C3 C7 a line that is not synced stays beyond the head, and the next synced one covers it", () => {
  const { chain, verify } = logOf(1);
  const before = chain.head();
  const end = chain.append([draft("outcome", "A")], { isLazy: true });
  expect(chain.head()).toEqual(before);
  expect(end.seq).toBe(3);
  expect([chain.endsAt(end), before && chain.endsAt(before)]).toEqual([true, false]);
  expect(verify()).toMatchObject({ lines: 3, gaps: 0, end: { file: end.file, size: end.size } });
  const next = chain.append([draft("intent", "B")]);
  expect(chain.head()).toEqual(next);
  expect([chain.endsAt(end), chain.endsAt(next)]).toEqual([false, true]);
  expect(verify()).toMatchObject({ lines: 4, gaps: 0 });
});

test("C1 a lost head, a lost file, a second name, a replaced tail: nothing is appended", async () => {
  const cases: Readonly<Record<string, (log: ReturnType<typeof logOf>) => Promise<unknown>>> = {
    head: ({ chain }) => rm(chain.headPath),
    emptyHead: ({ chain }) => writeFile(chain.headPath, ""),
    file: ({ path }) => rm(path()),
    emptied: ({ path }) => truncate(path(), 0),
    shorter: async ({ path }) => truncate(path(), (await readFile(path())).length - 1),
    replaced: async ({ path }) => {
      const bytes = await text(path());
      await writeFile(path(), bytes.replace(/K(\d)"(?=[^"]*"level":"none"\}\n$)/, 'Z$1"'));
    },
    link: async ({ path }) => (await import("node:fs/promises")).link(path(), `${path()}.copy`),
  };
  for (const [name, spoil] of Object.entries(cases)) {
    const log = logOf(2);
    await spoil(log);
    const { code } = failureOf(() => log.chain.append([draft("intent")]));
    expect([name, code]).toEqual([name, "AUDIT_BROKEN"]);
  }
});

test("C4 a second genesis needs a restart, whose first line says why and what was before", async () => {
  const { chain, paths, verify } = logOf(2);
  const before = chain.head();
  await rm(String(paths()[0]));
  expect(failureOf(() => chain.append([draft("intent")])).code).toBe("AUDIT_BROKEN");
  chain.restart("The disk was restored.", "none");
  const first = JSON.parse((await text(String(paths()[0]))).split("\n")[0] ?? "");
  expect(first).toMatchObject({
    event: "restarted",
    seq: 1,
    data: {
      reason: "The disk was restored.",
      before: `${before?.log} ${before?.seq} ${before?.hash}`,
    },
  });
  chain.append([draft("intent")]);
  expect(verify()).toMatchObject({ lines: 2 });
});

test("C5 a new month begins a new file, whose lines go on", () => {
  let now = Date.now();
  const log = logOf(2, () => now);
  now += 32 * 24 * 3600 * 1000;
  log.chain.append([draft("intent")]);
  expect(log.paths()).toHaveLength(2);
  expect(log.verify()).toMatchObject({ lines: 5, missing: [], gaps: 0 });
  const [first, second] = log.paths();
  expect(verifyLog({ files: [String(second), String(first)] })).toMatchObject({ lines: 5 });
  expect(verifyLog({ files: [String(second)] })).toMatchObject({
    lines: 1,
    missing: [{ from: 1, to: 4 }],
    complete: "unproven",
  });
  expect(verifyLog({ files: [String(first)] })).toMatchObject({ lines: 4, missing: [] });
});

test("C5 a process that was killed inside a rotation leaves a log that goes on", async () => {
  let now = Date.now();
  const log = logOf(1, () => now);
  now += 32 * 24 * 3600 * 1000;
  log.chain.append([draft("intent")]);
  const [first, second] = log.paths();
  await rm(String(second));
  const closing = (await readFile(String(first))).length;
  const lines = (await text(String(first))).trimEnd().split("\n");
  const head = {
    log: JSON.parse(lines[0] ?? "").log,
    file: String(first).split("/").at(-1) ?? "",
    size: closing,
    seq: 3,
    hash: hashLine(Buffer.from(lines.at(-1) ?? "")),
  };
  await restoreHead(log.chain, head);
  log.chain.append([draft("intent")]);
  expect(log.verify()).toMatchObject({ lines: 4, missing: [] });
});
