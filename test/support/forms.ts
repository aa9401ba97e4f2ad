/**
 * The forms in which users meet the program, and its source: the same script must read the same in
 * each.
 */
import { hostname } from "node:os";
import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { VERSION as BUILT_VERSION } from "../../scripts/build.ts";
import { run } from "../../src/app/run.ts";
import { streamSink } from "../../src/io/stdout.ts";
import { VERSION as SOURCE_VERSION } from "../../src/version.ts";
import type { Context } from "../../src/world.ts";
import { type Artifacts, findArtifacts } from "./artifacts.ts";

export interface Input {
  readonly argv: readonly string[];
  /** The whole environment; HOME among it. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: standard input is empty. */
  readonly stdin: string | undefined;
  readonly cwd: string;
}

export interface Outcome {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Form {
  readonly name: string;
  readonly version: string;
  /** Whether it is run in a folder that somebody else prepared. */
  readonly hostile: boolean;
  /** What a shell would start; empty for the source. */
  readonly command: readonly string[];
  run(input: Input): Promise<Outcome>;
}

/**
 * run() in this process, with a context made for the test. Waiting takes no time: the clock jumps
 * ahead instead.
 */
export const SOURCE: Form = {
  name: "source",
  version: SOURCE_VERSION,
  hostile: false,
  command: [],
  run: runInProcess,
};

async function runInProcess({ argv, env, stdin, cwd }: Input): Promise<Outcome> {
  const [stdout, stderr] = [new Collector(), new Collector()];
  const before = process.cwd();
  process.chdir(cwd);
  try {
    const exit = await run(argv, testContext({ env, stdin, stdout, stderr }));
    return { exit, stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.chdir(before);
  }
}

/** What a stream was given, as text. */
export class Collector extends Writable {
  private readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("utf8");
  }
}

interface World {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** A context for one run in this process; waiting takes no time. */
export function testContext({ env, stdin, stdout, stderr }: World): Context {
  let skippedMs = 0;
  return {
    env,
    stdout: streamSink(stdout),
    stderr: streamSink(stderr),
    stdin: Readable.from(stdin === undefined ? [] : [Buffer.from(stdin)]),
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    fetch: globalThis.fetch,
    platform: process.platform,
    home: env.HOME,
    uid: process.getuid?.(),
    pid: process.pid,
    executable: process.execPath,
    hostname: hostname(),
    now: () => Date.now() + skippedMs,
    async sleep(ms, signal) {
      await sleep(0, undefined, signal === undefined ? {} : { signal });
      skippedMs += ms;
    },
    interrupt: new AbortController().signal,
    isAlive: () => true,
  };
}

async function runProcess(
  command: readonly string[],
  { argv, env, stdin, cwd }: Input,
): Promise<Outcome> {
  const child = Bun.spawn([...command, ...argv], {
    cwd,
    env: { ...env },
    stdin: new Blob([stdin ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { exit: child.exitCode, stdout, stderr };
}

function built(name: string, command: readonly string[], hostile = false): Form {
  return {
    name,
    version: BUILT_VERSION,
    hostile,
    command,
    run: (input) => runProcess(command, input),
  };
}

/** The five forms of specification §9, with the hostile folder of CFG-1 as one of them. */
export async function allForms(): Promise<Form[]> {
  const { executable, installed, nodes }: Artifacts = await findArtifacts();
  return [
    SOURCE,
    built("executable", [executable]),
    built("executable in a hostile folder", [executable], true),
    ...Object.entries(nodes).map(([major, node]) =>
      built(`npm package on Node ${major}`, [node, installed]),
    ),
  ];
}
