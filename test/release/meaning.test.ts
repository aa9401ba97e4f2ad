/**
 * Summaries and decoders cost those only who ask: no other command loads their code. Seen on the
 * npm package, and in the imports of the source, from which every form is built.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../../scripts/build.ts";
import { loadedBy } from "../support/loaded.ts";
import { openSandbox } from "../support/sandbox.ts";

const home = mkdtempSync(join(tmpdir(), "meaning-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Sentences that only these modules have. */
const MARKS = {
  catalogue: "call a contract",
  summary: "not on any whitelist you can read",
  decoders: "Multicall3",
};

const ACCOUNT = "e5a8f6f0-2222-4f6e-8f5a-000000000001";
const OPEN = "9f1c0d0a-3333-4a7b-8b1b-000000000004";

async function partsLoadedBy(...argv: string[]): Promise<readonly string[]> {
  await using sandbox = await openSandbox();
  await loadedBy(home, ["login", "api"], sandbox.environment);
  const { stdout, texts } = await loadedBy(home, argv, sandbox.environment);
  expect(stdout).not.toContain('{"error"');
  return Object.entries(MARKS).flatMap(([name, mark]) =>
    texts.some((text) => text.includes(mark)) ? [name] : [],
  );
}

const OTHERS: readonly (readonly [line: string])[] = [
  ["--version"],
  ["whoami"],
  ["accounts list"],
  [`accounts get --id ${ACCOUNT}`],
  ["requests list"],
  [`requests get --id ${OPEN}`],
  ["schema requests create"],
];

test.each(OTHERS)("M32 %s loads nothing of it", async (line) => {
  expect(await partsLoadedBy(...line.split(" "))).toEqual([]);
});

test("M32 a signature loads no summary; the policy may read the catalogue", async () => {
  const loaded = await partsLoadedBy("requests", "sign", "--challenge", "eyJhIjoxfQ");
  expect(loaded.filter((part) => part !== "catalogue")).toEqual([]);
});

test("M32 a bitcoin payment loads no decoder, and a contract call does", async () => {
  expect(await partsLoadedBy("requests", "review", "--id", OPEN)).toEqual(["catalogue", "summary"]);
  const data = {
    accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000002",
    transactionType: "ETHEREUM_LIKE_EXECUTE_CONTRACT",
    transactionData: { amount: "0", currency: "ethereum", contractData: "0xd0e30db0" },
  };
  const file = join(home, "call.json");
  writeFileSync(file, JSON.stringify({ type: "CREATE_TRANSACTION", data }));
  const argv = ["requests", "create", "--dryRun", "--requestData", `@${file}`];
  expect(await partsLoadedBy(...argv)).toEqual(["catalogue", "summary", "decoders"]);
});

test("M32 the source imports it only by import(), or as types", async () => {
  const files = [...new Glob("**/*.ts").scanSync(join(ROOT, "src"))];
  const found: string[] = [];
  for (const file of files) {
    // `guard adopt` loads its own file, and nothing else does.
    if (/^(core\/(meaning|policy)\/|guard\/adopt\.ts$)/.test(file)) continue;
    const text = await Bun.file(join(ROOT, "src", file)).text();
    const lines = text.match(
      /^(?:import|export)\s[^;()]*?"[^"]*core\/meaning\/[^"]*"|^import\s[^;]*?"\.\.\/meaning\/[^"]*"/gm,
    );
    // These have no value imports of their own.
    const isFree = /^import type\b|meaning\/(known|bech32)\.ts"/;
    const values = (lines ?? []).filter((line) => !isFree.test(line));
    found.push(...values.map((line) => `${file}: ${line}`));
  }
  expect(found).toEqual([]);
});
