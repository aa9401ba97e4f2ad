/**
 * `npm run check`: everything a change must pass, cheapest first; stops at the first that fails.
 * `npm run lint` is the part without tests.
 */
import { join } from "node:path";
import { ROOT } from "./build.ts";

const bin = (name: string, path: string): string[] => [
  "node",
  join(ROOT, "node_modules", name, "bin", path),
];
const script = (name: string): string[] => [process.execPath, join(ROOT, "scripts", name)];

/** The static checks, also run as tests (test/quality.test.ts). */
export const STATIC_CHECKS: readonly (readonly [title: string, command: readonly string[]])[] = [
  ["Types", [...bin("typescript", "tsc"), "--noEmit"]],
  [
    "Format and lint",
    [...bin("@biomejs/biome", "biome"), "check", "--error-on-warnings", "--max-diagnostics=50"],
  ],
  ["Generated files", [...script("generate.ts"), "--check"]],
];

async function succeeds(title: string, command: readonly string[]): Promise<boolean> {
  process.stdout.write(`\n== ${title}\n`);
  return (
    (await Bun.spawn([...command], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] })
      .exited) === 0
  );
}

if (import.meta.main) {
  const isStatic = process.argv.includes("--static");
  const tests = isStatic ? [] : [["Tests", script("test.ts")] as const];
  for (const [title, command] of [...STATIC_CHECKS, ...tests]) {
    if (await succeeds(title, command)) continue;
    process.exitCode = 1;
    break;
  }
}
