/**
 * The built program as hostile tests meet it: run in its own empty home, its output checked for the
 * rules that always hold.
 */

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sandbox } from "../../src/sandbox/index.ts";
import { accessSettings } from "../../src/sandbox/settings.ts";
import { Canaries } from "../support/canaries.ts";
import { allForms, type Form, type Outcome } from "../support/forms.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";
import { ACCESS_TOKEN, RawApi, REFRESH_TOKEN } from "./raw-api.ts";

/** The compiled binary and the npm package on both Nodes. */
export async function builtForms(): Promise<Form[]> {
  return (await allForms()).filter(({ name, hostile }) => name !== "source" && !hostile);
}

/**
 * The executable and one npm form, for rows that take long or depend on the system rather than on
 * the runtime.
 */
export async function twoForms(): Promise<Form[]> {
  return (await builtForms()).filter(({ name }) => !name.endsWith("26"));
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
  readonly retryable: boolean;
  readonly hint: string;
  readonly [fact: string]: unknown;
}

/** A process of the program with both streams read by the test. */
export type Running = Bun.Subprocess<"ignore", "pipe", "pipe">;

export const SECRET = "canary-secret-5f1d0c7a9b";

/** What asks for text in place of a document. */
const TEXTS = new Set(["--help", "--version", "ndjson", "csv", "table"]);

/** A home of its own for one form of the program. */
export class Program implements AsyncDisposable {
  readonly env: Record<string, string>;
  private readonly canaries: Canaries;

  private constructor(
    readonly form: Form,
    readonly home: string,
    env: Readonly<Record<string, string>>,
  ) {
    this.env = {
      HOME: home,
      PATH: "/usr/bin:/bin",
      ...NOTHING_PUBLISHED,
      LEDGER_ENTERPRISE_WORKSPACE: "minivault",
      LEDGER_ENTERPRISE_API_KEY_ID: "key-id",
      LEDGER_ENTERPRISE_API_KEY_SECRET: SECRET,
      ...env,
    };
    this.canaries = Canaries.of(this.env);
    this.canaries.add("access token", ACCESS_TOKEN);
    this.canaries.add("refresh token", REFRESH_TOKEN);
  }

  static async at(form: Form, env: Readonly<Record<string, string>>): Promise<Program> {
    return new Program(form, await mkdtemp(join(tmpdir(), "hostile-")), env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }

  /**
   * What is in the state folder, except what the version gate, the logs of writes and the npm
   * package's start keep there.
   */
  get stateFiles(): string[] {
    const kept = ["versions.json", "audit", "journal", "bodies", "code"];
    return readdirSync(this.stateDirectory).filter((name) => !kept.includes(name));
  }

  get stateDirectory(): string {
    return join(this.home, ".local/state/ledger-enterprise-cli");
  }

  get sessionFile(): string {
    return join(this.stateDirectory, "session.json");
  }

  /** Runs a command, checked as below. */
  async run(
    argv: readonly string[],
    extra: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Outcome> {
    const env = { ...this.env, ...extra.env };
    return this.check(argv, await this.form.run({ argv, env, stdin: extra.stdin, cwd: this.home }));
  }

  /** Starts a command that the test will signal, stop or kill; its end is `finish`ed. */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    return Bun.spawn([...this.form.command, ...argv], {
      cwd: this.home,
      env: { ...this.env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Waits for the end of a started command, and checks what it wrote. */
  async finish(
    argv: readonly string[],
    child: Running,
  ): Promise<Outcome & { readonly signal: string | null }> {
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    const outcome = await this.check(argv, { exit: child.exitCode, stdout, stderr });
    return { ...outcome, signal: child.signalCode === null ? null : String(child.signalCode) };
  }

  /**
   * Runs bash with `script`, in which `"$@"` is the program without arguments; what it writes is
   * checked like a command's.
   */
  async shell(script: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const child = Bun.spawn(["bash", "-c", script, "bash", ...this.form.command], {
      cwd: this.home,
      env: { ...this.env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    return this.finish([], child);
  }

  /**
   * Runs a command and tells its peak memory as GNU time saw it: what the system says of a direct
   * child includes the peak of this very process, which forked it.
   */
  async measure(argv: readonly string[]): Promise<Outcome & { readonly peakMiB: number }> {
    const report = join(this.home, "peak");
    const child = Bun.spawn(
      ["/usr/bin/time", "--quiet", "-f", "%M", "-o", report, ...this.form.command, ...argv],
      {
        cwd: this.home,
        env: this.env,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const outcome = await this.finish(argv, child);
    const peakMiB = Number(await readFile(report, "utf8")) / 1024;
    if (!(peakMiB > 5)) throw new Error(`A peak of ${peakMiB} MiB cannot be.`);
    return { ...outcome, peakMiB };
  }

  /** SEC-1: no secret is in these texts, nor in any file of the home but the session. */
  async checkSecrets(streams: Readonly<Record<string, string>>): Promise<void> {
    expect(await this.canaries.findLeaks(streams, this.home)).toEqual([]);
  }

  /**
   * What holds for every outcome: one JSON document or nothing on stdout, no secret anywhere, no
   * stack trace.
   */
  async check(argv: readonly string[], outcome: Outcome): Promise<Outcome> {
    const { stdout, stderr } = outcome;
    await this.checkSecrets({ stdout, stderr });
    if (!argv.includes("--debug")) expect(stderr).not.toMatch(/^\s+at .*:\d+/m);
    if (stdout !== "") expect(stdout.endsWith("\n")).toBe(true);
    if (stdout !== "" && !argv.some((word) => TEXTS.has(word))) JSON.parse(stdout);
    return outcome;
  }

  /** Runs a command that must succeed, and returns its document. */
  async succeed(
    argv: readonly string[],
    extra: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<unknown> {
    const { exit, stdout } = await this.run(argv, extra);
    expect({ argv, exit, stdout: exit === 0 ? "" : stdout }).toEqual({ argv, exit: 0, stdout: "" });
    return JSON.parse(stdout);
  }

  /** Runs a command that must fail with `exit` and `code`, and returns the whole failure. */
  async fail(
    argv: readonly string[],
    exit: number,
    code: string,
    extra: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Failure> {
    const outcome = await this.run(argv, extra);
    const { error } = JSON.parse(outcome.stdout || '{"error":{"code":"NOTHING_ON_STDOUT"}}') as {
      error: Failure;
    };
    expect({
      argv,
      exit: outcome.exit,
      code: error?.code,
      stdout: error?.code === code ? "" : outcome.stdout,
    }).toEqual({
      argv,
      exit,
      code,
      stdout: "",
    });
    expect(error.exitCode).toBe(exit);
    expect(error.hint).not.toBe("");
    return error;
  }
}

/**
 * The lowest of up to three peaks, or the first below the limit: what collects garbage beside the
 * program comes later on a busy machine, and never sooner.
 */
export async function lowestPeak(limitMiB: number, once: () => Promise<number>): Promise<number> {
  let lowest = await once();
  for (let more = 2; more > 0 && lowest >= limitMiB; more -= 1)
    lowest = Math.min(lowest, await once());
  return lowest;
}

/** A server of the test's own, and the program with a session on it. */
export async function openLoggedIn(
  form: Form,
): Promise<{ readonly api: RawApi; readonly program: Program }> {
  const api = await RawApi.start();
  api.serve({});
  const program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
  await program.succeed(["login", "api"]);
  return { api, program };
}

export async function closeAll(...resources: readonly AsyncDisposable[]): Promise<void> {
  for (const resource of resources) await resource[Symbol.asyncDispose]();
}

/** What an operator of the sandbox sets who need not sign. */
export function settingsOf({ description }: Sandbox): Record<string, string> {
  return {
    ...accessSettings(description),
  };
}
