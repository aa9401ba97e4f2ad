/**
 * `npm run smoke`: builds the executable for this machine and runs three commands, for systems on
 * which the whole suite does not run. Fails when one does not answer as it must.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, hostExecutable, VERSION } from "./build.ts";
import { hostTarget } from "./targets.ts";

const home = await mkdtemp(join(tmpdir(), "smoke-"));
try {
  await build([hostTarget()]);
  const run = (...argv: string[]): { exit: number; stdout: string } => {
    const env = {
      HOME: home,
      USERPROFILE: home,
      LOCALAPPDATA: home,
      SystemRoot: process.env.SystemRoot ?? "",
    };
    const { exitCode, stdout } = Bun.spawnSync([hostExecutable(), ...argv], { cwd: home, env });
    return { exit: exitCode, stdout: stdout.toString() };
  };
  const expectations: readonly (readonly [argv: string[], exit: number, part: string])[] = [
    [["--version"], 0, `${VERSION}\n`],
    [["schema", "errors"], 0, '"OUTCOME_UNKNOWN"'],
    [["accounts", "get"], 2, '"code":"MISSING_OPTION"'],
    [["keys", "generate", "--stdout"], 0, '"publicKey":"04'],
  ];
  for (const [argv, exit, part] of expectations) {
    const outcome = run(...argv);
    if (outcome.exit === exit && outcome.stdout.includes(part)) continue;
    throw new Error(`'${argv.join(" ")}' ended with ${outcome.exit}:\n${outcome.stdout}`);
  }
  process.stdout.write(`${expectations.length} commands answer as they must.\n`);
} finally {
  await rm(home, { recursive: true, force: true });
}
