/** Whether a guard's socket can be believed to be the guard's. */
import { accessSync, constants, lstatSync, readlinkSync, type Stats } from "node:fs";
import { errnoOf } from "../io/errno.ts";

/** Why a socket is not asked: it could be anybody's, or it is not there. */
export type SocketFault =
  | { readonly path: string; readonly why: string }
  | { readonly reason: string };

/**
 * A socket that this user, or everybody, can replace may be anybody's: it, and every folder and
 * link on the way to it, must belong to root or another user. `path` is absolute; `uid` is this
 * process's. Undefined for a socket that may be asked.
 */
export function faultOf(path: string, uid: number): SocketFault | undefined {
  try {
    const places = placesOn(path);
    const [real, socket] = places.pop() ?? ["/", lstatSync("/")];
    if (!socket.isSocket()) return { path: real, why: "it is not a socket" };
    const own = ownerFault(real, socket, uid);
    if (own !== undefined) return own;
    for (const [at, stats] of places.reverse()) {
      const fault = ownerFault(at, stats, uid);
      if (fault !== undefined) return fault;
      if (uid !== 0 && !stats.isSymbolicLink() && isWritable(at))
        return { path: at, why: "this user can write to it" };
    }
    return undefined;
  } catch (cause) {
    return { reason: errnoOf(cause) || "ENOENT" };
  }
}

/** As many as the system follows. */
const MOST_LINKS = 40;

/** Each folder and link through which the system comes to what the path names, and that itself. */
function placesOn(path: string): [at: string, stats: Stats][] {
  const places: [string, Stats][] = [["/", lstatSync("/")]];
  const rest = path.split("/");
  let at = "";
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift() ?? "";
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = at.slice(0, at.lastIndexOf("/"));
      continue;
    }
    const next = `${at}/${part}`;
    const stats = lstatSync(next);
    places.push([next, stats]);
    if (stats.isSymbolicLink() && links < MOST_LINKS) {
      links += 1;
      const target = readlinkSync(next);
      if (target.startsWith("/")) at = "";
      rest.unshift(...target.split("/"));
    } else at = next;
  }
  return places;
}

/** Of root or another user, and not writable for everybody. */
function ownerFault(path: string, stats: Stats, uid: number): SocketFault | undefined {
  if (uid !== 0 && stats.uid === uid) return { path, why: "it belongs to this user" };
  if (!stats.isSymbolicLink() && (stats.mode & 0o002) !== 0)
    return { path, why: "everybody can write to it" };
  return undefined;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
