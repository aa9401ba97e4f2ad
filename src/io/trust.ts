/** Whether only root and this user can change a file: it, and every folder and link on its path. */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { posix } from "node:path";

/** The first part of a path that somebody else can change. */
export interface Distrusted {
  readonly path: string;
  /** Completes "It …". */
  readonly reason: "belongs to another user" | "is writable for group or others";
}

const MOST_LINKS = 40;

/**
 * Follows `path` part by part and returns the first that belongs to neither root nor `uid`, or that
 * group or others may write to; a sticky folder is not an exception. Undefined when there is none.
 * Of a link, both its own folders and its target's count. Throws the system's error for a part that
 * is missing or cannot be looked at, and ELOOP.
 */
export function findDistrusted(path: string, uid: number): Distrusted | undefined {
  let links = 0;
  let at = "/";
  const rest = partsOf(path);
  for (;;) {
    const stats = lstatSync(at);
    const reason = reasonOf(stats, uid);
    if (reason !== undefined) return { path: at, reason };
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
      const target = readlinkSync(at);
      rest.unshift(...partsOf(target));
      at = target.startsWith("/") ? "/" : posix.dirname(at);
      continue;
    }
    const next = rest.shift();
    if (next === undefined) return undefined;
    at = posix.join(at, next);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function reasonOf(stats: Stats, uid: number): Distrusted["reason"] | undefined {
  if (stats.uid !== 0 && stats.uid !== uid) return "belongs to another user";
  // The mode of a link means nothing.
  if (!stats.isSymbolicLink() && (stats.mode & 0o022) !== 0)
    return "is writable for group or others";
  return undefined;
}
