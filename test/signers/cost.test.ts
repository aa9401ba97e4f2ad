/**
 * A command that uses no external program loads nothing of what starts one. Seen on the npm
 * package: Node tells a hook about every module.
 */
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { loadedBy } from "../support/loaded.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { openSandbox } from "../support/sandbox.ts";
import { trustedFolder } from "../support/trusted.ts";
import { orderFor } from "./signed.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a command loads: built-in modules by name, and chunks of ours by their text. */
async function loads(argv: readonly string[], env: Readonly<Record<string, string>>) {
  const { stdout, texts, builtIns } = await loadedBy(folder, argv, env);
  return {
    stdout,
    startsPrograms: builtIns.includes("node:child_process"),
    knowsSigners: texts.some((text) => text.includes("ledger-enterprise-signer")),
    knowsSecretCommands: texts.some((text) => text.includes("did not print one line of text")),
  };
}

const NOTHING = { startsPrograms: false, knowsSigners: false, knowsSecretCommands: false };
const CHALLENGE = "eyJhIjoxfQ";

test.each([
  ["accounts list", ["accounts", "list"]],
  ["requests sign with a key of this process", ["requests", "sign", "--challenge", CHALLENGE]],
  ["whoami", ["whoami"]],
  ["keys public", ["keys", "public"]],
])("%s loads nothing that starts a program", async (_name, argv) => {
  await using sandbox = await openSandbox();
  await loads(["login", "api"], sandbox.environment);
  const { stdout, ...loaded } = await loads(argv, sandbox.environment);
  expect([stdout.includes('"error"'), loaded]).toEqual([false, NOTHING]);
});

test("the hook sees what an external signer and a secret command load", async () => {
  await using sandbox = await openSandbox();
  const key = sandbox.environment.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "";
  const signer = {
    ...NOTHING_PUBLISHED,
    LEDGER_ENTERPRISE_API_PUBLIC_KEY: orderFor(key).publicKey,
    LEDGER_ENTERPRISE_SIGNER: "/absent",
  };
  const signing = await loads(["requests", "sign", "--challenge", CHALLENGE], signer);
  expect(signing).toMatchObject({ startsPrograms: true, knowsSigners: true });
  const { LEDGER_ENTERPRISE_API_KEY_SECRET: _secret, ...rest } = sandbox.environment;
  const command = { LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND: "/absent" };
  const login = await loads(["login", "api"], { ...rest, ...command });
  expect(login).toMatchObject({ knowsSigners: false, knowsSecretCommands: true });
});
