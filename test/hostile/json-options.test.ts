/**
 * Catalogue C: JSON from the caller. What arrives at the server is compared byte for byte;
 * what is refused never leaves.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import lossless from "../vectors/lossless_json.json";
import { builtForms, closeAll, type Failure, openLoggedIn, type Program } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

/** An answer to a create; each has an id of its own, as the API's do. */
const created = () => http("200 OK", `{"id":"${crypto.randomUUID()}","state":"PENDING_APPROVAL"}`);

/** A document of `data` as `requests create` takes it. */
const request = (data: string): string => `{"type":"CREATE_TRANSACTION","data":${data}}`;
const nested = (levels: number): string => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;

const nestedArrays = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

/** Position and reason, with at most forty characters of what was found. */
function expectPosition({ details }: Failure): void {
  const { position, path, reason } = details as {
    position?: number;
    path?: string;
    reason?: string;
  };
  expect(typeof position === "number" || typeof path === "string").toBe(true);
  if (reason !== undefined)
    expect((/found: (.*)$/s.exec(reason)?.[1] ?? "").length).toBeLessThan(60);
}

const REFUSED: readonly (readonly [
  name: string,
  text: string,
  code: string,
  check?: (failure: Failure) => void,
])[] = [
  ["C03 an array", "[]", "INVALID_JSON"],
  ["C03 a string", '"x"', "INVALID_JSON"],
  ["C03 a number", "1", "INVALID_JSON"],
  ["C03 null", "null", "INVALID_JSON"],
  ["C03 true", "true", "INVALID_JSON"],
  ["C04 no type", "{}", "INVALID_REQUEST_DATA"],
  ["C04 an empty type", '{"type":"","data":{}}', "INVALID_REQUEST_DATA"],
  ["C04 a type that is not text", '{"type":7,"data":{}}', "INVALID_REQUEST_DATA"],
  [
    "C05 duplicate key at the top",
    '{"type":"A","type":"B","data":{}}',
    "JSON_DUPLICATE_KEY",
    (failure) => expect(failure.details).toMatchObject({ path: "/type" }),
  ],
  [
    "C05 duplicate key in another spelling",
    '{"type":"A","\\u0074ype":"B","data":{}}',
    "JSON_DUPLICATE_KEY",
  ],
  [
    "C06 duplicate key inside an array of objects",
    request('{"to":[{"a":1},{"amount":"1","amount":"2"}]}'),
    "JSON_DUPLICATE_KEY",
    (failure) => expect(failure.details).toMatchObject({ path: "/data/to/1/amount" }),
  ],
  [
    "C13 depth 10,000",
    request(nested(10_000)),
    "INVALID_JSON",
    (failure) => expect(JSON.stringify(failure)).toContain("512"),
  ],
  ["C15 a lone surrogate", request('{"a":"\\ud800"}'), "INVALID_JSON"],
  ["C20 a byte order mark", `\ufeff${request("{}")}`, "INVALID_JSON"],
  ["C21 a second document", `${request("{}")}{}`, "INVALID_JSON"],
  [
    "C22 quotes that the shell left in",
    `'${request("{}")}'`,
    "INVALID_JSON",
    (failure) => expect(failure.hint).toContain("quote"),
  ],
  ...lossless.cases
    .filter(({ expect: wanted }) => wanted === "error")
    .map(
      ({ id, description, input }) =>
        [`C02 ${id} ${description}`, input ?? nestedArrays(100_000), "", expectPosition] as const,
    ),
];

const FORWARDED: readonly (readonly [name: string, data: string])[] = [
  ["C07 an integer above 2^53", '{"amount":12345678901234567890}'],
  ["C08 0.10", '{"amount":0.10}'],
  ["C09 leading zeros in a string", '{"amount":"000123"}'],
  ["C10 negative, zero, fraction", '{"a":-1,"b":0,"c":0.5}'],
  ["C11 keys of Object.prototype", '{"__proto__":{"x":1},"constructor":2,"toString":"3"}'],
  ["C12 depth 65", nested(65)],
  ["C12 depth 200", nested(200)],
  ["C16 non-BMP and combining characters", '{"n":"\u{1f600} e\u0301 \u00e9"}'],
  ["C17 a right-to-left override", '{"label":"a\u202eb"}'],
  ["C23 a string of 100,000 characters", `{"n":"${"x".repeat(100_000)}"}`],
  ["C24 a number of 10,000 digits", `{"n":${"9".repeat(10_000)}}`],
  ["C07 key order, also of keys like integers", '{"b":1,"10":2,"9":3,"a":4}'],
];

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    test("C01 an empty string", async () => {
      api.serve({});
      const failure = await program.fail(
        ["requests", "create", "--requestData="],
        2,
        "INVALID_ARGUMENT",
      );
      expect({ field: failure.field, sent: api.requests }).toEqual({
        field: "--requestData",
        sent: [],
      });
    });

    test.each(REFUSED.map((row) => [row[0], row] as const))(
      "%s",
      async (_name, [, text, code, check]) => {
        api.serve({});
        const { exit, stdout } = await program.run(["requests", "create", "--requestData", "-"], {
          stdin: text,
        });
        const { error } = JSON.parse(stdout) as { error: Failure };
        expect(exit).toBe(2);
        if (code === "") expect(["INVALID_JSON", "JSON_DUPLICATE_KEY"]).toContain(error.code);
        else expect(error.code).toBe(code);
        check?.(error);
        expect(api.requests).toEqual([]);
        expect(stdout.length).toBeLessThan(1500);
      },
    );

    test.each(FORWARDED.map((row) => [row[0], row[1]] as const))("%s", async (_name, data) => {
      await writeFile(join(program.home, "data.json"), request(data));
      // The second is the same request once more, which has to be said.
      const again: string[] = [];
      for (const source of ["-", `@${join(program.home, "data.json")}`]) {
        api.serve({ "POST /requests": [created()] });
        const argv = ["requests", "create", "--requestData", source, ...again];
        const answer = await program.succeed(argv, { stdin: request(data) });
        expect(api.requests.map(({ body }) => body)).toEqual([`{"request":${request(data)}}`]);
        again.push("--again", (answer as { key: string }).key);
      }
    });

    test("C17 what is forwarded raw is escaped where it is shown", async () => {
      const { stdout } = await program.run([
        "requests",
        "create",
        "--dryRun",
        "--requestData",
        request('{"label":"a\u202eb"}'),
      ]);
      expect(stdout).toContain("a\\u202eb");
    });

    test("C14 a document above 1 MiB", async () => {
      const big = request(`{"n":"${"x".repeat(1024 * 1024)}"}`);
      api.serve({});
      await program.fail(["requests", "create", "--requestData", "-"], 2, "PAYLOAD_TOO_LARGE", {
        stdin: big,
      });
      expect(api.requests).toEqual([]);
    });

    test("C18 a path without @ is not a file", async () => {
      await program.fail(
        ["requests", "create", "--requestData", "/etc/hostname"],
        2,
        "INVALID_JSON",
      );
    });

    test("C18 @file that is not there, is a directory, is a device", async () => {
      await program.fail(
        ["requests", "create", "--requestData", "@/nowhere/x.json"],
        2,
        "INVALID_PATH",
      );
      await program.fail(["requests", "create", "--requestData", "@/tmp"], 2, "INVALID_PATH");
      await program.fail(["requests", "create", "--requestData", "@/dev/zero"], 2, "INVALID_PATH");
    });

    test("C19 empty standard input", async () => {
      await program.fail(["requests", "create", "--requestData", "-"], 2, "INVALID_JSON", {
        stdin: "",
      });
    });

    test("C19 standard input closed, and /dev/null", () => {
      for (const redirect of ["<&-", "</dev/null"]) {
        const script = `exec "$@" requests create --requestData - ${redirect}`;
        const { exitCode, stdout } = Bun.spawnSync(
          ["/bin/sh", "-c", script, "sh", ...form.command],
          {
            env: program.env,
            timeout: 20_000,
          },
        );
        expect([redirect, exitCode]).toEqual([redirect, 2]);
        expect(["INVALID_JSON", "IO_ERROR"]).toContain(JSON.parse(stdout.toString()).error.code);
      }
    });

    test("C19 standard input that is a terminal is refused", () => {
      const inner = [...form.command, "requests", "create", "--requestData", "-"].join(" ");
      const { exitCode, stdout } = Bun.spawnSync(
        ["script", "-qec", `${inner} | cat; exit \${PIPESTATUS[0]}`, "/dev/null"],
        {
          env: { ...program.env, SHELL: "/bin/bash" },
          timeout: 20_000,
        },
      );
      expect(exitCode).toBe(2);
      expect(stdout.toString()).toContain('"code":"INVALID_JSON"');
    });

    test("C19 a pipe that stays silent ends with the command's time", async () => {
      const argv = ["requests", "create", "--requestData", "-", "--timeout", "1"];
      const child = Bun.spawn([...form.command, ...argv], {
        env: program.env,
        stdio: ["pipe", "pipe", "pipe"],
      });
      // Only a hang meets it: the pipe stays open until the program has ended.
      const hang = setTimeout(() => child.kill("SIGKILL"), 25_000);
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      await child.exited;
      clearTimeout(hang);
      child.stdin.end();
      await program.check(argv, { exit: child.exitCode, stdout, stderr });
      expect({ exit: child.exitCode, code: JSON.parse(stdout).error.code }).toEqual({
        exit: 1,
        code: "TIMEOUT",
      });
    });
  });
}
