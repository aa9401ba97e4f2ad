/** SES-1 SES-3: what is kept in the state folder, and that it is this user's alone. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StateFolder } from "../../../src/core/state/folder.ts";
import { codeOf, failureLater } from "../../support/failure.ts";
import { makeFolder, removeFolders } from "../../support/io.ts";
import { runtimeWith, stateAt } from "../../support/runtime.ts";

afterAll(removeFolders);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const open = (path = join(makeFolder(), "state")) => stateAt(path, runtimeWith());

test("what is written is read, and its folders are this user's alone", async () => {
  const state = open();
  await state.prepare("records/created");
  await state.write("records/created/a.json", bytes("one"));
  await state.write("records/created/a.json", bytes("two"));
  expect(Buffer.from((await state.read("records/created/a.json", 8)) ?? []).toString()).toBe("two");
  for (const name of ["", "records", "records/created"])
    expect(statSync(join(state.path, name)).mode & 0o777).toBe(0o700);
  expect(statSync(join(state.path, "records/created/a.json")).mode & 0o777).toBe(0o600);
  expect(await state.remove("records/created/a.json")).toBe(true);
  expect(await state.read("records/created/a.json", 8)).toBeUndefined();
});

test("lines are appended one after the other, durable or not", async () => {
  const state = open();
  await state.prepare();
  state.append("log.jsonl", '{"a":1}');
  state.append("log.jsonl", '{"a":2}', { durable: false });
  const path = join(state.path, "log.jsonl");
  expect(readFileSync(path, "utf8")).toBe('{"a":1}\n{"a":2}\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("nothing is appended to a file that others can read, or through a link", async () => {
  const state = open();
  await state.prepare();
  const path = join(state.path, "log.jsonl");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  expect(await codeOf(() => state.append("log.jsonl", "x"))).toBe("SESSION_INSECURE");
  expect(readFileSync(path, "utf8")).toBe("");
  symlinkSync(path, join(state.path, "link.jsonl"));
  expect(await codeOf(() => state.append("link.jsonl", "x"))).toBe("SESSION_INSECURE");
});

test("a missing folder cannot be appended to", async () => {
  expect(await codeOf(() => open().append("log.jsonl", "x"))).toBe("SESSION_IO");
});

test("names lead nowhere else", () => {
  for (const name of ["../a", "a/../b", "/a", "a//b", "", ".hidden", "a b"])
    expect(() => open().read(name, 1)).toThrow("no name in the state folder");
});

test("the folder and those below it that others can reach are named", async () => {
  const state = open();
  expect(state.exposed("records")).toEqual([]);
  await state.prepare("records");
  expect(state.exposed("records")).toEqual([]);
  chmodSync(join(state.path, "records"), 0o755);
  expect(state.exposed("records")).toEqual([join(state.path, "records")]);
});

test("a lock is held by one, and one who does not wait is told so", async () => {
  const state = open();
  await state.prepare();
  const other = stateAt(state.path, runtimeWith());
  const inside = await state.lock("device", () =>
    codeOf(() => other.lock("device", async () => undefined, { timeoutMs: 0 })),
  );
  expect(inside).toBe("LOCK_TIMEOUT");
  expect(await other.lock("device", async () => "free", { timeoutMs: 0 })).toBe("free");
});

test("sweeping takes old leftovers, and everything old only when told so", async () => {
  const path = join(makeFolder(), "state");
  const state = stateAt(path, runtimeWith({ now: () => Date.now() + 48 * 3600 * 1000 }));
  mkdirSync(path, { mode: 0o700 });
  for (const name of ["kept.json", ".x.0123456789abcdef.tmp"])
    writeFileSync(join(path, name), "", { mode: 0o600 });
  await state.sweep();
  expect(await state.read("kept.json", 8)).toBeDefined();
  expect(() => statSync(join(path, ".x.0123456789abcdef.tmp"))).toThrow();
  await state.sweep({ everything: true });
  expect(await state.read("kept.json", 8)).toBeUndefined();
});

test("whether this user can write to the folder, or make it, is known before a command needs it", () => {
  const folder = makeFolder();
  expect(open(join(folder, "new", "state")).isWritable()).toBe(true);
  writeFileSync(join(folder, "file"), "");
  expect(open(join(folder, "file", "state")).isWritable()).toBe(false);
  if (process.getuid?.() === 0) return;
  chmodSync(folder, 0o500);
  expect(open(join(folder, "state")).isWritable()).toBe(false);
  chmodSync(folder, 0o700);
});

test.skipIf(process.getuid?.() !== 0)(
  "SES-3 the hint for a folder of root's or of another user is one that this user can follow",
  async () => {
    const hintOf = async (mode: number, uid: number) => {
      const folder = makeFolder();
      chmodSync(folder, mode);
      const place = { uid, pid: 1, hostname: "h", isAlive: () => true, path: folder };
      const state = new StateFolder(place, runtimeWith());
      return (await failureLater(() => state.prepare())).facts.hint;
    };
    expect(await hintOf(0o755, 1000)).toBe(
      "Name a folder of your own in LEDGER_ENTERPRISE_STATE_DIR.",
    );
    expect(await hintOf(0o1777, 1000)).toContain("Name a folder below it");
  },
);
