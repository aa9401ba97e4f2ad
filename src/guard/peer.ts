/**
 * Which user and process is at the other end of a unix socket: SO_PEERCRED, by the C library, since
 * the runtimes have no call for it. The only file that calls into native code by `bun:ffi`.
 */
import type { Socket } from "node:net";

/** The other end of a connection, as the kernel saw it when it connected. */
export interface Peer {
  readonly uid: number;
  readonly pid: number;
}

/** What asks the kernel. */
export interface PeerReader {
  /** Undefined when the kernel does not say it. */
  peerOf(socket: Socket): Peer | undefined;
  /** True when the descriptor is a listening unix socket. */
  isListening(descriptor: number): boolean;
}

/** `<sys/socket.h>` of Linux. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const AF_UNIX = 1;

/** The C library's names: glibc, then musl of both processors. */
const LIBRARIES = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libc.so",
] as const;

/** Loads the C library; undefined where that cannot be done. */
export async function openPeerReader(): Promise<PeerReader | undefined> {
  const option = await openGetsockopt();
  if (option === undefined) return undefined;
  const read = (descriptor: number, name: number, words: number): Int32Array | undefined => {
    const found = new Int32Array(words);
    return option(descriptor, name, found) ? found : undefined;
  };
  return {
    peerOf(socket) {
      const descriptor = descriptorOf(socket);
      const found = descriptor === undefined ? undefined : read(descriptor, SO_PEERCRED, 3);
      const [pid, uid] = found ?? [];
      if (pid === undefined || uid === undefined) return undefined;
      // An unsigned number: the kernel's "unknown user" is the highest.
      return uid === -1 ? undefined : { uid: uid >>> 0, pid };
    },
    isListening(descriptor) {
      const isUnix = read(descriptor, SO_DOMAIN, 1)?.[0] === AF_UNIX;
      return isUnix && read(descriptor, SO_ACCEPTCONN, 1)?.[0] === 1;
    },
  };
}

type Getsockopt = (descriptor: number, name: number, into: Int32Array) => boolean;

async function openGetsockopt(): Promise<Getsockopt | undefined> {
  const ffi = await import("bun:ffi").catch(() => undefined);
  if (ffi === undefined) return undefined;
  const { dlopen, FFIType, ptr } = ffi;
  const { i32, ptr: pointer } = FFIType;
  const shape = { args: [i32, i32, i32, pointer, pointer], returns: i32 } as const;
  for (const name of LIBRARIES) {
    try {
      const { symbols } = dlopen(name, { getsockopt: shape });
      return (descriptor, option, into) => {
        const length = new Int32Array([into.byteLength]);
        const failed = symbols.getsockopt(descriptor, SOL_SOCKET, option, ptr(into), ptr(length));
        return failed === 0 && length[0] === into.byteLength;
      };
    } catch {
      // Another system's name for it.
    }
  }
  return undefined;
}

/** The accepted descriptor, which the runtime keeps in its handle. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, "fd");
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}
