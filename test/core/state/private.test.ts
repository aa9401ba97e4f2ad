/**
 * SES-1…4, SES-9 and the catalogue's rows about files: judged on the descriptor, replaced whole,
 * never left behind.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  ensurePrivateDirectory,
  readPrivateFile,
  removePrivateFile,
  writePrivateFile,
} from "../../../src/core/state/private.ts";
import { replaceFile, sweepLeftovers } from "../../../src/io/files.ts";
import { failureLater } from "../../support/failure.ts";
import {
  endOf,
  IS_ROOT,
  makeFolder,
  removeFolders,
  source,
  startAsOrdinaryUser,
  startProgram,
  UID,
} from "../../support/io.ts";

afterAll(removeFolders);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;

describe("SES-3 reading", () => {
  const read = (
    path: string,
    maxBytes = 64,
    uid: number | undefined = UID,
  ): Promise<Uint8Array | undefined> => {
    return readPrivateFile(path, { maxBytes, uid });
  };

  function fileIn(folder: string, text = "content", mode = 0o600): string {
    const path = join(folder, "session.json");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  test("returns the bytes; an absent file is not a failure", async () => {
    const folder = makeFolder();
    expect(Buffer.from((await read(fileIn(folder))) ?? []).toString()).toBe("content");
    expect(await read(join(folder, "absent"))).toBeUndefined();
    expect(await read(join(folder, "no", "folder"))).toBeUndefined();
  });

  test.each([0o644, 0o640, 0o604, 0o660, 0o602, 0o610, 0o601, 0o777])(
    "I15 mode %o is refused with the command that helps",
    async (mode) => {
      const path = fileIn(makeFolder(), "x", mode);
      const failure = await failureLater(() => read(path));
      expect(failure.code).toBe("SESSION_INSECURE");
      expect(failure.facts.hint).toContain(`chmod 600 ${path}`);
      execFileSync("/bin/sh", ["-c", failure.facts.hint?.split(": ")[1] ?? "false"]);
      expect(await read(path)).toBeDefined();
    },
  );

  test.each([0o400, 0o600, 0o700])("mode %o is this user's alone", async (mode) => {
    expect(await read(fileIn(makeFolder(), "x", mode))).toBeDefined();
  });

  test.each([0o750, 0o770, 0o701, 0o722, 0o777])(
    "I15 a directory with mode %o is refused",
    async (mode) => {
      const folder = makeFolder();
      const path = fileIn(folder);
      chmodSync(folder, mode);
      const failure = await failureLater(() => read(path));
      expect([failure.code, failure.facts.hint?.includes(`chmod 700 ${folder}`)]).toEqual([
        "SESSION_INSECURE",
        true,
      ]);
    },
  );

  test("I16 a file of another user is refused", async () => {
    const path = fileIn(makeFolder());
    const other = UID + 1000;
    if (IS_ROOT) chownSync(path, other, other);
    const failure = await failureLater(() => read(path, 64, IS_ROOT ? UID : other));
    expect([failure.code, failure.facts.hint?.includes("chown")]).toEqual([
      "SESSION_INSECURE",
      true,
    ]);
  });

  test("I16 a file that cannot even be opened is told apart by its owner", async () => {
    const folder = makeFolder();
    const path = fileIn(folder);
    if (!IS_ROOT) chmodSync(path, 0o000);
    const program = `
      const { readPrivateFile } = await import(${source("core/state/private.ts")});
      try { await readPrivateFile(process.argv[1], { maxBytes: 64, uid: process.getuid() + ${IS_ROOT ? 0 : 1} }); } catch (e) { process.stdout.write(e.code); }`;
    expect((await endOf(startAsOrdinaryUser(program, [path], folder))).stdout).toBe(
      "SESSION_INSECURE",
    );
  });

  test.skipIf(!IS_ROOT)("I16 (as root) a directory of another user is refused", async () => {
    const folder = makeFolder();
    const path = fileIn(folder);
    chownSync(folder, 1000, 1000);
    expect((await failureLater(() => read(path))).code).toBe("SESSION_INSECURE");
  });

  test("a symbolic link is refused, also to a good file and to nowhere", async () => {
    const folder = makeFolder();
    const target = fileIn(folder);
    for (const [name, to] of [
      ["good", target],
      ["dangling", join(folder, "nowhere")],
    ] as const) {
      const path = join(folder, name);
      symlinkSync(to, path);
      const failure = await failureLater(() => read(path));
      expect([failure.code, failure.facts.hint?.includes(`rm ${path}`)]).toEqual([
        "SESSION_INSECURE",
        true,
      ]);
    }
  });

  test("K05 a FIFO is refused and does not hang", async () => {
    const path = join(makeFolder(), "session.json");
    execFileSync("mkfifo", ["-m", "600", path]);
    expect((await failureLater(() => read(path))).code).toBe("SESSION_INSECURE");
  });

  test("K05 a device and a socket are refused", async () => {
    expect((await failureLater(() => read("/dev/null"))).code).toBe("SESSION_INSECURE");
    const path = join(makeFolder(), "socket");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect((await failureLater(() => read(path))).code).toBe("SESSION_INSECURE");
    await new Promise((resolve) => server.close(resolve));
  });

  test("K04 a directory in its place is SESSION_IO", async () => {
    const path = join(makeFolder(), "session.json");
    mkdirSync(path, { mode: 0o700 });
    expect((await failureLater(() => read(path))).code).toBe("SESSION_IO");
  });

  test("a file where a folder belongs is SESSION_IO", async () => {
    const path = fileIn(makeFolder());
    expect((await failureLater(() => read(join(path, "session.json")))).code).toBe("SESSION_IO");
  });

  test("SES-3 the size limit is exact", async () => {
    const folder = makeFolder();
    expect((await read(fileIn(folder, "x".repeat(64))))?.length).toBe(64);
    expect((await failureLater(() => read(fileIn(folder, "x".repeat(65))))).code).toBe(
      "SESSION_CORRUPT",
    );
    expect((await read(fileIn(folder, "")))?.length).toBe(0);
    expect((await read(fileIn(folder, "x".repeat(200_000)), 200_000))?.length).toBe(200_000);
  });

  test("K13 a path with spaces, quotes and control characters is a safe shell word in the hint", async () => {
    const folder = join(makeFolder(), "a 'b'\u001b[31m é");
    mkdirSync(folder, { mode: 0o700 });
    const failure = await failureLater(() => read(fileIn(folder, "x", 0o644)));
    expect(failure.facts.hint).toEndWith("/a '\\''b'\\''<U+001B>[31m é/session.json'");
  });

  test("without owners (Windows) only the kind of file counts", async () => {
    expect(
      await readPrivateFile(fileIn(makeFolder(), "x", 0o666), { maxBytes: 64, uid: undefined }),
    ).toBeDefined();
  });
});

describe("SES-2 writing", () => {
  test.each([0o000, 0o022, 0o077, 0o777])(
    "K06 with umask %o the file is 0600 and the folders 0700",
    async (mask) => {
      const folder = join(makeFolder(), "a", "b");
      const before = process.umask(mask === 0o777 ? 0o077 : mask);
      try {
        await ensurePrivateDirectory(folder, UID);
        process.umask(mask);
        await writePrivateFile(join(folder, "f"), bytes("x"));
      } finally {
        process.umask(before);
      }
      expect([modeOf(join(folder, "..")), modeOf(folder), modeOf(join(folder, "f"))]).toEqual([
        0o700, 0o700, 0o600,
      ]);
    },
  );

  test("a file that was readable for others is not any more", async () => {
    const path = join(makeFolder(), "f");
    writeFileSync(path, "old", { mode: 0o644 });
    await writePrivateFile(path, bytes("new"));
    expect([modeOf(path), readFileSync(path, "utf8")]).toEqual([0o600, "new"]);
  });

  test("a link in its place is replaced, its target untouched; so is the other name of a hard link", async () => {
    const folder = makeFolder();
    const [victim, other] = [join(folder, "victim"), join(folder, "other")];
    writeFileSync(victim, "precious");
    writeFileSync(other, "precious");
    symlinkSync(victim, join(folder, "soft"));
    linkSync(other, join(folder, "hard"));
    for (const name of ["soft", "hard"]) {
      await writePrivateFile(join(folder, name), bytes("new"));
      expect([
        lstatSync(join(folder, name)).isFile(),
        readFileSync(join(folder, name), "utf8"),
      ]).toEqual([true, "new"]);
    }
    expect([readFileSync(victim, "utf8"), readFileSync(other, "utf8")]).toEqual([
      "precious",
      "precious",
    ]);
  });

  test("K04 a directory in its place stays, is SESSION_IO, and no temporary file is left", async () => {
    const folder = makeFolder();
    mkdirSync(join(folder, "f"));
    const failure = await failureLater(() => writePrivateFile(join(folder, "f"), bytes("x")));
    expect([failure.code, readdirSync(folder)]).toEqual(["SESSION_IO", ["f"]]);
  });

  test("a missing folder is SESSION_IO with the system's reason", async () => {
    const failure = await failureLater(() =>
      writePrivateFile(join(makeFolder(), "no", "f"), bytes("x")),
    );
    expect([failure.code, failure.facts.details]).toMatchObject([
      "SESSION_IO",
      { reason: "ENOENT" },
    ]);
  });

  test("other callers name their own code and mode", async () => {
    const folder = makeFolder();
    await replaceFile(join(folder, "skill"), bytes("x"), 0o644, "IO_ERROR");
    expect(modeOf(join(folder, "skill"))).toBe(0o644);
    expect(
      (
        await failureLater(() =>
          replaceFile(join(folder, "no", "f"), bytes("x"), 0o644, "IO_ERROR"),
        )
      ).code,
    ).toBe("IO_ERROR");
  });

  test("K02 SES-9 a folder that cannot be written is SESSION_IO", async () => {
    const folder = makeFolder();
    const program = `
      const { chmodSync } = await import("node:fs");
      const { ensurePrivateDirectory, writePrivateFile } = await import(${source("core/state/private.ts")});
      const folder = process.argv[1];
      chmodSync(folder, 0o500);
      const tries = [() => writePrivateFile(folder + "/f", new Uint8Array(1)), () => ensurePrivateDirectory(folder + "/sub", process.getuid())];
      for (const run of tries) await run().catch((e) => process.stdout.write(e.code + " " + e.facts.details.reason + "\\n"));`;
    expect((await endOf(startAsOrdinaryUser(program, [folder], folder))).stdout).toBe(
      "SESSION_IO EACCES\nSESSION_IO EACCES\n",
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test("SES-2 a process killed while it writes leaves the old file or the new one, whole", async () => {
    const folder = makeFolder();
    const path = join(folder, "session.json");
    const size = 1_000_000;
    writeFileSync(path, "0".repeat(size));
    const program = `
      const { writePrivateFile } = await import(${source("core/state/private.ts")});
      const text = (digit) => new TextEncoder().encode(String(digit).repeat(${size}));
      process.stdout.write("ready");
      for (let count = 1; ; count += 1) await writePrivateFile(process.argv[1], text(count % 10));`;
    for (let round = 0; round < 4; round += 1) {
      const child = startProgram(program, [path]);
      await new Promise((resolve) => child.stdout?.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, 15 + round * 9));
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await ended;
      const text = readFileSync(path, "utf8");
      expect(text === text.slice(0, 1).repeat(size)).toBe(true);
    }
    // K08 What is left is recognised as ours, and goes when it is a day old.
    const left = readdirSync(folder).filter((name) => name !== "session.json");
    await sweepLeftovers(folder, () => Date.now());
    expect(readdirSync(folder).length).toBe(left.length + 1);
    await sweepLeftovers(folder, () => Date.now() + 25 * 3600 * 1000);
    expect(readdirSync(folder)).toEqual(["session.json"]);
  });
});

const canMount = (() => {
  try {
    execFileSync("unshare", ["-rm", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!canMount)(
  "K03 P08 (needs unshare) a full disk: the old file is intact and the temporary one removed",
  async () => {
    const folder = makeFolder();
    const program = `
    const { readdirSync, readFileSync } = await import("node:fs");
    const { writeNewFile } = await import(${source("io/files.ts")});
    const { writePrivateFile } = await import(${source("core/state/private.ts")});
    const folder = process.argv[1];
    await writePrivateFile(folder + "/f", new TextEncoder().encode("old"));
    const say = (e) => process.stdout.write(e.code + " " + e.facts.details.reason + "\\n");
    await writePrivateFile(folder + "/f", new Uint8Array(200_000)).catch(say);
    await writeNewFile(folder + "/new", new Uint8Array(200_000), 0o600).catch(say);
    process.stdout.write(readFileSync(folder + "/f", "utf8") + " " + readdirSync(folder).join());`;
    const script = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$0" -e "$2" "$1"';
    const { stdout } = await endOf(
      spawn("unshare", ["-rm", "/bin/sh", "-c", script, process.execPath, folder, program]),
    );
    expect(stdout).toBe("SESSION_IO ENOSPC\nIO_ERROR ENOSPC\nold f");
  },
);

describe("directories", () => {
  test("K01 a missing state folder is made with its parents", async () => {
    const folder = join(makeFolder(), "x y", "é", "z");
    await ensurePrivateDirectory(folder, UID);
    await ensurePrivateDirectory(folder, UID);
    expect(modeOf(folder)).toBe(0o700);
  });

  test.each([0o755, 0o770, 0o707])(
    "an existing one with mode %o is refused, not changed",
    async (mode) => {
      const folder = makeFolder();
      chmodSync(folder, mode);
      expect((await failureLater(() => ensurePrivateDirectory(folder, UID))).code).toBe(
        "SESSION_INSECURE",
      );
      expect(modeOf(folder)).toBe(mode);
    },
  );

  test("K12 nothing is made in a folder of somebody else", async () => {
    const folder = makeFolder();
    const owner = IS_ROOT ? 1000 : UID;
    if (IS_ROOT) chownSync(folder, owner, owner);
    for (const uid of [owner + 1, ...(IS_ROOT ? [0] : [])]) {
      const failure = await failureLater(() =>
        ensurePrivateDirectory(join(folder, ".local", "state", "x"), uid),
      );
      expect([failure.code, existsSync(join(folder, ".local"))]).toEqual([
        "SESSION_INSECURE",
        false,
      ]);
      expect((await failureLater(() => ensurePrivateDirectory(folder, uid))).code).toBe(
        "SESSION_INSECURE",
      );
    }
  });

  test("a file in its place, or on the way, is SESSION_IO", async () => {
    const path = join(makeFolder(), "f");
    writeFileSync(path, "");
    expect((await failureLater(() => ensurePrivateDirectory(path, UID))).code).toBe("SESSION_IO");
    expect((await failureLater(() => ensurePrivateDirectory(join(path, "sub"), UID))).code).toBe(
      "SESSION_IO",
    );
  });
});

describe("removing", () => {
  test("says whether there was one; a link is removed, not its target", async () => {
    const folder = makeFolder();
    const [path, link] = [join(folder, "f"), join(folder, "link")];
    writeFileSync(path, "");
    symlinkSync(path, link);
    expect(await removePrivateFile(link)).toBe(true);
    expect(existsSync(path)).toBe(true);
    expect([await removePrivateFile(path), await removePrivateFile(path)]).toEqual([true, false]);
    expect(await removePrivateFile(join(folder, "no", "folder"))).toBe(false);
  });

  test("K04 a directory is SESSION_IO", async () => {
    expect((await failureLater(() => removePrivateFile(makeFolder()))).code).toBe("SESSION_IO");
  });
});
