/**
 * The checks between an intent and its work: the policy decides, the journal knows it before it is
 * sent, the audit trail says so. One set of these serves one peer; a guard makes one for each.
 */
import { createHash } from "node:crypto";
import { CliError } from "../errors.ts";
import { type Exact, member, value } from "../io/json.ts";
import type { Log } from "../io/log.ts";
import type { Intent, Outcome, Stages } from "./acts.ts";
import type { Decision, PolicyStage } from "./policy/open.ts";
import type { SendingTime } from "./sending.ts";
import { bareRequest, likenessOf, type Place } from "./signing/likeness.ts";
import type { Agent, AuditFacts } from "./state/audit.ts";
import type { Books, Pages } from "./state/books.ts";
import {
  type Debit,
  type Entry,
  type IntentFacts,
  isUnnamed,
  type Journal,
  newKey,
  suspectedDecision,
  suspectOf,
} from "./state/journal.ts";
import type { Session } from "./state/session.ts";

export interface BeltsHost {
  readonly books: Books;
  readonly policy: PolicyStage;
  readonly log: Log;
  /** Whose acts these are: the own user, or that of a guard's client. */
  readonly uid: number | undefined;
  /** Who is named in the audit trail; absent: this process. */
  readonly agent?: Agent | undefined;
  /** Whether a refusal gets a line of its own; absent: each does. */
  keepsDenial?(): boolean;
  now(): number;
  /** The API's clock by the last answer, ms since 1970; undefined before one. */
  apiTime?(): number | undefined;
}

/** Where a session creates requests, and as whom. */
export function placeOf({ origin, basePath, workspace, user }: Session): Place {
  return { origin, basePath, workspace, user: user?.id ?? user?.name ?? "" };
}

/** The stages of one peer. */
export function createStages(host: BeltsHost): Stages {
  const decisions = new WeakMap<Intent, Decision>();
  const decide = async (intent: Intent): Promise<void> => {
    const journal = host.books.read();
    const decision = await host.policy.decide(intent, journal, host.uid);
    requireUndecided(host, journal, intent, mayRepeat(decision));
    decisions.set(intent, decision);
  };
  return {
    decide,
    denied: (intent, cause) => keepDenial(host, intent, cause),
    async open(intent, time) {
      const key = keyOf(host, intent);
      const opening: Opening = { intent, time, key, isBegun: false };
      // Before the lock: between the checks and the line nothing waits.
      if (intent.kind === "create" && intent.body !== undefined)
        await host.books.keepBody(key, intent.body);
      try {
        await openDecided(host, opening, decisions, decide);
      } catch (cause) {
        if (!opening.isBegun) await host.books.dropBody(key);
        throw cause;
      }
      return key;
    },
    close: (intent, key, outcome) => endAct(host, intent, key, outcome),
  };
}

/** As `Stages.close`. */
async function endAct(
  host: BeltsHost,
  intent: Intent,
  key: string | undefined,
  outcome: Outcome,
): Promise<CliError | undefined> {
  if (key === undefined) return undefined;
  try {
    const doubt = await host.books.alone(async (pages) => {
      const twin = twinOf(pages.journal(), intent, key, outcome);
      const error = twin && sameId(host, twin);
      const end = error === undefined ? outcome : ({ state: "unknown", error } as const);
      closeIntent(host, pages, intent, key, end);
      return error;
    }, "closing");
    if (outcome.state === "refused") await host.books.dropBody(key);
    return doubt;
  } catch (cause) {
    const reason = cause instanceof CliError ? ` (${cause.code})` : "";
    host.log.warn(
      "AUDIT_INCOMPLETE",
      `The outcome of ${key} could not be written${reason}; 'requests reconcile' finds it.`,
    );
    return undefined;
  }
}

/** An intent on its way to the disk. */
interface Opening {
  readonly intent: Intent;
  readonly time: SendingTime | undefined;
  readonly key: string;
  /** Whether a line of it may be on the disk. */
  isBegun: boolean;
}

function keyOf({ now }: BeltsHost, intent: Intent): string {
  return (intent.kind === "create" ? intent.key : undefined) ?? newKey(now());
}

/** Decisions anew before an act whose policy goes on changing is refused. */
const MOST_DECISIONS = 3;

/**
 * Puts the intent on disk under the policy that applies by then: an act may wait long for the lock.
 * Throws what `decide` throws, and LOCK_TIMEOUT when the lock was lost.
 */
async function openDecided(
  host: BeltsHost,
  opening: Opening,
  decisions: WeakMap<Intent, Decision>,
  decide: (intent: Intent) => Promise<void>,
): Promise<void> {
  const { intent, key } = opening;
  for (let anew = 0; ; anew += 1) {
    const end = await openAlone(host, opening, decisions.get(intent));
    if (end === "kept") return;
    if (end === "lost") {
      const error = lostLock();
      await endAct(host, intent, key, { state: "refused", error });
      throw error;
    }
    try {
      if (anew === MOST_DECISIONS) throw unsteady();
      await decide(intent);
    } catch (cause) {
      await keepDenial(host, intent, cause);
      throw cause;
    }
  }
}

/**
 * `kept`: the intent is on the disk. `lost`: another process took the lock over meanwhile, and may
 * have decided without this intent; one that takes it after `isHeld` reads it. `outdated`: it must
 * be decided anew.
 */
async function openAlone(
  host: BeltsHost,
  opening: Opening,
  decision: Decision | undefined,
): Promise<"kept" | "lost" | "outdated"> {
  const { intent } = opening;
  return host.books.alone(async (pages) => {
    try {
      const now = host.now();
      const journal = pages.journal();
      const files = notePolicy(host, pages, intent.command);
      if (isOutdated(host, intent, decision, files)) return "outdated";
      requireUndecided(host, journal, intent, mayRepeat(decision));
      const suspect = suspectOfIntent(journal, intent, host.uid, now);
      if (suspect !== undefined)
        throw await duplicate(host, suspect, intent, now, mayRepeat(decision));
      if (intent.again !== undefined) requireAgain(decision);
      const debit = decision?.reserve(journal);
      opening.isBegun = true;
      writeIntent(host, pages, opening, decision, debit);
    } catch (cause) {
      if (isDenial(cause) && isKept(host)) pages.audit(denialOf(host, intent, cause));
      throw cause;
    }
    return pages.isHeld() ? "kept" : "lost";
  });
}

/** Whether other policy files apply than those that allowed the act, or everything is stopped. */
function isOutdated(
  { policy }: BeltsHost,
  { kind }: Intent,
  decision: Decision | undefined,
  files: readonly string[] | undefined,
): boolean {
  if (policy.isStopped?.() === true) return true;
  // A person decides on a device, whatever the files say.
  if (policy.files === undefined || decision === undefined || kind === "deviceApprove")
    return false;
  return files === undefined || String(files) !== String(decision.policySha256);
}

function unsteady(): CliError {
  return new CliError("POLICY_DENIED", {
    message:
      "The policy files changed each time that this was decided; nothing was sent or signed.",
    details: { field: "files", rules: [] },
  });
}

function writeIntent(
  host: BeltsHost,
  pages: Pages,
  { intent, time, key }: Opening,
  decision: Decision | undefined,
  debit: Debit | undefined,
): void {
  const facts = {
    ...intentFacts(host, intent, key),
    likeness: likenessOfIntent(intent),
    again: intent.again,
    debit,
    clock: decision?.clock,
    apiTime: timeOf(host),
    sendingMs: time?.ms,
  };
  pages.open(facts, {
    ...auditFacts(host, intent),
    event: "intent",
    key,
    debit,
    ...decided(decision),
  });
}

function lostLock(): CliError {
  return new CliError("LOCK_TIMEOUT", {
    message:
      "This process was held up, and another one took its place in the journal; nothing was sent or signed.",
    hint: "Run the command again.",
  });
}

/** Whether the policy lets a request be repeated on purpose. */
function mayRepeat(decision: Decision | undefined): boolean {
  return decision?.againRefused() === undefined;
}

/** Throws POLICY_DENIED where it does not. */
function requireAgain(decision: Decision | undefined): void {
  const refusal = decision?.againRefused();
  if (refusal !== undefined) throw refusal;
}

/** The record that a new request would repeat; undefined when there is none. */
function suspectOfIntent(
  journal: Journal,
  intent: Intent,
  uid: number | undefined,
  now: number,
): Entry | undefined {
  const likeness = likenessOfIntent(intent);
  if (likeness === undefined || intent.session === undefined) return undefined;
  const { user } = placeOf(intent.session);
  return suspectOf(journal, { likeness, user, uid }, intent.again, now);
}

/**
 * Says in a dry run that the real command would be refused; keeps nothing. Throws INVALID_ARGUMENT
 * for an `--again` that names no like record.
 */
export function warnOfDuplicate(
  { books, uid, log, now }: Pick<BeltsHost, "books" | "uid" | "log" | "now">,
  intent: Intent,
): void {
  const suspect = suspectOfIntent(books.read(), intent, uid, now());
  if (suspect === undefined) return;
  const own = suspect.uid === uid ? ` (key ${suspect.key})` : "";
  log.warn(
    "DUPLICATE_SUSPECTED",
    `The real command would be refused: a request like this one ${pastOf(suspect)}${own}.`,
  );
}

function pastOf(record: Entry): string {
  if (record.state === "open") return "was sent, and its outcome is not known yet";
  return isUnnamed(record)
    ? "was created, and the server named no id for it"
    : "was created less than ten minutes ago";
}

function decided(decision: Decision | undefined): Pick<AuditFacts, "decision"> {
  if (decision === undefined || decision.policySha256.length === 0) return {};
  return { decision: { rules: decision.rules, policySha256: decision.policySha256 } };
}

function closeIntent(
  host: BeltsHost,
  pages: Pages,
  intent: Intent,
  key: string,
  outcome: Outcome,
): void {
  const { state } = outcome;
  const error = outcome.state === "done" ? undefined : outcome.error;
  const requestId = outcome.state === "done" ? outcome.requestId : undefined;
  const isRefused = state === "refused";
  const code = error?.code ?? (state === "done" ? "OK" : "INTERNAL");
  const end = state === "unknown" ? "open" : state;
  const audited = auditFacts(host, intent);
  const request = { ...audited.request, id: requestId ?? audited.request?.id };
  const status = error?.facts.httpStatus;
  pages.close(
    "outcome",
    {
      ...{ key, state: end, requestId, code, freed: isRefused ? true : undefined },
      apiTime: timeOf(host),
    },
    {
      ...audited,
      event: intent.kind === "sign" && state === "done" ? "signed" : "outcome",
      key,
      request,
      result: { code, exit: error?.exit ?? 0, status },
    },
  );
}

/** The API's clock, whole ms since 1970; undefined before an answer. */
function timeOf({ apiTime }: BeltsHost): number | undefined {
  const time = apiTime?.();
  return time === undefined ? undefined : Math.round(time);
}

/** What is decided about a request; undefined for an act that decides nothing. */
function decidedBy(intent: Intent): "approval" | "rejection" | undefined {
  const { kind } = intent;
  if (kind === "create" || (kind === "sign" && intent.purpose === "unknown")) return undefined;
  const isRejection = kind === "reject" || (kind === "sign" && intent.purpose === "reject");
  return isRejection ? "rejection" : "approval";
}

/** Throws DUPLICATE_SUSPECTED while it is not known what became of the same decision. */
function requireUndecided(
  { uid }: BeltsHost,
  journal: Journal,
  intent: Intent,
  repeats: boolean,
): void {
  const { session, requestId, again } = intent;
  const what = decidedBy(intent);
  if (what === undefined || session === undefined || requestId === undefined) return;
  const decided = { ...placeOf(session), requestId, isRejection: what === "rejection", uid };
  const record = suspectedDecision(journal, decided, again);
  if (record === undefined) return;
  const { key, state } = record;
  const isOwn = record.uid === uid;
  const second = repeats
    ? `Only if the ${what} was not given, add --again with that key.`
    : NO_SECOND;
  throw new CliError("DUPLICATE_SUSPECTED", {
    message: `The ${what} of this request was sent, and its outcome is not known yet; nothing was signed or sent.`,
    hint: isOwn
      ? `Do not repeat. Run 'requests reconcile --key ${key}'. ${second}`
      : "Have a person decide: the record belongs to another client of the guard.",
    details: { ...(isOwn ? { key } : {}), requestId, state },
  });
}

/** Another create that has the id that a new one got: then the answer is not about this one. */
function twinOf(
  journal: Journal,
  { kind, session }: Intent,
  key: string,
  outcome: Outcome,
): Entry | undefined {
  if (kind !== "create" || session === undefined || outcome.state !== "done") return undefined;
  return journal
    .of(session, outcome.requestId ?? "")
    .find((one) => one.kind === "create" && one.key !== key);
}

function sameId({ uid }: BeltsHost, { key, requestId = "", uid: owner }: Entry): CliError {
  return new CliError("OUTCOME_UNKNOWN", {
    message: `The server answered with '${requestId}', the id of a request that was created here before.`,
    details: { requestId, ...(owner === uid ? { otherKey: key } : {}) },
  });
}

/** Says that other policy files apply than at the last act; returns the digests of those. */
function notePolicy(
  { policy }: BeltsHost,
  pages: Pages,
  command: string,
): readonly string[] | undefined {
  const files = policy.files?.();
  const before = pages.journal().policySha256;
  if (files !== undefined && String(files) !== String(before))
    pages.policy(files, { event: "policy", command, data: { policySha256: files, before } });
  return files;
}

/** Keeps a refusal. One that cannot be kept is still a refusal. */
async function keepDenial(host: BeltsHost, intent: Intent, cause: unknown): Promise<void> {
  if (!isDenial(cause) || !isKept(host)) return;
  const { books, log } = host;
  try {
    await books.alone(async (pages) => {
      try {
        notePolicy(host, pages, intent.command);
      } finally {
        // Also when the journal is broken.
        pages.audit(denialOf(host, intent, cause));
      }
    });
  } catch {
    log.warn("AUDIT_INCOMPLETE", "A refusal could not be written to the audit trail.");
  }
}

const DENIALS: ReadonlySet<string> = new Set([
  "POLICY_DENIED",
  "POLICY_INVALID",
  "POLICY_INSECURE",
  "READ_ONLY",
  "DUPLICATE_SUSPECTED",
]);

function isDenial(cause: unknown): cause is CliError {
  return cause instanceof CliError && DENIALS.has(cause.code);
}

function isKept({ keepsDenial }: BeltsHost): boolean {
  return keepsDenial === undefined || keepsDenial();
}

function denialOf(host: BeltsHost, intent: Intent, { code, exit, facts }: CliError): AuditFacts {
  const details = typeof facts.details === "object" ? facts.details : null;
  const field = details !== null && "field" in details ? String(details.field) : undefined;
  return {
    ...auditFacts(host, intent),
    event: "denied",
    result: { code, exit },
    debit: host.policy.stated?.(intent),
    ...(field === undefined ? {} : { data: { field } }),
  };
}

function intentFacts({ uid }: BeltsHost, intent: Intent, key: string): IntentFacts {
  const { kind, command, session, requestId, content } = intent;
  const place = session === undefined ? NOWHERE : placeOf(session);
  const body = kind === "sign" ? undefined : intent.body;
  return {
    key,
    kind,
    command,
    ...place,
    uid,
    requestId,
    type: kind === "create" ? typeOf(body) : undefined,
    bodySha256: sha256(body),
    payloadSha256: content?.payloadSha256,
    tagged: kind === "create" ? intent.tagged : undefined,
  };
}

const NOWHERE: Place = { origin: "", basePath: "", workspace: "", user: "" };

function auditFacts({ agent }: BeltsHost, intent: Intent): Omit<AuditFacts, "event"> {
  const { kind, command, session, requestId, content } = intent;
  const body = kind === "sign" ? undefined : intent.body;
  return {
    command,
    session,
    agent,
    request: { id: requestId, type: kind === "create" ? typeOf(body) : undefined },
    digests: { body: sha256(body), payload: content?.payloadSha256 },
  };
}

function sha256(document: Exact | undefined): string | undefined {
  return document && createHash("sha256").update(document.text).digest("hex");
}

const TYPE = /^[A-Za-z0-9_]{1,64}$/;

/** The type of a new request, as far as it may be a word of a log. */
function typeOf(body: Exact | undefined): string | undefined {
  const type = body && member(bareRequest(body), "type");
  const text = type?.text.startsWith('"') === true ? String(value(type)) : undefined;
  return text !== undefined && TYPE.test(text) ? text : undefined;
}

function likenessOfIntent(intent: Intent): string | undefined {
  if (intent.kind !== "create" || intent.body === undefined) return undefined;
  return likenessOf(placeOf(intent.session), intent.body);
}

/** Nothing is left to find out: its id is known. */
const GO_ON =
  "Do not repeat: the request in error.details.id was created. Look at it with 'requests get', and go on with it.";
const SECOND = "Only if a second request is meant, add --again with the key in error.details.key.";
/** `duplicates` of the policy is `deny`. */
const NO_SECOND = "The policy does not allow to repeat it; a person can change that.";

/** What the client whose record it is does instead of a second request. */
function wayOn({ key, requestId }: Entry, repeats: boolean): { readonly hint?: string } {
  if (requestId !== undefined) return { hint: `${GO_ON} ${repeats ? SECOND : NO_SECOND}` };
  if (repeats) return {};
  return { hint: `Do not repeat. Run 'requests reconcile --key ${key}'. ${NO_SECOND}` };
}

/** Both notes are shown, so that two invoices of one amount can be told apart. */
async function duplicate(
  { books, uid }: BeltsHost,
  record: Entry,
  intent: Intent,
  now: number,
  repeats: boolean,
): Promise<CliError> {
  const isOwn = record.uid === uid;
  const body = intent.kind === "create" ? intent.body : undefined;
  const before = isOwn ? await books.body(record.key) : undefined;
  const ago = Math.max(0, Math.round((now - record.time) / 1000));
  return new CliError("DUPLICATE_SUSPECTED", {
    message: `A request like this one ${pastOf(record)}; nothing was sent.`,
    ...(isOwn
      ? wayOn(record, repeats)
      : { hint: "Have a person decide: the record belongs to another client of the guard." }),
    details: {
      ...(isOwn ? { key: record.key, id: record.requestId ?? null } : {}),
      state: record.state,
      secondsAgo: ago,
      notes: { record: noteOf(before), given: noteOf(body) },
    },
  });
}

function noteOf(body: Exact | undefined): Exact | null {
  return (body && member(bareRequest(body), "note")) ?? null;
}

/** An entry as its owner sees it. */
export interface JournalRow {
  readonly key: string;
  /** The command, such as `requests create`. */
  readonly command: string;
  readonly state: Entry["state"];
  readonly id: string | undefined;
  /** ISO 8601. */
  readonly time: string;
}

/** The entries that this peer may see, the oldest first. */
export function journalRows(journal: Journal, uid: number | undefined): JournalRow[] {
  const own = [...journal.all()].filter((entry) => entry.uid === uid);
  return own.map(({ key, command, state, requestId, time }) => {
    return { key, command, state, id: requestId, time: new Date(time).toISOString() };
  });
}
