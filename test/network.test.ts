/** Proxies and private authorities work alike in the executable and in the npm package (NET-10, SPEC §9). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Sandbox, startSandbox } from "../src/sandbox/index.ts";
import { allForms, type Outcome } from "./support/forms.ts";
import { NOTHING_PUBLISHED } from "./support/releases.ts";

const vectors = join(import.meta.dir, "vectors", "tls");
const AUTHORITY = join(vectors, "authority.pem");
/** A name that no resolver knows: only the proxy can lead there. */
const HOST = "api.example.test";
const USER = "proxy-user";
const PASSWORD = "proxy-password-canary";

const forms = (await allForms()).filter(({ name, hostile }) => name !== "source" && !hostile);
const opened: { close(): unknown }[] = [];
const sockets = new Set<Socket>();
let sandbox: Sandbox;
let home: string;
let tlsPort: number;
let proxyPort: number;
/** What the proxy was asked, as "CONNECT host:port <credentials>" or "METHOD url". */
let asked: string[] = [];

function track(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  return socket;
}

async function listen(server: {
  listen(port: number, host: string, ready: () => void): unknown;
  address(): unknown;
  close(): unknown;
}) {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  opened.push(server);
  return (server.address() as AddressInfo).port;
}

/** The sandbox behind the private authority's certificate. It answers only to loopback names, so the host is replaced. */
async function startTls(target: number): Promise<number> {
  const [key = "", cert = ""] = await Promise.all(
    ["server.key", "server.pem"].map((name) => Bun.file(join(vectors, name)).text()),
  );
  const server = createTlsServer({ key, cert }, (incoming, answer) => {
    const { method, url: path } = incoming;
    const headers = { ...incoming.headers, host: "127.0.0.1" };
    const onward = request({ host: "127.0.0.1", port: target, method, path, headers }, (upstream) => {
      answer.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(answer);
    });
    incoming.pipe(onward);
  });
  server.on("connection", track);
  return listen(server);
}

function startProxy(): Promise<number> {
  const server: Server = createServer((plain, response) => {
    asked.push(`${plain.method} ${plain.url}`);
    response.writeHead(502).end();
  });
  server.on("connect", (tunnel, client: Socket) => {
    asked.push(`CONNECT ${tunnel.url} ${atob(tunnel.headers["proxy-authorization"]?.replace("Basic ", "") ?? "")}`);
    const upstream = track(connect(tlsPort, "127.0.0.1"));
    track(client).write("HTTP/1.1 200 OK\r\n\r\n");
    upstream.pipe(client).pipe(upstream);
  });
  return listen(server);
}

beforeAll(async () => {
  sandbox = await startSandbox();
  tlsPort = await startTls(Number(new URL(sandbox.description.baseUrls.v2).port));
  proxyPort = await startProxy();
  home = await mkdtemp(join(tmpdir(), "network-"));
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of opened) server.close();
  await sandbox.close();
  await rm(home, { recursive: true });
});

async function login(form: (typeof forms)[number], env: Record<string, string>): Promise<Outcome> {
  asked = [];
  const { workspace, operator } = sandbox.description;
  const configured = {
    HOME: home,
    LEDGER_ENTERPRISE_API_URL: `https://${HOST}/v1/rest`,
    LEDGER_ENTERPRISE_WORKSPACE: workspace,
    LEDGER_ENTERPRISE_API_KEY_ID: operator.apiKeyId,
    LEDGER_ENTERPRISE_API_KEY_SECRET: operator.apiKeySecret,
    ...NOTHING_PUBLISHED,
  };
  return form.run({ argv: ["login", "api"], env: { ...configured, ...env }, stdin: undefined, cwd: home });
}

const proxy = (): string => `http://${USER}:${PASSWORD}@127.0.0.1:${proxyPort}`;

function codeOf({ stdout }: Outcome): unknown {
  return (JSON.parse(stdout) as { error?: { code: string } }).error?.code;
}

for (const form of forms) {
  test.each(["HTTPS_PROXY", "https_proxy"])(
    `%s leads to the server, with a private authority: ${form.name}`,
    async (name) => {
      const outcome = await login(form, { [name]: proxy(), NODE_EXTRA_CA_CERTS: AUTHORITY });
      expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 0, stdout: undefined, stderr: "" });
      expect(new Set(asked)).toEqual(new Set([`CONNECT ${HOST}:443 ${USER}:${PASSWORD}`]));
    },
  );

  test(`the system's authorities count too: ${form.name}`, async () => {
    const outcome = await login(form, { HTTPS_PROXY: proxy(), SSL_CERT_FILE: AUTHORITY });
    expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 0, stdout: undefined, stderr: "" });
  });

  test(`H10 H13 an unknown authority is refused, whatever NODE_TLS_REJECT_UNAUTHORIZED says (CFG-7): ${form.name}`, async () => {
    const outcome = await login(form, { HTTPS_PROXY: proxy(), NODE_TLS_REJECT_UNAUTHORIZED: "0" });
    expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 1, stdout: "TLS_ERROR", stderr: "" });
  });

  test(`H12 a certificate for another host is refused: ${form.name}`, async () => {
    const url = { LEDGER_ENTERPRISE_API_URL: "https://other.example.test/v1/rest" };
    const outcome = await login(form, { HTTPS_PROXY: proxy(), NODE_EXTRA_CA_CERTS: AUTHORITY, ...url });
    expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 1, stdout: "TLS_ERROR", stderr: "" });
  });

  test(`H17 NO_PROXY goes past the proxy: ${form.name}`, async () => {
    const env = {
      HTTPS_PROXY: proxy(),
      NO_PROXY: "localhost",
      LEDGER_ENTERPRISE_API_URL: `https://localhost:${tlsPort}/v1/rest`,
    };
    const outcome = await login(form, { ...env, NODE_EXTRA_CA_CERTS: AUTHORITY });
    expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 0, stdout: undefined, stderr: "" });
    expect(asked).toEqual([]);
  });

  test.each<[string, Record<string, string>]>([
    ["variables alone", {}],
    ["NODE_USE_ENV_PROXY", { NODE_USE_ENV_PROXY: "1" }],
  ])(`plain http to loopback never meets a proxy, with %s: ${form.name}`, async (_case, more) => {
    const direct = { LEDGER_ENTERPRISE_API_URL: sandbox.description.baseUrls.v2 };
    const outcome = await login(form, {
      HTTP_PROXY: proxy(),
      http_proxy: proxy(),
      ALL_PROXY: proxy(),
      ...direct,
      ...more,
    });
    expect({ ...outcome, stdout: codeOf(outcome) }).toEqual({ exit: 0, stdout: undefined, stderr: "" });
    expect(asked).toEqual([]);
  });

  test(`B20 a proxy that is no URL is named, its credentials are not: ${form.name}`, async () => {
    const outcome = await login(form, { HTTPS_PROXY: `${USER}:${PASSWORD}@nowhere` });
    expect({ exit: outcome.exit, code: codeOf(outcome) }).toEqual({ exit: 2, code: "INVALID_PROXY" });
    expect(outcome.stdout).toContain("HTTPS_PROXY");
    expect(`${outcome.stdout}${outcome.stderr}`).not.toContain(PASSWORD);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    `%s reaches the program behind a proxy setting: ${form.name}`,
    async (signal) => {
      const env = { HOME: home, HTTPS_PROXY: proxy() };
      const child = Bun.spawn([...form.command, "sandbox", "start"], {
        env,
        cwd: home,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const { value } = await child.stdout.getReader().read();
      expect(new TextDecoder().decode(value)).toContain('"baseUrls"');
      child.kill(signal);
      await child.exited;
      expect(child.signalCode).toBe(signal);
    },
  );
}
