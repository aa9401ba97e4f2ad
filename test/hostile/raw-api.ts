/**
 * An API that answers with exactly the bytes a test says: real sockets that lie, break and trickle.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Identity } from "./certificates.ts";

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** How many requests of this method and path came before. */
  readonly before: number;
}

/** Writes to the socket as it likes; a string or bytes are written and the connection is ended. */
export type RawAnswer = string | Uint8Array | ((socket: Socket, request: RawRequest) => void);

/**
 * Answers of one path in order; the last one repeats. `*` means all paths that are not named.
 */
export type RawRoutes = Readonly<Record<string, readonly RawAnswer[]>>;

export const ACCESS_TOKEN = "canary-access-token-0123456789abcdef";
export const REFRESH_TOKEN = "canary-refresh-token-0123456789abcdef";

/** A complete answer with right lengths. */
export function http(
  status: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Uint8Array {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const all = {
    "content-type": "application/json",
    "content-length": String(bytes.length),
    connection: "close",
    ...headers,
  };
  const head = Object.entries(all)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${head.join("")}\r\n`), bytes]);
}

const TOKENS = {
  accessToken: ACCESS_TOKEN,
  expiresInSeconds: 300,
  refreshToken: REFRESH_TOKEN,
  refreshExpiresInSeconds: 1800,
};

const LOGIN: RawRoutes = {
  "POST /auth/token": [http("200 OK", JSON.stringify(TOKENS))],
  "POST /auth/token/refresh": [
    http("200 OK", JSON.stringify({ ...TOKENS, accessToken: `${ACCESS_TOKEN}-2` })),
  ],
  "GET /users/me": [http("404 Not Found", '{"code":"NOT_FOUND","message":"none"}')],
};

export class RawApi implements AsyncDisposable {
  readonly requests: RawRequest[] = [];
  /** How many connections were opened since the answers were set. */
  connections = 0;
  private routes: RawRoutes = LOGIN;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** Plain, or with TLS when it has an identity to show. */
  static async start({
    identity,
    host = "127.0.0.1",
  }: {
    identity?: Identity;
    host?: string;
  } = {}): Promise<RawApi> {
    const server = identity === undefined ? createServer() : createTlsServer({ ...identity });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const api = new RawApi(server, `${identity === undefined ? "http" : "https"}://${authority}`);
    server.on(identity === undefined ? "connection" : "secureConnection", (socket: Socket) =>
      api.accept(socket),
    );
    server.on("connection", () => {
      api.connections += 1;
    });
    return api;
  }

  /** Sets the answers beside those of the login, and forgets what came. */
  serve(routes: RawRoutes): void {
    this.routes = { ...LOGIN, ...routes };
    this.requests.length = 0;
    this.connections = 0;
  }

  count(route: string): number {
    return this.requests.filter(({ method, path }) => `${method} ${path}` === route).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      const length = Number(
        /\r\ncontent-length: (\d+)/i.exec(received.toString("latin1"))?.[1] ?? 0,
      );
      if (end < 0 || received.length < end + 4 + length) return;
      const text = received.toString("utf8");
      received = received.subarray(end + 4 + length);
      this.answer(socket, text);
    });
  }

  private answer(socket: Socket, text: string): void {
    const [head = "", ...rest] = text.split("\r\n\r\n");
    const [line = "", ...lines] = head.split("\r\n");
    const [method = "", target = ""] = line.split(" ");
    const path = target.split("?")[0] ?? "";
    const headers = new Map(
      lines.map((header) => [
        header.split(": ")[0]?.toLowerCase() ?? "",
        header.slice(header.indexOf(": ") + 2),
      ]),
    );
    const route = `${method} ${path}`;
    const request: RawRequest = {
      method,
      path,
      target,
      headers,
      body: rest.join("\r\n\r\n"),
      before: this.count(route),
    };
    this.requests.push(request);
    const answers = this.routes[route] ?? this.routes["*"] ?? [http("404 Not Found", "{}")];
    const answer = answers[Math.min(request.before, answers.length - 1)] ?? "";
    if (typeof answer === "function") answer(socket, request);
    else socket.end(answer);
  }
}
