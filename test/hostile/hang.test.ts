/**
 * Nothing hangs: every command of the manifest, with every kind of standard input, in a network
 * where all packets disappear, and in one without routes. Each must end by itself, with one JSON
 * document.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, walk } from "../../src/cli/command.ts";
import { lacks } from "../support/programs.ts";
import { commands } from "../support/registry.ts";
import { splitCommand } from "../support/script.ts";
import { FAR, Namespace } from "./namespace.ts";
import { Program, twoForms } from "./program.ts";
import { RawApi } from "./raw-api.ts";

const FAR_AWAY = "https://void.far.test";
/**
 * Above each command's time (2 s, and 5 s for the last look of `wait`), below the 15 s that silence
 * is borne when no time is set.
 */
const HANG_MS = 14_000;
/** Mostly they wait. */
const AT_ONCE = 8;

/** What a person types at a terminal to end the input. */
const END_OF_INPUT = "\u0004";

const INPUTS = ["closed", "null", "pipe", "terminal"] as const;
type StandardInput = (typeof INPUTS)[number];

/** Files that examples name. */
const FILES: Readonly<Record<string, string>> = {
  "tx.json": '{"type":"SEND","data":{}}',
  "payout.json": '{"type":"CREATE_TRANSACTION","data":{}}',
  "intent.json": '{"a":1}',
  "challenge.txt": "e30",
};
const READS_INPUT = ["json", "material"];

/** A command's first example, and the same with each of its documents from standard input. */
function linesOf(words: readonly string[], command: Command): string[][] {
  const line = splitCommand(command.examples[0]?.line ?? words.join(" "), new Map());
  const limits = [
    "--timeout=2",
    ...(Object.hasOwn(command.args, "deviceTimeout") ? ["--deviceTimeout=2"] : []),
  ];
  const fromInput = Object.entries(command.args)
    .filter(([, { kind }]) => READS_INPUT.includes(kind))
    .map(([name]) => [...without(line, `--${name}`), `--${name}`, "-"]);
  return [line, ...fromInput].map((argv) => [...without(argv, "--timeout"), ...limits]);
}

function without(line: readonly string[], option: string): string[] {
  const at = line.indexOf(option);
  return at < 0 ? [...line] : [...line.slice(0, at), ...line.slice(at + 2)];
}

const CASES = [...walk(commands)].flatMap(([words, command]) =>
  linesOf(words, command).map((argv) => ({
    argv,
    isText: command.output === undefined,
    words: words.join(" "),
  })),
);
/** What ends the session of the others comes after them. */
const [ENDING, USING] = [true, false].map((isEnding) =>
  CASES.filter(({ words }) => /^log/.test(words) === isEnding),
);
const ON_THE_WAY = ["TIMEOUT", "NETWORK_ERROR", "DNS_ERROR", "OUTCOME_UNKNOWN"];

interface Ending {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Both streams go to files, so that all four kinds of standard input are alike. */
async function runWith(
  input: StandardInput,
  program: Program,
  argv: readonly string[],
  name: string,
): Promise<Ending> {
  const [out, err] = [join(program.home, `${name}.out`), join(program.home, `${name}.err`)];
  const close = input === "closed" ? "<&-" : "";
  const script = `out=$1; err=$2; shift 2; exec "$@" >"$out" 2>"$err" ${close}`;
  const stdin = input === "pipe" ? { stdin: "pipe" as const } : { stdin: "ignore" as const };
  const options = { cwd: program.home, env: program.env };
  const command = ["bash", "-c", script, "bash", out, err, ...program.form.command, ...argv];
  const child =
    input === "terminal"
      ? Bun.spawn(command, { ...options, terminal: { cols: 80, rows: 24, data: () => undefined } })
      : Bun.spawn(command, { ...options, ...stdin, stdout: "ignore", stderr: "ignore" });
  const hang = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  if (argv[0] === "sandbox") await endOnceServing(out, child);
  // The server of MCP serves as long as its input is open: it must end with it.
  if (argv[0] === "mcp") {
    if (input === "terminal") child.terminal?.write(END_OF_INPUT);
    else if (typeof child.stdin === "object") child.stdin?.end();
  }
  await child.exited;
  clearTimeout(hang);
  child.terminal?.close();
  const [stdout, stderr] = await Promise.all([readFile(out, "utf8"), readFile(err, "utf8")]);
  await program.checkSecrets({ stdout, stderr });
  return {
    exit: child.exitCode,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stdout,
    stderr,
  };
}

/** The sandbox serves until it is stopped, after it has said where. */
async function endOnceServing(
  out: string,
  child: { readonly exitCode: number | null; kill(signal: "SIGTERM"): void },
) {
  while (child.exitCode === null) {
    const said = await readFile(out, "utf8").catch(() => "");
    if (said.endsWith("\n")) {
      if (isServing(said)) child.kill("SIGTERM");
      return;
    }
    await Bun.sleep(50);
  }
}

function isServing(stdout: string): boolean {
  return stdout.includes('"baseUrls"');
}

/** A session of a server that has gone far away since. */
async function openSession(program: Program, loginWith: Program, api: RawApi): Promise<void> {
  await loginWith.succeed(["login", "api"]);
  const session = await readFile(loginWith.sessionFile, "utf8");
  await program.run(["--version"]);
  await Bun.write(program.sessionFile, session.replace(api.url, FAR_AWAY));
  Bun.spawnSync(["chmod", "-R", "go=", program.stateDirectory]);
  for (const [name, content] of Object.entries(FILES))
    await writeFile(join(program.home, name), content);
}

type Case = readonly [at: number, (typeof CASES)[number]];

/** Runs all; returns how many failed on their way to the server, which is what this is about. */
async function checkAll(
  program: Program,
  input: StandardInput,
  cases: typeof CASES,
): Promise<number> {
  const waiting = [...cases.entries()];
  const slow: Case[] = [];
  let lost = 0;
  const run = async ([at, { argv, isText, words }]: Case, isAlone: boolean): Promise<void> => {
    const name = `${input}-${at}`;
    const { exit, signal, stdout, stderr } = await runWith(input, program, argv, name);
    if (signal === "SIGKILL" && !isAlone) {
      slow.push([at, { argv, isText, words }]);
      return;
    }
    const seen = { argv, input, stdout: stdout.slice(0, 200), stderr };
    const serves = words === "sandbox start" && isServing(stdout);
    expect({ ...seen, exit, signal }).toEqual({
      ...seen,
      exit: serves ? null : expect.any(Number),
      signal: serves ? "SIGTERM" : null,
    });
    expect({ ...seen, isDocument: isText || isDocument(stdout) }).toEqual({
      ...seen,
      isDocument: true,
    });
    expect({ ...seen, trace: /^\s+at .*:\d+/m.test(stderr) }).toEqual({ ...seen, trace: false });
    if (ON_THE_WAY.some((code) => stdout.includes(`"code":"${code}"`))) lost += 1;
  };
  const check = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await run(next, false);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, check));
  // Others on the machine may have held it up; what hangs, hangs alone, too.
  for (const one of slow) await run(one, true);
  return lost;
}

function isDocument(stdout: string): boolean {
  try {
    JSON.parse(stdout);
    return stdout.endsWith("\n");
  } catch {
    return false;
  }
}

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const PRIVATE_KEY = Buffer.from(privateKey.export({ type: "sec1", format: "pem" })).toString("hex");

/** Networks of a test's own are made with `ip`. */
const hasNoNetwork = lacks("ip");

let nowhere: Namespace;
let noRoutes: Namespace;
let api: RawApi;
if (!hasNoNetwork)
  beforeAll(async () => {
    nowhere = await Namespace.make({ hosts: [`${FAR.void4} void.far.test`] });
    noRoutes = await Namespace.make({ hosts: [`${FAR.void4} void.far.test`], link: false });
    api = await RawApi.start();
    api.serve({});
  });
if (!hasNoNetwork)
  afterAll(async () => {
    for (const part of [nowhere, noRoutes, api]) await part[Symbol.asyncDispose]();
  });

test("the lines cover every command, and every document that can come from standard input", () => {
  const names = new Set(CASES.map(({ words }) => words));
  expect([...names].sort()).toEqual([...walk(commands)].map(([words]) => words.join(" ")).sort());
  expect(CASES.filter(({ argv }) => argv.includes("-")).length).toBeGreaterThan(5);
});

type Row = readonly [network: "no routes" | "all packets disappear", input: StandardInput];

/**
 * What differs between the forms are the runtimes, not the commands, so a sample of the rows is
 * enough for the npm package.
 */
const ROWS: readonly Row[] = [
  ...INPUTS.map((input): Row => ["no routes", input]),
  ["all packets disappear", "pipe"],
  ["all packets disappear", "terminal"],
];
const NPM_ROWS: readonly Row[] = [
  ["no routes", "closed"],
  ["all packets disappear", "terminal"],
];

for (const form of await twoForms()) {
  describe.skipIf(hasNoNetwork)(form.name, () => {
    test.each(form.name === "executable" ? ROWS : NPM_ROWS)(
      "nothing hangs: %s, standard input is %s",
      async (network, input) => {
        const place = (network === "no routes" ? noRoutes : nowhere).inside(form);
        const elsewhere = {
          LEDGER_ENTERPRISE_API_URL: FAR_AWAY,
          LEDGER_ENTERPRISE_RELEASES_URL: FAR_AWAY,
          LEDGER_ENTERPRISE_API_PRIVATE_KEY: PRIVATE_KEY,
        };
        await using program = await Program.at(place, elsewhere);
        await using near = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
        await openSession(program, near, api);
        expect(await checkAll(program, input, USING ?? [])).toBeGreaterThan(25);
        await checkAll(program, input, ENDING ?? []);
      },
      300_000,
    );
  });
}
