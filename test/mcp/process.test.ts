/** The built server as a client's child: its streams, its signals, its end. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { lowestPeak, twoForms } from "../hostile/program.ts";
import { age } from "../hostile/session-file.ts";
import { PAYOUT } from "../support/payout.ts";
import { trustedFolder } from "../support/trusted.ts";
import { atRest, until } from "../support/waiting.ts";
import { type Child, start } from "./child.ts";
import { codeOf, documentOf, FORMS, MODERN, meta, Speaker, Workspace, YES } from "./peer.ts";

const LIST_TOOLS = JSON.stringify({
  ...{ jsonrpc: "2.0", id: 1, method: "tools/list" },
  params: meta(),
});
const ALL = ["--allow", "create", "--allow", "approve", "--confirm", "client"];

/** Milliseconds until a promise is settled. */
async function timeOf(work: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
}

/**
 * The shortest of up to three times, or the first below the limit: other work on the machine makes
 * a time longer, and nothing makes it shorter.
 */
async function shortest(limitMs: number, once: () => Promise<number>): Promise<number> {
  let best = await once();
  for (let more = 2; more > 0 && best >= limitMs; more -= 1) best = Math.min(best, await once());
  return best;
}

/** Processor time of a process in hundredths of a second. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** The least processor time in half a second of up to ten: the first ones are the start. */
async function restingTicksOf(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let more = 10; more > 0 && least > 3; more -= 1) {
    const before = ticksOf(pid);
    await sleep(500);
    least = Math.min(least, ticksOf(pid) - before);
  }
  return least;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const form of await twoForms()) {
  describe(form.name, () => {
    const server = (workspace: Workspace, ...argv: string[]): Child =>
      start([...form.command, "mcp", ...argv], workspace.env);

    test("R1 stdout has protocol lines only, with --debug, bad frames and failures", async () => {
      await using workspace = await Workspace.open();
      await using child = server(workspace, "--debug");
      const speaker = await Speaker.open(child.peer, MODERN);
      child.peer.write("nonsense\n");
      expect(codeOf(await speaker.call("accounts_get", { id: "none" }))).toBe("NOT_FOUND");
      expect((await speaker.call("whoami")).result.isError).toBe(false);
      child.process.stdin.end();
      expect(await child.process.exited).toBe(0);
      expect(child.peer.unfinished).toBe("");
      expect(child.peer.received.every(({ jsonrpc }) => jsonrpc === "2.0")).toBe(true);
      expect(await child.stderr()).toContain("[debug]");
    });

    test("R1 a full disk behind stderr changes nothing", async () => {
      await using workspace = await Workspace.open();
      await using child = start(
        ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", ...form.command, "mcp", "--debug"],
        workspace.env,
      );
      const speaker = await Speaker.open(child.peer, MODERN);
      for (let at = 0; at < 5; at += 1)
        expect((await speaker.call("whoami")).result.isError).toBe(false);
      child.process.stdin.end();
      expect(await child.process.exited).toBe(0);
    });

    test("R1 R20 a stderr that is not read delays neither a call nor the end", async () => {
      await using workspace = await Workspace.open();
      await using child = server(workspace, "--debug");
      const speaker = await Speaker.open(child.peer, MODERN);
      // More than a pipe has room for, and it is not read.
      for (let at = 0; at < 100; at += 1)
        expect((await speaker.call("lookup", { command: "users list" })).result.isError).toBe(
          false,
        );
      child.process.stdin.end();
      expect(await timeOf(child.process.exited)).toBeLessThan(20_000);
      expect(child.process.exitCode).toBe(0);
    }, 120_000);

    test("R3 the first answer needs neither a state folder nor a network", async () => {
      const env = { HOME: "/nonexistent", LEDGER_ENTERPRISE_API_URL: "https://192.0.2.1/v1/rest" };
      await using child = start([...form.command, "mcp"], env);
      const took = await timeOf(child.peer.ask("server/discover", meta()));
      // A connection to that address would be given up after 30 seconds.
      expect(took).toBeLessThan(20_000);
      expect((await child.peer.ask("tools/list", meta())).result.tools).toHaveLength(12);
    });

    test("R5 however long a line is, the memory is the same", async () => {
      const peakOf = async (mebibytes: number): Promise<number> => {
        await using child = start([...form.command, "mcp"], { HOME: "/nonexistent" });
        const part = "x".repeat(1024 * 1024);
        for (let at = 0; at < mebibytes; at += 1) {
          child.process.stdin.write(part);
          await child.process.stdin.flush();
        }
        child.peer.write("\n");
        expect((await child.peer.ask("tools/list", meta())).result.tools).toHaveLength(12);
        const errors = child.peer.received.filter(({ error }) => error !== undefined);
        expect(errors.map(({ error }) => error.code)).toEqual([-32600]);
        const status = readFileSync(`/proc/${child.process.pid}/status`, "utf8");
        return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
      };
      const short = await peakOf(8);
      expect(await lowestPeak(short + 96, () => peakOf(200))).toBeLessThan(short + 96);
    }, 120_000);

    test("R18 a start that is refused prints its document on stderr alone, exit 2", async () => {
      const env = { HOME: "/nonexistent", LEDGER_ENTERPRISE_API_PRIVATE_KEY: "00" };
      await using child = start([...form.command, "mcp", "--allow", "approve"], env);
      expect(await child.process.exited).toBe(2);
      expect(child.peer.lines).toEqual([]);
      expect(JSON.parse(await child.stderr()).error.code).toBe("CONFIG_CONFLICT");
    });

    test("R13 R14 R16 R17 a person's yes creates and approves; without --allow nothing does", async () => {
      await using workspace = await Workspace.open();
      await using reader = server(workspace);
      const reading = await Speaker.open(reader.peer, MODERN, FORMS);
      const requestData = { type: "CREATE_TRANSACTION", data: PAYOUT };
      const refused = await reading.call("requests_create", { requestData });
      expect(refused.error.code).toBe(-32602);
      await using child = server(workspace, "--allow", "create", "--allow", "approve");
      const speaker = await Speaker.open(child.peer, "2025-11-25", FORMS);
      const no = () => ({ action: "decline" });
      const declined = await speaker.confirm("requests_create", { requestData }, no);
      expect(codeOf(declined.answer)).toBe("CONFIRMATION_DECLINED");
      const made = await speaker.confirm("requests_create", { requestData }, YES);
      expect(made.message).toContain(PAYOUT.transactionData.recipient);
      const { id } = documentOf(made.answer);
      const approved = await speaker.confirm("requests_approve_api", { id }, YES);
      expect(approved.answer.result.isError).toBe(false);
      const sent = workspace.sandbox.control.log.find(({ path }) => path.endsWith("/approve"));
      const { signature } = JSON.parse(sent?.body ?? "{}").data;
      expect(child.peer.lines.join("\n").includes(signature)).toBe(false);
    }, 120_000);

    test("R20 with nothing open the end of input and SIGTERM end it within a second", async () => {
      await using workspace = await Workspace.open();
      const atEnd = await shortest(1_000, async () => {
        await using one = server(workspace);
        await one.peer.ask("server/discover", meta());
        one.process.stdin.end();
        const took = await timeOf(one.process.exited);
        expect(one.process.exitCode).toBe(0);
        return took;
      });
      const atSignal = await shortest(1_000, async () => {
        await using other = server(workspace);
        await other.peer.ask("server/discover", meta());
        other.process.kill("SIGTERM");
        const took = await timeOf(other.process.exited);
        expect([other.process.signalCode, await other.stderr()]).toEqual(["SIGTERM", ""]);
        return took;
      });
      expect([atEnd < 1_000, atSignal < 1_000]).toEqual([true, true]);
    }, 120_000);

    test("R20 a write that was sent survives the end of input, and is on record", async () => {
      await using workspace = await Workspace.open();
      await using child = server(workspace, ...ALL);
      const speaker = await Speaker.open(child.peer, MODERN);
      const { control } = workspace.sandbox;
      control.addFault({ match: { method: "POST", path: "/requests" }, latencyMs: 1e9 });
      const requestData = { type: "CREATE_TRANSACTION", data: PAYOUT };
      const params = speaker.params({ name: "requests_create", arguments: { requestData } });
      child.peer.send({ id: "create", method: "tools/call", params });
      await until(() =>
        control.log.some(({ method, path }) => method === "POST" && path.endsWith("/requests")),
      );
      expect(await workspace.cli(["requests", "journal"])).toContain('"open"');
      await child.process.stdin.end();
      await atRest(child.process.pid);
      expect(child.process.exitCode).toBe(null);
      control.clearFaults();
      expect(await child.process.exited).toBe(0);
      const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
      expect(results.map(({ state }: { state: string }) => state)).toEqual(["done"]);
      expect(await child.stderr()).toContain("was created (key ");
    }, 120_000);

    test.each([
      ["a helper that signs", ""],
      // It keeps the helper's streams open.
      ["a helper with a daemon", "setsid sleep 20 &"],
    ])(
      "R20 %s is stopped at the end of input, and nothing stays open",
      async (_name, daemon) => {
        await using workspace = await Workspace.open();
        const folder = trustedFolder();
        const helper = join(folder, "helper");
        const script = `#!/bin/sh\n${daemon}\ntouch "$0.began"\nexec sleep 60\n`;
        writeFileSync(helper, script, { mode: 0o755 });
        const { LEDGER_ENTERPRISE_API_PRIVATE_KEY_FILE: _, ...env } = workspace.env;
        await using child = start([...form.command, "mcp", ...ALL], {
          ...env,
          LEDGER_ENTERPRISE_SIGNER: helper,
          LEDGER_ENTERPRISE_API_PUBLIC_KEY: workspace.sandbox.description.operator.publicKey,
        });
        const speaker = await Speaker.open(child.peer, MODERN);
        const made = await workspace.cli([
          "requests",
          "create",
          "--requestData",
          JSON.stringify({ type: "CREATE_TRANSACTION", data: PAYOUT }),
        ]);
        const { id } = JSON.parse(made);
        const params = speaker.params({ name: "requests_approve_api", arguments: { id } });
        child.peer.send({ id: "approve", method: "tools/call", params });
        await until(() => existsSync(`${helper}.began`));
        child.process.stdin.end();
        expect(await timeOf(child.process.exited)).toBeLessThan(10_000);
        const { results } = JSON.parse(await workspace.cli(["requests", "journal"]));
        expect(results.map(({ state }: { state: string }) => state)).toEqual(["done", "refused"]);
        rmSync(folder, { recursive: true });
      },
      120_000,
    );

    test.each(["the end of input", "SIGTERM"])(
      "R20 a session that is renewed at %s is kept",
      async (end) => {
        await using workspace = await Workspace.open();
        age(join(workspace.env.HOME ?? "", ".local/state/ledger-enterprise-cli/session.json"), 400);
        await using child = server(workspace);
        const speaker = await Speaker.open(child.peer, MODERN);
        const { control } = workspace.sandbox;
        const isRefresh = ({ path }: { path: string }) => path.endsWith("/auth/token/refresh");
        control.addFault({ match: { path: "/auth/token/refresh" }, latencyMs: 1e9 });
        const params = speaker.params({ name: "accounts_list" });
        child.peer.send({ id: "list", method: "tools/call", params });
        await until(() => control.log.some(isRefresh));
        if (end === "SIGTERM") child.process.kill("SIGTERM");
        else await child.process.stdin.end();
        await atRest(child.process.pid);
        control.clearFaults();
        await child.process.exited;
        expect(JSON.parse(await workspace.cli(["accounts", "list"]))).toHaveProperty("results");
        expect(control.log.filter(isRefresh)).toHaveLength(1);
      },
      120_000,
    );

    test("R21 the server uses no processor while it waits, and is gone within two seconds of its client", async () => {
      await using workspace = await Workspace.open();
      const fifo = join(workspace.home, "in");
      Bun.spawnSync(["mkfifo", fifo]);
      const took = await shortest(2_000, async () => {
        const child = Bun.spawn(["sh", "-c", 'exec "$@" < "$0"', fifo, ...form.command, "mcp"], {
          env: { ...workspace.env, PATH: process.env.PATH ?? "" },
          stdio: ["ignore", "pipe", "ignore"],
        });
        const script = 'exec > "$0"; echo "$1"; exec sleep 600';
        const writer = Bun.spawn(["sh", "-c", script, fifo, LIST_TOOLS], {
          stdio: ["ignore", "ignore", "ignore"],
        });
        // It serves by then, and the writer has its end of the pipe.
        expect((await child.stdout.getReader().read()).done).toBe(false);
        expect(await restingTicksOf(child.pid)).toBeLessThanOrEqual(3);
        writer.kill("SIGKILL");
        return timeOf(child.exited);
      });
      expect(took).toBeLessThan(2_000);
    }, 120_000);

    test("R20 a stdout that is closed ends it", async () => {
      await using workspace = await Workspace.open();
      const script = '(while :; do echo "$0"; sleep 0.05; done) | "$@" | head -n 1 >/dev/null';
      const child = Bun.spawn(["sh", "-c", script, LIST_TOOLS, ...form.command, "mcp"], {
        env: { ...workspace.env, PATH: process.env.PATH ?? "" },
        stdio: ["ignore", "ignore", "ignore"],
      });
      // It would serve for ever.
      expect(await timeOf(child.exited)).toBeLessThan(40_000);
    }, 120_000);
  });
}

test("R1 what a dependency prints through the console stays away from stdout", async () => {
  const folder = mkdtempSync(join(tmpdir(), "noise-"));
  const noise = join(folder, "noise.ts");
  writeFileSync(
    noise,
    'process.on("SIGUSR2", () => { console.log("noise"); console.info("noise"); });\n',
  );
  const command = [process.execPath, "--preload", noise, join(ROOT, "src/main.ts"), "mcp"];
  await using child = start(command, { HOME: "/nonexistent" });
  for (let at = 0; at < 20; at += 1) {
    expect((await child.peer.ask("tools/list", meta())).result.tools).toHaveLength(12);
    child.process.kill("SIGUSR2");
  }
  rmSync(folder, { recursive: true });
});
