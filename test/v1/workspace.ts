/** One sandbox workspace, and as many clients of it, of either API version, as a test wants. */
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { Program } from "../hostile/program.ts";
import { SOURCE } from "../support/forms.ts";

export interface Workspace extends AsyncDisposable {
  readonly sandbox: Sandbox;
  /** A client with a home of its own; logged in unless `login` is false. */
  client(version: "v1" | "v2", env?: Record<string, string>, login?: boolean): Promise<Program>;
  /** Method and path, with the query, of what came since the last call of this. */
  calls(): string[];
}

export async function openWorkspace(options: SandboxOptions = {}): Promise<Workspace> {
  const sandbox = await startSandbox(options);
  const programs: Program[] = [];
  return {
    sandbox,
    async client(version, env = {}, login = true) {
      const program = await Program.at(SOURCE, {
        ...operatorSettings(sandbox.description, version),
        ...env,
      });
      programs.push(program);
      if (login) await program.succeed(["login", "api", "--apiVersion", version]);
      return program;
    },
    calls() {
      const seen = sandbox.control.log.map(({ method, path, query }) => {
        return `${method} ${path.replace(/^\/(vault|v1\/rest)/, "")}${query === "" ? "" : `?${query}`}`;
      });
      sandbox.control.clearLog();
      return seen;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
      await sandbox.close();
    },
  };
}
