/**
 * The npm package as a user installs it: globally, without install scripts, on each Node that it
 * supports, with and without node-hid (specification §9).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageTarball, ROOT, VERSION } from "../../scripts/build.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";

const { nodes, installed } = await findArtifacts();
const ABSENT = "The package 'node-hid' is not installed.";
const npm = realpathSync(Bun.which("npm") ?? "npm");

describe.each(Object.entries(nodes))(
  "npm package installed globally on Node %s",
  (_major, node) => {
    let prefix: string;
    const env = (): Record<string, string> => ({
      ...NOTHING_PUBLISHED,
      HOME: prefix,
      PATH: `${dirname(node)}:${join(prefix, "bin")}:/usr/bin:/bin`,
      LEDGER_ENTERPRISE_API_URL: "https://api.invalid/v1/rest",
      LEDGER_ENTERPRISE_WORKSPACE: "minivault",
    });
    // The places where nothing is published are served by this process, which must not wait.
    const run = async (...argv: readonly string[]) => {
      const child = Bun.spawn(["ledger-enterprise-cli", ...argv], {
        env: env(),
        cwd: prefix,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return { exit: await child.exited, stdout, stderr };
    };
    const hid = () => join(prefix, "lib/node_modules/ledger-enterprise-cli/node_modules/node-hid");

    beforeAll(async () => {
      prefix = await mkdtemp(join(tmpdir(), "global-"));
      const flags = [
        "--global",
        "--prefix",
        prefix,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
      ];
      const { exitCode, stderr } = Bun.spawnSync(
        [node, npm, "install", ...flags, packageTarball()],
        {
          env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` } as Record<
            string,
            string
          >,
        },
      );
      expect({ exitCode, stderr: exitCode === 0 ? "" : stderr.toString() }).toEqual({
        exitCode: 0,
        stderr: "",
      });
    });
    afterAll(() => rm(prefix, { recursive: true }));

    test("REL-4 it runs, and with node-hid it looks for a device", async () => {
      expect(await run("--version")).toEqual({ exit: 0, stdout: `${VERSION}\n`, stderr: "" });
      expect((await run("schema")).exit).toBe(0);
      expect(existsSync(hid())).toBe(true);
      // Whether there is a device, and the system's own libraries, is another matter.
      const { error } = JSON.parse((await run("login", "device")).stdout) as {
        error: { code: string; message: string };
      };
      expect(["DEVICE_NOT_FOUND", "DEVICE_UNSUPPORTED"]).toContain(error.code);
      expect(error.message).not.toBe(ABSENT);
    });

    test("the helpers for key stores come with it, executable", () => {
      const folder = join(prefix, "lib/node_modules/ledger-enterprise-cli/helpers");
      for (const name of readdirSync(join(ROOT, "helpers"))) {
        const { exitCode, stdout } = Bun.spawnSync([join(folder, name)]);
        expect([exitCode, stdout.toString()]).toEqual([1, expect.stringContaining("usage: ")]);
      }
      expect(readdirSync(folder).length).toBeGreaterThan(2);
    });

    test("REL-4 without node-hid all but the device commands work, and those say what is missing", async () => {
      await rm(hid(), { recursive: true });
      expect(await run("--version")).toEqual({ exit: 0, stdout: `${VERSION}\n`, stderr: "" });
      expect((await run("schema", "errors")).exit).toBe(0);
      const { exit, stdout, stderr } = await run("login", "device");
      expect({ exit, stderr, error: JSON.parse(stdout).error }).toMatchObject({
        exit: 1,
        stderr: "",
        error: { code: "DEVICE_UNSUPPORTED", message: ABSENT },
      });
    });
  },
);

test("REL-4 the system's own Node runs it or is refused in one sentence", () => {
  const node = Bun.which("node") ?? "";
  const version = Bun.spawnSync([node, "--version"]).stdout.toString().trim().slice(1);
  const { exitCode, stdout, stderr } = Bun.spawnSync([node, installed, "--version"]);
  const isSupported = Number(version.split(".")[0]) >= 22;
  expect({ exitCode, stderr: stderr.toString() }).toEqual({
    exitCode: isSupported ? 0 : 1,
    stderr: "",
  });
  if (isSupported) expect(stdout.toString()).toBe(`${VERSION}\n`);
  else {
    expect(JSON.parse(stdout.toString()).error).toMatchObject({
      code: "RUNTIME_UNSUPPORTED",
      message: `This program needs Node.js 22 or newer; this is ${version}.`,
    });
  }
});
