/** The trial of a downloaded program before it takes the place of this one. */
import { runProgram } from "../../io/process.ts";

const LIMITS = { timeoutMs: 20_000, maxBytes: 256 };

/**
 * What the program at `path` answers to `--version`, or undefined when it does not run, fails or
 * says too much. It sees nothing of our environment (CFG-8).
 */
export async function versionOf(path: string, stop: AbortSignal): Promise<string | undefined> {
  const program = { path, args: ["--version"], env: {}, input: new Uint8Array() };
  const { ending, stdout } = await runProgram(program, { ...LIMITS, stop });
  const succeeded = ending.kind === "exit" && ending.exitCode === 0;
  return succeeded ? new TextDecoder().decode(stdout).trim() : undefined;
}
