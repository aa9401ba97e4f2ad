/**
 * What a caller beside the command line watches over: a person's yes before each act, one act at a
 * time on this machine, and a program that is whole before the first.
 */
import type { ActsHost, Intent } from "../core/acts.ts";
import type { Access } from "../core/api/access.ts";
import type { ApiClock } from "../core/api/clock.ts";
import type { Summary } from "../core/meaning/summary.ts";
import type { StateFolder } from "../core/state/folder.ts";
import { Exact, encode, members } from "../io/json.ts";
import type { Oversight } from "./invoke.ts";

/** What the acts of a run need beside the occasion. */
export interface ActsPlace {
  readonly clock: ApiClock;
  access(): Access;
  state(): StateFolder;
}

/** What the acts of a run do beside: nothing without oversight. */
export function overseen(
  oversight: Oversight | undefined,
  { access, state }: ActsPlace,
): Pick<ActsHost, "sending" | "confirm" | "alone"> {
  if (oversight === undefined) return {};
  return {
    sending: () => oversight.sending(),
    async confirm(intent) {
      const { runtime, sessions } = access();
      const { patiently } = runtime;
      await oversight.confirm({ intent, patiently, meaning: () => meaningOf(intent, access()) });
      // The session may be another one by now.
      await sessions.require();
    },
    async alone(act) {
      await state().prepare();
      return state().lock("acts", act, { timeoutMs: ALONE_TIMEOUT_MS });
    },
  };
}

const ALONE_TIMEOUT_MS = 25_000;

/** What an act does, in words: of a new request its note apart, which is a stranger's text. */
async function meaningOf(intent: Intent, access: Access): Promise<Summary | undefined> {
  const [{ createReader }, { summaryOf }, { bareRequest }] = await Promise.all([
    import("../core/api/api.ts"),
    import("../core/meaning/meaning.ts"),
    import("../core/signing/likeness.ts"),
  ]);
  const { content } = intent;
  const reader = createReader(access);
  if (content?.document !== undefined) return summaryOf(content.document, "challenge", reader);
  if (intent.kind !== "create" || intent.body === undefined) return undefined;
  const own = members(bareRequest(intent.body)).filter(([name]) => name !== "note");
  return summaryOf(new Exact(encode(Object.fromEntries(own))), "request", reader);
}

/**
 * Loads what a write or a signature can need, so that it does not depend on the program's files
 * being the same later.
 */
export async function loadActs(): Promise<void> {
  await Promise.all([
    import("../core/acts.ts"),
    import("../core/belts.ts"),
    import("../core/policy/stage.ts"),
    import("../core/policy/load.ts"),
    import("../core/api/api.ts"),
    import("../core/meaning/meaning.ts"),
    import("../core/meaning/check.ts"),
    import("../core/meaning/evm/content.ts"),
    import("../core/signing/authorise.ts"),
    import("../core/signing/keyring.ts"),
    import("../core/signing/software.ts"),
    import("../core/signing/externalkey.ts"),
    import("../core/signing/likeness.ts"),
    import("../core/device/approve.ts"),
    import("../core/device/addon.ts"),
    import("../core/state/books.ts"),
    import("../core/state/records.ts"),
  ]);
}
