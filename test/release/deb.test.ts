/**
 * The Debian package: what it contains, that it is reproducible, and what lintian and systemd say.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, VERSION } from "../../scripts/build.ts";
import { makeDeb } from "../../scripts/deb.ts";
import { walk } from "../../src/cli/command.ts";
import { PROGRAM } from "../../src/version.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { commands } from "../support/registry.ts";

const folder = await mkdtemp(join(tmpdir(), "deb-"));
afterAll(() => rm(folder, { recursive: true }));

const EPOCH = Date.parse("2026-11-28T12:00:00Z") / 1000;

function run(...command: string[]): { exit: number; text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: folder });
  return { exit: exitCode, text: `${stdout}${stderr}` };
}

/** Packs a small file in the executable's place, which takes no time. */
async function packSmall(name: string): Promise<string> {
  const executable = join(folder, `${name}.executable`);
  await writeFile(executable, "#!/bin/sh\necho small\n");
  const file = join(folder, `${name}.deb`);
  await makeDeb({ executable, architecture: "amd64", version: VERSION, epoch: EPOCH }, file);
  return file;
}

describe.skipIf(lacks("dpkg-deb"))("the Debian package", () => {
  test("REL-2 two runs under different umasks make the same bytes", async () => {
    const first = await packSmall("first");
    const before = process.umask(0o077);
    const second = await packSmall("second").finally(() => process.umask(before));
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  });

  test("it contains what belongs into it, root's, and enables nothing", async () => {
    const file = await packSmall("listed");
    const rows = run("dpkg-deb", "--contents", file).text.trim().split("\n");
    const modes = new Map(rows.map((row) => [row.split(" ").at(-1)?.slice(2), row.slice(0, 10)]));
    expect(rows.filter((row) => !row.includes(" root/root "))).toEqual([]);
    for (const path of [
      `usr/bin/${PROGRAM}`,
      ...(await readdir(join(ROOT, "helpers"))).map((name) => `usr/libexec/${PROGRAM}/${name}`),
    ])
      expect([path, modes.get(path)]).toEqual([path, "-rwxr-xr-x"]);
    for (const path of [
      ...[...walk(commands)].map(
        ([words]) => `usr/share/man/man1/${[PROGRAM, ...words].join("-")}.1.gz`,
      ),
      `usr/share/bash-completion/completions/${PROGRAM}`,
      `usr/share/zsh/vendor-completions/_${PROGRAM}`,
      `usr/share/fish/vendor_completions.d/${PROGRAM}.fish`,
      `lib/udev/rules.d/20-${PROGRAM}.rules`,
      "lib/systemd/system/ledger-enterprise-guard@.service",
      "lib/systemd/system/ledger-enterprise-guard@.socket",
      `usr/lib/sysusers.d/${PROGRAM}.conf`,
      `usr/share/doc/${PROGRAM}/examples/policy.json`,
      `usr/share/doc/${PROGRAM}/copyright`,
      `usr/share/doc/${PROGRAM}/docs/guard.md`,
    ])
      expect([path, modes.get(path)]).toEqual([path, "-rw-r--r--"]);
    expect(rows.join("\n")).not.toMatch(/\.wants\/|etc\//);
    for (const script of ["postinst", "postrm"]) {
      const text = readFileSync(join(ROOT, "packaging/deb", script), "utf8");
      expect(text).not.toMatch(/systemctl (?!--system daemon-reload)/);
    }
    // A guard must not go on serving from a file that is gone; nothing else is stopped.
    const before = readFileSync(join(ROOT, "packaging/deb/prerm"), "utf8");
    expect([...before.matchAll(/systemctl .*/g)].join()).toBe(
      "systemctl stop 'ledger-enterprise-guard@*.socket' 'ledger-enterprise-guard@*.service' || true",
    );
    expect(run("dpkg-deb", "--field", file, "Version").text).toBe(`${VERSION}\n`);
  });

  test("what makes the guard's user is depended on, and asked without condition", async () => {
    const file = await packSmall("depending");
    expect(run("dpkg-deb", "--field", file, "Depends").text).toContain(
      ", systemd-standalone-sysusers | systemd\n",
    );
    const script = readFileSync(join(ROOT, "packaging/deb/postinst"), "utf8");
    expect(script).toMatch(/^ {2}systemd-sysusers ledger-enterprise-cli\.conf$/m);
  });

  test.skipIf(lacks("lintian"))(
    "lintian is silent about the real executable",
    async () => {
      const { executable } = await findArtifacts();
      const file = join(folder, `${PROGRAM}_${VERSION}_amd64.deb`);
      await makeDeb({ executable, architecture: "amd64", version: VERSION, epoch: EPOCH }, file);
      const { exit, text } = run("lintian", "--allow-root", "--display-info", file);
      expect([exit, text.replace(/^N:.*\n/gm, "")]).toEqual([0, ""]);
      run("dpkg-deb", "--extract", file, "installed");
      expect(run(join(folder, "installed/usr/bin", PROGRAM), "--version").text).toBe(
        `${VERSION}\n`,
      );
    },
    600_000,
  );

  test.skipIf(lacks("shellcheck"))("its scripts are clean under shellcheck", () => {
    for (const script of ["postinst", "prerm", "postrm"])
      expect(run("shellcheck", join(ROOT, "packaging/deb", script))).toEqual({ exit: 0, text: "" });
  });
});

const UNIT = "ledger-enterprise-guard@.service";

test("step 8 of docs/guard.md gives 'guard adopt' every variable that the unit sets", () => {
  const unit = readFileSync(join(ROOT, "packaging/deb", UNIT), "utf8");
  const document = readFileSync(join(ROOT, "docs/guard.md"), "utf8");
  const [, step = ""] = /^8\. (.*?)^9\. /ms.exec(document) ?? [];
  const variables = (text: string): string[] =>
    [...text.matchAll(/^(?:Environment=| +)(LEDGER_ENTERPRISE_\w+)=/gm)].map(
      ([, name]) => `${name}`,
    );
  expect(variables(unit).length).toBeGreaterThan(0);
  expect(variables(step).toSorted()).toEqual(variables(unit).toSorted());
});

test.skipIf(lacks("systemd-analyze"))(
  "the guard's units are valid, and their exposure is at most 2.0",
  async () => {
    const units = join(folder, "units");
    await mkdir(units);
    await cp(join(ROOT, "packaging/deb"), units, { recursive: true });
    // systemd-analyze wants the program and the page to be installed.
    const program = join(units, "program");
    await writeFile(program, "#!/bin/sh\n");
    await chmod(program, 0o755);
    for (const name of [UNIT, UNIT.replace("service", "socket")]) {
      const text = readFileSync(join(units, name), "utf8");
      const adapted = text
        .replace(`/usr/bin/${PROGRAM}`, program)
        .replace(/^Documentation=.*\n/m, "");
      await writeFile(join(units, name), adapted);
      const instance = join(units, name.replace("@", "@payments"));
      await cp(join(units, name), instance);
      expect(run("systemd-analyze", "verify", instance)).toEqual({ exit: 0, text: "" });
    }
    const { text } = run("systemd-analyze", "security", "--offline=true", join(units, UNIT));
    const [, exposure] = /Overall exposure level .*: ([\d.]+)/.exec(text) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(2);
    expect(existsSync(program)).toBe(true);
  },
);
