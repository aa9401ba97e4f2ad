/**
 * Journal and audit trail of one state folder, and the one lock that both are written under. A
 * guard serves many clients from one of these; nothing here belongs to the process.
 */
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
import type { StateFolder } from "./folder.ts";
import {
  type EndFacts,
  endDraft,
  type IntentFacts,
  intentDraft,
  Journal,
  newKey,
} from "./journal.ts";
import { type Anchor, verifyLog } from "./verify.ts";

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

/** The logs of one state folder. */
export class Books {
  readonly audit: Chain;
  readonly journal: Chain;
  private known: { readonly head: Head; readonly journal: Journal } | undefined;
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
        return await state.lock("journal", () => work(new Pages(this, this.host)), { isPatient });
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
    if (head === undefined) return new Journal();
    if (this.known !== undefined && isSame(this.known.head, head)) return this.known.journal;
    const journal = new Journal();
    const files = this.journal.files().map((file) => join(this.host.state.path, "journal", file));
    const found = verifyLog({
      files,
      head,
      onLine: (line) => journal.take(JSON.parse(Buffer.from(line).toString("utf8"))),
    });
    if (found.missing.length > 0)
      throw broken("journal", found.missing[0]?.from, "Lines of the journal are missing.");
    this.requireAudit(journal);
    if (found.last?.seq === head.seq) this.known = { head, journal };
    return journal;
  }

  /** The audit trail must be at least as long as the journal saw it. */
  private requireAudit(journal: Journal): void {
    const [log, seq] = journal.audit?.split(" ") ?? [];
    if (log === undefined || this.host.detail === "off") return;
    const head = this.audit.head();
    if (head?.log === log && head.seq >= Number(seq)) return;
    throw broken("audit", undefined, "The audit trail is older than the journal.");
  }

  /** Takes over what was just appended, so that the next act need not read it again. */
  remember(head: Head, journal: Journal): void {
    this.known = { head, journal };
  }

  /** The body of a create, as it was sent; undefined when it is not kept any more. */
  async body(key: string): Promise<Exact | undefined> {
    const bytes = await this.host.state.read(bodyOf(key), BODY_MAX_BYTES);
    if (bytes === undefined) return undefined;
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
  ) {}

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

  /** Appends how an act ended to the journal, then to the audit trail. */
  close(event: "outcome" | "reconciled", facts: EndFacts, audited: AuditFacts): void {
    this.append(this.books.read(), endDraft(event, facts, this.host.level()));
    this.audit(audited);
  }

  private append(journal: Journal, draft: LineDraft): void {
    const head = this.books.journal.append([draft]);
    journal.take({
      ...draft.members,
      event: draft.event,
      time: new Date(this.host.now()).toISOString(),
    });
    this.books.remember(head, journal);
  }

  /**
   * Begins the logs anew that are broken, and says so in both. Throws INVALID_ARGUMENT when both
   * are whole.
   */
  restart(reason: string, command: string): Head {
    const level = this.host.level();
    const isAuditWhole = isWhole(() => verifyWhole(this.books.audit, this.host));
    const isJournalWhole = isWhole(() => verifyWhole(this.books.journal, this.host));
    const isOlder = isAuditWhole && isJournalWhole && !isWhole(() => this.books.read());
    if (isAuditWhole && isJournalWhole && !isOlder) {
      throw new CliError("INVALID_ARGUMENT", {
        message: "Journal and audit trail are whole; nothing is restarted.",
        field: "--reason",
      });
    }
    if (!isAuditWhole || isOlder) this.books.audit.restart(reason, level);
    if (!isJournalWhole) this.books.journal.restart(reason, level);
    const restarted = [
      ...(isAuditWhole && !isOlder ? [] : ["audit"]),
      ...(isJournalWhole ? [] : ["journal"]),
    ];
    const head = this.audit({ event: "restarted", command, data: { logs: restarted, reason } });
    const audit = head === undefined ? undefined : anchorOf(head);
    const noted = this.books.journal.append([{ event: "noted", members: { audit }, level }]);
    return head ?? noted;
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

function isSame(one: Head, other: Head): boolean {
  return one.hash === other.hash && one.seq === other.seq && one.log === other.log;
}

const KEPT = new Set(["LOCK_TIMEOUT", "TIMEOUT"]);

/** A state folder that cannot be used is, for an act, a log that cannot be written. */
function unavailable(cause: unknown): unknown {
  if (!(cause instanceof CliError) || !/^(SESSION_|LOCK_)/.test(cause.code)) return cause;
  if (KEPT.has(cause.code)) return cause;
  return new CliError("AUDIT_UNAVAILABLE", {
    message: "The state folder cannot keep what is about to be done; nothing was sent.",
    details: cause.facts.details,
    ...(cause.facts.hint === undefined ? {} : { hint: cause.facts.hint }),
    cause,
  });
}
