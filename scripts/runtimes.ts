/**
 * The runtimes of all platforms, from runtimes/bun.lock (REL-2). Bun's own download of them is tied
 * to no lock file, so it is never left to it: each executable is compiled with a runtime that is
 * passed by path.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findBun } from "./bun.mjs";
import { hostTarget, isWindows, type Target } from "./targets.ts";

const ROOT = join(import.meta.dir, "..");
const RUNTIMES = join(ROOT, "runtimes");
const PLATFORMS = [
  "--os=linux",
  "--os=darwin",
  "--os=win32",
  "--cpu=x64",
  "--cpu=arm64",
  "--libc=*",
];

function pathsOf(target: Target): string[] {
  const file = join(
    "node_modules",
    "@oven",
    target.runtime,
    "bin",
    isWindows(target) ? "bun.exe" : "bun",
  );
  return [join(RUNTIMES, file), join(ROOT, file)];
}

/** The target's runtime. Throws when it is not installed. */
export function runtimeOf(target: Target): string {
  // The host's own may have been moved by Bun's install script.
  const found =
    pathsOf(target).find(existsSync) ?? (target === hostTarget() ? findBun() : undefined);
  if (found === undefined)
    throw new Error(`The runtime of ${target.name} is missing: @oven/${target.runtime}.`);
  return found;
}

/**
 * Installs what the targets need and is not there; the lock file's SHA-512 decide. Throws when the
 * install fails.
 */
export function installRuntimes(targets: readonly Target[]): void {
  if (targets.every((target) => pathsOf(target).some(existsSync) || target === hostTarget()))
    return;
  const install = ["install", "--frozen-lockfile", "--ignore-scripts", ...PLATFORMS];
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, ...install], {
    cwd: RUNTIMES,
    stdout: "ignore",
  });
  if (exitCode !== 0) throw new Error(`The runtimes could not be installed:\n${stderr}`);
}
