/**
 * A connection to a unix socket, by what the runtime brings: the executable's own call, for loading
 * `node:net` there costs as much as half a command, and `node:net` elsewhere. The only file that
 * connects to a unix socket for a client.
 */
import { errnoOf } from "../io/errno.ts";

/** What comes of a connection. Nothing is told after `lost`, or once it was closed here. */
export interface Heard {
  data(chunk: Uint8Array): void;
  /** It could not be made, or it ended: the system's reason; ECONNRESET for an end without one. */
  lost(reason: string): void;
}

/** Connects, sends the bytes, and returns what closes the connection. */
export function dial(path: string, bytes: Uint8Array, heard: Heard): () => void {
  let close: (() => void) | undefined;
  let isClosed = false;
  const open: Dialled = {
    bytes,
    isClosed: () => isClosed,
    opened(end) {
      close = end;
      if (isClosed) end();
    },
    data(chunk) {
      if (!isClosed) heard.data(chunk);
    },
    lost(cause) {
      if (isClosed) return;
      isClosed = true;
      heard.lost(errnoOf(cause) || "ECONNRESET");
    },
  };
  // Never before the caller has what closes it: the runtime refuses some addresses at once.
  Promise.resolve()
    .then(() => {
      const { Bun } = globalThis as Runtime;
      return Bun === undefined ? byNode(path, open) : byBun(Bun, path, open);
    })
    .catch(open.lost);
  return () => {
    isClosed = true;
    close?.();
  };
}

interface Dialled {
  readonly bytes: Uint8Array;
  isClosed(): boolean;
  opened(end: () => void): void;
  data(chunk: Uint8Array): void;
  lost(cause: unknown): void;
}

interface Socket {
  /** Takes as many bytes as there is room for; -1 once it is closed. */
  write(bytes: Uint8Array): number;
  terminate(): void;
}

interface Runtime {
  readonly Bun?: {
    connect(options: {
      readonly unix: string;
      readonly socket: {
        open(socket: Socket): void;
        drain(socket: Socket): void;
        data(socket: Socket, chunk: Uint8Array): void;
        end(socket: Socket): void;
        close(socket: Socket, cause?: unknown): void;
        error(socket: Socket, cause: unknown): void;
        connectError(socket: Socket, cause: unknown): void;
      };
    }): Promise<unknown>;
  };
}

async function byBun(
  Bun: NonNullable<Runtime["Bun"]>,
  unix: string,
  { bytes, opened, data, lost }: Dialled,
): Promise<void> {
  let rest = bytes;
  const send = (socket: Socket): void => {
    const taken = rest.length === 0 ? 0 : socket.write(rest);
    if (taken > 0) rest = rest.subarray(taken);
  };
  await Bun.connect({
    unix,
    socket: {
      open(socket) {
        opened(() => socket.terminate());
        send(socket);
      },
      drain: send,
      data: (_, chunk) => data(chunk),
      end: () => lost(undefined),
      close: (_, cause) => lost(cause),
      error: (_, cause) => lost(cause),
      connectError: (_, cause) => lost(cause),
    },
  });
}

async function byNode(path: string, { bytes, opened, data, lost }: Dialled): Promise<void> {
  const { createConnection } = await import("node:net");
  const socket = createConnection({ path });
  opened(() => socket.destroy());
  socket.on("connect", () => socket.write(bytes));
  socket.on("data", data);
  socket.on("error", lost);
  socket.on("close", () => lost(undefined));
}
