/**
 * A guard and an agent under users of their own on this machine, with a sandbox between them. Needs
 * root, which starts both and then is neither.
 */
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { PAYOUT } from "../support/payout.ts";
import { lacks } from "../support/programs.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";

/** Users that are not in use on the machine. */
export const GUARD_UID = 61_371;
export const AGENT_UID = 61_372;
export const OTHER_UID = 61_373;

/** Why two users cannot be had here, or undefined. Throws in CI, where they can. */
export const OBSTACLE: string | undefined = obstacle();

function obstacle(): string | undefined {
  if (process.platform !== "linux") return "only on Linux";
  if (process.getuid?.() !== 0) {
    if (process.env.CI === "true") throw new Error("The tests of the guard need root in CI.");
    return "needs root, to start processes of two other users";
  }
  return lacks("setpriv", "strace", "unshare") ? "needs strace and util-linux" : undefined;
}

export type Json = Record<string, unknown>;

const ASSET = { currency: "bitcoin_testnet", decimals: 8 };
/** Pays one account's coins to one address: at most 0.03 at once, 0.06 a day. */
export const POLICY = {
  ...{ version: 1, id: "payments", reads: "all" },
  allow: [
    {
      ...{ id: "hosting", decisions: ["create", "approve"], types: ["CREATE_TRANSACTION"] },
      ...{ transactionTypes: ["BITCOIN_LIKE_SEND"], accounts: [PAYOUT.accountId], asset: ASSET },
      ...{ destinations: [{ address: PAYOUT.transactionData.recipient }], perRequest: "0.03" },
      ...{ fees: { strategies: ["SPEED"], max: "0.0001", decimals: 8 }, note: 100 },
    },
  ],
  windows: [
    {
      ...{ id: "day", asset: ASSET, accounts: "any", destinations: "any" },
      ...{ per: "24h", amount: "0.06", count: 20 },
    },
  ],
};

/** A payment within the policy, but for what is changed. */
export function payment(amount: string, more: object = {}): string {
  const transactionData = { ...PAYOUT.transactionData, amount, ...more };
  return JSON.stringify({ type: "CREATE_TRANSACTION", data: { ...PAYOUT, transactionData } });
}

/** How this source is started by another user, or another form of the program. */
export const SOURCE_COMMAND: readonly string[] = [process.execPath, join(ROOT, "src/main.ts")];

/** The same, with a clock that the file TEST_CLOCK_FILE sets. */
export const CLOCKED_COMMAND: readonly string[] = [
  ...[process.execPath, "--preload", join(ROOT, "test/guard/clock.ts")],
  join(ROOT, "src/main.ts"),
];

/** Replaces a file that the guard may be reading: it sees the old text or the new one. */
export async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
}

export interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly document: Json;
  readonly error: { readonly code: string; readonly message: string; readonly details: Json };
}

/** Starts a command as a user without any other group. */
export function asUser(uid: number, command: readonly string[], groups: readonly number[] = []) {
  const list = groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")];
  return ["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, ...list, "--", ...command];
}

async function finished(
  child: Bun.Subprocess<"pipe" | Blob | "ignore", "pipe", "pipe">,
): Promise<Ran> {
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  const document = (stdout.startsWith("{") ? JSON.parse(stdout) : {}) as Json;
  return { exit: child.exitCode, stdout, stderr, document, error: document.error as Ran["error"] };
}

export interface Options {
  readonly policy?: unknown;
  /** What the guard is started with. */
  readonly command?: readonly string[];
  /** What the agent uses. */
  readonly agentCommand?: readonly string[];
  readonly guardEnv?: Record<string, string>;
  /** Of a sandbox that is there already; without it one is opened. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Without it `guard adopt` is not run. */
  readonly adopt?: readonly string[] | undefined;
  readonly start?: boolean;
  /** The API of version 1. */
  readonly isV1?: boolean;
  /** Puts the state on a disk of its own: options of a tmpfs, such as `size=96m`. */
  readonly disk?: string;
}

function mount(...options: string[]): void {
  const { success, stderr } = Bun.spawnSync(["mount", ...options]);
  if (!success) throw new Error(`mount: ${stderr.toString()}`);
}

/** Opens all of it; `await using` closes it. What was opened is closed when the rest fails, too. */
export async function openTwoUsers(options: Options = {}) {
  await using opened = new AsyncDisposableStack();
  const { command = SOURCE_COMMAND, agentCommand = command } = options;
  // Every folder on the way belongs to root, as a policy and a socket must have it.
  const folder = await mkdtemp("/run/lec-guard-");
  opened.defer(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  const at = (name: string): string => join(folder, name);
  const [state, home, sockets] = [at("state"), at("home"), at("sockets")];
  await mkdir(state, { mode: 0o700 });
  if (options.disk !== undefined) {
    mount("-t", "tmpfs", "-o", options.disk, "none", state);
    opened.defer(() => {
      Bun.spawnSync(["umount", state]);
    });
  }
  await chmod(state, 0o700);
  await chown(state, GUARD_UID, GUARD_UID);
  await mkdir(home, { mode: 0o700 });
  await chown(home, AGENT_UID, AGENT_UID);
  await mkdir(sockets);
  await chown(sockets, GUARD_UID, AGENT_UID);
  await chmod(sockets, 0o2750);
  const policyPath = at("policy.json");
  const setPolicy = async (policy: unknown): Promise<void> => {
    const text = typeof policy === "string" ? policy : JSON.stringify(policy);
    await replace(policyPath, text);
  };
  await setPolicy(options.policy ?? POLICY);
  const sandbox = await startSandbox({});
  opened.defer(() => sandbox.close());
  const { baseUrls, workspace, operator } = sandbox.description;
  const {
    LEDGER_ENTERPRISE_API_KEY_SECRET: apiKeySecret = operator.apiKeySecret,
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: privateKey = operator.privateKey,
    ...others
  } = options.environment ?? {};
  const secret = async (name: string, value: string): Promise<string> => {
    await writeFile(at(name), value, { mode: 0o600 });
    await chown(at(name), GUARD_UID, GUARD_UID);
    return at(name);
  };
  const guardEnv: Record<string, string> = {
    ...{ HOME: state, PATH: process.env.PATH ?? "" },
    LEDGER_ENTERPRISE_STATE_DIR: state,
    LEDGER_ENTERPRISE_POLICY_FILE: policyPath,
    LEDGER_ENTERPRISE_API_URL: options.isV1 === true ? baseUrls.v1 : baseUrls.v2,
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
    LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: await secret("api-key-secret", apiKeySecret),
    LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: await secret("private-key", privateKey),
    ...NOTHING_PUBLISHED,
    ...others,
    ...options.guardEnv,
  };
  const socket = join(sockets, "payments.sock");
  const agentEnv = {
    ...{ HOME: home, PATH: process.env.PATH ?? "", LEDGER_ENTERPRISE_GUARD: socket },
    ...NOTHING_PUBLISHED,
  };
  const asGuard = (...argv: string[]): Promise<Ran> =>
    finished(
      Bun.spawn(asUser(GUARD_UID, [...command, ...argv]), {
        ...{ cwd: "/", env: guardEnv, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      }),
    );
  const agentWith = (env: Record<string, string>, ...argv: string[]): Promise<Ran> =>
    finished(
      Bun.spawn(asUser(AGENT_UID, [...agentCommand, ...argv]), {
        ...{ cwd: "/", env: { ...agentEnv, ...env }, stdin: "ignore" },
        ...{ stdout: "pipe", stderr: "pipe" },
      }),
    );
  const agent = (...argv: string[]): Promise<Ran> => agentWith({}, ...argv);
  const version = options.isV1 === true ? ["--apiVersion", "v1"] : [];
  if (options.adopt !== undefined || !("adopt" in options)) {
    const adopted = await asGuard(
      "guard",
      "adopt",
      "--reason",
      "first start",
      ...version,
      ...(options.adopt ?? []),
    );
    if (adopted.exit !== 0) throw new Error(`adopt: ${adopted.stdout}${adopted.stderr}`);
  }
  const guard = new GuardProcess(command, guardEnv, socket, version);
  opened.defer(async () => {
    await guard.stop();
  });
  if (options.start !== false) await guard.start();
  sandbox.control.clearLog();
  const everything = opened.move();
  return {
    ...{ folder, state, home, sockets, socket, policyPath, setPolicy, sandbox, guardEnv, agentEnv },
    ...{ asGuard, agent, agentWith, agentCommand, guard, operator },
    uids: { guard: GUARD_UID, agent: AGENT_UID },
    /** Calls that change something, in their order. */
    writes: (): string[] =>
      sandbox.control.log
        .filter(({ method, path }) => method === "POST" && path.includes("/requests"))
        .map(({ path }) => path),
    trail: async (): Promise<Json[]> => {
      const names = [...new Bun.Glob("audit-*").scanSync(join(state, "audit"))].sort();
      const texts = await Promise.all(
        names.map((name) => readFile(join(state, "audit", name), "utf8")),
      );
      // Behind the last line feed is a line that the guard has not written whole yet.
      return texts
        .join("")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Json);
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** `guard serve` as a process of the guard's user. */
export class GuardProcess {
  private child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  private err: Promise<string> | undefined;

  constructor(
    private readonly command: readonly string[],
    private readonly env: Record<string, string>,
    private readonly socket: string,
    private readonly more: readonly string[],
  ) {}

  /** Returns once it serves; throws with its words when it does not. */
  async start(allowed = [AGENT_UID]): Promise<void> {
    const uids = allowed.flatMap((uid) => ["--allowUid", `${uid}`]);
    const argv = ["guard", "serve", "--socket", this.socket, ...uids, ...this.more];
    const child = Bun.spawn(asUser(GUARD_UID, [...this.command, ...argv]), {
      ...{ cwd: "/", env: this.env, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    });
    this.child = child;
    this.err = new Response(child.stderr).text();
    let text = "";
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.endsWith("\n")) break;
    }
    const document = JSON.parse(text || "{}") as Json;
    if ("guard" in document) return;
    await child.exited;
    throw new Error(text);
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Ends it and returns its exit and its stderr. */
  async stop(): Promise<{ exit: number | null; stderr: string }> {
    const { child } = this;
    if (child === undefined) return { exit: null, stderr: "" };
    child.kill("SIGTERM");
    await child.exited;
    this.child = undefined;
    return { exit: child.exitCode, stderr: (await this.err) ?? "" };
  }
}
