/**
 * The Debian package of an executable: program, manual pages, completions, helpers for key stores,
 * udev rule, and the guard's units, which nothing enables. Made without root, and the same bytes
 * from the same files and date.
 */

import { createHash } from "node:crypto";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { SHELLS } from "../src/cli/shells.ts";
import { openRegistry } from "../src/commands/registry.ts";
import { REPOSITORY } from "../src/core/release/names.ts";
import { PROGRAM } from "../src/version.ts";
import { notices, ROOT } from "./build.ts";
import { manPages } from "./man.ts";

/** Debian's names of the processors that executables are made for. */
export const ARCHITECTURES: Readonly<Record<string, string>> = {
  "linux-x64": "amd64",
  "linux-arm64": "arm64",
};

export interface DebSource {
  /** The executable that goes into the package. */
  readonly executable: string;
  /** As Debian calls it: `amd64`. */
  readonly architecture: string;
  readonly version: string;
  /** Of every file in the package, in seconds since 1970. */
  readonly epoch: number;
}

const PACKAGING = join(ROOT, "packaging/deb");

/** Writes the package to `file`. Needs dpkg-deb. Throws with its words when it fails. */
export async function makeDeb(source: DebSource, file: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "deb-"));
  try {
    const root = join(work, "root");
    for (const [path, content, mode] of await contents(source)) {
      const target = join(root, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
      await chmod(target, mode);
    }
    await mkdir(join(root, "usr/bin"), { recursive: true });
    await copyFile(source.executable, join(root, "usr/bin", PROGRAM));
    await chmod(join(root, "usr/bin", PROGRAM), 0o755);
    await writeControl(source, root);
    await setFolderModes(root);
    build(root, file, source.epoch);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type Row = readonly [path: string, content: string | Uint8Array, mode: number];

const DOC = `usr/share/doc/${PROGRAM}`;
const UNITS = "lib/systemd/system";

/** Every file but the executable. */
async function contents({ version, epoch }: DebSource): Promise<Row[]> {
  const ours = (name: string): Promise<Uint8Array> => readFile(join(PACKAGING, name));
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  const configuration = await readFile(join(ROOT, "docs/configuration.md"), "utf8");
  const pages = [...manPages(await openRegistry(), { date, version, configuration })].map(
    ([name, page]): Row => [`usr/share/man/man1/${name}.gz`, compressed(page), 0o644],
  );
  const helpers = await Promise.all(
    (await readdir(join(ROOT, "helpers"))).toSorted().map(async (name): Promise<Row> => {
      return [`usr/libexec/${PROGRAM}/${name}`, await readFile(join(ROOT, "helpers", name)), 0o755];
    }),
  );
  const names = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  // Messages name them like this.
  const documents = await Promise.all(
    names.toSorted().map(async (name): Promise<Row> => {
      return [`${DOC}/docs/${name}`, await readFile(join(ROOT, "docs", name)), 0o644];
    }),
  );
  return [
    ...pages,
    ...helpers,
    ...documents,
    [`usr/share/bash-completion/completions/${PROGRAM}`, SHELLS.bash(PROGRAM), 0o644],
    [`usr/share/zsh/vendor-completions/_${PROGRAM}`, SHELLS.zsh(PROGRAM), 0o644],
    [`usr/share/fish/vendor_completions.d/${PROGRAM}.fish`, SHELLS.fish(PROGRAM), 0o644],
    [
      `lib/udev/rules.d/20-${PROGRAM}.rules`,
      await readFile(join(ROOT, `udev/20-${PROGRAM}.rules`)),
      0o644,
    ],
    [
      `${UNITS}/ledger-enterprise-guard@.service`,
      await ours("ledger-enterprise-guard@.service"),
      0o644,
    ],
    [
      `${UNITS}/ledger-enterprise-guard@.socket`,
      await ours("ledger-enterprise-guard@.socket"),
      0o644,
    ],
    [`usr/lib/sysusers.d/${PROGRAM}.conf`, await ours("sysusers.conf"), 0o644],
    [`${DOC}/examples/policy.json`, await ours("policy.example.json"), 0o644],
    [`${DOC}/copyright`, await copyright(), 0o644],
    [`${DOC}/changelog.gz`, compressed(changelog(version, epoch)), 0o644],
    [`usr/share/lintian/overrides/${PROGRAM}`, await ours("lintian-overrides"), 0o644],
  ];
}

function compressed(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

const MAINTAINER = "ledger-enterprise-cli maintainers <maintainers@users.noreply.github.com>";

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `${PROGRAM} (${version}) unstable; urgency=medium\n\n  * Release ${version}. CHANGELOG.md of the project says what changed.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** The project's licence, and those of what the executable contains. */
async function copyright(): Promise<string> {
  const bundled = (await notices())
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ${PROGRAM}
Source: https://github.com/${REPOSITORY}

Files: *
Copyright: ${PROGRAM} authors
License: Apache-2.0
Comment: The executable contains the Bun runtime (MIT, https://bun.sh) and these packages:
 .
${bundled.join("\n")}

License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
`;
}

async function writeControl({ version, architecture }: DebSource, root: string): Promise<void> {
  const folder = join(root, "DEBIAN");
  await mkdir(folder);
  const fields = [
    `Package: ${PROGRAM}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${Math.ceil((await sizeOf(root)) / 1024)}`,
    // The last makes the guard's user. A machine without systemd takes the small package.
    "Depends: libc6 (>= 2.17), libgcc-s1 | libgcc1, libstdc++6, systemd-standalone-sysusers | systemd",
    "Recommends: ca-certificates",
    "Suggests: libudev1, libusb-1.0-0, opensc, tpm2-tools, awscli",
    "Section: utils",
    "Priority: optional",
    `Homepage: https://github.com/${REPOSITORY}`,
    "Description: Ledger Enterprise from a terminal",
    " Reads accounts, raises requests, and reviews, signs and approves them.",
    " AI agents and developers get one JSON document from each command.",
    " An independent project, not affiliated with the company.",
  ];
  await writeFile(join(folder, "control"), `${fields.join("\n")}\n`, { mode: 0o644 });
  await writeFile(join(folder, "md5sums"), await md5sums(root), { mode: 0o644 });
  for (const name of ["postinst", "prerm", "postrm"]) {
    await copyFile(join(PACKAGING, name), join(folder, name));
    await chmod(join(folder, name), 0o755);
  }
}

/** What `dpkg --verify` compares installed files with. */
async function md5sums(root: string): Promise<string> {
  const lines: string[] = [];
  for (const path of await filesBelow(root)) {
    const hash = createHash("md5").update(await readFile(join(root, path)));
    lines.push(`${hash.digest("hex")}  ${path}\n`);
  }
  return lines.join("");
}

/** Paths below `root`, sorted, without the control folder. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith("DEBIAN/"))
    .toSorted();
}

async function sizeOf(root: string): Promise<number> {
  let size = 0;
  for (const path of await filesBelow(root)) size += (await stat(join(root, path))).size;
  return size;
}

/** Whatever the umask of the machine that builds. */
async function setFolderModes(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries)
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
  await chmod(root, 0o755);
}

function build(root: string, file: string, epoch: number): void {
  const flags = ["--root-owner-group", "-Zgzip", "-z6", "--build"];
  const { exitCode, stderr } = Bun.spawnSync(["dpkg-deb", ...flags, root, file], {
    env: { PATH: "/usr/bin:/bin", SOURCE_DATE_EPOCH: `${epoch}` },
  });
  if (exitCode !== 0) throw new Error(`dpkg-deb failed for ${relative(ROOT, file)}:\n${stderr}`);
}
