/**
 * P2: a refresh token works once, so it is spent only after the program has proven that it can
 * store the next one, by the very steps of storing it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lacks } from "../support/programs.ts";
import { builtForms, Program } from "./program.ts";
import { http, RawApi } from "./raw-api.ts";
import { age, readSession, tokenAnswer } from "./session-file.ts";

const REFRESH = "POST /auth/token/refresh";
const OK = http(
  "200 OK",
  '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[]}',
);
const codeOf = (stdout: string): unknown => JSON.parse(stdout).error?.code ?? "OK";

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    let work: string;

    beforeAll(async () => {
      api = await RawApi.start();
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      work = await mkdtemp(join(tmpdir(), "storage-"));
    });
    beforeEach(async () => {
      await rm(program.stateDirectory, { recursive: true, force: true });
      api.serve({ "GET /accounts": [OK], [REFRESH]: [http("200 OK", tokenAnswer())] });
      await program.succeed(["login", "api"]);
      age(program.sessionFile, 400);
    });
    afterAll(async () => {
      await Promise.all([api, program].map((resource) => resource[Symbol.asyncDispose]()));
      await rm(work, { recursive: true });
    });

    /** Nothing was spent, nothing is left over, and the session works once the fault is gone. */
    async function expectKept(): Promise<void> {
      expect(api.count(REFRESH)).toBe(0);
      expect(program.stateFiles).toEqual(["session.json"]);
      await program.succeed(["accounts", "list"]);
      expect(api.count(REFRESH)).toBe(1);
      expect(readSession(program.sessionFile).tokens.access).toEndWith("-2");
    }

    (lacks("strace") ? test.skip : test).each([
      ["change the mode of", "fchmod", "EPERM"],
      ["sync", "fsync", "EIO"],
      ["rename", "rename,renameat,renameat2", "EPERM"],
      ["truncate", "truncate,truncate64,ftruncate", "EPERM"],
    ])("P2 a system that does not let it %s a file keeps the session", async (_, calls, errno) => {
      const { exit, stdout } = await program.shell(
        `exec strace -f -qq -o /dev/null -e trace=${calls} -e inject=${calls}:error=${errno} "$@" accounts list`,
      );
      expect({ exit, code: codeOf(stdout) }).toEqual({ exit: 1, code: "SESSION_IO" });
      await expectKept();
    });

    /** Runs in a state folder of 64 KiB that holds the session; `script` spoils it first. */
    async function inSmallFolder(script: string): Promise<unknown> {
      const env = { M: `${work}/small`, LEDGER_ENTERPRISE_STATE_DIR: `${work}/small` };
      const { exit, stdout } = await program.shell(
        `unshare -m bash -ec '
          umask 077; mkdir -p "$M"; mount -t tmpfs -o mode=0700,size=64k tmpfs "$M"
          cp -p "${program.sessionFile}" "$M/"; ${script}
          status=0; "$@" accounts list || status=$?
          cmp "${program.sessionFile}" "$M/session.json" >&2 || status=99; exit $status
        ' bash "$@"`,
        env,
      );
      return { exit, code: codeOf(stdout) };
    }

    test("P2 a disk that is full but for the lock keeps the session", async () => {
      const fill = 'cat /dev/zero >"$M/filler" 2>/dev/null || true; truncate -s -12K "$M/filler"';
      expect(await inSmallFolder(fill)).toEqual({ exit: 1, code: "SESSION_IO" });
      await expectKept();
    });

    test("P2 a folder that becomes read-only keeps the session", async () => {
      expect(await inSmallFolder('mount -o remount,ro "$M"')).toEqual({
        exit: 1,
        code: "SESSION_IO",
      });
      await expectKept();
    });

    if (form.name !== "executable") {
      test("P2 a FileHandle without sync, as Yarn's Plug'n'Play has, stores sessions, records and keys", async () => {
        const preload = join(work, "pnp.cjs");
        writeFileSync(
          preload,
          `const { open } = require("node:fs/promises");
           open(__filename).then((file) => {
             delete Object.getPrototypeOf(file).sync;
             delete Object.getPrototypeOf(file).datasync;
             return file.close();
           });`,
        );
        const env = { NODE_OPTIONS: `--require ${preload}` };
        await program.succeed(["accounts", "list"], { env });
        expect(readSession(program.sessionFile).tokens.access).toEndWith("-2");
        await program.succeed(["logout"], { env });
        await program.succeed(["login", "api"], { env });
        await program.succeed(["keys", "generate", "--out", join(work, `key-${form.name}`)], {
          env,
        });
      });
    }
  });
}
