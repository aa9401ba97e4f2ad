/**
 * The only file that touches `process`: builds the real context, runs, sets the exit code, and dies
 * by the signal that ended the run.
 */
import process from "node:process";
import type { Early } from "./guard/early.ts";
import { announceQuickly } from "./io/quickversion.ts";
import { VERSION } from "./version.ts";
import type { Context } from "./world.ts";

/**
 * Switches of the runtimes that would weaken us (CFG-7, NET-10). Certificate checks stay on;
 * request tracing stays off; plain http goes only to loopback and so never through a proxy, which
 * leaves HTTPS_PROXY and NO_PROXY as the only proxy variables.
 */
async function neutralise(env: NodeJS.ProcessEnv): Promise<void> {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== undefined) env.NODE_TLS_REJECT_UNAUTHORIZED = "1";
  if (env.BUN_CONFIG_VERBOSE_FETCH !== undefined) env.BUN_CONFIG_VERBOSE_FETCH = "0";
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]) delete env[name];
  for (const name of ["HTTPS_PROXY", "https_proxy"]) {
    const value = env[name]?.trim();
    if (value === "") delete env[name];
    // The runtime drops credentials that are not spelled as it likes.
    else if (value?.includes("@")) {
      const { parseProxy, spellProxy } = await import("./io/proxy.ts");
      const proxy = parseProxy(value);
      if (proxy !== undefined) env[name] = spellProxy(proxy);
    }
  }
}

/** The home folder; the password database answers when HOME is unset (B14). */
async function homeFolder(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const given = process.platform === "win32" ? env.USERPROFILE : env.HOME;
  if (given !== undefined && given !== "") return given;
  const { userInfo } = await import("node:os");
  try {
    return userInfo().homedir || undefined;
  } catch {
    return undefined;
  }
}

/**
 * The machine's name as the system has it now; 0.25 ms less than loading node:os for it (Linux).
 */
async function nameOfMachine(): Promise<string> {
  const { readFileSync } = await import("node:fs");
  try {
    const name = readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
    if (name !== "") return name;
  } catch {
    // Not Linux, or no /proc.
  }
  return (await import("node:os")).hostname();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}

/** The signals that end the program, with their numbers: its status is 128 and the number. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type EndingSignal = keyof typeof SIGNALS;
const SIGNAL_NAMES = Object.keys(SIGNALS) as EndingSignal[];
/** Lets the run know of the first signal. */
let interruptRun = (): void => undefined;
/** Set as soon as there can be a lock. */
let releaseLocks = (): void => undefined;
let endedBy: EndingSignal | undefined;
/** Whether another signal still counts as the first one. */
let isEcho = false;
let endsAtOnce = false;
/** A service that was told to end has done what it was to do. */
let isService = false;

/**
 * One will to end may come as two signals: `timeout` signals its child and then the child's group,
 * npx passes on what the terminal has sent to both, systemd may add SIGHUP. A person is slower.
 */
const ECHO_MS = 300;

/** The first signal lets the run clean up; a second one ends it at once. */
function onSignal(signal: EndingSignal): void {
  if (isEcho) return;
  if (endedBy !== undefined) dieBy(signal);
  endedBy = signal;
  isEcho = true;
  // What came while the clean-up held the process is heard before the timer's immediate.
  const over = (): void => void setImmediate(() => (isEcho = false));
  setTimeout(over, ECHO_MS).unref();
  interruptRun();
}

/**
 * Dies by the signal, so that a shell sees it. The first process of a container has to exit by
 * itself: the system does not end it by a signal that it does not handle.
 */
function dieBy(signal: EndingSignal): void {
  releaseLocks();
  process.removeListener(signal, onSignal);
  process.exitCode = 128 + SIGNALS[signal];
  process.kill(process.pid, signal);
  if (process.pid === 1) process.exit();
}

/**
 * Makes a call that may hold the process, which would hear no signal meanwhile: the system ends it,
 * as it does after `dieBy`.
 */
function unheard<T>(call: () => T): T {
  for (const signal of SIGNAL_NAMES) process.removeListener(signal, onSignal);
  try {
    return call();
  } finally {
    for (const signal of SIGNAL_NAMES) process.on(signal, onSignal);
  }
}

/**
 * The runtime's `fetch`. The executable's gets the authorities that it cannot read by itself; Node
 * reads them all.
 */
function trustingFetch(path: string | undefined): typeof globalThis.fetch {
  const { fetch } = globalThis;
  if (path === undefined || path === "" || process.versions.bun === undefined) return fetch;
  let found: Promise<string[] | undefined> | undefined;
  const trusting = async (url: string, init?: RequestInit): Promise<Response> => {
    if (!url.startsWith("https:")) return fetch(url, init);
    found ??= import("./io/authorities.ts").then(({ authoritiesWith }) => authoritiesWith(path));
    const ca = await found;
    return fetch(url, ca === undefined ? init : { ...init, tls: { ca } });
  };
  return Object.assign(trusting as typeof fetch, { preconnect: fetch.preconnect });
}

/** Printing through the console does nothing from now on: stdout is for protocol lines alone. */
function silenceConsole(): void {
  const silent = Object.keys(globalThis.console).map((name) => [name, () => undefined] as const);
  Object.assign(globalThis.console, Object.fromEntries(silent));
}

/** Settings that a read through a guard has no use for; with any other one the program decides. */
const IDLE_SETTINGS = ["GUARD", "NPM_REGISTRY", "RELEASES_URL"].map(
  (name) => `LEDGER_ENTERPRISE_${name}`,
);

/** A plain read through a guard (guard/early.ts); undefined where there is none to be made. */
async function askGuard(argv: readonly string[]): Promise<0 | Early | undefined> {
  const { env } = process;
  const [path, uid] = [env.LEDGER_ENTERPRISE_GUARD, process.getuid?.()];
  if (path === undefined || uid === undefined) return undefined;
  // The system ends the first process of a container by no signal that it does not handle.
  if (process.pid === 1) return undefined;
  const settings = Object.keys(env).filter((name) => name.startsWith("LEDGER_ENTERPRISE_"));
  if (settings.some((name) => !IDLE_SETTINGS.includes(name))) return undefined;
  return (await import("./guard/early.ts")).askEarly({ argv, path, uid });
}

async function main(early: Early | undefined): Promise<void> {
  await neutralise(process.env);
  const [hostname, { descriptorSink, mayBeTerminal }, { releaseAllSync }, { streamSink }, { run }] =
    await Promise.all([
      nameOfMachine(),
      import("./io/descriptor.ts"),
      import("./core/state/lock.ts"),
      import("./io/stdout.ts"),
      import("./app/run.ts"),
    ]);
  releaseLocks = releaseAllSync;
  // Not before it is needed: making it takes as long as a tenth of an early read's own work.
  const interrupt = new AbortController();
  interruptRun = () => interrupt.abort();
  const isWindows = process.platform === "win32";
  for (const signal of SIGNAL_NAMES) process.on(signal, onSignal);
  // The system ends the first process of a container by no signal that it does not hear.
  const hold = process.pid === 1 ? undefined : unheard;
  const context: Context = {
    env: process.env,
    // A Windows console takes text, not bytes.
    stdout: isWindows ? streamSink(process.stdout) : descriptorSink(1, interrupt.signal, hold),
    stderr: isWindows ? streamSink(process.stderr) : descriptorSink(2, interrupt.signal),
    get stdin() {
      return process.stdin;
    },
    get stdoutIsTerminal() {
      return (isWindows || mayBeTerminal(1)) && process.stdout.isTTY === true;
    },
    get stderrIsTerminal() {
      return (isWindows || mayBeTerminal(2)) && process.stderr.isTTY === true;
    },
    fetch: trustingFetch(process.env.NODE_EXTRA_CA_CERTS),
    platform: process.platform,
    home: await homeFolder(process.env),
    uid: process.getuid?.(),
    groups: () => process.getgroups?.() ?? [],
    pid: process.pid,
    executable: process.execPath,
    hostname,
    now: Date.now,
    async sleep(ms, signal) {
      const { setTimeout: sleep } = await import("node:timers/promises");
      return sleep(ms, undefined, signal === undefined ? {} : { signal });
    },
    interrupt: interrupt.signal,
    early: early && { ...early, spentMs: process.uptime() * 1000 },
    isAlive,
    silence: silenceConsole,
    endAtOnce() {
      endsAtOnce = true;
    },
    endAsService() {
      isService = true;
    },
  };
  process.exitCode = await run(process.argv.slice(2), context);
  // A connection that the run did not take over must not hold the process.
  early?.call?.close();
  if (endedBy !== undefined && !isService) dieBy(endedBy);
  // A line of a service that no reader takes from a full pipe must not hold its end.
  if (endsAtOnce || isService) {
    // Work that was given up may hold one.
    releaseLocks();
    process.exit();
  }
  // What the runtime may still hold open must not outlive a signal.
  for (const signal of SIGNAL_NAMES) process.removeListener(signal, onSignal);
}

async function start(): Promise<void> {
  const argv = process.argv.slice(2);
  const announced = await announceQuickly(argv, VERSION, process.platform);
  const early = announced === undefined ? await askGuard(argv) : announced;
  if (typeof early !== "number") return main(early);
  process.exitCode = early;
  // All is written. Node's start keeps what it compiled after this.
  if (process.versions.bun !== undefined) process.exit();
}

/** Settled when all output is written. */
export const done = start();
