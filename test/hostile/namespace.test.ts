/**
 * Catalogue H01, H03 and H18, and NET-3: every built form in a network where names and addresses
 * are as the test says.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { lacks } from "../support/programs.ts";
import { Certificates } from "./certificates.ts";
import { FAR, Namespace } from "./namespace.ts";
import { builtForms, Program, twoForms } from "./program.ts";
import { http, type RawAnswer, RawApi } from "./raw-api.ts";

const LOGIN = ["login", "api"];
const LIST = ["accounts", "list"];

/** Names by their addresses, in the order of the list. */
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  "v4.far.test": [FAR.here4],
  "v6.far.test": [FAR.here6],
  "both.far.test": [FAR.here6, FAR.here4],
  "dead-v6.far.test": [FAR.void6, FAR.here4],
  "dead-v4.far.test": [FAR.void4, FAR.here6],
  "dead-first.far.test": [FAR.void4, FAR.here4],
  "dead.far.test": [FAR.void4],
  "all-dead.far.test": [FAR.void6, FAR.void4],
};

type Server = "far4" | "far6" | "near4" | "near6";

const REACHED: readonly [name: string, host: string, server: Server][] = [
  ["IPv4 only", "v4.far.test", "far4"],
  ["IPv6 only", "v6.far.test", "far6"],
  ["two addresses, IPv6 refuses", "both.far.test", "far4"],
  ["two addresses, IPv4 refuses", "both.far.test", "far6"],
  ["two addresses, IPv6 is dead", "dead-v6.far.test", "far4"],
  ["two addresses, IPv4 is dead", "dead-v4.far.test", "far6"],
  ["two IPv4 addresses, the first is dead", "dead-first.far.test", "far4"],
  ["localhost, served on 127.0.0.1 only", "localhost", "near4"],
  ["localhost, served on ::1 only", "localhost", "near6"],
];

let certificates: Certificates;
/** Networks of a test's own are made with `ip`. */
const hasNoNetwork = lacks("ip");

let network: Namespace;
let server: Bun.Subprocess<"ignore", "pipe", "inherit">;
let ports: Record<Server, number>;

if (!hasNoNetwork)
  beforeAll(async () => {
    certificates = await Certificates.make();
    const hosts = Object.entries(HOSTS).flatMap(([name, addresses]) =>
      addresses.map((address) => `${address} ${name}`),
    );
    network = await Namespace.make({ hosts });
    const { key, cert } = certificates.files("good");
    server = Bun.spawn(
      [...network.prefix, process.execPath, join(import.meta.dir, "far-api.ts"), key, cert],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const { value } = await server.stdout.getReader().read();
    ports = JSON.parse(new TextDecoder().decode(value));
  });
if (!hasNoNetwork)
  afterAll(async () => {
    server.kill();
    await server.exited;
    for (const part of [network, certificates]) await part[Symbol.asyncDispose]();
  });

for (const form of await builtForms()) {
  describe.skipIf(hasNoNetwork)(form.name, () => {
    const at = (url: string): Promise<Program> =>
      Program.at(network.inside(form), {
        LEDGER_ENTERPRISE_API_URL: url,
        NODE_EXTRA_CA_CERTS: certificates.authority,
      });

    test.each(REACHED)("H18 %s", async (_name, host, which) => {
      await using program = await at(
        `${which.startsWith("far") ? "https" : "http"}://${host}:${ports[which]}`,
      );
      await program.succeed(LOGIN);
      await program.succeed(LIST);
    });

    test.skipIf(lacks("python3"))(
      "N3 an address that takes a second, with another that has no route beside it",
      async () => {
        const hosts = ["2001:db8::5 localhost"];
        await using lonely = await Namespace.make({ hosts, link: false });
        const slow = Bun.spawn(
          [...lonely.prefix, "python3", join(import.meta.dir, "slow_accept.py")],
          { stdio: ["pipe", "pipe", "inherit"] },
        );
        const { value } = await slow.stdout.getReader().read();
        const { port } = JSON.parse(new TextDecoder().decode(value)) as { port: number };
        await using program = await Program.at(lonely.inside(form), {
          LEDGER_ENTERPRISE_API_URL: `http://localhost:${port}`,
        });
        slow.stdin.write("begin\n");
        slow.stdin.flush();
        await program.succeed(LOGIN);
        slow.kill();
      },
    );

    test("H01 a name that does not resolve is named", async () => {
      await using program = await at("https://nowhere.far.test");
      const failure = await program.fail(LOGIN, 1, "DNS_ERROR");
      expect(failure.details).toEqual({ host: "nowhere.far.test", name: "nowhere.far.test" });
      expect(failure.message).toContain("nowhere.far.test");
      expect(failure.hint).toContain("base URL");
    });

    test.each(["dead.far.test", "all-dead.far.test"])(
      "H03 %s: a connect that hangs ends with the command's time",
      async (host) => {
        await using program = await at(`https://${host}`);
        const failure = await program.fail([...LOGIN, "--timeout", "1"], 1, "TIMEOUT");
        expect(failure.message).toContain("command's time");
      },
    );

    test("H01 a resolver that does not answer holds nothing beyond the command's time", async () => {
      await using silent = await Namespace.make({ resolver: FAR.void4 });
      await using program = await Program.at(silent.inside(form), {
        LEDGER_ENTERPRISE_API_URL: "https://api.far.test",
      });
      const child = program.start([...LOGIN, "--timeout", "1"]);
      // The resolver is asked for a minute; this only detects that somebody waits for it.
      const slow = setTimeout(() => child.kill("SIGKILL"), 25_000);
      const { exit, stdout, signal } = await program.finish(LOGIN, child);
      clearTimeout(slow);
      expect({ exit, signal, code: JSON.parse(stdout).error.code }).toEqual({
        exit: 1,
        signal: null,
        code: "TIMEOUT",
      });
    });
  });
}

/** Sends a space each second for ever. */
const trickle: RawAnswer = (socket) => {
  socket.write(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
  );
  const timer = setInterval(() => socket.write("1\r\n \r\n"), 1000);
  socket.on("close", () => clearInterval(timer));
};

/**
 * The clocks of NET-3 themselves, all at once because they take their time. A login is never
 * repeated.
 */
const CLOCKS: readonly [name: string, url: (apis: readonly RawApi[]) => string, wanted: RegExp][] =
  [
    ["H04 silence", ([silent]) => silent?.url ?? "", /within 15 seconds/],
    ["NET-3 a trickle", ([, trickling]) => trickling?.url ?? "", /within 30 seconds/],
    [
      "H03 a connect that hangs",
      () => "https://dead.far.test",
      /reached in time|within 15 seconds/,
    ],
  ];

test.skipIf(hasNoNetwork)(
  "NET-3 H03 H04 15 seconds of silence, 30 seconds in all: executable, npm package",
  async () => {
    const forms = await twoForms();
    await using silent = await RawApi.start();
    await using trickling = await RawApi.start();
    silent.serve({ "POST /auth/token": [() => undefined] });
    trickling.serve({ "POST /auth/token": [trickle] });
    const runs = forms.flatMap((form) =>
      CLOCKS.map(async ([name, urlOf, wanted]) => {
        const url = urlOf([silent, trickling]);
        const place = url.startsWith("https") ? network.inside(form) : form;
        await using program = await Program.at(place, { LEDGER_ENTERPRISE_API_URL: url });
        const failure = await program.fail([...LOGIN, "--timeout", "100"], 1, "TIMEOUT");
        expect({ form: form.name, name, message: failure.message }).toEqual({
          form: form.name,
          name,
          message: expect.stringMatching(wanted),
        });
      }),
    );
    await Promise.all(runs);
    for (const api of [silent, trickling]) expect(api.count("POST /auth/token")).toBe(forms.length);
  },
  240_000,
);

test.skipIf(hasNoNetwork)(
  "NET-3 H04 waiting for a request ends with its own time, whether or not there was an answer: executable, npm package",
  async () => {
    const forms = await twoForms();
    const open = http("200 OK", '{"id":"7","state":"WAITING"}');
    const never: RawAnswer = () => undefined;
    const cases = [
      [[never], "TIMEOUT", { host: expect.any(String) }],
      [[open, never], "WAIT_TIMEOUT", { reached: false, request: { id: "7", state: "WAITING" } }],
    ] as const;
    const runs = forms.flatMap((form) =>
      cases.map(async ([answers, code, details]) => {
        await using api = await RawApi.start();
        api.serve({ "GET /requests/7": answers });
        await using program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
        await program.succeed(LOGIN);
        const failure = await program.fail(
          ["requests", "wait", "--id=7", "--timeout=3", "--interval=0.1"],
          1,
          code,
        );
        expect(failure.details).toEqual(details);
        expect(api.count("GET /requests/7")).toBe(answers.length);
      }),
    );
    await Promise.all(runs);
  },
  120_000,
);
