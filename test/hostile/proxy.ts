/** A CONNECT proxy that does as it is told and remembers what it was asked. */
import { connect, createServer, type Server, type Socket } from "node:net";

/** What a proxy does with a CONNECT; `open` leads on to the target. */
export type Behaviour = "open" | ((socket: Socket) => void);

export class ConnectProxy implements AsyncDisposable {
  /** The heads of what it was asked, as they came. */
  readonly asked: string[] = [];
  /** All that clients sent through tunnels: what an eavesdropper at the proxy would have. */
  tunnelled = Buffer.alloc(0);
  private behaviour: Behaviour = "open";
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
    readonly port: number,
  ) {}

  /** Every tunnel leads to `target`, a port of this machine, whatever name was asked for. */
  static async start(target: number): Promise<ConnectProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const proxy = new ConnectProxy(
      server,
      target,
      typeof address === "object" && address !== null ? address.port : 0,
    );
    server.on("connection", (socket) => proxy.accept(socket));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  behave(behaviour: Behaviour): void {
    this.behaviour = behaviour;
    this.asked.length = 0;
    this.tunnelled = Buffer.alloc(0);
  }

  /** The request lines. */
  get lines(): string[] {
    return this.asked.map((head) => head.split("\r\n")[0] ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket): void {
    this.track(socket).once("data", (chunk: Buffer) => {
      this.asked.push(chunk.toString("latin1"));
      if (this.behaviour === "open") this.open(socket);
      else this.behaviour(socket);
    });
  }

  private open(client: Socket): void {
    const server = this.track(connect(this.target, "127.0.0.1"));
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    client.on("data", (chunk: Buffer) => {
      this.tunnelled = Buffer.concat([this.tunnelled, chunk]);
    });
    client.pipe(server).pipe(client);
  }

  private track(socket: Socket): Socket {
    this.sockets.add(socket);
    return socket
      .on("close", () => this.sockets.delete(socket))
      .on("error", () => socket.destroy());
  }
}
