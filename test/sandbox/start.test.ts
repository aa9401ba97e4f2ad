/** `sandbox start` as a developer runs it: its output can be used unchanged. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import type { SandboxDescription } from "../../src/sandbox/index.ts";

/** The document of a sandbox that was started with these variables, and is stopped at once. */
async function describe(
  env: Record<string, string>,
  { cwd = ROOT, more = [] }: { cwd?: string; more?: readonly string[] } = {},
): Promise<SandboxDescription> {
  const command = [process.execPath, join(ROOT, "src/main.ts"), "sandbox", "start", ...more];
  const running = Bun.spawn(command, { cwd, env, stdout: "pipe", stderr: "inherit" });
  try {
    let text = "";
    for await (const chunk of running.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.endsWith("\n")) break;
    }
    return JSON.parse(text) as SandboxDescription;
  } finally {
    running.kill();
    await running.exited;
  }
}

/** What a shell has after the lines were run in it. */
function variables({ environment }: SandboxDescription): Record<string, string> {
  const entries = environment.map((line) => /^export (\w+)='([^']*)'$/.exec(line) ?? []);
  return Object.fromEntries(entries.map(([, name = "", value = ""]) => [name, value]));
}

test("a sandbox can be started anew where the variables of an earlier one are still set", async () => {
  const first = await describe({});
  const second = await describe({
    ...variables(first),
    LEDGER_ENTERPRISE_REPORTING_API_KEY: first.reportingKey ?? "",
  });
  expect(JSON.stringify(second)).not.toContain("[redacted]");
  expect(second.operator.apiKeySecret).toBe(first.operator.apiKeySecret);
  expect(variables(second).LEDGER_ENTERPRISE_API_KEY_SECRET).toBe(second.operator.apiKeySecret);
});

test("the file to source names a state folder beside it, wherever it is sourced", async () => {
  const folder = mkdtempSync(join(tmpdir(), "it's here-"));
  try {
    await describe({}, { cwd: folder, more: ["--envFile", "sandbox.env"] });
    const file = join(folder, "sandbox.env");
    const line = readFileSync(file, "utf8").split("\n").at(-2) ?? "";
    const { stdout } = Bun.spawnSync(
      ["sh", "-c", '. "$1"; printf %s "$LEDGER_ENTERPRISE_STATE_DIR"', "sh", file],
      { cwd: "/", env: { PATH: process.env.PATH ?? "" } },
    );
    expect([line.split("=")[0], stdout.toString()]).toEqual([
      "export LEDGER_ENTERPRISE_STATE_DIR",
      `${file}.state`,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
