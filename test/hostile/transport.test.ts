/**
 * Catalogue H (transport) and the NET rules, without TLS: every built form against sockets that
 * break, and against a second server.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hostname, userInfo } from "node:os";
import { builtForms, Program, SECRET } from "./program.ts";
import { ACCESS_TOKEN, http, type RawAnswer, RawApi } from "./raw-api.ts";

const LIST = ["accounts", "list"];
let made = 0;
/** A request of its own each time: an equal one would be refused as a duplicate. */
function create(): string[] {
  made += 1;
  const document = { type: "CREATE_TRANSACTION", data: { note: `${made}` } };
  return ["requests", "create", "--requestData", JSON.stringify(document)];
}
const OK = http("200 OK", '{"results":[]}');
const UNAUTHORIZED = http("401 Unauthorized", '{"code":"UNAUTHORIZED","message":"m"}');
const page = (number: number, next: number | null): string =>
  JSON.stringify({ page: number, next, total: 2, results: [{ id: `${number}` }] });

/** Answers and leaves the connection open, so that the next request may use it. */
function keptAlive(
  body: string,
  then?: (socket: Parameters<Extract<RawAnswer, (...args: never) => void>>[0]) => void,
) {
  const answer: RawAnswer = (socket) => {
    socket.write(http("200 OK", body, { connection: "keep-alive" }), () => then?.(socket));
  };
  return answer;
}

const reset: RawAnswer = (socket) => socket.resetAndDestroy();
const hangUp: RawAnswer = (socket) => socket.destroy();
const silence: RawAnswer = () => undefined;
const headOnly: RawAnswer = (socket) => {
  socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n");
};
const resetInBody: RawAnswer = (socket) => {
  socket.write(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2000\r\n\r\n{"results":[',
    () => socket.resetAndDestroy(),
  );
};

/** A head that is refused, and a body that never comes. */
const refusedHead: RawAnswer = (socket) => {
  socket.write(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: rot13\r\ncontent-length: 9\r\n\r\n",
  );
};

interface Row {
  readonly name: string;
  readonly answers: readonly RawAnswer[];
  readonly argv?: readonly string[];
  readonly exit: number;
  readonly code?: string;
  readonly calls: number;
  /** Also right, where a race of the two sides decides. */
  readonly orCalls?: number;
}

const FIRST_OF_TWO = page(1, 2);
const ALL = [...LIST, "--all"];
const IN_TWO_SECONDS = [...LIST, "--timeout", "2"];

const READS: readonly Row[] = [
  {
    name: "H04 nothing is sent",
    answers: [silence],
    argv: IN_TWO_SECONDS,
    exit: 1,
    code: "TIMEOUT",
    calls: 1,
  },
  {
    name: "H05 headers and no body",
    answers: [headOnly],
    argv: IN_TWO_SECONDS,
    exit: 1,
    code: "TIMEOUT",
    calls: 1,
  },
  {
    name: "H06 NET-5 reset, at most two more tries",
    answers: [reset],
    exit: 1,
    code: "CONNECTION_RESET",
    calls: 3,
  },
  { name: "H06 NET-5 reset twice, then an answer", answers: [reset, reset, OK], exit: 0, calls: 3 },
  {
    name: "H06 closed without a byte",
    answers: [hangUp],
    exit: 1,
    code: "CONNECTION_RESET",
    calls: 3,
  },
  {
    name: "H07 reset in the body",
    answers: [resetInBody],
    exit: 1,
    code: "CONNECTION_RESET",
    calls: 3,
  },
  {
    name: "H08 another protocol",
    answers: ["SSH-2.0-OpenSSH_9.2\r\n"],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
  {
    name: "H08 bytes",
    answers: [Buffer.alloc(4096, 0xfe)],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
  {
    name: "H19 a kept connection is closed by the server before the second request",
    answers: [keptAlive(FIRST_OF_TWO, (socket) => socket.end()), http("200 OK", page(2, null))],
    argv: ALL,
    exit: 0,
    // The second request may be on its way before the end of the connection has arrived.
    calls: 2,
    orCalls: 3,
  },
  {
    name: "H19 a kept connection is closed by the server at the second request",
    answers: [keptAlive(FIRST_OF_TWO), hangUp, http("200 OK", page(2, null))],
    argv: ALL,
    exit: 0,
    calls: 3,
  },
  {
    name: "H20 one header of 1 MiB",
    answers: [http("200 OK", "{}", { "x-long": "x".repeat(1_048_576) })],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
  {
    name: "H20 1 MiB of headers",
    answers: [
      http(
        "200 OK",
        "{}",
        Object.fromEntries(Array.from({ length: 1024 }, (_, n) => [`x-${n}`, "y".repeat(1010)])),
      ),
    ],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
  {
    name: "NET-3 an answer that is refused by its head is not waited for",
    answers: [refusedHead],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
  {
    name: "NET-5 Retry-After of 31 seconds is told and not waited for",
    answers: [http("503 X", "{}", { "retry-after": "31" })],
    exit: 5,
    code: "SERVER_ERROR",
    calls: 1,
  },
  {
    name: "NET-8 a page of a captive network",
    answers: [http("200 OK", "<html>", { "content-type": "text/html" })],
    exit: 5,
    code: "INVALID_RESPONSE",
    calls: 1,
  },
];

const WRITES: readonly Row[] = [
  { name: "accepted, then reset", answers: [reset], exit: 1, calls: 1 },
  { name: "accepted, then closed", answers: [hangUp], exit: 1, calls: 1 },
  { name: "reset in the answer", answers: [resetInBody], exit: 1, calls: 1 },
  {
    name: "no answer",
    answers: [silence],
    argv: [...create(), "--timeout", "2"],
    exit: 1,
    calls: 1,
  },
];

/** Headers that the runtimes add themselves; they say nothing about the machine. */
const OF_THE_RUNTIME = [
  "accept-encoding",
  "accept-language",
  "connection",
  "content-length",
  "host",
  "sec-fetch-mode",
];
const OURS = ["accept", "authorization", "content-type", "user-agent"];

for (const form of await builtForms()) {
  describe(form.name, () => {
    let [api, other]: RawApi[] = [];
    let program: Program;
    const servers = (): [RawApi, RawApi] => {
      if (api === undefined || other === undefined) throw new Error("The servers did not start.");
      return [api, other];
    };
    beforeAll(async () => {
      [api, other] = [await RawApi.start(), await RawApi.start()];
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      await program.succeed(["login", "api"]);
    });
    afterAll(async () => {
      for (const server of servers()) await server[Symbol.asyncDispose]();
      await program[Symbol.asyncDispose]();
    });

    test.each(READS.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
      const [server] = servers();
      server.serve({ "GET /accounts": row.answers });
      const argv = row.argv ?? LIST;
      if (row.code === undefined) await program.succeed(argv);
      else await program.fail(argv, row.exit, row.code);
      expect([row.calls, row.orCalls ?? row.calls]).toContain(server.count("GET /accounts"));
    });

    test.each(WRITES.map((row) => [row.name, row] as const))(
      "NET-6 a POST is never repeated: %s",
      async (_name, row) => {
        const [server] = servers();
        server.serve({ "POST /requests": row.answers });
        const failure = await program.fail(row.argv ?? create(), row.exit, "OUTCOME_UNKNOWN");
        expect(failure.retryable).toBe(false);
        expect(failure.hint).toContain("requests reconcile");
        expect(server.count("POST /requests")).toBe(row.calls);
      },
    );

    test("H02 connection refused", async () => {
      const closed = await RawApi.start();
      await closed[Symbol.asyncDispose]();
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: closed.url });
      const failure = await fresh.fail(["login", "api"], 1, "NETWORK_ERROR");
      expect(failure.details).toEqual({ host: new URL(closed.url).host, reason: "ECONNREFUSED" });
      expect(failure.hint).toContain("LEDGER_ENTERPRISE_API_URL");
    });

    test("H02 NET-6 a write that cannot have been sent does not have an unknown outcome", async () => {
      const gone = await RawApi.start();
      gone.serve({});
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: gone.url });
      await fresh.succeed(["login", "api"]);
      await gone[Symbol.asyncDispose]();
      const failure = await fresh.fail(create(), 1, "NETWORK_ERROR");
      expect(failure.retryable).toBe(true);
      expect(failure.message).toEndWith(" could not be reached; nothing was sent.");
      const { message } = await fresh.fail(LIST, 1, "NETWORK_ERROR");
      expect(message).toEndWith(" could not be reached.");
    });

    test("H21 the network goes away between two pages: what was read is told, and that it is not all", async () => {
      const going = await RawApi.start();
      const first: RawAnswer = (socket) => {
        socket.end(http("200 OK", FIRST_OF_TWO));
        void going[Symbol.asyncDispose]();
      };
      going.serve({ "GET /accounts": [first] });
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: going.url });
      await fresh.succeed(["login", "api"]);
      const { exit, stdout } = await fresh.run(ALL);
      const { results, complete, error } = JSON.parse(stdout);
      expect({ exit, results, complete }).toEqual({
        exit: 1,
        results: [{ id: "1" }],
        complete: false,
      });
      expect(error).toMatchObject({ code: "NETWORK_ERROR", exitCode: 1, retryable: true });
    });

    test.each(["301", "302", "303", "307", "308"])(
      "NET-1 %s: the second server sees nothing",
      async (status) => {
        const [server, second] = servers();
        const away = http(`${status} Moved`, "", { location: `${second.url}/auth/token` });
        second.serve({});
        server.serve({
          "GET /accounts": [away],
          "POST /requests": [away],
          "POST /auth/token": [away],
        });
        await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: server.url });
        const failure = await fresh.fail(["login", "api"], 1, "REDIRECT_BLOCKED");
        expect(failure.details).toEqual({ location: `${second.url}/auth/token` });
        await program.fail(LIST, 1, "REDIRECT_BLOCKED");
        const lost = await program.fail(create(), 1, "OUTCOME_UNKNOWN");
        expect(lost.details).toMatchObject(failure.details as object);
        expect(second.connections).toBe(0);
        expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
          "POST /auth/token",
          "GET /accounts",
          "POST /requests",
        ]);
      },
    );

    test("NET-2 a session goes to its own origin and workspace only", async () => {
      const [server, second] = servers();
      for (const each of [server, second]) each.serve({});
      const elsewhere: Record<string, string>[] = [
        { LEDGER_ENTERPRISE_API_URL: second.url },
        { LEDGER_ENTERPRISE_API_URL: `${server.url}/v1/rest` },
        { LEDGER_ENTERPRISE_WORKSPACE: "other" },
      ];
      for (const env of elsewhere) {
        await program.fail(LIST, 3, "SESSION_MISMATCH", { env });
        await program.fail(create(), 3, "SESSION_MISMATCH", { env });
      }
      expect([server.connections, second.connections]).toEqual([0, 0]);
    });

    test.each([
      ["GET", "GET /accounts", LIST],
      ["POST", "POST /requests", create()],
    ])(
      "NET-7 a server that always says 401 gets a %s twice and one refresh",
      async (_method, route, argv) => {
        const [server] = servers();
        server.serve({ [route]: [UNAUTHORIZED] });
        await program.fail(argv, 3, "UNAUTHORIZED");
        expect([server.count(route), server.count("POST /auth/token/refresh")]).toEqual([2, 1]);
      },
    );

    test("NET-6 NET-7 a POST that was refused with 401 is sent once more with a new token", async () => {
      const [server] = servers();
      server.serve({ "POST /requests": [UNAUTHORIZED, http("201 Created", '{"id":"7"}')] });
      await program.succeed(create());
      expect([server.count("POST /requests"), server.count("POST /auth/token/refresh")]).toEqual([
        2, 1,
      ]);
    });

    test.each([
      ["line break", "a\\r\\nx-injected: 1"],
      ["space", "a b"],
      ["nothing", ""],
      ["16,385 characters", "a".repeat(16_385)],
    ])("NET-8 a token with %s is refused and nothing stored", async (_name, accessToken) => {
      const [server] = servers();
      const tokens = `{"accessToken":"${accessToken}","expiresInSeconds":300,"refreshToken":"r","refreshExpiresInSeconds":9}`;
      server.serve({ "POST /auth/token": [http("200 OK", tokens)] });
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: server.url });
      const failure = await fresh.fail(["login", "api"], 5, "INVALID_RESPONSE");
      expect(failure.field).toBe("accessToken");
      await fresh.fail(["whoami"], 3, "NOT_LOGGED_IN");
    });

    test("NET-9 a path cannot leave the configured API, and values of the query stay values", async () => {
      const [server] = servers();
      server.serve({ "GET /accounts": [OK] });
      for (const path of [
        "/../x",
        "/accounts/%2e%2e/x",
        "//evil.test/x",
        "/a?b=c",
        "/a#b",
        "/a\\b",
      ]) {
        const { exit } = await program.run(["api", "--path", path]);
        expect({ path, exit }).toEqual({ path, exit: 2 });
      }
      expect(server.requests).toEqual([]);
      await program.succeed([...LIST, "--name", "a&status=x#?/../é"]);
      expect(server.requests.map(({ target }) => target)).toEqual([
        "/accounts?name=a%26status%3Dx%23%3F%2F..%2F%C3%A9",
      ]);
    });

    test("NET-11 what the headers of a request say", async () => {
      const [server] = servers();
      server.serve({
        "GET /accounts": [OK],
        "POST /requests": [http("201 Created", '{"id":"8"}')],
      });
      await program.succeed(LIST);
      await program.succeed(create());
      expect(server.requests.length).toBe(2);
      for (const { headers } of server.requests) {
        expect([...headers.keys()].filter((name) => !OF_THE_RUNTIME.includes(name)).sort()).toEqual(
          OURS,
        );
        expect(headers.get("accept")).toBe("application/json");
        expect(headers.get("user-agent")).toBe(`ledger-enterprise-cli/${form.version}`);
        expect(headers.get("authorization")).toStartWith(`Bearer ${ACCESS_TOKEN}`);
        const said = [...headers].map((header) => header.join(": ")).join("\n");
        for (const private_ of [
          hostname(),
          userInfo().username,
          program.home,
          process.arch,
          process.platform,
        ]) {
          expect(said).not.toContain(private_);
        }
      }
    });

    test("NET-11 the login's secret is in its body and nowhere else", async () => {
      const [server] = servers();
      server.serve({});
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: server.url });
      await fresh.succeed(["login", "api"]);
      const [login] = server.requests;
      expect(JSON.parse(login?.body ?? "")).toMatchObject({ apiKeySecret: SECRET });
      expect(`${login?.target} ${[...(login?.headers ?? [])].join(" ")}`).not.toContain(SECRET);
      expect(login?.headers.has("authorization")).toBe(false);
    });

    test("CFG-7 the runtime's own tracing shows no header and no body", async () => {
      const env = {
        BUN_CONFIG_VERBOSE_FETCH: "curl",
        NODE_DEBUG: "fetch,undici,http,https,net,tls,stream",
      };
      const [server] = servers();
      server.serve({ "GET /accounts": [OK] });
      await using fresh = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: server.url, ...env });
      for (const argv of [["login", "api"], LIST, [...LIST, "--debug"]]) {
        const { exit, stderr } = await fresh.run(argv);
        expect(exit).toBe(0);
        expect(stderr).not.toContain("canary");
      }
    });
  });
}
