/**
 * The one place that starts another process (CFG-8): a program of ours, by its absolute path,
 * without a shell and with nothing of our environment.
 */
import { execFile } from "node:child_process";

const TRIAL_MS = 20_000;

/**
 * What the program at `path` answers to `--version`, or undefined when it does not run, fails or
 * says too much.
 */
export function versionOf(path: string, stop: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env: {}, timeout: TRIAL_MS, maxBuffer: 256, signal: stop, windowsHide: true };
    try {
      execFile(path, ["--version"], options, (failure, stdout) =>
        resolve(failure === null ? stdout.trim() : undefined),
      );
    } catch {
      resolve(undefined);
    }
  });
}
