/** Whether a guard's socket can be believed to be the guard's. */
import { accessSync, constants, lstatSync, realpathSync, type Stats } from "node:fs";
import { errnoOf } from "../io/errno.ts";

/** Why a socket is not asked: it could be anybody's, or it is not there. */
export type SocketFault =
  | { readonly path: string; readonly why: string }
  | { readonly reason: string };

/**
 * A socket that this user, or everybody, can replace may be anybody's: it and its folders must
 * belong to root or another user. `path` is absolute; `uid` is this process's. Undefined for a
 * socket that may be asked.
 */
export function faultOf(path: string, uid: number): SocketFault | undefined {
  try {
    const real = realpathSync(path);
    const socket = lstatSync(real);
    if (!socket.isSocket()) return { path: real, why: "it is not a socket" };
    const own = ownerFault(real, socket, uid);
    if (own !== undefined) return own;
    for (const start of real === path ? [parentOf(path)] : [parentOf(path), parentOf(real)]) {
      for (let at = start; ; at = parentOf(at)) {
        const fault = ownerFault(at, lstatSync(at), uid);
        if (fault !== undefined) return fault;
        if (uid !== 0 && isWritable(at)) return { path: at, why: "this user can write to it" };
        if (at === "/") break;
      }
    }
    return undefined;
  } catch (cause) {
    return { reason: errnoOf(cause) || "ENOENT" };
  }
}

/** The folder of an absolute path; loading `node:path` would take longer than all of this. */
function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
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
