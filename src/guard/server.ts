/**
 * The guard's socket: who may connect, how much and how fast they may send, and how work that is
 * under way is awaited. The only file that listens on a unix socket.
 */
import { edenGC, fullGC } from "bun:jsc";
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server as Listener, type Socket } from "node:net";
import { CliError } from "../errors.ts";
import { errnoOf } from "../io/errno.ts";
import type { Answered, Caller } from "./desk.ts";
import { type Allowance, type Allowances, MOST_CONNECTIONS } from "./limits.ts";
import type { Peer } from "./peer.ts";
import { parseRequest, type Request } from "./request.ts";
import { encodeFailure, encodeFrame, encodeKey, FrameReader, incompatible } from "./wire.ts";

/** How long a client may take to send its request. */
const REQUEST_MS = 5_000;
/** How long a client may take to read its answer. */
const ANSWER_MS = 30_000;
/** How long a refused client may take to read why. */
const REFUSAL_MS = 500;
const MOST_REFUSED = 256;
/**
 * Answers after which what the last ones left is collected, and all that nothing uses. Neither
 * throws away what the runtime knows of the code, as `Bun.gc` does; without the second one memory
 * grows.
 */
const COLLECT_NEW_EVERY = 10;
const COLLECT_ALL_EVERY = 50;
/** How long writes under way are awaited. */
const END_MS = 30_000;

/** Where a guard listens: at a path, or on a descriptor that its service manager opened. */
export type Place = { readonly path: string } | { readonly descriptor: number };

export interface ServerHost {
  readonly allowedUids: ReadonlySet<number>;
  peerOf(socket: Socket): Peer | undefined;
  answer(request: Request, document: Uint8Array, caller: Caller): Promise<Answered>;
  /** Told of each client that is not allowed; settled when that is on record. Never rejects. */
  denied(peer: Peer | undefined, cause: CliError): Promise<void>;
  readonly allowances: Allowances;
}

/** A guard's listener. */
export class Server {
  private readonly sockets = new Set<Socket>();
  /** Those that get nothing but a refusal. */
  private refused = 0;
  private readonly busy = new Set<Promise<void>>();
  private listener: Listener | undefined;
  private isStopping = false;
  private answered = 0;

  constructor(private readonly host: ServerHost) {}

  /** Listens. Throws IO_ERROR. */
  async listen(place: Place): Promise<void> {
    if ("path" in place) await removeStale(place.path);
    const listener = createServer((socket) => this.welcome(socket));
    this.listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once("error", (cause) => reject(cannotListen(cause)));
      listener.listen("path" in place ? place.path : { fd: place.descriptor }, resolve);
    });
    // A client that connects sooner is identified all the same.
    if ("path" in place) chmodSync(place.path, 0o660);
  }

  /** Takes no new work, awaits what is under way, and closes; `over` is called when time is up. */
  async close(over: () => void): Promise<void> {
    this.isStopping = true;
    const { listener } = this;
    const closed = new Promise<void>((resolve) => {
      if (listener === undefined) resolve();
      else listener.close(() => resolve());
    });
    for (const socket of this.sockets) if (!isWorking(socket)) socket.destroy();
    const timer = setTimeout(over, END_MS);
    await Promise.allSettled([...this.busy]);
    clearTimeout(timer);
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private welcome(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    if (this.isStopping) return void socket.destroy();
    const peer = this.host.peerOf(socket);
    try {
      if (peer === undefined || !this.host.allowedUids.has(peer.uid)) throw notAllowed(peer);
      if (this.sockets.size - this.refused > MOST_CONNECTIONS) throw full();
      const allowance = this.host.allowances.of(peer.uid);
      const leave = allowance.connect();
      socket.on("close", leave);
      this.receive(socket, peer, allowance);
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      if (cause.code === "GUARD_DENIED") this.keep(this.host.denied(peer, cause));
      this.refuse(socket, cause);
    }
  }

  /** Says why, and ends the connection; what the client still sends is taken and thrown away. */
  private refuse(socket: Socket, cause: CliError): void {
    if (this.refused >= MOST_REFUSED) return void socket.destroy();
    this.refused += 1;
    const timer = setTimeout(() => socket.destroy(), REFUSAL_MS);
    socket.on("close", () => {
      clearTimeout(timer);
      this.refused -= 1;
    });
    socket.resume();
    socket.end(encodeFrame({ ok: false, warnings: [] }, Buffer.from(encodeFailure(cause))));
  }

  /** Reads one request, then answers it. */
  private receive(socket: Socket, peer: Peer, allowance: Allowance): void {
    const frames = new FrameReader();
    const timer = setTimeout(() => socket.destroy(), REQUEST_MS);
    let request: Request | undefined;
    let isComplete = false;
    let isRefused = false;
    socket.on("close", () => clearTimeout(timer));
    socket.on("data", (chunk: Buffer) => {
      if (isRefused) return;
      try {
        frames.push(chunk);
        if (isComplete) throw incompatible();
        const line = request === undefined ? frames.line() : undefined;
        if (line !== undefined) request = parseRequest(line);
        if (request === undefined) return;
        const document = frames.bytes(request.length);
        if (document === undefined) return;
        if (frames.rest > 0) throw incompatible();
        isComplete = true;
        clearTimeout(timer);
        this.work(socket, request, document, peer, allowance);
      } catch (cause) {
        clearTimeout(timer);
        if (!(cause instanceof CliError)) throw cause;
        isRefused = true;
        if (isComplete) socket.destroy();
        else this.refuse(socket, cause);
      }
    });
  }

  private work(
    socket: Socket,
    request: Request,
    document: Uint8Array,
    peer: Peer,
    allowance: Allowance,
  ): void {
    working.add(socket);
    const gone = new AbortController();
    let isSent = false;
    const leave = (): void => {
      if (!isSent) gone.abort();
    };
    socket.on("end", leave);
    socket.on("close", leave);
    const announce = async (key: string): Promise<void> => {
      if (gone.signal.aborted) throw new Error("the client is gone");
      await write(socket, encodeKey(key));
      isSent = true;
    };
    const caller = { peer, allowance, gone: gone.signal, announce, isSent: () => isSent };
    const done = this.host
      .answer(request, document, caller)
      .then(({ ok, text, warnings }) => finish(socket, { ok, warnings }, text))
      .finally(() => {
        working.delete(socket);
        this.answered += 1;
        if (this.answered % COLLECT_ALL_EVERY === 0) fullGC();
        else if (this.answered % COLLECT_NEW_EVERY === 0) edenGC();
      });
    this.keep(done);
  }

  /** The guard's end awaits this. */
  private keep(work: Promise<void>): void {
    const done = work.finally(() => this.busy.delete(done));
    this.busy.add(done);
  }
}

/** Connections with a request that is being carried out. */
const working = new WeakSet<Socket>();

function isWorking(socket: Socket): boolean {
  return working.has(socket);
}

/** Resolves once the bytes are in the system's hands. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed || !socket.writable) return reject(new Error("the client is gone"));
    const lost = (): void => reject(new Error("the client is gone"));
    socket.once("close", lost);
    socket.write(bytes, (cause) => {
      socket.removeListener("close", lost);
      if (cause === null || cause === undefined) resolve();
      else reject(cause);
    });
  });
}

/** Sends the answer and ends the connection; for a client that does not read, after 30 seconds. */
async function finish(
  socket: Socket,
  { ok, warnings }: Pick<Answered, "ok" | "warnings">,
  text: string,
): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
  try {
    // Bytes that the system has are read also after the end of the connection.
    await write(socket, encodeFrame({ ok, warnings }, Buffer.from(text)));
  } catch {
    // The client is gone.
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function notAllowed(peer: Peer | undefined): CliError {
  return new CliError("GUARD_DENIED", {
    message:
      peer === undefined
        ? "The system does not tell the guard who is calling."
        : `The guard does not serve the user ${peer.uid}.`,
    details: { uid: peer?.uid ?? null },
  });
}

function full(): CliError {
  return new CliError("RATE_LIMITED", {
    message: "The guard has no room for another connection; nothing was sent.",
    retryAfterSeconds: 1,
  });
}

function cannotListen(cause: unknown): CliError {
  return new CliError("IO_ERROR", {
    message: "The guard cannot listen on its socket.",
    hint: "Check that the socket's folder exists, that this user may write to it, and that nothing else listens there.",
    field: "--socket",
    details: { reason: errnoOf(cause) },
    cause,
  });
}

/** Removes a socket without a server; never a file that is not a socket. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return;
    throw cannotListen(cause);
  }
  if (!isSocket)
    throw new CliError("IO_ERROR", {
      message: "At the place of the guard's socket is a file that is not a socket.",
      hint: "Choose another --socket, or have a person move the file away.",
      field: "--socket",
    });
  if (await isServed(path))
    throw new CliError("IO_ERROR", {
      message: "Something else serves the guard's socket.",
      hint: "Stop it first, or choose another --socket.",
      field: "--socket",
    });
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (cause) => {
      socket.destroy();
      resolve(errnoOf(cause) !== "ECONNREFUSED");
    });
  });
}
