/**
 * The guide for agents that ships inside the program: print it, install it, check installed copies
 * (specification §8).
 */
import * as v from "valibot";
import { flag, oneOf, path } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import {
  AGENT_FOLDERS,
  AGENTS,
  type Agent,
  type Scope,
  type Target,
  targetsOf,
} from "../core/skill/targets.ts";
import { CliError } from "../errors.ts";
import { Text } from "../result.ts";
import { command } from "./parts/command.ts";

const WHERE = {
  agent: oneOf("Agent whose folder to use; 'agents' is the one that most share.", AGENTS),
  path: path("Folder with skills; the skill gets a folder of its own in it."),
  global: flag("With --agent: below the home folder instead of the current folder."),
};

interface Where {
  readonly agent: Agent | undefined;
  readonly path: string | undefined;
  readonly global: boolean;
}

/**
 * The folder that the options name, or undefined when they name none. Throws INVALID_ARGUMENT,
 * IO_ERROR without a home folder.
 */
function targetOf(
  { agent, path: named, global }: Where,
  home: string | undefined,
): Target | undefined {
  if (agent !== undefined && named !== undefined) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "Give one of --agent and --path.",
      field: "--agent",
    });
  }
  if (global && agent === undefined) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "--global belongs to --agent.",
      field: "--global",
    });
  }
  if (named !== undefined) return { path: named, root: undefined, scope: "path", agents: [] };
  if (agent === undefined) return undefined;
  const [target] = targetsOf([agent], [global ? "user" : "project"], home);
  if (target === undefined)
    throw new CliError("IO_ERROR", { message: "There is no home folder; name one with --path." });
  return target;
}

const Status = v.picklist(["current", "outdated", "modified", "newer", "absent"]);

const show = command({
  summary: "Print the skill, a guide for agents.",
  effect: "local",
  needs: ["skills"],
  args: {},
  ungated: true,
  examples: [{ line: "skill show", means: "Everything an agent must know to begin" }],
  run: async ({ skills }) => new Text((await skills.bundled()).files.get("SKILL.md") ?? ""),
});

const install = command({
  summary: "Install the skill for an agent.",
  notes: [
    "Without --agent and --path it prints the skill, as 'skill show' does, and writes nothing.",
    "Installing again changes nothing; an older copy is replaced. Files that were changed since are kept unless --force.",
  ],
  effect: "local",
  needs: ["skills"],
  args: { ...WHERE, force: flag("Replace files that this program did not write, and newer ones.") },
  output: () =>
    v.looseObject({ path: v.string(), version: v.string(), changed: v.boolean(), before: Status }),
  fails: ["FILE_EXISTS", "IO_ERROR"],
  ungated: true,
  examples: [
    { line: "skill install --agent agents", means: "Into this project, where most agents look" },
    {
      line: "skill install --agent claude-code --global",
      means: "For one agent, in every project",
    },
    { line: "skill install --path skills", means: "Into the folder skills" },
  ],
  run: async ({ skills }, args) => {
    const target = targetOf(args, skills.home);
    if (target === undefined) return new Text((await skills.bundled()).files.get("SKILL.md") ?? "");
    return skills.install(target, args.force);
  },
});

const list = command({
  summary: "List the agents that are known, and where they look for skills.",
  effect: "local",
  needs: ["skills"],
  args: {},
  output: () =>
    v.looseObject({
      skill: v.string(),
      version: v.string(),
      agents: v.array(v.looseObject({ agent: v.string(), project: v.string(), user: v.string() })),
    }),
  ungated: true,
  examples: [{ line: "skill list", means: "Names for --agent" }],
  run: async ({ skills }) => {
    const { name, version } = await skills.bundled();
    return {
      skill: name,
      version,
      agents: AGENTS.map((agent) => ({ agent, ...AGENT_FOLDERS[agent] })),
    };
  },
});

const SCOPES: readonly Scope[] = ["project", "user"];

const doctor = command({
  summary: "Compare installed copies with this program's skill.",
  notes: [
    "current; outdated: install again; newer: upgrade the program; modified: changed since, or not installed by this program; absent.",
    "Without options every known folder is looked at, and those with a copy are listed.",
  ],
  effect: "local",
  needs: ["skills"],
  args: WHERE,
  output: () =>
    v.looseObject({
      skill: v.string(),
      version: v.string(),
      installations: v.array(
        v.looseObject({
          path: v.string(),
          status: Status,
          version: v.nullable(v.string()),
          agents: v.array(v.string()),
        }),
      ),
    }),
  fails: ["IO_ERROR"],
  ungated: true,
  examples: [
    { line: "skill doctor", means: "Every copy in this project and the home folder" },
    { line: "skill doctor --path skills", means: "One folder, also when nothing is there" },
  ],
  run: async ({ skills }, args) => {
    const { name, version } = await skills.bundled();
    const asked = targetOf(args, skills.home);
    const targets = asked === undefined ? targetsOf(AGENTS, SCOPES, skills.home) : [asked];
    const found = await Promise.all(
      targets.map(async (target) => ({ target, ...(await skills.inspect(target.path)) })),
    );
    const installations = found
      .filter(({ status }) => asked !== undefined || status !== "absent")
      .map(({ target, path: folder, status, version: recorded, foreign }) => ({
        path: folder,
        status,
        version: recorded,
        agents: target.agents,
        ...(foreign.length === 0 ? {} : { changed: foreign }),
      }));
    return { skill: name, version, installations };
  },
});

export const skill = group(
  "The guide for agents: print it, install it, see whether copies are current.",
  {
    show,
    install,
    list,
    doctor,
  },
);
