/**
 * What this program was about to do and what became of it, out of the lines of the journal: one
 * entry for each intent. Pure; books.ts reads and writes the lines.
 */
import { CliError } from "../../errors.ts";
import type { LineDraft } from "./chain.ts";

/** What an act takes out of a window: base units as digits. */
export interface Debit {
  readonly account: string;
  readonly currency: string;
  /** Contract or mint; absent for the coin itself. */
  readonly contract?: string | undefined;
  readonly amount: string;
  /** Ceiling of the fee in the network's coin; absent where the type has none. */
  readonly fee?: string | undefined;
  readonly recipient: string;
  readonly tag?: string | undefined;
}

/**
 * `open`: it is not known whether it was carried out. `absent`: reconcile found that it was not.
 */
export type EntryState = "open" | "done" | "refused" | "absent";

/** What an intent says. Times are ms since 1970. */
export interface IntentFacts {
  readonly key: string;
  readonly kind: "create" | "approve" | "reject" | "deviceApprove" | "sign";
  readonly command: string;
  readonly origin: string;
  readonly basePath: string;
  readonly workspace: string;
  readonly user: string;
  /** Whose act it is: the system's user, or that of a guard's client. */
  readonly uid: number | undefined;
  readonly requestId?: string | undefined;
  readonly type?: string | undefined;
  readonly bodySha256?: string | undefined;
  readonly payloadSha256?: string | undefined;
  /** Of a create: which others look the same. */
  readonly likeness?: string | undefined;
  /** Whether the note has the key in it. */
  readonly tagged?: boolean | undefined;
  /** The key of the record that this one repeats on purpose. */
  readonly again?: string | undefined;
  /** Absent where another entry of the same request has it, or no policy asked. */
  readonly debit?: Debit | undefined;
  /** The API's clock, if it was known. */
  readonly clock?: number | undefined;
  /** The same by its last answer to this process, whether the local clock confirmed it or not. */
  readonly apiTime?: number | undefined;
  /** Of a write: no byte of it is sent more than this many ms after `time`. */
  readonly sendingMs?: number | undefined;
  /** Where the audit trail was: `<log> <seq> <hash>`. */
  readonly audit?: string | undefined;
}

export interface Entry extends IntentFacts {
  readonly time: number;
  readonly state: EntryState;
  /** When the last outcome was written. */
  readonly endedAt: number | undefined;
  /** When the act itself had ended: no byte of it was sent later. Undefined after a kill. */
  readonly sentBy?: number | undefined;
  /** The API's clock (ms since 1970) by a line before the intent of a record that lacks its own. */
  readonly apiBefore?: number | undefined;
  /** The same by a reconcile that found the record, with its end where it has one. */
  readonly apiAfter?: number | undefined;
  /** False once the debit is given back. */
  readonly isDebited: boolean;
}

/** The end of an act, or what reconcile found later. */
export interface EndFacts {
  readonly key: string;
  readonly state: EntryState;
  readonly requestId?: string | undefined;
  readonly code?: string | undefined;
  /** Whether its debit is given back. */
  readonly freed?: boolean | undefined;
  /** The API's clock when this is written, ms since 1970. */
  readonly apiTime?: number | undefined;
}

/** What reconcile adds to a record of whose time only the local clock tells. */
export interface DateFacts {
  readonly key: string;
  /** The API's clock when this is written, ms since 1970. */
  readonly apiTime: number;
}

/** The newest time of an API that a line says, ms since 1970. */
interface Told {
  readonly origin: string;
  readonly time: number;
}

/** Where requests are created, and as whom. */
export type Scope = Pick<IntentFacts, "origin" | "basePath" | "workspace" | "user">;

/** A coin or a token. */
export type Asset = Pick<Debit, "currency" | "contract">;

/** Why windows have no room until a person has looked. */
export interface Closure {
  /**
   * A request that this journal lacks is on the server, or one is there otherwise than it was sent.
   */
  readonly why: "foreign" | "notAsSent";
  readonly requestId?: string | undefined;
  /** Whose windows are closed; absent: all. */
  readonly assets?: readonly Asset[] | undefined;
}

/** A person accepted what is there (`guard adopt`). */
export interface Adoption extends Scope {
  /** What windows begin with: what the server shows, nothing, or closed for as long as they are. */
  readonly windows: "sum" | "zero" | "closed";
  /** The API's clock, ms since 1970: what the server has from before is accepted. */
  readonly clock: number;
}

export function intentDraft(facts: IntentFacts, level: LineDraft["level"]): LineDraft {
  return { event: "intent", members: { ...facts }, level };
}

export function endDraft(
  event: "outcome" | "reconciled",
  facts: EndFacts,
  level: LineDraft["level"],
): LineDraft {
  return { event, members: { ...facts }, level };
}

const STATES: ReadonlySet<unknown> = new Set(["open", "done", "refused", "absent"]);

/** A journal as JSON; entries name their place by its number. */
export interface JournalCopy {
  readonly audit: string | undefined;
  readonly policySha256: readonly string[];
  readonly restartedAt: number | undefined;
  readonly scope: Scope | undefined;
  readonly adoption: Adoption | undefined;
  readonly closures: readonly Closure[];
  readonly told?: Told | undefined;
  readonly places: readonly string[];
  readonly entries: readonly (Omit<Entry, "origin" | "basePath" | "workspace" | "user"> & {
    readonly place: number;
  })[];
}

/** Every entry, in the order of their intents. */
export class Journal {
  private readonly entries = new Map<string, Entry>();
  private readonly byRequest = new Map<string, string[]>();
  private readonly byLikeness = new Map<string, string[]>();
  /** Where the audit trail was when the last intent was written. */
  audit: string | undefined;
  /** Digests of the policy files at the last act; empty before the first one. */
  policySha256: readonly string[] = [];
  /** When a broken journal was begun anew, ms since 1970: what was before is not known. */
  restartedAt: number | undefined;
  /** Of the newest line that says one. */
  scope: Scope | undefined;
  /** The newest one. */
  adoption: Adoption | undefined;
  /** Since then. */
  closures: readonly Closure[] = [];

  private told: Told | undefined;

  /** Everything that is known, as JSON; `of` takes it back. */
  copy(): JournalCopy {
    const { audit, policySha256, restartedAt, adoption, closures, told } = this;
    const scope = this.scope && scopeOf(this.scope);
    const places = new Map<string, number>();
    const entries = Array.from(this.entries.values(), (entry) => {
      const { origin, basePath, workspace, user, audit: _, ...rest } = entry;
      const place = JSON.stringify([origin, basePath, workspace, user]);
      const at = places.get(place) ?? places.size;
      places.set(place, at);
      return { ...rest, place: at };
    });
    const facts = { audit, policySha256, restartedAt, scope, adoption, closures, told };
    return { ...facts, places: [...places.keys()], entries };
  }

  /** The journal that `copy` was made of. */
  static of({ places, entries, ...facts }: JournalCopy): Journal {
    const journal = new Journal();
    Object.assign(journal, facts);
    const known = places.map((place) => JSON.parse(place) as string[]);
    for (const { place, ...rest } of entries) {
      const [origin = "", basePath = "", workspace = "", user = ""] = known[place] ?? [];
      journal.keep({ ...rest, origin, basePath, workspace, user });
    }
    return journal;
  }

  private keep(entry: Entry): void {
    this.entries.set(entry.key, entry);
    if (entry.likeness !== undefined) addTo(this.byLikeness, entry.likeness, entry.key);
    if (entry.requestId !== undefined) addTo(this.byRequest, entry.requestId, entry.key);
  }

  /**
   * Takes one line of the log, as JSON. Throws AUDIT_BROKEN for one that this program did not
   * write.
   */
  take(line: Readonly<Record<string, unknown>>): void {
    const time = Date.parse(String(line.time));
    if (line.event === "intent") this.open(line as unknown as IntentFacts, time);
    else if (line.event === "outcome" || line.event === "reconciled")
      this.end(line as unknown as EndFacts, time, line.event === "reconciled");
    else if (line.event === "dated") this.date(line as unknown as DateFacts);
    else if (line.event === "restarted") this.restartedAt = time;
    else if (line.event === "policy" && Array.isArray(line.policySha256))
      this.policySha256 = line.policySha256.map(String);
    else if (line.event === "adopted") this.adopt(line as unknown as Adoption, time);
    else if (line.event === "closed") this.close(line as unknown as Closure);
    if (typeof line.audit === "string") this.audit = line.audit;
  }

  private close({ why, requestId, assets }: Closure): void {
    this.closures = [...this.closures, { why, requestId, assets }];
  }

  private adopt(adoption: Adoption, time: number): void {
    const { windows, clock } = adoption;
    this.scope = scopeOf(adoption);
    this.adoption = { ...this.scope, windows, clock };
    this.closures = [];
    this.restartedAt = adoption.windows === "closed" ? time : undefined;
    if (adoption.windows !== "zero") return;
    for (const [key, entry] of this.entries) this.entries.set(key, { ...entry, isDebited: false });
  }

  private open(facts: IntentFacts, time: number): void {
    if (typeof facts.key !== "string" || this.entries.has(facts.key)) throw unusable();
    const isDebited = facts.debit !== undefined;
    const { origin } = facts;
    const apiTime = facts.apiTime ?? facts.clock;
    const apiBefore =
      apiTime === undefined && this.told?.origin === origin ? this.told.time : undefined;
    this.keep({ ...facts, time, state: "open", endedAt: undefined, isDebited, apiBefore });
    this.tell(origin, apiTime);
    if (facts.origin !== "") this.scope = scopeOf(facts);
  }

  private end(facts: EndFacts, time: number, isFound: boolean): void {
    const entry = this.entries.get(facts.key);
    if (entry === undefined || !STATES.has(facts.state)) throw unusable();
    const requestId = entry.requestId ?? facts.requestId;
    const isDebited = entry.isDebited && facts.freed !== true;
    // What reconcile finds is later, and no end of the act.
    const isEnd = entry.sentBy === undefined && entry.state === "open" && !isFound;
    this.entries.set(facts.key, {
      ...entry,
      ...(isEnd ? { sentBy: time, apiAfter: undefined } : {}),
      requestId,
      state: facts.state,
      endedAt: time,
      isDebited,
    });
    if (entry.requestId === undefined && requestId !== undefined)
      addTo(this.byRequest, requestId, facts.key);
    this.tell(entry.origin, facts.apiTime);
  }

  private date({ key, apiTime }: DateFacts): void {
    const entry = this.entries.get(key);
    if (entry === undefined || !Number.isSafeInteger(apiTime)) throw unusable();
    this.entries.set(key, { ...entry, apiAfter: apiTime });
    this.tell(entry.origin, apiTime);
  }

  private tell(origin: string, time: number | undefined): void {
    if (time !== undefined && origin !== "") this.told = { origin, time };
  }

  get size(): number {
    return this.entries.size;
  }

  all(): IterableIterator<Entry> {
    return this.entries.values();
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  /** Entries of one request of one workspace, oldest first. */
  of(place: Pick<IntentFacts, "origin" | "basePath" | "workspace">, requestId: string): Entry[] {
    return this.found(this.byRequest.get(requestId)).filter(
      (entry) =>
        entry.origin === place.origin &&
        entry.basePath === place.basePath &&
        entry.workspace === place.workspace,
    );
  }

  /** Creates that look the same, oldest first. */
  alike(likeness: string): Entry[] {
    return this.found(this.byLikeness.get(likeness));
  }

  private found(keys: readonly string[] = []): Entry[] {
    return keys.flatMap((key) => this.entries.get(key) ?? []);
  }
}

/** Whether the server took a new request and named no id: reconcile finds which one it is. */
export function isUnnamed({ kind, state, requestId }: Entry): boolean {
  return kind === "create" && state === "done" && requestId === undefined;
}

/** A request that was done this long ago may be the one whose answer the caller lost. */
export const RECENT_MS = 10 * 60 * 1000;

/** What two creates are alike by. `user` is empty where the session does not tell. */
export interface Alike {
  readonly likeness: string;
  readonly user: string;
  /** Whose act the new one is; only an own record can be repeated. */
  readonly uid: number | undefined;
}

/**
 * The newest record that a new request of this likeness would repeat, unless `again` names it;
 * undefined when there is none. A user that one of both does not know may be the other's. Throws
 * INVALID_ARGUMENT when `again` names no like record of this peer: keys of others can be read in
 * the notes that they tag.
 */
export function suspectOf(
  journal: Journal,
  { likeness, user, uid }: Alike,
  again: string | undefined,
  now: number,
): Entry | undefined {
  const alike = journal
    .alike(likeness)
    .filter((entry) => user === "" || entry.user === "" || entry.user === user);
  if (again !== undefined && !alike.some((entry) => entry.key === again && entry.uid === uid)) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "--again does not name a record of a request like this one.",
      field: "--again",
      hint: "Use the key in error.details.key of the DUPLICATE_SUSPECTED that you got.",
    });
  }
  const suspects = alike.filter((entry) => {
    const { state, endedAt, time } = entry;
    // One from the future, by a clock that was set back since, may be of just now.
    const isRecent = state === "done" && now - (endedAt ?? time) < RECENT_MS;
    return state === "open" || isUnnamed(entry) || isRecent;
  });
  const newest = suspects.at(-1);
  return newest?.key === again ? undefined : newest;
}

/** An approval or a rejection that is about to be given. */
export interface Decided extends Scope {
  readonly requestId: string;
  readonly isRejection: boolean;
  readonly uid: number | undefined;
}

/**
 * The newest record of this decision whose outcome is not known, unless `again` names it; undefined
 * when there is none. Each time the challenge is another one, so that its digest tells nothing.
 * Throws INVALID_ARGUMENT when `again` names no such record of this peer.
 */
export function suspectedDecision(
  journal: Journal,
  { requestId, isRejection, uid, ...place }: Decided,
  again: string | undefined,
): Entry | undefined {
  const open = journal
    .of(place, requestId)
    .filter(({ kind, state }) => state === "open" && DECISIONS[kind] === isRejection)
    .filter(({ user }) => user === "" || place.user === "" || user === place.user);
  if (again !== undefined && !open.some((entry) => entry.key === again && entry.uid === uid)) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "--again does not name a record of this decision whose outcome is unknown.",
      field: "--again",
      hint: "Leave --again out; DUPLICATE_SUSPECTED names the key where one is needed.",
    });
  }
  const newest = open.at(-1);
  return newest?.key === again ? undefined : newest;
}

/**
 * The newest approval or rejection of this request that this user gave from here; undefined when
 * there is none. A later step may ask the same user again, so that it forbids nothing.
 */
export function givenDecision(
  journal: Journal,
  { requestId, uid, ...place }: Omit<Decided, "isRejection">,
): { readonly record: Entry; readonly isRejection: boolean } | undefined {
  const given = journal.of(place, requestId).flatMap((record) => {
    const isRejection = DECISIONS[record.kind];
    const isOwn = record.uid === uid && record.user !== "" && record.user === place.user;
    return record.state === "done" && isOwn && isRejection !== undefined
      ? [{ record, isRejection }]
      : [];
  });
  return given.at(-1);
}

/** Whether it rejects; undefined for what decides nothing. */
const DECISIONS: Readonly<Record<Entry["kind"], boolean | undefined>> = {
  ...{ approve: false, deviceApprove: false, reject: true },
  ...{ create: undefined, sign: undefined },
};

function scopeOf({ origin, basePath, workspace, user }: Scope): Scope {
  return { origin, basePath, workspace, user };
}

function addTo(index: Map<string, string[]>, name: string, key: string): void {
  const keys = index.get(name);
  if (keys === undefined) index.set(name, [key]);
  else keys.push(key);
}

function unusable(): CliError {
  return new CliError("AUDIT_BROKEN", {
    message: "The journal has a line that this program did not write.",
  });
}

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A new key: 26 characters, 48 bits of time and 80 random ones (the form of a ULID). */
export function newKey(now: number): string {
  let time = "";
  let rest = now;
  for (let at = 0; at < 10; at += 1) {
    time = `${ALPHABET[rest % 32]}${time}`;
    rest = Math.floor(rest / 32);
  }
  const random = crypto.getRandomValues(new Uint8Array(16));
  return time + Array.from(random, (byte) => ALPHABET[byte % 32]).join("");
}

/** The form of a key. */
export const KEY = /^[0-9A-HJKMNP-TV-Z]{26}$/;
