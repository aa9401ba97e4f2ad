/** install.sh on machines of every kind, and in places where something is already (P12, INS-4). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../scripts/build.ts";
import { hostTarget } from "../../scripts/targets.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { linesOf } from "../support/lines.ts";
import { Machine, SHELLS } from "./machine.ts";
import { type Files, otherProcessor, PUBLIC_PEM, programOf, signRelease } from "./releases.ts";

const NAME = "ledger-enterprise-cli";
const assetOf = (version: string, target = hostTarget().name): string =>
  `${NAME}-${version}-${target}`;
const ASSET = assetOf(VERSION);
const good = signRelease({ [ASSET]: programOf(VERSION) });
const [shell] = SHELLS;

let machine: Machine;
let key: string;
beforeEach(async () => {
  machine = await Machine.make();
  key = machine.write("release key.pem", PUBLIC_PEM);
});
afterEach(() => machine[Symbol.asyncDispose]());

const install = (args: readonly string[]) => machine.run(shell, args);
/** The arguments to install from a folder with these files. */
const from = (files: Files, ...more: readonly string[]): string[] => [
  ...["--from", machine.store("a release", files), "--key", key],
  ...more,
];

describe("P12 which executable", () => {
  const MUSL = 'echo "musl libc (x86_64)" >&2; exit 1';
  test.each<[string, string, string, Readonly<Record<string, string>>, string]>([
    ["Linux with glibc", "Linux", "x86_64", {}, "linux-x64"],
    ["Linux with glibc on ARM", "Linux", "aarch64", {}, "linux-arm64"],
    ["Linux with musl", "Linux", "x86_64", { ldd: MUSL }, "linux-x64-musl"],
    ["Linux with musl on ARM", "Linux", "arm64", { ldd: MUSL }, "linux-arm64-musl"],
    [
      "macOS on Intel",
      "Darwin",
      "x86_64",
      { sysctl: "exit 1", sw_vers: "echo 14.5" },
      "darwin-x64",
    ],
    [
      "macOS on Intel's before Big Sur's sysctl",
      "Darwin",
      "x86_64",
      { sysctl: "echo 0", sw_vers: "echo 13.0" },
      "darwin-x64",
    ],
    [
      "macOS on Apple's",
      "Darwin",
      "arm64",
      { sysctl: "echo 0", sw_vers: "echo 26.1" },
      "darwin-arm64",
    ],
    [
      "a shell under Rosetta",
      "Darwin",
      "x86_64",
      { sysctl: '[ "$*" = "-n sysctl.proc_translated" ] && echo 1', sw_vers: "echo 15.0" },
      "darwin-arm64",
    ],
  ])("%s", async (_what, system, processor, tools, target) => {
    machine.is(system, processor);
    for (const [tool, script] of Object.entries(tools)) machine.pretend(tool, script);
    const { exit, stdout, stderr } = await install(
      from(signRelease({ [assetOf(VERSION, target)]: programOf(VERSION) })),
    );
    expect({ exit, stderr, stdout: stdout.split("\n")[0] }).toEqual({
      exit: 0,
      stderr: "",
      stdout: `${NAME} ${VERSION} (${target}) is installed: ${machine.program}`,
    });
  });

  test.each<[string, string, string, Readonly<Record<string, string>>, string]>([
    [
      "another processor",
      "Linux",
      "riscv64",
      {},
      "there is no executable for the processor 'riscv64'",
    ],
    ["a 32-bit one", "Linux", "armv7l", {}, "there is no executable for the processor 'armv7l'"],
    ["a 32-bit system", "Linux", "x86_64", { getconf: "echo 32" }, "this system is a 32-bit one"],
    ["another system", "FreeBSD", "amd64", {}, "there is no executable for the system 'FreeBSD'"],
    [
      "Windows",
      "MINGW64_NT-10.0",
      "x86_64",
      {},
      `on Windows take ${NAME}-${VERSION}-windows-x64.exe from`,
    ],
    [
      "an old macOS",
      "Darwin",
      "x86_64",
      { sysctl: "exit 1", sw_vers: "echo 12.7.6" },
      "macOS 12.7.6 is too old",
    ],
  ])("%s", async (_what, system, processor, tools, message) => {
    machine.is(system, processor);
    for (const [tool, script] of Object.entries(tools)) machine.pretend(tool, script);
    expect(machine.expectRefused(await install(from(good)))).toContain(message);
  });

  test("a processor without SSE 4.2", async () => {
    machine.is("Linux", "x86_64");
    const old = machine.write(
      "cpuinfo",
      "processor\t: 0\nflags\t\t: fpu mmx sse sse2 ssse3 sse4_1 lm\n",
    );
    const mount = 'mount --bind "$1" /proc/cpuinfo; shift; exec "$@"';
    const through = [
      "/usr/bin/unshare",
      "-m",
      "/bin/sh",
      "-c",
      `PATH=/usr/bin:/bin; ${mount}`,
      "sh",
      old,
    ];
    const message = machine.expectRefused(await machine.run(shell, from(good), { through }));
    expect(message).toBe("this processor is too old: it has no SSE 4.2 (x86-64-v2).");
  });
});

describe("INS-4 what is there already", () => {
  const occupy = (version: string, line = ":"): void => {
    machine.store(".local/bin", {});
    machine.write(`.local/bin/${NAME}`, programOf(version, line), 0o755);
  };

  test.each([
    ["an older version", "0.0.9"],
    ["the same version", VERSION],
    ["a pre-release of the same version", `${VERSION}-rc.1`],
  ])("%s is replaced", async (_what, version) => {
    occupy(version, "# old");
    expect((await install(from(good))).exit).toBe(0);
    expect(readFileSync(machine.program)).toEqual(Buffer.from(good[ASSET] ?? []));
  });

  // Each is larger in another part; the second is smaller when compared as text.
  const [major = 0, minor = 0, patch = 0] = VERSION.split(".").map(Number);
  test.each([
    `${major}.${minor}.${patch + 1}`,
    `${major}.${minor + 10}.0`,
    `${major + 1}.0.0`,
    `${major + 10}.0.0`,
    `${major}.${minor + 1}.0-rc.1`,
  ])("version %s is newer, and stays unless asked", async (version) => {
    occupy(version);
    expect(machine.expectRefused(await install(from(good)), [NAME])).toBe(
      `version ${version} is installed, which is newer than ${VERSION}; --downgrade installs ${VERSION} all the same.`,
    );
    expect(machine.version()).toBe(version);
    expect((await install(from(good, "--downgrade"))).exit).toBe(0);
    expect(machine.version()).toBe(VERSION);
  });

  test("another program, a link and a folder stay", async () => {
    machine.store(".local/bin", {});
    machine.write(`.local/bin/${NAME}`, "#!/bin/sh\necho hello\n", 0o755);
    expect(machine.expectRefused(await install(from(good)), [NAME])).toContain(
      "is something else than this program",
    );
    expect(machine.version()).toBe("hello");
    machine.rename(`.local/bin/${NAME}`, "elsewhere");
    symlinkSync(join(machine.home, "elsewhere"), machine.program);
    expect(machine.expectRefused(await install(from(good)), [NAME])).toContain("is a link");
    machine.rename(`.local/bin/${NAME}`, "the link");
    mkdirSync(machine.program);
    expect(machine.expectRefused(await install(from(good)), [NAME])).toContain(
      "is something else than this program",
    );
  });

  test("whatever fails, the old one stays and runs", async () => {
    occupy("0.0.9");
    for (const files of [
      signRelease({}),
      signRelease({ [ASSET]: otherProcessor() }),
      { ...good, [ASSET]: programOf("x") },
    ]) {
      machine.expectRefused(await install(from(files)), [NAME]);
      expect(machine.version()).toBe("0.0.9");
    }
  });

  test.each(["TERM", "INT", "HUP", "KILL"])(
    "SIG%s in the middle: the old one stays and runs",
    async (signal) => {
      occupy("0.0.9");
      // The folder for the work has been made, the rename has not; a shell obeys when the tool
      // ends.
      machine.pretend("chmod", `kill -s ${signal} $PPID; exec ${Bun.which("chmod")} "$@"`);
      const { exit } = await install(from(good));
      expect(exit).not.toBe(0);
      expect(machine.version()).toBe("0.0.9");
      if (signal !== "KILL") expect(readdirSync(machine.bin)).toEqual([NAME]);
    },
  );

  test("the program may be running", async () => {
    occupy("0.0.9", 'case $1 in stay) echo up; read -r line; echo "$line"; exit ;; esac');
    const running = Bun.spawn([machine.program, "stay"], { stdin: "pipe", stdout: "pipe" });
    const lines = linesOf(running.stdout);
    // Its shell opens the script after the start of the process.
    expect(await lines.next()).toEqual({ done: false, value: "up" });
    expect((await install(from(good))).exit).toBe(0);
    running.stdin.write("still here\n");
    running.stdin.end();
    expect(await lines.next()).toEqual({ done: false, value: "still here" });
    expect((await lines.next()).done).toBe(true);
    expect(machine.version()).toBe(VERSION);
  });

  test("the executable itself, from a release folder", async () => {
    const { executable } = await findArtifacts();
    const files = signRelease({ [ASSET]: readFileSync(executable) });
    expect((await install(from(files))).exit).toBe(0);
    expect(machine.version()).toBe(VERSION);
  });
});
