/**
 * The shipped helpers with real key stores, from the request to its approval, in every form of the
 * program. The sandbox is the counterpart: it accepts only signatures of the registered key.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { at, openWorld, type World } from "../agent/world.ts";
import { allForms, type Form, SOURCE } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { lacks } from "../support/programs.ts";
import { trustedFolder } from "../support/trusted.ts";
import { orderFor } from "./signed.ts";
import {
  type KmsDouble,
  openKms,
  openToken,
  openTpm,
  SOFTHSM_MODULE,
  type Store,
} from "./stores.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const forms = await allForms();

const HELPERS = readdirSync(join(ROOT, "helpers"));
for (const name of HELPERS) {
  copyFileSync(join(ROOT, "helpers", name), join(folder, name));
  Bun.spawnSync(["chmod", "755", join(folder, name)]);
}

const STORES = [
  {
    name: "PKCS#11",
    helper: "signer-pkcs11",
    isMissing: lacks("softhsm2-util", "pkcs11-tool", "flock", "busybox"),
    open: openToken,
  },
  {
    name: "TPM 2.0",
    helper: "signer-tpm2",
    isMissing: lacks("swtpm", "swtpm_setup", "tpm2_sign"),
    open: openTpm,
  },
  {
    name: "AWS KMS",
    helper: "signer-aws-kms",
    isMissing: lacks("aws", "openssl"),
    open: openKms,
  },
] as const;

let count = 0;

/** A world whose key is in the store, and nowhere in the environment. */
async function openWorldWith(
  store: (typeof STORES)[number],
  form: Form,
  shell: readonly string[] = [],
): Promise<{ readonly world: World; readonly held: Store } & AsyncDisposable> {
  const world = await openWorld(form);
  const privateKey = world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "";
  const key = createPrivateKey(Buffer.from(privateKey, "hex").toString("latin1"));
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  count += 1;
  const place = join(folder, `${count}`);
  mkdirSync(place);
  const held = await store.open(place, key, spki);
  delete world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY;
  Object.assign(world.env, held.env, {
    LEDGER_ENTERPRISE_API_PUBLIC_KEY: orderFor(privateKey).publicKey,
    LEDGER_ENTERPRISE_SIGNER: JSON.stringify({
      command: [...shell, join(folder, store.helper), ...held.args],
      env: Object.keys(held.env),
    }),
  });
  return {
    world,
    held,
    async [Symbol.asyncDispose]() {
      await held[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** Logs in and creates a payment; returns its id. */
async function createPayment({ cwd, run }: World): Promise<string> {
  writeFileSync(
    join(cwd, "payout.json"),
    JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT }),
  );
  expect((await run("login api")).exit).toBe(0);
  return String(at((await run("requests create --requestData @payout.json")).document, "id"));
}

for (const store of STORES) {
  describe.skipIf(store.isMissing)(store.name, () => {
    test.each(forms)(
      "a request is approved with a key that never leaves the store: $name",
      async (form) => {
        await using opened = await openWorldWith(store, form);
        const { world } = opened;
        const id = await createPayment(world);
        await world.control("forget", "");
        const { exit, stdout } = await world.run(`requests approve api --id ${id} --sign`);
        expect(`${exit} ${stdout}`).toStartWith("0 ");
        await world.control(
          "decisive",
          `GET /requests/${id}/challenge; GET /requests/${id}; GET /accounts/${PAYOUT.accountId}; POST /requests/${id}/approve`,
        );
      },
    );

    test.each(["dash", "busybox sh"])("the helper runs under %s", async (words) => {
      const [name = "", ...rest] = words.split(" ");
      await using opened = await openWorldWith(store, SOURCE, [Bun.which(name) ?? name, ...rest]);
      const { env, run } = opened.world;
      const { document } = await run("keys public --signer");
      expect(at(document, "publicKey")).toBe(env.LEDGER_ENTERPRISE_API_PUBLIC_KEY);
      // A challenge of 100 KB: more than a pipe holds.
      const challenge = Buffer.from(`{"a":"${"x".repeat(100_000)}"}`).toString("base64url");
      writeFileSync(join(opened.world.cwd, "challenge"), challenge);
      const signed = await run("requests sign --challenge @challenge");
      expect([signed.exit, at(signed.document, "error")]).toEqual([0, undefined]);
    });

    test.each(forms)(
      "keys public --signer and doctor --signer ask the store: $name",
      async (form) => {
        await using opened = await openWorldWith(store, form);
        const { env, run } = opened.world;
        const key = env.LEDGER_ENTERPRISE_API_PUBLIC_KEY;
        expect(at((await run("keys public")).document, "publicKey")).toBe(key);
        expect(at((await run("keys public --signer")).document, "publicKey")).toBe(key);
        const report = await run("doctor --offline --signer");
        const findings = (at(report.document, "findings") ??
          at(report.document, "error.details.findings")) as {
          check: string;
          status: string;
        }[];
        expect(findings.filter(({ check }) => check === "signer" || check === "key")).toMatchObject(
          [
            { check: "key", status: "ok" },
            { check: "signer", status: "ok" },
          ],
        );
        delete env.LEDGER_ENTERPRISE_API_PUBLIC_KEY;
        expect(at((await run("keys public --signer")).document, "publicKey")).toBe(key);
        env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = orderFor(anotherKey()).publicKey;
        const other = await run("keys public --signer");
        expect([other.exit, at(other.document, "error.code")]).toEqual([2, "KEY_MISMATCH"]);
      },
    );
  });
}

function anotherKey(): string {
  const made = Bun.spawnSync(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"]);
  return Buffer.from(made.stdout).toString("hex");
}

const [PKCS11, TPM, KMS] = STORES;

async function failureWith(
  store: (typeof STORES)[number],
  spoil: (world: World, held: Store) => void,
): Promise<{ readonly error: Record<string, unknown>; readonly held: Store }> {
  await using opened = await openWorldWith(store, SOURCE);
  spoil(opened.world, opened.held);
  const { document } = await opened.world.run("requests sign --challenge eyJhIjoxfQ==");
  return { error: (at(document, "error") ?? {}) as Record<string, unknown>, held: opened.held };
}

function argument(position: number, value: string): (world: World) => void {
  return ({ env }) => {
    const setting = JSON.parse(env.LEDGER_ENTERPRISE_SIGNER ?? "") as { command: string[] };
    setting.command[position] = value;
    env.LEDGER_ENTERPRISE_SIGNER = JSON.stringify(setting);
  };
}

test.skipIf(PKCS11.isMissing).each<[string, (world: World) => void, string, string | undefined]>([
  [
    "a wrong PIN",
    ({ env }) => writeFileSync(env.PIN_FILE ?? "", "0000\n"),
    "SIGNER_REFUSED",
    "ACCESS_DENIED",
  ],
  ["another id", argument(3, "02"), "SIGNER_UNAVAILABLE", "KEY_NOT_FOUND"],
  ["another token", argument(2, "nobody"), "SIGNER_UNAVAILABLE", "UNAVAILABLE"],
  ["another module", argument(1, "/absent.so"), "SIGNER_UNAVAILABLE", "FAILED"],
  ["a missing argument", argument(4, "surplus"), "SIGNER_UNAVAILABLE", "FAILED"],
  [
    "a PIN that is not passed on",
    ({ env }) => {
      env.LEDGER_ENTERPRISE_SIGNER = (env.LEDGER_ENTERPRISE_SIGNER ?? "").replace(
        ',"PIN_FILE"',
        "",
      );
    },
    "SIGNER_UNAVAILABLE",
    "FAILED",
  ],
])("PKCS#11 with %s", async (_name, spoil, code, signerCode) => {
  const { error } = await failureWith(PKCS11, spoil);
  expect(error).toMatchObject({ code, details: { signerCode, exitCode: 1 } });
  expect(JSON.stringify(error)).not.toContain("canary-pin");
});

test.skipIf(PKCS11.isMissing)(
  "SIGNER_INVALID: the token holds another key than the configured one",
  async () => {
    const { error } = await failureWith(PKCS11, ({ env }) => {
      env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = orderFor(anotherKey()).publicKey;
    });
    expect(error).toMatchObject({ code: "SIGNER_INVALID" });
  },
);

test.skipIf(TPM.isMissing).each<[string, (world: World) => void, string]>([
  ["another handle", argument(1, "0x81000099"), "KEY_NOT_FOUND"],
  [
    "no TPM",
    ({ env }) => {
      env.TPM2TOOLS_TCTI = "swtpm:host=127.0.0.1,port=1";
    },
    "UNAVAILABLE",
  ],
])("TPM 2.0 with %s", async (_name, spoil, signerCode) => {
  const { error } = await failureWith(TPM, spoil);
  expect(error).toMatchObject({ code: "SIGNER_UNAVAILABLE", details: { signerCode } });
});

test.skipIf(KMS.isMissing).each([
  ["AccessDeniedException", "SIGNER_REFUSED", "ACCESS_DENIED"],
  ["ThrottlingException", "SIGNER_UNAVAILABLE", "THROTTLED"],
  ["DisabledException", "SIGNER_UNAVAILABLE", "UNAVAILABLE"],
  ["NotFoundException", "SIGNER_UNAVAILABLE", "KEY_NOT_FOUND"],
  ["InvalidKeyUsageException", "SIGNER_UNAVAILABLE", "UNSUPPORTED"],
])("AWS KMS that answers %s is asked once", async (type, code, signerCode) => {
  const { error, held } = await failureWith(KMS, (_world, store) =>
    (store as KmsDouble).fail(type),
  );
  expect(error).toMatchObject({ code, details: { signerCode } });
  expect((held as KmsDouble).calls).toEqual(["TrentService.Sign"]);
  expect(JSON.stringify(error)).not.toContain("canary-aws-secret");
});

test.skipIf(lacks("shellcheck")).each(HELPERS)("%s is clean under shellcheck", (name) => {
  const path = join(ROOT, "helpers", name);
  const { exitCode, stdout } = Bun.spawnSync(["shellcheck", "-s", "sh", path]);
  expect([exitCode, stdout.toString()]).toEqual([0, ""]);
});

test("there is a module of SoftHSM where its package is installed", () => {
  expect(PKCS11.isMissing || existsSync(SOFTHSM_MODULE ?? "")).toBe(true);
  expect(readFileSync(join(ROOT, "helpers", "signer-pkcs11"), "utf8")).toStartWith("#!/bin/sh\n");
});
