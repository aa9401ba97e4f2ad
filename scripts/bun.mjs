/**
 * Runs Bun from node_modules with the given arguments: `node scripts/bun.mjs scripts/build.ts`.
 * Works whether or not npm was allowed to run Bun's install script, which moves the executable
 * (build tools must not depend on install scripts, REL-1).
 */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules");
/** Before its install script has run, bun/bin/bun.exe is a text of some hundred bytes. */
const SMALLEST_EXECUTABLE_BYTES = 1024 * 1024;

/** Path of the Bun executable in node_modules, or undefined. */
export function findBun() {
  const { platform, arch } = process;
  const system = platform === "win32" ? "windows" : platform;
  const machine = arch === "arm64" ? "aarch64" : arch;
  const file = platform === "win32" ? "bun.exe" : "bun";
  const libc = isMusl() ? ["-musl", ""] : ["", "-musl"];
  const packages = libc.flatMap((suffix) => [
    `bun-${system}-${machine}${suffix}`,
    `bun-${system}-${machine}${suffix}-baseline`,
  ]);
  const places = [
    join("bun", "bin", "bun.exe"),
    ...packages.map((name) => join("@oven", name, "bin", file)),
  ];
  return places.map((place) => join(modules, place)).find(isExecutable);
}

function isExecutable(path) {
  return existsSync(path) && statSync(path).size >= SMALLEST_EXECUTABLE_BYTES;
}

function isMusl() {
  return (
    process.platform === "linux" &&
    process.report.getReport().header.glibcVersionRuntime === undefined
  );
}

function main() {
  const bun = findBun();
  if (bun === undefined) {
    process.stderr.write(
      `Bun for ${process.platform}-${process.arch} is not in node_modules; run 'npm ci' first.\n`,
    );
    process.exitCode = 1;
    return;
  }
  // Nothing is to be left behind: Bun keeps translated sources in the home, and npm compiled ones
  // among the temporary files.
  const env = {
    ...process.env,
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    NODE_DISABLE_COMPILE_CACHE: "1",
  };
  const child = spawn(bun, process.argv.slice(2), { stdio: "inherit", env });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`Bun could not be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
      return;
    }
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // A signal that does not end this process (such as SIGPIPE, which Node ignores) must still not
    // look like success.
    process.exitCode = 128 + (constants.signals[signal] ?? 0);
  });
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) main();
