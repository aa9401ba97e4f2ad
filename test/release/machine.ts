/**
 * A machine on which install.sh is run: a home with a space in its name, exactly the tools that a
 * test leaves it, and a shell of three.
 */
import { expect } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import type { Outcome } from "../support/forms.ts";
import type { Files } from "./releases.ts";

export const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]] as const;
export type Shell = (typeof SHELLS)[number];
export const INSTALLER = join(ROOT, "install.sh");

/** All that install.sh may call; a tool that it needs beside these makes every test fail. */
const TOOLS = [
  ...[
    "cat",
    "chmod",
    "cp",
    "curl",
    "env",
    "getconf",
    "grep",
    "ldd",
    "mkdir",
    "mktemp",
    "mv",
    "openssl",
    "rm",
    "sh",
  ],
  ...["tr", "uname", "wget"],
];

export class Machine implements AsyncDisposable {
  readonly home: string;
  readonly toolFolder: string;
  /** Variables beside HOME and PATH. */
  readonly env: Record<string, string> = {};

  private constructor(private readonly folder: string) {
    this.home = join(folder, "a home");
    this.toolFolder = join(folder, "tools");
    for (const path of [this.home, this.toolFolder]) mkdirSync(path);
    for (const tool of TOOLS)
      symlinkSync(Bun.which(tool) ?? `missing-${tool}`, join(this.toolFolder, tool));
  }

  static async make(): Promise<Machine> {
    return new Machine(await mkdtemp(join(tmpdir(), "machine-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  get bin(): string {
    return join(this.home, ".local/bin");
  }

  get program(): string {
    return join(this.bin, "ledger-enterprise-cli");
  }

  without(...tools: readonly string[]): this {
    for (const tool of tools) unlinkSync(join(this.toolFolder, tool));
    return this;
  }

  /** A tool that is a script of the test's. */
  pretend(tool: string, script: string): this {
    rmTool(join(this.toolFolder, tool));
    writeFileSync(join(this.toolFolder, tool), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return this;
  }

  /** What `uname` says from now on. */
  is(system: string, processor: string): this {
    return this.pretend("uname", `case $1 in -s) echo ${system} ;; -m) echo ${processor} ;; esac`);
  }

  /** Puts files into a folder and returns its path. */
  store(name: string, files: Files): string {
    const path = join(this.home, name);
    mkdirSync(path, { recursive: true });
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
    return path;
  }

  write(name: string, text: string | Uint8Array, mode = 0o644): string {
    const path = join(this.home, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  rename(name: string, other: string): void {
    renameSync(join(this.home, name), join(this.home, other));
  }

  /** Runs the installer, or the script at `path`. `through` starts the shell, such as unshare. */
  async run(
    shell: Shell,
    args: readonly string[],
    { path = INSTALLER, through = [] }: { path?: string; through?: readonly string[] } = {},
  ): Promise<Outcome> {
    const command = [...through, Bun.which(shell[0]) ?? shell[0], ...shell.slice(1), path, ...args];
    const child = Bun.spawn(command, {
      cwd: this.home,
      env: { HOME: this.home, PATH: this.toolFolder, ...this.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { exit: await child.exited, stdout, stderr };
  }

  /** The version that the installed program answers; undefined when there is none. */
  version(path = this.program): string | undefined {
    return existsSync(path)
      ? Bun.spawnSync([path, "--version"], { env: {} }).stdout.toString().trim()
      : undefined;
  }

  /**
   * It failed with one sentence, which it returns, and what is in the folder of programs is `left`.
   */
  expectRefused(
    { exit, stdout, stderr }: Outcome,
    left: readonly string[] = [],
    expectedExit = 1,
  ): string {
    expect({ exit, stdout, stderr }).toEqual({ exit: expectedExit, stdout: "", stderr });
    const files = existsSync(this.bin) ? readdirSync(this.bin) : [];
    expect(files).toEqual([...left]);
    const lines = stderr.trimEnd().split("\n");
    const own = lines.filter((line) => line.startsWith("install.sh: "));
    expect(own).toHaveLength(1);
    return own[0]?.slice("install.sh: ".length) ?? "";
  }
}

function rmTool(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There was none.
  }
}
