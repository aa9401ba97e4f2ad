/**
 * install.sh in three shells: what is right is installed, everything else changes nothing (INS-3).
 * What is installed where: installer-place.test.ts.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../scripts/build.ts";
import { stampInstaller } from "../../scripts/generate.ts";
import { hostTarget } from "../../scripts/targets.ts";
import { Certificates } from "../hostile/certificates.ts";
import { lacks } from "../support/programs.ts";
import { INSTALLER, Machine, SHELLS } from "./machine.ts";
import {
  type Files,
  OTHER_PUBLIC_PEM,
  otherProcessor,
  PRIVATE_PEM,
  PUBLIC_PEM,
  programOf,
  RELEASE_KEY,
  Releases,
  redirect,
  signList,
  signRelease,
} from "./releases.ts";

const TARGET = hostTarget().name;
const NAME = "ledger-enterprise-cli";
const NEXT = "99.0.0";

const assetOf = (version: string, target = TARGET): string => `${NAME}-${version}-${target}`;
const ASSET = assetOf(VERSION);
const good = signRelease({ [ASSET]: programOf(VERSION), [assetOf(NEXT)]: programOf(NEXT) });

let authority: Certificates;
let releases: Releases;
let machine: Machine;
let key: string;
beforeAll(async () => {
  authority = await Certificates.make();
  releases = new Releases(await authority.identity("good"));
});
beforeEach(async () => {
  machine = await Machine.make();
  key = machine.write("release key.pem", PUBLIC_PEM);
  machine.env.CURL_CA_BUNDLE = authority.authority;
  machine.write(".wgetrc", `ca_certificate = ${authority.authority}\n`);
});
afterEach(() => machine[Symbol.asyncDispose]());
afterAll(async () => {
  releases[Symbol.dispose]();
  await authority[Symbol.asyncDispose]();
});

/** The arguments to install from a folder with these files. */
const from = (files: Files, ...more: readonly string[]): string[] => [
  ...["--from", machine.store("a release", files), "--key", key],
  ...more,
];

for (const shell of SHELLS) {
  describe.skipIf(lacks(shell[0]))(`INS-3 ${shell.join(" ")}`, () => {
    const install = (args: readonly string[]) => machine.run(shell, args);
    const said = (version: string, place = machine.program): string =>
      `${NAME} ${version} (${TARGET}) is installed: ${place}\n`;

    test("P15 a folder with a release, spaces in HOME, no tool that is not needed", async () => {
      machine.env.PATH = `${machine.toolFolder}:${machine.bin}`;
      machine.without("curl", "wget");
      expect(await install(from(good))).toEqual({ exit: 0, stdout: said(VERSION), stderr: "" });
      expect({ version: machine.version(), files: readdirSync(machine.bin) }).toEqual({
        version: VERSION,
        files: [NAME],
      });
      expect(statSync(machine.program).mode & 0o777).toBe(0o755);
      expect(statSync(machine.bin).mode & 0o777).toBe(0o755);
    });

    test("P13 a folder that is missing is made; one that is not in PATH is told", async () => {
      const dir = join(machine.home, "some where", "programs");
      const { exit, stdout } = await install(from(good, "--dir", dir));
      expect({ exit, stdout }).toEqual({
        exit: 0,
        stdout: `${said(VERSION, join(dir, NAME))}That folder is not in PATH. For this shell: export PATH="${dir}:$PATH"\n`,
      });
      expect(machine.version(join(dir, NAME))).toBe(VERSION);
      expect(existsSync(join(machine.home, ".profile"))).toBe(false);
    });

    test("P13 a folder that this user may not write to", async () => {
      mkdirSync(machine.bin, { recursive: true });
      chmodSync(machine.bin, 0o555);
      const through = [Bun.which("setpriv") ?? "", "--bounding-set=-dac_override,-dac_read_search"];
      const message = machine.expectRefused(await machine.run(shell, from(good), { through }));
      expect(message).toContain(
        `this user may not write to ${machine.bin}; name another folder with --dir`,
      );
    });

    test("P7 a ~/.curlrc changes nothing", async () => {
      releases.publish(VERSION, good);
      machine.without("wget");
      machine.write(".curlrc", "include\noutput = /nowhere/x\n");
      const outcome = await install(["--key", key, "--from", `${releases.url}/releases`]);
      expect({ ...outcome, stdout: "" }).toEqual({ exit: 0, stdout: "", stderr: "" });
      expect(machine.version()).toBe(VERSION);
    });

    test("P7 a curl that may not write below a folder whose name begins with a dot", async () => {
      releases.publish(VERSION, good);
      machine.without("wget");
      machine.pretend(
        "curl",
        `for word; do case $word in /*/.*) exit 23 ;; esac; done; exec ${Bun.which("curl")} "$@"`,
      );
      const outcome = await install(["--key", key, "--from", `${releases.url}/releases`]);
      expect({ ...outcome, stdout: "" }).toEqual({ exit: 0, stdout: "", stderr: "" });
      expect(machine.version()).toBe(VERSION);
    });

    test("P7 an openssl that cannot check does not call the signature wrong", async () => {
      machine.env.OPENSSL_CONF = machine.write(
        "openssl.cnf",
        "openssl_conf = a\n[a]\nproviders = b\n[b]\nx = c\n[c]\nmodule = /nowhere\nactivate = 1\n",
      );
      const message = machine.expectRefused(await install(from(good)));
      expect(message).toStartWith(
        "openssl could not check the signature, so nothing is installed.",
      );
    });

    test.each(["~", "~/bin"])("P7 --dir '%s' is refused", async (dir) => {
      const message = machine.expectRefused(await install(from(good, "--dir", dir)), [], 2);
      expect(message).toContain("the shell does not expand '~' in quotes");
      expect(existsSync(join(machine.home, "~"))).toBe(false);
    });

    test.each([
      ["a slash at the end", ".local/bin/"],
      ["a relative name", ".local/bin"],
      ["a relative name with a dot", "./.local/bin//"],
      ["a way round", ".local/../.local/bin"],
    ])("P7 a folder of PATH is found in PATH: --dir with %s", async (_what, dir) => {
      machine.env.PATH = `${machine.toolFolder}:relative::${machine.bin}/`;
      const { exit, stdout } = await install(from(good, "--dir", dir));
      expect({ exit, hint: stdout.includes("not in PATH") }).toEqual({ exit: 0, hint: false });
      expect(machine.version()).toBe(VERSION);
    });

    test("P11 curl, over https", async () => {
      releases.publish(VERSION, good);
      machine.without("wget");
      const outcome = await install(["--key", key, "--from", `${releases.url}/releases`]);
      expect({ ...outcome, version: machine.version() }).toMatchObject({
        exit: 0,
        stderr: "",
        version: VERSION,
      });
      expect(releases.asked).toEqual(
        ["SHA256SUMS", "SHA256SUMS.sig", ASSET].map(
          (name) => `/releases/download/v${VERSION}/${name}`,
        ),
      );
    });

    test("P11 wget, from the mirror that the environment names, and another version", async () => {
      releases.publish(NEXT, good);
      machine.without("curl");
      machine.env.LEDGER_ENTERPRISE_RELEASES_URL = `${releases.url}/releases`;
      const outcome = await install(["--key", key, "--version", `v${NEXT}`]);
      expect({ ...outcome, version: machine.version() }).toMatchObject({
        exit: 0,
        stderr: "",
        version: NEXT,
      });
    });

    test("P11 neither, or a wget that cannot insist on https", async () => {
      machine.without("curl", "wget");
      const sentence =
        "neither curl nor GNU wget is here; install one, or name a folder with --from.";
      expect(machine.expectRefused(await install(["--key", key]))).toBe(sentence);
      machine.pretend("wget", 'echo "Usage: wget [-cqS] [-O FILE] URL"');
      expect(machine.expectRefused(await install(["--key", key]))).toBe(sentence);
    });

    test("P10 the program is another than the signed list names", async () => {
      const program = Uint8Array.from(good[ASSET] ?? []);
      program[20] = (program[20] ?? 0) ^ 1;
      const sentence = `${ASSET} is not what the release's signed list names: it is incomplete or was altered.`;
      for (const bytes of [program, program.subarray(0, 30), new Uint8Array()]) {
        expect(machine.expectRefused(await install(from({ ...good, [ASSET]: bytes })))).toBe(
          sentence,
        );
      }
    });

    test("P14 a release without the asset, or without anything", async () => {
      const other = signRelease({ [assetOf(VERSION, "linux-riscv")]: programOf(VERSION) });
      expect(machine.expectRefused(await install(from(other)))).toBe(
        `the release holds no executable of version ${VERSION} for ${TARGET}.`,
      );
      releases.publish(VERSION, {});
      const message = machine.expectRefused(
        await install(["--key", key, "--from", `${releases.url}/releases`]),
      );
      expect(message).toBe(
        `${releases.url}/releases/download/v${VERSION}/SHA256SUMS could not be downloaded.`,
      );
    });

    test("P09 cut anywhere, the script does nothing", async () => {
      // With all that it needs to install without an argument.
      const script = stampInstaller(readFileSync(INSTALLER, "utf8"), RELEASE_KEY);
      machine.env.LEDGER_ENTERPRISE_RELEASES_URL = machine.store("a release", good);
      const ends = [...script.matchAll(/\n/g)].map(({ index }) => index);
      const last = script.trimEnd().lastIndexOf("\n");
      // Each line's end, each place in the last line but its own end, and some in the middle of
      // lines.
      const cuts = [
        ...ends.slice(0, -1),
        ...ends.map((end) => end - 7),
        ...range(last, script.trimEnd().length - 1),
      ];
      const args = from(good);
      const before = readdirSync(machine.home).toSorted();
      const harm: number[] = [];
      for (const cut of new Set(cuts.filter((at) => at > 0))) {
        const path = machine.write("cut.sh", script.slice(0, cut));
        const { stdout } = await machine.run(shell, args, { path });
        if (stdout !== "" || existsSync(machine.bin)) harm.push(cut);
      }
      expect(harm).toEqual([]);
      expect(readdirSync(machine.home).toSorted()).toEqual([...before, "cut.sh"].toSorted());
      const path = machine.write("whole.sh", script);
      expect((await machine.run(shell, args, { path })).exit).toBe(0);
    }, 60_000);
  });
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, at) => start + at);
}

// What follows depends on no shell.
const [shell] = SHELLS;
const install = (args: readonly string[]) => machine.run(shell, args);

describe("INS-3 a release that is wrong", () => {
  const FORGED =
    "the release's list of checksums is not signed with the release key. Use nothing from this source.";
  const flip = (bytes: Uint8Array = new Uint8Array()): Uint8Array =>
    Uint8Array.from(bytes, (byte, at) => (at === 9 ? byte ^ 1 : byte));
  const zeros = "0".repeat(64);

  test.each<[string, () => Files, string]>([
    ["the list is altered", () => ({ ...good, SHA256SUMS: flip(good.SHA256SUMS) }), FORGED],
    [
      "the signature is altered",
      () => ({ ...good, "SHA256SUMS.sig": flip(good["SHA256SUMS.sig"]) }),
      FORGED,
    ],
    ["the signature is empty", () => ({ ...good, "SHA256SUMS.sig": new Uint8Array() }), FORGED],
    ["somebody else signed", () => signRelease({ [ASSET]: programOf(VERSION) }, "other"), FORGED],
    [
      "the list names the program twice",
      () => ({ ...good, ...signList(`${zeros}  ${ASSET}\n`.repeat(2)) }),
      `the release's list names ${ASSET} twice.`,
    ],
    [
      "the list's checksum is short",
      () => ({ ...good, ...signList(`00  ${ASSET}\n`) }),
      `the release holds no executable of version ${VERSION} for ${TARGET}.`,
    ],
    [
      "an older release in its place",
      () => signRelease({ [assetOf("0.0.1")]: programOf("0.0.1") }),
      `the release holds no executable of version ${VERSION} for ${TARGET}.`,
    ],
    [
      "it is signed and does not run",
      () => signRelease({ [ASSET]: otherProcessor() }),
      "the program does not run on this machine.",
    ],
    [
      "it is signed and is another version",
      () => signRelease({ [ASSET]: programOf("1.2.3") }),
      "the program does not run on this machine.",
    ],
  ])("%s", async (_what, files, message) => {
    expect(machine.expectRefused(await install(from(files())))).toBe(message);
  });

  test("nothing is executable, or readable to others, before signature and checksum are right", async () => {
    const seen = join(machine.home, "seen");
    const look = `for file in '${machine.bin}'/.ledger*/*; do ${Bun.which("stat")} -c %a "$file"; done >>'${seen}'`;
    machine.pretend("openssl", `${look}\nexec ${Bun.which("openssl")} "$@"`);
    expect((await install(from(good))).exit).toBe(0);
    // List, signature, key at the first call; the program beside them at the second.
    expect(readFileSync(seen, "utf8")).toBe("600\n".repeat(3 + 4));
  });

  test("the network: http, another host's http by a redirect, an unknown authority, a cut download", async () => {
    const url = `${releases.url}/releases`;
    const refused = async (place: string): Promise<string> => {
      const code = place.startsWith("https:") ? 1 : 2;
      return machine.expectRefused(await install(["--key", key, "--from", place]), [], code);
    };
    expect(await refused("http://127.0.0.1:1/releases")).toBe(
      "'http://127.0.0.1:1/releases' is not an https address.",
    );
    const plain = new Releases();
    plain.publish(VERSION, good);
    const answers = {
      SHA256SUMS: () => redirect(`${plain.url}/releases/download/v${VERSION}/SHA256SUMS`),
    };
    releases.publish(VERSION, good, { answers });
    expect(await refused(url)).toContain("could not be downloaded");
    machine.rename("../tools/curl", "curl");
    expect(await refused(url)).toContain("could not be downloaded");
    expect(releases.asked).toHaveLength(2);
    expect(plain.asked).toEqual([]);
    machine.rename("curl", "../tools/curl");
    plain[Symbol.dispose]();
    releases.publish(VERSION, {
      ...good,
      [ASSET]: (good[ASSET] ?? new Uint8Array()).subarray(0, 20),
    });
    expect(await refused(url)).toContain("incomplete or was altered");
    delete machine.env.CURL_CA_BUNDLE;
    releases.publish(VERSION, good);
    expect(await refused(url)).toContain("could not be downloaded");
    expect(releases.asked).toEqual([]);
  });
});

describe("INS-3 what it is given", () => {
  test.each<[string, () => string[], number, string]>([
    [
      "an unknown option",
      () => ["--verson", "1.2.3"],
      2,
      "unknown option '--verson'; --help shows all.",
    ],
    ["an argument", () => ["1.2.3"], 2, "unknown option '1.2.3'; --help shows all."],
    ["an option without value", () => ["--dir"], 2, "--dir needs a value."],
    ["an empty value", () => ["--dir", ""], 2, "--dir needs a value."],
    ...[
      "1",
      "1.2",
      "1.2.3.4",
      "latest",
      "../1.2.3",
      "1.2.x",
      "01.2.3",
      "1.2.3-",
      "1.2.3;id",
      "1..3",
      "1.2.1234567890",
    ].map((version): [string, () => string[], number, string] => [
      `the version ${version}`,
      () => ["--version", version],
      2,
      `'${version}' is not a version such as ${VERSION}.`,
    ]),
    [
      "no key",
      () => ["--from", machine.home],
      2,
      "this script has no release key; name the signer's public key with --key.",
    ],
    [
      "a key that is not there",
      () => [...from(good), "--key", "/nowhere"],
      1,
      "the key /nowhere cannot be read.",
    ],
    [
      "a key of another",
      () => [...from(good), "--key", machine.write("other.pem", OTHER_PUBLIC_PEM)],
      1,
      "the release's list of checksums is not signed with the release key. Use nothing from this source.",
    ],
    [
      "a private key",
      () => [...from(good), "--key", machine.write("private.pem", PRIVATE_PEM)],
      1,
      "openssl could not check the signature, so nothing is installed. Is the key a public key in PEM, and OPENSSL_CONF right?",
    ],
    [
      "a folder that is not there",
      () => ["--key", key, "--from", "/nowhere"],
      1,
      "there is no SHA256SUMS in /nowhere.",
    ],
  ])("%s", async (_what, args, exit, message) => {
    expect(machine.expectRefused(await install(args()), [], exit)).toBe(message);
  });

  test("no HOME and no --dir", async () => {
    machine.env.HOME = "";
    expect(machine.expectRefused(await install(from(good)), [], 2)).toBe(
      "there is no HOME; name a folder with --dir.",
    );
  });

  test("no openssl", async () => {
    machine.without("openssl");
    expect(machine.expectRefused(await install(from(good)))).toContain("openssl is missing");
  });

  test("--help names every option that is read", async () => {
    const { exit, stdout } = await install(["--help"]);
    expect(exit).toBe(0);
    for (const option of ["--version", "--dir", "--from", "--key", "--downgrade"])
      expect(stdout).toContain(`  ${option}`);
  });
});
