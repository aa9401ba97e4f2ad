/**
 * Catalogue A (command line) and D (ids, pages, cursors): every built form, nothing sent on a
 * refusal.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import ids from "../vectors/ids.json";
import pages from "../vectors/page_numbers.json";
import { builtForms, closeAll, type Failure, openLoggedIn, type Program } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

interface Row {
  readonly name: string;
  readonly argv: readonly string[];
  readonly exit: number;
  readonly code: string;
  readonly check?: (failure: Failure) => void;
}

const GET = ["accounts", "get"];
const SIGN = ["requests", "sign", "--challenge", "e30"];

const REFUSED: readonly Row[] = [
  {
    name: "A02 unknown command names the nearest",
    argv: ["acounts", "list"],
    exit: 2,
    code: "UNKNOWN_COMMAND",
    check: (failure) => expect(failure.hint).toContain("'accounts'"),
  },
  {
    name: "A03 unknown sub-command lists the sub-commands",
    argv: ["accounts", "remove"],
    exit: 2,
    code: "UNKNOWN_COMMAND",
    check: (failure) =>
      expect(failure.details).toMatchObject({ commands: ["list", "get", "getBalance"] }),
  },
  {
    name: "A04 unknown option in the wrong case",
    argv: ["accounts", "list", "--pagesize", "5"],
    exit: 2,
    code: "UNKNOWN_OPTION",
    check: (failure) => expect(failure.hint).toContain("--pageSize"),
  },
  {
    name: "A05 option without a value at the end",
    argv: ["accounts", "list", "--page"],
    exit: 2,
    code: "MISSING_OPTION_VALUE",
  },
  {
    name: "A06 an option where a value belongs",
    argv: [...GET, "--id", "--pretty"],
    exit: 2,
    code: "MISSING_OPTION_VALUE",
  },
  {
    name: "A07 required option missing",
    argv: GET,
    exit: 2,
    code: "MISSING_OPTION",
    check: (failure) => expect(failure.message).toContain("--id"),
  },
  {
    name: "A08 option given twice",
    argv: [...GET, "--id", "1", "--id", "2"],
    exit: 2,
    code: "DUPLICATE_OPTION",
  },
  { name: "A10 empty value", argv: [...GET, "--id="], exit: 2, code: "INVALID_ARGUMENT" },
  {
    name: "A11 surplus positional",
    argv: ["accounts", "list", "foo"],
    exit: 2,
    code: "UNEXPECTED_ARGUMENT",
  },
  {
    name: "A12 a flag with a value",
    argv: ["accounts", "list", "--pretty=false"],
    exit: 2,
    code: "INVALID_ARGUMENT",
  },
  {
    name: "A12 a flag with a word behind it",
    argv: ["accounts", "list", "--pretty", "no"],
    exit: 2,
    code: "UNEXPECTED_ARGUMENT",
  },
  {
    name: "A16 -- and something like an option",
    argv: ["accounts", "list", "--", "--all"],
    exit: 2,
    code: "UNEXPECTED_ARGUMENT",
  },
  // The longest single argument that Linux passes on.
  {
    name: "A18 a very long argument",
    argv: [...GET, "--id", "a".repeat(131_000)],
    exit: 2,
    code: "INVALID_ARGUMENT",
  },
  ...["--apiKeySecret", "--privateKey", "--api-key-secret"].map((option) => ({
    name: `A19 ${option}`,
    argv: ["login", "api", option, "hunter2-hunter2"],
    exit: 2,
    code: "UNKNOWN_OPTION",
    check: (failure: Failure) => {
      expect(JSON.stringify(failure)).not.toContain("hunter2");
      expect(failure.hint).toContain("environment");
    },
  })),
  {
    name: "A22 a JSON option in the wrong place",
    argv: [...SIGN, "--requestData", "{}"],
    exit: 2,
    code: "UNKNOWN_OPTION",
  },
  ...["\u2013\u2013id", "\uff0d\uff0did", "\u2014id", "\u2212id"].map((argument) => ({
    name: `A23 a dash that is none: U+${argument.codePointAt(0)?.toString(16)}`,
    argv: [...GET, argument, "1"],
    exit: 2,
    code: "UNEXPECTED_ARGUMENT",
    check: (failure: Failure) => expect(failure.message).toContain("dash"),
  })),
  ...["constructor", "__proto__", "toString", "hasOwnProperty"].flatMap((word) => [
    { name: `A24 command ${word}`, argv: [word], exit: 2, code: "UNKNOWN_COMMAND" },
    { name: `A24 sub-command ${word}`, argv: ["accounts", word], exit: 2, code: "UNKNOWN_COMMAND" },
    {
      name: `A24 option ${word}`,
      argv: ["accounts", "list", `--${word}`, "1"],
      exit: 2,
      code: "UNKNOWN_OPTION",
    },
  ]),
  { name: "A03 a group without a command", argv: ["accounts"], exit: 2, code: "MISSING_COMMAND" },
  ...["", " ", "a b", "a\nb", "\u00e9", "x".repeat(10_240)].map((cursor) => ({
    name: `D07 cursor ${JSON.stringify(cursor.slice(0, 8))}`,
    argv: ["transactions", "list", "--accountId", "1", `--cursor=${cursor}`],
    exit: 2,
    code: "INVALID_ARGUMENT",
  })),
  {
    name: "D06 pageSize 31",
    argv: ["accounts", "list", "--pageSize", "31"],
    exit: 2,
    code: "INVALID_ARGUMENT",
    check: (failure) => expect(failure.message).toContain("from 1 to 30"),
  },
  ...ids.cases
    .filter(({ expect: wanted, value }) => wanted === "reject" && !value.includes("\u0000"))
    .map(({ value }) => ({
      name: `D01 id ${JSON.stringify(value.slice(0, 20))}`,
      argv: [...GET, `--id=${value}`],
      exit: 2,
      code: "INVALID_ARGUMENT",
    })),
  ...pages.cases
    .filter(({ expect: wanted }) => wanted === "reject")
    .flatMap(({ value }) =>
      ["page", "pageSize"].map((option) => ({
        name: `D04 --${option} ${JSON.stringify(value)}`,
        argv: ["accounts", "list", `--${option}=${value}`],
        exit: 2,
        code: "INVALID_ARGUMENT",
      })),
    ),
];

const page = (results: string, next = "null"): string =>
  `{"page":1,"next":${next},"prev":null,"pageSize":30,"total":0,"results":${results}}`;
const account = (id: string): Uint8Array =>
  http(
    "200 OK",
    `{"id":"${id}","name":"n${id}","currency":"bitcoin","balance":{"total":"${id}0","pending":"0"}}`,
  );

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    test.each(REFUSED.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
      api.serve({});
      const failure = await program.fail(row.argv, row.exit, row.code);
      row.check?.(failure);
      expect(api.requests).toEqual([]);
      expect(JSON.stringify(failure).length).toBeLessThan(4096);
    });

    test("A01 no arguments: help on stdout, no network", async () => {
      api.serve({});
      const { exit, stdout } = await form.run({
        argv: [],
        env: program.env,
        stdin: undefined,
        cwd: program.home,
      });
      expect(exit).toBe(0);
      expect(stdout).toContain("USAGE ledger-enterprise-cli");
      expect(stdout).not.toContain("\u001b");
      expect(api.requests).toEqual([]);
    });

    test("A09 repeated ids give a result each, in input order", async () => {
      api.serve({ "GET /accounts/1": [account("1")], "GET /accounts/2": [account("2")] });
      const { results } = (await program.succeed([
        "accounts",
        "getBalance",
        "--id",
        "1",
        "--id",
        "2",
        "--id",
        "1",
      ])) as {
        results: { id: string }[];
      };
      expect(results.map(({ id }) => id)).toEqual(["1", "2", "1"]);
    });

    test("A13 help wins over invalid options, without network", async () => {
      api.serve({});
      const argv = ["accounts", "list", "--nonsense", "--page=x", "--help"];
      const { exit, stdout } = await program.run(argv);
      expect([exit, stdout.includes("--pageSize")]).toEqual([0, true]);
      expect(api.requests).toEqual([]);
    });

    test("A14 --version without configuration or home", async () => {
      const { exit, stdout, stderr } = await form.run({
        argv: ["--version"],
        env: {},
        stdin: undefined,
        cwd: "/",
      });
      expect({ exit, stdout, stderr }).toEqual({
        exit: 0,
        stdout: `${form.version}\n`,
        stderr: "",
      });
    });

    test("A15 global options before and after the command", async () => {
      api.serve({ "GET /accounts": [http("200 OK", page("[]"))] });
      const before = await program.run(["--pretty", "accounts", "list"]);
      const between = await program.run(["accounts", "--pretty", "list"]);
      const after = await program.run(["accounts", "list", "--pretty"]);
      expect([before.exit, between.stdout, after.stdout]).toEqual([
        0,
        before.stdout,
        before.stdout,
      ]);
      expect(before.stdout).toContain('\n  "page": 1');
    });

    test("A17 bytes that are not UTF-8", async () => {
      const script = `exec ${form.command.map((part) => `'${part}'`).join(" ")} accounts get --id "$(printf 'a\\377b')"`;
      const { status, stdout } = spawnSync("/bin/sh", ["-c", script], { env: program.env });
      expect(status).toBe(2);
      expect(JSON.parse(stdout.toString()).error.code).toBe("INVALID_ARGUMENT");
    });

    test("A20 --timestamps --debug --pretty together: one document, logs on stderr", async () => {
      api.serve({ "GET /accounts": [http("200 OK", page("[]"))] });
      const { exit, stdout, stderr } = await program.run([
        "accounts",
        "list",
        "--timestamps",
        "--debug",
        "--pretty",
      ]);
      expect([exit, JSON.parse(stdout).page]).toEqual([0, 1]);
      expect(stderr).toMatch(/\d{4}-\d\d-\d\dT.*GET http/);
    });

    test("A21 --pretty on an error: the same document, indented", async () => {
      const compact = await program.run(["acounts"]);
      const pretty = await program.run(["acounts", "--pretty"]);
      expect(JSON.parse(pretty.stdout)).toEqual(JSON.parse(compact.stdout));
      expect(pretty.stdout).toContain("\n  ");
      expect(pretty.exit).toBe(compact.exit);
    });

    test("D01 accepted ids reach the path unchanged", async () => {
      for (const { value } of ids.cases.filter(({ expect: wanted }) => wanted === "accept")) {
        api.serve({ [`GET /accounts/${value}`]: [account("1")] });
        await program.succeed(["accounts", "get", "--id", value]);
      }
    });

    test("D02 D03 an unknown id is what the API says", async () => {
      api.serve({
        "GET /accounts/7": [http("404 X", "{}")],
        "GET /accounts/8": [http("403 X", "{}")],
      });
      const unknown = await program.fail(["accounts", "get", "--id", "7"], 4, "NOT_FOUND");
      expect(unknown.details).toEqual({ kind: "account", id: "7", list: "accounts list" });
      await program.fail(["accounts", "get", "--id", "8"], 3, "FORBIDDEN");
    });

    test("D04 accepted page numbers are sent", async () => {
      for (const { value } of pages.cases.filter(({ expect: wanted }) => wanted === "accept")) {
        api.serve({ "GET /accounts": [http("200 OK", page("[]"))] });
        await program.succeed(["accounts", "list", "--page", value]);
      }
    });

    test("D05 a page after the last is an empty list", async () => {
      api.serve({ "GET /accounts": [http("200 OK", page("[]"))] });
      expect(await program.succeed(["accounts", "list", "--page", "999"])).toMatchObject({
        results: [],
      });
    });

    test("D08 a cursor is one encoded query value", async () => {
      const targets: string[] = [];
      api.serve({
        "GET /accounts/1/transactions": [
          (socket, request) =>
            socket.end(http("200 OK", '{"next":null,"results":[]}')) &&
            targets.push(request.target),
        ],
      });
      await program.succeed(["transactions", "list", "--accountId", "1", "--cursor=a&b=c#d%00"]);
      expect(targets).toEqual(["/accounts/1/transactions?cursor=a%26b%3Dc%23d%2500"]);
    });

    test("D09 a foreign cursor is the API's to refuse", async () => {
      api.serve({
        "GET /accounts/1/transactions": [
          http("400 X", '{"code":"BAD_REQUEST","message":"cursor"}'),
        ],
      });
      await program.fail(
        ["transactions", "list", "--accountId", "1", "--cursor=abc"],
        2,
        "BAD_REQUEST",
      );
    });

    test("D10 a list that changes between pages is not silently mended", async () => {
      api.serve({
        "GET /accounts": [
          http("200 OK", page('[{"id":"1"},{"id":"2"}]', "2")),
          http("200 OK", page('[{"id":"2"},{"id":"3"}]')),
        ],
      });
      const { results } = (await program.succeed(["accounts", "list", "--all"])) as {
        results: { id: string }[];
      };
      expect(results.map(({ id }) => id)).toEqual(["1", "2", "2", "3"]);
    });

    test("D11 a name instead of an id: the hint leads to the list", async () => {
      const spaced = await program.fail(
        ["transactions", "list", "--accountId", "My account"],
        2,
        "INVALID_ARGUMENT",
      );
      expect(spaced.hint).toContain("an id, not a name");
      api.serve({ "GET /accounts/Treasury/transactions": [http("404 X", "{}")] });
      const plain = await program.fail(
        ["transactions", "list", "--accountId", "Treasury"],
        4,
        "NOT_FOUND",
      );
      expect(spaced.hint).toContain("list command");
      expect(plain.hint).toContain("'accounts list'");
      expect(plain.details).toEqual({ kind: "account", id: "Treasury", list: "accounts list" });
    });

    test("D12 D13 of 200 ids the first that fails in input order is named", async () => {
      const names = Array.from({ length: 200 }, (_, at) => String(at + 1));
      const good = Object.fromEntries(names.map((id) => [`GET /accounts/${id}`, [account(id)]]));
      const argv = ["accounts", "getBalance", ...names.flatMap((id) => ["--id", id])];
      api.serve({
        ...good,
        "GET /accounts/57": [http("404 X", "{}")],
        "GET /accounts/60": [http("500 X", "{}")],
      });
      expect((await program.fail(argv, 4, "NOT_FOUND")).details).toEqual({ id: "57" });
      api.serve({ ...good, "GET /accounts/57": [http("500 X", "{}")] });
      expect((await program.fail(argv, 5, "SERVER_ERROR")).details).toEqual({ id: "57" });
    });
  });
}
