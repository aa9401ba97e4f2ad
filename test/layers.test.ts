/** The direction of imports and the doors of the house, and that both are really watched. */
import { afterAll, expect, test } from "bun:test";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../scripts/build.ts";
import { findViolations } from "./support/layers.ts";

test("no import goes upward, and the doors are kept", async () => {
  expect(await findViolations(join(ROOT, "src"))).toEqual([]);
});

/** A copy in which one file was spoilt. */
const copy = await mkdtemp(join(tmpdir(), "layers-"));
await cp(join(ROOT, "src"), join(copy, "src"), { recursive: true });
await cp(join(ROOT, "biome.json"), join(copy, "biome.json"));
await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
afterAll(() => rm(copy, { recursive: true }));

async function withFile<T>(file: string, text: string, look: () => T | Promise<T>): Promise<T> {
  const path = join(copy, "src", file);
  await Bun.write(path, text);
  try {
    return await look();
  } finally {
    await rm(path);
  }
}

async function violationsWith(file: string, text: string): Promise<string[]> {
  const all = await withFile(file, text, () => findViolations(join(copy, "src")));
  return all.filter((line) => line.startsWith(file));
}

test.each([
  [
    "core/doctor/spoilt.ts",
    'import { run } from "../../app/run.ts";',
    "core/doctor/spoilt.ts may not import app/run.ts.",
  ],
  [
    "core/api/spoilt.ts",
    'import type { Command } from "../../cli/command.ts";',
    "core/api/spoilt.ts may not import cli/command.ts.",
  ],
  [
    "core/doctor/spoilt.ts",
    'export * from "../../commands/registry.ts";',
    "core/doctor/spoilt.ts may not import commands/registry.ts.",
  ],
  [
    "core/auth/spoilt.ts",
    'import type { Session } from "../state/session.ts";',
    "core/auth/spoilt.ts may not import core/state/session.ts.",
  ],
  [
    "core/api/spoilt.ts",
    'import { requireKind } from "../signing/approval.ts";',
    "core/api/spoilt.ts may not import core/signing/approval.ts.",
  ],
  ["core/odds/spoilt.ts", "export {};", "core/odds/spoilt.ts is on no rung of core/."],
  [
    "mcp/spoilt.ts",
    'import { createReader } from "../core/api/api.ts";',
    "mcp/spoilt.ts may not import core/api/api.ts.",
  ],
  [
    "guard/spoilt.ts",
    'import { run } from "../app/run.ts";',
    "guard/spoilt.ts may not import app/run.ts.",
  ],
  [
    "io/spoilt.ts",
    'import {\n  type Config,\n} from "../core/auth/config.ts";',
    "io/spoilt.ts may not import core/auth/config.ts.",
  ],
  [
    "cli/spoilt.ts",
    'import { ANSWER_MAX_BYTES } from "../core/api/client.ts";',
    "cli/spoilt.ts may not import core/api/client.ts.",
  ],
  [
    "sandbox/spoilt.ts",
    'import { encode } from "../io/json.ts";',
    "sandbox/spoilt.ts may not import io/json.ts.",
  ],
  [
    "commands/spoilt.ts",
    'import { Keyring } from "../core/signing/keyring.ts";',
    "commands/spoilt.ts may not import core/signing/keyring.ts.",
  ],
  [
    "core/signing/spoilt.ts",
    'import { softwareSigner } from "./software.ts";\nexport const signer = softwareSigner(key);',
    "core/signing/spoilt.ts may not reach for a signer: signatures pass Acts in the keyring.",
  ],
  [
    "core/device/spoilt.ts",
    "export const sent = new Client(endpoint, host).send({ method, path });",
    "core/device/spoilt.ts may not reach for a client: writes pass Acts in the API.",
  ],
  [
    "core/device/spoilt.ts",
    'export const request = { method: "POST", path, writes: "approve" };',
    "core/device/spoilt.ts may not reach for a write: it passes Acts in the API.",
  ],
  [
    "commands/spoilt.ts",
    'const x = await import("../core/api/client.ts");',
    "commands/spoilt.ts may not import() ../core/api/client.ts.",
  ],
  [
    "core/doctor/spoilt.ts",
    "export const read = (env: Env) => env.HOME;",
    "core/doctor/spoilt.ts may not reach for the environment.",
  ],
  [
    "core/doctor/spoilt.ts",
    "export const ask = globalThis.fetch;",
    "core/doctor/spoilt.ts may not reach for a global.",
  ],
  ["helpers/spoilt.ts", "export {};", "helpers/spoilt.ts lies outside the house."],
])("a violation in %s is named", async (file, text, expected) => {
  expect(await violationsWith(file, text)).toEqual([expected]);
});

test("a part that outgrows its budget is named", async () => {
  const found = await withFile("cli/spoilt.ts", "\n".repeat(2_000), () =>
    findViolations(join(copy, "src")),
  );
  expect(found).toEqual([expect.stringMatching(/^cli\/ has \d+ lines; 1900 are allowed\.$/)]);
});

test("types may come down where values may not", async () => {
  const text =
    'import type { Api } from "../core/api/client.ts";\nimport { type SessionStore } from "../core/auth/session.ts";';
  expect(await violationsWith("commands/spoilt.ts", text)).toEqual([]);
});

function lint(file: string): { exitCode: number; report: string } {
  const biome = join(ROOT, "node_modules/@biomejs/biome/bin/biome");
  const { exitCode, stdout, stderr } = Bun.spawnSync(["node", biome, "lint", `src/${file}`], {
    cwd: copy,
  });
  return { exitCode, report: `${stdout}${stderr}` };
}

test.each([
  ["core/doctor/spoilt.ts", "export const id = process.pid;", "noRestrictedGlobals"],
  ["core/doctor/spoilt.ts", 'export { pid } from "node:process";', "noRestrictedImports"],
  ["core/doctor/spoilt.ts", "export const path = process.env.PATH;", "noProcessEnv"],
  [
    "core/doctor/spoilt.ts",
    'export const answer = fetch("https://example.org");',
    "noRestrictedGlobals",
  ],
  [
    "core/doctor/spoilt.ts",
    'import { request } from "node:https";\nexport { request };',
    "noRestrictedImports",
  ],
  ["commands/spoilt.ts", 'console.log("x");', "noConsole"],
  ["io/spoilt.ts", "export const version = Bun.version;", "noRestrictedGlobals"],
  [
    "io/spoilt.ts",
    'import { spawn } from "node:child_process";\nexport { spawn };',
    "noRestrictedImports",
  ],
  ["io/spoilt.ts", "export const cast = (value: any) => value;", "noExplicitAny"],
  [
    "io/spoilt.ts",
    "export const first = (list: string[]) => list[0]!.length;",
    "noNonNullAssertion",
  ],
])("the linter refuses %s: %s", async (file, text, rule) => {
  const { exitCode, report } = await withFile(file, `${text}\n`, () => lint(file));
  expect(report).toContain(rule);
  expect(exitCode).not.toBe(0);
});

test("the linter has nothing against a plain file in the same place", async () => {
  expect(
    (await withFile("core/plain.ts", "export const one = 1;\n", () => lint("core/plain.ts")))
      .exitCode,
  ).toBe(0);
});
