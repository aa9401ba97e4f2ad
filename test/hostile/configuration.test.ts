/**
 * Catalogue B (environment and configuration, but for proxies: proxy.test.ts) and CFG-1…8 on the
 * executable and the npm package.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { PROBE, tracePath, writeHostileFolder } from "../../scripts/hostile.ts";
import { walk } from "../../src/cli/command.ts";
import { versionOf } from "../../src/core/release/trial.ts";
import { commands } from "../support/registry.ts";
import urls from "../vectors/base_urls.json";
import { Program, SECRET, twoForms } from "./program.ts";
import { ACCESS_TOKEN, http, RawApi } from "./raw-api.ts";
import { editSession } from "./session-file.ts";

const LIST = ["accounts", "list"];
const LOGIN = ["login", "api"];
const CREATE = ["requests", "create", "--requestData", '{"type":"X","data":{}}', "--dryRun"];
const SIGN = ["requests", "sign", "--challenge", "e30"];
const OK = http(
  "200 OK",
  '{"page":1,"next":null,"prev":null,"pageSize":30,"total":0,"results":[{"id":"i1","name":"\\u0130stanbul"}]}',
);
const variable = (name: string) => `LEDGER_ENTERPRISE_${name}`;
const CREDENTIALS = ["API_URL", "WORKSPACE", "API_KEY_ID", "API_KEY_SECRET"].map(variable);

for (const form of await twoForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let other: RawApi;
    let program: Program;
    let folder: string;
    const file = (name: string, content: string | Uint8Array): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const bodies = () => api.requests.map(({ body }) => body).filter((body) => body !== "");

    beforeAll(async () => {
      [api, other] = [await RawApi.start(), await RawApi.start()];
      program = await Program.at(form, { LEDGER_ENTERPRISE_API_URL: api.url });
      folder = await mkdtemp(join(tmpdir(), "settings-"));
    });
    beforeEach(async () => {
      await rm(program.stateDirectory, { recursive: true, force: true });
      api.serve({ "GET /accounts": [OK] });
      other.serve({});
    });
    afterAll(async () => {
      await Promise.all([api, other, program].map((resource) => resource[Symbol.asyncDispose]()));
      await rm(folder, { recursive: true });
    });

    test.each(["", "  \n\t "])(
      "B01 B02 B03 variables that are unset or %j are all named in one message",
      async (blank) => {
        for (const name of CREDENTIALS) {
          const failure = await program.fail(LOGIN, 2, "MISSING_CREDENTIALS", {
            env: { [name]: blank },
          });
          expect(failure.details).toEqual({ missing: [name] });
        }
        const env = Object.fromEntries(CREDENTIALS.map((name) => [name, blank]));
        const { message, details } = await program.fail(LOGIN, 2, "MISSING_CREDENTIALS", { env });
        expect(details).toEqual({ missing: CREDENTIALS });
        for (const name of CREDENTIALS) expect(message).toContain(name);
        expect(api.requests).toEqual([]);
      },
    );

    test("B01 B02 with nothing set at all", async () => {
      const { stdout } = await form.run({
        argv: LOGIN,
        env: { HOME: program.home, PATH: "/usr/bin" },
        stdin: undefined,
        cwd: program.home,
      });
      expect(JSON.parse(stdout).error).toMatchObject({
        code: "MISSING_CREDENTIALS",
        exitCode: 2,
        details: { missing: CREDENTIALS },
      });
    });

    test("B04 CFG-5 white space around each variable is trimmed", async () => {
      const env = Object.fromEntries(
        CREDENTIALS.map((name) => [name, ` \t${program.env[name]}\r\n`]),
      );
      await program.succeed(LOGIN, { env });
      expect(bodies()).toHaveLength(1);
      expect(JSON.parse(bodies()[0] ?? "")).toMatchObject({
        apiKeyId: "key-id",
        apiKeySecret: SECRET,
      });
      expect(JSON.parse(bodies()[0] ?? "")).toMatchObject({ workspace: "minivault" });
    });

    test("B05 CFG-5 a control character inside is refused, the value not echoed", async () => {
      for (const name of CREDENTIALS) {
        for (const control of ["\n", "\r", "\u0001", "\u001b", "\u007f", "\u0085"]) {
          const env = { [name]: `canary-left${control}canary-right` };
          const failure = await program.fail(LOGIN, 2, "INVALID_ARGUMENT", { env });
          expect(failure.field).toBe(name);
          expect(JSON.stringify(failure)).not.toContain("canary-");
        }
      }
      expect(api.requests).toEqual([]);
    });

    const rejected = urls.cases.filter(
      ({ expect: wanted, value }) => wanted === "reject" && value !== "",
    );
    test.each(rejected.map((row) => [row.value, row.error ?? ""] as const))(
      "B06 CFG-6 base URL %j is refused: %s",
      async (value, code) => {
        const failure = await program.fail(LOGIN, 2, code, {
          env: { LEDGER_ENTERPRISE_API_URL: value },
        });
        expect(failure.field).toBe("LEDGER_ENTERPRISE_API_URL");
        expect(
          (
            await program.fail([...LOGIN, `--baseUrl=${value}`], 2, code, {
              env: { LEDGER_ENTERPRISE_API_URL: "" },
            })
          ).field,
        ).toBe("--baseUrl");
        expect([...api.requests, ...other.requests]).toEqual([]);
      },
    );

    const accepted = urls.cases.filter(({ expect: wanted }) => wanted === "accept");
    test("B06 B07 CFG-6 accepted base URLs, without a double slash in the request", async () => {
      await program.succeed(LOGIN);
      for (const { value, origin_and_path: wanted = "" } of accepted) {
        const { origin, pathname } = new URL(wanted);
        editSession(program.sessionFile, (session) => ({
          ...session,
          origin,
          basePath: pathname.replace(/\/$/, ""),
        }));
        const { request } = (await program.succeed(CREATE, {
          env: { LEDGER_ENTERPRISE_API_URL: value },
        })) as {
          request: { url: string };
        };
        expect(request.url).toBe(`${wanted}/requests`);
      }
    });

    test("B06 CFG-6 dot segments and letters of another script are refused", async () => {
      for (const { value } of urls.cases.filter(({ expect: wanted }) => wanted === "either")) {
        await program.fail(LOGIN, 2, "INVALID_URL", { env: { LEDGER_ENTERPRISE_API_URL: value } });
      }
    });

    test("B07 a trailing slash and a path", async () => {
      const ok = http("200 OK", '{"results":[]}');
      const token = http(
        "200 OK",
        JSON.stringify({
          accessToken: ACCESS_TOKEN,
          expiresInSeconds: 300,
          refreshToken: "canary-refresh",
          refreshExpiresInSeconds: 1800,
        }),
      );
      api.serve({ "POST /v1/rest/auth/token": [token], "GET /v1/rest/accounts": [ok] });
      const env = { LEDGER_ENTERPRISE_API_URL: `${api.url}/v1/rest///` };
      await program.succeed(LOGIN, { env });
      await program.succeed(LIST, { env });
      expect(api.requests.map(({ path }) => path)).toEqual([
        "/v1/rest/auth/token",
        "/v1/rest/users/me",
        "/v1/rest/accounts",
      ]);
    });

    test("B08 CFG-4 --baseUrl that contradicts the environment: neither server hears anything", async () => {
      for (const value of [other.url, `${api.url}/v1`, api.url.replace("127.0.0.1", "localhost")]) {
        await program.fail([...LOGIN, "--baseUrl", value], 2, "CONFIG_CONFLICT");
      }
      expect([...api.requests, ...other.requests]).toEqual([]);
      await program.succeed([...LOGIN, "--baseUrl", `${api.url}/`]);
    });

    test("B09 CFG-4 --workspace that contradicts the environment", async () => {
      await program.fail([...LOGIN, "--workspace", "other"], 2, "CONFIG_CONFLICT");
      expect(api.requests).toEqual([]);
      await program.succeed([...LOGIN, "--workspace", "minivault"]);
    });

    test("B10 workspace names: printable ASCII, no space at either end, up to 128", async () => {
      for (const name of [
        "two words",
        "a/b",
        "a?b=c&d",
        "w".repeat(128),
        'in "the" middle',
        "..",
        "%2e",
      ]) {
        await program.succeed(LOGIN, { env: { LEDGER_ENTERPRISE_WORKSPACE: name } });
        expect(JSON.parse(bodies()[0] ?? "")).toMatchObject({ workspace: name });
        api.serve({ "GET /accounts": [OK] });
      }
      for (const name of ['"quoted"', "münchen", "w".repeat(129), "東京", "a\u202eb"]) {
        await program.fail(LOGIN, 2, "INVALID_ARGUMENT", {
          env: { LEDGER_ENTERPRISE_WORKSPACE: name },
        });
      }
      await program.fail([...LOGIN, "--workspace", " padded "], 2, "INVALID_ARGUMENT", {
        env: { LEDGER_ENTERPRISE_WORKSPACE: "" },
      });
      expect(api.requests).toEqual([]);
    });

    test("B11 B13 a private key that is missing or broken does not matter to commands that do not sign", async () => {
      for (const key of ["", "no key at all", "00", `-----BEGIN EC PRIVATE KEY-----\ncanary`]) {
        const env = { LEDGER_ENTERPRISE_API_PRIVATE_KEY: key };
        await program.succeed(LOGIN, { env });
        await program.succeed(LIST, { env });
        await program.succeed(CREATE, { env });
      }
    });

    test("B12 a private key that is missing matters to those that do", async () => {
      const { details } = await program.fail(SIGN, 2, "MISSING_CREDENTIALS");
      expect(details).toEqual({ missing: ["LEDGER_ENTERPRISE_API_PRIVATE_KEY"] });
    });

    test("B14 without HOME the password database names the home; without that nothing is written anywhere", async () => {
      const { HOME: _, ...env } = program.env;
      const { stdout } = await form.run({
        argv: ["doctor", "--offline"],
        env,
        stdin: undefined,
        cwd: folder,
      });
      expect(stdout).toContain("/root/.local/state/ledger-enterprise-cli");
      for (const home of ["/", "relative", "./here"]) {
        await program.fail(LOGIN, 1, "SESSION_IO", { env: { HOME: home } });
        await program.fail(LIST, 1, "SESSION_IO", { env: { HOME: home } });
      }
      expect([
        existsSync("/.local"),
        existsSync(join(program.home, "relative")),
        existsSync(join(program.home, "here")),
      ]).toEqual([false, false, false]);
    });

    test("B15 a relative XDG_STATE_HOME is ignored", async () => {
      await program.succeed(LOGIN, { env: { XDG_STATE_HOME: "relative/path" } });
      expect(existsSync(program.sessionFile)).toBe(true);
      expect(existsSync(join(program.home, "relative"))).toBe(false);
    });

    test("B16 B17 B18 whatever terminal, colour, time zone and language are set, the bytes are the same", async () => {
      await program.succeed(LOGIN);
      const plain = await program.run(LIST);
      const failing = await program.run(["accounts", "get", "--id", "İ"]);
      for (const env of [
        { LANG: "C", TERM: "dumb", NO_COLOR: "1" },
        { FORCE_COLOR: "1", CLICOLOR_FORCE: "1", TERM: "xterm-256color", COLORTERM: "truecolor" },
        { FORCE_COLOR: "3", DEBUG: "*", CI: "1" },
        { TZ: "Pacific/Apia", LC_ALL: "tr_TR.UTF-8", LANGUAGE: "tr" },
        { TZ: "nonsense", LC_ALL: "nonsense" },
      ]) {
        expect(await program.run(LIST, { env })).toEqual(plain);
        expect(await program.run(["accounts", "get", "--id", "İ"], { env })).toEqual(failing);
        expect((await program.run(["--help"], { env })).stdout).not.toContain("\u001b");
      }
      const { session } = (await program.succeed(["login", "api"], {
        env: { TZ: "Pacific/Apia" },
      })) as {
        session: { expiresAt: string };
      };
      expect(session.expiresAt).toEndWith("Z");
      expect(
        (await program.run(["ACCOUNTS", "LIST"], { env: { LC_ALL: "tr_TR.UTF-8" } })).exit,
      ).toBe(2);
    });

    test("B19 a mebibyte of unrelated variables", async () => {
      const env = Object.fromEntries(
        Array.from({ length: 16 }, (_, at) => [`UNRELATED_${at}`, "x".repeat(64 * 1024)]),
      );
      await program.succeed(LOGIN, { env });
      await program.succeed(LIST, { env });
    });

    describe("_FILE variables", () => {
      const secretIn = (path: string) => ({
        LEDGER_ENTERPRISE_API_KEY_SECRET: "",
        LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: path,
      });

      test("B04 CFG-5 the secret from a file, trimmed; a pipe will do", async () => {
        const path = file("secret", `  ${SECRET}\r\n\n`);
        await program.succeed(LOGIN, { env: secretIn(path) });
        expect(JSON.parse(bodies()[0] ?? "")).toMatchObject({ apiKeySecret: SECRET });
        const env = { LEDGER_ENTERPRISE_API_KEY_SECRET: "" };
        const { exit } = await program.shell(
          `LEDGER_ENTERPRISE_API_KEY_SECRET_FILE=/dev/stdin "$@" login api < <(cat '${path}')`,
          env,
        );
        expect(exit).toBe(0);
      });

      test("CFG-4 both forms at once", async () => {
        await program.fail(LOGIN, 2, "CONFIG_CONFLICT", {
          env: { LEDGER_ENTERPRISE_API_KEY_SECRET_FILE: file("secret", "x") },
        });
        expect(api.requests).toEqual([]);
      });

      test.each<[string, () => string]>([
        ["absent", () => join(folder, "none")],
        ["a directory", () => folder],
        ["not UTF-8", () => file("binary", new Uint8Array([0xff, 0xfe]))],
        ["endless", () => "/dev/zero"],
      ])("B02 a file that is %s", async (_name, path) => {
        const failure = await program.fail(LOGIN, 2, "MISSING_CREDENTIALS", {
          env: secretIn(path()),
        });
        expect(failure.field).toBe("LEDGER_ENTERPRISE_API_KEY_SECRET_FILE");
      });

      test("B03 an empty file counts as unset, and a control character in it is refused", async () => {
        await program.fail(LOGIN, 2, "MISSING_CREDENTIALS", {
          env: secretIn(file("empty", " \n")),
        });
        const failure = await program.fail(LOGIN, 2, "INVALID_ARGUMENT", {
          env: secretIn(file("two", "canary-one\ncanary-two\n")),
        });
        expect(JSON.stringify(failure)).not.toContain("canary-");
      });

      test("the private key from a file signs, and its PEM need not be hexadecimal", async () => {
        const { privateKey } = (await program.succeed(["keys", "generate", "--stdout"])) as {
          privateKey: string;
        };
        const pem = Buffer.from(privateKey, "hex");
        const keys = [file("key.hex", `${privateKey}\n`), file("key.pem", pem)];
        const printed = await Promise.all(
          keys.map((path) =>
            program.succeed(["keys", "public"], {
              env: { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: path },
            }),
          ),
        );
        expect(printed[0]).toEqual(printed[1]);
      });
    });

    test("CFG-1 a folder that somebody else wrote changes nothing", async () => {
      const hostile = join(folder, "hostile");
      mkdirSync(join(hostile, "below"), { recursive: true });
      await writeHostileFolder(hostile);
      await program.succeed(LOGIN);
      const calls = [
        PROBE,
        LIST,
        ["whoami"],
        ["--version"],
        ["--help"],
        ["schema"],
        CREATE,
        SIGN,
        ["skill", "show"],
        ["completion", "bash"],
        ["nonsense"],
      ];
      for (const argv of calls) {
        const elsewhere = (cwd: string) =>
          form.run({ argv, env: program.env, stdin: undefined, cwd });
        const [here, there, below] = [
          await elsewhere(folder),
          await elsewhere(hostile),
          await elsewhere(join(hostile, "below")),
        ];
        expect([there, below]).toEqual([here, here]);
      }
      expect([hostile, folder, program.home].some((place) => existsSync(tracePath(place)))).toBe(
        false,
      );
    });

    test("CFG-3 no option takes a secret, and neither secret nor key is written to disk", async () => {
      const options = [...walk(commands)].flatMap(([, command]) => Object.keys(command.args));
      expect(options.length).toBeGreaterThan(100);
      expect(options.filter((name) => /secret|password|privateKey|apiKey/i.test(name))).toEqual([]);
      const { privateKey } = (await program.succeed(["keys", "generate", "--stdout"])) as {
        privateKey: string;
      };
      const env = { LEDGER_ENTERPRISE_API_PRIVATE_KEY: privateKey };
      await program.succeed(LOGIN, { env });
      await program.run(["requests", "sign", "--challenge", "e30="], { env });
      const files = readdirSync(program.home, { recursive: true, withFileTypes: true }).filter(
        (entry) => entry.isFile(),
      );
      const contents = files.map((entry) =>
        readFileSync(join(entry.parentPath, entry.name), "latin1"),
      );
      expect(contents.length).toBeGreaterThan(0);
      for (const content of contents)
        for (const secret of [SECRET, privateKey, btoa(SECRET)])
          expect(content).not.toContain(secret);
    });

    test("CFG-7 the runtime's own request tracing prints nothing", async () => {
      for (const env of [
        { BUN_CONFIG_VERBOSE_FETCH: "curl" },
        { BUN_CONFIG_VERBOSE_FETCH: "1" },
        { NODE_DEBUG: "http,fetch,undici,net" },
      ]) {
        const { exit, stdout, stderr } = await program.run(LOGIN, { env });
        expect(exit).toBe(0);
        expect(`${stdout}${stderr}`).not.toMatch(/authorization|bearer/i);
      }
    });

    test("CFG-8 no process is started: one process is allowed to be enough", async () => {
      await program.succeed(LOGIN);
      const traps = join(folder, "traps");
      mkdirSync(traps, { recursive: true });
      const names = [
        "sh",
        "bash",
        "id",
        "getent",
        "git",
        "npm",
        "node",
        "curl",
        "xdg-open",
        "uname",
        "hostname",
        "ldd",
        "getconf",
        "which",
      ];
      for (const name of names)
        writeFileSync(join(traps, name), `#!/bin/sh\necho ${name} >> '${folder}/started'\n`, {
          mode: 0o755,
        });
      for (const argv of [LIST, LOGIN, ["doctor"], ["skill", "list"], SIGN])
        await program.run(argv, { env: { PATH: traps } });
      expect(existsSync(join(folder, "started"))).toBe(false);
    });
  });
}

test("CFG-8 one place in the source starts a program, and without a shell", () => {
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts"),
  );
  expect(sources.length).toBeGreaterThan(50);
  const starting =
    /child_process|worker_threads|node:cluster|\bexecFile|\bspawn(Sync)?\(|Bun\.spawn/;
  const read = (name: string): string => readFileSync(join(ROOT, "src", name), "utf8");
  expect(sources.filter((name) => starting.test(read(name)))).toEqual(["io/process.ts"]);
  expect(read("io/process.ts")).not.toMatch(/\bexec\(|\bshell:/);
});

test("CFG-8 the program that an upgrade tries sees nothing of the environment", async () => {
  const folder = await mkdtemp(join(tmpdir(), "trial-"));
  const program = join(folder, "program");
  writeFileSync(program, '#!/bin/sh\nenv >"$0.saw"\necho 9.9.9\n', { mode: 0o755 });
  expect(await versionOf(program, AbortSignal.timeout(20_000))).toBe("9.9.9");
  // These are the shell's own.
  const names = readFileSync(`${program}.saw`, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("=")[0]);
  expect(names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name ?? ""))).toEqual([]);
  await rm(folder, { recursive: true });
});
