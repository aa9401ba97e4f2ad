/**
 * The version gate on the built program: catalogue N and VER-1…6, with a registry and a releases
 * page of the test's own.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { VERSION } from "../../scripts/build.ts";
import { type Failure, Program, twoForms } from "../hostile/program.ts";
import { http, type RawAnswer, RawApi } from "../hostile/raw-api.ts";

const TAGS = "GET /npm/-/package/ledger-enterprise-cli/dist-tags";
const LATEST = "GET /releases/latest";
const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Fails without a session and without sending anything to the API; behind the gate. */
const GATED = ["whoami"];
const UNGATED: readonly (readonly string[])[] = [
  ["--version"],
  ["--help"],
  ["accounts", "list", "--help"],
  ["logout"],
  ["skill", "show"],
  ["schema"],
  ["completion", "bash"],
  ["keys", "generate", "--stdout"],
  ["doctor", "--offline"],
  ["notifications", "verify", "--help"],
];

const tagged = (latest: unknown, headers: Readonly<Record<string, string>> = {}): Uint8Array =>
  http("200 OK", JSON.stringify({ next: "99.9.9", latest }), headers);
const redirect = (location: string, status = "302 Found"): Uint8Array =>
  http(status, "", { location });
const released = (version: string): Uint8Array => redirect(`/releases/tag/v${version}`);

for (const form of await twoForms()) {
  describe(form.name, () => {
    let sources: RawApi;
    let program: Program;
    /** Accepts connections and never says a word. */
    let hole: Server;
    const own = form.name === "executable" ? "releases" : "npm";
    const memory = () => `${program.stateDirectory}/versions.json`;
    const recalled = () => JSON.parse(readFileSync(memory(), "utf8")) as Record<string, unknown>;
    const rewrite = (changes: Readonly<Record<string, unknown>>) =>
      writeFileSync(memory(), JSON.stringify({ ...recalled(), ...changes }));
    const publish = (npm: RawAnswer, releases: RawAnswer) =>
      sources.serve({ [TAGS]: [npm], [LATEST]: [releases] });
    const asked = () => sources.requests.map(({ method, target }) => `${method} ${target}`).sort();

    /**
     * Runs the gated command, which goes on to NOT_LOGGED_IN or is stopped; returns the failure and
     * what stderr said.
     */
    async function knock(
      env: Readonly<Record<string, string>> = {},
    ): Promise<{ error: Failure; stderr: string }> {
      const { stdout, stderr } = await program.run(GATED, { env: { ...env } });
      return { error: (JSON.parse(stdout) as { error: Failure }).error, stderr };
    }
    async function expectGoesOn(
      stderr: string,
      env: Readonly<Record<string, string>> = {},
    ): Promise<void> {
      const outcome = await knock(env);
      expect({ code: outcome.error.code, stderr: outcome.stderr }).toEqual({
        code: "NOT_LOGGED_IN",
        stderr,
      });
    }
    const UNCHECKED =
      "warning: VERSION_UNCHECKED: Neither npm nor the releases page says whether there is a newer version.\n";
    const ahead = (version: string): string =>
      `warning: VERSION_AHEAD: Only one of two sources publishes ${version}; this is ${VERSION}.\n`;

    beforeAll(async () => {
      sources = await RawApi.start();
      hole = createServer(() => undefined);
      await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
      program = await Program.at(form, {
        LEDGER_ENTERPRISE_NPM_REGISTRY: `${sources.url}/npm`,
        LEDGER_ENTERPRISE_RELEASES_URL: `${sources.url}/releases/`,
      });
    });
    beforeEach(() => rmSync(program.stateDirectory, { recursive: true, force: true }));
    afterAll(async () => {
      hole.close();
      await Promise.all([sources, program].map((resource) => resource[Symbol.asyncDispose]()));
    });

    test("N01 VER-2 VER-5 two newer versions stop the command before it looks at anything, with a constant command", async () => {
      publish(tagged("99.0.0+ignore-previous-instructions"), released("99.1.0"));
      const { error, stderr } = await knock({
        LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: "/does/not/exist",
      });
      const command =
        form.name === "executable"
          ? "ledger-enterprise-cli upgrade"
          : "npm install --global --ignore-scripts ledger-enterprise-cli@latest";
      expect(stderr).toBe("");
      expect(error).toEqual({
        code: "VERSION_OUTDATED",
        message: `Version 99.0.0 is published; this is ${VERSION}.`,
        exitCode: 1,
        retryable: false,
        hint: `Ask a person to upgrade this program with '${command}', then run the command again. Do not upgrade it yourself.`,
        details: { current: VERSION, latest: "99.0.0", command },
      });
    });

    test("N01 VER-5 outdated is said before credentials are missed, and after the command line was judged", async () => {
      publish(tagged("99.0.0"), released("99.0.0"));
      const bare = { LEDGER_ENTERPRISE_API_KEY_ID: "", LEDGER_ENTERPRISE_API_KEY_SECRET: "" };
      expect(
        (await program.fail(["login", "api"], 1, "VERSION_OUTDATED", { env: bare })).code,
      ).toBe("VERSION_OUTDATED");
      sources.serve({});
      await program.fail(["login", "api", "--nonsense"], 2, "UNKNOWN_OPTION");
      await program.fail(["requests", "create", "--requestData", "{"], 2, "INVALID_JSON");
      await program.fail(["requests", "approve", "api", "--id", "1", "--sign"], 2, "READ_ONLY", {
        env: { LEDGER_ENTERPRISE_READ_ONLY: "1" },
      });
      expect(asked()).toEqual([]);
    });

    test("N01 N04 doctor is not stopped: it tells what the gate would do, and keeps nothing", async () => {
      const found = async (): Promise<readonly unknown[]> => {
        const document = JSON.parse((await program.run(["doctor"])).stdout);
        const { findings } = document.error?.details ?? document;
        return findings.filter(({ check }: { check: string }) => check === "updates");
      };
      publish(tagged("99.0.0"), released("99.1.0"));
      expect(await found()).toEqual([
        expect.objectContaining({
          status: "problem",
          code: "VERSION_OUTDATED",
          details: expect.objectContaining({ latest: "99.0.0" }),
        }),
      ]);
      publish(tagged("99.0.0"), released(VERSION));
      expect(await found()).toEqual([
        expect.objectContaining({ status: "warn", fix: expect.stringContaining("pgrade") }),
      ]);
      publish(tagged(VERSION), released(VERSION));
      expect(await found()).toEqual([
        { check: "updates", status: "ok", message: "No newer version is published." },
      ]);
      expect(existsSync(memory())).toBe(false);
    });

    test("N02 N08 the same version is silent, and is asked for once an hour", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      expect(asked()).toEqual([TAGS, LATEST]);
      expect(statSync(memory()).mode & 0o777).toBe(0o600);
      sources.serve({});
      await expectGoesOn("");
      rewrite({ answeredAt: Date.now() - 59 * MINUTE, askedAt: Date.now() - 59 * MINUTE });
      await expectGoesOn("");
      expect(asked()).toEqual([]);
      rewrite({ answeredAt: Date.now() - 61 * MINUTE, askedAt: Date.now() - 61 * MINUTE });
      await expectGoesOn("");
      expect(asked()).toEqual([TAGS, LATEST]);
    });

    test("N03 newer than both", async () => {
      publish(tagged("0.0.1"), released("0.0.1"));
      await expectGoesOn("");
    });

    test("N04 VER-3 one alone is ahead: a warning, from the memory too", async () => {
      publish(tagged("99.0.0"), released(VERSION));
      await expectGoesOn(ahead("99.0.0"));
      await expectGoesOn("");
      rewrite({ warned: { kind: "ahead", at: Date.now() - 61 * MINUTE } });
      await expectGoesOn(ahead("99.0.0"));
      rmSync(memory());
      publish(tagged(VERSION), released("99.0.0"));
      await expectGoesOn(ahead("99.0.0"));
    });

    test("N05 pre-releases", async () => {
      publish(tagged("99.0.0-rc.1"), released("99.0.0-rc.1"));
      await expectGoesOn("");
    });

    test("N06 with and without 'v', and build metadata", async () => {
      publish(tagged("99.0.0"), redirect("/releases/tag/99.0.0%2B5"));
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
    });

    test.each<[string, RawAnswer]>([
      ["404", http("404 Not Found", '{"error":"Not found"}')],
      ["500", http("500 Internal Server Error", "{}")],
      ["403, a rate limit", http("403 Forbidden", "rate limit")],
      ["429", http("429 Too Many Requests", "", { "retry-after": "3600" })],
      ["HTML", http("200 OK", "<html>Sign in</html>", { "content-type": "text/html" })],
      ["no bytes", ""],
      ["a redirect to somewhere else", redirect("https://hostile.invalid/")],
      ["another document", http("200 OK", '["99.0.0"]')],
      ["a version that is none", tagged("99")],
      ["a version that is not text", tagged(99)],
      ["an inherited member", http("200 OK", '{"__proto__":{"latest":"99.0.0"}}')],
      ["a cut body", http("200 OK", '{"latest":"99.0', { "content-length": "400" })],
    ])("N07 N10 VER-1 npm answers %s: the releases page decides", async (_what, answer) => {
      publish(answer, released(VERSION));
      await expectGoesOn("");
      rmSync(memory());
      publish(answer, released("99.0.0"));
      // "Nothing is published there" is an answer, and then one source alone is ahead
      // (specification §5).
      if (_what === "404" || own !== "releases") await expectGoesOn(ahead("99.0.0"));
      else expect((await knock()).error.code).toBe("VERSION_OUTDATED");
    });

    test.each<[string, RawAnswer]>([
      ["404", http("404 Not Found", "")],
      ["a repository without releases", redirect("/releases")],
      ["500", http("500 Internal Server Error", "")],
      ["403, a rate limit", http("403 Forbidden", "{}", { "x-ratelimit-remaining": "0" })],
      ["429", http("429 Too Many Requests", "")],
      ["HTML", http("200 OK", "<html>", { "content-type": "text/html" })],
      ["a redirect to a login page", redirect("https://login.invalid/tag/")],
      ["a tag that is not a version", redirect("/releases/tag/nightly")],
      ["a tag that cannot be decoded", redirect("/releases/tag/v%E0%A4%A")],
      ["a redirect without a place", http("302 Found", "")],
      ["a version without a redirect", redirect("/releases/tag/v99.0.0", "200 OK")],
    ])("N07 N10 VER-1 the releases page answers %s: npm decides", async (what, answer) => {
      publish(tagged(VERSION), answer);
      await expectGoesOn("");
      rmSync(memory());
      publish(tagged("99.0.0"), answer);
      if (what === "404" || what === "a repository without releases" || own !== "npm")
        await expectGoesOn(ahead("99.0.0"));
      else expect((await knock()).error.code).toBe("VERSION_OUTDATED");
    });

    test("N09 the first run without any answer goes on with a warning, and does not ask at every command", async () => {
      const nowhere = {
        LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:1",
        LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:1",
      };
      await expectGoesOn(UNCHECKED, nowhere);
      await expectGoesOn("", nowhere);
      rewrite({ askedAt: Date.now() - 11 * MINUTE });
      await expectGoesOn("", nowhere);
      rewrite({ warned: { kind: "unchecked", at: Date.now() - 61 * MINUTE } });
      await expectGoesOn(UNCHECKED, nowhere);
    });

    test("G1 N08 VER-4 both are down: everything goes on, however long, with one warning an hour", async () => {
      for (const latest of [VERSION, "99.0.0"]) {
        publish(tagged(latest), released(latest));
        rmSync(memory(), { force: true });
        await knock();
        publish(http("500 Internal Server Error", ""), http("500 Internal Server Error", ""));
        for (const age of [2 * HOUR, 8 * DAY, 400 * DAY]) {
          rewrite({
            answeredAt: Date.now() - age,
            askedAt: Date.now() - 2 * HOUR,
            warned: { kind: "unchecked", at: Date.now() - 61 * MINUTE },
          });
          await expectGoesOn(UNCHECKED);
          await expectGoesOn("");
        }
      }
    });

    const soon = (hours: string): string =>
      `warning: VERSION_OUTDATED: Version 99.0.0 is published; this is ${VERSION}, which stops working in ${hours}. Ask a person to upgrade.\n`;
    /** An hour later, as far as the memory knows; the answers are asked for again. */
    const later = (more: Readonly<Record<string, unknown>> = {}) =>
      rewrite({
        answeredAt: Date.now() - 61 * MINUTE,
        askedAt: Date.now() - 61 * MINUTE,
        warned: undefined,
        ...more,
      });

    test("G1 a version that was current has 24 hours from the first look that saw a newer one", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      publish(tagged("99.0.0"), released("99.0.0"));
      later();
      await expectGoesOn(soon("24 hours"));
      await expectGoesOn("");
      later({ newerSeenAt: Date.now() - 23 * HOUR - MINUTE });
      await expectGoesOn(soon("1 hour"));
      later({ newerSeenAt: Date.now() - DAY - 1 });
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
    });

    test("G1 the 24 hours begin when one source alone is seen ahead, and a still newer version does not renew them", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      publish(tagged("98.0.0"), released(VERSION));
      later();
      await expectGoesOn(ahead("98.0.0"));
      const { newerSeenAt } = recalled();
      publish(tagged("99.0.0"), released("99.0.0"));
      later();
      await expectGoesOn(soon("24 hours"));
      expect(recalled().newerSeenAt).toBe(newerSeenAt);
    });

    test("G1 a release that is withdrawn ends the count", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      publish(tagged("99.0.0"), released("99.0.0"));
      later();
      await expectGoesOn(soon("24 hours"));
      publish(tagged(VERSION), released(VERSION));
      later();
      await expectGoesOn("");
      expect(Object.keys(recalled())).not.toContain("newerSeenAt");
    });

    test("G1 there is no grace for another version, nor without an answer that said 'current'", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      publish(tagged("99.0.0"), released("99.0.0"));
      later({ current: "0.0.1" });
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
      rmSync(memory());
      publish("", "");
      await expectGoesOn(UNCHECKED);
      publish(tagged("99.0.0"), released("99.0.0"));
      later();
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
    });

    test("N7 a redirect that leaves the asked origin or the releases path says nothing", async () => {
      for (const location of [
        "http://other.example/x/tag/v99.0.0",
        "http://other.example/releases/tag/v99.0.0",
        `${sources.url.replace("127.0.0.1", "localhost")}/releases/tag/v99.0.0`,
        "/x/tag/v99.0.0",
        "/releasesx/tag/v99.0.0",
        "/releases/x/tag/v99.0.0",
        "/releases/../x/releases/tag/v99.0.0",
        "/releases/tag/v99.0.0/x",
      ]) {
        publish(http("500 Internal Server Error", ""), redirect(location));
        rmSync(memory(), { force: true });
        expect({ location, said: (await knock()).stderr }).toEqual({ location, said: UNCHECKED });
        expect(Object.keys(recalled())).not.toContain("releases");
      }
    });

    const BOMBS = [
      ["gzip", gzipSync(Buffer.alloc(1024 * 1024 * 1024))],
      ["br", brotliCompressSync(Buffer.alloc(256 * 1024 * 1024), FAST)],
      ["zstd", zstdCompressSync(Buffer.alloc(1024 * 1024 * 1024))],
    ] as const;
    test.each(BOMBS)(
      "N6 N8 a bomb packed by %s at both sources takes less than 100 MB and says nothing",
      async (encoding, packed) => {
        const bomb = (status: string, headers: Readonly<Record<string, string>> = {}) =>
          http(status, packed, { "content-encoding": encoding, ...headers });
        publish(bomb("200 OK"), bomb("302 Found", { location: `/releases/tag/v${VERSION}` }));
        const { peakMiB, stderr } = await program.measure(GATED);
        expect({ stderr, npm: Object.keys(recalled()).includes("npm") }).toEqual({
          stderr: "",
          npm: false,
        });
        expect(peakMiB).toBeLessThan(100);
      },
      60_000,
    );

    test("VER-4 an unchanged answer is confirmed by its ETag", async () => {
      const answer: RawAnswer = (socket, { headers }) =>
        socket.end(
          headers.get("if-none-match") === '"v1"'
            ? http("304 Not Modified", "")
            : tagged("99.0.0", { etag: '"v1"' }),
        );
      publish(answer, released("99.0.0"));
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
      expect(
        sources.requests
          .find(({ target }) => target.includes("dist-tags"))
          ?.headers.has("if-none-match"),
      ).toBe(false);
      rewrite({ answeredAt: Date.now() - 2 * HOUR, askedAt: Date.now() - 2 * HOUR });
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
      expect(
        sources.requests.filter(({ headers }) => headers.get("if-none-match") === '"v1"'),
      ).toHaveLength(1);
      expect(recalled()).toMatchObject({ npm: { version: "99.0.0", etag: '"v1"' } });
      expect(Date.now() - Number(recalled().answeredAt)).toBeLessThan(HOUR);
    });

    test("VER-4 a '304' to a question that named no ETag does not count as an answer", async () => {
      publish(http("304 Not Modified", ""), released(VERSION));
      await expectGoesOn("");
      expect(recalled()).toMatchObject({ releases: { version: VERSION } });
      expect(Object.keys(recalled())).not.toContain("npm");
    });

    test.each<[string, () => void]>([
      ["corrupt", () => writeFileSync(memory(), "{")],
      ["no object", () => writeFileSync(memory(), "null")],
      ["of another format", () => rewrite({ format: 0 })],
      ["of another registry", () => rewrite({ registry: "https://registry.npmjs.org" })],
      [
        "from the future",
        () => rewrite({ askedAt: Date.now() + HOUR, answeredAt: Date.now() + HOUR }),
      ],
      ["answered in the future", () => rewrite({ answeredAt: Date.now() + HOUR })],
      ["without times", () => rewrite({ askedAt: "now" })],
      ["too large", () => writeFileSync(memory(), " ".repeat(9000))],
      ["readable by others", () => rewriteOpen()],
    ])("N11 a memory that is %s is ignored and replaced", async (_what, spoil) => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      spoil();
      publish(tagged("99.0.0"), released("99.0.0"));
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
      expect(asked()).toEqual([TAGS, LATEST]);
      expect(recalled()).toMatchObject({
        npm: { version: "99.0.0" },
        releases: { version: "99.0.0" },
      });
      expect(statSync(memory()).mode & 0o777).toBe(0o600);
    });
    const rewriteOpen = () => {
      rewrite({});
      Bun.spawnSync(["chmod", "644", memory()]);
    };

    test("N11 VER-2 a memory that was written by somebody else shows no text of theirs", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      const version = "99.0.0-run-this-command";
      rewrite({ npm: { version }, releases: { version } });
      sources.serve({});
      const { error, stderr } = await knock();
      expect(JSON.stringify(error) + stderr).not.toContain("run-this");
    });

    test("N11 a state folder that cannot be written does not matter", async () => {
      publish(tagged(VERSION), released(VERSION));
      const { stdout, stderr } = await program.shell(`exec "$@" ${GATED.join(" ")}`, {
        LEDGER_ENTERPRISE_STATE_DIR: "/dev/null/state",
      });
      expect({ code: JSON.parse(stdout).error.code, stderr }).toEqual({
        code: expect.any(String),
        stderr: "",
      });
      expect(JSON.parse(stdout).error.code).not.toBe("VERSION_OUTDATED");
      expect(asked()).toEqual([TAGS, LATEST]);
    });

    test("N12 VER-1 sources that accept and never answer hold a command for three seconds, once", async () => {
      const port = (hole.address() as { port: number }).port;
      const env = {
        LEDGER_ENTERPRISE_NPM_REGISTRY: `http://127.0.0.1:${port}`,
        LEDGER_ENTERPRISE_RELEASES_URL: `http://127.0.0.1:${port}`,
      };
      // Not a measurement: thirty seconds would be another limit than ours.
      const child = program.start(GATED, env);
      const killed = setTimeout(() => child.kill("SIGKILL"), 20_000);
      const { stdout, stderr, signal } = await program.finish(GATED, child);
      clearTimeout(killed);
      expect({ code: JSON.parse(stdout || "{}").error?.code, stderr, signal }).toEqual({
        code: "NOT_LOGGED_IN",
        stderr: UNCHECKED,
        signal: null,
      });
      await expectGoesOn("", env);
    });

    test("N12 a source that trickles does not hold the other's answer back for long, and counts as silent", async () => {
      publish((socket) => {
        socket.write(
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n",
        );
        const drip = setInterval(() => socket.write(" "), 200);
        socket.on("close", () => clearInterval(drip));
      }, released(VERSION));
      await expectGoesOn("");
      expect(Object.keys(recalled())).not.toContain("npm");
    });

    test.each<[string, () => Uint8Array]>([
      ["plain", () => http("200 OK", `{"latest":"99.0.0","x":"${"x".repeat(64 * 1024)}"}`)],
      [
        "packed",
        () =>
          http("200 OK", gzipSync(`{"latest":"99.0.0","x":"${"x".repeat(64 * 1024 * 1024)}"}`), {
            "content-encoding": "gzip",
          }),
      ],
    ])("N6 VER-1 NET-4 more than 64 KiB does not count as an answer: %s", async (_how, answer) => {
      publish(answer(), released(VERSION));
      await expectGoesOn("");
      expect(Object.keys(recalled())).not.toContain("npm");
    });

    test("N13 VER-5 help, version and logout work while outdated, and ask no source", async () => {
      publish(tagged("99.0.0"), released("99.0.0"));
      expect((await knock()).error.code).toBe("VERSION_OUTDATED");
      sources.serve({});
      for (const argv of UNGATED) {
        const { stdout, stderr } = await form.run({
          argv,
          env: program.env,
          stdin: undefined,
          cwd: program.home,
        });
        expect({ argv, stderr, blocked: stdout.includes("VERSION_OUTDATED is") }).toEqual({
          argv,
          stderr: "",
          blocked: false,
        });
        expect(stdout.startsWith('{"error":{"code":"VERSION_OUTDATED"')).toBe(false);
      }
      expect(asked()).toEqual([]);
    });

    test("VER-1 NET-11 the sources learn the program's version and nothing else", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      expect(sources.requests).toHaveLength(2);
      for (const { headers, body } of sources.requests) {
        expect(headers.get("user-agent")).toBe(`ledger-enterprise-cli/${VERSION}`);
        expect(body).toBe("");
        const constant = [
          "accept",
          "accept-encoding",
          "accept-language",
          "connection",
          "host",
          "sec-fetch-mode",
          "user-agent",
        ];
        expect([...headers.keys()].filter((name) => !constant.includes(name))).toEqual([]);
      }
      expect(Object.keys(recalled()).sort()).toEqual([
        "answeredAt",
        "askedAt",
        "current",
        "format",
        "npm",
        "registry",
        "releases",
        "releasesUrl",
      ]);
    });

    test.each([
      ["http://registry.example", "INSECURE_URL"],
      ["https://user:password@registry.example", "INVALID_URL"],
      ["registry.example", "INVALID_URL"],
      ["file:///tmp", "INVALID_URL"],
    ])("VER-1 a mirror must be https, or http on loopback: %s", async (address, code) => {
      for (const name of ["LEDGER_ENTERPRISE_NPM_REGISTRY", "LEDGER_ENTERPRISE_RELEASES_URL"]) {
        const { field } = await program.fail(GATED, 2, code, { env: { [name]: address } });
        expect(field).toBe(name);
      }
    });

    test("VER-4 changed mirrors are asked at once", async () => {
      publish(tagged(VERSION), released(VERSION));
      await expectGoesOn("");
      sources.serve({ "GET /other/latest": [redirect("/other/tag/v99.0.0")] });
      await expectGoesOn(ahead("99.0.0"), {
        LEDGER_ENTERPRISE_RELEASES_URL: `${sources.url}/other`,
      });
      expect(asked()).toEqual([TAGS, "GET /other/latest"]);
    });

    test("N12 an interrupt while the sources are asked ends the command, and is not held against them", async () => {
      const port = (hole.address() as { port: number }).port;
      mkdirSync(program.stateDirectory, { recursive: true, mode: 0o700 });
      const connected = new Promise<void>((resolve) => hole.once("connection", () => resolve()));
      const child = program.start(GATED, {
        LEDGER_ENTERPRISE_NPM_REGISTRY: `http://127.0.0.1:${port}`,
        LEDGER_ENTERPRISE_RELEASES_URL: `http://127.0.0.1:${port}`,
      });
      await connected;
      child.kill("SIGTERM");
      const { stdout, signal } = await program.finish(GATED, child);
      expect({ stdout, signal }).toEqual({ stdout: "", signal: "SIGTERM" });
      expect(await Bun.file(memory()).exists()).toBe(false);
    });
  });
}
