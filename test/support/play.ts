/**
 * Plays one script against one form of the program, in a home and a folder of its own, with a
 * sandbox of its own.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tracePath, writeHostileFolder } from "../../scripts/hostile.ts";
import { Canaries } from "./canaries.ts";
import { difference, indent, tokensOf } from "./document.ts";
import type { Form, Outcome } from "./forms.ts";
import { expand, PROGRAM, type Run, type Step, splitCommand } from "./script.ts";

/** The server that a script talks to, and how the script steers it. */
export interface Counterpart extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
  /** A `sandbox <verb> <rest>` line. Throws for a verb that it does not know. */
  control(verb: string, rest: string): Promise<void>;
}

export class ScriptFailure extends Error {}

interface Stage {
  readonly form: Form;
  readonly env: Map<string, string>;
  readonly captured: Map<string, string>;
  readonly home: string;
  readonly cwd: string;
  readonly canaries: Canaries;
}

/**
 * Runs every step in order; throws a ScriptFailure that names the line at the first that is not as
 * expected.
 */
export async function play(
  steps: readonly Step[],
  form: Form,
  counterpart: Counterpart,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "script-"));
  const [home, cwd] = [join(folder, "home"), join(folder, "work")];
  try {
    for (const path of [home, cwd]) await mkdir(path);
    if (form.hostile) await writeHostileFolder(cwd);
    const env = new Map(Object.entries({ ...counterpart.environment, HOME: home }));
    const captured = new Map([["VERSION", form.version]]);
    const stage: Stage = {
      form,
      env,
      captured,
      home,
      cwd,
      canaries: Canaries.of(Object.fromEntries(env)),
    };
    for (const step of steps) await playStep(step, stage, counterpart);
    if (existsSync(tracePath(cwd)))
      throw new ScriptFailure("A script of the current directory was run (CFG-1).");
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function playStep(step: Step, stage: Stage, counterpart: Counterpart): Promise<void> {
  const variables = new Map([...stage.env, ...stage.captured]);
  if (step.kind === "file")
    await writeFile(join(stage.cwd, step.name), expand(step.content, variables), { mode: 0o600 });
  else if (step.kind === "sandbox")
    await counterpart.control(step.verb, expand(step.rest, variables));
  else if (step.kind === "run") await playRun(step, stage, variables);
  else if (step.value === undefined) stage.env.delete(step.name);
  else stage.env.set(step.name, expand(step.value, variables));
}

async function playRun(
  run: Run,
  stage: Stage,
  variables: ReadonlyMap<string, string>,
): Promise<void> {
  const [program, ...argv] = splitCommand(run.command, variables);
  if (program !== PROGRAM) throw new ScriptFailure(`Line ${run.line}: only ${PROGRAM} can be run.`);
  const env = Object.fromEntries(stage.env);
  const stdin = run.stdin === undefined ? undefined : expand(run.stdin, variables);
  const outcome = await stage.form.run({ argv, env, stdin, cwd: stage.cwd });
  const problems = [
    ...(outcome.exit === run.exit ? [] : [`exit ${outcome.exit} instead of ${run.exit}`]),
    ...stdoutProblems(run, outcome.stdout, argv.includes("--pretty"), stage.captured, variables),
    ...stderrProblems(run.stderr, outcome.stderr, variables),
    ...(await stage.canaries.findLeaks(
      { stdout: outcome.stdout, stderr: outcome.stderr },
      stage.home,
    )),
  ];
  if (problems.length > 0) throw new ScriptFailure(report(run, problems, outcome));
}

function stdoutProblems(
  run: Run,
  actual: string,
  isPretty: boolean,
  captured: Map<string, string>,
  variables: ReadonlyMap<string, string>,
): string[] {
  if ("text" in run.stdout)
    return actual === expand(run.stdout.text, variables) ? [] : ["another text on stdout"];
  const expected = expand(run.stdout.json, variables);
  if (expected === "") return actual === "" ? [] : ["stdout is not empty"];
  const wanted = tokensOf(expected);
  let found: string[];
  try {
    found = tokensOf(actual);
  } catch {
    return ["stdout is not one JSON document"];
  }
  const text = isPretty ? indent(found) : found.join("");
  if (actual !== `${text}\n`)
    return [`stdout is not ${isPretty ? "indented by two spaces" : "compact"} with one newline`];
  const where = difference(wanted, found, (name, value) => captured.set(name, value));
  return where === undefined ? [] : [`another document on stdout: ${where}`];
}

/** Lines in order; `<any>` matches a part of a line. */
function stderrProblems(
  expected: readonly string[],
  actual: string,
  variables: ReadonlyMap<string, string>,
): string[] {
  const lines = actual === "" ? [] : actual.replace(/\n$/, "").split("\n");
  if (lines.length !== expected.length)
    return [`${lines.length} lines on stderr instead of ${expected.length}`];
  const patterns = expected.map((line) =>
    expand(line, variables).split("<any>").map(RegExp.escape).join(".*"),
  );
  return patterns.every((pattern, index) => new RegExp(`^${pattern}$`).test(lines[index] ?? ""))
    ? []
    : ["another text on stderr"];
}

function report(run: Run, problems: readonly string[], outcome: Outcome): string {
  const shown = [
    `line ${run.line}: $ ${run.command}`,
    ...problems.map((problem) => `  ${problem}`),
  ];
  return [
    ...shown,
    `exit ${outcome.exit}`,
    "stdout:",
    outcome.stdout,
    "stderr:",
    outcome.stderr,
  ].join("\n");
}
