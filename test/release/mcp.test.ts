/** The MCP server costs those only who start it. Seen on the npm package and in the source. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { ROOT } from "../../scripts/build.ts";
import { loadedBy } from "../support/loaded.ts";
import { openSandbox } from "../support/sandbox.ts";

const home = mkdtempSync(join(tmpdir(), "mcp-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Words that only these modules have. */
const MARK = "elicitation/create";

async function loadsIt(...argv: string[]): Promise<boolean> {
  await using sandbox = await openSandbox();
  await loadedBy(home, ["login", "api"], sandbox.environment);
  const { texts } = await loadedBy(home, argv, sandbox.environment);
  return texts.some((text) => text.includes(MARK));
}

test.each(["--version", "whoami", "accounts list", "requests list", "schema mcp"])(
  "R25 the npm package's %s loads nothing of MCP",
  async (line) => {
    expect(await loadsIt(...line.split(" "))).toBe(false);
  },
);

test("R25 the npm package's mcp loads it", async () => {
  expect(await loadsIt("mcp")).toBe(true);
});

test("R25 the source imports it only by import(), or as types", async () => {
  const found: string[] = [];
  for (const file of new Glob("**/*.ts").scanSync(join(ROOT, "src"))) {
    if (file.startsWith("mcp/")) continue;
    const text = await Bun.file(join(ROOT, "src", file)).text();
    const lines = text.match(/^(?:import|export)\s[^;]*?"[^"]*\/mcp\/[^"]*"/gm) ?? [];
    found.push(...lines.filter((line) => !line.startsWith("import type")));
  }
  expect(found).toEqual([]);
});
