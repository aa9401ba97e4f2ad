/**
 * What a caller beside the command line watches over: a person's yes before each act, one act at a
 * time on this machine, and a program that is whole before the first.
 */
import type { ActsHost, Intent, SignedContent } from "../core/acts.ts";
import type { Access } from "../core/api/access.ts";
import type { Reader } from "../core/api/api.ts";
import type { ApiClock } from "../core/api/clock.ts";
import type { Summary } from "../core/meaning/parts.ts";
import type { StateFolder } from "../core/state/folder.ts";
import type { Session } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import type { Remote } from "../guard/remote.ts";
import { Exact, encode, member, members, value } from "../io/json.ts";
import type { Oversight, Run } from "./occasion.ts";

/** What the acts of a run need beside the occasion. */
export interface ActsPlace {
  readonly clock: ApiClock;
  /** What the run has left of its time, in ms; undefined: no end. */
  timeLeftMs(): number | undefined;
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
    import("../core/api/draft.ts"),
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

/** What a guard does for a run, as far as somebody watches over it. */
type Watched = Pick<Remote, "reader" | "creations" | "dryRuns" | "examination" | "authority">;

/**
 * The same through a guard, which cannot ask the client's person: its own dry run is what the
 * person is shown, and what is approved has the digest of what was shown.
 */
export function overseenBehind(remote: Watched, { oversight, name, runtime }: Run): Watched {
  if (oversight === undefined) return remote;
  const { patiently } = runtime;
  const session = async (needs?: Parameters<Reader["session"]>[0]): Promise<Session> => {
    const found = await remote.reader.session(needs);
    oversight.accepts(found);
    return found;
  };
  const ask = async (intent: Intent, summary: Exact | undefined): Promise<void> => {
    const meaning = async () => (summary && value(summary)) as Summary | undefined;
    await oversight.confirm({ intent, patiently, meaning });
    oversight.sending();
  };
  return {
    ...{ dryRuns: remote.dryRuns, examination: remote.examination },
    reader: { ...remote.reader, session },
    creations: {
      async create(order) {
        const shown = await remote.dryRuns.create({ ...order, noSummary: false });
        const act = { kind: "create", operation: "requests.create", command: name } as const;
        const about = { requestId: undefined, content: undefined, body: order.requestData };
        const summary = shown instanceof Exact ? member(shown, "summary") : undefined;
        await ask({ ...act, ...about, session: await session() }, summary);
        return remote.creations.create(order);
      },
    },
    authority: {
      async authorise(order) {
        const { report } = await remote.examination.order(order);
        const content = contentOf(report);
        const purpose = order.decision === "APPROVE" ? "approve" : "reject";
        const act = { kind: "sign", purpose, command: name, requestId: order.id, content } as const;
        const unverified = wordsOf(report.unverified);
        await ask({ ...act, unverified, session: await session() }, exactOf(report.summary));
        const expectPayloadSha256 = content.payloadSha256;
        return remote.authority.authorise({ ...order, expectPayloadSha256 });
      },
    },
  };
}

/**
 * What a guard's report says is signed. Throws GUARD_INCOMPATIBLE for a report without a digest.
 */
function contentOf(report: Readonly<Record<string, unknown>>): SignedContent {
  const payloadSha256 = wordsOf(report.payloadSha256)[0] ?? "";
  const document = exactOf(report.decoded);
  if (!/^[0-9a-f]{64}$/.test(payloadSha256) || document?.text.startsWith("{") !== true) {
    throw new CliError("GUARD_INCOMPATIBLE", {
      message: "The guard's dry run does not show what would be signed; nothing was sent.",
    });
  }
  return { bytes: new TextEncoder().encode(document.text), payloadSha256, document };
}

function exactOf(one: unknown): Exact | undefined {
  return one instanceof Exact ? one : undefined;
}

function wordsOf(one: unknown): string[] {
  const found = one instanceof Exact ? value(one) : one;
  const list = Array.isArray(found) ? found : [found];
  return list.filter((word): word is string => typeof word === "string");
}
