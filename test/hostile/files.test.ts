/**
 * Catalogue K (files and operating system) on the built program: real file systems that are full or
 * read-only, real limits.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { lacks } from "../support/programs.ts";
import { Program, twoForms } from "./program.ts";
import { ACCESS_TOKEN, http, type RawAnswer, RawApi } from "./raw-api.ts";
import { age, readSession } from "./session-file.ts";

const LIST = ["accounts", "list"];
const OK = http(
  "200 OK",
  '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[]}',
);
const REFRESH = "POST /auth/token/refresh";
const NOBODY = 65_534;

function writeLock(program: Program, holder: Readonly<Record<string, unknown>>): void {
  const lock = { host: hostname(), namespace: null, token: "0123456789abcdef", ...holder };
  writeFileSync(join(program.stateDirectory, "session.lock"), `${JSON.stringify(lock)}\n`, {
    mode: 0o600,
  });
}

/**
 * A shell of its own mounts: `$M` is a folder to mount on; what is mounted is gone when it ends.
 */
const mounted = (script: string): string => `unshare -m bash -ec '
  umask 077; mkdir -p "$M"; ${script}
' bash "$@"`;

for (const form of await twoForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    let work: string;
    const login = () => program.succeed(["login", "api"]);
    const codeOf = (stdout: string): unknown =>
      stdout === "" ? "" : (JSON.parse(stdout).error?.code ?? "OK");
    const lockFile = () => `${program.stateDirectory}/session.lock`;

    beforeAll(async () => {
      api = await RawApi.start();
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      work = await mkdtemp(join(tmpdir(), "work-"));
    });
    beforeEach(async () => {
      await rm(program.stateDirectory, { recursive: true, force: true });
      api.serve({ "GET /accounts": [OK] });
    });
    afterAll(async () => {
      await Promise.all([api, program].map((resource) => resource[Symbol.asyncDispose]()));
      await rm(work, { recursive: true });
    });

    test("K01 SES-1 a missing state folder is made with its parents, for this user alone", async () => {
      await rm(join(program.home, ".local"), { recursive: true, force: true });
      await login();
      expect(statSync(program.stateDirectory).mode & 0o777).toBe(0o700);
      expect(statSync(program.sessionFile).mode & 0o777).toBe(0o600);
    });

    test("K02 SES-9 on a read-only file system the login fails, and tokens are not printed instead", async () => {
      const env = { M: `${work}/ro`, LEDGER_ENTERPRISE_STATE_DIR: `${work}/ro` };
      const { exit, stdout } = await program.shell(
        mounted(
          'mount -t tmpfs -o mode=0700 tmpfs "$M"; mount -o remount,ro "$M"; exec "$@" login api',
        ),
        env,
      );
      expect({ exit, code: codeOf(stdout) }).toEqual({ exit: 1, code: "SESSION_IO" });
      expect(api.count("POST /auth/token")).toBeLessThanOrEqual(1);
    });

    test("K02 SES-9 a home that may not be written to", async () => {
      const home = `${work}/locked`;
      mkdirSync(home, { mode: 0o500 });
      const { exit, stdout } = await program.shell(
        'setpriv --bounding-set=-dac_override,-dac_read_search "$@" login api',
        { HOME: home },
      );
      expect({ exit, code: codeOf(stdout), made: readdirSync(home) }).toEqual({
        exit: 1,
        code: "SESSION_IO",
        made: [],
      });
    });

    test("K03 SES-2 on a full disk the old session stays whole and nothing is left over", async () => {
      const env = { M: `${work}/full`, LEDGER_ENTERPRISE_STATE_DIR: `${work}/full` };
      api.serve({
        "POST /auth/token": [
          http(
            "200 OK",
            JSON.stringify({
              accessToken: ACCESS_TOKEN,
              expiresInSeconds: 300,
              refreshToken: "refresh-canary".repeat(300),
              refreshExpiresInSeconds: 1800,
            }),
          ),
        ],
      });
      const { exit, stdout, stderr } = await program.shell(
        mounted(`mount -t tmpfs -o mode=0700,size=64k tmpfs "$M"
          "$@" login api >/dev/null; cp -p "$M/session.json" "$M/../before.json"
          cat /dev/zero > "$M/filler" 2>/dev/null || true
          status=0; "$@" login api || status=$?
          cmp "$M/session.json" "$M/../before.json" >&2; ls -A "$M" >&2; rm "$M/../before.json"; exit $status`),
        env,
      );
      expect({ exit, code: codeOf(stdout), stderr }).toEqual({
        exit: 1,
        code: "SESSION_IO",
        // Logs and the version gate's list were made beside the session before the disk was full.
        stderr: "audit\nfiller\nsession.json\nversions.json\n",
      });
    });

    test("K04 a directory in the place of the session file", async () => {
      mkdirSync(program.sessionFile, { recursive: true, mode: 0o700 });
      await rm(program.stateDirectory, { recursive: true });
      mkdirSync(program.stateDirectory, { mode: 0o700 });
      mkdirSync(program.sessionFile, { mode: 0o700 });
      expect((await program.fail(LIST, 1, "SESSION_IO")).hint).toContain("rmdir");
      await program.fail(["login", "api"], 1, "SESSION_IO");
      expect(program.stateFiles).toEqual(["session.json"]);
    });

    test.each([
      ["FIFO", "mkfifo -m 600"],
      ["device", "mknod -m 600"],
    ])("K05 SES-3 a %s in the place of the session file does not hang", async (kind, make) => {
      const more = kind === "device" ? "c 1 5" : "";
      await program.shell(
        `mkdir -p -m 700 '${program.stateDirectory}'; ${make} '${program.sessionFile}' ${more}`,
      );
      await program.fail(LIST, 3, "SESSION_INSECURE");
      await login();
      expect(statSync(program.sessionFile).isFile()).toBe(true);
    });

    test.each(["000", "022", "077"])(
      "K06 SES-1 SES-2 with umask %s the file has mode 0600 and its directory 0700",
      async (umask) => {
        const state = `${work}/umask-${umask}`;
        const { exit } = await program.shell(`umask ${umask}; exec "$@" login api`, {
          LEDGER_ENTERPRISE_STATE_DIR: state,
        });
        expect(exit).toBe(0);
        expect(statSync(state).mode & 0o777).toBe(0o700);
        expect(statSync(`${state}/session.json`).mode & 0o777).toBe(0o600);
      },
    );

    test("K07 SES-3 a file system whose rights are the same for everybody is refused", async () => {
      const env = { M: `${work}/open`, LEDGER_ENTERPRISE_STATE_DIR: `${work}/open` };
      const { exit, stdout, stderr } = await program.shell(
        mounted(
          'mount -t tmpfs -o mode=0777 tmpfs "$M"; code=0; "$@" login api || code=$?; ls -A "$M" >&2; exit $code',
        ),
        env,
      );
      expect({ exit, code: codeOf(stdout), stderr }).toEqual({
        exit: 3,
        code: "SESSION_INSECURE",
        stderr: "",
      });
    });

    test("K08 left-over temporary files: old ones go, young ones stay, none disturbs", async () => {
      await login();
      const [old, young] = [
        ".session.json.00112233aabbccdd.tmp",
        ".session.json.ffeeddccbbaa9988.tmp",
      ].map((name) => join(program.stateDirectory, name));
      for (const path of [old, young]) writeFileSync(path ?? "", "half a file", { mode: 0o600 });
      const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
      utimesSync(old ?? "", twoDaysAgo, twoDaysAgo);
      await login();
      await program.succeed(LIST);
      expect([old, young].map((path) => existsSync(path ?? ""))).toEqual([false, true]);
    });

    test("K09 SES-6 the lock of a process that was killed in the middle of a refresh is taken over", async () => {
      await login();
      age(program.sessionFile, 400);
      const arrived = Promise.withResolvers<void>();
      const hang: RawAnswer = () => arrived.resolve();
      api.serve({
        "GET /accounts": [OK],
        [REFRESH]: [
          hang,
          http(
            "200 OK",
            JSON.stringify({
              accessToken: `${ACCESS_TOKEN}-3`,
              expiresInSeconds: 300,
              refreshToken: "r3-canary-token",
              refreshExpiresInSeconds: 1800,
            }),
          ),
        ],
      });
      const child = program.start(LIST);
      await arrived.promise;
      expect(existsSync(lockFile())).toBe(true);
      child.kill("SIGKILL");
      await child.exited;
      expect(existsSync(lockFile())).toBe(true);
      await program.succeed(LIST);
      expect(readSession(program.sessionFile).tokens.access).toBe(`${ACCESS_TOKEN}-3`);
      expect(program.stateFiles).toEqual(["session.json"]);
    });

    test("K09 SES-6 so is one of another machine that showed no life for long, and one that is not a lock", async () => {
      await login();
      for (const make of [
        () =>
          writeLock(program, {
            pid: 1,
            host: "elsewhere",
            startedAt: Date.now() - 3_600_000,
            aliveAt: Date.now() - 3_600_000,
          }),
        () => {
          writeFileSync(lockFile(), "", { mode: 0o600 });
          utimesSync(lockFile(), 1, 1);
        },
      ]) {
        make();
        age(program.sessionFile, 400);
        await program.succeed(LIST);
        expect(program.stateFiles).toEqual(["session.json"]);
      }
    });

    test("K11 with too few files to open it succeeds or fails cleanly", async () => {
      await login();
      const ids = Array.from({ length: 40 }, (_, at) => `--id=${at}`).join(" ");
      const answers = Array.from(
        { length: 40 },
        (_, at) =>
          [
            `GET /accounts/${at}`,
            [http("200 OK", '{"id":"1","name":"n","currency":"c","balance":"0"}')],
          ] as const,
      );
      api.serve(Object.fromEntries(answers));
      const limits = form.name === "executable" ? [12, 14, 16, 18, 20, 24] : [24, 26, 28, 30, 32];
      const seen: string[] = [];
      for (const limit of limits) {
        const { exit, stdout } = await program.shell(
          `ulimit -n ${limit}; exec "$@" accounts getBalance ${ids}`,
        );
        seen.push(String(codeOf(stdout)));
        expect({ limit, exit, isDocument: stdout !== "" }).toEqual({
          limit,
          exit: seen.at(-1) === "OK" ? 0 : 1,
          isDocument: true,
        });
      }
      expect(seen).toContain("OK");
    });

    test("K12 SES-3 root with another user's HOME leaves nothing there", async () => {
      const home = `${work}/of-another`;
      mkdirSync(home);
      chownSync(home, NOBODY, NOBODY);
      await program.fail(["login", "api"], 3, "SESSION_INSECURE", { env: { HOME: home } });
      await program.fail(LIST, 3, "NOT_LOGGED_IN", { env: { HOME: home } });
      expect(readdirSync(home)).toEqual([]);
    });

    test.each(["with spaces", "ü-日本-🙂", "two\nlines", "quo'te\"s", "-dash", "$HOME"])(
      "K13 a HOME named %j",
      async (name) => {
        const env = { HOME: join(work, "homes", name) };
        mkdirSync(env.HOME, { recursive: true });
        await program.succeed(["login", "api"], { env });
        await program.succeed(LIST, { env });
        expect(existsSync(join(env.HOME, ".local/state/ledger-enterprise-cli/session.json"))).toBe(
          true,
        );
        await program.succeed(["logout"], { env });
      },
    );

    test("K14 a current directory that cannot be read", async () => {
      await login();
      const script = `mkdir -p '${work}/unreadable' && cd '${work}/unreadable' && chmod 000 . && exec setpriv --bounding-set=-dac_override,-dac_read_search "$@" accounts list`;
      expect((await program.shell(script)).exit).toBe(0);
    });

    test("K14 a current directory that is deleted: it works, or the runtime refuses without a trace of ours", async () => {
      await login();
      const { exit, stdout } = await program.shell(
        `mkdir '${work}/gone' && cd '${work}/gone' && rmdir '${work}/gone' && exec "$@" accounts list`,
      );
      if (form.name !== "executable" || exit === 0)
        expect({ exit, code: codeOf(stdout) }).toEqual({ exit: 0, code: "OK" });
      else expect(stdout).toBe("");
    });

    test("K15 started through a link, from PATH, by a relative path", async () => {
      await login();
      const script = (call: string) =>
        `mkdir -p '${work}/bin' && ln -sf "\${@: -1}" '${work}/bin/lec' && cd '${work}' && NODE="\${@:1:$#-1}" && ${call} accounts list`;
      for (const call of [
        `$NODE '${work}/bin/lec'`,
        form.name === "executable"
          ? `PATH='${work}/bin':$PATH lec`
          : `PATH="$(dirname $NODE):$PATH:${work}/bin" lec`,
        "$NODE bin/lec",
        "$NODE ./bin/../bin/lec",
      ]) {
        const { exit, stdout } = await program.shell(script(call));
        expect({ call, exit, code: codeOf(stdout) }).toEqual({ call, exit: 0, code: "OK" });
      }
    });

    test("K16 a read-only root without /tmp: only the state folder can be written to", async () => {
      const env = {
        M: "/mnt",
        LEDGER_ENTERPRISE_STATE_DIR: "/mnt/state",
        HOME: "/nonexistent",
        TMPDIR: "/nonexistent",
        ROOT,
      };
      // What is tested may itself lie below /tmp; then it alone stays visible there.
      const script = `mount -t tmpfs -o mode=0700 tmpfs /mnt; mkdir /mnt/root
        mount --rbind "$ROOT" /mnt/root; mount --bind / /; mount -o remount,ro,bind /; mount -t tmpfs tmpfs /tmp
        case $ROOT in /tmp/*) mkdir -p "$ROOT"; mount --rbind /mnt/root "$ROOT"; mount -o remount,ro,bind "$ROOT";; esac
        mount -o remount,ro /tmp; cd /
        for place in /tmp "$ROOT" /; do if touch "$place/x" 2>/dev/null; then exit 99; fi; done
        "$@" login api >&2; exec "$@" accounts list`;
      const { exit, stdout, stderr } = await program.shell(mounted(script), env);
      expect({ exit, code: codeOf(stdout), login: stderr.includes('"kind":"api"') }).toEqual({
        exit: 0,
        code: "OK",
        login: true,
      });
    });

    test("K16 without /proc the npm package works, and the executable's runtime refuses before our code", async () => {
      await login();
      const { exit, stdout } = await program.shell(
        mounted('umount -l /proc; exec "$@" accounts list 2>/dev/null'),
        {
          M: `${work}/none`,
        },
      );
      if (form.name === "executable") expect(stdout).toBe("");
      else expect({ exit, code: codeOf(stdout) }).toEqual({ exit: 0, code: "OK" });
    });

    test.skipIf(lacks("/usr/bin/time"))("K17 ordinary commands stay below 256 MiB", async () => {
      for (const argv of [
        ["login", "api"],
        LIST,
        ["schema"],
        ["requests", "sign", "--challenge", "e30"],
      ])
        expect({ argv, peakMiB: (await program.measure(argv)).peakMiB < 256 }).toEqual({
          argv,
          peakMiB: true,
        });
    });
  });
}

test("K10 SES-6 the lock of a live process is respected for 20 s: executable, npm package", async () => {
  const forms = await twoForms();
  await Promise.all(
    forms.map(async (form) => {
      await using api = await RawApi.start();
      await using program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      await program.succeed(["login", "api"]);
      age(program.sessionFile, 400);
      const now = Date.now();
      writeLock(program, { pid: process.pid, startedAt: now, aliveAt: now + 25_000 });
      api.serve({ "GET /accounts": [OK] });
      const failure = await program.fail([...LIST, "--timeout", "100"], 1, "LOCK_TIMEOUT");
      expect(failure).toMatchObject({
        retryable: true,
        details: { waitedSeconds: 20, holder: process.pid },
      });
      expect(api.requests).toEqual([]);
      expect(existsSync(join(program.stateDirectory, "session.lock"))).toBe(true);
    }),
  );
});
