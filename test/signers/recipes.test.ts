/**
 * docs/operator-keys.md: the recipes that can run here run as they are written, in a shell, up to a
 * signature that the store's own public key verifies.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { trustedFolder } from "../support/trusted.ts";
import { openKms, startTpm } from "./stores.ts";

const text = await Bun.file(join(ROOT, "docs/operator-keys.md")).text();
const { executable } = await findArtifacts();
const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, "bin"));
copyFileSync(executable, join(folder, "bin", "ledger-enterprise-cli"));
chmodSync(join(folder, "bin", "ledger-enterprise-cli"), 0o755);
for (const name of readdirSync(join(ROOT, "helpers"))) {
  copyFileSync(join(ROOT, "helpers", name), join(folder, "bin", name));
  chmodSync(join(folder, "bin", name), 0o755);
}

/** The lines of a recipe, with the helpers where this test has them. */
function recipe(name: string): string {
  const [, lines] =
    new RegExp(`<!-- recipe: ${name} -->\n\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
  if (lines === undefined) throw new Error(`There is no recipe ${name}.`);
  return lines.replaceAll("/usr/local/libexec/", `${folder}/bin/`);
}

const CHALLENGE = Buffer.from('{"a":1}').toString("base64url");

/** Runs a recipe and what follows it; returns the documents that the program printed. */
async function play(
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const cwd = join(folder, name);
  mkdirSync(cwd, { recursive: true });
  const last = `ledger-enterprise-cli requests sign --challenge ${CHALLENGE}`;
  const script = `set -eu\n${recipe(name)}${recipe("after")}${last}\n`;
  const child = Bun.spawn(["sh", "-c", script], {
    stdout: "pipe",
    stderr: "pipe",
    cwd,
    env: {
      HOME: cwd,
      PATH: `${folder}/bin:/usr/local/bin:/usr/bin:/bin`,
      ...NOTHING_PUBLISHED,
      LEDGER_ENTERPRISE_API_URL: "https://api.invalid/v1/rest",
      LEDGER_ENTERPRISE_WORKSPACE: "minivault",
      LEDGER_ENTERPRISE_API_KEY_ID: "id",
      LEDGER_ENTERPRISE_API_KEY_SECRET: "canary-secret",
      ...env,
    },
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`The recipe ${name} failed:\n${stdout}${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function expectSignature(documents: Record<string, unknown>[]): void {
  const [printed, report, signed] = documents;
  expect(printed?.publicKey).toMatch(/^04[0-9a-f]{128}$/);
  expect(report?.findings).toContainEqual(
    expect.objectContaining({ check: "signer", status: "ok" }),
  );
  expect(signed).toMatchObject({ publicKey: printed?.publicKey, signature: expect.any(String) });
}

describe("docs/operator-keys.md", () => {
  test.skipIf(lacks("softhsm2-util", "pkcs11-tool"))("PKCS#11", async () => {
    const at = (name: string): string => join(folder, name);
    mkdirSync(at("tokens"));
    writeFileSync(
      at("softhsm2.conf"),
      `directories.tokendir = ${at("tokens")}\nlog.level = ERROR\n`,
    );
    writeFileSync(at("pin"), "123456\n", { mode: 0o600 });
    expectSignature(
      await play("pkcs11", { SOFTHSM2_CONF: at("softhsm2.conf"), PIN_FILE: at("pin") }),
    );
  });

  test.skipIf(lacks("swtpm", "swtpm_setup", "tpm2_sign"))("TPM 2.0", async () => {
    mkdirSync(join(folder, "tpm"));
    await using tpm = await startTpm(join(folder, "tpm"));
    expectSignature(await play("tpm2", tpm.env));
  });

  test.skipIf(lacks("aws", "openssl"))("AWS KMS", async () => {
    mkdirSync(join(folder, "kms"));
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const spki = publicKey.export({ format: "der", type: "spki" });
    await using kms = await openKms(join(folder, "kms"), privateKey, spki);
    expectSignature(await play("aws", kms.env));
  });

  test("what was not run says so, and no other recipe is there", () => {
    expect(text.match(/<!-- recipe: (\w+) -->/g)?.length).toBe(4);
    for (const store of ["Google Cloud KMS", "Azure Key Vault", "Vault and OpenBao"])
      expect(text).toContain(`**${store}** (not run)`);
  });
});
