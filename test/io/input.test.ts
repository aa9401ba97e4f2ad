/** What the user names is read whole, within its limit, and nothing makes us wait for ever. */
import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { readInputFile, readStdin } from "../../src/io/input.ts";
import { failureLater } from "../support/failure.ts";
import {
  endOf,
  IS_ROOT,
  makeFolder,
  removeFolders,
  source,
  startAsOrdinaryUser,
} from "../support/io.ts";

afterAll(removeFolders);

async function read(path: string, maxBytes = 100): Promise<string> {
  return Buffer.from(await readInputFile(path, maxBytes)).toString();
}

function readAll(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  return readStdin(stream, maxBytes, new AbortController().signal);
}

describe("files", () => {
  test("are read to the last byte the limit allows, also through links", async () => {
    const folder = makeFolder();
    const path = join(folder, "request.json");
    writeFileSync(path, "x".repeat(100));
    symlinkSync(path, join(folder, "link"));
    expect((await read(path)).length).toBe(100);
    expect((await read(join(folder, "link"))).length).toBe(100);
    const failure = await failureLater(() => read(path, 99));
    expect([failure.code, failure.facts.details]).toEqual(["PAYLOAD_TOO_LARGE", { maxBytes: 99 }]);
  });

  test("SEC-1 that hold a secret are not read, whatever their name; others beside them are", async () => {
    const folder = makeFolder();
    const [secret, link, other] = [
      join(folder, "secret"),
      join(folder, "link"),
      join(folder, "other"),
    ];
    for (const path of [secret, other]) writeFileSync(path, "x");
    symlinkSync(secret, link);
    for (const path of [secret, link, `${folder}/../${basename(folder)}/secret`]) {
      for (const known of [secret, link]) {
        const failure = await failureLater(() =>
          readInputFile(path, 100, { secretFiles: ["/nonexistent", known] }),
        );
        expect([failure.code, failure.facts.details]).toEqual(["INVALID_PATH", { path }]);
      }
    }
    expect(
      await readInputFile(other, 100, { secretFiles: ["/nonexistent", secret, link] }),
    ).toEqual(Buffer.from("x"));
  });

  test("larger than one read are put together", async () => {
    const path = join(makeFolder(), "f");
    const text = Array.from({ length: 50_000 }, (_, at) => `${at},`).join("");
    writeFileSync(path, text);
    expect((await read(path, 1_000_000)) === text).toBe(true);
  });

  test.each([
    ["", "nothing"],
    ["/nonexistent/x", "a missing file"],
    ["/", "a directory"],
    ["/dev/zero", "a device"],
    ["/dev/tty", "a terminal"],
    [`/tmp/${"x".repeat(300)}`, "a name too long"],
    ["/tmp/a\u0000b", "a NUL"],
  ])("%j (%s) is INVALID_PATH", async (path) => {
    expect((await failureLater(() => read(path))).code).toBe("INVALID_PATH");
  });

  test("a file without the right to read it is IO_ERROR", async () => {
    const folder = makeFolder();
    const path = join(folder, "f");
    writeFileSync(path, "x", { mode: IS_ROOT ? 0o600 : 0o000 });
    const program = `
      const { readInputFile } = await import(${source("io/input.ts")});
      await readInputFile(process.argv[1], 10).catch((e) => process.stdout.write(e.code + " " + e.facts.details.reason));`;
    expect((await endOf(startAsOrdinaryUser(program, [path], folder))).stdout).toBe(
      "IO_ERROR EACCES",
    );
  });
});

describe("pipes", () => {
  const program = `
    const { readInputFile } = await import(${source("io/input.ts")});
    const shown = (bytes) => process.stdout.write(String(bytes.length));
    await readInputFile(process.argv[1], 300_000).then(shown, (e) => process.stdout.write(e.code));`;

  const inBash = async (line: string): Promise<string> => {
    return (await endOf(spawn("bash", ["-c", line, process.execPath, program]))).stdout;
  };

  test("a process substitution is read to its end, however slowly it writes", async () => {
    expect(
      await inBash(
        '"$0" -e "$1" <(printf abc; sleep 0.1; head -c 200000 /dev/zero; sleep 0.1; printf d)',
      ),
    ).toBe("200004");
  });

  test("/dev/stdin as a pipe and as a file", async () => {
    expect(await inBash('printf abc | "$0" -e "$1" /dev/stdin')).toBe("3");
    expect(await inBash('"$0" -e "$1" /dev/stdin </etc/hostname')).not.toBe("INVALID_PATH");
  });

  test("an endless one is cut off at the limit", async () => {
    expect(await inBash('"$0" -e "$1" <(cat /dev/zero)')).toBe("PAYLOAD_TOO_LARGE");
  });

  test("a process substitution without any output is empty at once", async () => {
    expect(await inBash('"$0" -e "$1" <(true)')).toBe("0");
  });

  test("P4 a named pipe is waited for until its writer comes", async () => {
    const path = join(makeFolder(), "fifo");
    const script = `mkfifo ${path}; { sleep 0.3; printf abc >${path}; } & "$0" -e "$1" ${path}`;
    expect(await inBash(script)).toBe("3");
  });

  test("P4 one without a writer ends with the command's time", async () => {
    const path = join(makeFolder(), "fifo");
    execFileSync("mkfifo", [path]);
    const stop = AbortSignal.timeout(50);
    expect((await failureLater(() => readInputFile(path, 100, { stop }))).code).toBe("TIMEOUT");
  });
});

describe("standard input", () => {
  test("is read whole, bytes and texts alike", async () => {
    const chunks = [Buffer.from([0xc3]), Buffer.from([0xa9]), Buffer.from("x")];
    expect(Buffer.from(await readAll(Readable.from(chunks), 4)).toString()).toBe("éx");
    expect(Buffer.from(await readAll(Readable.from(["é", "x"]), 3)).toString()).toBe("éx");
    expect((await readAll(Readable.from([]), 4)).length).toBe(0);
  });

  test("C14 more than the limit is PAYLOAD_TOO_LARGE, without reading on", async () => {
    let read = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          read += 1;
          yield Buffer.alloc(10);
        }
      })(),
    );
    expect((await failureLater(() => readAll(endless, 1000))).code).toBe("PAYLOAD_TOO_LARGE");
    expect(read).toBeLessThan(1000);
  });

  test("a stream that breaks is IO_ERROR", async () => {
    const broken = new Readable({ read: () => undefined });
    broken.destroy(Object.assign(new Error("x"), { code: "EIO" }));
    const failure = await failureLater(() => readAll(broken, 10));
    expect([failure.code, failure.facts.details]).toEqual(["IO_ERROR", { reason: "EIO" }]);
  });
});
