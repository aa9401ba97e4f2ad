/**
 * Catalogue H09–H15 and CFG-7: every built form against TLS servers that show certificates of a
 * test's own authority.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createRelay, type Socket } from "node:net";
import { join } from "node:path";
import { Certificates } from "./certificates.ts";
import { builtForms, Program } from "./program.ts";
import { RawApi } from "./raw-api.ts";

const LOGIN = ["login", "api"];
let made = 0;
/** A request of its own each time: an equal one would be refused as a duplicate. */
function create(): string[] {
  made += 1;
  const document = { type: "CREATE_TRANSACTION", data: { note: `${made}` } };
  return ["requests", "create", "--requestData", JSON.stringify(document)];
}
type Shown = Parameters<Certificates["identity"]>[0];

/** What a server shows, which fault that is, and what the message and the hint must say. */
const REFUSED: readonly [name: string, shown: Shown, fault: string, said: RegExp, hint: RegExp][] =
  [
    ["H10 N2 a self-signed certificate", "self", "issuer", /not trust/, /NODE_EXTRA_CA_CERTS/],
    ["H11 N2 an expired certificate", "expired", "expired", /has expired/, /clock/],
    ["H11 N2 one that is not yet valid", "future", "notYetValid", /not yet valid/, /clock/],
    ["H12 N2 one for another host", "elsewhere", "host", /another host name/, /base URL/],
    ["H13 N2 an incomplete chain", "intermediate", "issuer", /not trust/, /whole chain/],
    ["N2 name constraints violated", "outside", "constraint", /rule of its chain/, /reason/],
    ["N2 path length exceeded", "tooDeep", "constraint", /rule of its chain/, /reason/],
    ["N2 an unknown critical extension", "critical", "constraint", /rule of its chain/, /reason/],
  ];

const SWITCHES: Record<string, string>[] = [
  {},
  { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
  { NODE_TLS_REJECT_UNAUTHORIZED: "false", NODE_NO_WARNINGS: "1" },
  { GIT_SSL_NO_VERIFY: "1", PYTHONHTTPSVERIFY: "0", npm_config_strict_ssl: "false" },
];

let certificates: Certificates;
beforeAll(async () => {
  certificates = await Certificates.make();
});
afterAll(() => certificates[Symbol.asyncDispose]());

async function startPlain(): Promise<Server> {
  const server = createServer((_request, response) => response.end("{}"));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** A server of OpenSSL's that speaks one old protocol, and its port. */
async function startOld(protocol: string): Promise<{ port: string } & AsyncDisposable> {
  const { key, cert } = certificates.files("good");
  const old = [protocol, "-cipher", "ALL:@SECLEVEL=0"];
  const child = Bun.spawn(
    ["openssl", "s_server", ...old, "-accept", "127.0.0.1:0", "-key", key, "-cert", cert],
    {
      stdio: ["pipe", "pipe", "ignore"],
    },
  );
  let said = "";
  for await (const chunk of child.stdout) {
    said += new TextDecoder().decode(chunk);
    const port = /ACCEPT \S*:(\d+)/.exec(said)?.[1];
    if (port === undefined) continue;
    return {
      port,
      async [Symbol.asyncDispose]() {
        child.kill();
        await child.exited;
      },
    };
  }
  throw new Error(`openssl s_server did not start: ${said}`);
}

for (const form of await builtForms()) {
  describe(form.name, () => {
    const at = (url: string, env: Record<string, string> = {}): Promise<Program> =>
      Program.at(form, {
        LEDGER_ENTERPRISE_API_URL: url,
        NODE_EXTRA_CA_CERTS: certificates.authority,
        ...env,
      });

    test.each(REFUSED)("%s, and nothing is sent", async (_name, shown, fault, said, hint) => {
      await using api = await RawApi.start({ identity: await certificates.identity(shown) });
      api.serve({});
      await using program = await at(api.url);
      const failure = await program.fail(LOGIN, 1, "TLS_ERROR");
      const { host } = new URL(api.url);
      expect(failure.details).toMatchObject({ host, fault });
      expect(failure.message).toContain(host);
      expect(failure.message).toMatch(said);
      expect(failure.hint).toMatch(hint);
      expect(failure.hint).not.toMatch(/insecure|REJECT_UNAUTHORIZED/i);
      expect(failure.retryable).toBe(false);
      expect({ requests: api.requests.length, connections: api.connections }).toEqual({
        requests: 0,
        connections: 1,
      });
    });

    test.each(["outside", "tooDeep", "critical"] as const)(
      "N2 a read and a write on a server whose certificate became %s: one connection, nothing sent",
      async (shown) => {
        await using good = await RawApi.start({ identity: await certificates.identity("good") });
        good.serve({});
        await using program = await at(good.url);
        await program.succeed(LOGIN);
        await using bad = await RawApi.start({ identity: await certificates.identity(shown) });
        const session = await readFile(program.sessionFile, "utf8");
        await writeFile(program.sessionFile, session.replace(good.url, bad.url));
        const env = { LEDGER_ENTERPRISE_API_URL: bad.url };
        for (const argv of [["accounts", "list"], create()]) {
          bad.serve({});
          await program.fail(argv, 1, "TLS_ERROR", { env });
          expect({ connections: bad.connections, sent: bad.requests }).toEqual({
            connections: 1,
            sent: [],
          });
        }
      },
    );

    test("N9 a byte order mark before the authorities", async () => {
      await using api = await RawApi.start({ identity: await certificates.identity("good") });
      api.serve({});
      await using program = await at(api.url);
      const marked = join(program.home, "marked.pem");
      await writeFile(marked, `\ufeff${await readFile(certificates.authority, "utf8")}`);
      await program.succeed(LOGIN, { env: { NODE_EXTRA_CA_CERTS: marked } });
      await program.fail(["accounts", "list"], 4, "NOT_FOUND", {
        env: { NODE_EXTRA_CA_CERTS: marked },
      });
    });

    test.each(SWITCHES)("CFG-7 certificates are checked whatever is switched: %j", async (env) => {
      await using api = await RawApi.start({ identity: await certificates.identity("self") });
      api.serve({});
      await using program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url, ...env });
      const { exit, stdout, stderr } = await program.run(LOGIN);
      expect({ exit, code: JSON.parse(stdout).error.code, stderr }).toEqual({
        exit: 1,
        code: "TLS_ERROR",
        stderr: "",
      });
      expect(api.requests).toEqual([]);
    });

    test("H09 plain http behind an https URL", async () => {
      const plain = await startPlain();
      const { port } = plain.address() as AddressInfo;
      await using program = await at(`https://127.0.0.1:${port}`);
      const failure = await program.fail(LOGIN, 1, "TLS_ERROR");
      expect(failure.hint).toContain("must speak TLS");
      plain.close();
    });

    test("H09 https behind an http URL", async () => {
      await using api = await RawApi.start({ identity: await certificates.identity("good") });
      api.serve({});
      await using program = await at(api.url.replace("https:", "http:"));
      const failure = await program.fail(LOGIN, 1, "CONNECTION_RESET");
      expect(failure.hint).toContain("whether both sides speak https");
      expect(api.requests).toEqual([]);
    });

    test.each(["-tls1", "-tls1_1"])("H14 a server that speaks only %s", async (protocol) => {
      await using old = await startOld(protocol);
      await using program = await at(`https://127.0.0.1:${old.port}`);
      const failure = await program.fail(LOGIN, 1, "TLS_ERROR");
      expect(failure.hint).toContain("TLS 1.2");
    });

    test("NET-6 a connection that breaks under TLS after a write arrived: the outcome is unknown", async () => {
      await using api = await RawApi.start({ identity: await certificates.identity("good") });
      const clients: Socket[] = [];
      const relay = createRelay((client) => {
        clients.push(client);
        const server = connect(Number(new URL(api.url).port), "127.0.0.1");
        for (const socket of [client, server]) socket.on("error", () => undefined);
        client.pipe(server).pipe(client);
      });
      await new Promise<void>((resolve) => void relay.listen(0, "127.0.0.1", resolve));
      await using program = await at(`https://127.0.0.1:${(relay.address() as AddressInfo).port}`);
      // No TLS record: neither side's key made it.
      api.serve({
        "POST /requests": [() => clients.at(-1)?.end("HTTP/1.1 500 Internal Server Error\r\n\r\n")],
      });
      await program.succeed(LOGIN);
      await program.fail(create(), 1, "OUTCOME_UNKNOWN");
      expect(api.count("POST /requests")).toBe(1);
      for (const client of clients) client.destroy();
      relay.close();
    });

    test.each(["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"])(
      "H15 a private authority through %s",
      async (name) => {
        await using api = await RawApi.start({ identity: await certificates.identity("full") });
        api.serve({});
        await using program = await Program.at(form, {
          LEDGER_ENTERPRISE_API_URL: api.url,
          [name]: certificates.authority,
        });
        await program.succeed(LOGIN);
        expect(api.requests.length).toBe(2);
      },
    );

    test("H15 a file of authorities that is not there changes nothing", async () => {
      await using api = await RawApi.start({ identity: await certificates.identity("good") });
      api.serve({});
      await using program = await at(api.url, { NODE_EXTRA_CA_CERTS: "/nowhere/authority.pem" });
      const { exit, stdout } = await program.run(LOGIN);
      expect({ exit, code: JSON.parse(stdout).error.code }).toEqual({ exit: 1, code: "TLS_ERROR" });
    });
  });
}
