/**
 * The one answer that needs nothing of the program, and so does not wait for it to be loaded:
 * `--version`.
 */
import { constants, readFileSync, readlinkSync, writeSync } from "node:fs";

/**
 * Prints the version when that is all the command line asks for, and gives the exit code: 0, or 1
 * when stdout is lost. Otherwise undefined.
 */
export function announce(argv: readonly string[], version: string): number | undefined {
  const [only, ...others] = argv;
  if (others.length > 0 || (only !== "--version" && only !== "-v")) return undefined;
  try {
    writeSync(1, `${version}\n`);
    return isClosedAtStart() ? 1 : 0;
  } catch {
    return 1;
  }
}

/**
 * True when stdout was closed before the program began (L05, Linux). Node and Bun put /dev/null in
 * its place, open for reading too and closed on exec; a shell's `>/dev/null` is open for writing
 * only. Parents that discard all output look like that under Node: for them stderr is the same, and
 * nothing was lost that anybody wanted.
 */
export function isClosedAtStart(): boolean {
  return isPlaceholder(1) && !isPlaceholder(2);
}

const CLOSE_ON_EXEC = 0o2000000;

function isPlaceholder(descriptor: number): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${descriptor}`) !== "/dev/null") return false;
    const flags = Number.parseInt(
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1] ??
        "",
      8,
    );
    return (flags & CLOSE_ON_EXEC) !== 0 && (flags & constants.O_RDWR) !== 0;
  } catch {
    return false;
  }
}
