/** What a process behind a guard has in place of its own capabilities. */

import type { Stop } from "../core/policy/places.ts";
import { levelOf } from "../core/policy/places.ts";
import { CliError } from "../errors.ts";
import { notThroughGuard, Remote, type Standing } from "../guard/remote.ts";
import type { Run } from "./occasion.ts";
import { overseenBehind } from "./oversight.ts";

/**
 * What the guard does for this process, by the capability's name; each is made when it is asked
 * for. Making one throws GUARD_BYPASS beside credentials of any kind.
 */
export async function openBehind(run: Run): Promise<Record<string, () => unknown>> {
  const remote = remoteOf(run);
  const made = { ...overseenBehind(remote, run), reviews: remote.reviews };
  const { policies, trail, journal, reconciliation } = remote;
  const kept = { policies, trail, journal, reconciliation };
  const plain = Object.entries({ ...made, ...kept }).map(
    ([name, one]) => [name, () => guarded(run, one)] as const,
  );
  return {
    ...Object.fromEntries(plain),
    async draft() {
      requireNoBypass(run);
      const { createDraft } = await import("../core/api/draft.ts");
      const sessions = { read: () => remote.reader.session() };
      return createDraft({ runtime: run.runtime, config: run.config, sessions });
    },
    level: async () => (await guarded(run, remote).standing()).level,
    assumptions: () => async () => {
      throw notThroughGuard("doctor --report");
    },
    diagnosis: () => async () => {
      const { examineBehind } = await import("../guard/doctor.ts");
      return { settings: run.config.origins(), findings: examineBehind(await remote.standing()) };
    },
  };
}

/** How well this process is bound; without a guard its own level alone. */
export async function protectionOf(
  run: Run,
): Promise<Standing | { readonly level: "none" | "advisory"; readonly stopped: Stop | null }> {
  if (run.guard !== undefined) return remoteOf(run).standing();
  const named = run.config.plain("POLICY_FILE");
  const { stopHere } = await import("../core/policy/stop.ts");
  return { level: levelOf(named), stopped: stopHere(named, run.context.uid) };
}

function remoteOf(run: Run): Remote {
  const { guard: path = "", context, config, log, deeds, runtime } = run;
  const { stop, sleep } = runtime;
  return new Remote({
    ...{ path, uid: context.uid, stop, log, sleep, config, deeds, early: context.early?.call },
    client: async () => ({
      uid: context.uid,
      groups: context.groups?.() ?? [],
      bypasses: config.bypasses(),
      hasSession: await hasSession(run),
    }),
  });
}

/** Whether there is a session of this user, be it one that cannot be used. */
async function hasSession({ sessions, state }: Run): Promise<boolean> {
  try {
    state();
  } catch {
    // A user without a home has no place for one.
    return false;
  }
  try {
    return (await sessions().read()) !== undefined;
  } catch {
    return true;
  }
}

function guarded<T>(run: Run, made: T): T {
  requireNoBypass(run);
  return made;
}

function requireNoBypass({ config }: Run): void {
  const [first, ...others] = config.bypasses();
  if (first === undefined) return;
  const also = others.length === 0 ? "" : ` and ${others.length} more`;
  throw new CliError("GUARD_BYPASS", {
    message: `LEDGER_ENTERPRISE_GUARD is set beside ${first}${also}: nothing would be guarded.`,
    field: first,
    details: { variables: [first, ...others] },
  });
}
