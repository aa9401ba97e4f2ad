/**
 * N1 N3 N4 N6 P10: connections that are never made, that are slow, or that go through an odd proxy.
 * What was never handed to a connection is never "perhaps carried out".
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { lacks } from "../support/programs.ts";
import { Certificates } from "./certificates.ts";
import { builtForms, closeAll, lowestPeak, openLoggedIn, Program } from "./program.ts";
import { ConnectProxy } from "./proxy.ts";
import { http, RawApi } from "./raw-api.ts";

const LOGIN = ["login", "api"];
const LIST = ["accounts", "list"];
const create = (note: string): string =>
  `requests create --requestData '{"type":"CREATE_TRANSACTION","data":{"note":"${note}"}}'`;
const NAME = "api.example.test";

/** 256 MiB of zeros each. */
const ZEROS = Buffer.alloc(256 * 1024 * 1024);
const QUICKLY = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const BOMBS = [
  ["gzip", gzipSync(ZEROS)],
  ["deflate", deflateSync(ZEROS)],
  ["br", brotliCompressSync(ZEROS, QUICKLY)],
  ["zstd", zstdCompressSync(ZEROS)],
] as const;

let certificates: Certificates;
let secure: RawApi;
let proxy: ConnectProxy;
beforeAll(async () => {
  certificates = await Certificates.make();
  secure = await RawApi.start({ identity: await certificates.identity("good") });
  proxy = await ConnectProxy.start(Number(new URL(secure.url).port));
});
afterAll(() => closeAll(proxy, secure, certificates));

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    test.skipIf(lacks("strace")).each(["EPERM", "EACCES", "EAFNOSUPPORT", "ENETDOWN"])(
      "N1 a connection that the system refuses with %s: nothing was sent",
      async (errno) => {
        api.serve({});
        const inject = `strace -f -qq -o /dev/null -e trace=connect -e inject=connect:error=${errno}`;
        const { exit, stdout } = await program.shell(`exec ${inject} "$@" ${create(errno)}`);
        const { error } = JSON.parse(stdout);
        expect({ exit, code: error.code }).toEqual({ exit: 1, code: "NETWORK_ERROR" });
        expect(error.hint).toMatch(/Nothing was sent.*sandbox or firewall/);
        expect(error.details.reason).toBe(errno);
        expect([api.connections, api.requests]).toEqual([0, []]);
      },
      120_000,
    );

    test("'requests wait --timeout 3' ends after three seconds, whatever the server does", async () => {
      api.serve({ "GET /requests/7": [() => undefined] });
      const startedAt = performance.now();
      await program.fail(["requests", "wait", "--id", "7", "--timeout", "3"], 1, "TIMEOUT");
      const seconds = (performance.now() - startedAt) / 1000;
      expect(seconds).toBeGreaterThan(2.5);
      // Silence is borne for 15 seconds otherwise.
      expect(seconds).toBeLessThan(14);
    });

    test("the last look is made within the time, and its answer counts", async () => {
      const waiting = http("200 OK", '{"id":"7","state":"PENDING_APPROVAL"}');
      const done = http("200 OK", '{"id":"7","state":"APPROVED"}');
      api.serve({ "GET /requests/7": [waiting, done] });
      await program.succeed(["requests", "wait", "--id", "7", "--timeout", "2"]);
      api.serve({ "GET /requests/7": [waiting] });
      const { details } = await program.fail(
        ["requests", "wait", "--id", "7", "--timeout", "2"],
        1,
        "WAIT_TIMEOUT",
      );
      expect(details).toMatchObject({ reached: false, request: { state: "PENDING_APPROVAL" } });
      expect(api.count("GET /requests/7")).toBe(2);
    });

    test("N3 an address space of 8 GB is enough, or the refusal is one document", async () => {
      api.serve({ "GET /accounts": [http("200 OK", '{"results":[]}')] });
      const { exit, stdout } = await program.shell(`ulimit -v 8000000; exec "$@" accounts list`);
      expect({ exit, stdout }).toEqual({ exit: 0, stdout: '{"results":[]}\n' });
    });

    test.skipIf(lacks("/usr/bin/time")).each(BOMBS)(
      "N6 a bomb packed by %s, in an error, a token answer or a refresh, takes less than 100 MB",
      async (encoding, packed) => {
        const headers = { "content-encoding": encoding };
        const bomb = (status: string) => http(status, packed, headers);
        const calls: [argv: string[], route: string, status: string, code: string][] = [
          [LIST, "GET /accounts", "400 Bad Request", "BAD_REQUEST"],
          [LIST, "GET /accounts", "500 X", "SERVER_ERROR"],
          [LOGIN, "POST /auth/token", "200 OK", "RESPONSE_TOO_LARGE"],
          [LOGIN, "POST /auth/token", "401 X", "UNAUTHORIZED"],
        ];
        for (const [argv, route, status, wanted] of calls) {
          const peakOf = async (): Promise<number> => {
            api.serve({ [route]: [bomb(status)] });
            const { stdout, stderr, peakMiB } = await program.measure(argv);
            const { code } = JSON.parse(stdout).error;
            expect({ argv, status, code, stderr }).toEqual({
              argv,
              status,
              code: wanted,
              stderr: "",
            });
            return peakMiB;
          };
          expect(await lowestPeak(100, peakOf)).toBeLessThan(100);
        }
      },
      240_000,
    );

    const through = (more: Readonly<Record<string, string>>): Promise<Program> => {
      secure.serve({});
      return Program.at(form, {
        LEDGER_ENTERPRISE_API_URL: `https://${NAME}`,
        NODE_EXTRA_CA_CERTS: certificates.authority,
        ...more,
      });
    };

    test.each([
      ["user:100%", "user:100%"],
      ["user:p%x%zz%2", "user:p%x%zz%2"],
      ["user:p%25x", "user:p%x"],
      ["%:%", "%:%"],
      [":word", ":word"],
      ["user", "user:"],
      ["us%3Aer:w%C3%B6rd", "us:er:wörd"],
    ])("N4 the proxy's credentials %s are read as curl reads them", async (written, read) => {
      proxy.behave("open");
      const HTTPS_PROXY = proxy.url.replace("//", `//${written}@`);
      await using at = await through({ HTTPS_PROXY });
      await at.succeed(LOGIN);
      const proof = Buffer.from(read).toString("base64");
      expect(proxy.asked.length).toBeGreaterThan(0);
      for (const head of proxy.asked)
        expect(head.toLowerCase()).toContain(
          `proxy-authorization: basic ${proof.toLowerCase()}\r\n`,
        );
    });

    test.each(["201 Created", "204 No Content", "299 Well"])(
      "N4 CONNECT that is answered %s opens the tunnel",
      async (status) => {
        proxy.behave((socket) => {
          const onward = connect(Number(new URL(secure.url).port), "127.0.0.1");
          onward.on("error", () => socket.destroy());
          socket.write(`HTTP/1.1 ${status}\r\n\r\n`);
          socket.pipe(onward).pipe(socket);
        });
        await using at = await through({ HTTPS_PROXY: proxy.url });
        await at.succeed(LOGIN);
      },
    );

    test("N4 an https proxy whose certificate is not trusted is named", async () => {
      const identity = await certificates.identity("self");
      const untrusted = createTlsServer({ ...identity }).listen(0, "127.0.0.1");
      untrusted.on("tlsClientError", () => undefined);
      await new Promise((resolve) => untrusted.once("listening", resolve));
      const { port } = untrusted.address() as { port: number };
      await using at = await through({ HTTPS_PROXY: `https://127.0.0.1:${port}` });
      const failure = await at.fail(LOGIN, 1, "TLS_ERROR");
      expect(failure.message).toContain(`the proxy 127.0.0.1:${port}`);
      expect(failure.details).toMatchObject({ fault: "issuer", proxy: `127.0.0.1:${port}` });
      untrusted.close();
    });

    test("N4 a proxy that is gone is named, with its variable", async () => {
      const gone = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => gone.once("listening", resolve));
      const { port } = gone.address() as { port: number };
      await new Promise((resolve) => gone.close(resolve));
      await using at = await through({ https_proxy: `http://127.0.0.1:${port}` });
      const failure = await at.fail(LOGIN, 1, "NETWORK_ERROR");
      expect(failure.message).toContain(`127.0.0.1:${port} (https_proxy)`);
      expect(failure.hint).toContain("https_proxy");
    });

    test("a base URL without /v1/rest is named when something else answers", async () => {
      const page = http("404 Not Found", "<html>", { "content-type": "text/html" });
      api.serve({ "GET /accounts": [page] });
      const failure = await program.fail(LIST, 4, "NOT_FOUND");
      expect(failure.hint).toContain(`${api.url}/v1/rest`);
    });
  });
}
