/**
 * When a helper is started: after the review and never before it, once, and by no other process
 * than the command that needs it. A recording helper leaves a mark at each start.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, openWorld, type World } from "../agent/world.ts";
import { allForms, type Form } from "../support/forms.ts";
import { PAYOUT } from "../support/payout.ts";
import { lacks } from "../support/programs.ts";
import { survivorsOf } from "../support/survivors.ts";
import { trustedFolder } from "../support/trusted.ts";
import { orderFor } from "./signed.ts";

const folder = trustedFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const forms = await allForms();

const [MARKS, KEY] = [join(folder, "starts"), join(folder, "key.pem")];
beforeEach(() => rmSync(MARKS, { force: true }));
const starts = (): string[] =>
  existsSync(MARKS) ? readFileSync(MARKS, "utf8").trim().split("\n") : [];

function write(name: string, lines: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho $$ >>'${MARKS}'\n${lines}\n`, { mode: 0o755 });
  return path;
}

const SIGNER = write(
  "signer",
  `request=$(cat); rest=\${request#*'"message":"'}
printf '{"version":1,"format":"der","signature":"%s"}' "$(printf '%s' "\${rest%%\\"*}" | openssl dgst -sha256 -sign '${KEY}' | base64 | tr -d '\\n')"`,
);

/** A world in which the helper holds the operator's key; logged in, with a payment to approve. */
async function prepare(form: Form): Promise<{ readonly world: World; readonly id: string }> {
  const world = await openWorld(form);
  const { env, cwd, run } = world;
  const privateKey = env.LEDGER_ENTERPRISE_API_PRIVATE_KEY ?? "";
  writeFileSync(KEY, Buffer.from(privateKey, "hex"));
  delete env.LEDGER_ENTERPRISE_API_PRIVATE_KEY;
  env.LEDGER_ENTERPRISE_API_PUBLIC_KEY = orderFor(privateKey).publicKey;
  env.LEDGER_ENTERPRISE_SIGNER = SIGNER;
  writeFileSync(join(cwd, "p.json"), JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT }));
  await run("login api");
  const created = await run("requests create --requestData @p.json");
  return { world, id: String(at(created.document, "id")) };
}

const ALTERED = '{"alterChallenge":{"data.transaction_data.amount":"2500001"}}';
const SHAPE = '{"alterChallenge":{"surprise":"1"}}';

describe.each(forms)("$name", (form) => {
  test("SIG-6 the review runs first: with a refused review the helper is never started", async () => {
    const { world, id } = await prepare(form);
    await using _ = world;
    await world.control("set", ALTERED);
    const challenge = String(
      at((await world.run(`requests getChallenge --id ${id}`)).document, "challenge"),
    );
    for (const line of [
      `requests approve api --id ${id} --sign`,
      `requests approve api --id ${id} --sign --expectPayloadSha256 ${"0".repeat(64)}`,
      `requests sign --id ${id} --challenge ${challenge}`,
      `requests sign --challenge ${challenge} --expect '{"type":"REJECT_TRANSACTION"}'`,
    ]) {
      const { exit, document } = await world.run(line);
      expect([line, exit, at(document, "error.code")]).toEqual([line, 2, "CHALLENGE_MISMATCH"]);
    }
    await world.control("set", SHAPE);
    const other = await world.run(`requests approve api --id ${id} --sign`);
    expect(at(other.document, "error.code")).toBe("CHALLENGE_MISMATCH");
    expect(starts()).toEqual([]);
  });

  test("a matching review starts the helper once, and the approval is accepted", async () => {
    const { world, id } = await prepare(form);
    await using _ = world;
    const { exit, stdout } = await world.run(`requests approve api --id ${id} --sign`);
    expect(`${exit} ${stdout}`).toStartWith("0 ");
    expect(starts().length).toBe(1);
  });

  test("no other command starts it, nor a dry run", async () => {
    const { world, id } = await prepare(form);
    await using _ = world;
    const challenge = String(
      at((await world.run(`requests getChallenge --id ${id}`)).document, "challenge"),
    );
    for (const line of [
      `requests approve api --id ${id} --sign --dryRun`,
      `requests sign --id ${id} --challenge ${challenge} --dryRun`,
      `requests review --id ${id}`,
      "keys public",
      "whoami",
      "doctor --offline",
      "accounts list",
    ])
      expect([line, (await world.run(line)).exit]).toEqual([line, 0]);
    expect(starts()).toEqual([]);
  });

  test("a signature that the server refuses is not made again", async () => {
    // A workspace each: after the 500 the outcome is unknown, and nothing is signed before it is.
    for (const status of [500, 409, 401]) {
      const { world, id } = await prepare(form);
      await using _ = world;
      rmSync(MARKS, { force: true });
      const match = { method: "POST", path: `/requests/${id}/approve` };
      await world.control("fault", JSON.stringify({ match, status }));
      const { exit } = await world.run(`requests approve api --id ${id} --sign`);
      // After a 401 the same signature goes out again with a new token.
      expect(exit === 0).toBe(status === 401);
      expect(starts().length).toBe(1);
    }
  });

  test("read-only mode never starts it", async () => {
    const { world, id } = await prepare(form);
    await using _ = world;
    world.env.LEDGER_ENTERPRISE_READ_ONLY = "1";
    const { document } = await world.run(`requests approve api --id ${id} --sign`);
    expect(at(document, "error.code")).toBe("READ_ONLY");
    expect(starts()).toEqual([]);
  });
});

const built = forms.filter(({ command, hostile }) => command.length > 0 && !hostile);

describe.each(built)("$name", (form) => {
  test("a helper that starts this program gets NOT_SUPPORTED: no loop", async () => {
    const { world } = await prepare(form);
    await using _ = world;
    const seen = join(folder, "inner");
    const [program = "", ...rest] = form.command;
    const inner = [program, ...rest].map((word) => `'${word}'`).join(" ");
    world.env.LEDGER_ENTERPRISE_SIGNER = write(
      "looping",
      `cat >/dev/null; ${inner} requests sign --challenge eyJhIjoxfQ== >'${seen}'; exit 1`,
    );
    const { document } = await world.run("requests sign --challenge eyJhIjoxfQ==");
    expect(at(document, "error.code")).toBe("SIGNER_UNAVAILABLE");
    expect(at(JSON.parse(readFileSync(seen, "utf8")), "error.code")).toBe("NOT_SUPPORTED");
    expect(starts().length).toBe(1);
  });

  test.skipIf(lacks("script"))("a helper cannot open the terminal of the command", async () => {
    const { world } = await prepare(form);
    await using _ = world;
    const seen = join(folder, "tty");
    rmSync(seen, { force: true });
    world.env.LEDGER_ENTERPRISE_SIGNER = write(
      "prompting",
      `(exec </dev/tty) 2>/dev/null && echo terminal >'${seen}'; exit 1`,
    );
    const line = [...form.command, "requests", "sign", "--challenge", "eyJhIjoxfQ=="]
      .map((word) => `'${word}'`)
      .join(" ");
    const env = { ...world.env, PATH: "/usr/bin:/bin", TERM: "dumb" };
    Bun.spawnSync(["script", "-qec", line, "/dev/null"], { env, cwd: world.cwd });
    expect([starts().length, existsSync(seen)]).toEqual([1, false]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends the helper and its children",
    async (signal) => {
      const { world } = await prepare(form);
      await using _ = world;
      const seen = join(folder, "children");
      rmSync(seen, { force: true });
      world.env.LEDGER_ENTERPRISE_SIGNER = write(
        "waiting",
        `trap '' TERM INT; sleep 600 & echo $! >'${seen}.new'; mv '${seen}.new' '${seen}'; wait; sleep 600`,
      );
      const argv = [...form.command, "requests", "sign", "--challenge", "eyJhIjoxfQ=="];
      const child = Bun.spawn(argv, { env: { ...world.env }, cwd: world.cwd, stdout: "pipe" });
      while (!existsSync(seen)) await Bun.sleep(5);
      child.kill(signal);
      await child.exited;
      expect([child.signalCode, await new Response(child.stdout).text()]).toEqual([signal, ""]);
      const pids = [...starts(), readFileSync(seen, "utf8").trim()];
      expect([pids.length, await survivorsOf(pids)]).toEqual([2, []]);
    },
  );
});
