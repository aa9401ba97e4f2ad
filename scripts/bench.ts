/**
 * `npm run bench [-- OPTIONS]`: start-up, memory and long lists, as ratios within one run. Runs of
 * the things that are compared are interleaved, so that a noisy machine slows both; medians are
 * printed. Needs `npm run build` first.
 *
 *   --rounds N      pairs of runs for each row (25)
 *   --quick         5 pairs, shorter lists, no peers: some three minutes
 *   --only TEXT,…   parts (startup, relay, lists, crowd, peers, services,
 *                   belts, memory), or rows whose name has
 *                   the text
 *   --out FILE      where the result goes (dist/bench.json)
 *   --plot          also draws docs/images/performance.svg
 *   --from FILE     draws that of an earlier result, and measures nothing
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { SandboxDescription } from "../src/sandbox/index.ts";
import { OBSTACLE } from "../test/guard/twousers.ts";
import { NOTHING_PUBLISHED } from "../test/support/releases.ts";
import { BELTS, measureBelts } from "./bench/belts.ts";
import { LIST_MEMORY_MB } from "./bench/goals.ts";
import { startLists } from "./bench/lists.ts";
import { compare, once, type Row, rowOf, type Settings, type Subject } from "./bench/measure.ts";
import { MEMORY, measureMemory } from "./bench/memory.ts";
import { plot } from "./bench/plot.ts";
import { guard, logs, mcp } from "./bench/services.ts";
import { DIST, hostExecutable, packageTarball, ROOT } from "./build.ts";

const NODE = join(ROOT, "node_modules/node22/bin/node");
function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

async function compileEmpty(folder: string): Promise<string> {
  const source = join(folder, "empty.ts");
  await writeFile(source, "");
  const outfile = join(folder, "empty");
  const compile = {
    outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  };
  const made = await Bun.build({
    entrypoints: [source],
    target: "bun",
    bytecode: true,
    minify: true,
    format: "esm",
    compile,
  } as Bun.BuildConfig);
  if (!made.success) throw new Error(made.logs.join("\n"));
  return outfile;
}

interface Bench {
  readonly settings: Settings;
  readonly folder: string;
  readonly binary: string;
  readonly npm: readonly string[];
  readonly empty: Subject;
  readonly emptyNode: Subject;
}

async function login(binary: string, env: Readonly<Record<string, string>>): Promise<void> {
  await once({ name: "login api", command: [binary, "login", "api"], env });
}

function environment(
  folder: string,
  name: string,
  url: string,
): Record<string, string> & { HOME: string } {
  return {
    HOME: join(folder, name),
    LEDGER_ENTERPRISE_API_URL: url,
    LEDGER_ENTERPRISE_WORKSPACE: "sandbox",
    LEDGER_ENTERPRISE_API_KEY_ID: "id",
    LEDGER_ENTERPRISE_API_KEY_SECRET: "bench-secret-not-real",
    ...NOTHING_PUBLISHED,
  };
}

/** Start-up of both forms of the program, then what needs the same session. */
async function startUp(bench: Bench): Promise<Row[]> {
  const { settings, binary } = bench;
  const { env, ids, stop } = await prepare(bench.folder, binary);
  const rows = (program: readonly string[], form: string): Subject[] =>
    [
      ["--version"],
      ["--help"],
      ["accounts", "list"],
      ["requests", "get", "--id", ids.request],
      ["requests", "sign", "--challenge", ids.challenge],
      ["requests", "review", "--id", ids.request],
      ["requests", "review", "--id", ids.evm],
      ["requests", "approve", "api", "--sign", "--dryRun", "--id", ids.request],
    ].map((argv) => {
      const isReview = argv[1] === "review";
      const value = new Set([...Object.values(ids), "--id", "--challenge"]);
      const words = argv.filter((word) => !value.has(word)).join(" ");
      const kind = argv.includes(ids.evm) ? "an EVM" : "a bitcoin";
      const name = isReview ? `${words} of ${kind} request` : words;
      return { name: `${form}${name}`, command: [...program, ...argv], env };
    });
  const found = [
    ...(await compare(bench.empty, rows([binary], ""), settings)),
    ...(await compare(bench.emptyNode, rows(bench.npm, "npm: "), settings)),
  ];
  await stop();
  return found;
}

/** Logs and servers, on a session of their own. */
async function services(bench: Bench): Promise<{ rows: Row[]; absent: readonly string[] }> {
  const { settings, binary, folder, empty } = bench;
  const { env, ids, stop } = await prepare(folder, binary);
  const prepared = { binary, env, challenge: ids.challenge };
  const rows = [...(await logs(prepared, empty, settings)), ...(await mcp(prepared, settings))];
  await stop();
  const through = await guard(binary, folder, empty, settings);
  return { rows: [...rows, ...through.rows], absent: through.absent };
}

/** `--all` against curl over the same pages, each on one kept connection. */
async function longLists(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  const { settings } = bench;
  const sizes = settings.isQuick ? [10_000] : [1_000, 10_000, 100_000];
  for (const [accounts, pageMs] of sizes.flatMap((size) => [
    [size, 1] as const,
    [size, 0] as const,
  ])) {
    const name = `accounts list --all, ${accounts} accounts${pageMs > 0 ? "" : ", no server time"}`;
    if (!settings.isWanted(name)) continue;
    const lists = await startLists(accounts, pageMs);
    const env = environment(bench.folder, `lists-${accounts}-${pageMs}`, lists.url);
    await mkdir(env.HOME, { recursive: true });
    await login(bench.binary, env);
    const pages = Math.ceil(accounts / 30);
    const config = join(bench.folder, "curl.txt");
    await writeFile(
      config,
      Array.from(
        { length: pages },
        (_, at) => `url="${lists.url}/accounts?page=${at + 1}"\noutput="/dev/null"\n`,
      ).join(""),
    );
    const curl = { name: `curl, ${pages} pages`, command: ["curl", "-s", "-K", config] };
    const command = [bench.binary, "accounts", "list", "--all", "--timeout", "600"];
    const times = accounts > 50_000 || settings.isQuick ? 2 : 5;
    rows.push(...(await compare(curl, [{ name, command, env }], settings, times)));
    lists.stop();
  }
  return rows;
}

/** Relaying some 20 MB against a script that parses and prints them. */
async function bigRelay(bench: Bench): Promise<Row[]> {
  const lists = await startLists(30);
  const env = environment(bench.folder, "relay", lists.url);
  await mkdir(env.HOME, { recursive: true });
  await login(bench.binary, env);
  const script = join(bench.folder, "relay.mjs");
  await writeFile(
    script,
    `const a = await (await fetch(process.argv[2])).text(); process.stdout.write(JSON.stringify(JSON.parse(a)) + "\\n");`,
  );
  const base = {
    name: "parse-and-stringify of the same bytes",
    command: [process.execPath, script, `${lists.url}/big`],
  };
  const relay = {
    name: "api --path, 20 MB",
    command: [bench.binary, "api", "--path", "/big"],
    env,
  };
  const rows = await compare(base, [relay], bench.settings, bench.settings.isQuick ? 3 : 7);
  lists.stop();
  return rows;
}

interface Crowd {
  readonly ms: number;
  readonly refreshes: number;
  readonly failures: number;
}

/** 200 processes on one session that has to be refreshed, against 200 with nothing to refresh. */
async function crowd(bench: Bench): Promise<{ row: Row; refreshes: number; failures: number }> {
  const timed = async (expired: boolean): Promise<Crowd> => {
    const folder = join(bench.folder, `crowd-${Bun.nanoseconds()}`);
    await mkdir(folder);
    const { env, control, stop } = await openSession(folder, bench.binary);
    if (expired) await control("POST", "clock", { advanceSeconds: 301 });
    await control("DELETE", "log");
    const start = Bun.nanoseconds();
    const children = Array.from({ length: 200 }, () =>
      Bun.spawn([bench.binary, "users", "get", "--id", "me", "--timeout", "120"], {
        env,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      }),
    );
    const exits = await Promise.all(
      children.map(async ({ exited, stdout }) => {
        const text = await new Response(stdout).text();
        if ((await exited) !== 0) process.stderr.write(text);
        return exited;
      }),
    );
    const ms = (Bun.nanoseconds() - start) / 1e6;
    const { requests } = (await control("GET", "log")) as { requests: { path: string }[] };
    const refreshes = requests.filter(({ path }) => path.endsWith("/auth/token/refresh")).length;
    await stop();
    return { ms, refreshes, failures: exits.filter((exit) => exit !== 0).length };
  };
  const pairs: (readonly [Crowd, Crowd])[] = [];
  const times = bench.settings.isQuick ? 1 : 3;
  for (let at = 0; at < times; at += 1)
    pairs.push([await timed(false), await timed(true)] as const);
  const figures = (of: 0 | 1) => pairs.map((pair) => ({ ms: pair[of].ms, cpuMs: Number.NaN }));
  const row = rowOf("200 processes, one refresh", "200 processes, none", figures(1), figures(0));
  return {
    row,
    refreshes: Math.max(...pairs.map(([, { refreshes }]) => refreshes)),
    failures: pairs.flat().reduce((sum, { failures }) => sum + failures, 0),
  };
}

const EVM_REQUEST = {
  type: "CREATE_TRANSACTION",
  data: {
    accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000002",
    transactionType: "ETHEREUM_LIKE_SEND",
    transactionData: {
      accountName: "Ether Reserve",
      amount: "1000000000000000",
      currency: "ethereum",
      maxFees: "141476090490000",
      recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
    },
    feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
  },
};

/** Programs of the same kind that npm offers, where they can be installed. */
async function peers(bench: Bench): Promise<{ rows: Row[]; absent: string[] }> {
  const rows: Row[] = [];
  const absent: string[] = [];
  for (const [name, bin] of [
    ["@stripe/cli", "stripe"],
    ["@ledgerhq/wallet-cli", "wallet-cli"],
  ] as const) {
    const folder = join(bench.folder, bin);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "package.json"), '{"private":true}');
    const install = Bun.spawnSync(
      ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", name],
      {
        cwd: folder,
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    const command = join(folder, "node_modules/.bin", bin);
    if (install.exitCode !== 0 || !existsSync(command)) {
      absent.push(name);
      continue;
    }
    const peer = (argument: string): Subject => ({
      name: `${bin} ${argument}`,
      command: [NODE, command, argument],
      env: { HOME: folder },
      untilOutput: true,
    });
    for (const argument of ["--version", "--help"]) {
      rows.push(
        ...(await compare(
          peer(argument),
          [
            {
              name: `our ${argument}`,
              command: [bench.binary, argument],
              env: { HOME: folder },
              untilOutput: true,
            },
          ],
          bench.settings,
          5,
        )),
      );
    }
  }
  return { rows, absent };
}

async function sizes(empty: string): Promise<Record<string, number>> {
  const runtime = join(ROOT, "node_modules/@oven/bun-linux-x64/bin/bun");
  const [binary, bare, bundle, none] = await Promise.all(
    [hostExecutable(), runtime, packageTarball(), empty].map(
      async (path) => (await stat(path)).size,
    ),
  );
  return {
    binary: binary ?? 0,
    runtime: bare ?? 0,
    ownBytes: (binary ?? 0) - (bare ?? 0),
    npmTarball: bundle ?? 0,
    emptyProgram: none ?? 0,
  };
}

/** The memory of a list, which is a figure of the row for its time. */
function memoryLine(rows: readonly Row[]): string {
  const mb = rows.find(({ what }) => what === "accounts list")?.ownMb ?? Number.NaN;
  const found = Number.isNaN(mb) ? "was not measured" : `is ${mb.toFixed(1)} MB`;
  return `PERF-12: own memory of 'accounts list' ${found}; at most ${LIST_MEMORY_MB} MB.`;
}

function table(rows: readonly Row[]): string {
  const fixed = (value: number, digits: number): string =>
    Number.isNaN(value) ? "-" : value.toFixed(digits);
  const lines = rows.map((row) => {
    const { id = "", what, against, ms, baseMs, ratio, low, high, goal = "", cpuRatio } = row;
    const spread = `${fixed(low, 2)} to ${fixed(high, 2)}`;
    const limit = row.of === "cpuMs" ? `${goal} (CPU)` : goal;
    const times = `${fixed(ms, 1)} | ${fixed(baseMs, 1)} | ${fixed(ratio, 2)} | ${spread} | ${limit}`;
    const memory = `${fixed(row.peakMb, 0)} | ${fixed(row.peakRatio, 2)} | ${fixed(row.ownMb, 1)}`;
    return `| ${id} | ${what} | ${against} | ${times} | ${fixed(cpuRatio, 2)} | ${memory} |`;
  });
  return [
    "| id | what | against | ms | ms there | ratio | quartiles | goal | CPU ratio | peak MB | peak ratio | own MB |",
    `|${" --- |".repeat(12)}`,
    ...lines,
    "",
    memoryLine(rows),
  ].join("\n");
}

async function stopped(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  await child.exited;
}

/** A session on a fresh sandbox, and the sandbox's control path. */
async function openSession(
  folder: string,
  binary: string,
): Promise<{
  readonly env: Record<string, string>;
  control(method: string, name: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}> {
  // A process of its own, so that what it does is not counted while the subject waits for this one.
  const sandbox = Bun.spawn([binary, "sandbox", "start"], {
    env: { HOME: folder, ...NOTHING_PUBLISHED },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await sandbox.stdout.getReader().read();
  const { baseUrls, operator, workspace, control } = JSON.parse(
    new TextDecoder().decode(value),
  ) as SandboxDescription;
  const env = {
    ...environment(folder, "session", baseUrls.v2),
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
    LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: operator.privateKey,
  };
  await mkdir(env.HOME, { recursive: true });
  await login(binary, env);
  return {
    env,
    async control(method, name, body) {
      const headers = { "content-type": "application/json" };
      const sent = body === undefined ? {} : { headers, body: JSON.stringify(body) };
      const answer = await fetch(`${control}/${name}`, { method, ...sent });
      if (!answer.ok) throw new Error(`the sandbox refused ${method} ${name}`);
      return answer.json();
    },
    stop: () => stopped(sandbox),
  };
}

/** The same, and requests of it, one of them with its challenge. */
async function prepare(
  folder: string,
  binary: string,
): Promise<{
  env: Record<string, string>;
  ids: { request: string; evm: string; challenge: string };
  stop(): Promise<void>;
}> {
  const { env, stop } = await openSession(folder, binary);
  const ask = async (argv: readonly string[]): Promise<Record<string, unknown>> =>
    JSON.parse(
      await new Response(Bun.spawn([binary, ...argv], { env, stderr: "ignore" }).stdout).text(),
    ) as Record<string, unknown>;
  const transactionData = {
    accountName: "ClientA COL TBTC 1",
    amount: "1500000",
    currency: "bitcoin_testnet",
    maxFees: "4018",
    recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
  };
  const request = {
    type: "CREATE_TRANSACTION",
    data: {
      accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000001",
      transactionType: "BITCOIN_LIKE_SEND",
      transactionData,
      feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
    },
  };
  const { id } = await ask(["requests", "create", "--requestData", JSON.stringify(request)]);
  const { challenge } = await ask(["requests", "getChallenge", "--id", String(id)]);
  const evm = await ask(["requests", "create", "--requestData", JSON.stringify(EVM_REQUEST)]);
  if (typeof id !== "string" || typeof challenge !== "string" || typeof evm.id !== "string")
    throw new Error(`the sandbox took no request: ${JSON.stringify(evm)}`);
  return { env, ids: { request: id, evm: evm.id, challenge }, stop };
}

const PARTS = ["startup", "relay", "lists", "crowd", "peers", "services", "belts", "memory"];

/** The parts to run, and which of their rows: `--only` names parts, or texts of rows. */
function asked(): { readonly parts: readonly string[]; isWanted(row: string): boolean } {
  const only = option("--only")?.split(",") ?? [];
  const texts = only.filter((word) => !PARTS.includes(word));
  const named = PARTS.filter((part) => only.includes(part));
  const all = process.argv.includes("--quick") ? PARTS.filter((part) => part !== "peers") : PARTS;
  const parts = named.length > 0 ? named : all;
  return {
    parts: parts.filter((part) => texts.length === 0 || named.length > 0 || part !== "peers"),
    isWanted: (row) => texts.length === 0 || texts.some((text) => row.includes(text)),
  };
}

async function measureAll(
  bench: Bench,
  parts: readonly string[],
): Promise<Record<string, unknown> & { rows: Row[] }> {
  const { settings } = bench;
  const rows: Row[] = [];
  const facts: Record<string, unknown> = {};
  for (const part of parts) {
    const start = Bun.nanoseconds();
    if (part === "startup") rows.push(...(await startUp(bench)));
    if (part === "relay") rows.push(...(await bigRelay(bench)));
    if (part === "lists") rows.push(...(await longLists(bench)));
    if (part === "crowd" && settings.isWanted("200 processes, one refresh")) {
      const { row, ...counts } = await crowd(bench);
      rows.push(row);
      facts.crowd = counts;
    }
    if (part === "peers") {
      const others = await peers(bench);
      rows.push(...others.rows);
      facts.absentPeers = others.absent;
    }
    if (part === "belts" && settings.isWanted(BELTS)) facts.belts = await measureBelts();
    if (part === "memory" && settings.isWanted(MEMORY) && OBSTACLE === undefined) {
      for (const path of [bench.folder, bench.binary]) await chmod(path, 0o755);
      facts.guardMemory = await measureMemory(bench.binary);
    }
    if (part === "services") {
      const found = await services(bench);
      rows.push(...found.rows);
      facts.absentServices = found.absent;
    }
    process.stderr.write(`${part}: ${((Bun.nanoseconds() - start) / 1e9).toFixed(0)} s\n`);
  }
  return { rows, ...facts };
}

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly bun: string;
  readonly node: string;
  readonly date: string;
  readonly rounds: number;
}

const PICTURE = join(ROOT, "docs/images/performance.svg");

async function draw(rows: readonly Row[], machine: Machine): Promise<void> {
  const { cpu, cores, bun, node, date, rounds } = machine;
  const caption = `${cpu}, ${cores} cores; Bun ${bun}, Node ${node}; ${date}; ${rounds} pairs`;
  await mkdir(dirname(PICTURE), { recursive: true });
  await writeFile(PICTURE, plot(rows, caption));
}

async function run(): Promise<void> {
  const isQuick = process.argv.includes("--quick");
  const rounds = Number(option("--rounds") ?? (isQuick ? 5 : 25));
  const { parts, isWanted } = asked();
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    const compiled = await compileEmpty(folder);
    // Both copied in the same way: how a file came into the page cache changes the start of the
    // program in it by a quarter.
    const [binary, empty] = [join(folder, "ours"), join(folder, "other")];
    await copyFile(hostExecutable(), binary);
    await copyFile(compiled, empty);
    await writeFile(join(folder, "empty.mjs"), "");
    const bench: Bench = {
      settings: { rounds, isQuick, isWanted },
      folder,
      binary,
      npm: [NODE, join(DIST, "npm/bin/ledger-enterprise-cli.cjs")],
      empty: { name: "empty compiled program", command: [empty] },
      emptyNode: { name: "empty Node 22 script", command: [NODE, join(folder, "empty.mjs")] },
    };
    const machine: Machine = {
      cpu: cpus()[0]?.model ?? "",
      cores: cpus().length,
      bun: Bun.version,
      node: Bun.spawnSync([NODE, "--version"]).stdout.toString().trim(),
      date: new Date().toISOString().slice(0, 10),
      rounds,
    };
    const result = { machine, ...(await measureAll(bench, parts)), sizes: await sizes(empty) };
    await writeFile(
      option("--out") ?? join(DIST, "bench.json"),
      `${JSON.stringify(result, null, 2)}\n`,
    );
    const { rows, ...rest } = result;
    process.stdout.write(`${table(rows)}\n\n${JSON.stringify(rest)}\n`);
    if (process.argv.includes("--plot")) await draw(rows, machine);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const from = option("--from");
  if (from === undefined) await run();
  else {
    const { rows, machine } = JSON.parse(await readFile(from, "utf8")) as {
      readonly rows: Row[];
      readonly machine: Machine;
    };
    await draw(rows, machine);
  }
}
