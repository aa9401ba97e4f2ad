/** Creating requests: the check before, the creation, and its dry run. */
import type { Intent } from "../../core/acts.ts";
import type { CheckOptions } from "../../core/meaning/check.ts";
import { levelOf } from "../../core/policy/places.ts";
import type { Session } from "../../core/state/session.ts";
import { CliError } from "../../errors.ts";
import type { Exact } from "../../io/json.ts";
import type { Run } from "../occasion.ts";
import { readerOf, recordsOf } from "./reads.ts";

/** Checks a request against the catalogue of request types. */
export async function checkRequest(document: Exact, options: CheckOptions) {
  return (await import("../../core/meaning/check.ts")).checkRequest(document, options);
}

/** What creating and its dry run share. */
async function creatingOf(run: Run) {
  const { log, config, context } = run;
  const tagsNotes = async (): Promise<boolean> => {
    const named = config.plain("POLICY_FILE");
    if (levelOf(named) === "none") return false;
    const { loadPolicies } = await import("../../core/policy/load.ts");
    try {
      return loadPolicies(named, context.uid).some(({ tagNotes }) => tagNotes);
    } catch (cause) {
      // The decision about the act refuses it for the same fault, and keeps the refusal.
      if (cause instanceof CliError) return false;
      throw cause;
    }
  };
  return { books: await run.books(), log, tagsNotes, check: checkRequest };
}

/** Creates requests, and keeps what was sent. */
export async function creationsOf(run: Run) {
  const { createCreations } = await import("../../core/creations.ts");
  const { createApi } = await import("../../core/api/api.ts");
  const api = createApi(run.access(), await run.acts());
  const { service } = run;
  const told = service && {
    notAsSent: (session: Session, key: string) => service.notAsSent(session, key),
  };
  const creating = await creatingOf(run);
  return createCreations({ ...creating, api, records: await recordsOf(run), ...told });
}

/** Shows what would be created; works offline. */
export async function dryRunsOf(run: Run) {
  const { createDryRuns } = await import("../../core/creations.ts");
  const { createDraft } = await import("../../core/api/draft.ts");
  const { warnOfDuplicate } = await import("../../core/belts.ts");
  const creating = await creatingOf(run);
  const { now } = run.context;
  const uid = run.service === undefined ? run.context.uid : run.service.agent.uid;
  return createDryRuns({
    ...creating,
    draft: createDraft(run.access()),
    reader: await readerOf(run),
    sessions: run.sessions(),
    meaning: await import("../../core/meaning/meaning.ts"),
    judge: async (intent: Intent) => {
      await (await run.acts()).decide(intent);
      warnOfDuplicate({ ...creating, uid, now }, intent);
    },
    now,
  });
}
