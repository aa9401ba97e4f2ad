/** Records whose end was lost, in the built program: what time, kills and both API versions do. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import type { Form } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { lacks } from "../support/programs.ts";
import { Program, settingsOf, twoForms } from "./program.ts";
import { age } from "./session-file.ts";

const root = await mkdtemp(join(tmpdir(), "reconcile-forms-"));
afterAll(() => rm(root, { recursive: true }));

const SECOND = 1000;
const LONG = 120_000;

/** The program with a session on a sandbox whose clock can be set. */
async function open(form: Form, version: "v1" | "v2" = "v2") {
  const time = { aheadMs: 0 };
  const sandbox = await startSandbox({ clock: () => Date.now() + time.aheadMs });
  const { baseUrls, operator } = sandbox.description;
  const program = await Program.at(form, {
    ...settingsOf(sandbox),
    LEDGER_ENTERPRISE_API_URL: baseUrls[version],
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: operator.privateKey,
  });
  const login = version === "v1" ? ["--apiVersion", "v1"] : [];
  await program.succeed(["login", "api", ...login]);
  sandbox.control.clearLog();
  const close = async () => {
    await program[Symbol.asyncDispose]();
    await sandbox.close();
  };
  /** Runs a command while it is `seconds` later here and there. */
  const later = async (seconds: number, ...argv: string[]) => {
    time.aheadMs = seconds * SECOND;
    const { exit, stdout } = await program.shell(
      `exec faketime -f +${seconds}s "$@" ${argv.join(" ")}`,
      { FAKETIME_DONT_FAKE_MONOTONIC: "1" },
    );
    return { exit, results: (JSON.parse(stdout) as { results: object[] }).results };
  };
  return { program, sandbox, later, [Symbol.asyncDispose]: close };
}

const CREATE = [
  ...["requests", "create", "--requestData"],
  JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT }),
];

/** The same payment as V1 spells it. */
function createOnV1(): string[] {
  const { amount, currency, recipient } = PAYOUT.transactionData;
  const common = { account_name: "ClientA COL TBTC 1", currency, amount, max_fees: "4018" };
  const data = {
    ...{ account_id: 25, transaction_type: "BITCOIN_LIKE_SEND" },
    fees_strategy: PAYOUT.feesStrategy,
    transaction_data: { ...common, recipient },
  };
  return [...CREATE.slice(0, 3), JSON.stringify({ type: "CREATE_TRANSACTION", data })];
}

function sentTo({ control }: Sandbox): number {
  return control.log.filter(({ method, path }) => method === "POST" && /\/requests/.test(path))
    .length;
}

/** Waits until the journal has a line with this text. */
async function journalHas({ stateDirectory }: Program, text: string): Promise<void> {
  const folder = join(stateDirectory, "journal");
  for (let waited = 0; waited < 60 * SECOND; waited += 20) {
    const files = existsSync(folder) ? readdirSync(folder) : [];
    const lines = files.filter((name) => name.endsWith(".jsonl"));
    if (lines.some((name) => readFileSync(join(folder, name), "utf8").includes(text))) return;
    await sleep(20);
  }
  throw new Error(`The journal never had ${text}.`);
}

describe.each(await twoForms())("$name", (form) => {
  test.skipIf(lacks("faketime"))(
    "B3 B7 of a create that was killed while it sent, absence is told only when nothing of it can be under way",
    async () => {
      await using here = await open(form);
      const { program, sandbox, later } = here;
      sandbox.control.addFault({
        match: { method: "POST", path: "/requests" },
        latencyMs: 600 * SECOND,
      });
      // The sandbox has the other payment from a month ago: that one could be this.
      const transactionData = { ...PAYOUT.transactionData, amount: "700000" };
      const data = { ...PAYOUT, transactionData };
      const pay = JSON.stringify({ type: "CREATE_TRANSACTION", data });
      const argv = [...CREATE.slice(0, 3), pay, "--timeout", "90"];
      const child = program.start(argv);
      await journalHas(program, '"event":"intent"');
      child.kill("SIGKILL");
      await child.exited;
      // The first look keeps the API's time, which the record does not have.
      for (const seconds of [100, 200])
        expect(await later(seconds, "requests", "reconcile")).toMatchObject({
          exit: 0,
          results: [{ verdict: "undetermined" }],
        });
      expect(await later(300, "requests", "reconcile")).toMatchObject({
        exit: 0,
        results: [{ verdict: "absent" }],
      });
    },
    LONG,
  );

  test.skipIf(lacks("faketime"))(
    "B7 a create that was held up past its time, as by a machine that slept, is not sent",
    async () => {
      await using here = await open(form);
      const { program, sandbox } = here;
      const file = join(root, `${form.name.replaceAll(" ", "-")}.time`);
      writeFileSync(file, "+0s\n");
      age(program.sessionFile, 400);
      sandbox.control.addFault({ match: { method: "POST", path: "/auth/*" }, latencyMs: 4000 });
      const env = { FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" };
      const running = program.shell(
        `exec faketime -f "$(cat ${file})" env -u FAKETIME FAKETIME_TIMESTAMP_FILE=${file} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 "$@" ${CREATE.slice(0, 3).join(" ")} '${CREATE[3]}' --timeout 100`,
        env,
      );
      await journalHas(program, '"event":"intent"');
      writeFileSync(file, "+120s\n");
      const { exit, stdout } = await running;
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
      expect({ exit, code: error.code }).toEqual({ exit: 1, code: "TIMEOUT" });
      expect(error.message).toContain("nothing was sent");
      expect(sentTo(sandbox)).toBe(0);
      expect(await program.succeed(["requests", "journal"])).toMatchObject({
        results: [{ state: "refused" }],
      });
    },
    LONG,
  );

  test.each(["v1", "v2"] as const)(
    "B7 %s: an approval whose answer was lost is found by the server's reviews",
    async (version) => {
      await using here = await open(form, version);
      const { program, sandbox } = here;
      const create = version === "v1" ? createOnV1() : CREATE;
      const { id } = (await program.succeed(create)) as { id: string | number };
      sandbox.control.addFault({
        match: { method: "POST", path: "/requests/*" },
        ...{ reset: true, execute: true },
      });
      const approve = ["requests", "approve", "api", "--id", String(id), "--sign"];
      const { details } = await program.fail(approve, 1, "OUTCOME_UNKNOWN");
      const { key } = details as { key: string };
      sandbox.control.clearLog();
      expect(await program.succeed(["requests", "reconcile", "--key", key])).toEqual({
        results: [{ key, verdict: "found", id: String(id) }],
      });
      expect(sentTo(sandbox)).toBe(0);
    },
    LONG,
  );

  test.skipIf(lacks("strace"))(
    "C7 a signature pays three syncs: two for its intent, one for its end",
    async () => {
      await using here = await open(form);
      const { program } = here;
      const { id } = (await program.succeed(CREATE)) as { id: string };
      const challenge = (await program.succeed(["requests", "getChallenge", "--id", id])) as {
        challenge: string;
      };
      const log = join(root, `${form.name.replaceAll(" ", "-")}.strace`);
      const { exit } = await program.shell(
        `exec strace -f -qq -o ${log} -y -e trace=fsync,fdatasync "$@" requests sign --challenge '${challenge.challenge}'`,
      );
      expect(exit).toBe(0);
      const synced = readFileSync(log, "utf8").match(/f(data)?sync\(\d+<[^>]*\.jsonl>/g) ?? [];
      const files = synced.map((call) => /(audit|journal)-[^/]*\.jsonl/.exec(call)?.[1]);
      expect(files).toEqual(["audit", "journal", "audit"]);
    },
    LONG,
  );
});
