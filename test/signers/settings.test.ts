/** What the settings of a signer must be before anything is asked for or started; and API V1. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, openWorld, type World } from "../agent/world.ts";
import { PAYOUT } from "../support/payout.ts";
import { trustedFolder } from "../support/trusted.ts";
import { orderFor } from "./signed.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [MARKS, KEY] = [join(folder, "starts"), join(folder, "key.pem")];
beforeEach(() => rmSync(MARKS, { force: true }));
const starts = (): number =>
  existsSync(MARKS) ? readFileSync(MARKS, "utf8").trim().split("\n").length : 0;

/** A program that signs with the key in `key.pem`, and prints a secret when it gets no request. */
const SIGNER = join(folder, "signer");
writeFileSync(
  SIGNER,
  `#!/bin/sh
echo start >>'${MARKS}'
request=$(cat); [ -n "$request" ] || { echo sandbox-reporting-secret-not-real; exit; }
rest=\${request#*'"message":"'}
printf '{"version":1,"format":"der","signature":"%s"}' \\
  "$(printf '%s' "\${rest%%\\"*}" | openssl dgst -sha256 -sign '${KEY}' | base64 | tr -d '\\n')"
`,
  { mode: 0o755 },
);

/** A world whose key is with the program above; `privateKey` is its hexadecimal PEM. */
async function openSigning(): Promise<{ readonly world: World; readonly privateKey: string }> {
  const world = await openWorld();
  const privateKey = world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "";
  writeFileSync(KEY, Buffer.from(privateKey, "hex"));
  delete world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY;
  world.env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = orderFor(privateKey).publicKey;
  world.env.LEDGER_ENTERPRISE_SIGNER = SIGNER;
  return { world, privateKey };
}

const SIGN = "requests sign --challenge eyJhIjoxfQ==";
const other = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey;
const otherPem = String(other.export({ format: "pem", type: "spki" }));

test.each<[string, (env: Record<string, string>, key: string) => void, string]>([
  [
    "a private key beside it",
    (env, key) => {
      env.LEDGER_ENTERPRISE_API_PRIVATE_KEY = key;
    },
    "CONFIG_CONFLICT",
  ],
  [
    "the file of a private key beside it",
    (env) => {
      env.LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE = "/absent";
    },
    "CONFIG_CONFLICT",
  ],
  [
    "no public key",
    (env) => {
      delete env.LEDGER_ENTERPRISE_API_PUBLIC_KEY;
    },
    "MISSING_CREDENTIALS",
  ],
  [
    "a public key off the curve",
    (env) => {
      env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = `04${"1".repeat(128)}`;
    },
    "UNSUPPORTED_KEY",
  ],
  [
    "a public key that is not one",
    (env) => {
      env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = "04abc";
    },
    "INVALID_ARGUMENT",
  ],
  [
    "a relative path",
    (env) => {
      env.LEDGER_ENTERPRISE_SIGNER = "signer";
    },
    "INVALID_ARGUMENT",
  ],
])("a signer with %s is refused before anything starts", async (_name, spoil, code) => {
  const { world, privateKey } = await openSigning();
  await using _ = world;
  spoil(world.env, privateKey);
  for (const line of [SIGN, `${SIGN} --dryRun`, "keys public"]) {
    const { exit, document } = await world.run(line);
    expect([line, exit, at(document, "error.code")]).toEqual([line, 2, code]);
  }
  expect(starts()).toBe(0);
});

test("KEY_MISMATCH: the public key is not the registered one, and nothing starts", async () => {
  const { world } = await openSigning();
  await using _ = world;
  await world.run("login api");
  world.env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = otherPem;
  const { document } = await world.run(SIGN);
  expect([at(document, "error.code"), starts()]).toEqual(["KEY_MISMATCH", 0]);
});

test("a public key beside a private key must belong to it", async () => {
  const { world, privateKey } = await openSigning();
  await using _ = world;
  delete world.env.LEDGER_ENTERPRISE_SIGNER;
  world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY = privateKey;
  expect((await world.run(SIGN)).exit).toBe(0);
  world.env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = otherPem;
  const { document } = await world.run(SIGN);
  expect(at(document, "error.code")).toBe("CONFIG_CONFLICT");
});

test("a public key alone is shown, and does not sign", async () => {
  const { world, privateKey } = await openSigning();
  await using _ = world;
  delete world.env.LEDGER_ENTERPRISE_SIGNER;
  const shown = await world.run("keys public");
  expect(at(shown.document, "publicKey")).toBe(orderFor(privateKey).publicKey);
  const { document } = await world.run(SIGN);
  expect(at(document, "error.code")).toBe("MISSING_CREDENTIALS");
});

test("without a signer keys public --signer and doctor --signer name the variable", async () => {
  const { world } = await openSigning();
  await using _ = world;
  delete world.env.LEDGER_ENTERPRISE_SIGNER;
  const { exit, document } = await world.run("keys public --signer");
  expect([exit, at(document, "error.field")]).toEqual([2, "LEDGER_ENTERPRISE_SIGNER"]);
  expect((await world.run("doctor --offline --signer")).exit).toBe(1);
});

test("API V1: a request is approved and another rejected, each with one start", async () => {
  const { world } = await openSigning();
  await using _ = world;
  world.env.LEDGER_ENTERPRISE_API_URL = `${world.env.ORIGIN}/vault`;
  expect((await world.run("login api --apiVersion v1")).exit).toBe(0);
  const { accountName: _name, maxFees, ...rest } = PAYOUT.transactionData;
  const payout = {
    account_id: 25,
    fees_strategy: { type: "SPEED", data: { speed: "NORMAL" } },
    transaction_type: PAYOUT.transactionType,
    transaction_data: { account_name: "ClientA COL TBTC 1", max_fees: maxFees, ...rest },
  };
  const file = join(world.cwd, "payout.json");
  for (const [verb, amount] of [
    ["approve api --sign", "2500000"],
    ["reject api", "1500000"],
  ] as const) {
    rmSync(MARKS, { force: true });
    const data = { ...payout, transaction_data: { ...payout.transaction_data, amount } };
    writeFileSync(file, JSON.stringify({ type: "CREATE_TRANSACTION", data }));
    const created = await world.run("requests create --requestData @payout.json");
    expect([verb, created.exit === 0 ? "" : created.stdout]).toEqual([verb, ""]);
    const id = String(at(created.document, "id"));
    const { exit, stdout } = await world.run(`requests ${verb} --id ${id}`);
    expect([verb, exit === 0 ? "" : stdout, starts()]).toEqual([verb, "", 1]);
  }
});

test("login reporting and its reads take the reporting key from a program", async () => {
  const { world } = await openSigning();
  await using _ = world;
  world.env.LEDGER_ENTERPRISE_API_URL = `${world.env.ORIGIN}/vault`;
  world.env.LEDGER_ENTERPRISE_REPORTING_API_KEY_COMMAND = SIGNER;
  expect((await world.run("login reporting --apiVersion v1")).exit).toBe(0);
  expect(starts()).toBe(1);
  // Several pages, one start.
  expect((await world.run("accounts list --all --pageSize 10 --fields name")).exit).toBe(0);
  expect(starts()).toBe(2);
});
