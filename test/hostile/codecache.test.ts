/**
 * What the npm package keeps of its compiled program below the state folder: used only where nobody
 * else can write, and never in the way.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findArtifacts } from "../support/artifacts.ts";

const { nodes, installed } = await findArtifacts();
const isRoot = process.getuid?.() === 0;
const LINE = ["schema", "requests", "sign"];

describe.each(Object.entries(nodes))("npm package on Node %s", (_major, node) => {
  let home: string;
  let state: string;
  let folder: string;
  let expected: string;
  const run = (env: Readonly<Record<string, string>> = {}, argv = LINE) => {
    const child = spawnSync(node, [installed, ...argv], { env: { HOME: home, ...env }, cwd: home });
    return { exit: child.status, stdout: String(child.stdout), stderr: String(child.stderr) };
  };
  const names = () => (existsSync(folder) ? readdirSync(folder) : []);
  /** The one file, complete. */
  const kept = () => {
    expect(names()).toHaveLength(1);
    const path = join(folder, names()[0] ?? "");
    return { path, bytes: readFileSync(path) };
  };
  const fresh = () => {
    rmSync(state, { recursive: true, force: true });
    mkdirSync(state, { recursive: true, mode: 0o700 });
  };
  /** The same answer as ever, whatever became of the cache. */
  const answers = (env: Readonly<Record<string, string>> = {}) =>
    expect(run(env)).toEqual({ exit: 0, stdout: expected, stderr: "" });

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "code-"));
    state = join(home, ".local/state/ledger-enterprise-cli");
    folder = join(state, "code");
    const { exit, stdout, stderr } = run();
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expected = stdout;
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test("SES-1 without a state folder nothing is kept, and none is made", () => {
    rmSync(state, { recursive: true, force: true });
    answers();
    expect(existsSync(state)).toBe(false);
  });

  test("SES-1 it is kept in a folder and a file that are this user's alone", () => {
    fresh();
    answers();
    const { path, bytes } = kept();
    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    answers();
    expect(kept().bytes.equals(bytes)).toBe(true);
  });

  test("SES-1 another command adds to it; what an older version left is removed", () => {
    fresh();
    answers();
    const { path, bytes } = kept();
    for (const left of ["0123456789abcdef-v22.0.0-x64", `${path.split("/").at(-1)}.999999`])
      writeFileSync(join(folder, left), "left");
    expect(run({}, ["--help"]).exit).toBe(0);
    expect(kept().bytes.length).toBeGreaterThan(bytes.length);
    answers();
  });

  test.each([
    ["a folder that its group may write", () => chmodSync(folder, 0o770)],
    ["a folder that others may read", () => chmodSync(folder, 0o705)],
    ["a file that its group may write", () => chmodSync(kept().path, 0o660)],
    [
      "a link in the folder's place",
      () => {
        renameSync(folder, `${state}-elsewhere`);
        symlinkSync(`${state}-elsewhere`, folder);
      },
    ],
    [
      "a link in the file's place",
      () => {
        const { path } = kept();
        renameSync(path, `${state}-file`);
        symlinkSync(`${state}-file`, path);
      },
    ],
    [
      "a file in the folder's place",
      () => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, "none");
      },
    ],
    [
      "a folder in the file's place",
      () => {
        const { path } = kept();
        rmSync(path);
        mkdirSync(path);
      },
    ],
    ["a state folder that others may read", () => chmodSync(state, 0o755)],
  ])("SES-1 code that prints is not run from %s", (_name, spoil) => {
    fresh();
    answers();
    plant(kept().path);
    // As it is, it would be believed: the check below sees something.
    expect(run().stdout).not.toBe(expected);
    spoil();
    answers();
    chmodSync(state, 0o700);
    for (const left of [`${state}-elsewhere`, `${state}-file`])
      rmSync(left, { recursive: true, force: true });
  });

  /** Exchanges a word of the kept code, in both copies. */
  const plant = (path: string): void => {
    const bytes = readFileSync(path);
    const word = Buffer.from("requests sign", "latin1");
    const other = Buffer.from("REQUESTS SIGN", "latin1");
    let at = bytes.indexOf(word);
    expect(at).toBeGreaterThan(0);
    for (; at >= 0; at = bytes.indexOf(word, at + 1)) other.copy(bytes, at);
    writeFileSync(path, bytes);
  };

  test.skipIf(!isRoot)("SES-1 nor from another user's folder or file", () => {
    for (const strange of [() => folder, () => kept().path, () => state]) {
      fresh();
      answers();
      plant(kept().path);
      chownSync(strange(), 65_534, 65_534);
      answers();
    }
  });

  test.skipIf(!isRoot)("SES-1 nor under another effective user", () => {
    fresh();
    answers();
    plant(kept().path);
    const preload = join(home, "effective.cjs");
    writeFileSync(preload, "process.geteuid = () => 65534;");
    answers({ NODE_OPTIONS: `--require ${preload}` });
  });

  test.each([
    ["nothing", (bytes: Buffer) => bytes.subarray(0, 0)],
    ["half of it", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ["junk", (bytes: Buffer) => Buffer.alloc(bytes.length, "junk")],
    ["zeros", (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ["a head without a body", (bytes: Buffer) => bytes.subarray(0, bytes.indexOf(10) + 1)],
    [
      "a damaged block",
      (bytes: Buffer) => Buffer.from(bytes).fill(0, bytes.length / 4, bytes.length / 4 + 4096),
    ],
    [
      "one damaged byte",
      (bytes: Buffer) => {
        const damaged = Buffer.from(bytes);
        damaged[damaged.length / 4] = (damaged[damaged.length / 4] ?? 0) ^ 0x55;
        return damaged;
      },
    ],
  ])("SES-1 a file with %s is replaced, and nobody notices", (_name, damage) => {
    fresh();
    answers();
    const { path, bytes } = kept();
    writeFileSync(path, damage(bytes));
    answers();
    expect(kept().bytes.length).toBeGreaterThan(bytes.length / 2);
    answers();
  });

  test("SES-1 a file above the limit is not read", () => {
    fresh();
    answers();
    const { path } = kept();
    spawnSync("truncate", ["--size", "64M", path]);
    answers();
  });

  test("SES-1 NODE_DISABLE_COMPILE_CACHE switches it off; NODE_COMPILE_CACHE gets nothing of it", () => {
    fresh();
    answers({ NODE_DISABLE_COMPILE_CACHE: "1" });
    expect(existsSync(folder)).toBe(false);
    const other = join(home, "node-cache");
    answers({ NODE_COMPILE_CACHE: other });
    expect(names()).toHaveLength(1);
    const written = spawnSync("grep", ["-rlF", "requests sign", other]);
    expect(String(written.stdout)).toBe("");
  });

  test.skipIf(!isRoot).each([
    ["has little room", "size=32m,mode=0700", ""],
    ["cannot be written", "size=128m,mode=0700", `mount -o remount,ro "$1" &&`],
  ])("SES-1 on a disk that %s nothing is made, and nothing is said", (_name, options, before) => {
    const script = `mount -t tmpfs -o ${options} none "$1" && ${before} "$2" "$3" schema requests sign && ls -A "$1" >&2`;
    fresh();
    const argv = ["unshare", "--mount", "sh", "-c", script, "sh", state, node, installed];
    const child = spawnSync("/usr/bin/env", argv, {
      env: { HOME: home, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    const { status, stdout, stderr } = child;
    expect([status, String(stdout), String(stderr)]).toEqual([0, expected, ""]);
  });

  test("SES-1 where the disk becomes full meanwhile, nothing is left over", () => {
    fresh();
    const preload = join(home, "full.cjs");
    const full = `throw Object.assign(new Error("full"), { code: "ENOSPC" });`;
    writeFileSync(
      preload,
      `const fs = require("node:fs"); const { writeSync } = fs;
fs.writeSync = (file, bytes, ...rest) => {
  if (bytes.length < 100_000 || typeof bytes === "string") return writeSync(file, bytes, ...rest);
  writeSync(file, bytes, 0, 5000);
  fs.writeFileSync(${JSON.stringify(join(home, "tried"))}, "");
  ${full}
};`,
    );
    answers({ NODE_OPTIONS: `--require ${preload}` });
    expect([existsSync(join(home, "tried")), names()]).toEqual([true, []]);
  });

  test("SES-1 many processes at once do not disturb each other", async () => {
    fresh();
    const start = () =>
      Bun.spawn([node, installed, ...LINE], { env: { HOME: home }, cwd: home, stdout: "pipe" });
    const outputs = await Promise.all(
      Array.from({ length: 8 }, async () => new Response(start().stdout).text()),
    );
    expect(new Set(outputs)).toEqual(new Set([expected]));
    answers();
    kept();
  });
});
