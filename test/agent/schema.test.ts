/**
 * `schema`, help and the parser say the same, since they are made from the same values; and they
 * stay within a reader's budget.
 */
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { ROOT } from "../../scripts/build.ts";
import { commandPage } from "../../scripts/generate.ts";
import { references } from "../../scripts/references.ts";
import { FACTS } from "../../src/app/capabilities.ts";
import { type Command, type Group, walk } from "../../src/cli/command.ts";
import { declaredFields } from "../../src/cli/fields.ts";
import { toJsonSchema } from "../../src/cli/jsonschema.ts";
import { manifest } from "../../src/cli/manifest.ts";
import { kebab, parse } from "../../src/cli/parse.ts";
import { type CliError, ERRORS, EXIT_CODES } from "../../src/errors.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { SOURCE } from "../support/forms.ts";
import { commands } from "../support/registry.ts";

async function run(
  ...argv: string[]
): Promise<{ exit: number | null; stdout: string; document: Record<string, unknown> }> {
  const { exit, stdout, stderr } = await SOURCE.run({
    argv,
    env: { HOME: "/nonexistent" },
    stdin: undefined,
    cwd: ROOT,
  });
  expect(stderr).toBe("");
  return {
    exit,
    stdout,
    document: stdout.startsWith("{") ? (JSON.parse(stdout) as Record<string, unknown>) : {},
  };
}

const COMMANDS = [...walk(commands)].map(([words, command]) => ({
  name: words.join(" "),
  words,
  command,
}));

/** Commands with a result that is no object to choose from, or whose whole result is needed. */
const WHOLE = [
  ...["logout", "api", "keys generate", "mcp", "sandbox start", "schema", "completion"],
  ...["skill show", "skill install", "skill list", "skill doctor"],
  ...["audit export", "audit restart", "guard serve", "guard adopt"],
];

test("every list, and every command that returns one object, takes --fields", () => {
  const without = COMMANDS.filter(({ command }) => command.fields === undefined);
  expect(without.map(({ name }) => name).sort()).toEqual([...WHOLE].sort());
});

test("a choice that may be null has null among its choices", () => {
  const choice = v.nullable(v.picklist(["a", "b"]));
  expect(toJsonSchema(choice)).toEqual({ type: ["string", "null"], enum: ["a", "b", null] });
  expect(toJsonSchema(v.nullable(v.string()))).toEqual({ type: ["string", "null"] });
});

test("--fields of a command with two forms of result knows the members of both", () => {
  const upgrade = COMMANDS.find(({ name }) => name === "upgrade")?.command;
  const known = declaredFields(upgrade?.output?.(), "object");
  expect([...known]).toEqual(expect.arrayContaining(["status", "npm", "changed", "path"]));
});

function* groups(
  group: Group,
  words: readonly string[] = [],
): Generator<readonly [string[], Group]> {
  yield [[...words], group];
  for (const [name, member] of group.members)
    if (member.kind === "group") yield* groups(member, [...words, name]);
}

const GROUPS = [...groups(commands)].map(([words, group]) => ({
  name: words.join(" ") || "the program",
  words,
  group,
}));

test("the schema of 'sandbox start' names every member of what it prints", async () => {
  const sandbox = await startSandbox();
  await sandbox.close();
  const { document } = await run("schema", "sandbox", "start");
  const { properties } = document.result as { properties: Record<string, { properties?: object }> };
  // With --envFile it prints the name of that file, too.
  expect(Object.keys(properties)).toEqual([...Object.keys(sandbox.description), "envFile"]);
  for (const name of ["baseUrls", "operator"] as const)
    expect(Object.keys(properties[name]?.properties ?? {})).toEqual(
      Object.keys(sandbox.description[name]),
    );
});

test("a word that belongs to no option is named as help names it", async () => {
  const { exit, document } = await run("completion", "tcsh");
  const error = document.error as Record<string, unknown>;
  expect([exit, error.field, error.message]).toEqual([
    2,
    "<shell>",
    "<shell> takes one of bash, zsh, fish, powershell.",
  ]);
});

describe("the index", () => {
  test("has the shape of specification §8, names every command, and takes at most 8 KB", async () => {
    const { stdout, document } = await run("schema");
    expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(8 * 1024);
    expect(Object.keys(document)).toEqual([
      "program",
      "version",
      "commands",
      "globalOptions",
      "exitCodes",
    ]);
    expect(document.program).toBe("ledger-enterprise-cli");
    expect(document.commands).toEqual(
      COMMANDS.map(({ name, command }) => ({
        name,
        summary: command.summary,
        effect: command.effect,
      })),
    );
    expect(document.exitCodes).toEqual(EXIT_CODES);
    const globals = (document.globalOptions as { name: string }[]).map(({ name }) => name);
    expect(globals).toEqual(["pretty", "debug", "timestamps", "timeout", "version", "help"]);
  });

  test("a group lists its own commands", async () => {
    const { document } = await run("schema", "requests", "approve");
    expect((document.commands as { name: string }[]).map(({ name }) => name)).toEqual(
      COMMANDS.map(({ name }) => name).filter((name) => name.startsWith("requests approve ")),
    );
  });
});

describe("errors", () => {
  test("the whole table, and the form of a failure", async () => {
    const { document } = await run("schema", "errors");
    const rows = Object.entries(ERRORS).map(([code, { exit, retryable, hint }]) => [
      code,
      { exitCode: exit, retryable, hint },
    ]);
    expect(document.errors).toEqual(Object.fromEntries(rows));
    expect(document.exitCodes).toEqual(EXIT_CODES);
    expect(document.common).toEqual(FACTS.errors);
    expect(document.document).toMatchObject({ type: "object", required: ["error"] });
  });

  test("every code belongs to a command, or to finding one", () => {
    const given = new Set<string>(
      manifest(commands, FACTS).commands.flatMap(({ fails, common }) => [
        ...fails,
        ...common.flatMap((name) => FACTS.errors[name] ?? []),
      ]),
    );
    const general = ["MISSING_COMMAND", "RUNTIME_UNSUPPORTED"];
    const owed = Object.keys(ERRORS).filter((code) => !given.has(code) && !general.includes(code));
    // Codes of parts whose commands do not exist yet.
    const isDeviceThere = COMMANDS.some(({ name }) => name.includes("device"));
    const isUpgradeThere = COMMANDS.some(({ name }) => name === "upgrade");
    expect(
      owed.filter(
        (code) =>
          (isDeviceThere || !/^DEVICE_|REQUEST_CLOSED/.test(code)) &&
          (isUpgradeThere || code !== "UPGRADE_FAILED"),
      ),
    ).toEqual([]);
  });
});

test("what many commands can answer is said once, in groups that 'schema errors' lists", async () => {
  for (const { words } of COMMANDS) {
    const { document } = await run("schema", ...words);
    const groups = document.commonErrors as string[];
    const common: string[] = groups.flatMap((name) => [...(FACTS.errors[name] ?? [])]);
    const own = Object.values(document.errors as Record<string, string[]>).flat();
    expect(own.filter((code) => common.includes(code))).toEqual([]);
    expect(groups.filter((name) => !Object.hasOwn(FACTS.errors, name))).toEqual([]);
    expect(groups.includes("network")).toBe(common.includes("TIMEOUT"));
  }
});

test.each([
  [["schema", "request"], "UNKNOWN_COMMAND", "Did you mean 'requests'?"],
  [["schema", "requests", "creat"], "UNKNOWN_COMMAND", "Did you mean 'requests create'?"],
  [["schema", "whoami", "now"], "UNEXPECTED_ARGUMENT", undefined],
])("%p is refused with the nearest name", async (argv, code, hint) => {
  const { exit, document } = await run(...argv);
  expect(exit).toBe(2);
  const shown = expect.stringContaining(hint ?? "");
  expect(document.error).toMatchObject({ code, hint: shown });
});

describe.each(COMMANDS)("$name", ({ words, command }) => {
  test("options in help and schema are those of the parser", async () => {
    const [help, schema] = [await run(...words, "--help"), await run("schema", ...words)];
    const own = Object.keys(command.args);
    const shown = [...help.stdout.matchAll(/^ {2}(?:-\w, )?--([A-Za-z0-9]+)/gm)].map(
      ([, name]) => name,
    );
    const described = (schema.document.options as { name: string }[]).map(({ name }) => name);
    expect([help.exit, schema.exit]).toEqual([0, 0]);
    expect(shown).toEqual(own);
    expect(described).toEqual(own);
    for (const name of own) {
      const spelled = (option: string): readonly string[] => [
        ...words,
        option,
        ...(command.args[name]?.kind === "flag" ? [] : ["1"]),
      ];
      for (const option of [`--${name}`, `--${kebab(name)}`])
        expect(parse(spelled(option), commands).raw.has(name)).toBe(true);
    }
  });

  test("help says purpose, usage, effect and examples; schema the same in the kebab-case spelling", async () => {
    const { stdout } = await run(...words, "--help");
    expect(stdout).toStartWith(
      `${command.summary}\n\nUSAGE ledger-enterprise-cli ${words.join(" ")}`,
    );
    for (const { line, means } of command.examples)
      expect(stdout).toContain(`  # ${means}\n  ledger-enterprise-cli ${line}`);
    expect(stdout.includes("have a person agree")).toBe(changes(command));
    expect(stdout).not.toMatch(/[ \t]$|undefined|\[object/m);
    expect((await run("schema", ...words.map(kebab))).stdout).toBe(
      (await run("schema", ...words)).stdout,
    );
  });

  test("what changes something asks for a person and has a dry run", async () => {
    const { document } = await run("schema", ...words);
    const isForPeople = ["upgrade", "guard adopt"].includes(words.join(" "));
    expect(document.needsConfirmation).toBe(changes(command) || isForPeople);
    expect("dryRunResult" in document).toBe(changes(command));
    expect((document.options as { name: string }[]).some(({ name }) => name === "dryRun")).toBe(
      changes(command),
    );
  });

  test("limits are written down", async () => {
    const { document } = await run("schema", ...words);
    for (const option of document.options as Record<string, unknown>[]) {
      if (option.type === "integer" || option.type === "number")
        expect(option).toMatchObject({ minimum: expect.any(Number), maximum: expect.any(Number) });
      if (option.type === "choice") expect(option.choices).not.toBeEmpty();
      if (option.type === "json" || option.type === "material")
        expect(option.maxBytes).toBeNumber();
    }
  });
});

test.each([
  ["login api", ["address"]],
  ["login device", ["address", "device"]],
  ["login reporting", ["address"]],
  ["requests sign", ["privateKey"]],
  ["requests approve api", ["session", "privateKey"]],
  ["logout", []],
])("%s needs what it cannot do without", async (name, needs) => {
  const words = name.split(" ");
  const [help, schema] = [await run(...words, "--help"), await run("schema", ...words)];
  expect(schema.document.needs).toEqual(needs);
  expect(help.stdout.includes("Needs a session")).toBe((needs as string[]).includes("session"));
});

function changes({ effect }: Command): boolean {
  return effect === "write" || effect === "sign";
}

describe.each(GROUPS)("help of $name", ({ words, group }) => {
  test("lists its members with their purpose", async () => {
    const { exit, stdout } = await run(...words, "--help");
    expect(exit).toBe(0);
    expect(stdout).toStartWith(`${group.summary}\n`);
    for (const [name, { summary }] of group.members)
      expect(stdout).toMatch(new RegExp(`^  ${name} +${RegExp.escape(summary)}$`, "m"));
  });

  test("a member that is nearly right is named", () => {
    for (const name of group.members.keys()) {
      if (name.length < 4) continue;
      const wrong = `${name.slice(0, -2)}${name.slice(-1)}${name.slice(-2, -1)}`;
      if (group.members.has(wrong)) continue;
      expect(() => parse([...words, wrong], commands)).toThrow(
        expect.objectContaining({
          code: "UNKNOWN_COMMAND",
          facts: expect.objectContaining({
            hint: expect.stringContaining(`Did you mean '${[...words, name].join(" ")}'?`),
          }),
        }) as unknown as CliError,
      );
    }
  });
});

describe("what is generated", () => {
  test("docs/commands.md is the manifest's", async () => {
    expect(await Bun.file(join(ROOT, "docs/commands.md")).text()).toBe(
      commandPage(manifest(commands, FACTS).commands),
    );
  });

  test("skill/references holds these files and no others", async () => {
    const wanted = references(commands);
    expect((await readdir(join(ROOT, "skill/references"))).sort()).toEqual(
      [...wanted.keys()].sort(),
    );
    for (const [name, text] of wanted)
      expect(await Bun.file(join(ROOT, "skill/references", name)).text()).toBe(text);
  });
});
