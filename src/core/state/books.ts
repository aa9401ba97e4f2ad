/**
 * Journal and audit trail of one state folder, and the one lock that both are written under. A
 * guard serves many clients from one of these; nothing here belongs to the process.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { CliError } from "../../errors.ts";
import { type Exact, exact } from "../../io/json.ts";
import {
  type AuditDetail,
  type AuditFacts,
  type AuditHost,
  auditDraft,
  type Level,
} from "./audit.ts";
import { broken, Chain, type Head, type LineDraft } from "./chain.ts";
import { linesBetween, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { endedAfter } from "./ended.ts";
import type { StateFolder } from "./folder.ts";
import {
  type Adoption,
  type Closure,
  type DateFacts,
  type EndFacts,
  endDraft,
  type IntentFacts,
  intentDraft,
  Journal,
  newKey,
} from "./journal.ts";
import type { Fence } from "./lock.ts";
import { type Anchor, type Verified, verifyLog } from "./verify.ts";

/** What the lock is wanted for: `closing` waits even when the command's time is over. */
export type Purpose = "opening" | "closing";

export interface BooksHost extends AuditHost {
  readonly state: StateFolder;
  /** The level that lines are written under. */
  level(): Level;
  now(): number;
}

const BODY_MAX_BYTES = 3 * 1024 * 1024;
/** Requests expire after seven days; what was sent is compared for as long as a record is kept. */
const BODY_LIFE_MS = 30 * 24 * 3600 * 1000;

interface ReadJournal {
  readonly journal: Journal;
  readonly verified: Verified;
  readonly checkpoint: number;
}

/** Records between two looks for bodies that are too old: looking costs as much as there are. */
const SWEEP_EVERY = 64;

/** The journal as it was read last. */
interface Known {
  /** Where the journal ended; the head file may be behind it. */
  readonly end: Head;
  readonly journal: Journal;
  /** Number of the line that the last checkpoint follows; 0 without one. */
  readonly checkpoint: number;
}

/** The logs of one state folder. */
export class Books {
  readonly audit: Chain;
  readonly journal: Chain;
  private known: Known | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly host: BooksHost) {
    const { state, now } = host;
    const { path, uid } = state;
    this.audit = new Chain({ directory: join(path, "audit"), name: "audit", uid, now });
    this.journal = new Chain({ directory: join(path, "journal"), name: "journal", uid, now });
  }

  /** A key that no other record has. */
  newKey(): string {
    return newKey(this.host.now());
  }

  get detail(): AuditDetail {
    return this.host.detail;
  }

  /**
   * Runs `work` alone among all processes: what it reads is what it writes after. Throws
   * AUDIT_UNAVAILABLE when the lock or the folder cannot be had.
   */
  async alone<T>(work: (pages: Pages) => Promise<T>, why: Purpose = "opening"): Promise<T> {
    const before = this.turn;
    const run = (async () => {
      await before.catch(() => undefined);
      try {
        const { state } = this.host;
        await state.prepare();
        const isPatient = why === "closing";
        const begin = (fence: Fence) => work(new Pages(this, this.host, fence));
        return await state.lock("journal", begin, { isPatient });
      } catch (cause) {
        throw unavailable(cause);
      }
    })();
    this.turn = run.catch(() => undefined);
    return run;
  }

  /** Adds one line to the audit trail. Never throws: what it tells has happened. */
  async note(facts: AuditFacts): Promise<void> {
    await this.alone(async (pages) => void pages.audit(facts), "closing").catch(() => undefined);
  }

  /**
   * The journal as it is now, without waiting for a lock. Throws AUDIT_BROKEN, AUDIT_UNAVAILABLE.
   */
  read(): Journal {
    const head = this.journal.head();
    if (head === undefined) {
      this.requireUnused();
      return new Journal();
    }
    if (this.known !== undefined && this.journal.endsAt(this.known.end)) return this.known.journal;
    const { journal, verified, checkpoint } = this.sinceCheckpoint(head) ?? this.whole(head);
    this.requireAudit(journal);
    const { last, end } = verified;
    if (last && end) this.known = { end: { ...last, ...end }, journal, checkpoint };
    return journal;
  }

  /** The journal from its last checkpoint; undefined when there is none that can be used. */
  private sinceCheckpoint(head: Head): ReadJournal | undefined {
    const found = readCheckpoint(join(this.host.state.path, "journal"));
    if (found === undefined) return undefined;
    const lines: Readonly<Record<string, unknown>>[] = [];
    const verified = attempt(() =>
      verifyLog({
        ...{ files: this.journalFiles(), head, from: found.head },
        onLine: (line) => lines.push(parse(line)),
      }),
    );
    const [first, ...others] = lines;
    const isTheOne = first?.event === "checkpoint" && first.sha256 === found.sha256;
    if (verified === undefined || verified.missing.length > 0 || !isTheOne) return undefined;
    for (const line of others) found.journal.take(line);
    return { journal: found.journal, verified, checkpoint: found.head.seq };
  }

  private whole(head: Head): ReadJournal {
    const journal = new Journal();
    const files = this.journalFiles();
    const verified = verifyLog({ files, head, onLine: (line) => journal.take(parse(line)) });
    if (verified.missing.length > 0)
      throw broken("journal", verified.missing[0]?.from, "Lines of the journal are missing.");
    return { journal, verified, checkpoint: 0 };
  }

  private journalFiles(): string[] {
    return this.journal.files().map((file) => join(this.host.state.path, "journal", file));
  }

  /**
   * A journal that is not there must never have been: the audit trail has none of its acts, whether
   * it is still written or was switched off since.
   */
  requireUnused(): void {
    if (this.audit.head() === undefined) return;
    verifyLog({
      files: this.audit.files().map((file) => join(this.host.state.path, "audit", file)),
      onLine: (_, { event }) => {
        if (event === "intent")
          throw broken(
            "journal",
            undefined,
            "The journal is lost: the audit trail has acts that the journal lacks.",
          );
      },
    });
  }

  /** The audit trail must be at least as long as the journal saw it. */
  private requireAudit(journal: Journal): void {
    const [log, seq] = journal.audit?.split(" ") ?? [];
    if (log === undefined || this.host.detail === "off") return;
    const head = this.audit.head();
    if (head?.log === log && head.seq >= Number(seq)) return;
    throw broken("audit", undefined, "The audit trail is older than the journal.");
  }

  /**
   * No act whose end is in the audit trail may be missing in the journal: one that was cut and got
   * another head looks whole by itself. Expects that the lock is held.
   */
  requireUncut(journal: Journal): void {
    const head = this.host.detail === "off" ? undefined : this.audit.head();
    if (head === undefined) return;
    const [log, seq] = journal.audit?.split(" ") ?? [];
    const after = log === head.log ? Number(seq) : 0;
    const files = this.audit.files().map((file) => join(this.host.state.path, "audit", file));
    for (const key of endedAfter(files, after))
      if (journal.get(key) === undefined)
        throw broken("journal", undefined, "The audit trail has an act that the journal lacks.");
  }

  /** Takes over what was just appended, so that the next act need not read it again. */
  remember(end: Head, journal: Journal): void {
    this.known = { end, journal, checkpoint: this.known?.checkpoint ?? 0 };
  }

  /** Copies the journal once that saves more than it costs; expects that the lock is held. */
  checkpoint(level: Level): void {
    const { known } = this;
    if (known === undefined) return;
    const { end, journal } = known;
    if (end.seq - known.checkpoint < linesBetween(journal.size)) return;
    const sha256 = writeCheckpoint(join(this.host.state.path, "journal"), end, journal);
    if (sha256 === undefined) return;
    const next = this.journal.append([{ event: "checkpoint", members: { sha256 }, level }]);
    this.known = { end: next, journal, checkpoint: end.seq };
  }

  /**
   * The body of a create, as it was sent; undefined when it is not kept any more, or is not the one
   * whose digest the journal has.
   */
  async body(key: string): Promise<Exact | undefined> {
    const bytes = await this.host.state.read(bodyOf(key), BODY_MAX_BYTES);
    if (bytes === undefined) return undefined;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (this.read().get(key)?.bodySha256 !== sha256) return undefined;
    return exact(new TextDecoder("utf-8", { fatal: true }).decode(bytes), {
      loneSurrogates: "allow",
    });
  }

  /** Keeps a body, synced. Throws AUDIT_UNAVAILABLE. */
  async keepBody(key: string, body: Exact): Promise<void> {
    try {
      const { state } = this.host;
      await state.prepare("bodies");
      await state.write(bodyOf(key), new TextEncoder().encode(body.text));
      const count = this.known?.journal.size ?? 0;
      if (count % SWEEP_EVERY > 0) return;
      await state.sweep({ below: "bodies", olderThanMs: BODY_LIFE_MS, everything: true });
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  /** Removes the body of a create that was refused. Never fails. */
  async dropBody(key: string): Promise<void> {
    await this.host.state.remove(bodyOf(key)).catch(() => undefined);
  }
}

function bodyOf(key: string): string {
  return `bodies/${key}.json`;
}

/** What may be done while the lock is held. */
export class Pages {
  constructor(
    private readonly books: Books,
    private readonly host: BooksHost,
    private readonly fence: Fence,
  ) {}

  /** Whether no other process has taken the lock over: only then what was appended counts. */
  isHeld(): boolean {
    return this.fence.isHeld();
  }

  /** The journal as it is. Throws AUDIT_BROKEN, AUDIT_UNAVAILABLE. */
  journal(): Journal {
    return this.books.read();
  }

  /** Appends to the audit trail, synced; undefined where it is off. */
  audit(facts: AuditFacts): Head | undefined {
    if (this.host.detail === "off") return undefined;
    return this.books.audit.append([auditDraft(facts, this.host, this.host.level())]);
  }

  /** Appends the intent of an act to both, synced. Nothing may be done when it throws. */
  open(facts: IntentFacts, audited: AuditFacts): void {
    const journal = this.books.read();
    this.books.requireUncut(journal);
    // First: an audit trail with acts and without a journal is one whose journal was removed.
    this.books.journal.ensure(this.host.level());
    const head = this.audit(audited);
    const audit = head === undefined ? undefined : anchorOf(head);
    this.append(journal, intentDraft({ ...facts, audit }, this.host.level()));
  }

  /** Appends to both that other policy files apply than before; `sha256` are their digests. */
  policy(sha256: readonly string[], audited: AuditFacts): void {
    const journal = this.books.read();
    this.audit(audited);
    const members = { policySha256: sha256 };
    this.append(journal, { event: "policy", members, level: this.host.level() });
  }

  /**
   * Appends how an act ended to the journal, then to the audit trail. A power cut may take the
   * journal's line away: then the record is open again and keeps its room.
   */
  close(event: "outcome" | "reconciled", facts: EndFacts, audited: AuditFacts): void {
    const level = this.host.level();
    const isLazy = event === "outcome";
    this.append(this.books.read(), endDraft(event, facts, level), isLazy);
    this.audit(audited);
    this.books.checkpoint(level);
  }

  /** Appends to the journal when a record was seen by the API's clock. */
  date(facts: DateFacts): void {
    const draft = { event: "dated", members: { ...facts }, level: this.host.level() };
    this.append(this.books.read(), draft);
  }

  /**
   * Appends what is about no act to the journal and, where there is something to say, to the trail.
   */
  mark(event: "adopted" | "closed", facts: Adoption | Closure, audited?: AuditFacts): void {
    const journal = this.books.read();
    const head = audited && this.audit(audited);
    const audit = head === undefined ? undefined : anchorOf(head);
    this.append(journal, { event, members: { ...facts, audit }, level: this.host.level() });
  }

  /** Appends requests that somebody created elsewhere, each as an act that was done. */
  enter(requests: readonly IntentFacts[]): void {
    const level = this.host.level();
    const drafts = requests.flatMap((facts) => [
      intentDraft(facts, level),
      endDraft("outcome", { key: facts.key, state: "done", requestId: facts.requestId }, level),
    ]);
    if (drafts.length > 0) this.books.journal.append(drafts);
  }

  private append(journal: Journal, draft: LineDraft, isLazy = false): void {
    const end = this.books.journal.append([draft], { isLazy });
    journal.take({
      ...draft.members,
      event: draft.event,
      time: new Date(this.host.now()).toISOString(),
    });
    this.books.remember(end, journal);
  }

  /**
   * Begins the logs anew that are broken, and says so in both. Throws INVALID_ARGUMENT when both
   * are whole.
   */
  restart(reason: string, command: string): Head {
    const level = this.host.level();
    const isAuditWhole = isWhole(() => verifyWhole(this.books.audit, this.host));
    const isJournalWhole = isWhole(() => {
      verifyWhole(this.books.journal, this.host);
      if (isAuditWhole && this.books.journal.head() === undefined) this.books.requireUnused();
    });
    const isOlder = isAuditWhole && isJournalWhole && !isWhole(() => this.books.read());
    const isCut =
      isAuditWhole &&
      isJournalWhole &&
      !isOlder &&
      !isWhole(() => this.books.requireUncut(this.books.read()));
    if (isAuditWhole && isJournalWhole && !isOlder && !isCut) {
      throw new CliError("INVALID_ARGUMENT", {
        message: "Journal and audit trail are whole; nothing is restarted.",
        field: "--reason",
      });
    }
    if (!isAuditWhole || isOlder) this.books.audit.restart(reason, level);
    if (!isJournalWhole || isCut) this.books.journal.restart(reason, level);
    const restarted = [
      ...(isAuditWhole && !isOlder ? [] : ["audit"]),
      ...(isJournalWhole && !isCut ? [] : ["journal"]),
    ];
    const head = this.audit({ event: "restarted", command, data: { logs: restarted, reason } });
    // A trail that was switched off has acts that the new journal need not have.
    const end = head ?? this.books.audit.head();
    const audit = end === undefined ? undefined : anchorOf(end);
    const noted = this.books.journal.append([{ event: "noted", members: { audit }, level }]);
    return head ?? noted;
  }
}

function parse(line: Uint8Array): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(line).toString("utf8"));
}

/** The result, or undefined where a log is broken. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof CliError) return undefined;
    throw cause;
  }
}

function verifyWhole(chain: Chain, { state }: BooksHost): void {
  const head = chain.head();
  const folder = join(state.path, chain.name);
  if (head !== undefined)
    verifyLog({ files: chain.files().map((file) => join(folder, file)), head });
}

function isWhole(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (cause) {
    if (cause instanceof CliError && cause.code === "AUDIT_BROKEN") return false;
    throw cause;
  }
}

function anchorOf({ log, seq, hash }: Anchor): string {
  return `${log} ${seq} ${hash}`;
}

const KEPT = new Set(["LOCK_TIMEOUT", "TIMEOUT"]);

/** A state folder that cannot be used is, for an act, a log that cannot be written. */
function unavailable(cause: unknown): unknown {
  if (!(cause instanceof CliError) || !/^(SESSION_|LOCK_)/.test(cause.code)) return cause;
  if (KEPT.has(cause.code)) return cause;
  return new CliError("AUDIT_UNAVAILABLE", {
    message: "The state folder cannot store the intent of this command; nothing was sent.",
    details: cause.facts.details,
    ...(cause.facts.hint === undefined ? {} : { hint: cause.facts.hint }),
    cause,
  });
}
