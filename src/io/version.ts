/**
 * The one answer that needs nothing of the program, and so does not wait for it to be loaded:
 * `--version`.
 */
import { writeSync } from "node:fs";
import { isClosedAtStart } from "./closed.ts";
import { asksVersion } from "./quickversion.ts";

/**
 * Prints the version when that is all the command line asks for, and returns the exit code: 0, or 1
 * when stdout is lost. Otherwise undefined.
 */
export function announce(argv: readonly string[], version: string): number | undefined {
  if (!asksVersion(argv)) return undefined;
  try {
    writeSync(1, `${version}\n`);
    return isClosedAtStart() ? 1 : 0;
  } catch {
    return 1;
  }
}
