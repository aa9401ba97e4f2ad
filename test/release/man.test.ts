/**
 * Manual pages: one for each word of the command line, made from the commands, clean for mandoc.
 */
import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { manPages } from "../../scripts/man.ts";
import { walk } from "../../src/cli/command.ts";
import { Config } from "../../src/core/auth/config.ts";
import { PROGRAM } from "../../src/version.ts";
import { lacks } from "../support/programs.ts";
import { commands } from "../support/registry.ts";

const configuration = await Bun.file(join(ROOT, "docs/configuration.md")).text();
const pages = manPages(commands, { date: "2026-11-28", version: "1.2.3", configuration });

test("the program's page has each variable", () => {
  const section = /\.SH ENVIRONMENT\n([\s\S]*?)\n\.SH /.exec(pages.get(`${PROGRAM}.1`) ?? "")?.[1];
  expect(section).toContain(".B LEDGER_ENTERPRISE_API_URL\nBase URL, such as https");
  const named = [...new Set(section?.match(/LEDGER_ENTERPRISE_[A-Z_]+/g))];
  const config = new Config({ env: {}, readFile: () => Promise.reject(), learn: () => undefined });
  const known = config.origins().map(({ name }) => name);
  expect(known.filter((name) => !named.includes(name))).toEqual([]);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

test("every command has a page with its options and examples", () => {
  for (const [words, command] of walk(commands)) {
    const page = pages.get(`${[PROGRAM, ...words].join("-")}.1`) ?? "";
    for (const name of Object.keys(command.args)) expect(page).toContain(`\\-\\-${name}`);
    const lines = page.split("\n").filter((line) => line.startsWith("ledger\\-enterprise\\-cli "));
    expect([words, lines.length >= command.examples.length]).toEqual([words, true]);
  }
  expect(pages.has(`${PROGRAM}.1`)).toBe(true);
  expect(pages.has(`${PROGRAM}-requests.1`)).toBe(true);
});

test.skipIf(lacks("mandoc"))(
  "mandoc has nothing to say, and shows a page as it is meant",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "man-"));
    for (const [name, page] of pages) await writeFile(join(folder, name), page);
    const files = [...pages.keys()];
    const lint = Bun.spawnSync(["mandoc", "-T", "lint", ...files], { cwd: folder });
    expect([lint.exitCode, lint.stdout.toString()]).toEqual([0, ""]);
    const shown = Bun.spawnSync(["mandoc", "-T", "utf8", `${PROGRAM}-requests-create.1`], {
      cwd: folder,
    });
    // Bold is a character, a step back, and the character again.
    const parts = shown.stdout.toString().split("\b");
    const text = parts
      .map((part, at) => part.slice(0, at < parts.length - 1 ? -1 : undefined))
      .join("");
    expect(text).toContain("--requestData json|@file|-");
    expect(text).toContain("ledger-enterprise-cli requests create --requestData @payout.json\n");
    expect(text).toContain("ledger-enterprise-cli 1.2.3");
    await rm(folder, { recursive: true });
  },
);
