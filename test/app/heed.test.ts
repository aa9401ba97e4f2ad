/** OUT-6 OUT-8 Which commands hear signals while their output is held: those that do more. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { run } from "../../src/app/run.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { accessSettings } from "../../src/sandbox/settings.ts";
import { Collector, testContext } from "../support/forms.ts";
import { makeFolder, removeFolders } from "../support/io.ts";
import { PAYOUT } from "../support/payout.ts";

let sandbox: Sandbox;
let env: Record<string, string>;

beforeAll(async () => {
  sandbox = await startSandbox();
  env = { HOME: makeFolder(), ...accessSettings(sandbox.description) };
  expect(await heeds(["login", "api"])).toBe(false);
});
afterAll(async () => {
  await sandbox.close();
  removeFolders();
});

/** Runs a command; whether it was heeding before the first byte was written. */
async function heeds(argv: readonly string[]): Promise<boolean> {
  const [stdout, stderr] = [new Collector(), new Collector()];
  const stop = new AbortController();
  const world = testContext({ env, stdin: "", stdout, stderr });
  let isHeeding = false;
  let first: boolean | undefined;
  const context = Object.create(world, {
    interrupt: { value: stop.signal },
    stdout: {
      value: {
        heed() {
          isHeeding = true;
        },
        async write(text: string) {
          if (text === "") return;
          first ??= isHeeding;
          stop.abort();
        },
      },
    },
  });
  await run(argv, context);
  return first ?? isHeeding;
}

const requestData = JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT });

test.each([
  [false, ["accounts", "list"]],
  [false, ["accounts", "list", "--output", "csv"]],
  [false, ["nonsense"]],
  [false, ["requests", "create", "--nonsense"]],
  [false, ["--help"]],
  [true, ["accounts", "list", "--all"]],
  [true, ["accounts", "list", "--all", "--output", "csv"]],
  [true, ["audit", "export", "--as", "csv"]],
  [true, ["requests", "create", "--requestData", requestData]],
  [true, ["sandbox", "start"]],
  [true, ["mcp"]],
])("OUT-8 %p: %p", async (expected, argv) => {
  expect(await heeds(argv)).toBe(expected);
});
