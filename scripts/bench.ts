/**
 * `npm run bench [-- --rounds N] [-- --out FILE]`: start-up, memory and long lists, as ratios within one run. Runs of the things that are
 * compared are interleaved, so that a noisy machine slows both; medians are printed. Needs `npm run build` first.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { startSandbox } from "../src/sandbox/index.ts";
import { countedBytes } from "../test/support/sandbox.ts";
import { DIST, hostExecutable, packageTarball, ROOT } from "./build.ts";

interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs that fail are refused, but for a peer that answers in its own way. */
  readonly mayFail?: boolean;
}

interface Figures {
  readonly ms: number;
  readonly peakMb: number;
}

interface Row {
  readonly what: string;
  readonly against: string;
  readonly ms: number;
  readonly baseMs: number;
  readonly ratio: number;
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

async function once({ name, command, env, mayFail }: Subject): Promise<Figures> {
  const start = Bun.nanoseconds();
  const child = Bun.spawn([...command], {
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const exit = await child.exited;
  const ms = (Bun.nanoseconds() - start) / 1e6;
  if (exit !== 0 && mayFail !== true) throw new Error(`'${name}' ended with ${exit}.`);
  return { ms, peakMb: (child.resourceUsage()?.maxRSS ?? Number.NaN) / 1024 / 1024 };
}

/** Interleaves the subjects, drops a first round, and gives each one's medians. */
async function measure(subjects: readonly Subject[], times = rounds): Promise<Figures[]> {
  const runs: Figures[][] = subjects.map(() => []);
  for (let round = 0; round <= times; round += 1) {
    for (const [at, subject] of subjects.entries()) {
      const figures = await once(subject);
      if (round > 0) runs[at]?.push(figures);
    }
  }
  return runs.map((figures) => ({
    ms: median(figures.map(({ ms }) => ms)),
    peakMb: median(figures.map(({ peakMb }) => peakMb)),
  }));
}

/** Each subject against the first one. */
async function compare(
  base: Subject,
  others: readonly (Subject & { goal?: number })[],
  times = rounds,
): Promise<Row[]> {
  const [first, ...rest] = await measure([base, ...others], times);
  if (first === undefined) throw new Error("nothing was measured");
  return rest.map((figures, at) => ({
    what: others[at]?.name ?? "",
    against: base.name,
    ms: figures.ms,
    baseMs: first.ms,
    ratio: figures.ms / first.ms,
    peakMb: figures.peakMb,
    peakRatio: figures.peakMb / first.peakMb,
    ...(others[at]?.goal === undefined ? {} : { goal: others[at].goal }),
  }));
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
      const items = Array.from({ length: Math.min(30, accounts - from) }, (_, at) => account(from + at));
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
  readonly session: Readonly<Record<string, string>>;
}

async function login(binary: string, env: Readonly<Record<string, string>>): Promise<void> {
  await once({ name: "login api", command: [binary, "login", "api"], env });
}

function environment(folder: string, name: string, url: string): Record<string, string> & { HOME: string } {
  return {
    HOME: join(folder, name),
    LEDGER_ENTERPRISE_API_URL: url,
    LEDGER_ENTERPRISE_WORKSPACE: "sandbox",
    LEDGER_ENTERPRISE_API_KEY_ID: "id",
    LEDGER_ENTERPRISE_API_KEY_SECRET: "bench-secret-not-real",
    // Nothing is published there, so that the version gate answers from its cache.
    LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:9",
    LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:9",
  };
}

async function startUp(
  bench: Bench,
  sandboxEnv: Record<string, string>,
  ids: { request: string; challenge: string },
): Promise<Row[]> {
  const env = sandboxEnv;
  const rows = (program: readonly string[], goals: Readonly<Record<string, number>>): (Subject & { goal?: number })[] =>
    [
      ["--version"],
      ["--help"],
      ["accounts", "list"],
      ["requests", "get", "--id", ids.request],
      ["requests", "sign", "--challenge", ids.challenge],
      ["requests", "approve", "api", "--sign", "--dryRun", "--id", ids.request],
    ].map((argv) => {
      const name = argv
        .filter((word) => word !== ids.request && word !== ids.challenge && word !== "--id" && word !== "--challenge")
        .join(" ");
      return { name, command: [...program, ...argv], env, ...(goals[name] === undefined ? {} : { goal: goals[name] }) };
    });
  const binary = await compare(
    bench.empty,
    rows([bench.binary], { "--version": 1.25, "accounts list": 3.5, "requests sign": 3.2 }),
  );
  const npm = await compare(bench.emptyNode, rows(bench.npm, { "--version": 1.1, "accounts list": 2.2 }));
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
      Array.from({ length: pages }, (_, at) => `url="${lists.url}/accounts?page=${at + 1}"\noutput="/dev/null"\n`).join(
        "",
      ),
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
  const relay = { name: "api --path, 20 MB", command: [bench.binary, "api", "--path", "/big"], env, goal: 1.5 };
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
        stdout: "ignore",
        stderr: "ignore",
      }),
    );
    const exits = await Promise.all(children.map(({ exited }) => exited));
    const ms = (Bun.nanoseconds() - start) / 1e6;
    const refreshes = sandbox.control.log.filter(({ path }) => path.endsWith("/auth/token/refresh")).length;
    await sandbox.close();
    return { ms, refreshes, failures: exits.filter((exit) => exit !== 0).length };
  };
  const pairs: (readonly [Crowd, Crowd])[] = [];
  for (let at = 0; at < 3; at += 1) pairs.push([await timed(false), await timed(true)] as const);
  const [baseMs, ms] = [median(pairs.map(([base]) => base.ms)), median(pairs.map(([, other]) => other.ms))];
  const row = {
    what: "200 processes, one refresh",
    against: "200 processes, none",
    ms,
    baseMs,
    ratio: ms / baseMs,
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
    const install = Bun.spawnSync(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", name], {
      cwd: folder,
      stdout: "ignore",
      stderr: "ignore",
    });
    const command = join(folder, "node_modules/.bin", bin);
    if (install.exitCode !== 0 || !existsSync(command)) {
      absent.push(name);
      continue;
    }
    const peer = (argument: string): Subject => ({
      name: `${bin} ${argument}`,
      command: [NODE, command, argument],
      env: { HOME: folder },
      mayFail: true,
    });
    for (const argument of ["--version", "--help"]) {
      rows.push(
        ...(await compare(
          peer(argument),
          [{ name: `our ${argument}`, command: [bench.binary, argument], env: { HOME: folder } }],
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
    [hostExecutable(), runtime, packageTarball(), empty].map(async (path) => (await stat(path)).size),
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
  const fixed = (value: number, digits: number): string => (Number.isNaN(value) ? "-" : value.toFixed(digits));
  const lines = rows.map(
    (row) =>
      `| ${row.what} | ${row.against} | ${fixed(row.ms, 1)} | ${fixed(row.baseMs, 1)} | ${fixed(row.ratio, 2)} | ${row.goal ?? ""} | ${fixed(row.peakMb, 0)} | ${fixed(row.peakRatio, 2)} |`,
  );
  return [
    "| what | against | ms | ms there | ratio | goal | peak MB | peak ratio |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** A session on a fresh sandbox, and a request of it whose challenge is known. */
async function prepare(
  folder: string,
  binary: string,
): Promise<{ env: Record<string, string>; ids: { request: string; challenge: string }; stop(): Promise<void> }> {
  const sandbox = await startSandbox({ random: countedBytes() });
  const { baseUrls, operator, workspace } = sandbox.description;
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
    JSON.parse(await new Response(Bun.spawn([binary, ...argv], { env, stderr: "ignore" }).stdout).text()) as Record<
      string,
      unknown
    >;
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
  if (typeof id !== "string" || typeof challenge !== "string") throw new Error("the sandbox took no request");
  return { env, ids: { request: id, challenge }, stop: () => sandbox.close() };
}

if (import.meta.main) {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    const binary = hostExecutable();
    const empty = await compileEmpty(folder);
    await writeFile(join(folder, "empty.mjs"), "");
    const bench: Bench = {
      folder,
      binary,
      npm: [NODE, join(DIST, "npm/bin/ledger-enterprise-cli.cjs")],
      empty: { name: "empty compiled program", command: [empty] },
      emptyNode: { name: "empty Node 22 script", command: [NODE, join(folder, "empty.mjs")] },
      session: {},
    };
    const prepared = await prepare(folder, binary);
    const rows = await startUp(bench, prepared.env, prepared.ids);
    await prepared.stop();
    rows.push(...(await bigRelay(bench)), ...(await longLists(bench)));
    const crowded = await crowd(bench);
    rows.push(crowded.row);
    const others = await peers(bench);
    const machine = {
      cpu: cpus()[0]?.model ?? "",
      cores: cpus().length,
      bun: Bun.version,
      node: "22",
      date: new Date().toISOString().slice(0, 10),
      rounds,
    };
    const result = {
      machine,
      rows: [...rows, ...others.rows],
      crowd: { refreshes: crowded.refreshes, failures: crowded.failures },
      absentPeers: others.absent,
      sizes: await sizes(empty),
    };
    await writeFile(option("--out") ?? join(DIST, "bench.json"), `${JSON.stringify(result, null, 2)}\n`);
    process.stdout.write(
      `${table(result.rows)}\n\n${JSON.stringify({ ...result.sizes, ...result.crowd, absentPeers: others.absent, ...machine })}\n`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
