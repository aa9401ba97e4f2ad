/**
 * Catalogue L (processes, signals, streams) and OUT-6…8 on the built program: real signals, closed
 * streams, slow readers, many at once.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { atRest, until } from "../support/waiting.ts";
import { payout } from "./payment.ts";
import { Program, settingsOf, twoForms } from "./program.ts";
import { ACCESS_TOKEN, http, type RawAnswer, RawApi } from "./raw-api.ts";
import { age, readSession, tokenAnswer } from "./session-file.ts";

const LIST = ["accounts", "list"];
const REFRESH = "POST /auth/token/refresh";
const EMPTY = '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[]}';
const OK = http("200 OK", EMPTY);
/** Far more than a pipe holds. */
const LARGE = `{"results":[${Array.from({ length: 50_000 }, (_, at) => `{"id":"${at}","note":"${"x".repeat(80)}"}`).join(",")}]}`;

/** An answer that never comes, and the moment when the request arrived. */
function hanging(): { readonly answer: RawAnswer; readonly arrived: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { answer: () => resolve(), arrived: promise };
}

for (const form of await twoForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    const login = () => program.succeed(["login", "api"]);
    const leftovers = () => program.stateFiles.filter((name) => name !== "session.json");

    beforeAll(async () => {
      api = await RawApi.start();
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
    });
    beforeEach(async () => {
      api.serve({});
      await login();
      api.serve({ "GET /accounts": [OK] });
    });
    afterAll(async () => {
      await Promise.all([api, program].map((resource) => resource[Symbol.asyncDispose]()));
    });

    test.each(["SIGINT", "SIGTERM"] as const)(
      "L01 OUT-8 %s while waiting for an answer to a GET",
      async (signal) => {
        const { answer, arrived } = hanging();
        api.serve({ "GET /accounts": [answer] });
        const child = program.start(LIST);
        await arrived;
        child.kill(signal);
        expect(await program.finish(LIST, child)).toMatchObject({ signal, stdout: "", stderr: "" });
        expect(leftovers()).toEqual([]);
      },
    );

    test.each(["SIGINT", "SIGTERM"] as const)(
      "L02 OUT-8 %s during a POST: stderr says that the outcome is unknown",
      async (signal) => {
        const { answer, arrived } = hanging();
        api.serve({ "POST /requests": [answer] });
        // An account of its own, so that no other record is like it.
        const data = JSON.stringify(payout(signal));
        const create = ["requests", "create", "--requestData", data];
        const child = program.start(create);
        await arrived;
        child.kill(signal);
        const { stdout, stderr, signal: died } = await program.finish(create, child);
        expect({ stdout, died }).toEqual({ stdout: "", died: signal });
        expect(stderr).toStartWith("OUTCOME_UNKNOWN: ");
        // Its record stays open: the same request again is refused.
        const { details } = await program.fail(create, 2, "DUPLICATE_SUSPECTED");
        expect(details).toMatchObject({ state: "open" });
        expect(api.count("POST /requests")).toBe(1);
      },
    );

    test.each(["POST /auth/token", "GET /users/me"])(
      "L03 OUT-8 SIGTERM during a login at %s: no session or a complete one",
      async (route) => {
        for (const before of [true, false]) {
          if (!before) await program.succeed(["logout"]);
          const { answer, arrived } = hanging();
          api.serve({ [route]: [answer] });
          const child = program.start(["login", "api"]);
          await arrived;
          child.kill("SIGTERM");
          expect(await program.finish(["login", "api"], child)).toMatchObject({
            signal: "SIGTERM",
            stdout: "",
          });
          if (existsSync(program.sessionFile))
            expect(readSession(program.sessionFile).tokens.access).toBe(ACCESS_TOKEN);
          else expect(before).toBe(false);
          expect(leftovers()).toEqual([]);
        }
      },
    );

    test("L03 OUT-8 SIGTERM during a refresh releases the lock and keeps the session", async () => {
      const { answer, arrived } = hanging();
      age(program.sessionFile, 400);
      api.serve({ "GET /accounts": [OK], [REFRESH]: [answer, http("200 OK", tokenAnswer())] });
      const child = program.start(LIST);
      await arrived;
      expect(leftovers()).toEqual(["session.lock"]);
      child.kill("SIGTERM");
      expect(await program.finish(LIST, child)).toMatchObject({ signal: "SIGTERM", stdout: "" });
      expect(leftovers()).toEqual([]);
      await program.succeed(LIST);
    });

    test.each([
      ["a second signal ends it at once, whatever the first one began", 600, /^SIGTERM$/, ""],
      // The system delivers both in either order.
      ["L02 OUT-8 one will to end that comes as two signals is one", 0, /^SIG/, "OUTCOME"],
    ] as const)("%s", async (_name, ms, signal, said) => {
      const lock = `${program.stateDirectory}/journal.lock`;
      const { promise: arrived, resolve } = Promise.withResolvers<void>();
      const held = (): void => {
        // Another process is at the journal, so that the outcome has to wait.
        const who = { pid: process.pid, host: hostname(), token: "other", startedAt: Date.now() };
        writeFileSync(lock, `${JSON.stringify({ ...who, aliveAt: Date.now() })}\n`);
        resolve();
      };
      api.serve({ "POST /requests": [held] });
      // An account of its own, so that no other record is like it.
      const create = ["requests", "create", "--requestData", JSON.stringify(payout(`twice ${ms}`))];
      const child = program.start(create);
      await arrived;
      child.kill("SIGHUP");
      if (ms > 0) {
        await atRest(child.pid);
        await Bun.sleep(ms);
      }
      child.kill("SIGTERM");
      if (said === "") await child.exited;
      else await atRest(child.pid);
      rmSync(lock);
      const { stdout, stderr, signal: died } = await program.finish(create, child);
      expect({ stdout, died, stderr: stderr.slice(0, 7) }).toEqual({
        ...{ stdout: "", died: expect.stringMatching(signal), stderr: said },
      });
    });

    test.each([">&-", ">/dev/full", "| true"])(
      "L05 OUT-7 'sandbox start' ends when nobody can learn where it serves: %s",
      async (where) => {
        const { exit, stderr } = await program.shell(
          `timeout 20 "$@" sandbox start ${where}; exit "${"$"}{PIPESTATUS[0]}"`,
        );
        expect({ exit, stderr }).toEqual({ exit: 1, stderr: "" });
      },
    );

    test("L04 OUT-7 a reader that leaves after one byte: quiet, no trace, not 0", async () => {
      api.serve({ "GET /accounts": [http("200 OK", LARGE)] });
      const { exit, stdout, stderr } = await program.shell(
        `"$@" accounts list | head -c 1 >/dev/null; exit "${"$"}{PIPESTATUS[0]}"`,
      );
      expect([1, 141]).toContain(exit ?? 0);
      expect({ stdout, stderr }).toEqual({ stdout: "", stderr: "" });
    });

    test.each([
      ["L05 OUT-7 standard output closed", ">&-"],
      ["L05 OUT-7 standard output on a full device", ">/dev/full"],
    ])("%s: exit 1, quiet", async (_name, redirection) => {
      const { exit, stdout, stderr } = await program.shell(
        `exec "$@" accounts list ${redirection}`,
      );
      expect({ exit, stdout, stderr }).toEqual({ exit: 1, stdout: "", stderr: "" });
      const failing = await program.shell(`exec "$@" accounts get ${redirection}`);
      expect(failing.exit).not.toBe(0);
      expect(failing.stderr).toBe("");
    });

    test("L05 OUT-7 a write whose answer cannot be printed is not sent: with standard output closed nothing is posted", async () => {
      api.serve({ "POST /requests": [http("200 OK", '{"id":"1"}')] });
      const { exit } = await program.shell(
        `exec "$@" requests create --requestData '{"type":"X","data":{}}' >&-`,
      );
      expect([exit, api.requests]).toEqual([1, []]);
    });

    test.each(["2>&-", "2>/dev/full", "--debug 2>&-", "--debug 2>/dev/full"])(
      "L06 standard error %s changes nothing",
      async (redirection) => {
        const { exit, stdout } = await program.shell(`exec "$@" accounts list ${redirection}`);
        expect({ exit, stdout }).toEqual({ exit: 0, stdout: `${EMPTY}\n` });
        expect((await program.shell(`exec "$@" accounts get ${redirection}`)).exit).toBe(2);
      },
    );

    test.each(["<&-", "</dev/null", "< <(cat)", "<>/dev/zero"])(
      "L07 standard input %s is never read unless asked for",
      async (redirection) => {
        const { exit, stdout } = await program.shell(`"$@" accounts list ${redirection}`);
        expect({ exit, stdout }).toEqual({ exit: 0, stdout: `${EMPTY}\n` });
      },
    );

    test("L07 all three streams on a terminal", async () => {
      const { exit, stdout } = await program.shell(
        `printf -v line '%q ' "$@" accounts list; script -qec "$line" /dev/null </dev/null`,
      );
      expect({ exit, stdout }).toEqual({ exit: 0, stdout: `${EMPTY}\r\n` });
    });

    test("L08 OUT-6 5 MB into a slow reader arrive whole", async () => {
      expect(LARGE.length).toBeGreaterThan(5_000_000);
      api.serve({ "GET /accounts": [http("200 OK", LARGE)] });
      const slow = "{ sleep 0.5; dd bs=65536 count=3 status=none; sleep 0.5; cat; }";
      const { exit, stdout } = await program.shell(`set -o pipefail; "$@" accounts list | ${slow}`);
      expect({ exit, isWhole: stdout === `${LARGE}\n` }).toEqual({ exit: 0, isWhole: true });
    });

    test("L08 OUT-6 so does a failure after 5 MB", async () => {
      const first = `{"page":1,"next":2,"prev":null,"pageSize":30,"total":2,"results":${LARGE.slice(11, -1)}}`;
      api.serve({ "GET /accounts": [http("200 OK", first), http("500 X", "{}")] });
      const { exit, stdout } = await program.shell(
        `set -o pipefail; "$@" accounts list --all | { sleep 0.5; cat; }`,
      );
      const document = JSON.parse(stdout);
      expect({
        exit,
        count: document.results.length,
        complete: document.complete,
        code: document.error.code,
      }).toEqual({
        exit: 5,
        count: 50_000,
        complete: false,
        code: "SERVER_ERROR",
      });
    });

    test("L09 two processes read at once", async () => {
      await Promise.all([program.succeed(LIST), program.succeed(LIST)]);
    });

    test("L11 login and logout at once: a valid session or none", async () => {
      for (let round = 0; round < 4; round += 1) {
        await Promise.all([
          login(),
          program.succeed(["logout"]),
          login(),
          program.succeed(["logout"]),
        ]);
        if (existsSync(program.sessionFile))
          expect(readSession(program.sessionFile).tokens.access).toBe(ACCESS_TOKEN);
        expect(leftovers()).toEqual([]);
      }
    });

    test("L12 50 parallel lists, no lock time-out and no corrupt file", async () => {
      age(program.sessionFile, 290);
      await Promise.all(Array.from({ length: 50 }, () => program.succeed(LIST)));
      expect({
        lists: api.count("GET /accounts"),
        refreshes: api.count(REFRESH),
        rest: leftovers(),
      }).toEqual({
        lists: 50,
        refreshes: 1,
        rest: [],
      });
    });

    test("L13 a process that is stopped until its time is over answers TIMEOUT", async () => {
      const { answer, arrived } = hanging();
      api.serve({ "GET /accounts": [answer] });
      const argv = [...LIST, "--timeout", "3"];
      const child = program.start(argv);
      await arrived;
      child.kill("SIGSTOP");
      await Bun.sleep(3200);
      child.kill("SIGCONT");
      const { exit, stdout } = await program.finish(argv, child);
      expect({ exit, code: JSON.parse(stdout).error.code }).toEqual({ exit: 1, code: "TIMEOUT" });
    });

    test("L13 SES-6 a holder that was stopped for a minute lost its lock to another, and destroys nothing when it goes on", async () => {
      const sockets: (() => void)[] = [];
      const { promise: arrived, resolve } = Promise.withResolvers<void>();
      api.serve({
        "GET /accounts": [OK],
        [REFRESH]: [
          (socket) => {
            sockets.push(() => socket.end(http("401 X", "{}")));
            resolve();
          },
          http("200 OK", tokenAnswer()),
        ],
      });
      age(program.sessionFile, 400);
      const child = program.start(LIST);
      await arrived;
      child.kill("SIGSTOP");
      // What a holder's file says that has shown no life for ten minutes, without waiting so long.
      const lock = `${program.stateDirectory}/session.lock`;
      const holder = JSON.parse(await Bun.file(lock).text());
      expect(holder).toMatchObject({ pid: child.pid, host: hostname() });
      writeFileSync(lock, `${JSON.stringify({ ...holder, aliveAt: holder.aliveAt - 600_000 })}\n`);
      await program.succeed(LIST);
      for (const answer of sockets) answer();
      child.kill("SIGCONT");
      expect((await program.finish(LIST, child)).exit).toBe(0);
      expect(readSession(program.sessionFile).tokens.access).toBe(`${ACCESS_TOKEN}-2`);
      expect(leftovers()).toEqual([]);
    });
  });

  describe(`${form.name}, one-time refresh tokens`, () => {
    let sandbox: Sandbox;
    let program: Program;
    beforeAll(async () => {
      sandbox = await startSandbox();
      program = await Program.at(form, settingsOf(sandbox));
      await program.succeed(["login", "api"]);
    });
    afterAll(async () => {
      await Promise.all([sandbox.close(), program[Symbol.asyncDispose]()]);
    });

    test.each(["SIGTERM", "the end of its time"])(
      "L03 SES-5 OUT-8 a refresh that was sent keeps the session at %s",
      async (end) => {
        age(program.sessionFile, 400);
        sandbox.control.clearLog();
        sandbox.control.addFault({ match: { path: "/auth/token/refresh" }, latencyMs: 1e9 });
        const argv = [...LIST, "--timeout", end === "SIGTERM" ? "30" : "3"];
        const child = program.start(argv);
        await until(() => sandbox.control.log.length > 0);
        if (end === "SIGTERM") child.kill("SIGTERM");
        else await Bun.sleep(3000);
        await atRest(child.pid);
        sandbox.control.clearFaults();
        const { signal, stdout } = await program.finish(argv, child);
        expect(end === "SIGTERM" ? [signal, stdout] : JSON.parse(stdout).error.code).toEqual(
          end === "SIGTERM" ? ["SIGTERM", ""] : "TIMEOUT",
        );
        await program.succeed(LIST);
        const paths = sandbox.control.log.map(({ path }) => path.replace(/^.*\/rest/, ""));
        expect(paths).toEqual(["/auth/token/refresh", "/accounts"]);
      },
    );

    test("L11 SES-8 a logout that cannot wait for a refresh ends the session all the same", async () => {
      const { control } = sandbox;
      age(program.sessionFile, 400);
      control.clearLog();
      control.addFault({ match: { path: "/auth/token/refresh" }, latencyMs: 1e9 });
      const list = program.start(LIST);
      await until(() => control.log.length > 0);
      const logout = program.start(["logout"]);
      await atRest(logout.pid);
      logout.kill("SIGTERM");
      const { signal, stdout } = await program.finish(["logout"], logout);
      expect([signal, stdout]).toEqual(["SIGTERM", '{"loggedOut":true,"hadSession":true}\n']);
      control.clearFaults();
      const { exit, stdout: said } = await program.finish(LIST, list);
      expect([exit, JSON.parse(said).error.code]).toEqual([3, "NOT_LOGGED_IN"]);
      expect(program.stateFiles).toEqual([]);
      await program.succeed(["login", "api"]);
    });

    test.each([2, 24])(
      "L10 SES-5 %i processes need a refresh at once: exactly one refresh, all succeed",
      async (count) => {
        for (const expire of [
          () => sandbox.control.addFault({ match: { path: "/accounts" }, expireTokens: true }),
          () => age(program.sessionFile, 400),
        ]) {
          expire();
          sandbox.control.clearLog();
          await Promise.all(Array.from({ length: count }, () => program.succeed(LIST)));
          const refreshes = sandbox.control.log.filter(({ path }) =>
            path.endsWith("/auth/token/refresh"),
          );
          expect(refreshes.map(({ status }) => status)).toEqual([200]);
          expect(program.stateFiles).toEqual(["session.json"]);
        }
      },
    );
  });
}
