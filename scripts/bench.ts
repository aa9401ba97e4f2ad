/**
 * `npm run bench [-- --rounds N] [-- --out FILE]`: start-up, memory and long lists, as ratios
 * within one run. Runs of the things that are compared are interleaved, so that a noisy machine
 * slows both; medians are printed. Needs `npm run build` first.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type SandboxDescription, startSandbox } from "../src/sandbox/index.ts";
import { NOTHING_PUBLISHED } from "../test/support/releases.ts";
import { countedBytes } from "../test/support/sandbox.ts";
import { DIST, hostExecutable, packageTarball, ROOT } from "./build.ts";

interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Timed until it says something, then ended: a peer may answer, wait for a network that is not
   * there, and fail.
   */
  readonly untilOutput?: boolean;
}

interface Figures {
  readonly ms: number;
  /** Processor time of all its threads. */
  readonly cpuMs: number;
}

interface Row {
  readonly what: string;
  readonly against: string;
  readonly ms: number;
  readonly baseMs: number;
  /**
   * Median over the rounds of this run's time divided by the time of its neighbour in the same
   * round.
   */
  readonly ratio: number;
  readonly cpuRatio: number;
  readonly peakMb: number;
  readonly peakRatio: number;
  readonly goal?: number;
}

const NODE = join(ROOT, "node_modules/node22/bin/node");
const rounds = Number(option("--rounds") ?? 25);

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function once({ name, command, env, untilOutput }: Subject): Promise<Figures> {
  const start = Bun.nanoseconds();
  if (untilOutput) return firstOutput(command, env, start);
  const child = Bun.spawn([...command], {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const exit = await child.exited;
  const ms = (Bun.nanoseconds() - start) / 1e6;
  if (exit !== 0) throw new Error(`'${name}' ended with ${exit}.`);
  return { ms, cpuMs: Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN) / 1000 };
}

async function firstOutput(
  command: readonly string[],
  env: Subject["env"],
  start: number,
): Promise<Figures> {
  const child = Bun.spawn([...command], {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    detached: true,
  });
  await child.stdout.getReader().read();
  const ms = (Bun.nanoseconds() - start) / 1e6;
  try {
    // What npm installs may only be a launcher: the whole group ends.
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
  await child.exited;
  return { ms, cpuMs: Number.NaN };
}

const TIME = "/usr/bin/time";

/**
 * Peak resident memory, median of three runs. A process begins with the peak of the one that forked
 * it, which here is a runtime of many megabytes; so GNU time, which is small, starts the subject.
 * NaN where it is not installed.
 */
async function peakOf({ command, env, untilOutput }: Subject): Promise<number> {
  if (untilOutput || !existsSync(TIME)) return Number.NaN;
  const peaks: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = Bun.spawn([TIME, "-f", "peak %M", ...command], {
      env: { PATH: "/usr/bin:/bin", ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const report = await new Response(child.stderr).text();
    peaks.push(Number(/peak (\d+)/.exec(report)?.[1] ?? Number.NaN) / 1024);
  }
  return median(peaks);
}

/** Interleaves the subjects and drops a first round; returns the rounds of each. */
async function measure(subjects: readonly Subject[], times: number): Promise<Figures[][]> {
  const runs: Figures[][] = subjects.map(() => []);
  for (let round = 0; round <= times; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const figures = await once(subject);
      if (round > 0) runs[at]?.push(figures);
    }
  }
  return runs;
}

function pairedRatio(
  runs: readonly Figures[],
  base: readonly Figures[],
  of: keyof Figures,
): number {
  return median(runs.map((figures, at) => figures[of] / (base[at]?.[of] ?? Number.NaN)));
}

/** Each subject against the first one. */
async function compare(
  base: Subject,
  others: readonly (Subject & { goal?: number })[],
  times = rounds,
): Promise<Row[]> {
  const [first = [], ...rest] = await measure([base, ...others], times);
  const basePeak = await peakOf(base);
  const rows: Row[] = [];
  for (const [at, other] of others.entries()) {
    const runs = rest[at] ?? [];
    const peakMb = await peakOf(other);
    rows.push({
      what: other.name,
      against: base.name,
      ms: median(runs.map(({ ms }) => ms)),
      baseMs: median(first.map(({ ms }) => ms)),
      ratio: pairedRatio(runs, first, "ms"),
      cpuRatio: pairedRatio(runs, first, "cpuMs"),
      peakMb,
      peakRatio: peakMb / basePeak,
      ...(other.goal === undefined ? {} : { goal: other.goal }),
    });
  }
  return rows;
}

/** A list server that takes one millisecond a page, and relays of any size. */
function startLists(accounts: number): { url: string; stop(): void } {
  const account = (at: number): string =>
    `{"id":"e5a8f6f0-2222-4f6e-8f5a-${String(at).padStart(12, "0")}","legacyId":${at},"name":"Account ${at}","currency":"ethereum","network":"ethereum","contractAddress":null,"index":${at},"derivationPath":"44'/60'/${at}'","status":"ACTIVE","createdAt":"2026-05-13T09:30:00.000Z","updatedAt":"2026-05-13T09:30:00.000Z","balance":{"total":"12345678901234567890${at}","pending":"0"}}`;
  const json = { headers: { "content-type": "application/json" } };
  const big = `{"page":1,"next":null,"prev":null,"pageSize":30,"total":60000,"results":[${Array.from({ length: 60_000 }, (_, at) => account(at)).join(",")}]}`;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/auth/token") return Response.json(TOKENS);
      if (url.pathname === "/users/me") return Response.json({ id: "u1", name: "bench" });
      if (url.pathname === "/big") return new Response(big, json);
      const page = Number(url.searchParams.get("page") ?? 1);
      await Bun.sleep(1);
      const from = (page - 1) * 30;
      const items = Array.from({ length: Math.min(30, accounts - from) }, (_, at) =>
        account(from + at),
      );
      const next = from + 30 < accounts ? page + 1 : null;
      return new Response(
        `{"page":${page},"next":${next},"prev":null,"pageSize":30,"total":${accounts},"results":[${items.join(",")}]}`,
        json,
      );
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) };
}

const TOKENS = {
  accessToken: "bench-access-token",
  expiresInSeconds: 3600,
  refreshToken: "bench-refresh-token",
  refreshExpiresInSeconds: 7200,
};

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

async function startUp(bench: Bench): Promise<Row[]> {
  const { env, ids, stop } = await prepare(bench.folder, bench.binary);
  const rows = (
    program: readonly string[],
    goals: Readonly<Record<string, number>>,
  ): (Subject & { goal?: number })[] =>
    [
      ["--version"],
      ["--help"],
      ["accounts", "list"],
      ["requests", "get", "--id", ids.request],
      ["requests", "sign", "--challenge", ids.challenge],
      ["requests", "approve", "api", "--sign", "--dryRun", "--id", ids.request],
    ].map((argv) => {
      const name = argv
        .filter(
          (word) =>
            word !== ids.request &&
            word !== ids.challenge &&
            word !== "--id" &&
            word !== "--challenge",
        )
        .join(" ");
      return {
        name,
        command: [...program, ...argv],
        env,
        ...(goals[name] === undefined ? {} : { goal: goals[name] }),
      };
    });
  const binary = await compare(
    bench.empty,
    rows([bench.binary], { "--version": 1.25, "accounts list": 3.5, "requests sign": 3.2 }),
  );
  const npm = await compare(
    bench.emptyNode,
    rows(bench.npm, { "--version": 1.1, "accounts list": 2.2 }),
  );
  await stop();
  return [...binary, ...npm];
}

/** `--all` against curl over the same pages, each on one kept connection. */
async function longLists(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const accounts of [1_000, 10_000, 100_000]) {
    const lists = startLists(accounts);
    const env = environment(bench.folder, `lists-${accounts}`, lists.url);
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
    const all = {
      name: `accounts list --all, ${accounts} accounts`,
      command: [bench.binary, "accounts", "list", "--all", "--timeout", "600"],
      env,
      goal: 1.1,
    };
    rows.push(...(await compare(curl, [all], accounts > 50_000 ? 2 : 5)));
    lists.stop();
  }
  return rows;
}

/** Relaying some 20 MB against a script that parses and prints them. */
async function bigRelay(bench: Bench): Promise<Row[]> {
  const lists = startLists(30);
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
    goal: 1.5,
  };
  const rows = await compare(base, [relay], 7);
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
    let ahead = 0;
    const sandbox = await startSandbox({ clock: () => Date.now() + ahead, random: countedBytes() });
    const { baseUrls, operator, workspace } = sandbox.description;
    const env = {
      ...environment(bench.folder, `crowd-${expired}-${Bun.nanoseconds()}`, baseUrls.v2),
      LEDGER_ENTERPRISE_WORKSPACE: workspace,
      LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
      LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
    };
    await mkdir(env.HOME, { recursive: true });
    await login(bench.binary, env);
    if (expired) ahead = 301_000;
    sandbox.control.clearLog();
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
    const refreshes = sandbox.control.log.filter(({ path }) =>
      path.endsWith("/auth/token/refresh"),
    ).length;
    await sandbox.close();
    return { ms, refreshes, failures: exits.filter((exit) => exit !== 0).length };
  };
  const pairs: (readonly [Crowd, Crowd])[] = [];
  for (let at = 0; at < 3; at += 1) pairs.push([await timed(false), await timed(true)] as const);
  const [baseMs, ms] = [
    median(pairs.map(([base]) => base.ms)),
    median(pairs.map(([, other]) => other.ms)),
  ];
  const row = {
    what: "200 processes, one refresh",
    against: "200 processes, none",
    ms,
    baseMs,
    ratio: ms / baseMs,
    cpuRatio: Number.NaN,
    peakMb: Number.NaN,
    peakRatio: Number.NaN,
    goal: 1.3,
  };
  return {
    row,
    refreshes: Math.max(...pairs.map(([, { refreshes }]) => refreshes)),
    failures: pairs.flat().reduce((sum, { failures }) => sum + failures, 0),
  };
}

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

function table(rows: readonly Row[]): string {
  const fixed = (value: number, digits: number): string =>
    Number.isNaN(value) ? "-" : value.toFixed(digits);
  const lines = rows.map(
    (row) =>
      `| ${row.what} | ${row.against} | ${fixed(row.ms, 1)} | ${fixed(row.baseMs, 1)} | ${fixed(row.ratio, 2)} | ${row.goal ?? ""} | ${fixed(row.cpuRatio, 2)} | ${fixed(row.peakMb, 0)} | ${fixed(row.peakRatio, 2)} |`,
  );
  return [
    "| what | against | ms | ms there | ratio | goal | CPU ratio | peak MB | peak ratio |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

async function stopped(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  await child.exited;
}

/** A session on a fresh sandbox, and a request of it whose challenge is known. */
async function prepare(
  folder: string,
  binary: string,
): Promise<{
  env: Record<string, string>;
  ids: { request: string; challenge: string };
  stop(): Promise<void>;
}> {
  // A process of its own, so that what it does is not counted while the subject waits for this one.
  const sandbox = Bun.spawn([binary, "sandbox", "start"], {
    env: { HOME: folder, ...NOTHING_PUBLISHED },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await sandbox.stdout.getReader().read();
  const { baseUrls, operator, workspace } = JSON.parse(
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
  if (typeof id !== "string" || typeof challenge !== "string")
    throw new Error("the sandbox took no request");
  return { env, ids: { request: id, challenge }, stop: () => stopped(sandbox) };
}

/** Parts that can be asked for alone: `--only startup,lists`. */
const PARTS = ["startup", "relay", "lists", "crowd", "peers"];

function asked(): readonly string[] {
  const only = option("--only")?.split(",") ?? PARTS;
  const unknown = only.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0)
    throw new Error(`--only knows ${PARTS.join(", ")}; not ${unknown.join(", ")}`);
  return only;
}

async function measureAll(bench: Bench): Promise<Record<string, unknown> & { rows: Row[] }> {
  const rows: Row[] = [];
  const facts: Record<string, unknown> = {};
  for (const part of asked()) {
    const start = Bun.nanoseconds();
    if (part === "startup") rows.push(...(await startUp(bench)));
    if (part === "relay") rows.push(...(await bigRelay(bench)));
    if (part === "lists") rows.push(...(await longLists(bench)));
    if (part === "crowd") {
      const { row, ...counts } = await crowd(bench);
      rows.push(row);
      facts.crowd = counts;
    }
    if (part === "peers") {
      const others = await peers(bench);
      rows.push(...others.rows);
      facts.absentPeers = others.absent;
    }
    process.stderr.write(`${part}: ${((Bun.nanoseconds() - start) / 1e9).toFixed(0)} s\n`);
  }
  return { rows, ...facts };
}

if (import.meta.main) {
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
      folder,
      binary,
      npm: [NODE, join(DIST, "npm/bin/ledger-enterprise-cli.cjs")],
      empty: { name: "empty compiled program", command: [empty] },
      emptyNode: { name: "empty Node 22 script", command: [NODE, join(folder, "empty.mjs")] },
    };
    const machine = {
      cpu: cpus()[0]?.model ?? "",
      cores: cpus().length,
      bun: Bun.version,
      node: Bun.spawnSync([NODE, "--version"]).stdout.toString().trim(),
      date: new Date().toISOString().slice(0, 10),
      rounds,
    };
    const result = { machine, ...(await measureAll(bench)), sizes: await sizes(empty) };
    await writeFile(
      option("--out") ?? join(DIST, "bench.json"),
      `${JSON.stringify(result, null, 2)}\n`,
    );
    const { rows, ...rest } = result;
    process.stdout.write(`${table(rows)}\n\n${JSON.stringify(rest)}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
