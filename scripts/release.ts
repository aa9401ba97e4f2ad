/**
 * `npm run release -- <step>`: what turns a tag into a release. The workflow
 * (.github/workflows/release.yml) runs these steps and no others; each can be run by hand.
 *
 *   newKey <file>             makes the private key that signs releases, and prints what names.ts
 * takes
 *   checkTag <tag>            fails unless the tag is this version's, the tree is clean, and
 * names.ts holds a key
 *   make [<public key.pem>]   dist/release/ with everything but the signature; with a key, programs
 * and installer that believe it
 *   image <folder>            an OCI image layout of the signed release
 *   verify                    installs from dist/release/ with install.sh, as a user would
 *
 * Between `make` and `verify` the list is signed: sh scripts/sign.sh dist/release [<private
 * key.pem>].
 */
import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assetName, PACKAGE, PUBLISHED_KEY, SUMS } from "../src/core/release/names.ts";
import { compile, DIST, findLeaks, pack, ROOT, VERSION } from "./build.ts";
import { ARCHITECTURES, makeDeb } from "./deb.ts";
import { stampInstaller } from "./generate.ts";
import { type Hashes, homebrewFormula, makeImage, scoopManifest } from "./packages.ts";
import { installRuntimes } from "./runtimes.ts";
import { sbom } from "./sbom.ts";
import { hostTarget, TARGETS, type Target } from "./targets.ts";

export const RELEASE = join(DIST, "release");

/**
 * Writes a new private key (PKCS#8, PEM, 0600) to `file`, which must not exist. Returns the public
 * half as names.ts takes it.
 */
export async function newKey(file: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(file, privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flag: "wx",
  });
  return publicKey.export({ type: "spki", format: "der" }).toString("base64");
}

/** What keeps `tag` from being released, or nothing. */
export function findTagFaults(tag: string, tree: string, key: string | undefined): string[] {
  return [
    ...(tag === `v${VERSION}` ? [] : [`The tag is ${tag}; package.json says ${VERSION}.`]),
    ...(tree === "" ? [] : [`The work tree is not what was tagged:\n${tree}`]),
    ...(key === undefined ? ["names.ts holds no release key (newKey)."] : []),
  ];
}

/** A P-256 public key in PEM as names.ts takes keys. Throws for any other. */
export function readPublicKey(pem: string): string {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new Error("The key is none on P-256.");
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

/**
 * Makes the release's folder anew; its files are those that are published, but for the signature.
 * `key` as in names.ts.
 */
export async function make(
  key: string,
  targets: readonly Target[] = TARGETS,
  folder = RELEASE,
): Promise<void> {
  installRuntimes(targets);
  await mkdir(DIST, { recursive: true });
  const work = await mkdtemp(join(DIST, "work-"));
  try {
    const made = join(work, "release");
    await mkdir(made);
    for (const target of targets) await makeExecutable(target, key, { work, made });
    await rename((await pack(work)).tarball, join(made, `${PACKAGE}-${VERSION}.tgz`));
    await writeFile(join(made, `${PACKAGE}-${VERSION}.cdx.json`), await sbom());
    await writeFile(
      join(made, "install.sh"),
      stampInstaller(await readFile(join(ROOT, "install.sh"), "utf8"), key),
    );
    if (targets === TARGETS) {
      await writeDebs(made);
      await writeManifests(made);
    }
    await writeFile(join(made, SUMS), await sums(made));
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A Debian package for each processor that Debian and the executables share. */
async function writeDebs(folder: string): Promise<void> {
  for (const [target, architecture] of Object.entries(ARCHITECTURES)) {
    const executable = join(folder, assetName(VERSION, target));
    const source = { executable, architecture, version: VERSION, epoch: commitEpoch() };
    await makeDeb(source, join(folder, `${PACKAGE}_${VERSION}_${architecture}.deb`));
  }
}

/** When the commit was made, in seconds since 1970: the same for everybody who builds it. */
function commitEpoch(): number {
  const { exitCode, stdout } = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: ROOT });
  if (exitCode !== 0) throw new Error("git does not tell the date of the commit.");
  return Number(stdout.toString().trim());
}

/** The files of other package managers; they need the executables of all systems. */
async function writeManifests(folder: string): Promise<void> {
  const hashes = await hashesOf(folder);
  await writeFile(join(folder, `${PACKAGE}.rb`), homebrewFormula(hashes));
  await writeFile(join(folder, `${PACKAGE}.json`), scoopManifest(hashes));
}

async function makeExecutable(
  target: Target,
  releaseKey: string,
  { work, made }: { readonly work: string; readonly made: string },
): Promise<void> {
  // With the published key a release is what `npm run build` makes of the tag, byte for byte.
  const executable = await compile(
    target,
    work,
    releaseKey === PUBLISHED_KEY ? {} : { releaseKey },
  );
  const leaks = target === hostTarget() ? await findLeaks(executable) : [];
  if (leaks.length > 0) throw new Error(leaks.join("\n"));
  await rename(executable, join(made, assetName(VERSION, target.name)));
}

/** Lines as `sha256sum --check` reads them, in the order of the names. */
async function sums(folder: string): Promise<string> {
  return [...(await hashesOf(folder))].map(([name, hash]) => `${hash}  ${name}\n`).join("");
}

async function hashesOf(folder: string): Promise<Hashes> {
  const hashes = new Map<string, string>();
  for (const name of (await readdir(folder)).toSorted()) {
    const hash = createHash("sha256").update(await readFile(join(folder, name)));
    hashes.set(name, hash.digest("hex"));
  }
  return hashes;
}

/**
 * Installs from the folder into an empty home. Throws when that fails, or what is installed is
 * another version.
 */
export async function verify(folder = RELEASE): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "release-"));
  try {
    const command = [
      "sh",
      join(folder, "install.sh"),
      "--from",
      folder,
      "--dir",
      join(home, "bin"),
    ];
    const install = Bun.spawnSync(command, { env: { PATH: process.env.PATH ?? "", HOME: home } });
    if (install.exitCode !== 0) throw new Error(`install.sh failed:\n${install.stderr}`);
    const { stdout } = Bun.spawnSync([join(home, "bin", PACKAGE), "--version"], { env: {} });
    if (stdout.toString() !== `${VERSION}\n`)
      throw new Error(`The installed program says ${stdout}.`);
  } finally {
    await rm(home, { recursive: true });
  }
}

const STEPS: Readonly<Record<string, (argument: string | undefined) => Promise<string>>> = {
  newKey: async (file) => {
    if (file === undefined) throw new Error("Name the file to which the private key goes.");
    const key = await newKey(file);
    return `Keep ${file} away from this repository. In src/core/release/names.ts, then 'npm run generate':\n\nexport const PUBLISHED_KEY: string | undefined =\n  "${key}";`;
  },
  checkTag: async (tag = "") => {
    const tree = Bun.spawnSync(["git", "status", "--porcelain"], { cwd: ROOT });
    const faults = findTagFaults(tag, `${tree.stdout}${tree.stderr}`.trim(), PUBLISHED_KEY);
    if (faults.length > 0) throw new Error(faults.join("\n"));
    return `${tag} can be released.`;
  },
  make: async (file) => {
    const key = file === undefined ? PUBLISHED_KEY : readPublicKey(await readFile(file, "utf8"));
    if (key === undefined)
      throw new Error(
        "No release key: names.ts has none, and no public key was named. Make one with 'npm run release -- newKey release.key', then 'openssl pkey -in release.key -pubout -out release.pem', and name release.pem.",
      );
    await make(key);
    return await readFile(join(RELEASE, SUMS), "utf8");
  },
  image: async (folder) => {
    if (folder === undefined) throw new Error("Name the folder for the image layout.");
    await makeImage(RELEASE, folder);
    return `${folder} is an OCI image layout: skopeo inspect oci:${folder}`;
  },
  verify: async () => {
    await verify();
    return "install.sh installs this release.";
  },
};

export const STEP_NAMES: readonly string[] = Object.keys(STEPS);

if (import.meta.main) {
  const [name = "", argument, ...surplus] = process.argv.slice(2);
  const step = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined;
  try {
    if (step === undefined || surplus.length > 0)
      throw new Error(`Steps: ${STEP_NAMES.join(", ")}.`);
    process.stdout.write(`${(await step(argument)).trimEnd()}\n`);
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    process.exitCode = 1;
  }
}
