/**
 * A program that believes the test's release key, installed in a folder of its own, and a releases
 * page beside it.
 */
import { expect } from "bun:test";
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, VERSION } from "../../scripts/build.ts";
import { hostTarget } from "../../scripts/targets.ts";
import type { Failure } from "../hostile/program.ts";
import type { Outcome } from "../support/forms.ts";
import { RELEASE_KEY, Releases } from "./releases.ts";

export const NEXT = "99.0.0";
export const NAME = "ledger-enterprise-cli";
export const ASSET = `${NAME}-${NEXT}-${hostTarget().name}`;

/** Compiles once; each installation is a link to the same file. */
export class Installations implements AsyncDisposable {
  readonly releases = new Releases();

  private constructor(
    readonly folder: string,
    /** The program as a release would build it, but for the key. */
    readonly built: string,
  ) {}

  static async make(): Promise<Installations> {
    const folder = await mkdtemp(join(tmpdir(), "upgrade-"));
    return new Installations(
      folder,
      await compile(hostTarget(), folder, { releaseKey: RELEASE_KEY }),
    );
  }

  /** One more, in a home of its own, of this program or of the one at `executable`. */
  add(executable = this.built): Installation {
    return new Installation(mkdtempSync(join(this.folder, "home-")), executable, this.releases);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.releases[Symbol.dispose]();
    await rm(this.folder, { recursive: true });
  }
}

export class Installation {
  /** The folder that holds the program and nothing else. */
  readonly place: string;
  readonly program: string;
  private readonly inode: number;

  constructor(
    readonly home: string,
    built: string,
    private readonly releases: Releases,
  ) {
    this.place = join(home, "bin folder");
    this.program = join(this.place, NAME);
    mkdirSync(this.place);
    try {
      linkSync(built, this.program);
    } catch {
      copyFileSync(built, this.program);
    }
    this.inode = statSync(this.program).ino;
  }

  get files(): string[] {
    return readdirSync(this.place).toSorted();
  }

  start(
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    return Bun.spawn([...command], {
      cwd: this.home,
      env: {
        HOME: this.home,
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        ...this.releases.environment,
        ...env,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async run(
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    const child = this.start(command, env);
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { exit: await child.exited, stdout, stderr };
  }

  /** `upgrade`, or the same through another command that ends in the program's path. */
  upgrade(...through: readonly string[]): Promise<Outcome> {
    return this.run([...through, this.program, "upgrade"]);
  }

  version(path = this.program): string {
    return Bun.spawnSync([path, "--version"], { env: {} }).stdout.toString().trim();
  }

  /** The upgrade failed, said why, left nothing behind, and the old program runs. */
  expectUnchanged(outcome: Outcome): Failure {
    const error = failureOf(outcome);
    expect(this.files).toEqual([NAME]);
    expect(statSync(this.program).ino).toBe(this.inode);
    expect(this.version()).toBe(VERSION);
    return error;
  }
}

/** The document of a success that was silent. */
export function documentOf({ exit, stdout, stderr }: Outcome): unknown {
  expect({ exit, stderr, failure: exit === 0 ? "" : stdout }).toEqual({
    exit: 0,
    stderr: "",
    failure: "",
  });
  return JSON.parse(stdout);
}

/** What a failed upgrade says. */
export function failureOf({ exit, stdout, stderr }: Outcome): Failure {
  const { error } = JSON.parse(stdout || "{}") as { error: Failure };
  expect({ exit, code: error?.code, stderr }).toEqual({
    exit: 1,
    code: "UPGRADE_FAILED",
    stderr: "",
  });
  return error;
}
