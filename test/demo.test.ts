/** `npm run demo` is the first thing that a stranger runs. */
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../scripts/build.ts";
import { defaultSeed } from "../src/sandbox/index.ts";
import { OBSTACLE } from "./guard/twousers.ts";
import { linesOf } from "./support/lines.ts";

test("F3 the demo walks through a whole approval, shows no secret and leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "demo-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  for (const path of [home, temporary]) await mkdir(path);
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    TMPDIR: temporary,
    LEDGER_ENTERPRISE_READ_ONLY: "1",
  };
  const run = Bun.spawn(["node", "scripts/bun.mjs", "scripts/demo.ts"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [text, errors] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  expect({ exitCode: await run.exited, errors }).toEqual({ exitCode: 0, errors: "" });
  const commands = [...text.matchAll(/^\$ ledger-enterprise-cli (\w+(?: [a-z]\w+)*)/gm)].map(
    ([, words]) => words,
  );
  expect(commands).toEqual([
    "sandbox start",
    "login api",
    "accounts list",
    "accounts getBalance",
    "requests draft",
    "requests create",
    "requests getChallenge",
    "requests review",
    "requests sign",
    "requests approve api",
    "requests wait",
    "logout",
  ]);
  // F3: one plain line before each command says what it is for, and which way is the normal one.
  for (const [line] of text.matchAll(/^.*\n\$ ledger-enterprise-cli .*$/gm))
    expect(line).toMatch(/^# [A-Z][^\n]+[.?]\n/);
  expect(text).toContain("The normal way is one command: requests approve api --id ID --sign.");
  expect(text).toMatch(
    /\nDemo complete: 11 commands in \d+\.\d s, request \S+ is APPROVED; nothing is left behind\.\nNext: .*README.*\n$/,
  );
  // What a person reads before each yes.
  const meaning =
    /# {3}Send 0\.015 BTC \(1500000 base units\) from account "ClientA COL TBTC 1"\n# {3}To tb1q/g;
  expect(text.match(meaning)).toHaveLength(2);
  for (const { apiKeySecret } of defaultSeed().credentials)
    expect(text).not.toContain(apiKeySecret);
  expect(text).not.toMatch(/2d2d2d2d2d424547494e|PRIVATE KEY-----/i);
  expect(await readdir(temporary)).toEqual([]);
  expect(await readdir(home)).not.toContain(".local");
  await rm(folder, { recursive: true });
});

test("with --open the sandbox goes on, its page is there, and a signal leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "demo-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  for (const path of [home, temporary]) await mkdir(path);
  const run = Bun.spawn(["node", "scripts/bun.mjs", "scripts/demo.ts", "--open"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", HOME: home, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const line of linesOf(run.stdout)) {
    text += `${line}\n`;
    if (!line.startsWith("Ctrl-C ")) continue;
    const page = /Open its page in a browser: (\S+)\n/.exec(text)?.[1] ?? "";
    expect(await (await fetch(page)).text()).toContain("Sandbox workspace");
    run.kill("SIGTERM");
  }
  expect(text).toMatch(/# Alice Martin approves, as her button on the page would\.\n/);
  expect(text).toMatch(/ is APPROVED; the sandbox goes on\.\n/);
  expect([await run.exited, await readdir(temporary)]).toEqual([0, []]);
  expect(await readdir(home)).not.toContain(".local");
  await rm(folder, { recursive: true });
});

test.skipIf(OBSTACLE !== undefined)(
  "the demo with a guard: an agent without a secret pays within the policy, is refused above it, and the trail tells both",
  async () => {
    const run = Bun.spawn(["node", "scripts/bun.mjs", "scripts/demo.ts", "--guard"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [text, errors] = await Promise.all([
      new Response(run.stdout).text(),
      new Response(run.stderr).text(),
    ]);
    expect({ exitCode: await run.exited, errors }).toEqual({ exitCode: 0, errors: "" });
    const words = [
      '"level": "enforced"',
      '"key": ',
      '"code": "POLICY_DENIED"',
      "Permission denied",
    ];
    for (const word of [...words, '"event": "denied"', '"event": "signed"'])
      expect(text).toContain(word);
    expect(Number(/Demo complete in ([\d.]+) s/.exec(text)?.[1])).toBeLessThan(60);
    expect(text).not.toContain("sandbox-operator-secret");
  },
  120_000,
);
