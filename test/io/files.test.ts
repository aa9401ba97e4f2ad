/** Files that are new or nothing, and what killed processes left behind. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sweepLeftovers, writeNewFile } from "../../src/io/files.ts";
import { failureLater } from "../support/failure.ts";
import { endOf, makeFolder, removeFolders, source, startAsOrdinaryUser } from "../support/io.ts";

afterAll(removeFolders);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;

describe("K08 leftovers", () => {
  const DAY = 24 * 3600;

  test("old temporary files go; young ones, other names, links and folders stay", async () => {
    const folder = makeFolder();
    const now = Date.now() / 1000;
    const old = [
      "session.json",
      ".session.json.0123456789abcdef.tmp",
      "session.lock.0123456789abcdef.tmp",
      "notes.tmp",
    ];
    for (const name of [...old, ".young.0123456789abcdef.tmp"])
      writeFileSync(join(folder, name), "");
    for (const name of old) utimesSync(join(folder, name), now - DAY - 60, now - DAY - 60);
    symlinkSync("/", join(folder, ".link.0123456789abcdef.tmp"));
    mkdirSync(join(folder, ".folder.0123456789abcdef.tmp"));
    await sweepLeftovers(folder, () => now * 1000);
    expect(readdirSync(folder).sort()).toEqual([
      ".folder.0123456789abcdef.tmp",
      ".link.0123456789abcdef.tmp",
      ".young.0123456789abcdef.tmp",
      "notes.tmp",
      "session.json",
    ]);
  });

  test("a caller can name other files and another age; a missing folder is not a failure", async () => {
    const folder = makeFolder();
    for (const name of ["old.json", "young.json"]) writeFileSync(join(folder, name), "");
    utimesSync(join(folder, "old.json"), 1000, 1000);
    await sweepLeftovers(
      folder,
      () => 1_000_000 + 61_000,
      60_000,
      () => true,
    );
    expect(readdirSync(folder)).toEqual(["young.json"]);
    await sweepLeftovers(join(folder, "absent"), () => 0);
  });
});

describe("a new file", () => {
  test("has exactly its mode and bytes", async () => {
    const path = join(makeFolder(), "key.pem");
    await writeNewFile(path, bytes("key"), 0o600);
    expect([modeOf(path), readFileSync(path, "utf8")]).toEqual([0o600, "key"]);
  });

  test("P06 never replaces: a file, a directory, a link to nowhere", async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, "file"), "old");
    mkdirSync(join(folder, "directory"));
    symlinkSync(join(folder, "nowhere"), join(folder, "link"));
    for (const name of ["file", "directory", "link"]) {
      expect(
        (await failureLater(() => writeNewFile(join(folder, name), bytes("x"), 0o600))).code,
      ).toBe("FILE_EXISTS");
    }
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("old");
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
  });

  test.each(["", "no/such/folder/f", `${"x".repeat(300)}`, "nul\u0000byte"])(
    "path %j is INVALID_PATH",
    async (name) => {
      const path = name === "" ? "" : join(makeFolder(), name);
      expect((await failureLater(() => writeNewFile(path, bytes("x"), 0o600))).code).toBe(
        "INVALID_PATH",
      );
    },
  );

  test("P04 a folder that cannot be written is IO_ERROR", async () => {
    const folder = makeFolder();
    const program = `
      const { chmodSync } = await import("node:fs");
      const { writeNewFile } = await import(${source("io/files.ts")});
      chmodSync(process.argv[1], 0o500);
      await writeNewFile(process.argv[1] + "/f", new Uint8Array(1), 0o600).catch((e) => process.stdout.write(e.code));`;
    expect((await endOf(startAsOrdinaryUser(program, [folder], folder))).stdout).toBe("IO_ERROR");
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
