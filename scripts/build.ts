/**
 * Makes the artefacts in dist/: the standalone executable of this machine (or, with --all, of every
 * target) and the npm package. Both are written beside their place and moved there, so that a
 * program that runs meanwhile is not disturbed.
 *
 *   dist/bin/ledger-enterprise-cli-<target>[.exe]   dist/ledger-enterprise-cli[.exe] (the host's)
 *   dist/npm/                                       dist/ledger-enterprise-cli-<version>.tgz
 */

import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { REPOSITORY } from "../src/core/release/names.ts";
import { findFormatFaults } from "./formats.ts";
import { PROBE, tracePath, VARIABLES, writeHostileFolder } from "./hostile.ts";
import { signAdHoc } from "./macho.ts";
import { packModules } from "./npm/modules.ts";
import { installRuntimes, runtimeOf } from "./runtimes.ts";
import { hostTarget, isWindows, TARGETS, type Target } from "./targets.ts";

export const ROOT = join(import.meta.dir, "..");
export const DIST = join(ROOT, "dist");
const PROGRAM = "ledger-enterprise-cli";
/** The only dependency that is not bundled: it holds native code. */
const NODE_HID_VERSION = "3.4.0";

export interface Package {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The package.json in `folder`. */
export async function readPackage(folder: string): Promise<Package> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Package;
}

export const { version: VERSION } = await readPackage(ROOT);

export function executableName(target: Target): string {
  return `${PROGRAM}-${target.name}${isWindows(target) ? ".exe" : ""}`;
}

/** Where `npm run build` puts the host's executable. */
export function hostExecutable(): string {
  return join(DIST, isWindows(hostTarget()) ? `${PROGRAM}.exe` : PROGRAM);
}

export function packageTarball(): string {
  return join(DIST, `${PROGRAM}-${VERSION}.tgz`);
}

/** What tests build otherwise than a release. */
export interface Variant {
  readonly seal?: object;
  readonly version?: string;
  /** As in core/release/names.ts. */
  readonly releaseKey?: string;
}

function definitions(
  channel: "binary" | "npm",
  target?: Target,
  variant: Variant = {},
): Record<string, string> {
  return {
    __VERSION__: JSON.stringify(variant.version ?? VERSION),
    __CHANNEL__: JSON.stringify(channel),
    ...(target === undefined ? {} : { __TARGET__: JSON.stringify(target.name) }),
    ...(variant.releaseKey === undefined
      ? {}
      : { __RELEASE_KEY__: JSON.stringify(variant.releaseKey) }),
    "process.env.NODE_ENV": '"production"',
    // CommonJS modules would otherwise carry the path of this checkout into the artefact.
    __dirname: '""',
  };
}

const AUTOLOAD_OFF = {
  autoloadDotenv: false,
  autoloadBunfig: false,
  autoloadTsconfig: false,
  autoloadPackageJson: false,
} as const;

/**
 * CFG-2: no file of the user's folder may be read. Throws when a switch is missing, for it is on by
 * default.
 */
export function requireSealed(options: Bun.CompileBuildOptions): Bun.CompileBuildOptions {
  for (const [name, value] of Object.entries(AUTOLOAD_OFF)) {
    if (options[name as keyof typeof AUTOLOAD_OFF] !== value)
      throw new Error(`${name} is not switched off (CFG-2).`);
  }
  return options;
}

/**
 * How many times later than usual the runtime compiles what runs often: in effect never, because a
 * command is over before compiled code has paid for itself. What does run long says so
 * (`expectLongWork` in src/io/effort.ts), and compiles as usual from then on; without that call
 * 20 MB are relayed in 2.6 times the time of parse-and-stringify instead of 1.25 (`npm run bench`).
 */
const JIT_POLICY = 1000;

/**
 * Compiles one executable into `folder` and returns its path. The file's name becomes part of its
 * bytes, so it is never temporary.
 */
export async function compile(
  target: Target,
  folder: string,
  variant: Variant = {},
): Promise<string> {
  const outfile = join(folder, executableName(target));
  const options = {
    target: target.bunTarget,
    executablePath: runtimeOf(target),
    execArgv: ["--use-system-ca"],
    jitPolicy: JIT_POLICY,
    outfile,
  };
  // Millions of instructions (valgrind's callgrind, JIT off) for --version and for `keys public`,
  // and what each choice does to the size: as here 5 and 25; without bytecode 12 and 86, 4.1 MB
  // less; not minified the same, 0.4 MB more; in one piece instead of split 23 and 40. The format
  // is esm because only that is split.
  await bundle({
    target: "bun",
    bytecode: true,
    minify: true,
    define: definitions("binary", target, variant),
    compile: requireSealed({ ...options, ...(variant.seal ?? AUTOLOAD_OFF) }),
    plugins: [embedAddon(target)],
  });
  await finish(outfile, target);
  return outfile;
}

/**
 * Signs what Bun leaves with a broken signature. Throws when the file is not what its name says.
 */
async function finish(outfile: string, target: Target): Promise<void> {
  let bytes: Uint8Array = await readFile(outfile);
  if (target.name === "darwin-x64") {
    bytes = signAdHoc(bytes, PROGRAM);
    await writeFile(outfile, bytes);
  }
  const faults = findFormatFaults(bytes, target);
  if (faults.length > 0)
    throw new Error(`${executableName(target)} cannot be shipped. ${faults.join(" ")}`);
}

/**
 * node-hid looks for its native half in folders that an executable has not: exactly the target's
 * own is put into it (specification §9).
 */
function embedAddon({ hid }: Target): Bun.BunPlugin {
  const missing = `throw Object.assign(new Error("No USB addon is made for this platform"), { code: "ERR_ADDON_MISSING" })`;
  const contents =
    hid === undefined
      ? `module.exports = () => { ${missing}; };`
      : `module.exports = () => require("node-hid/prebuilds/${hid}/node-napi-v4.node");`;
  return {
    name: "device addon",
    setup: (build) => {
      build.onLoad({ filter: /pkg-prebuilds[\\/]bindings\.js$/ }, () => ({
        contents,
        loader: "js",
      }));
    },
  };
}

async function bundle(options: Partial<Bun.BuildConfig>): Promise<void> {
  const common = {
    entrypoints: [join(ROOT, "src/main.ts")],
    format: "esm",
    splitting: true,
    sourcemap: "none",
  } as const;
  const result = await Bun.build({ ...common, ...options, throw: false } as Bun.BuildConfig);
  if (!result.success) throw new Error(`The build failed:\n${result.logs.join("\n")}`);
}

/**
 * Runs the probe in an empty folder, in a hostile one, and with the hostile variables really set.
 * Returns what is wrong, or nothing.
 */
export async function findLeaks(executable: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), `${PROGRAM}-`));
  try {
    const [empty, hostile, home] = ["empty", "hostile", "home"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    for (const path of [empty, home]) await mkdir(path);
    await writeHostileFolder(hostile);
    const probe = (cwd: string, env: Record<string, string> = {}): string => {
      const { stdout } = Bun.spawnSync([executable, ...PROBE], {
        cwd,
        env: { HOME: home, ...env },
      });
      return stdout.toString();
    };
    const [expected, answer, controlled] = [probe(empty), probe(hostile), probe(empty, VARIABLES)];
    const leaks: string[] = [];
    if (expected === controlled)
      leaks.push("The probe does not notice the variables, so it proves nothing.");
    if (answer !== expected) leaks.push("A .env file of the current directory is read.");
    if (existsSync(tracePath(hostile))) leaks.push("A script of the current directory is run.");
    return leaks;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function buildExecutable(target: Target, work: string): Promise<void> {
  const made = await compile(target, work);
  if (target === hostTarget()) {
    const leaks = await findLeaks(made);
    if (leaks.length > 0) throw new Error(leaks.join("\n"));
    const copy = join(work, PROGRAM);
    await copyFile(made, copy);
    await rename(copy, hostExecutable());
  }
  await mkdir(join(DIST, "bin"), { recursive: true });
  await rename(made, join(DIST, "bin", executableName(target)));
}

/** Which parts of the npm package have a chunk of their own that it starts with. */
const ENTRIES = ["src/main.ts", "scripts/npm/fetch.ts", "scripts/npm/headers.ts"];

/** No package serves as a guard, so it carries nothing of what does. */
const CLIENT_ONLY: Bun.BunPlugin = {
  name: "client only",
  setup: (build) => {
    build.onResolve({ filter: /\/guard\/serve\.ts$/ }, ({ importer }) =>
      importer.includes("/scripts/npm/") ? undefined : { path: join(ROOT, "scripts/npm/serve.ts") },
    );
  },
};

/** The package's folder, ready for `npm pack`. */
async function layOutPackage(folder: string): Promise<void> {
  const chunks = await mkdtemp(join(DIST, "chunks-"));
  try {
    await bundle({
      entrypoints: ENTRIES.map((file) => join(ROOT, file)),
      target: "node",
      outdir: chunks,
      minify: true,
      define: definitions("npm"),
      external: ["node-hid"],
      // ofetch then uses the runtime's own fetch instead of bringing one.
      conditions: ["wintercg"],
      naming: { entry: "[name].mjs", chunk: "chunk-[hash].mjs" },
      plugins: [CLIENT_ONLY],
    });
    const names = ENTRIES.map((file) => basename(file, ".ts"));
    const { bytes, index } = await packModules(chunks, names);
    await mkdir(join(folder, "dist"));
    await writeFile(join(folder, "dist/program.js"), bytes);
    await bundle({
      entrypoints: [join(ROOT, "scripts/npm/start.ts")],
      target: "node",
      format: "cjs",
      splitting: false,
      outdir: join(folder, "bin"),
      minify: true,
      define: { ...definitions("npm"), __MODULES__: JSON.stringify(index) },
      naming: { entry: "[name].cjs" },
    });
  } finally {
    await rm(chunks, { recursive: true });
  }
  await copyFile(join(ROOT, "scripts/npm/entry.cjs"), join(folder, "bin", `${PROGRAM}.cjs`));
  for (const file of ["README.md", "LICENSE"]) await copyFile(join(ROOT, file), join(folder, file));
  // The rights of a checkout depend on the umask; a helper that its group may change is refused.
  await mkdir(join(folder, "helpers"));
  for (const file of await readdir(join(ROOT, "helpers"))) {
    await copyFile(join(ROOT, "helpers", file), join(folder, "helpers", file));
    await chmod(join(folder, "helpers", file), 0o755);
  }
  await writeFile(join(folder, "NOTICES.txt"), await notices());
  await writeFile(
    join(folder, "package.json"),
    `${JSON.stringify(await publishedPackage(), null, 2)}\n`,
  );
}

async function publishedPackage(): Promise<object> {
  const { description, license } = await readPackage(ROOT);
  return {
    name: PROGRAM,
    version: VERSION,
    description,
    license,
    // npm's proof of origin is refused unless this is where the workflow ran.
    repository: { type: "git", url: `git+https://github.com/${REPOSITORY}.git` },
    type: "module",
    bin: { [PROGRAM]: `bin/${PROGRAM}.cjs` },
    files: ["bin", "dist", "helpers", "NOTICES.txt"],
    engines: { node: ">=22" },
    optionalDependencies: { "node-hid": NODE_HID_VERSION },
  };
}

/** The licences of what is bundled, which ask to be passed on. */
export async function notices(): Promise<string> {
  const texts: string[] = [];
  for (const name of await bundledPackages()) {
    const folder = join(ROOT, "node_modules", name);
    const { version, license } = await readPackage(folder);
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENSE-bsd.txt"]
      .map((candidate) => join(folder, candidate))
      .find(existsSync);
    const text =
      file === undefined
        ? "(The package names this licence but carries no file with its text.)"
        : await readFile(file, "utf8");
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** Names of all packages that may be bundled: the dependencies, and theirs. */
export async function bundledPackages(): Promise<string[]> {
  const names = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    for (const name of Object.keys((await readPackage(folder)).dependencies ?? {})) {
      if (names.has(name)) continue;
      names.add(name);
      await visit(join(ROOT, "node_modules", name));
    }
  };
  await visit(ROOT);
  return [...names].sort();
}

/** Makes the npm package's folder and tarball in `work`. */
export async function pack(
  work: string,
): Promise<{ readonly folder: string; readonly tarball: string }> {
  const folder = join(work, "npm");
  await mkdir(folder);
  await layOutPackage(folder);
  const packed = Bun.spawnSync(["npm", "pack", folder, "--silent", "--pack-destination", work], {
    cwd: ROOT,
  });
  if (packed.exitCode !== 0) throw new Error(`npm pack failed:\n${packed.stderr}`);
  return { folder, tarball: join(work, `${PROGRAM}-${VERSION}.tgz`) };
}

async function buildPackage(work: string): Promise<void> {
  const { folder, tarball } = await pack(work);
  await rename(tarball, packageTarball());
  await rm(join(DIST, "npm"), { recursive: true, force: true });
  await rename(folder, join(DIST, "npm"));
}

/**
 * Everything that `npm run build` makes. Throws, and leaves the former artefacts alone, when one
 * cannot be made.
 */
export async function build(targets: readonly Target[]): Promise<void> {
  installRuntimes(targets);
  await mkdir(DIST, { recursive: true });
  const work = await mkdtemp(join(DIST, "work-"));
  try {
    for (const target of targets) await buildExecutable(target, work);
    await buildPackage(work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const targets = process.argv.includes("--all") ? TARGETS : [hostTarget()];
  await build(targets);
  for (const target of targets) process.stdout.write(`dist/bin/${executableName(target)}\n`);
  const own = executableName(hostTarget());
  if (existsSync(join(ROOT, "dist/bin", own))) {
    const suffix = own.endsWith(".exe") ? ".exe" : "";
    process.stdout.write(`dist/${PROGRAM}${suffix} (the same as dist/bin/${own})\n`);
  }
  process.stdout.write(`dist/npm/\ndist/${PROGRAM}-${VERSION}.tgz\n`);
}
