/**
 * P1: signals, also to the first process of a container, which the system does not end by a signal
 * that the program does not handle. Needs root, for a namespace of processes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { lacks } from "../support/programs.ts";
import { builtForms, closeAll, openLoggedIn, type Program, type Running } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const SIGNALS = Object.keys(STATUS) as (keyof typeof STATUS)[];
/** A request of its own for each test: an equal one would be refused as a duplicate. */
const create = (note: string): string[] => {
  const document = { type: "CREATE_TRANSACTION", data: { note } };
  return ["requests", "create", "--requestData", JSON.stringify(document)];
};

/** The program as process 1; `unshare` waits for it and ends with its status. */
function startFirst(program: Program, argv: readonly string[]): Running {
  const first = ["/usr/bin/unshare", "--pid", "--fork"];
  return Bun.spawn([...first, ...program.form.command, ...argv], {
    cwd: program.home,
    env: program.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

function childOf({ pid }: Running): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
}

const hasNoNamespaces = lacks("unshare");

for (const form of await builtForms()) {
  describe.skipIf(hasNoNamespaces)(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    /** Answers nothing; resolves when `route` was asked. */
    function silent(route: string): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      api.serve({ [route]: [() => resolve()] });
      return promise;
    }

    test.each(SIGNALS)("P1 %s ends a read as process 1", async (signal) => {
      const asked = silent("GET /accounts");
      const argv = ["accounts", "list"];
      const child = startFirst(program, argv);
      await asked;
      process.kill(childOf(child), signal);
      const { exit, stdout, stderr } = await program.finish(argv, child);
      expect({ exit, stdout, stderr }).toEqual({ exit: STATUS[signal], stdout: "", stderr: "" });
    });

    test.each(SIGNALS)("P1 OUT-8 %s during a write says what is unknown", async (signal) => {
      const asked = silent("POST /requests");
      const argv = create(signal);
      const child = startFirst(program, argv);
      await asked;
      process.kill(childOf(child), signal);
      const { exit, stdout, stderr } = await program.finish(argv, child);
      expect({ exit, stdout }).toEqual({ exit: STATUS[signal], stdout: "" });
      expect(stderr).toMatch(/^OUTCOME_UNKNOWN: .* 'requests reconcile --key [0-9A-Z]{26}'/m);
    });

    test.each(SIGNALS)("P1 %s ends 'sandbox start' as process 1", async (signal) => {
      const argv = ["sandbox", "start"];
      const child = startFirst(program, argv);
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      expect(new TextDecoder().decode(value)).toContain("baseUrls");
      process.kill(childOf(child), signal);
      expect(await child.exited).toBe(STATUS[signal]);
    });

    test("P1 SIGHUP ends an ordinary process by that signal, and leaves no lock", async () => {
      const asked = silent("GET /accounts");
      const argv = ["accounts", "list"];
      const child = program.start(argv);
      await asked;
      child.kill("SIGHUP");
      const { signal, stdout, stderr } = await program.finish(argv, child);
      expect({ signal, stdout, stderr }).toEqual({ signal: "SIGHUP", stdout: "", stderr: "" });
      expect(program.stateFiles.filter((name) => name.endsWith(".lock"))).toEqual([]);
      api.serve({ "GET /accounts": [http("200 OK", '{"results":[]}')] });
      await program.succeed(argv);
    });
  });
}
