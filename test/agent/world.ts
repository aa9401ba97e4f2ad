/** A home, a folder and a sandbox for one test, and the program to run in them. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Canaries } from "../support/canaries.ts";
import { type Form, type Outcome, SOURCE } from "../support/forms.ts";
import { openSandbox } from "../support/sandbox.ts";
import { PROGRAM, splitCommand } from "../support/script.ts";
import { breaches } from "./contract.ts";

export interface Answer extends Outcome {
  /** The document on stdout; undefined when it is text or nothing. */
  readonly document: unknown;
}

export interface World extends AsyncDisposable {
  /** Changed by a test as it likes. */
  readonly env: Record<string, string>;
  readonly home: string;
  readonly cwd: string;
  /** A line for the sandbox (test/support/sandbox.ts). */
  control(verb: string, rest: string): Promise<void>;
  /**
   * Runs a line as a shell would, with or without the program's name before it. Throws when the
   * answer is not what `schema` promises.
   */
  run(line: string, stdin?: string): Promise<Answer>;
}

export async function openWorld(form: Form = SOURCE): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "world-"));
  const [home, cwd] = [join(folder, "home"), join(folder, "work")];
  for (const path of [home, cwd]) await mkdir(path);
  // Near now: doctor compares this clock with the machine's.
  const sandbox = await openSandbox(Date.now());
  const env: Record<string, string> = { ...sandbox.environment, HOME: home };
  const canaries = Canaries.of(env);
  return {
    env,
    home,
    cwd,
    control: (verb, rest) => sandbox.control(verb, rest),
    async run(line, stdin) {
      const words = splitCommand(line, new Map(Object.entries(env)));
      const argv = words[0] === PROGRAM ? words.slice(1) : words;
      const outcome = await form.run({ argv, env: { ...env }, stdin, cwd });
      const { stdout, stderr } = outcome;
      const broken = [
        ...breaches(argv, outcome),
        ...(await canaries.findLeaks({ stdout, stderr }, home)),
      ];
      if (broken.length > 0) throw new Error(`${line}: ${broken.join(" ")}\n${outcome.stdout}`);
      return { ...outcome, document: parse(outcome.stdout) };
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The member at a dotted path of a document, or undefined. */
export function at(document: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((found, name) => {
    return typeof found === "object" && found !== null
      ? (found as Record<string, unknown>)[name]
      : undefined;
  }, document);
}
