/**
 * `npm run stress [-- --seed 7] [--processes 24,200] [--kills 250]`: many processes of the built
 * program on one session whose refresh tokens work once, some of them killed, one of them logging
 * out; and logins and refreshes killed at random moments. Prints figures; fails when a promise of
 * SES-5, SES-6 or SES-2 is broken. The seed decides who is killed and when; the system decides what
 * that process was doing.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Sandbox, startSandbox } from "../src/sandbox/index.ts";
import { accessSettings } from "../src/sandbox/settings.ts";
import { findArtifacts } from "../test/support/artifacts.ts";
import { Random } from "../test/support/random.ts";

/**
 * How a process ended: `OK`, the code of its failure, `KILLED`, or what is wrong with its output.
 */
type Ending = string;

export class Stage implements AsyncDisposable {
  private constructor(
    private readonly command: readonly string[],
    readonly sandbox: Sandbox,
    private readonly home: string,
    readonly random: Random,
  ) {}

  static async open(command: readonly string[], random: Random): Promise<Stage> {
    return new Stage(
      command,
      await startSandbox(),
      await mkdtemp(join(tmpdir(), "stress-")),
      random,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  private get state(): string {
    return join(this.home, ".local/state/ledger-enterprise-cli");
  }

  /** Runs a command to its end; `killAfterMs` sends SIGKILL then. */
  async run(argv: readonly string[], killAfterMs?: number): Promise<Ending> {
    const child = Bun.spawn([...this.command, ...argv], {
      cwd: this.home,
      env: {
        HOME: this.home,
        ...accessSettings(this.sandbox.description),
        LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:9",
        LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:9",
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const killer =
      killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    const stdout = await new Response(child.stdout).text();
    await child.exited;
    clearTimeout(killer);
    if (child.signalCode !== null)
      return stdout === "" || child.signalCode === "SIGKILL" ? "KILLED" : "SIGNALLED";
    return endingOf(child.exitCode, stdout);
  }

  async logoutAfter(ms: number): Promise<Ending> {
    await Bun.sleep(ms);
    return this.run(["logout"]);
  }

  /** What the files say: `valid`, `none`, or what is wrong. */
  sessionState(): string {
    const names = this.files();
    if (!names.includes("session.json")) return "none";
    try {
      const { version, tokens } = JSON.parse(
        readFileSync(join(this.state, "session.json"), "utf8"),
      );
      return version === 1 &&
        typeof tokens.access === "string" &&
        typeof tokens.refresh === "string"
        ? "valid"
        : "WRONG";
    } catch {
      return "BROKEN";
    }
  }

  private files(): string[] {
    try {
      return readdirSync(this.state);
    } catch {
      return [];
    }
  }

  /** Locks, claims and temporary files whose process has ended. */
  leftovers(): number {
    return this.files().filter((name) => /\.(lock|tmp)$/.test(name)).length;
  }

  expire(): void {
    this.sandbox.control.addFault({ match: { path: "/accounts" }, expireTokens: true });
  }

  /** Refreshes since the last call: how many the server accepted, and refused. */
  takeRefreshes(): { readonly accepted: number; readonly refused: number } {
    const { control } = this.sandbox;
    const all = control.log.filter(({ path }) => path.endsWith("/auth/token/refresh"));
    const accepted = all.filter(({ status }) => status === 200).length;
    control.clearLog();
    control.clearFaults();
    return { accepted, refused: all.length - accepted };
  }
}

function endingOf(exit: number | null, stdout: string): Ending {
  try {
    const { error } = JSON.parse(stdout) as { error?: { code: string; exitCode: number } };
    if (error === undefined) return exit === 0 ? "OK" : `EXIT_${exit}`;
    return error.exitCode === exit ? error.code : `EXIT_${exit}_${error.code}`;
  } catch {
    return `NO_DOCUMENT_${exit}`;
  }
}

export interface Figures {
  readonly endings: Readonly<Record<Ending, number>>;
  readonly session: string;
  readonly leftovers: number;
  readonly accepted: number;
  readonly refused: number;
  /** What should not have happened. */
  readonly broken: readonly string[];
}

function count(endings: readonly Ending[]): Record<Ending, number> {
  const counts: Record<Ending, number> = {};
  for (const ending of endings.toSorted()) counts[ending] = (counts[ending] ?? 0) + 1;
  return counts;
}

const LIST = ["accounts", "list", "--timeout", "120"];

/**
 * `size` processes need one refresh at once; `kills` of them are killed at random moments, `logout`
 * puts one among them that logs out.
 */
export async function crowd(
  stage: Stage,
  size: number,
  { kills = 0, logout = false } = {},
): Promise<Figures> {
  const { random } = stage;
  await stage.run(["login", "api"]);
  stage.expire();
  stage.sandbox.control.clearLog();
  const killed = new Set<number>();
  while (killed.size < kills) killed.add(random.below(size));
  const outAt = logout ? random.below(size) : -1;
  const endings = await Promise.all(
    Array.from({ length: size }, (_, at) => {
      const killAfterMs = killed.has(at) ? random.below(60 + size * 25) : undefined;
      return at === outAt
        ? stage.logoutAfter(random.below(40 + size * 20))
        : stage.run(LIST, killAfterMs);
    }),
  );
  const refreshes = stage.takeRefreshes();
  const session = stage.sessionState();
  const broken: string[] = [];
  // A killed process may take with it the tokens that it had just been given; then the session is
  // over, never damaged.
  const fine = new Set([
    "OK",
    ...(kills > 0 ? ["KILLED", "SESSION_EXPIRED", "NOT_LOGGED_IN"] : []),
    ...(logout ? ["NOT_LOGGED_IN"] : []),
  ]);
  for (const ending of new Set(endings))
    if (!fine.has(ending)) broken.push(`a process ended with ${ending}`);
  if (!["valid", "none"].includes(session)) broken.push(`the session is ${session}`);
  if (logout && kills === 0 && session !== "none")
    broken.push("a session came back after the logout");
  if (kills === 0 && refreshes.refused > 0) broken.push("a refresh token was used twice");
  if (kills === 0 && !logout && refreshes.accepted !== 1)
    broken.push(`${refreshes.accepted} refreshes instead of one`);
  const after = await stage.run(["login", "api"]);
  if (after !== "OK" || (await stage.run(LIST)) !== "OK") broken.push("nothing works afterwards");
  const leftovers = stage.leftovers();
  return { endings: count(endings), session, leftovers, ...refreshes, broken };
}

/**
 * One process after the other is killed in a login or a refresh; after each the state must be
 * usable.
 */
export async function killOneByOne(stage: Stage, kills: number): Promise<Figures> {
  const { random } = stage;
  const endings: Ending[] = [];
  const broken: string[] = [];
  await stage.run(["login", "api"]);
  const started = performance.now();
  await stage.run(["login", "api"]);
  const usualMs = performance.now() - started;
  // Some are faster than their killer; they do not count.
  for (let at = 0, killed = 0; killed < kills && at < kills * 10; at += 1) {
    const isRefresh = at % 2 === 1;
    if (isRefresh) {
      if (stage.sessionState() === "none") await stage.run(["login", "api"]);
      stage.expire();
    }
    const first = await stage.run(
      isRefresh ? LIST : ["login", "api"],
      random.below(Math.ceil(usualMs * 1.2)),
    );
    if (first === "KILLED") killed += 1;
    if (!["KILLED", "OK"].includes(first))
      broken.push(`the process to be killed ended with ${first}`);
    const session = stage.sessionState();
    if (!["valid", "none"].includes(session)) broken.push(`the session is ${session}`);
    stage.sandbox.control.clearFaults();
    const next = await stage.run(LIST);
    if (!["OK", "NOT_LOGGED_IN", "SESSION_EXPIRED"].includes(next))
      broken.push(`the next command ended with ${next}`);
    endings.push(`${isRefresh ? "refresh" : "login"} ${first}, then ${next}`);
  }
  if (endings.filter((ending) => ending.includes("KILLED")).length < kills)
    broken.push("too few could be killed");
  const refreshes = stage.takeRefreshes();
  const session = stage.sessionState();
  return { endings: count(endings), session, leftovers: stage.leftovers(), ...refreshes, broken };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      processes: { type: "string", default: "24,200" },
      kills: { type: "string", default: "250" },
    },
  });
  const { executable } = await findArtifacts();
  await using stage = await Stage.open([executable], new Random(Number(values.seed)));
  let failures = 0;
  const report = (title: string, { broken, ...figures }: Figures, seconds: number): void => {
    process.stdout.write(`${title} (${seconds.toFixed(1)} s): ${JSON.stringify(figures)}\n`);
    for (const what of broken) process.stdout.write(`  BROKEN: ${what}\n`);
    failures += broken.length;
  };
  const timed = async (title: string, run: () => Promise<Figures>): Promise<void> => {
    const started = performance.now();
    report(title, await run(), (performance.now() - started) / 1000);
  };
  process.stdout.write(`seed ${values.seed}\n`);
  for (const size of values.processes.split(",").map(Number)) {
    await timed(`${size} processes`, () => crowd(stage, size));
    await timed(`${size} processes, a third killed`, () =>
      crowd(stage, size, { kills: Math.floor(size / 3) }),
    );
    await timed(`${size} processes and a logout`, () => crowd(stage, size, { logout: true }));
    await timed(`${size} processes, kills and a logout`, () =>
      crowd(stage, size, { kills: Math.floor(size / 3), logout: true }),
    );
  }
  await timed(`${values.kills} kills of logins and refreshes`, () =>
    killOneByOne(stage, Number(values.kills)),
  );
  process.stdout.write(failures === 0 ? "all promises kept\n" : `${failures} promises broken\n`);
  process.exitCode = failures === 0 ? 0 : 1;
}
