/** Whether the program was started without a standard output. */
import { constants, readFileSync, readlinkSync } from "node:fs";

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
