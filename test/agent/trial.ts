/**
 * Hands a task to a live agent: `bun test/agent/trial.ts <task> <folder>` starts a sandbox and lays
 * out
 *
 *   <folder>/TASK.md   what to tell the agent, and nothing else: the user's words and the skill's
 * text
 *   <folder>/env       lines for a POSIX shell: settings, a home of its own, and a PATH whose only
 * program of ours is the executable
 *   <folder>/work/     where the agent runs its commands
 *
 * and serves until interrupted; then it writes <folder>/verdict.json, with the judge's findings and
 * every call the sandbox saw. Without arguments it lists the tasks. The executable is
 * dist/ledger-enterprise-cli (`npm run build`).
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hostExecutable } from "../../scripts/build.ts";
import { bundledSkill } from "../../src/core/skill/content.ts";
import { PROGRAM } from "../../src/version.ts";
import { openTask, TASKS, type Task } from "./tasks.ts";

async function layOut(
  task: Task,
  folder: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  for (const name of ["home", "bin", "work"]) await mkdir(join(folder, name), { recursive: true });
  await copyFile(hostExecutable(), join(folder, "bin", PROGRAM));
  await chmod(join(folder, "bin", PROGRAM), 0o755);
  const env = {
    ...settings,
    HOME: join(folder, "home"),
    PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
  };
  const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
  await writeFile(
    join(folder, "env"),
    Object.entries(env)
      .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
      .join(""),
  );
  await writeFile(
    join(folder, "TASK.md"),
    `# Task\n\n${task.ask}\n\n# Skill\n\n${bundledSkill().files.get("SKILL.md") ?? ""}`,
  );
}

async function main([name, given]: readonly string[]): Promise<void> {
  const task = TASKS.find((one) => one.name === name);
  if (task === undefined || given === undefined) {
    process.stdout.write(
      `bun test/agent/trial.ts <task> <folder>; tasks:\n${TASKS.map((one) => `  ${one.name}\n`).join("")}`,
    );
    process.exitCode = name === undefined ? 0 : 2;
    return;
  }
  if (!existsSync(hostExecutable()))
    throw new Error("There is no executable: run 'npm run build' first.");
  const folder = resolve(given);
  await using opened = await openTask(task);
  await layOut(task, folder, opened.env);
  process.stdout.write(
    `Ready: ${folder}/TASK.md, ${folder}/env. Interrupt (Ctrl-C) when the agent is done.\n`,
  );
  await new Promise<void>((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
  const { log } = opened.sandbox.control;
  const faults = task.judge(log);
  const calls = log.map(({ method, path, query, status }) => ({ method, path, query, status }));
  await writeFile(
    join(folder, "verdict.json"),
    `${JSON.stringify({ task: task.name, right: faults.length === 0, faults, calls }, null, 2)}\n`,
  );
  process.stdout.write(`${faults.length === 0 ? "Right." : faults.join("\n")}\n`);
}

await main(process.argv.slice(2));
