/**
 * What users get, made once for a test run: the executable of this machine, and the npm package
 * installed from its tarball. `npm test` makes them before the tests start; a test file that is run
 * alone makes them itself.
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, DIST, hostExecutable, packageTarball, ROOT } from "../../scripts/build.ts";
import { hostTarget } from "../../scripts/targets.ts";

/** Set for the tests once the artefacts are fresh. */
export const READY = "LEDGER_TESTS_ARTIFACTS_READY";

const INSTALLATION = join(DIST, "installed");

export interface Artifacts {
  readonly executable: string;
  /** The package's command as npm linked it; it is run by a Node below. */
  readonly installed: string;
  /** Node executables by their major version. */
  readonly nodes: Readonly<Record<"22" | "26", string>>;
}

/**
 * The artefacts' places. Throws when one is missing, so that no test passes for want of its
 * subject.
 */
export async function findArtifacts(): Promise<Artifacts> {
  if (process.env[READY] !== "1") await makeArtifacts();
  const node = (major: string): string => join(ROOT, "node_modules", `node${major}`, "bin", "node");
  const artifacts = {
    executable: hostExecutable(),
    installed: join(INSTALLATION, "node_modules", ".bin", "ledger-enterprise-cli"),
    nodes: { "22": node("22"), "26": node("26") },
  };
  const missing = [
    artifacts.executable,
    artifacts.installed,
    ...Object.values(artifacts.nodes),
  ].filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`Missing for the tests: ${missing.join(", ")}`);
  return artifacts;
}

/**
 * Builds both artefacts and installs the package the way a careful user does, without install
 * scripts.
 */
export async function makeArtifacts(): Promise<void> {
  await build([hostTarget()]);
  await rm(INSTALLATION, { recursive: true, force: true });
  await mkdir(INSTALLATION, { recursive: true });
  await writeFile(join(INSTALLATION, "package.json"), '{"private":true}\n');
  const install = [
    "npm",
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    packageTarball(),
  ];
  const { exitCode, stderr } = Bun.spawnSync(install, { cwd: INSTALLATION });
  if (exitCode !== 0) throw new Error(`The package could not be installed:\n${stderr}`);
}
