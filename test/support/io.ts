/** Folders that go away, and processes of other users: what the tests of files and locks share. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const UID = process.getuid?.() ?? 0;
export const IS_ROOT = UID === 0;

/** A user without rights; only root can become it. */
const NOBODY = 65534;

const made: string[] = [];

/** A new private folder. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "io-"));
  made.push(folder);
  return folder;
}

/** For `afterAll`. */
export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Address of a source file for the import line of a program. */
export function source(path: string): string {
  return JSON.stringify(new URL(`../../src/${path}`, import.meta.url).pathname);
}

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** Waits for the end of a child and returns its output. */
export async function endOf(child: ChildProcess): Promise<Ended> {
  const read = async (stream: NodeJS.ReadableStream | null): Promise<string> => {
    let text = "";
    if (stream !== null) for await (const chunk of stream) text += chunk;
    return text;
  };
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", reject);
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    exited,
  ]);
  return { stdout, stderr, exitCode };
}

/** Runs a program text in a process of its own. */
export function startProgram(
  program: string,
  args: readonly string[] = [],
  options: { uid?: number } = {},
): ChildProcess {
  const env = { ...process.env, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" };
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  return spawn(process.execPath, ["-e", program, ...args], { env, ...identity });
}

/** The same as a user for whom the rights of files count; `folders` are given to it. */
export function startAsOrdinaryUser(
  program: string,
  args: readonly string[],
  ...folders: readonly string[]
): ChildProcess {
  if (!IS_ROOT) return startProgram(program, args);
  for (const folder of folders) {
    chownSync(folder, NOBODY, NOBODY);
    chmodSync(folder, 0o700);
  }
  return startProgram(program, args, { uid: NOBODY });
}
