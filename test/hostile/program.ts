/** The built program as hostile tests meet it: run in its own empty home, its output checked for the rules that always hold. */

import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Canaries } from "../support/canaries.ts";
import { allForms, type Form, type Outcome } from "../support/forms.ts";

/** The compiled binary and the npm package on both Nodes. */
export async function builtForms(): Promise<Form[]> {
  return (await allForms()).filter(({ name, hostile }) => name !== "source" && !hostile);
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
  readonly retryable: boolean;
  readonly hint: string;
  readonly [fact: string]: unknown;
}

export const SECRET = "canary-secret-5f1d0c7a9b";

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
      LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:9",
      LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:9",
      LEDGER_ENTERPRISE_WORKSPACE: "minivault",
      LEDGER_ENTERPRISE_API_KEY_ID: "key-id",
      LEDGER_ENTERPRISE_API_KEY_SECRET: SECRET,
      ...env,
    };
    this.canaries = Canaries.of(this.env);
  }

  static async at(form: Form, env: Readonly<Record<string, string>>): Promise<Program> {
    return new Program(form, await mkdtemp(join(tmpdir(), "hostile-")), env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }

  get stateDirectory(): string {
    return join(this.home, ".local/state/ledger-enterprise-cli");
  }

  /** Runs a command. Always checked: one JSON document or nothing on stdout, no secret anywhere, no stack trace. */
  async run(argv: readonly string[], extra: { env?: Record<string, string>; stdin?: string } = {}): Promise<Outcome> {
    const env = { ...this.env, ...extra.env };
    const outcome = await this.form.run({ argv, env, stdin: extra.stdin, cwd: this.home });
    const { stdout, stderr } = outcome;
    expect(await this.canaries.findLeaks({ stdout, stderr }, this.home)).toEqual([]);
    if (!argv.includes("--debug")) expect(stderr).not.toMatch(/^\s+at .*:\d+/m);
    if (stdout !== "" && !argv.includes("--help") && !argv.includes("--version")) {
      expect(stdout.endsWith("\n")).toBe(true);
      JSON.parse(stdout);
    }
    return outcome;
  }

  /** Runs a command that must succeed, and gives its document. */
  async succeed(
    argv: readonly string[],
    extra: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<unknown> {
    const { exit, stdout } = await this.run(argv, extra);
    expect({ argv, exit, stdout: exit === 0 ? "" : stdout }).toEqual({ argv, exit: 0, stdout: "" });
    return JSON.parse(stdout);
  }

  /** Runs a command that must fail with `exit` and `code`, and gives the whole failure. */
  async fail(
    argv: readonly string[],
    exit: number,
    code: string,
    extra: { env?: Record<string, string>; stdin?: string } = {},
  ): Promise<Failure> {
    const outcome = await this.run(argv, extra);
    const { error } = JSON.parse(outcome.stdout || '{"error":{"code":"NOTHING_ON_STDOUT"}}') as { error: Failure };
    expect({ argv, exit: outcome.exit, code: error?.code, stdout: error?.code === code ? "" : outcome.stdout }).toEqual(
      {
        argv,
        exit,
        code,
        stdout: "",
      },
    );
    expect(error.exitCode).toBe(exit);
    expect(error.hint).not.toBe("");
    return error;
  }
}
