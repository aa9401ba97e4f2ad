/** OUT-9 to OUT-15 on every form of the program: lists as NDJSON, CSV and tables. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { allForms } from "../support/forms.ts";
import { lacks } from "../support/programs.ts";
import { closeAll, lowestPeak, openLoggedIn, type Program } from "./program.ts";
import { http, type RawAnswer, type RawApi } from "./raw-api.ts";

const LIST = ["accounts", "list", "--fields", "id,name"];
const FORMS = ["ndjson", "csv", "table"] as const;

const HOSTILE = '=HYPERLINK("http://x","y")\n\u202e\u001b[2J,z';
const ROW = JSON.stringify({ id: "1", name: HOSTILE, balance: { total: "12345678901234567890" } });

const WRITTEN: Readonly<Record<(typeof FORMS)[number], string>> = {
  ndjson: `{"id":"1","name":"=HYPERLINK(\\"http://x\\",\\"y\\")\\n\\u202e\\u001b[2J,z"}\n`,
  csv: `id,name\r\n1,"'=HYPERLINK(""http://x"",""y"")<U+000A><U+202E><U+001B>[2J,z"\r\n`,
  table: `id  name\n 1  =HYPERLINK("http://x","y")<U+000A><U+202E><U+001B>[2J,z\n`,
};

const page = (results: readonly string[], next: number | null, total: number): RawAnswer =>
  http("200 OK", `{"results":[${results}],"next":${next},"total":${total}}`);

const ROWS_OF_A_PAGE = 1000;
/** Every page of a list of this many rows, made when it is asked for. */
function longList(rows: number): RawAnswer {
  return (socket, { target }) => {
    const number = Number(/[?&]page=(\d+)/.exec(target)?.[1] ?? 1);
    const first = (number - 1) * ROWS_OF_A_PAGE;
    const results = Array.from({ length: ROWS_OF_A_PAGE }, (_, at) =>
      JSON.stringify({ id: `${first + at}`, name: "n".repeat(2000), status: "ACTIVE" }),
    );
    const next = first + ROWS_OF_A_PAGE < rows ? number + 1 : null;
    socket.end(page(results, next, rows) as Uint8Array);
  };
}

for (const form of (await allForms()).filter(({ hostile }) => !hostile)) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(program, api));

    test.each(FORMS)(
      "OUT-2 OUT-4 OUT-11 OUT-12 %s: a hostile name stays a cell",
      async (output) => {
        api.serve({ "GET /accounts": [page([ROW], null, 1)] });
        const written = await program.run([...LIST, "--output", output]);
        expect(written).toEqual({ exit: 0, stdout: WRITTEN[output], stderr: "" });
      },
    );

    test("OUT-9 json is the usual document, also when it is asked for", async () => {
      api.serve({ "GET /accounts": [page([ROW], null, 1)] });
      const plain = await program.run(LIST);
      expect(await program.run([...LIST, "--output", "json"])).toEqual(plain);
      expect(await program.succeed([...LIST, "--output", "json", "--pretty"])).toEqual(
        JSON.parse(plain.stdout),
      );
    });

    test("OUT-10 columns are the list's own without --fields, and digits survive", async () => {
      api.serve({ "GET /accounts": [page([ROW], null, 1)] });
      const { stdout } = await program.run(["accounts", "list", "--output", "csv"]);
      const [head, record] = stdout.split("\r\n");
      expect(head).toBe("id,name,currency,contractAddress,status,balance.total,createdAt");
      expect(record?.endsWith(",,,12345678901234567890,")).toBe(true);
    });

    test.each(FORMS)(
      "OUT-13 %s: a failure before the first row is the document on stdout",
      async (output) => {
        api.serve({ "GET /accounts": [http("403 X", "{}")] });
        await program.fail([...LIST, "--all", "--output", output], 3, "FORBIDDEN");
        api.serve({ "GET /accounts": [page(["7"], null, 1)] });
        await program.fail(["accounts", "list", "--output", output], 5, "INVALID_RESPONSE");
        await program.fail([...LIST, "--pretty", "--output", output], 2, "INVALID_ARGUMENT");
        api.serve({ "GET /accounts": [page([ROW], null, 1)] });
        const unknown = ["accounts", "list", "--fields", "nothing", "--output", output];
        await program.fail(unknown, 2, "INVALID_ARGUMENT");
      },
    );

    test.each(FORMS)(
      "OUT-13 %s: a later failure is the document on stderr, behind whole rows",
      async (output) => {
        for (const second of [http("403 X", "{}"), page(["7"], null, 2)]) {
          api.serve({ "GET /accounts": [page([ROW], 2, 2), second] });
          const { exit, stdout, stderr } = await program.run([
            ...LIST,
            "--all",
            "--output",
            output,
          ]);
          expect(stdout).toBe(WRITTEN[output]);
          const { error } = JSON.parse(stderr);
          expect([exit, error.exitCode, error.code]).toEqual(
            error.code === "FORBIDDEN" ? [3, 3, "FORBIDDEN"] : [5, 5, "INVALID_RESPONSE"],
          );
        }
      },
    );

    test("OUT-14 a page, --limit and --all that leave rows out say so on stderr", async () => {
      const warning =
        "warning: INCOMPLETE: The list has more rows than were printed; --all prints every row.\n";
      api.serve({ "GET /accounts": [page([ROW, ROW], 2, 3)] });
      for (const more of [[], ["--limit", "1"]]) {
        const { exit, stderr } = await program.run([...LIST, ...more, "--output", "csv"]);
        expect({ more, exit, stderr }).toEqual({ more, exit: 0, stderr: warning });
      }
      api.serve({ "GET /accounts": [page([ROW], null, 5)] });
      const short = await program.run([...LIST, "--all", "--output", "csv"]);
      expect([short.exit, short.stderr]).toEqual([0, warning]);
      expect((await program.run([...LIST, "--limit", "1", "--output", "csv"])).stdout).toBe(
        WRITTEN.csv,
      );
    });

    if (form.command.length > 0) {
      test.skipIf(lacks("/usr/bin/time")).each(FORMS)(
        "OUT-15 %s: 100,000 rows need no more memory than 10,000",
        async (output) => {
          const peakOf = async (rows: number): Promise<number> => {
            api.serve({ "GET /accounts": [longList(rows)] });
            const argv = ["accounts", "list", "--all", "--output", output, "--timeout", "120"];
            const { exit, stdout, stderr, peakMiB } = await program.measure(argv);
            const head = output === "ndjson" ? 0 : 1;
            expect([exit, stderr, stdout.split("\n").length - 1 - head]).toEqual([0, "", rows]);
            return peakMiB;
          };
          const few = await peakOf(10_000);
          // All rows together are about 200 MiB; the rest is what a runtime leaves for later.
          const many = await lowestPeak(few + 100, () => peakOf(100_000));
          console.log(`${form.name} ${output}: ${Math.round(few)} → ${Math.round(many)} MiB`);
          expect(many - few).toBeLessThan(100);
        },
        240_000,
      );
    }
  });
}
