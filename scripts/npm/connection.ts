/**
 * Connections of the npm package: to the first address that answers, directly or through a proxy,
 * with TLS inside. A failure keeps Node's code.
 */
import { type LookupAddress, lookup } from "node:dns";
import { request } from "node:http";
import { connect, isIP, isIPv6, type Socket } from "node:net";
import type { ProxyServer } from "../../src/io/proxy.ts";

/** NET-3: for addresses, handshake and tunnel together. */
const CONNECT_MS = 10_000;
/** An address that is silent for so long no longer keeps the next one waiting (RFC 8305). */
const ATTEMPT_MS = 250;

/** Where a connection leads. */
export interface Target {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  readonly proxy: ProxyServer | undefined;
}

/** Opens a connection; its TLS handshake is complete. Rejects with Node's error, or ETIMEDOUT. */
export async function open(target: Target, stop: AbortSignal | undefined): Promise<Socket> {
  const limit = new AbortController();
  const end = () => limit.abort(stop?.reason);
  const late = failure("ETIMEDOUT", "The connection was not made in time.");
  const timer = setTimeout(() => limit.abort(late), CONNECT_MS);
  if (stop?.aborted) end();
  stop?.addEventListener("abort", end, { once: true });
  try {
    const { proxy, host, isSecure } = target;
    if (proxy === undefined) {
      const socket = await reach(target, limit.signal);
      return isSecure ? await secure(socket, host, limit.signal) : socket;
    }
    return await secure(await tunnel(proxy, target, limit.signal), host, limit.signal);
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener("abort", end);
  }
}

/** An error with a code of Node's kind. */
export function failure(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

/**
 * Tries the addresses of a name one after the other, each for a moment before the next begins too;
 * the first that answers wins.
 */
async function reach(
  { host, port }: Pick<Target, "host" | "port">,
  stop: AbortSignal,
): Promise<Socket> {
  const addresses = await addressesOf(host, stop);
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>();
    const failures: Error[] = [];
    let timer: NodeJS.Timeout | undefined;
    const settle = (winner?: Socket): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", give);
      for (const attempt of attempts) if (attempt !== winner) attempt.destroy();
    };
    const give = (): void => {
      settle();
      reject(stop.reason);
    };
    const attemptNext = (): void => {
      clearTimeout(timer);
      const address = addresses.shift();
      if (address === undefined) {
        if (attempts.size > 0) return;
        settle();
        reject(failures.length === 1 ? failures[0] : new AggregateError(failures));
        return;
      }
      const socket = connect({ host: address, port });
      attempts.add(socket);
      socket.once("connect", () => {
        settle(socket);
        resolve(socket.removeAllListeners("error").setNoDelay(true));
      });
      socket.on("error", (cause) => {
        if (!attempts.delete(socket)) return;
        failures.push(cause);
        attemptNext();
      });
      if (addresses.length > 0) timer = setTimeout(attemptNext, ATTEMPT_MS);
    };
    stop.addEventListener("abort", give, { once: true });
    attemptNext();
  });
}

/** All addresses, the two families by turns. */
function addressesOf(host: string, stop: AbortSignal): Promise<string[]> {
  if (isIP(host) !== 0) return Promise.resolve([host]);
  return new Promise((resolve, reject) => {
    if (stop.aborted) return reject(stop.reason);
    stop.addEventListener("abort", () => reject(stop.reason), { once: true });
    lookup(host, { all: true }, (cause, found) => {
      if (cause === null) resolve(interleave(found));
      else reject(cause);
    });
  });
}

function interleave(found: readonly LookupAddress[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const second = found.filter(({ family }) => family !== found[0]?.family);
  return first
    .flatMap((entry, at) => [entry, ...second.slice(at, at + 1)])
    .concat(second.slice(first.length))
    .map(({ address }) => address);
}

let isTrusting = false;

/** TLS over a connection. The system's authorities are trusted beside Node's own. */
async function secure(socket: Socket, host: string, stop: AbortSignal): Promise<Socket> {
  const tls = await import("node:tls");
  if (!isTrusting && tls.setDefaultCACertificates !== undefined) {
    isTrusting = true;
    tls.setDefaultCACertificates([
      ...tls.getCACertificates("default"),
      ...tls.getCACertificates("system"),
    ]);
  }
  return new Promise((resolve, reject) => {
    const options = { socket, host, ALPNProtocols: ["http/1.1"], rejectUnauthorized: true };
    const secured = tls.connect(isIP(host) === 0 ? { ...options, servername: host } : options);
    const give = (): void => void secured.destroy(stop.reason);
    if (stop.aborted) give();
    stop.addEventListener("abort", give, { once: true });
    secured.once("secureConnect", () => {
      stop.removeEventListener("abort", give);
      secured.removeListener("error", reject);
      resolve(secured);
    });
    secured.once("error", reject);
    secured.once("close", () => reject(failure("ECONNRESET", "The handshake was broken off.")));
  });
}

/** What says all by itself when a proxy cannot be reached; all else is a refused tunnel. */
const OF_THE_WAY =
  /^(ENOTFOUND|EAI_|ECONNREFUSED|ETIMEDOUT|ABORT_ERR|EPERM|EACCES|EAFNOSUPPORT|E(NET|HOST))/;

/** A connection to the target through the proxy. */
async function tunnel(proxy: ProxyServer, target: Target, stop: AbortSignal): Promise<Socket> {
  const way = await reach(proxy, stop);
  const socket = proxy.protocol === "https:" ? await secure(way, proxy.host, stop) : way;
  try {
    return await askForTunnel(socket, proxy, target, stop);
  } catch (cause) {
    socket.destroy();
    if (stop.aborted) throw stop.reason;
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && OF_THE_WAY.test(code)) throw cause;
    if (code === "ERR_PROXY_TUNNEL") throw cause;
    throw failure("ERR_PROXY_TUNNEL", "The proxy broke off.", cause);
  }
}

function askForTunnel(
  socket: Socket,
  { credentials }: ProxyServer,
  { host, port }: Target,
  stop: AbortSignal,
): Promise<Socket> {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const asking = request({
      method: "CONNECT",
      path: authority,
      headers: { host: authority, connection: "keep-alive", ...proofOf(credentials) },
      createConnection: () => socket,
      signal: stop,
    });
    asking.on("error", reject);
    asking.on("close", () => reject(failure("ECONNRESET", "The proxy broke off.")));
    asking.on("connect", ({ statusCode = 0 }, _, head: Buffer) => {
      if (statusCode >= 200 && statusCode <= 299 && head.length === 0) resolve(socket);
      else reject(failure("ERR_PROXY_TUNNEL", `The proxy answered ${statusCode}.`));
    });
    asking.end();
  });
}

function proofOf(credentials: ProxyServer["credentials"]): Record<string, string> {
  if (credentials === undefined) return {};
  const { user, password } = credentials;
  const proof = Buffer.from(`${user}:${password}`, "latin1").toString("base64");
  return { "proxy-authorization": `Basic ${proof}` };
}
