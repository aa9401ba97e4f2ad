/**
 * Catalogue I (login, tokens, session) and the rules SES-1…10: the executable and the npm package,
 * real files, real clocks set wrong.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { lacks } from "../support/programs.ts";
import { Program, SECRET, twoForms } from "./program.ts";
import { ACCESS_TOKEN, http, RawApi, REFRESH_TOKEN } from "./raw-api.ts";
import { age, editSession, readSession, tokenAnswer } from "./session-file.ts";

const LIST = ["accounts", "list"];
const OK = http(
  "200 OK",
  '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[]}',
);
const REFRESH = "POST /auth/token/refresh";
const refused = (status: string) => http(status, '{"code":"X","message":"no"}');

/** Everything that calls the API, with arguments that are good enough to get there. */
const CALLS: readonly (readonly string[])[] = [
  ["whoami"],
  LIST,
  ["accounts", "get", "--id", "1"],
  ["accounts", "getBalance", "--id", "1"],
  ["transactions", "list", "--accountId", "1"],
  ["transactions", "estimate", "--accountId", "1", "--transactionData", '{"type":"X","data":{}}'],
  ["requests", "list"],
  ["requests", "get", "--id", "1"],
  ["requests", "create", "--requestData", '{"type":"X","data":{}}'],
  ["requests", "getChallenge", "--id", "1"],
  ["requests", "review", "--id", "1"],
  ["requests", "wait", "--id", "1"],
  ["requests", "approve", "api", "--id", "1", "--signature", "a.b.c"],
  ["users", "list"],
  ["users", "get", "--id", "me"],
  ["groups", "list"],
  ["policies", "list"],
  ["whitelists", "list"],
  ["entities", "list"],
  ["assets", "currencies"],
  ["permissions", "allowedActions"],
  ["api", "--path", "/accounts"],
];

for (const form of await twoForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let other: RawApi;
    let program: Program;
    const login = () => program.succeed(["login", "api"]);
    const bytes = () => readFileSync(program.sessionFile, "latin1");
    const tokenOf = (path: string) =>
      api.requests.find((request) => request.path === path)?.headers.get("authorization");

    beforeAll(async () => {
      [api, other] = [await RawApi.start(), await RawApi.start()];
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
    });
    beforeEach(async () => {
      await rm(program.stateDirectory, { recursive: true, force: true });
      api.serve({});
      other.serve({});
      await login();
      api.serve({ "GET /accounts": [OK] });
    });
    afterAll(async () => {
      await Promise.all([api, other, program].map((resource) => resource[Symbol.asyncDispose]()));
    });

    test("I01 without a session every call says how to log in, and sends nothing", async () => {
      await program.succeed(["logout"]);
      for (const argv of CALLS) {
        const { hint } = await program.fail(argv, 3, "NOT_LOGGED_IN");
        expect(hint).toContain("login api");
      }
      expect(api.requests).toEqual([]);
    });

    test("I02 SES-2 an expired access token is refreshed, and the file replaced", async () => {
      age(program.sessionFile, 290);
      const before = bytes();
      const old = `${program.home}/old-session.json`;
      linkSync(program.sessionFile, old);
      await program.succeed(LIST);
      expect(api.count(REFRESH)).toBe(1);
      expect(tokenOf("/accounts")).toBe(`Bearer ${ACCESS_TOKEN}-2`);
      const after = statSync(program.sessionFile);
      const isNew = readFileSync(old, "utf8") === before;
      unlinkSync(old);
      expect({ isNew, mode: after.mode & 0o777 }).toEqual({
        isNew: true,
        mode: 0o600,
      });
      expect(readSession(program.sessionFile).tokens.access).toBe(`${ACCESS_TOKEN}-2`);
      await program.succeed(LIST);
      expect(api.count(REFRESH)).toBe(1);
    });

    test("I03 F05 SES-10 when both tokens are over the program does not log in by itself", async () => {
      age(program.sessionFile, 4000);
      api.serve({ [REFRESH]: [refused("401 X")] });
      const { hint } = await program.fail(LIST, 3, "SESSION_EXPIRED");
      expect(hint).toContain("login api");
      expect(api.requests.map(({ path }) => path)).toEqual(["/auth/token/refresh"]);
      await program.fail(LIST, 3, "NOT_LOGGED_IN");
    });

    test("I04 SES-7 a token with five seconds left is refreshed before use", async () => {
      age(program.sessionFile, 295);
      await program.succeed(LIST);
      expect(api.requests.map(({ path }) => path)).toEqual(["/auth/token/refresh", "/accounts"]);
    });

    test("I05 F04 a token that ends between two calls of one command is refreshed in between", async () => {
      const page = (next: string) =>
        `{"page":1,"next":${next},"prev":null,"pageSize":1,"total":2,"results":[{"id":"1"}]}`;
      api.serve({
        "GET /accounts": [
          http("200 OK", page("2")),
          refused("401 X"),
          http("200 OK", page("null")),
        ],
      });
      expect(await program.succeed([...LIST, "--all"])).toMatchObject({ complete: true, total: 2 });
      const paths = ["/accounts", "/accounts", "/auth/token/refresh", "/accounts"];
      expect(api.requests.map(({ path }) => path)).toEqual(paths);
    });

    test("I05 the same by the clock, without asking the server first", async () => {
      const page = (next: string) =>
        `{"page":1,"next":${next},"prev":null,"pageSize":1,"total":2,"results":[{"id":"1"}]}`;
      const receivedAt = Date.now();
      editSession(program.sessionFile, (session) => ({
        ...session,
        tokens: { ...session.tokens, receivedAt, expiresInSeconds: 8 },
      }));
      // Half of such a short life before its end it counts as over.
      const afterHalf = () => Math.max(0, receivedAt + 4_500 - Date.now());
      api.serve({
        "GET /accounts": [
          (socket) => setTimeout(() => socket.end(http("200 OK", page("2"))), afterHalf()),
          http("200 OK", page("null")),
        ],
      });
      await program.succeed([...LIST, "--all"]);
      expect(api.requests.map(({ path }) => path)).toEqual([
        "/accounts",
        "/auth/token/refresh",
        "/accounts",
      ]);
    });

    test.each(["400 X", "401 X", "403 X"])(
      "I06 a refresh answered by %s ends the session",
      async (status) => {
        age(program.sessionFile, 400);
        api.serve({ [REFRESH]: [refused(status)] });
        await program.fail(LIST, 3, "SESSION_EXPIRED");
        expect(existsSync(program.sessionFile)).toBe(false);
        expect(api.count("GET /accounts") + api.count("POST /auth/token")).toBe(0);
      },
    );

    test("I06 SES-5 a refused refresh keeps a session that somebody else renewed meanwhile", async () => {
      age(program.sessionFile, 400);
      api.serve({
        "GET /accounts": [OK],
        [REFRESH]: [
          (socket) => {
            editSession(program.sessionFile, (session) => ({
              ...session,
              tokens: {
                ...session.tokens,
                access: "renewed-access-token",
                refresh: "renewed-refresh-token",
                receivedAt: Date.now(),
              },
            }));
            socket.end(refused("401 X"));
          },
        ],
      });
      await program.succeed(LIST);
      expect(tokenOf("/accounts")).toBe("Bearer renewed-access-token");
      expect(readSession(program.sessionFile).tokens.refresh).toBe("renewed-refresh-token");
    });

    test.each([
      ["500 X", 5, "SERVER_ERROR"],
      ["503 X", 5, "SERVER_ERROR"],
      ["408 X", 1, "TIMEOUT"],
      ["420 X", 1, "RATE_LIMITED"],
      ["429 X", 1, "RATE_LIMITED"],
    ] as const)("I07 a refresh answered by %s keeps the session", async (status, exit, code) => {
      age(program.sessionFile, 400);
      const before = bytes();
      api.serve({ [REFRESH]: [refused(status)] });
      await program.fail(LIST, exit, code);
      expect(bytes()).toBe(before);
      expect(api.count(REFRESH)).toBe(1);
    });

    test("I08 a refresh that times out keeps the session, and the next run tries again", async () => {
      age(program.sessionFile, 400);
      const before = bytes();
      api.serve({
        "GET /accounts": [OK],
        [REFRESH]: [() => undefined, http("200 OK", tokenAnswer())],
      });
      await program.fail([...LIST, "--timeout", "2"], 1, "TIMEOUT");
      expect(bytes()).toBe(before);
      await program.succeed(LIST);
    });

    const unusable: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
      ["no refreshToken", { refreshToken: undefined }, "refreshToken"],
      ["a refreshToken that is a number", { refreshToken: 7 }, "refreshToken"],
      ...[0, -1, "300", 1e9, null].map(
        (life) =>
          [
            `a life of ${JSON.stringify(life)}`,
            { expiresInSeconds: life },
            "expiresInSeconds",
          ] as const,
      ),
      ["no accessToken", { accessToken: undefined }, "accessToken"],
      ["an empty accessToken", { accessToken: "" }, "accessToken"],
      ["an accessToken with CR LF", { accessToken: "canary-token\r\nx-evil: 1" }, "accessToken"],
      ["an accessToken of 16,385 characters", { accessToken: "a".repeat(16_385) }, "accessToken"],
    ];
    test.each(unusable)(
      "I09 NET-8 a token answer with %s is refused at login and at refresh",
      async (_name, changes, field) => {
        const before = bytes();
        api.serve({ "POST /auth/token": [http("200 OK", tokenAnswer(changes))] });
        const failure = await program.fail(["login", "api"], 5, "INVALID_RESPONSE");
        expect(failure.field).toBe(field);
        expect(JSON.stringify(failure)).not.toContain("canary-token");
        expect(bytes()).toBe(before);
        age(program.sessionFile, 400);
        api.serve({ [REFRESH]: [http("200 OK", tokenAnswer(changes))] });
        expect((await program.fail([...LIST, "--debug"], 5, "INVALID_RESPONSE")).field).toBe(field);
        expect(readSession(program.sessionFile).tokens.refresh).toBe(REFRESH_TOKEN);
      },
    );

    test("I21 a token that names another workspace is stored neither at login nor at refresh", async () => {
      const [before, names] = [
        bytes(),
        (workspace: string) => Buffer.from(JSON.stringify({ workspace })).toString("base64url"),
      ];
      const tokenFor = (workspace: string) =>
        http("200 OK", tokenAnswer({ accessToken: `e30.${names(workspace)}.c2ln` }));
      api.serve({ "POST /auth/token": [tokenFor("another")] });
      const { details } = await program.fail(["login", "api"], 3, "SESSION_MISMATCH");
      expect(details).toEqual({ asked: "minivault", issued: "another" });
      expect(bytes()).toBe(before);
      age(program.sessionFile, 400);
      const aged = bytes();
      api.serve({ "GET /accounts": [OK], [REFRESH]: [tokenFor("another"), tokenFor("minivault")] });
      await program.fail(LIST, 3, "SESSION_MISMATCH");
      expect([bytes(), api.count("GET /accounts")]).toEqual([aged, 0]);
      await program.succeed(LIST);
    });

    test("I10 a second login replaces the first", async () => {
      api.serve({ "POST /auth/token": [http("200 OK", tokenAnswer())] });
      await login();
      expect(readSession(program.sessionFile).tokens.access).toBe(`${ACCESS_TOKEN}-2`);
      expect(program.stateFiles).toEqual(["session.json"]);
    });

    test("I11 F03 SES-8 a login with a wrong secret leaves the session as it was", async () => {
      const before = bytes();
      api.serve({ "POST /auth/token": [refused("401 X")] });
      const { hint } = await program.fail(["login", "api"], 3, "UNAUTHORIZED");
      expect(hint).toContain("LEDGER_ENTERPRISE_API_KEY_ID, LEDGER_ENTERPRISE_API_KEY_SECRET");
      expect(bytes()).toBe(before);
      expect(api.requests).toHaveLength(1);
    });

    test("I12 logout without a session, twice", async () => {
      expect(await program.succeed(["logout"])).toEqual({ loggedOut: true, hadSession: true });
      expect(await program.succeed(["logout"])).toEqual({ loggedOut: true, hadSession: false });
    });

    test("I13 SES-8 logout offline, and whatever is configured", async () => {
      for (const env of [
        { LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:9" },
        { LEDGER_ENTERPRISE_API_URL: "no url" },
        { LEDGER_ENTERPRISE_WORKSPACE: "\u0001", HTTPS_PROXY: "no proxy" },
        { LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: "/nowhere" },
      ]) {
        await login();
        expect(await program.succeed(["logout"], { env })).toEqual({
          loggedOut: true,
          hadSession: true,
        });
        expect(existsSync(program.sessionFile)).toBe(false);
      }
    });

    const good = () => bytes();
    const damaged: readonly (readonly [string, () => string | Uint8Array])[] = [
      ["empty", () => ""],
      ["truncated", () => good().slice(0, 100)],
      ["no JSON", () => `canary-content-of-the-file ${SECRET}`],
      ["of wrong types", () => good().replace('"version":1', '"version":"1"')],
      ["of a newer version", () => good().replace('"version":1', '"version":2')],
      [
        "with a member more",
        () => good().replace('"version":1', '"version":1,"canary":"canary-content-of-the-file"'),
      ],
      [
        "with a token that breaks a header",
        () => good().replace(ACCESS_TOKEN, "canary-content-of-the-file\\r\\nx: 1"),
      ],
      ["not UTF-8", () => new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
      ["a list", () => "[]"],
      ["null", () => "null"],
      ["64 KiB and a byte", () => good().trimEnd().padEnd(65_537)],
      ["binary zeros, as after a power cut", () => new Uint8Array(512)],
    ];
    test.each(damaged)(
      "I14 SES-4 SEC-3 a session file that is %s: content not quoted, logout and login work",
      async (_name, content) => {
        const original = content();
        writeFileSync(program.sessionFile, original);
        for (const argv of [LIST, [...LIST, "--debug"]]) {
          const outcome = await program.run(argv);
          expect(JSON.parse(outcome.stdout).error).toMatchObject({
            code: "SESSION_CORRUPT",
            exitCode: 3,
          });
          expect(outcome.stdout + outcome.stderr).not.toContain("canary-content");
        }
        expect(api.requests).toEqual([]);
        expect(await program.succeed(["logout"])).toEqual({ loggedOut: true, hadSession: true });
        await login();
        writeFileSync(program.sessionFile, original);
        await login();
        await program.succeed(LIST);
      },
    );

    const rights: readonly (readonly [string, "file" | "directory", number, number])[] = [
      ["a file of mode 0644", "file", 0o644, 0],
      ["a file of mode 0640", "file", 0o640, 0],
      ["a file of mode 0602", "file", 0o602, 0],
      ["a directory that the group may read", "directory", 0o750, 0],
      ["a directory that all may write to", "directory", 0o777, 0],
    ];
    test.each(rights)(
      "I15 SES-3 %s is refused, with the command that helps",
      async (_name, what, mode) => {
        const path = what === "file" ? program.sessionFile : program.stateDirectory;
        chmodSync(path, mode);
        const { hint } = await program.fail(LIST, 3, "SESSION_INSECURE");
        expect(hint).toContain(`chmod ${what === "file" ? "600" : "700"} ${path}`);
        expect(api.requests).toEqual([]);
        chmodSync(path, what === "file" ? 0o600 : 0o700);
        await program.succeed(LIST);
      },
    );

    test.each(["file", "directory"])("I16 SES-3 a %s of another user is refused", async (what) => {
      const path = what === "file" ? program.sessionFile : program.stateDirectory;
      chownSync(path, 65_534, 65_534);
      const { hint } = await program.fail(LIST, 3, "SESSION_INSECURE");
      expect(hint).toContain(`chown ${process.getuid?.()} ${path}`);
      expect(api.requests).toEqual([]);
    });

    test("I17 NET-2 a session for another server or workspace: nothing is sent to either", async () => {
      for (const env of [
        { LEDGER_ENTERPRISE_API_URL: other.url },
        { LEDGER_ENTERPRISE_API_URL: `${api.url}/v1/rest` },
        { LEDGER_ENTERPRISE_API_URL: api.url.replace("127.0.0.1", "localhost") },
        { LEDGER_ENTERPRISE_WORKSPACE: "othervault" },
      ]) {
        for (const argv of CALLS.slice(0, 3))
          await program.fail(argv, 3, "SESSION_MISMATCH", { env });
      }
      age(program.sessionFile, 400);
      await program.fail(LIST, 3, "SESSION_MISMATCH", {
        env: { LEDGER_ENTERPRISE_API_URL: other.url },
      });
      expect([...api.requests, ...other.requests]).toEqual([]);
    });

    test("I18 a session of another kind says which login is needed", async () => {
      const create = ["requests", "create", "--requestData", '{"type":"X","data":{}}'];
      editSession(program.sessionFile, ({ tokens: _, ...session }) => ({
        ...session,
        apiVersion: "v1",
        kind: "reporting",
        keyFingerprint: "0".repeat(64),
      }));
      expect((await program.fail(create, 3, "WRONG_SESSION_KIND")).hint).toContain("login api");
      await login();
      editSession(program.sessionFile, (session) => ({ ...session, kind: "device" }));
      const approve = ["requests", "approve", "api", "--id", "1", "--sign"];
      expect((await program.fail(approve, 3, "WRONG_SESSION_KIND")).hint).toContain("login api");
      expect(api.requests.filter(({ path }) => path.startsWith("/requests"))).toEqual([]);
    });

    const hasNoFaketime = lacks("faketime");
    const timed = hasNoFaketime ? test.skip : test;
    timed.each(["+1h", "-1h", "+2y", "-2y"])(
      "I19 SES-7 a clock that is %s costs one refresh at most",
      async (offset) => {
        const { exit, stdout } = await program.shell(`faketime -f ${offset} "$@" accounts list`);
        expect({ exit, code: JSON.parse(stdout).error?.code }).toEqual({
          exit: 0,
          code: undefined,
        });
        expect(api.count(REFRESH)).toBe(1);
        api.serve({ "GET /accounts": [OK] });
        await program.shell(`faketime -f ${offset} "$@" accounts list`);
        expect(api.requests.map(({ path }) => path)).toEqual(["/accounts"]);
      },
    );

    timed("I19 a clock that was wrong all the time costs nothing", async () => {
      for (const offset of ["+1h", "-1h", "+2y", "-2y"]) {
        api.serve({ "GET /accounts": [OK] });
        const { exit } = await program.shell(
          `faketime -f ${offset} "$@" login api >/dev/null && faketime -f ${offset} "$@" accounts list`,
        );
        expect({ offset, exit, refreshes: api.count(REFRESH) }).toEqual({
          offset,
          exit: 0,
          refreshes: 0,
        });
      }
    });

    test("I20 a secret that was rotated counts when the refresh token is over", async () => {
      await program.succeed(LIST);
      age(program.sessionFile, 400);
      api.serve({ [REFRESH]: [refused("401 X")], "POST /auth/token": [refused("401 X")] });
      await program.fail(LIST, 3, "SESSION_EXPIRED");
      await program.fail(["login", "api"], 3, "UNAUTHORIZED");
    });

    test("I21 two environments by turns never use each other's token", async () => {
      const env = { LEDGER_ENTERPRISE_API_URL: other.url };
      other.serve({
        "POST /auth/token": [http("200 OK", tokenAnswer({ accessToken: "other-access-token" }))],
        "GET /accounts": [OK],
      });
      await program.succeed(LIST);
      await program.fail(LIST, 3, "SESSION_MISMATCH", { env });
      await program.succeed(["login", "api"], { env });
      await program.succeed(LIST, { env });
      await program.fail(LIST, 3, "SESSION_MISMATCH");
      const bearers = (server: RawApi) =>
        new Set(server.requests.flatMap(({ headers }) => headers.get("authorization") ?? []));
      expect(bearers(api)).toEqual(new Set([`Bearer ${ACCESS_TOKEN}`]));
      expect(bearers(other)).toEqual(new Set(["Bearer other-access-token"]));
    });

    test("I21 two state folders are two sessions", async () => {
      const second = {
        LEDGER_ENTERPRISE_API_URL: other.url,
        LEDGER_ENTERPRISE_STATE_DIR: `${program.home}/second`,
      };
      other.serve({ "GET /accounts": [OK] });
      await program.succeed(["login", "api"], { env: second });
      await Promise.all([program.succeed(LIST), program.succeed(LIST, { env: second })]);
      expect(statSync(`${program.home}/second`).mode & 0o777).toBe(0o700);
      await rm(`${program.home}/second`, { recursive: true });
    });

    test("I22 an operator who is disabled is forbidden everything, and keeps the session", async () => {
      const before = bytes();
      api.serve({ "GET /accounts": [refused("403 X")], "GET /users/me": [refused("403 X")] });
      await program.fail(LIST, 3, "FORBIDDEN");
      expect(await program.succeed(["whoami"])).toMatchObject({ user: null });
      expect(api.count(REFRESH)).toBe(0);
      expect(bytes()).toBe(before);
    });

    test("SES-1 the directory is where the variables say, private, and never relative", async () => {
      for (const [env, directory] of [
        [{ LEDGER_ENTERPRISE_STATE_DIR: `${program.home}/own/deep` }, "own/deep"],
        [{ XDG_STATE_HOME: `${program.home}/xdg` }, "xdg/ledger-enterprise-cli"],
      ] as const) {
        await program.succeed(["login", "api"], { env });
        const stats = statSync(`${program.home}/${directory}`);
        expect(stats.mode & 0o777).toBe(0o700);
        expect(statSync(`${program.home}/${directory}/session.json`).mode & 0o777).toBe(0o600);
      }
      for (const relative of ["state", "./state", "../state", "~/state"]) {
        await program.fail(["login", "api"], 2, "INVALID_PATH", {
          env: { LEDGER_ENTERPRISE_STATE_DIR: relative },
        });
      }
      expect(existsSync(`${program.home}/state`)).toBe(false);
    });

    test("SES-2 a file that others could read and a link in its place are replaced, the target untouched", async () => {
      chmodSync(program.sessionFile, 0o644);
      await login();
      expect(statSync(program.sessionFile).mode & 0o777).toBe(0o600);
      const target = `${program.home}/target`;
      await program.shell(
        `echo precious > '${target}'; ln -sf '${target}' '${program.sessionFile}'`,
      );
      await program.fail(LIST, 3, "SESSION_INSECURE");
      await login();
      expect(readFileSync(target, "utf8")).toBe("precious\n");
      await program.succeed(LIST);
    });

    test("SES-10 NET-7 a 401 leads to one refresh and one repetition, never to a login, also when it goes on", async () => {
      api.serve({ "GET /accounts": [refused("401 X")] });
      await program.fail(LIST, 3, "UNAUTHORIZED");
      const paths = ["/accounts", "/auth/token/refresh", "/accounts"];
      expect(api.requests.map(({ path }) => path)).toEqual(paths);
    });

    test("SEC-3 SEC-4 whatever fails, no text of the runtime reaches the user", async () => {
      mkdirSync(`${program.home}/empty`, { recursive: true });
      const failures = [
        await program.fail(LIST, 3, "SESSION_MISMATCH", {
          env: { LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:1" },
        }),
        await program.fail(["login", "api"], 1, "NETWORK_ERROR", {
          env: { LEDGER_ENTERPRISE_API_URL: "http://127.0.0.1:1" },
        }),
        await program.fail(["keys", "public"], 2, "INVALID_PRIVATE_KEY", {
          env: { LEDGER_ENTERPRISE_API_PRIVATE_KEY: "00" },
        }),
      ];
      // The system's name of a fault is a fact for machines, the same in every form.
      expect(failures[1]?.details).toEqual({ host: "127.0.0.1:1", reason: "ECONNREFUSED" });
      const shown = failures.map(({ details: _, ...rest }) => rest);
      expect(JSON.stringify(shown)).not.toMatch(
        /fetch failed|ECONNREFUSED|Unable to connect|TypeError|SyntaxError|undici/,
      );
    });
  });
}
