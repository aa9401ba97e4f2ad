/**
 * `doctor`: everything well, then one thing broken at a time, each found by its own check, with a
 * fix, and nothing changed.
 */
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair } from "../../src/core/auth/key.ts";
import { FILE } from "../support/policy.ts";
import { trustedFolder } from "../support/trusted.ts";
import { at, openWorld, type World } from "./world.ts";

interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "problem";
  readonly message: string;
  readonly fix?: string;
  readonly code?: string;
}

interface Report {
  readonly exit: number | null;
  readonly findings: readonly Finding[];
  readonly text: string;
}

async function doctor(world: World, options = ""): Promise<Report> {
  const { exit, stdout, stderr, document } = await world.run(`doctor ${options}`);
  expect(stderr).toBe("");
  const isWell = exit === 0;
  const report = isWell ? document : at(document, "error.details");
  expect(at(report, "ok")).toBe(isWell);
  if (!isWell)
    expect(document).toMatchObject({
      error: { code: "DOCTOR_PROBLEMS", exitCode: 1, retryable: false },
    });
  const findings = at(report, "findings") as Finding[];
  expect(findings.some(({ status }) => status === "problem")).toBe(!isWell);
  for (const { status, fix } of findings) expect(fix !== undefined).toBe(status !== "ok");
  return { exit, findings, text: stdout };
}

const problems = ({ findings }: Report): string[] =>
  findings
    .filter(({ status }) => status === "problem")
    .map(({ check, code }) => `${check} ${code ?? ""}`.trim());

const stateOf = (world: World): string => join(world.home, ".local/state/ledger-enterprise-cli");

async function contents(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const found = await stat(path);
      return `${name} ${found.mode.toString(8)} ${found.isFile() ? await readFile(path, "base64") : ""}`;
    }),
  );
}

test("all is well after a login: exit 0, every check ok, and nothing is written", async () => {
  await using world = await openWorld();
  await world.run("login api");
  const before = await contents(world.home);
  const report = await doctor(world);
  expect(report.exit).toBe(0);
  expect(report.findings.map(({ check, status }) => [check, status])).toEqual([
    ["version", "ok"],
    ["settings", "ok"],
    ["mode", "ok"],
    ["protection", "ok"],
    ["mcp", "ok"],
    ["state", "ok"],
    ["session", "ok"],
    ["credentials", "ok"],
    ["key", "ok"],
    ["proxy", "ok"],
    ["skill", "ok"],
    ["device", "ok"],
    ["network", "ok"],
    ["apiVersion", "ok"],
    ["clock", "ok"],
    ["authorisation", "ok"],
  ]);
  expect(await contents(world.home)).toEqual(before);
});

test("before the first login only that is missing, as a warning", async () => {
  await using world = await openWorld();
  const report = await doctor(world);
  expect(report.exit).toBe(0);
  expect(report.findings.filter(({ status }) => status !== "ok").map(({ check }) => check)).toEqual(
    ["session"],
  );
  expect(await readdir(world.home)).toEqual([]);
});

test("--offline sends nothing", async () => {
  await using world = await openWorld();
  await world.run("login api");
  await world.control("forget", "");
  const { findings } = await doctor(world, "--offline");
  expect(findings.map(({ check }) => check)).not.toContain("network");
  await world.control("calls", "none");
});

test("--fields chooses among the members of the report, and of that of --report", async () => {
  await using world = await openWorld();
  const { document } = await world.run("doctor --offline --fields ok,findings");
  expect(Object.keys(document as object)).toEqual(["ok", "findings"]);
  const about = await world.run("doctor --report --fields apiVersion,looks");
  expect(Object.keys(about.document as object)).toEqual(["apiVersion", "looks"]);
  const wrong = await world.run("doctor --offline --fields oke");
  expect([wrong.exit, at(wrong.document, "error.field")]).toEqual([2, "--fields"]);
});

test("where settings come from is said, what they are is not", async () => {
  await using world = await openWorld();
  world.env.LEDGER_ENTERPRISE_API_KEY_ID = "key-id-that-must-not-be-seen";
  world.env.LEDGER_ENTERPRISE_WORKSPACE = "workspace-that-must-not-be-seen";
  await writeFile(join(world.cwd, "secret"), world.env.LEDGER_ENTERPRISE_API_KEY_SECRET ?? "");
  const secret = world.env.LEDGER_ENTERPRISE_API_KEY_SECRET ?? "";
  delete world.env.LEDGER_ENTERPRISE_API_KEY_SECRET;
  world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_FILE = join(world.cwd, "secret");
  const { document, stdout } = await world.run("doctor --offline");
  const source = (name: string): unknown =>
    (at(document, "settings") as { name: string; source: string }[]).find(
      (row) => row.name === `LEDGER_ENTERPRISE_${name}`,
    )?.source;
  expect(["API_URL", "API_KEY_SECRET", "REPORTING_API_KEY"].map(source)).toEqual([
    "environment",
    "file",
    "unset",
  ]);
  for (const value of [
    secret,
    "must-not-be-seen",
    world.env.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "",
  ])
    expect(stdout).not.toContain(value);
});

/**
 * What is broken, how, and the one check that finds it (with the code that a command would give).
 */
const BROKEN: readonly (readonly [
  what: string,
  breaks: (world: World) => Promise<unknown>,
  found: string,
])[] = [
  [
    "a missing secret before a login",
    async (world) => {
      await world.run("logout");
      delete world.env.LEDGER_ENTERPRISE_API_KEY_SECRET;
    },
    "credentials MISSING_CREDENTIALS",
  ],
  [
    "a secret from two sources",
    async ({ env, cwd }) => (env.LEDGER_ENTERPRISE_API_KEY_SECRET_FILE = join(cwd, "x")),
    "credentials CONFIG_CONFLICT",
  ],
  [
    "another workspace than the session's",
    async ({ env }) => (env.LEDGER_ENTERPRISE_WORKSPACE = "another"),
    "session SESSION_MISMATCH",
  ],
  [
    "a state folder that others can read",
    (world) => chmod(stateOf(world), 0o755),
    "state SESSION_INSECURE",
  ],
  [
    "a state folder that cannot be written",
    async ({ cwd, env }) => {
      await writeFile(join(cwd, "file"), "");
      env.LEDGER_ENTERPRISE_STATE_DIR = join(cwd, "file", "state");
    },
    "state AUDIT_UNAVAILABLE",
  ],
  [
    "a session that others can read",
    (world) => chmod(join(stateOf(world), "session.json"), 0o644),
    "session SESSION_INSECURE",
  ],
  [
    "a session that is not valid",
    (world) => writeFile(join(stateOf(world), "session.json"), "{}"),
    "session SESSION_CORRUPT",
  ],
  [
    "a key that is none",
    async ({ env }) => (env.LEDGER_ENTERPRISE_API_PRIVATE_KEY = "abcdef"),
    "key INVALID_PRIVATE_KEY",
  ],
  [
    "somebody else's key",
    async ({ env }) => (env.LEDGER_ENTERPRISE_API_PRIVATE_KEY = generateKeyPair().pemHex),
    "key KEY_MISMATCH",
  ],
  [
    "a proxy that is not an address",
    async ({ env }) => (env.HTTPS_PROXY = "not a proxy"),
    "proxy INVALID_PROXY",
  ],
  [
    "a clock that is wrong",
    ({ control }) =>
      control(
        "fault",
        '{"match":{"path":"/users"},"headers":{"date":"Mon, 02 Mar 2020 10:00:00 GMT"}}',
      ),
    "clock",
  ],
  [
    "a server that fails",
    ({ control }) => control("fault", '{"match":{"path":"/users"},"status":500}'),
    "network SERVER_ERROR",
  ],
  [
    "a login page in the way",
    ({ control }) =>
      control(
        "fault",
        '{"match":{"path":"/users"},"status":200,"contentType":"text/html","body":"<html>"}',
      ),
    "network INVALID_RESPONSE",
  ],
  [
    "a redirect",
    ({ control }) =>
      control(
        "fault",
        '{"match":{"path":"/users"},"redirect":{"status":302,"location":"https://example.org/"}}',
      ),
    "network REDIRECT_BLOCKED",
  ],
  [
    "a connection that breaks",
    ({ control }) => control("fault", '{"match":{"path":"/users","times":0},"reset":true}'),
    "network CONNECTION_RESET",
  ],
  [
    "a user who was suspended",
    ({ control }) => control("fault", '{"match":{"path":"/users/me","times":0},"status":403}'),
    "authorisation FORBIDDEN",
  ],
];

describe("one thing broken", () => {
  test.each(BROKEN)("%s", async (_what, breaks, found) => {
    await using world = await openWorld();
    await world.run("login api");
    await breaks(world);
    const report = await doctor(world);
    const [first = ""] = problems(report);
    expect(first).toBe(found);
    expect(report.exit).toBe(1);
    // What follows from the broken thing may be found too, but nothing that is independent of it.
    const checks = problems(report).map((line) => line.split(" ")[0]);
    const follows: Readonly<Record<string, readonly string[]>> = {
      state: ["session"],
      session: ["authorisation"],
      proxy: ["network"],
    };
    expect(
      checks.filter(
        (check) => check !== checks[0] && !follows[checks[0] ?? ""]?.includes(check ?? ""),
      ),
    ).toEqual([]);
  });

  /** A login cannot be had from there, so no session hides the configured address. */
  test.each([
    ["an address that is none", "nonsense", "settings INVALID_URL"],
    [
      "an address without protection",
      "http://re.vault.ledger.com/v1/rest",
      "settings INSECURE_URL",
    ],
    ["a name that does not exist", "https://no-such-host.invalid/v1/rest", "dns DNS_ERROR"],
    ["a port where no server listens", "http://127.0.0.1:1/v1/rest", "network NETWORK_ERROR"],
    ["a server without a certificate", "https://127.0.0.1:PORT/v1/rest", "tls TLS_ERROR"],
  ])("%s", async (_what, url, found) => {
    await using world = await openWorld();
    const port = new URL(world.env.LEDGER_ENTERPRISE_API_URL ?? "").port;
    world.env.LEDGER_ENTERPRISE_API_URL = url.replace("PORT", port);
    const report = await doctor(world);
    expect(problems(report)[0]).toBe(found);
    expect(report.exit).toBe(1);
  });

  test("an expired session", async () => {
    await using world = await openWorld();
    await world.run("login api");
    await world.control("fault", '{"match":{"path":"/users/me","times":0},"revokeSessions":true}');
    expect(problems(await doctor(world))).toEqual(["authorisation SESSION_EXPIRED"]);
  });

  test("a skill that was changed, as a warning", async () => {
    await using world = await openWorld();
    await world.run("login api");
    await world.run("skill install --agent agents");
    expect(await doctor(world)).toMatchObject({ exit: 0 });
    await mkdir(join(world.cwd, ".agents/skills"), { recursive: true });
    await writeFile(join(world.cwd, ".agents/skills/ledger-enterprise-cli/SKILL.md"), "changed");
    const { exit, findings } = await doctor(world);
    expect([exit, findings.find(({ check }) => check === "skill")]).toMatchObject([
      0,
      { status: "warn", details: { status: "modified" } },
    ]);
  });
});

test("a policy that stops everything is a warning of its own, and guard status tells it", async () => {
  await using world = await openWorld();
  await world.run("login api");
  const policy = join(trustedFolder(), "policy.json");
  world.env.LEDGER_ENTERPRISE_POLICY_FILE = policy;
  for (const stopped of [true, false]) {
    await writeFile(policy, JSON.stringify({ ...FILE, stopped }), { mode: 0o600 });
    const { exit, findings } = await doctor(world);
    expect(exit).toBe(0);
    expect(findings.find(({ check }) => check === "mode")).toMatchObject(
      stopped
        ? {
            status: "warn",
            fix: expect.stringContaining("`stopped`"),
            details: { stopped: "policy" },
          }
        : { status: "ok" },
    );
    const status = await world.run("guard status --fields level,stopped");
    expect(status.document).toEqual({ level: "advisory", stopped: stopped ? "policy" : null });
  }
  // It stops writes all the same, and `protection` says why.
  await writeFile(policy, "{", { mode: 0o600 });
  const { document } = await world.run("guard status --fields stopped");
  expect(document).toEqual({ stopped: null });
});

test("guard status without a guard says what to set", async () => {
  await using world = await openWorld();
  const { document } = await world.run("guard status --fields level,points");
  expect(document).toEqual({
    level: "none",
    points: [
      {
        ...{ point: "reachable", holds: false },
        fix: expect.stringContaining("Set LEDGER_ENTERPRISE_GUARD"),
      },
    ],
  });
});

test("read-only mode is a warning of its own, not a problem", async () => {
  await using world = await openWorld();
  await world.run("login api");
  world.env.LEDGER_ENTERPRISE_READ_ONLY = "1";
  const { exit, findings } = await doctor(world);
  expect(exit).toBe(0);
  const [warning, ...others] = findings.filter(({ status }) => status !== "ok");
  expect(warning).toMatchObject({
    check: "mode",
    status: "warn",
    fix: expect.stringContaining("LEDGER_ENTERPRISE_READ_ONLY"),
  });
  expect(others).toEqual([]);
});
