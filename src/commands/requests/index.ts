/**
 * Requests: every change to a workspace, from its creation to its approval. Source: Requests
 * section of the API reference.
 */
import { type Command, type Group, group } from "../../cli/command.ts";

const LOADERS: Readonly<Record<string, () => Promise<Command | Group>>> = {
  list: async () => (await import("./list.ts")).list,
  get: async () => (await import("./get.ts")).get,
  governanceStatus: async () => (await import("./governanceStatus.ts")).governanceStatus,
  draft: async () => (await import("./draft.ts")).draft,
  create: async () => (await import("./create.ts")).create,
  getChallenge: async () => (await import("./getChallenge.ts")).getChallenge,
  review: async () => (await import("./review.ts")).review,
  sign: async () => (await import("./sign.ts")).sign,
  approve: async () => (await import("./approve.ts")).approve,
  reject: async () => (await import("./reject.ts")).reject,
  wait: async () => (await import("./wait.ts")).wait,
  journal: async () => (await import("./reconcile.ts")).journal,
  reconcile: async () => (await import("./reconcile.ts")).reconcile,
};

/** The command that `word` names alone: it needs a third of what all take. Else all of them. */
export async function openRequests(word?: string): Promise<Group> {
  const names = word !== undefined && Object.hasOwn(LOADERS, word) ? [word] : Object.keys(LOADERS);
  const members = names.map(async (name) => [name, await LOADERS[name]?.()] as const);
  return group(
    "Requests: draft, create, review, sign, approve, wait; reject on API V1 only.",
    Object.fromEntries(await Promise.all(members)) as Record<string, Command | Group>,
  );
}
