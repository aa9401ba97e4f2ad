/**
 * Reporting sessions: reads only, the key from the environment at each use, and never anywhere on
 * this machine.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { walk } from "../../src/cli/command.ts";
import type { Program } from "../hostile/program.ts";
import { commands } from "../support/registry.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

const KEY = "sandbox-reporting-secret-not-real";
const ENV = { LEDGER_ENTERPRISE_REPORTING_API_KEY: KEY };
const REQUEST = '{"type":"CREATE_TRANSACTION","data":{}}';

async function open(): Promise<{ workspace: Workspace; program: Program } & AsyncDisposable> {
  const workspace = await openWorkspace();
  expect(workspace.sandbox.description.reportingKey).toBe(KEY);
  const program = await workspace.client("v1", ENV, false);
  await program.succeed(["login", "reporting", "--apiVersion", "v1"]);
  return { workspace, program, [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose]() };
}

async function stored(program: Program): Promise<string> {
  const files = await readdir(program.home, { recursive: true, withFileTypes: true });
  const read = files
    .filter((one) => one.isFile())
    .map((one) => readFile(join(one.parentPath, one.name), "utf8"));
  return (await Promise.all(read)).join("\n");
}

test("reads with the key's header and the workspace's, without a bearer; stores the fingerprint, not the key", async () => {
  await using world = await open();
  const { workspace, program } = world;
  const { session } = (await program.succeed(["whoami"])) as { session: Record<string, unknown> };
  const keyFingerprint = createHash("sha256").update(KEY).digest("hex");
  expect(session).toMatchObject({
    kind: "reporting",
    apiVersion: "v1",
    expiresAt: null,
    user: null,
    keyFingerprint,
  });
  await program.succeed(["accounts", "list"]);
  await program.succeed(["api", "--path", "/organization"]);
  const { log } = workspace.sandbox.control;
  expect(log.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /vault/accounts",
    "GET /vault/accounts",
    "GET /vault/organization",
  ]);
  for (const { headers } of log) {
    expect(headers["x-ledger-reporting-api-key"]).toBe(KEY);
    expect(headers["x-ledger-workspace"]).toBe("sandbox");
    expect(headers.authorization).toBeUndefined();
  }
  const content = await stored(program);
  expect(content).toContain(keyFingerprint);
  for (const form of [KEY, btoa(KEY), Buffer.from(KEY).toString("hex")])
    expect(content).not.toContain(form);
});

describe("everything that writes or signs is refused before anything is sent", () => {
  const lines: Readonly<Record<string, readonly string[]>> = {
    "requests create": ["--requestData", REQUEST],
    "requests sign": ["--challenge", Buffer.from('{"a":1}').toString("base64url")],
    "requests approve api": ["--id", "7", "--sign"],
    "requests approve device": ["--id", "7"],
    "requests reject api": ["--id", "7"],
  };
  const changing = [...walk(commands)].filter(
    ([, { effect }]) => effect === "write" || effect === "sign",
  );

  test.each(changing.map(([words]) => words.join(" ")))("%s", async (name) => {
    await using world = await open();
    const { workspace, program } = world;
    workspace.calls();
    const argv = [...name.split(" "), ...(lines[name] ?? [])];
    expect(lines[name]).toBeDefined();
    for (const dry of [[], ["--dryRun"]]) {
      // A device is looked for before anything else, and there is none here.
      if (name.includes("device")) expect((await program.run([...argv, ...dry])).exit).not.toBe(0);
      else await program.fail([...argv, ...dry], 3, "WRONG_SESSION_KIND");
    }
    expect(workspace.calls()).toEqual([]);
  });

  test("a signature that was made elsewhere, too", async () => {
    await using world = await open();
    world.workspace.calls();
    const argv = ["requests", "approve", "api", "--id", "7", "--signature", "a.b.c"];
    await world.program.fail(argv, 3, "WRONG_SESSION_KIND");
    expect(world.workspace.calls()).toEqual([]);
  });
});

describe("the key is read at each use", () => {
  test("another one than at login is SESSION_MISMATCH, and nothing is sent", async () => {
    await using world = await open();
    world.workspace.calls();
    const env = { LEDGER_ENTERPRISE_REPORTING_API_KEY: "another-reporting-key" };
    await world.program.fail(["accounts", "list"], 3, "SESSION_MISMATCH", { env });
    await world.program.fail(["accounts", "list"], 2, "MISSING_CREDENTIALS", {
      env: { LEDGER_ENTERPRISE_REPORTING_API_KEY: "" },
    });
    expect(world.workspace.calls()).toEqual([]);
  });

  test("from a file, with its final newline; both forms set is a conflict", async () => {
    await using world = await open();
    const file = join(world.program.home, "key");
    await writeFile(file, `${KEY}\n`, { mode: 0o600 });
    const only = {
      LEDGER_ENTERPRISE_REPORTING_API_KEY: "",
      LEDGER_ENTERPRISE_REPORTING_API_KEY_FILE: file,
    };
    const { exit } = await world.program.form.run({
      argv: ["accounts", "list"],
      env: { ...world.program.env, ...only },
      stdin: undefined,
      cwd: world.program.home,
    });
    expect(exit).toBe(0);
    await writeFile(file, "x");
    const both = { LEDGER_ENTERPRISE_REPORTING_API_KEY_FILE: file };
    await world.program.fail(["accounts", "list"], 2, "CONFIG_CONFLICT", { env: both });
  });

  test("a key that cannot be in a header is refused unquoted", async () => {
    await using world = await open();
    const env = { LEDGER_ENTERPRISE_REPORTING_API_KEY: "kéy with spaces" };
    const { message } = await world.program.fail(["accounts", "list"], 2, "INVALID_ARGUMENT", {
      env,
    });
    expect(message).not.toContain("kéy");
  });

  test("a revoked key is UNAUTHORIZED at once, without a refresh", async () => {
    await using world = await open();
    world.workspace.sandbox.control.addFault({
      match: { path: "/accounts", times: 0 },
      status: 401,
      body: "{}",
    });
    world.workspace.calls();
    await world.program.fail(["accounts", "list"], 3, "UNAUTHORIZED");
    expect(world.workspace.calls()).toEqual(["GET /accounts"]);
  });
});

describe("logging in", () => {
  test("a wrong key stores nothing and leaves the session that was there (SES-8)", async () => {
    await using workspace = await openWorkspace();
    const program = await workspace.client("v1", {
      LEDGER_ENTERPRISE_REPORTING_API_KEY: "wrong-reporting-key",
    });
    const before = await stored(program);
    await program.fail(["login", "reporting", "--apiVersion", "v1"], 3, "UNAUTHORIZED");
    expect(await stored(program)).toBe(before);
  });

  test("V2 has no reporting keys: NOT_SUPPORTED, nothing sent, the hint names V1", async () => {
    await using workspace = await openWorkspace();
    const program = await workspace.client("v2", ENV, false);
    for (const argv of [
      ["login", "reporting"],
      ["login", "reporting", "--apiVersion", "v2"],
    ]) {
      const { hint } = await program.fail(argv, 2, "NOT_SUPPORTED");
      expect(hint).toContain("--apiVersion v1");
    }
    expect(workspace.calls()).toEqual([]);
  });

  test("needs address, workspace and key, all named", async () => {
    await using workspace = await openWorkspace();
    const program = await workspace.client("v1", { LEDGER_ENTERPRISE_WORKSPACE: "" }, false);
    const argv = ["login", "reporting", "--apiVersion", "v1"];
    expect((await program.fail(argv, 2, "MISSING_CREDENTIALS")).message).toContain(
      "LEDGER_ENTERPRISE_WORKSPACE",
    );
    const withKeyMissing = await workspace.client("v1", {}, false);
    expect((await withKeyMissing.fail(argv, 2, "MISSING_CREDENTIALS")).message).toContain(
      "LEDGER_ENTERPRISE_REPORTING_API_KEY",
    );
  });

  test("another server in the environment gets no key (NET-2)", async () => {
    await using world = await open();
    await using other = await openWorkspace();
    const env = { LEDGER_ENTERPRISE_API_URL: other.sandbox.description.baseUrls.v1 };
    await world.program.fail(["accounts", "list"], 3, "SESSION_MISMATCH", { env });
    expect(other.calls()).toEqual([]);
  });

  test("logout and doctor work in a reporting session", async () => {
    await using world = await open();
    expect(await world.program.succeed(["doctor"])).toMatchObject({ ok: true });
    expect(await world.program.succeed(["logout"])).toEqual({ loggedOut: true, hadSession: true });
  });
});
