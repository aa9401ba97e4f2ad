/**
 * `upgrade` on the built program: a release that is right takes the place of the old one. What goes
 * wrong: upgrade-refused.test.ts.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compile, VERSION } from "../../scripts/build.ts";
import { hostTarget } from "../../scripts/targets.ts";
import { managerCommand } from "../../src/core/release/managers.ts";
import { Program, twoForms } from "../hostile/program.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { linesOf } from "../support/lines.ts";
import { runOnTerminal } from "../support/pty.ts";
import {
  ASSET,
  documentOf,
  failureOf,
  type Installation,
  Installations,
  NAME,
  NEXT,
} from "./installation.ts";
import { programOf, RELEASE_KEY, redirect, signRelease } from "./releases.ts";

let all: Installations;
let here: Installation;
beforeAll(async () => {
  all = await Installations.make();
});
beforeEach(() => {
  here = all.add();
});
afterAll(() => all[Symbol.asyncDispose]());

describe("--check", () => {
  test.each<[string, string, string, string]>([
    ["outdated", NEXT, NEXT, "both"],
    ["current", VERSION, VERSION, "both"],
    ["ahead", NEXT, VERSION, "one"],
  ])("%s", async (status, published, npm) => {
    all.releases.publish(published, {}, { npm });
    expect(documentOf(await here.run([here.program, "upgrade", "--check"]))).toEqual({
      current: VERSION,
      channel: "binary",
      status,
      npm,
      releases: published,
      command: "ledger-enterprise-cli upgrade",
    });
    expect(all.releases.asked.toSorted()).toEqual([
      "/npm/-/package/ledger-enterprise-cli/dist-tags",
      "/releases/latest",
    ]);
    expect(existsSync(join(here.home, ".local"))).toBe(false);
  });

  test("neither source answers", async () => {
    const nowhere = {
      LEDGER_ENTERPRISE_NPM_REGISTRY: "http://127.0.0.1:1",
      LEDGER_ENTERPRISE_RELEASES_URL: "http://127.0.0.1:1",
    };
    expect(
      here.expectUnchanged(await here.run([here.program, "upgrade", "--check"], nowhere)).retryable,
    ).toBe(true);
  });
});

describe("a release that is right", () => {
  test("takes the place with the rights of the old one, through a symbolic link, and nothing is left over", async () => {
    all.releases.publish(
      NEXT,
      signRelease({ [ASSET]: programOf(NEXT), "another-file": Buffer.from("x") }),
    );
    const name = join(here.home, "le");
    symlinkSync(here.program, name);
    // Not of the link that all tests share.
    copyFileSync(all.built, `${here.program}.copy`);
    chmodSync(`${here.program}.copy`, 0o750);
    renameSync(`${here.program}.copy`, here.program);
    expect(documentOf(await here.run([name, "upgrade"]))).toEqual({
      changed: true,
      current: VERSION,
      version: NEXT,
      path: here.program,
    });
    expect({
      version: here.version(),
      files: here.files,
      mode: statSync(here.program).mode & 0o777,
    }).toEqual({
      version: NEXT,
      files: [NAME],
      mode: 0o750,
    });
    expect(here.version(name)).toBe(NEXT);
  });

  /** The program as a file of its own, not the one that all tests share. */
  const ownCopy = (path: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(all.built, `${path}.copy`);
    chmodSync(`${path}.copy`, 0o755);
    renameSync(`${path}.copy`, path);
  };

  test.if(process.getuid?.() === 0)(
    "P3 an upgrade by root keeps owner, group and every bit of the mode",
    async () => {
      all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
      ownCopy(here.program);
      chownSync(here.program, 1234, 2345);
      chmodSync(here.program, 0o2750);
      expect(documentOf(await here.upgrade())).toMatchObject({ changed: true, version: NEXT });
      const { uid, gid, mode } = statSync(here.program);
      expect({ uid, gid, mode: mode & 0o7777, files: here.files }).toEqual({
        uid: 1234,
        gid: 2345,
        mode: 0o2750,
        files: [NAME],
      });
    },
  );

  test.if(process.getuid?.() === 0)(
    "P3 a user who may not keep owner and group is refused, and nothing changes",
    async () => {
      all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
      ownCopy(here.program);
      chownSync(here.program, 1234, 2345);
      for (const folder of [all.folder, here.home, here.place]) chmodSync(folder, 0o777);
      const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const error = failureOf(await here.upgrade(...user));
      expect(error.message).toBe(
        "This user may not give the new file the owner and group of the program's file.",
      );
      expect([statSync(here.program).uid, here.version(), here.files]).toEqual([
        1234,
        VERSION,
        [NAME],
      ]);
    },
  );

  test.each([
    ["opt/homebrew/Cellar/ledger-enterprise-cli/0.3.0/bin", `brew upgrade ${NAME}`],
    [".local/share/mise/installs/ledger-enterprise-cli/0.3.0", `mise upgrade ${NAME}`],
    [".asdf/installs/ledger-enterprise-cli/0.3.0/bin", `asdf install ${NAME} latest`],
    ["lib/node_modules/x/bin", `npm install --global --ignore-scripts ${NAME}@latest`],
  ])(
    "P3 in %s the package manager's command is named, and nothing changes",
    async (folder, command) => {
      all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
      const program = join(here.home, folder, NAME);
      ownCopy(program);
      const link = join(here.home, "linked");
      symlinkSync(program, link);
      for (const argv of [["upgrade"], ["upgrade", "--check"]])
        expect(documentOf(await here.run([link, ...argv]))).toMatchObject({ command });
      expect(here.version(program)).toBe(VERSION);
      expect(all.releases.asked.some((path) => path.includes("download"))).toBe(false);
    },
  );

  test("P3 a file that dpkg installed is dpkg's", async () => {
    const dpkg = join(here.home, "info");
    mkdirSync(dpkg);
    writeFileSync(join(dpkg, `${NAME}.list`), `/.\n/usr/bin\n${here.program}\n`);
    expect(await managerCommand(here.program, dpkg)).toBe(`apt-get install --only-upgrade ${NAME}`);
    expect(await managerCommand(`${here.program}2`, dpkg)).toBeUndefined();
  });

  test("a real executable of the next version, which then has nothing to do", async () => {
    const made = await compile(hostTarget(), await mkdtemp(join(all.folder, "next-")), {
      releaseKey: RELEASE_KEY,
      version: NEXT,
    });
    all.releases.publish(NEXT, signRelease({ [ASSET]: readFileSync(made) }));
    expect(documentOf(await here.upgrade())).toMatchObject({ changed: true, version: NEXT });
    expect(readFileSync(here.program).equals(readFileSync(made))).toBe(true);
    all.releases.publish(NEXT, {});
    expect(documentOf(await here.upgrade())).toEqual({
      changed: false,
      current: NEXT,
      version: NEXT,
      path: here.program,
    });
    expect(all.releases.asked).not.toContain(`/releases/download/v${NEXT}/SHA256SUMS`);
  });

  test("OUT-16 on a terminal it shows how much of the download is there, then nothing", async () => {
    all.releases.publish(NEXT, signRelease({ [ASSET]: Buffer.alloc(3_000_000) }));
    const command = [here.program, "upgrade"];
    const env = { HOME: here.home, ...all.releases.environment };
    const { exit, screen } = await runOnTerminal('"$@" > /dev/null', command, here.home, env);
    expect(exit).toBe(1);
    expect(screen).toMatch(/^(<erase>\d\.\d of 3\.0 MB)+<erase>UPGRADE_FAILED: /);
  });

  test("is not downloaded when it is not newer, whatever npm says", async () => {
    all.releases.publish(VERSION, {}, { npm: NEXT });
    expect(documentOf(await here.upgrade())).toMatchObject({ changed: false, version: VERSION });
    expect(all.releases.asked.some((path) => path.includes("download"))).toBe(false);
  });

  test("the running program's file is busy: those who run it go on", async () => {
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
    const running = here.start([here.program, "sandbox", "start"]);
    const { value } = await linesOf(running.stdout).next();
    const { baseUrls } = JSON.parse(value) as { baseUrls: { v2: string } };
    expect(documentOf(await here.upgrade())).toMatchObject({ changed: true });
    expect(here.version()).toBe(NEXT);
    expect((await fetch(`${baseUrls.v2}/users/me`)).status).toBe(401);
    running.kill();
    await running.exited;
  });

  test("two upgrades at once: one program in the end, and nothing left over", async () => {
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT, ":", 4_000_000) }));
    const outcomes = await Promise.all([1, 2, 3].map(() => here.upgrade()));
    expect(outcomes.some(({ exit }) => exit === 0)).toBe(true);
    expect(here.version()).toBe(NEXT);
    expect(here.files).toEqual([NAME]);
  });

  test("CFG-8 the new program is tried without a variable of ours", async () => {
    const seen = join(here.home, "seen");
    all.releases.publish(
      NEXT,
      signRelease({ [ASSET]: programOf(NEXT, `/usr/bin/env >> ${seen}; echo "$0 $*" >> ${seen}`) }),
    );
    documentOf(
      await here.run([here.program, "upgrade"], {
        LEDGER_ENTERPRISE_API_KEY_SECRET: "canary-secret-99",
        ANYTHING: "canary",
      }),
    );
    const lines = readFileSync(seen, "utf8");
    expect(lines).toContain(`${here.program} --version`);
    expect(lines).not.toContain("canary");
    expect(lines).not.toContain("LEDGER");
  });

  test("downloads follow redirects within the page's own host", async () => {
    const files = signRelease({ [ASSET]: programOf(NEXT) });
    const elsewhere = { ...files, stored: files[ASSET] ?? new Uint8Array() };
    all.releases.publish(NEXT, elsewhere, { answers: { [ASSET]: () => redirect("stored") } });
    expect(documentOf(await here.upgrade())).toMatchObject({ changed: true });
  });

  test("what a killed upgrade left is swept when it is older than a day", async () => {
    const [old, young, foreign] = [
      ".ledger-enterprise-cli.0123456789abcdef.new",
      ".ledger-enterprise-cli.fedcba9876543210.old",
      ".other.new",
    ];
    for (const name of [old, young, foreign]) writeFileSync(join(here.place, name), "");
    const before = Date.now() / 1000 - 2 * 24 * 3600;
    for (const name of [old, foreign]) utimesSync(join(here.place, name), before, before);
    all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
    documentOf(await here.upgrade());
    expect(here.files).toEqual([young, NAME, foreign].toSorted());
  });
});

test("a build that has no release key installs nothing", async () => {
  const unsigned = all.add((await findArtifacts()).executable);
  all.releases.publish(NEXT, signRelease({ [ASSET]: programOf(NEXT) }));
  expect(unsigned.expectUnchanged(await unsigned.upgrade())).toMatchObject({
    retryable: false,
    message: "This build has no release key, so it cannot verify a download.",
  });
});

for (const form of (await twoForms()).filter(({ name }) => name.startsWith("npm"))) {
  test(`an npm package shows the command and changes nothing: ${form.name}`, async () => {
    await using packaged = await Program.at(form, all.releases.environment);
    all.releases.publish(NEXT, {});
    const expected = {
      current: VERSION,
      channel: "npm",
      status: "outdated",
      npm: NEXT,
      releases: NEXT,
      command: "npm install --global --ignore-scripts ledger-enterprise-cli@latest",
    };
    for (const argv of [["upgrade"], ["upgrade", "--check"]])
      expect(await packaged.succeed(argv)).toEqual(expected);
    expect(all.releases.asked.some((path) => path.includes("download"))).toBe(false);
  });
}
