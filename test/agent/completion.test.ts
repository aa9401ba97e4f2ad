/**
 * `completion` in the real shells, through a terminal: keys are typed, and the command line that
 * the shell then runs is looked at.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { walk } from "../../src/cli/command.ts";
import { completionText } from "../../src/cli/complete.ts";
import { SHELLS } from "../../src/cli/shells.ts";
import { openRegistry } from "../../src/commands/registry.ts";
import { PROGRAM } from "../../src/version.ts";
import { lacks } from "../support/programs.ts";
import { commands } from "../support/registry.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

const MAIN = join(ROOT, "src/main.ts");
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
  // In place of the program: completes like it, and otherwise says how it was called.
  await writeFile(
    join(bin, PROGRAM),
    `#!/bin/sh
if [ "$1" = __complete ]; then exec "${process.execPath}" "${MAIN}" "$@"; fi
printf "called"
printf "<%s>" "$@"
printf ";\\n"
`,
  );
  await chmod(join(bin, PROGRAM), 0o755);
  await writeFile(join(work, "payout.json"), "{}");
  for (const shell of ["bash", "zsh", "fish"] as const) {
    await writeFile(join(folder, `completion.${shell}`), SHELLS[shell](PROGRAM));
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

async function openShell(
  shell: keyof typeof STARTS,
  setup: string = STARTS[shell].setup,
): Promise<Terminal> {
  const { command } = STARTS[shell];
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

for (const shell of Object.keys(STARTS) as (keyof typeof STARTS)[]) {
  describe.skipIf(lacks(shell))(`${shell} completes`, () => {
    test.each(LINES)("%s", async (_what, keys, called) => {
      await using terminal = await openShell(shell);
      const [, found] = await terminal.type(`${PROGRAM} ${keys}\n`, /called(<.*>);/);
      expect(found).toBe(called.map((word) => `<${word}>`).join(""));
    });

    test("nothing for a value that cannot be known", async () => {
      await using terminal = await openShell(shell);
      const [, found] = await terminal.type(
        `${PROGRAM} accounts get --id pay\t\n`,
        /called(<.*>);/,
      );
      expect(found).toBe("<accounts><get><--id><pay>");
    });

    test("the choices that are left, when there are several", async () => {
      await using terminal = await openShell(shell);
      await terminal.type(`${PROGRAM} requests get\t\t`, /getChallenge/);
    });
  });
}

test("P9 zsh: sourced before compinit it says nothing, and works once compinit has run", async () => {
  const setup = `source ${folder}/completion.zsh; autoload -Uz compinit; compinit -u -d ${folder}/zcompdump`;
  await using terminal = await openShell("zsh", setup);
  const [, found] = await terminal.type(`${PROGRAM} acc\t\n`, /called(<.*>);/);
  expect(found).toBe("<accounts>");
});

/** What the program offers for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const [current = "", ...before] = [words.at(-1), ...words.slice(0, -1)];
  const text = await completionText([`.${current}`, ...before], openRegistry);
  return text.slice(0, -1).split("\n");
}

test("every command and every option of it is offered, with its meaning", async () => {
  for (const [words, command] of walk(commands)) {
    expect(await offered(...words)).toContainEqual(`${words.at(-1)}\t${command.summary}`);
    const options = (await offered(...words, "--")).map((line) => line.split("\t")[0]);
    const own = Object.keys(command.args).map((name) => `--${name}`);
    expect(options).toEqual(expect.arrayContaining(own));
  }
});

test("nothing is offered behind '--', and for values that cannot be known", async () => {
  expect(await offered("accounts", "list", "--", "")).toEqual(["words "]);
  expect(await offered("accounts", "get", "--id", "")).toEqual(["words "]);
  expect(await offered("accounts", "get", "--noSuch=")).toEqual(["words "]);
});
