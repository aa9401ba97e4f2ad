/**
 * The registry: every command, in the order in which help, schema and references show it. Each part
 * is loaded when a command line names it, since building all of them costs more than most commands
 * do.
 */
import { type Command, type Group, group } from "../cli/command.ts";

/** Loads one part; `word` is the second one of the command line. */
type Loader = (word?: string) => Promise<Command | Group>;

const LOADERS: Readonly<Record<string, Loader>> = {
  login: async () => (await import("./login.ts")).login,
  logout: async () => (await import("./logout.ts")).logout,
  whoami: async () => (await import("./whoami.ts")).whoami,
  accounts: async () => (await import("./accounts.ts")).accounts,
  transactions: async () => (await import("./transactions.ts")).transactions,
  requests: async (word) => (await import("./requests/index.ts")).openRequests(word),
  users: async () => (await import("./users.ts")).users,
  groups: async () => (await import("./groups.ts")).groups,
  policies: async () => (await import("./policies.ts")).policies,
  whitelists: async () => (await import("./whitelists.ts")).whitelists,
  entities: async () => (await import("./entities.ts")).entities,
  assets: async () => (await import("./assets.ts")).assets,
  permissions: async () => (await import("./permissions.ts")).permissions,
  api: async () => (await import("./api.ts")).api,
  notifications: async () => (await import("./notifications.ts")).notifications,
  keys: async () => (await import("./keys.ts")).keys,
  mcp: async () => (await import("./mcp.ts")).mcp,
  sandbox: async () => (await import("./sandbox.ts")).sandbox,
  skill: async () => (await import("./skill.ts")).skill,
  audit: async () => (await import("./audit.ts")).audit,
  policy: async () => (await import("./policy.ts")).policy,
  guard: async () => (await import("./guard.ts")).guard,
  schema: async () => (await import("./schema.ts")).schema,
  completion: async () => (await import("./completion.ts")).completion,
  doctor: async () => (await import("./doctor.ts")).doctor,
  upgrade: async () => (await import("./upgrade.ts")).upgrade,
};

/**
 * The part of the registry that a command line beginning with `word` can mean, and with `second`
 * after it; all of it when that is not the name of a part.
 */
export async function openRegistry(word?: string, second?: string): Promise<Group> {
  const names = word !== undefined && Object.hasOwn(LOADERS, word) ? [word] : Object.keys(LOADERS);
  const members = names.map(async (name) => [name, await LOADERS[name]?.(second)] as const);
  return group(
    "Ledger Enterprise from a terminal: read accounts, raise requests, review, sign and approve.",
    Object.fromEntries(await Promise.all(members)) as Record<string, Command | Group>,
  );
}
