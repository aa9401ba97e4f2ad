/** OUT-16 on the built program, with stderr on a real terminal. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashLine } from "../../src/core/state/chain.ts";
import { progressOf, runOnTerminal } from "../support/pty.ts";
import { closeAll, openLoggedIn, type Program, twoForms } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

const page = (id: number, next: number | null) =>
  http("200 OK", `{"results":[{"id":"${id}"},{"id":"${id}b"}],"next":${next},"total":6}`);
const PAGES = [page(1, 2), page(2, 3), page(3, null)];
const request = (state: string) => http("200 OK", `{"id":"7","state":"${state}"}`);

/** A log of this many lines, written into `path`. */
function writeLog(path: string, lines: number): void {
  const log = "a".repeat(32);
  const time = "2026-03-02T10:00:00.000Z";
  let prev = "0".repeat(64);
  const parts: string[] = [];
  for (let seq = 1; seq <= lines; seq += 1) {
    const event = seq === 1 ? "genesis" : "intent";
    const line = JSON.stringify({ v: 1, log, seq, time, prev, event, level: "none" });
    prev = hashLine(Buffer.from(line));
    parts.push(`${line}\n`);
  }
  writeFileSync(path, parts.join(""));
}

for (const form of await twoForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(program, api));

    /**
     * Runs a command with stderr on the terminal and stdout in a file, unless `script` says other.
     */
    async function run(argv: readonly string[], script = '"$@" > out') {
      const command = [...form.command, ...argv];
      const { exit, screen } = await runOnTerminal(script, command, program.home, program.env);
      await program.checkSecrets({ screen });
      return { exit, screen, out: () => readFileSync(join(program.home, "out"), "utf8") };
    }

    test.each(["json", "csv"])(
      "OUT-16 --all shows rows of the total, then nothing (%s)",
      async (output) => {
        api.serve({ "GET /accounts": PAGES });
        const { exit, screen, out } = await run(["accounts", "list", "--all", "--output", output]);
        expect([exit, progressOf(screen)[0]]).toEqual([0, "2 of 6 rows"]);
        expect(out()).toContain("3b");
      },
    );

    test("OUT-16 --limit counts to the limit", async () => {
      api.serve({ "GET /accounts": PAGES });
      const { screen } = await run(["accounts", "list", "--limit", "3"]);
      expect(progressOf(screen)[0]).toBe("2 of 3 rows");
    });

    test("OUT-16 a failure's line comes behind the erased progress", async () => {
      api.serve({ "GET /accounts": [page(1, 2), http("403 X", "{}")] });
      const { exit, screen } = await run(["accounts", "list", "--all"]);
      expect(exit).toBe(3);
      expect(screen).toMatch(/^<erase>2 of 6 rows<erase>FORBIDDEN: [^\n]+\n$/);
    });

    test("OUT-16 OUT-8 a signal leaves no progress behind", async () => {
      const pid = () => Number(readFileSync(join(program.home, "pid"), "utf8"));
      // Two pages are asked for together, and a second signal ends the program at once.
      let isSent = false;
      const stop = () => {
        if (!isSent) process.kill(pid(), "SIGTERM");
        isSent = true;
      };
      api.serve({ "GET /accounts": [page(1, 2), stop] });
      const { screen } = await run(["accounts", "list", "--all"], 'echo $$ > pid; exec "$@" > out');
      expect(progressOf(screen)).toEqual(["2 of 6 rows"]);
    });

    test("OUT-16 none with --debug, none where stdout is the terminal, none without a terminal", async () => {
      const list = ["accounts", "list", "--all"];
      api.serve({ "GET /accounts": PAGES });
      expect((await run([...list, "--debug"])).screen).not.toContain("<erase>");
      api.serve({ "GET /accounts": PAGES });
      expect((await run(list, '"$@"')).screen).not.toContain("<erase>");
      api.serve({ "GET /accounts": PAGES });
      const { screen } = await run(list, '"$@" > out 2> err');
      expect([screen, readFileSync(join(program.home, "err"), "utf8")]).toEqual(["", ""]);
    });

    test("OUT-16 requests wait shows the state, also where stdout is the terminal", async () => {
      const argv = ["requests", "wait", "--id", "7", "--interval", "0.2", "--timeout", "60"];
      for (const script of [undefined, '"$@"']) {
        api.serve({ "GET /requests/7": [request("PENDING_APPROVAL"), request("APPROVED")] });
        const { exit, screen } = await run(argv, script);
        expect(exit).toBe(0);
        expect(screen).toMatch(/^<erase>PENDING_APPROVAL, look 1, \d of 60 s/);
        const [, rest = ""] = /^.*<erase>(.*)$/s.exec(screen) ?? [];
        expect(rest.startsWith('{"reached":true')).toBe(script !== undefined);
      }
    });

    test("OUT-16 audit verify counts lines", async () => {
      writeLog(join(program.home, "log.jsonl"), 10_000);
      const { exit, screen, out } = await run(["audit", "verify", "--file", "log.jsonl"]);
      expect([exit, JSON.parse(out()).lines]).toEqual([0, 10_000]);
      expect(progressOf(screen)[0]).toBe("4,096 lines");
    });
  });
}
