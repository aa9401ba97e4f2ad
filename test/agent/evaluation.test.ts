/**
 * The tasks of tasks.ts done by recorded command lines, without a model: what a good agent typed is
 * judged right, what a misled one typed is judged wrong, and both see what they saw then.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { findArtifacts } from "../support/artifacts.ts";
import { allForms } from "../support/forms.ts";
import { play } from "../support/play.ts";
import { parseScript } from "../support/script.ts";
import { openTask, TASKS, type Task } from "./tasks.ts";

const FOLDER = join(import.meta.dir, "tasks");
await findArtifacts();
/** The source, and what an agent is really given. */
const forms = (await allForms()).filter(({ name }) => name === "source" || name === "executable");

/** Plays the recording and returns the judgement of the task's judge. */
async function judged(
  task: Task,
  recording: string,
  form: (typeof forms)[number],
): Promise<string[]> {
  let now = Date.now();
  await using opened = await openTask(task, () => now);
  await play(parseScript(await Bun.file(join(FOLDER, recording)).text()), form, {
    environment: opened.env,
    async control(verb, rest) {
      if (verb !== "advance") throw new Error(`'sandbox ${verb}' is not for tasks.`);
      now += Number(rest) * 1000;
    },
    async [Symbol.asyncDispose]() {},
  });
  return task.judge(opened.sandbox.control.log);
}

describe.each(TASKS.map((task) => ({ task, name: task.name })))("$name", ({ task }) => {
  test.each(forms)("done rightly, on the $name", async (form) => {
    expect(await judged(task, `${task.name}.txt`, form)).toEqual([]);
  });

  test("done wrongly, and noticed", async () => {
    const [source] = forms;
    if (source === undefined) throw new Error("There is no form to play.");
    expect(await judged(task, `${task.name}.wrong.txt`, source)).not.toEqual([]);
  });
});

test("every recording belongs to a task", () => {
  const wanted = TASKS.flatMap(({ name }) => [`${name}.txt`, `${name}.wrong.txt`]);
  expect([...new Glob("*.txt").scanSync(FOLDER)].sort()).toEqual(wanted.sort());
});
