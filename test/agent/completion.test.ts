/**
 * `completion` in the real shells, through a terminal: keys are typed, and the command line that
 * the shell then runs is looked at.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { walk } from "../../src/cli/command.ts";
import { SHELLS } from "../../src/cli/completion/shells.ts";
import { PROGRAM } from "../../src/version.ts";
import { commands } from "../support/registry.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

const folder = await mkdtemp(join(tmpdir(), "completion-"));
const [home, bin, work] = ["home", "bin", "work"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeAll(async () => {
  for (const path of [home, bin, work, join(work, "skills folder")])
    await mkdir(path, { recursive: true });
  // In place of the program: says how it was called.
  await writeFile(
    join(bin, PROGRAM),
    '#!/bin/sh\nprintf "called"\nprintf "<%s>" "$@"\nprintf ";\\n"\n',
  );
  await chmod(join(bin, PROGRAM), 0o755);
  await writeFile(join(work, "payout.json"), "{}");
  for (const shell of ["bash", "zsh", "fish"] as const) {
    await writeFile(join(folder, `completion.${shell}`), SHELLS[shell](PROGRAM, commands));
  }
});

/** How each shell is started without anybody's configuration, and what makes it load the script. */
const STARTS = {
  bash: {
    command: ["bash", "--norc", "--noprofile", "-i"],
    setup: `bind 'set bell-style none'; source ${folder}/completion.bash`,
  },
  zsh: {
    command: ["zsh", "-f", "-i"],
    setup: `autoload -Uz compinit; compinit -u -d ${folder}/zcompdump; source ${folder}/completion.zsh; unsetopt LIST_BEEP`,
  },
  fish: { command: ["fish", "--no-config", "-i"], setup: `source ${folder}/completion.fish` },
} as const;

async function openShell(shell: keyof typeof STARTS): Promise<Terminal> {
  const { command, setup } = STARTS[shell];
  if (Bun.which(shell) === null)
    throw new Error(`${shell} is not installed; the package has the same name.`);
  const env = {
    HOME: home,
    PATH: `${bin}:/usr/bin:/bin`,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
  };
  const terminal = openTerminal(command, work, env);
  await terminal.type(`${setup}\necho rea''dy\n`, /ready/);
  return terminal;
}

/**
 * Keys typed after the program's name, and the arguments with which the shell then runs it. `\t` is
 * the key.
 */
const LINES: readonly (readonly [what: string, keys: string, called: readonly string[]])[] = [
  ["a group", "acc\t", ["accounts"]],
  ["a command", "requests cre\t", ["requests", "create"]],
  ["a command in a group of a group", "requests approve ap\t", ["requests", "approve", "api"]],
  ["an option", "accounts list --pageS\t", ["accounts", "list", "--pageSize"]],
  [
    "an option after another's value",
    "accounts list --name list --stat\t",
    ["accounts", "list", "--name", "list", "--status"],
  ],
  ["a global option", "whoami --pre\t", ["whoami", "--pretty"]],
  [
    "a value of a closed list",
    "accounts list --status AC\t",
    ["accounts", "list", "--status", "ACTIVE"],
  ],
  [
    "a value after the kebab-case spelling",
    "requests list --sort-order de\t",
    ["requests", "list", "--sort-order", "desc"],
  ],
  [
    "a command in kebab-case leads on",
    "requests get-challenge --i\t",
    ["requests", "get-challenge", "--id"],
  ],
  [
    "a document from a file",
    "requests create --requestData @pay\t",
    ["requests", "create", "--requestData", "@payout.json"],
  ],
  [
    "a document behind an equals sign",
    "requests create --requestData=@pay\t",
    ["requests", "create", "--requestData=@payout.json"],
  ],
  [
    "a value behind an equals sign",
    "accounts list --status=AC\t",
    ["accounts", "list", "--status=ACTIVE"],
  ],
  ["a path", "keys generate --out pay\t", ["keys", "generate", "--out", "payout.json"]],
  ["a shell", "completion fi\t", ["completion", "fish"]],
  ["words of a command to describe", "schema requests wa\t", ["schema", "requests", "wait"]],
];

describe.each(Object.keys(STARTS) as (keyof typeof STARTS)[])("%s completes", (shell) => {
  test.each(LINES)("%s", async (_what, keys, called) => {
    await using terminal = await openShell(shell);
    const [, found] = await terminal.type(`${PROGRAM} ${keys}\n`, /called(<.*>);/);
    expect(found).toBe(called.map((word) => `<${word}>`).join(""));
  });

  test("nothing for a value that cannot be known", async () => {
    await using terminal = await openShell(shell);
    const [, found] = await terminal.type(`${PROGRAM} accounts get --id pay\t\n`, /called(<.*>);/);
    expect(found).toBe("<accounts><get><--id><pay>");
  });

  test("the choices that are left, when there are several", async () => {
    await using terminal = await openShell(shell);
    await terminal.type(`${PROGRAM} requests get\t\t`, /getChallenge/);
  });
});

test("every script names every command and option, and PowerShell's tables have no key twice", () => {
  for (const [shell, make] of Object.entries(SHELLS)) {
    const script = make(PROGRAM, commands);
    for (const [words, { args }] of walk(commands)) {
      expect(script, shell).toContain(words.at(-1) ?? "");
      for (const name of Object.keys(args))
        expect(script, shell).toContain(shell === "fish" ? ` -l '${name}'` : `--${name}`);
    }
  }
  const tables = SHELLS.powershell(PROGRAM, commands).split("@{").slice(1);
  expect(tables).toHaveLength(4);
  for (const table of tables) {
    const keys = [...(table.split("\n    }")[0] ?? "").matchAll(/^ {8}'((?:[^']|'')*)' = /gm)].map(
      ([, key]) => key?.toLowerCase(),
    );
    expect(keys.length).toBeGreaterThan(10);
    expect(new Set(keys).size).toBe(keys.length);
  }
});
