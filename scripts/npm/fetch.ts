/**
 * The npm package's `fetch`: over node:http, for direct connections and proxies alike (NET-10).
 * Node's own is not used: it takes as long to load as Node itself, refuses answers that are legal,
 * repeats requests by itself, and its proxy support has other rules than the executable's. This one
 * follows nothing, repeats nothing and unpacks nothing; the body of a request is read when there is
 * a connection to write it to.
 */
import {
  Agent,
  type ClientRequest,
  type ClientRequestArgs,
  type IncomingMessage,
  request,
} from "node:http";
import type { Socket } from "node:net";
import { bypasses, type ProxyServer, parseProxy } from "../../src/io/proxy.ts";
import { failure, open } from "./connection.ts";
import { HeaderList } from "./headers.ts";

export { HeaderList } from "./headers.ts";

interface Init {
  readonly method?: string;
  readonly headers?: HeaderList | Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | null;
  readonly signal?: AbortSignal;
}

/** What of a `Response` the program uses. */
interface Answer {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: HeaderList;
  readonly body: Body | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The `fetch` of a machine with these variables. */
export function makeFetch(env: Environment): (url: string, init?: Init) => Promise<Answer> {
  const proxy = parseProxy(first(env, "https_proxy", "HTTPS_PROXY"));
  const noProxy = first(env, "no_proxy", "NO_PROXY");
  const connections = new Map<string, Connections>();
  return (address, init = {}) => {
    const url = new URL(address);
    const isSecure = url.protocol === "https:";
    const through = isSecure && !bypasses(noProxy, url) ? proxy : undefined;
    const kind = `${isSecure} ${through === undefined}`;
    const agent = connections.get(kind) ?? new Connections(isSecure, through);
    connections.set(kind, agent);
    return exchange(url, init, agent);
  };
}

function first(env: Environment, ...names: string[]): string {
  return names.map((name) => env[name]?.trim() ?? "").find((value) => value !== "") ?? "";
}

/** Kept for the next request of the same command. */
class Connections extends Agent {
  constructor(
    private readonly isSecure: boolean,
    private readonly proxy: ProxyServer | undefined,
  ) {
    super({ keepAlive: true });
  }

  override createConnection(
    { host, port, stop }: ConnectionOptions,
    done?: (cause: Error | null, socket: Socket) => void,
  ): undefined {
    const { isSecure, proxy } = this;
    open({ host: host ?? "", port: Number(port), isSecure, proxy }, stop).then(
      (socket) => done?.(null, socket),
      done as (cause: Error) => void,
    );
  }
}

interface ConnectionOptions extends ClientRequestArgs {
  /** Node keeps `signal` from its agents. */
  readonly stop?: AbortSignal | undefined;
}

function exchange(url: URL, init: Init, agent: Connections): Promise<Answer> {
  const { method = "GET", body, signal } = init;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const options: ConnectionOptions = {
      ...{ method, agent, host, port, path: `${url.pathname}${url.search}` },
      headers: { ...Object.fromEntries(new HeaderList(init.headers)), host: url.host },
      stop: signal,
    };
    const sending = request(options);
    let received: Body | undefined;
    const fail = (cause: unknown): void => {
      received?.fail(cause);
      reject(cause);
    };
    const stop = (): void => {
      fail(signal?.reason);
      sending.destroy();
    };
    signal?.addEventListener("abort", stop, { once: true });
    sending.on("error", fail);
    sending.on("close", () => {
      signal?.removeEventListener("abort", stop);
      fail(failure("ECONNRESET", "The connection was closed."));
    });
    sending.on("upgrade", (_, socket: Socket) => {
      socket.destroy();
      fail(failure("HPE_UNEXPECTED_UPGRADE", "The server changed the protocol."));
    });
    sending.on("response", (message) => {
      received = new Body(message);
      resolve(answerOf(message, received));
    });
    if (body === undefined || body === null) sending.end();
    else sending.on("socket", () => void send(body, sending));
  });
}

async function send(body: AsyncIterable<Uint8Array>, sending: ClientRequest): Promise<void> {
  try {
    for await (const chunk of body) sending.write(chunk);
    sending.end();
  } catch (cause) {
    sending.destroy(cause as Error);
  }
}

const STATUSES_WITHOUT_BODY = [204, 205, 304];

function answerOf(message: IncomingMessage, body: Body): Answer {
  const { statusCode: status = 0, rawHeaders } = message;
  const headers = new HeaderList();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  const isEmpty = STATUSES_WITHOUT_BODY.includes(status);
  if (isEmpty) message.resume();
  return { status, ok: status >= 200 && status <= 299, headers, body: isEmpty ? null : body };
}

type Chunk = { readonly done: boolean; readonly value: Uint8Array | undefined };

/** The body of an answer as it arrives; no more is taken from the connection than is read. */
class Body {
  private readonly chunks: Uint8Array[] = [];
  private state: "open" | "complete" | "failed" = "open";
  private cause: unknown;
  private wake: (() => void) | undefined;

  constructor(private readonly message: IncomingMessage) {
    message.pause();
    message.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      message.pause();
      this.wake?.();
    });
    message.on("end", () => {
      if (message.complete) this.settle("complete");
      else this.fail(failure("ECONNRESET", "The answer was cut."));
    });
    message.on("error", (cause) => this.fail(cause));
  }

  /** What was received before is still read first. */
  fail(cause: unknown): void {
    if (this.state === "open") this.cause = cause;
    this.settle("failed");
  }

  getReader(): { read(): Promise<Chunk>; cancel(): Promise<void> } {
    return { read: () => this.read(), cancel: () => this.cancel() };
  }

  async cancel(): Promise<void> {
    this.message.destroy();
  }

  private async read(): Promise<Chunk> {
    for (;;) {
      const value = this.chunks.shift();
      if (value !== undefined) return { done: false, value };
      if (this.state === "complete") return { done: true, value: undefined };
      if (this.state === "failed") throw this.cause;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        this.message.resume();
      });
    }
  }

  private settle(state: "complete" | "failed"): void {
    if (this.state === "open") this.state = state;
    this.wake?.();
  }
}
