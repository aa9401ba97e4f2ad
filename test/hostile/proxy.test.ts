/**
 * Catalogue B20, H16 and H17, and NET-10: a real CONNECT proxy between every built form and a TLS
 * server.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Certificates } from "./certificates.ts";
import { builtForms, Program } from "./program.ts";
import { type Behaviour, ConnectProxy } from "./proxy.ts";
import { http, RawApi } from "./raw-api.ts";

const LOGIN = ["login", "api"];
/** A name that no resolver knows: only the proxy leads there. */
const NAME = "api.example.test";
const [USER, PASSWORD] = ["proxy-user", "proxy-p%C3%A4ss-canary"];

/**
 * What a proxy does instead of opening a tunnel, and the codes that say so. A runtime may see no
 * more than a broken connection.
 */
const REFUSALS: readonly [name: string, behaviour: Behaviour, codes: readonly string[]][] = [
  ...["302 Found", "403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"].map(
    (status): [string, Behaviour, string[]] => [
      status,
      (socket) => socket.end(http(status, "<html>no</html>", { location: "http://127.0.0.1:1/" })),
      ["PROXY_ERROR"],
    ],
  ),
  [
    "an answer of its own",
    (socket) => socket.end(http("200 OK", "{}")),
    ["PROXY_ERROR", "CONNECTION_RESET"],
  ],
  ["nothing but the end", (socket) => socket.end(), ["PROXY_ERROR", "CONNECTION_RESET"]],
  [
    "half an answer",
    (socket) => socket.end("HTTP/1.1 200 OK\r\n"),
    ["PROXY_ERROR", "CONNECTION_RESET"],
  ],
  ["a reset", (socket) => socket.resetAndDestroy(), ["PROXY_ERROR", "CONNECTION_RESET"]],
  [
    "another protocol",
    (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
    ["PROXY_ERROR", "INVALID_RESPONSE"],
  ],
];

const NO_PROXY: readonly [list: string, host: string, direct: boolean][] = [
  ["*", "localhost", true],
  ["localhost", "localhost", true],
  ["LOCALHOST", "localhost", true],
  [".localhost", "localhost", true],
  [" a.test, localhost ", "localhost", true],
  ["a.test localhost", "localhost", true],
  ["localhost:PORT", "localhost", true],
  ["localhost:1", "localhost", false],
  ["ocalhost", "localhost", false],
  ["127.0.0.1", "localhost", false],
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.0/8", "127.0.0.1", true],
  ["127.1.0.0/16", "127.0.0.1", false],
  ["127.", "127.0.0.1", false],
  ["localhost", "127.0.0.1", false],
  ["", "localhost", false],
];

const NO_PROXY_URLS = [
  "USER:PASSWORD@nowhere",
  "127.0.0.1:3128",
  "socks5://USER:PASSWORD@127.0.0.1:1080",
  "ftp://127.0.0.1",
  "http://",
  "http://USER:PASSWORD@",
  "http://USER:PASSWORD@host:99999",
  "http://a b",
  "http://a\tb",
];

let certificates: Certificates;
let api: RawApi;
let proxy: ConnectProxy;
beforeAll(async () => {
  certificates = await Certificates.make();
  api = await RawApi.start({ identity: await certificates.identity("good") });
  proxy = await ConnectProxy.start(Number(new URL(api.url).port));
});
afterAll(async () => {
  for (const part of [proxy, api, certificates]) await part[Symbol.asyncDispose]();
});

for (const form of await builtForms()) {
  describe(form.name, () => {
    const at = (env: Record<string, string>): Promise<Program> => {
      api.serve({});
      const common = {
        LEDGER_ENTERPRISE_API_URL: `https://${NAME}`,
        NODE_EXTRA_CA_CERTS: certificates.authority,
      };
      return Program.at(form, { ...common, ...env });
    };

    test.each(["HTTPS_PROXY", "https_proxy"])(
      "NET-10 %s: CONNECT, and TLS inside",
      async (name) => {
        proxy.behave("open");
        await using program = await at({ [name]: proxy.url });
        await program.succeed(LOGIN);
        await program.fail(["accounts", "list"], 4, "NOT_FOUND");
        expect(api.requests.length).toBe(3);
        expect(new Set(proxy.lines)).toEqual(new Set([`CONNECT ${NAME}:443 HTTP/1.1`]));
        const seen = `${proxy.asked.join("")}${proxy.tunnelled.toString("latin1")}`;
        expect(seen).not.toContain("canary");
        expect(seen).not.toMatch(/authorization|user-agent: (?!ledger)/i);
      },
    );

    test("NET-10 the proxy's credentials go to the proxy only, and are shown nowhere", async () => {
      proxy.behave("open");
      await using program = await at({
        HTTPS_PROXY: proxy.url.replace("//", `//${USER}:${PASSWORD}@`),
      });
      for (const argv of [LOGIN, [...LOGIN, "--debug"], ["doctor", "--debug"]]) {
        const { stdout, stderr } = await program.run(argv);
        for (const form of [PASSWORD, decodeURIComponent(PASSWORD)])
          expect(`${stdout}${stderr}`).not.toContain(form);
      }
      const proof = Buffer.from(`${USER}:${decodeURIComponent(PASSWORD)}`).toString("base64");
      for (const head of proxy.asked)
        expect(head).toMatch(new RegExp(`proxy-authorization: Basic ${proof}\r\n`, "i"));
      expect(api.requests.filter(({ headers }) => headers.has("proxy-authorization"))).toEqual([]);
    });

    test.each(REFUSALS)(
      "H16 the proxy answers CONNECT with %s",
      async (_name, behaviour, codes) => {
        proxy.behave(behaviour);
        await using program = await at({ HTTPS_PROXY: proxy.url });
        const { exit, stdout } = await program.run(LOGIN);
        const { error } = JSON.parse(stdout);
        expect(codes).toContain(error.code);
        expect(exit).toBe(error.exitCode);
        expect(error.hint).toMatch(/proxy/i);
        expect({ asked: proxy.asked.length, reached: api.requests.length }).toEqual({
          asked: 1,
          reached: 0,
        });
      },
    );

    test("H16 the proxy accepts and says nothing: the command's time ends it", async () => {
      proxy.behave(() => undefined);
      await using program = await at({ HTTPS_PROXY: proxy.url });
      await program.fail([...LOGIN, "--timeout", "2"], 1, "TIMEOUT");
      expect(proxy.asked.length).toBe(1);
    });

    test("H16 the proxy is not there, or its name does not resolve: the hint names it", async () => {
      for (const [url, code] of [
        ["http://127.0.0.1:1", "NETWORK_ERROR"],
        ["http://proxy.invalid:3128", "DNS_ERROR"],
      ] as const) {
        await using program = await at({ HTTPS_PROXY: url });
        const failure = await program.fail(LOGIN, 1, code);
        expect(failure.hint).toContain("proxy");
      }
    });

    test("H12 H13 the certificate inside the tunnel is the API's, not the proxy's word", async () => {
      proxy.behave("open");
      await using stranger = await at({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: "" });
      await stranger.fail(LOGIN, 1, "TLS_ERROR");
      await using elsewhere = await at({
        HTTPS_PROXY: proxy.url,
        LEDGER_ENTERPRISE_API_URL: "https://other.example.test",
      });
      await elsewhere.fail(LOGIN, 1, "TLS_ERROR");
      expect(api.requests).toEqual([]);
    });

    test("H17 NO_PROXY has one meaning everywhere", async () => {
      const port = new URL(api.url).port;
      for (const [list, host, isDirect] of NO_PROXY) {
        proxy.behave("open");
        const noProxy = list.replace("PORT", port);
        await using program = await at({
          HTTPS_PROXY: proxy.url,
          NO_PROXY: noProxy,
          LEDGER_ENTERPRISE_API_URL: `https://${host}:${port}`,
        });
        await program.succeed(LOGIN);
        expect({ list, host, isDirect: proxy.asked.length === 0 }).toEqual({
          list,
          host,
          isDirect,
        });
      }
    });

    const switches: Record<string, string>[] = [
      {},
      { NODE_USE_ENV_PROXY: "1" },
      { NODE_OPTIONS: "--use-env-proxy" },
    ];
    test.each(switches)("NET-10 plain http to loopback meets no proxy: %j", async (more) => {
      proxy.behave("open");
      await using plain = await RawApi.start();
      plain.serve({});
      const names = [
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
      ];
      await using program = await at({
        ...Object.fromEntries(names.map((name) => [name, proxy.url])),
        LEDGER_ENTERPRISE_API_URL: plain.url,
        ...more,
      });
      const { exit, stderr } = await program.run(LOGIN);
      expect({ exit, stderr, asked: proxy.asked }).toEqual({ exit: 0, stderr: "", asked: [] });
      expect(plain.requests.length).toBe(2);
    });

    test("NET-10 only HTTPS_PROXY counts for https", async () => {
      proxy.behave("open");
      const [http, all] = [
        { HTTP_PROXY: proxy.url, http_proxy: proxy.url },
        { ALL_PROXY: proxy.url },
      ];
      await using program = await at({ ...http, ...all, LEDGER_ENTERPRISE_API_URL: api.url });
      await program.succeed(LOGIN);
      expect(proxy.asked).toEqual([]);
    });

    test.each(["HTTPS_PROXY", "https_proxy"])(
      "B20 %s that is not a proxy URL is named, its content is not",
      async (name) => {
        for (const url of NO_PROXY_URLS) {
          const value = url.replace("USER", USER).replace("PASSWORD", PASSWORD);
          await using program = await at({ [name]: value, LEDGER_ENTERPRISE_API_URL: api.url });
          const failure = await program.fail(LOGIN, 2, "INVALID_PROXY");
          expect({ value, field: failure.field }).toEqual({ value, field: name });
          expect(JSON.stringify(failure)).not.toMatch(/canary|proxy-user/);
        }
        expect(api.connections).toBe(0);
      },
    );

    test("B20 a blank proxy variable counts as unset", async () => {
      for (const value of ["", "  "]) {
        await using program = await at({ HTTPS_PROXY: value, LEDGER_ENTERPRISE_API_URL: api.url });
        await program.succeed(LOGIN);
      }
    });
  });
}
