/**
 * Secrets from programs: `…_COMMAND` of the API secret, the reporting key and the webhook secret.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, openWorld, type World } from "../agent/world.ts";
import { allForms, type Form, SOURCE } from "../support/forms.ts";
import { survivorsOf } from "../support/survivors.ts";
import { trustedFolder } from "../support/trusted.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const forms = await allForms();

const MARKS = join(folder, "starts");
beforeEach(() => rmSync(MARKS, { force: true }));
const starts = (): string[] =>
  existsSync(MARKS) ? readFileSync(MARKS, "utf8").trim().split("\n") : [];

let count = 0;
function program(lines: string, mode = 0o755): string {
  count += 1;
  const path = join(folder, `${count}`);
  writeFileSync(path, `#!/bin/sh\necho $$ >>'${MARKS}'\n${lines}\n`, { mode });
  return path;
}

/** A world whose API secret comes from a program. */
async function openWorldWith(form: Form, lines: (secret: string) => string): Promise<World> {
  const world = await openWorld(form);
  const secret = world.env.LEDGER_ENTERPRISE_API_KEY_SECRET ?? "";
  delete world.env.LEDGER_ENTERPRISE_API_KEY_SECRET;
  world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND = program(lines(secret));
  return world;
}

describe.each(forms)("$name", (form) => {
  test("login api takes the API secret from a program, which is started once", async () => {
    await using world = await openWorldWith(form, (secret) => `echo '${secret}'`);
    expect((await world.run("login api")).exit).toBe(0);
    expect(starts().length).toBe(1);
    for (const line of ["whoami", "accounts list", "doctor --offline"])
      expect([line, (await world.run(line)).exit]).toEqual([line, 0]);
    expect(starts().length).toBe(1);
  });

  test.each<[string, (secret: string) => string]>([
    ["prints two lines", (secret) => `echo '${secret}'; echo surplus-line`],
    ["prints a NUL", (secret) => `printf '%s\\000' '${secret}'`],
    ["prints nothing", () => ":"],
    ["prints an empty line", () => "echo"],
    ["prints bytes that are not UTF-8", () => "printf '\\377\\376secret'"],
    ["floods standard output", () => "yes"],
    ["prints the secret and fails", (secret) => `echo '${secret}'; echo '${secret}' >&2; exit 1`],
    ["prints the secret and dies", (secret) => `echo '${secret}'; kill -KILL $$`],
  ])("SECRET_COMMAND_FAILED: it %s", async (_name, lines) => {
    await using world = await openWorldWith(form, lines);
    await world.control("forget", "");
    const { exit, stdout, document } = await world.run("login api");
    expect([exit, at(document, "error.code")]).toEqual([2, "SECRET_COMMAND_FAILED"]);
    expect(at(document, "error.field")).toBe("LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND");
    expect(stdout).not.toContain("surplus-line");
    expect(starts().length).toBe(1);
    expect(await survivorsOf(starts())).toEqual([]);
    await world.control("calls", "none");
  });

  test("SECRET_COMMAND_FAILED: it hangs", async () => {
    await using world = await openWorldWith(form, () => "sleep 600");
    const path = world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND;
    const setting = { command: [path], timeoutSeconds: 1 };
    world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND = JSON.stringify(setting);
    const { document } = await world.run("login api");
    expect(at(document, "error.code")).toBe("SECRET_COMMAND_FAILED");
    expect(await survivorsOf(starts())).toEqual([]);
  });

  test("SEC-1 a program sees no credential of ours, nor what another program may see", async () => {
    await using world = await openWorldWith(
      form,
      (secret) => `env >'${folder}/env'; echo '${secret}'`,
    );
    Object.assign(world.env, { STORE_TOKEN: "canary-store", OTHER_TOKEN: "canary-other" });
    world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND = JSON.stringify({
      command: [world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND],
      env: ["STORE_TOKEN"],
    });
    expect((await world.run("login api")).exit).toBe(0);
    const seen = readFileSync(join(folder, "env"), "utf8");
    expect(seen).toContain("STORE_TOKEN=canary-store\n");
    expect(seen).not.toContain("OTHER_TOKEN");
    expect(seen.match(/LEDGER_ENTERPRISE_\w+/g)).toEqual(["LEDGER_ENTERPRISE_HELPER"]);
  });

  test("notifications verify takes the webhook secret from a program", async () => {
    await using world = await openWorld(form);
    const body = '{"a":1}';
    const now = Math.floor(Date.now() / 1000);
    const hmac = createHmac("sha256", "canary-webhook").update(`${now}.${body}`).digest("hex");
    writeFileSync(join(world.cwd, "body"), body);
    world.env.LEDGER_ENTERPRISE_WEBHOOK_SECRET_COMMAND = program("printf canary-webhook");
    const header = `t=${now},v1=${hmac}`;
    const { exit } = await world.run(`notifications verify --header ${header} --body @body`);
    expect([exit, starts().length]).toEqual([0, 1]);
  });
});

test.each(["LEDGER_ENTERPRISE_API_KEY_SECRET", "LEDGER_ENTERPRISE_API_KEY_SECRET_FILE"])(
  "CFG-4 %s beside a program is CONFIG_CONFLICT, and nothing is started",
  async (name) => {
    await using world = await openWorldWith(SOURCE, (secret) => `echo '${secret}'`);
    world.env[name] = "/something";
    const { document } = await world.run("login api");
    expect([at(document, "error.code"), starts()]).toEqual(["CONFIG_CONFLICT", []]);
  },
);

test("no program is started for a login that lacks another setting", async () => {
  await using world = await openWorldWith(SOURCE, (secret) => `echo '${secret}'`);
  delete world.env.LEDGER_ENTERPRISE_API_KEY_ID;
  const { document } = await world.run("login api");
  expect([at(document, "error.details.missing"), starts()]).toEqual([
    ["LEDGER_ENTERPRISE_API_KEY_ID"],
    [],
  ]);
});

test("doctor says that a program prints the secret, and does not start it", async () => {
  await using world = await openWorldWith(SOURCE, (secret) => `echo '${secret}'`);
  const { document } = await world.run("doctor --offline");
  const settings = at(document, "settings") as { name: string; source: string }[];
  expect(settings.find(({ name }) => name.endsWith("API_KEY_SECRET"))?.source).toBe("command");
  expect(starts()).toEqual([]);
});

test("SECRET_COMMAND_FAILED: others can change the program", async () => {
  await using world = await openWorldWith(SOURCE, (secret) => `echo '${secret}'`);
  Bun.spawnSync(["chmod", "o+w", world.env.LEDGER_ENTERPRISE_API_KEY_SECRET_COMMAND ?? ""]);
  const { document } = await world.run("login api");
  expect([at(document, "error.code"), starts()]).toEqual(["SECRET_COMMAND_FAILED", []]);
});
