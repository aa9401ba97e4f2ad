/**
 * Catalogue F (HTTP statuses) and G (bodies): every built form of the program against an API that
 * answers with raw bytes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { builtForms, closeAll, type Failure, openLoggedIn, type Program } from "./program.ts";
import { http, type RawAnswer, type RawApi } from "./raw-api.ts";

const LIST = ["accounts", "list"];
let count = 0;
/** A request that no other row sends: a second like it would be a duplicate. */
function create(): string[] {
  count += 1;
  const data = `{"type":"CREATE_TRANSACTION","data":{"count":${count}}}`;
  return ["requests", "create", "--requestData", data];
}
const OK = http("200 OK", '{"results":[]}');
const LATER = http("429 Too Many Requests", '{"code":"TOO_MANY","message":"m"}', {
  "retry-after": "0",
});

interface Row {
  readonly name: string;
  readonly answers: readonly RawAnswer[];
  readonly argv?: readonly string[];
  /** Creates a request; without it, accounts are read. */
  readonly creates?: boolean;
  readonly exit: number;
  readonly code?: string;
  /** How often the call reaches the server. */
  readonly calls?: number;
  readonly check?: (failure: Failure) => void;
  /** The value there, token by token. */
  readonly stdout?: string;
}

/** Words of the runtimes and their libraries; none may reach the user (SEC-3, G21). */
const OF_THE_RUNTIME =
  /zlib|incorrect header|terminated|fetch failed|undici|TypeError|SyntaxError|ERR_|\bnode:/i;

const inHttpDate = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();
const html = { "content-type": "text/html" };
const gzip = { "content-encoding": "gzip" };

const STATUSES: readonly Row[] = [
  {
    name: "F01 400 with a message",
    answers: [http("400 Bad Request", '{"code":400,"message":"no\\u001b[2J"}')],
    exit: 2,
    code: "BAD_REQUEST",
    check: (failure) => expect(failure.api).toEqual({ code: 400, message: "no\u001b[2J" }),
  },
  {
    name: "F02 400 with a validation list",
    answers: [
      http(
        "400 Bad Request",
        '{"code":"BAD_REQUEST","message":"x","issues":[{"message":"a","n":12345678901234567890}]}',
      ),
    ],
    exit: 2,
    code: "BAD_REQUEST",
    stdout: '"issues":[{"message":"a","n":12345678901234567890}]',
  },
  {
    name: "F06 403 is not retried and refreshes nothing",
    answers: [http("403 Forbidden", "{}")],
    exit: 3,
    code: "FORBIDDEN",
    calls: 1,
  },
  { name: "F07 404", answers: [http("404 Not Found", "{}")], exit: 4, code: "NOT_FOUND", calls: 1 },
  {
    name: "F08 404 with HTML hints at the base URL",
    answers: [http("404 Not Found", "<html>", html)],
    exit: 4,
    code: "NOT_FOUND",
    check: (failure) => expect(failure.hint).toContain("base URL"),
  },
  ...["405 X", "406 X", "415 X"].map((status) => ({
    name: `F09 ${status}`,
    answers: [http(status, "{}")],
    exit: 2,
    code: "BAD_REQUEST",
  })),
  {
    name: "F10 408 on GET is tried again",
    answers: [http("408 X", "{}")],
    exit: 1,
    code: "TIMEOUT",
    calls: 3,
  },
  { name: "F11 409", answers: [http("409 Conflict", "{}")], exit: 1, code: "CONFLICT", calls: 1 },
  { name: "F12 410", answers: [http("410 Gone", "{}")], exit: 4, code: "NOT_FOUND" },
  {
    name: "F13 413",
    answers: [http("413 X", '{"code":"PAYLOAD_TOO_LARGE","message":"m"}')],
    creates: true,
    exit: 2,
    code: "PAYLOAD_TOO_LARGE",
    calls: 1,
  },
  ...["418 X", "451 X", "499 X", "402 X"].map((status) => ({
    name: `F14 ${status}`,
    answers: [http(status, "{}")],
    exit: 1,
    code: "HTTP_ERROR",
  })),
  {
    name: "F15 420 with Retry-After on GET",
    answers: [http("420 X", "{}", { "retry-after": "1" }), OK],
    exit: 0,
    calls: 2,
  },
  {
    name: "F16 420 with X-RateLimit-Reset only",
    answers: [http("420 X", "{}", { "x-ratelimit-reset": "17" })],
    exit: 1,
    code: "RATE_LIMITED",
    calls: 1,
    check: (failure) => expect(failure.retryAfterSeconds).toBe(17),
  },
  {
    name: "F16 a reset in the past is never negative",
    answers: [http("420 X", "{}", { "x-ratelimit-reset": "1700000000" })],
    exit: 1,
    code: "RATE_LIMITED",
    check: (failure) => expect(failure.retryAfterSeconds).toBe(0),
  },
  {
    name: "F17 429 with a date in the past is now",
    answers: [http("429 X", "{}", { "retry-after": inHttpDate(-60) }), OK],
    exit: 0,
    calls: 2,
  },
  {
    name: "F17 429 with a date far ahead",
    answers: [http("429 X", "{}", { "retry-after": inHttpDate(5000) })],
    exit: 1,
    code: "RATE_LIMITED",
    calls: 1,
    check: (failure) => expect(Number(failure.retryAfterSeconds)).toBeGreaterThan(3600),
  },
  ...["86400", "-1", "abc"].map((value) => ({
    name: `F18 429 with Retry-After ${value} does not wait`,
    answers: [http("429 X", "{}", { "retry-after": value })],
    exit: 1,
    code: "RATE_LIMITED",
    calls: 1,
  })),
  {
    name: "F19 429 on POST is not repeated",
    answers: [LATER],
    creates: true,
    exit: 1,
    code: "RATE_LIMITED",
    calls: 1,
  },
  { name: "F20 422", answers: [http("422 X", "{}")], exit: 2, code: "BAD_REQUEST" },
  {
    name: "F21 500 with JSON on GET",
    answers: [http("500 X", "{}")],
    exit: 5,
    code: "SERVER_ERROR",
    calls: 1,
  },
  {
    name: "F21 500 with JSON on POST",
    answers: [http("500 X", '{"code":"INTERNAL_SERVER_ERROR","message":"m"}')],
    creates: true,
    exit: 1,
    code: "OUTCOME_UNKNOWN",
    calls: 1,
  },
  {
    name: "F22 500 with 5 MB of HTML",
    answers: [http("500 X", `<html>${"x".repeat(5_000_000)}`, html)],
    exit: 5,
    code: "SERVER_ERROR",
    check: (failure) => expect(failure.api).toBeUndefined(),
  },
  ...["502 X", "503 X", "504 X"].flatMap((status) => [
    {
      name: `F23 ${status} on GET, then 200`,
      answers: [http(status, "{}"), OK],
      exit: 0,
      calls: 2,
    },
    {
      name: `F23 ${status} on GET, at most two more tries`,
      answers: [http(status, "{}")],
      exit: 5,
      code: "SERVER_ERROR",
      calls: 3,
    },
    {
      name: `F24 ${status} on POST is not repeated`,
      answers: [http(status, "{}")],
      creates: true,
      exit: 1,
      code: "OUTCOME_UNKNOWN",
      calls: 1,
      check: (failure: Failure) => {
        expect(failure.retryable).toBe(false);
        expect(failure.details).toMatchObject({ httpStatus: Number(status.slice(0, 3)) });
      },
    },
  ]),
  { name: "F25 501", answers: [http("501 X", "{}")], exit: 5, code: "SERVER_ERROR", calls: 1 },
  ...["301 X", "302 X", "303 X", "307 X", "308 X"].map((status) => ({
    name: `F27 ${status} on GET is not followed`,
    answers: [http(status, "", { location: "/elsewhere\u202e".replace("\u202e", "%E2%80%AE") })],
    exit: 1,
    code: "REDIRECT_BLOCKED",
    calls: 1,
    check: (failure: Failure) =>
      expect(failure.details).toEqual({ location: "/elsewhere%E2%80%AE" }),
  })),
  { name: "F28 304", answers: [http("304 X", "")], exit: 5, code: "INVALID_RESPONSE" },
  {
    name: "F29 200 with an error member is relayed",
    answers: [http("200 OK", '{"error":{"code":"X"}}')],
    exit: 0,
  },
  ...["201 X", "202 X"].map((status) => ({
    name: `F30 ${status}`,
    answers: [http(status, `{"id":"${status.slice(0, 3)}"}`)],
    creates: true,
    exit: 0,
    calls: 1,
  })),
  {
    name: "F31 204",
    answers: [http("204 X", "", { "content-type": "", "content-length": "" })],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  { name: "F32 206", answers: [http("206 X", "{}")], exit: 5, code: "INVALID_RESPONSE" },
  {
    name: "F33 407 without a proxy is the server's own",
    answers: [http("407 X", "{}")],
    exit: 1,
    code: "HTTP_ERROR",
  },
  {
    name: "F34 several Retry-After headers",
    answers: [
      "HTTP/1.1 429 X\r\nretry-after: abc\r\nretry-after: 77\r\nretry-after: 5\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
    ],
    exit: 1,
    code: "RATE_LIMITED",
    check: (failure) => expect(failure.retryAfterSeconds).toBe(77),
  },
  ...["599 X", "600 X", "000 X", "99 X"].map((status) => ({
    name: `F26 ${status}`,
    answers: [http(status, "{}")],
    exit: 5,
    code: status === "599 X" ? "SERVER_ERROR" : "INVALID_RESPONSE",
  })),
];

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

const BODIES: readonly Row[] = [
  {
    name: "G01 200 with an empty body",
    answers: [http("200 OK", "")],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G02 200 with HTML",
    answers: [http("200 OK", "<html>login</html>", html)],
    exit: 5,
    code: "INVALID_RESPONSE",
    check: (failure) => {
      expect(JSON.stringify(failure)).not.toContain("login</html>");
      expect(failure.hint).toMatch(/proxy.*base URL/s);
    },
  },
  {
    name: "G03 JSON as text/plain",
    answers: [http("200 OK", "{}", { "content-type": "text/plain" })],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G03 JSON without a content type",
    answers: [http("200 OK", "{}", { "content-type": "" })],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  ...[
    "application/json; charset=utf-8",
    "APPLICATION/JSON;Charset=UTF-8",
    "application/problem+json",
  ].map((type) => ({
    name: `G04 content type ${type}`,
    answers: [http("200 OK", '{"results":[]}', { "content-type": type })],
    exit: 0,
  })),
  {
    name: "G05 charset iso-8859-1",
    answers: [http("200 OK", "{}", { "content-type": "application/json; charset=iso-8859-1" })],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G05 invalid UTF-8",
    answers: [http("200 OK", Buffer.from([0x22, 0xff, 0x22]))],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  { name: "G06 byte order mark", answers: [http("200 OK", '\ufeff{"results":[]}')], exit: 0 },
  {
    name: "G07 JSON cut in the middle",
    answers: [http("200 OK", '{"results":[')],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G08 closed before Content-Length bytes",
    answers: [http("200 OK", '{"results"', { "content-length": "500" })],
    exit: 1,
    code: "CONNECTION_RESET",
    calls: 3,
  },
  {
    name: "G09 chunked without the last chunk",
    answers: [
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
    exit: 1,
    code: "CONNECTION_RESET",
  },
  {
    name: "G10 two Content-Length headers that differ",
    answers: [
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{}",
    ],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G11 trailing garbage",
    answers: [http("200 OK", "{}x")],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G12 duplicate keys",
    answers: [http("200 OK", '{"results":[],"results":[]}')],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  ...["[]", "null", "7"].map((body) => ({
    name: `G13 ${body} for a list that is walked`,
    argv: [...LIST, "--all"],
    answers: [http("200 OK", body)],
    exit: 5,
    code: "INVALID_RESPONSE",
  })),
  {
    name: "G14 unknown fields",
    answers: [http("200 OK", '{"results":[],"new":{"a":1}}')],
    exit: 0,
  },
  { name: "G20 gzip", answers: [http("200 OK", gzipSync('{"results":[]}'), gzip)], exit: 0 },
  {
    name: "G20 br",
    answers: [http("200 OK", brotliCompressSync('{"results":[]}'), { "content-encoding": "br" })],
    exit: 0,
  },
  {
    name: "G20 zstd",
    answers: [http("200 OK", zstdCompressSync('{"results":[]}'), { "content-encoding": "zstd" })],
    exit: 0,
  },
  {
    name: "G21 gzip that is none",
    answers: [http("200 OK", '{"results":[]}', gzip)],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G22 unknown encoding",
    answers: [http("200 OK", "{}", { "content-encoding": "rot13" })],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  {
    name: "G23 depth 5,000",
    answers: [http("200 OK", deep(5000))],
    exit: 5,
    code: "INVALID_RESPONSE",
  },
  ...["[1,2]", '"text"', "", `{"m":"${"x".repeat(1_000_000)}"}`].map((body) => ({
    name: `G25 error body of ${body.length} characters beginning ${body.slice(0, 4)}`,
    answers: [http("400 X", body)],
    exit: 2,
    code: "BAD_REQUEST",
  })),
];

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    test.each([...STATUSES, ...BODIES].map((row) => [row.name, row] as const))(
      "%s",
      async (_name, row) => {
        const argv = row.creates ? create() : (row.argv ?? LIST);
        const route = row.creates ? "POST /requests" : "GET /accounts";
        api.serve({ [route]: row.answers });
        if (row.code === undefined) {
          await program.succeed(argv);
        } else {
          const failure = await program.fail(argv, row.exit, row.code);
          row.check?.(failure);
          expect(JSON.stringify(failure)).not.toMatch(OF_THE_RUNTIME);
        }
        if (row.stdout !== undefined)
          expect((await program.run(argv)).stdout).toContain(row.stdout);
        if (row.calls !== undefined) expect(api.count(route)).toBe(row.calls);
        else expect(api.count(route)).toBeGreaterThan(0);
      },
    );
  });
}
