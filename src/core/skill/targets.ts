/**
 * Where agents look for skills: folders below the current directory (project) and below the home
 * folder (user). The variables with which some agents move theirs are not honoured, since only the
 * documented configuration steers this program (CFG-1): --path names any folder.
 */

interface Folders {
  readonly project: string;
  readonly user: string;
}

const CROSS_CLIENT = ".agents/skills";

function own(name: string, user = `.${name}/skills`): Folders {
  return { project: `.${name}/skills`, user };
}

/**
 * Agent → its folders, with `/` between the parts. `agents` is the convention that most of them
 * share.
 */
export const AGENT_FOLDERS = {
  agents: { project: CROSS_CLIENT, user: CROSS_CLIENT },
  amp: { project: CROSS_CLIENT, user: ".config/agents/skills" },
  "claude-code": own("claude"),
  cline: { project: CROSS_CLIENT, user: CROSS_CLIENT },
  codex: { project: CROSS_CLIENT, user: CROSS_CLIENT },
  continue: own("continue"),
  copilot: { project: ".github/skills", user: ".copilot/skills" },
  cursor: own("cursor"),
  devin: own("devin", ".config/devin/skills"),
  droid: own("factory"),
  gemini: { project: CROSS_CLIENT, user: ".gemini/skills" },
  goose: own("goose", ".config/goose/skills"),
  junie: own("junie"),
  kiro: own("kiro"),
  openclaw: { project: "skills", user: ".openclaw/skills" },
  opencode: own("opencode", ".config/opencode/skills"),
  openhands: own("openhands"),
  qwen: own("qwen"),
  roo: own("roo"),
  windsurf: own("windsurf", ".codeium/windsurf/skills"),
} as const satisfies Readonly<Record<string, Folders>>;

export type Agent = keyof typeof AGENT_FOLDERS;

export const AGENTS = Object.keys(AGENT_FOLDERS) as Agent[];

export type Scope = "project" | "user";

/** A folder that holds skills, as `skill install` and `skill doctor` speak of it. */
export interface Target {
  readonly path: string;
  /**
   * Below which nothing may lead out through a symbolic link; undefined for a folder that the user
   * named.
   */
  readonly root: string | undefined;
  readonly scope: Scope | "path";
  readonly agents: readonly Agent[];
}

/** Every folder of the table once, project folders first. Without a home folder only those. */
export function targetsOf(
  agents: readonly Agent[],
  scopes: readonly Scope[],
  home: string | undefined,
): Target[] {
  return scopes.flatMap((scope) => {
    const root = scope === "project" ? "." : home;
    if (root === undefined) return [];
    const folders = new Set(agents.map((agent) => AGENT_FOLDERS[agent][scope]));
    return [...folders].map((folder) => ({
      path: scope === "project" ? folder : `${root}/${folder}`,
      root,
      scope,
      agents: agents.filter((agent) => AGENT_FOLDERS[agent][scope] === folder),
    }));
  });
}
