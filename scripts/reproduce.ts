/**
 * `npm run reproduce [-- --all]`: builds this commit a second time, from a copy of the source in a
 * folder of another name, and compares the bytes (REL-2). With --all every target, otherwise the
 * one of this machine.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DIST, ROOT } from "./build.ts";

/** What a build reads. */
const SOURCES = [
  "src",
  "scripts",
  "skill",
  "helpers",
  "runtimes",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "README.md",
  "LICENSE",
];

/** SHA-256 (hexadecimal) of each artefact, by its name. Throws when the second build fails. */
export async function buildElsewhere(
  args: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  await mkdir(DIST, { recursive: true });
  const folder = await mkdtemp(join(DIST, "another place-"));
  try {
    await copySource(folder);
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, "scripts/build.ts", ...args], {
      cwd: folder,
      stdout: "ignore",
      // Neither zone nor language nor home may show in the bytes.
      env: { PATH: process.env.PATH ?? "", HOME: folder, TZ: "Pacific/Chatham", LC_ALL: "C" },
    });
    if (exitCode !== 0) throw new Error(`The second build failed:\n${stderr}`);
    return await hashesIn(join(folder, "dist"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Dependencies as hard links: what is compared is what becomes of the same bytes. */
async function copySource(folder: string): Promise<void> {
  for (const name of SOURCES) {
    const filter = (path: string): boolean => !path.includes("node_modules");
    await cp(join(ROOT, name), join(folder, name), { recursive: true, filter });
  }
  for (const modules of ["node_modules", "runtimes/node_modules"]) {
    if (!existsSync(join(ROOT, modules))) continue;
    const { exitCode } = Bun.spawnSync(["cp", "-al", join(ROOT, modules), join(folder, modules)]);
    if (exitCode !== 0) throw new Error(`${modules} could not be copied.`);
  }
}

/** Of the files in dist/bin and of the package's tarball. */
export async function hashesIn(dist: string): Promise<ReadonlyMap<string, string>> {
  const executables = (await readdir(join(dist, "bin"))).map((name) => join("bin", name));
  const tarballs = (await readdir(dist)).filter((name) => name.endsWith(".tgz"));
  const hash = async (name: string): Promise<[string, string]> => [
    name,
    createHash("sha256")
      .update(await readFile(join(dist, name)))
      .digest("hex"),
  ];
  return new Map(await Promise.all([...executables, ...tarballs].toSorted().map(hash)));
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const { exitCode } = Bun.spawnSync([process.execPath, "scripts/build.ts", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const here = exitCode === 0 ? await hashesIn(DIST) : new Map<string, string>();
  const again = exitCode === 0 ? await buildElsewhere(args) : here;
  for (const [name, hash] of again) {
    process.stdout.write(
      `${hash}  ${name}${here.get(name) === hash ? "" : "  IS ANOTHER THAN HERE"}\n`,
    );
  }
  const isEqual = again.size > 1 && [...again].every(([name, hash]) => here.get(name) === hash);
  process.exitCode = isEqual ? 0 : 1;
}
