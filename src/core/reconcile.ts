/**
 * What became of creates whose outcome is unknown: looks at the requests on the server, and never
 * sends one. A verdict is `absent` only where nothing on the server could be the request.
 */
import { CliError } from "../errors.ts";
import { Exact, elements, member, value } from "../io/json.ts";
import type { Reader } from "./api/api.ts";
import type { ApiClock } from "./api/clock.ts";
import { walkPages } from "./api/pages.ts";
import { placeOf } from "./belts.ts";
import { reviewedOf, usedOf } from "./reviewed.ts";
import { compareMembers, type Findings } from "./signing/comparison.ts";
import { leavesOf, membersOf, rootOf } from "./signing/field.ts";
import { bareRequest } from "./signing/likeness.ts";
import type { Books } from "./state/books.ts";
import { type Entry, isUnnamed, type Journal } from "./state/journal.ts";
import type { Session } from "./state/session.ts";
import { keyIn, tagIn } from "./state/tag.ts";

export interface ReconcileHost {
  readonly books: Books;
  readonly reader: Reader;
  readonly clock: ApiClock;
  readonly uid: number | undefined;
  now(): number;
}

/** What was found about one record. */
export interface Verdict {
  readonly key: string;
  readonly verdict: "found" | "absent" | "ambiguous" | "undetermined";
  readonly id?: string;
  /**
   * `tag`: the key is in its note. `content`: it asks for the same; a twin cannot be told apart.
   */
  readonly certainty?: "tag" | "content";
  /** Ids of requests that could be it. */
  readonly candidates?: readonly string[];
}

/** The list lags behind the write, and clocks differ. */
const WIDER_MS = 120_000;
const TOO_EARLY_MS = 60_000;
/** A record that does not say when it left at the latest, as those of older versions. */
const UNSAID_SENDING_MS = 180_000;
/** Only an absence that was found this long after the last byte frees room. */
const FREED_MS = 15 * 60 * 1000;
const MOST_REQUESTS = 1000;

/** Looks for the open records, or for the one with that key. */
export async function reconcile(host: ReconcileHost, key: string | undefined): Promise<Verdict[]> {
  const session = await host.reader.session();
  const journal = host.books.read();
  const open = [...journal.all()].filter(
    (entry) =>
      isUnsettled(entry) &&
      isOf(entry, session, host.uid) &&
      (key === undefined || entry.key === key),
  );
  const known = key === undefined ? undefined : journal.get(key);
  if (known !== undefined && open.length === 0) return [knownVerdict(known, session, host.uid)];
  const creates = open.filter(({ kind }) => kind === "create");
  const claimed = new Set(
    [...journal.all()].flatMap((entry) => (entry.kind === "create" ? (entry.requestId ?? []) : [])),
  );
  const verdicts: Verdict[] = [];
  for (const [type, entries] of Map.groupBy(creates, (entry) => entry.type ?? "")) {
    const found = await verdictsOf(host, session, type, entries, claimed);
    verdicts.push(...found);
    for (const { id } of found) if (id !== undefined) claimed.add(id);
  }
  for (const entry of open.filter(({ kind }) => kind === "sign"))
    verdicts.push(await signatureOf(host, session, entry));
  const decisions = open.filter(({ kind }) => kind !== "create" && kind !== "sign");
  for (const entries of Map.groupBy(decisions, decisionOf).values())
    verdicts.push(...(await decisionsOf(host, session, journal, entries)));
  for (const verdict of verdicts) await settle(host, session, verdict);
  await dateAll(host, open);
  const order = open.map((entry) => entry.key);
  return verdicts.sort((one, other) => order.indexOf(one.key) - order.indexOf(other.key));
}

/** Open, created without an id, or found to be absent too early to give its room back. */
function isUnsettled(entry: Entry): boolean {
  const { state, isDebited } = entry;
  return state === "open" || isUnnamed(entry) || (state === "absent" && isDebited);
}

/**
 * A signature whose end was not written may have been handed out: it is absent only once its
 * request cannot be decided any more, and shows no decision of this user.
 */
async function signatureOf(
  host: ReconcileHost,
  session: Session,
  { key, requestId }: Entry,
): Promise<Verdict> {
  try {
    const user = await ownId(host, session);
    const used = await usedOf(host.reader, session, user, requestId);
    if (used === "given" && requestId !== undefined)
      return { key, verdict: "found", id: requestId };
    return { key, verdict: used === "notGiven" ? "absent" : "undetermined" };
  } catch {
    return { key, verdict: "undetermined" };
  }
}

/** Who reviews, as the server names this user. */
async function ownId({ reader, books }: ReconcileHost, session: Session) {
  return session.apiVersion === "v2" ? session.user?.id : ownNumber(reader, books, session);
}

/** Records of one request that the same reviews could be. */
function decisionOf({ kind, requestId }: Entry): string {
  return `${kind === "reject" ? "reject" : "approve"} ${requestId}`;
}

/** Whether approvals, or rejections, of one request were given. */
async function decisionsOf(
  host: ReconcileHost,
  session: Session,
  journal: Journal,
  entries: readonly Entry[],
): Promise<Verdict[]> {
  const id = entries[0]?.requestId;
  const done = journal
    .of(session, id ?? "")
    .filter((one) => one.state === "done" && one.kind !== "create" && one.kind !== "sign")
    .filter(
      (one) => decisionOf(one) === decisionOf(entries[0] ?? one) && one.user === entries[0]?.user,
    );
  const look = async () => {
    try {
      const user = await ownId(host, session);
      return await reviewedOf(host.reader, session, user, entries, done.length);
    } catch {
      return undefined;
    }
  };
  const first = await look();
  const second = first?.includes("notGiven") === true ? await look() : first;
  return entries.map((entry, at): Verdict => {
    const { key } = entry;
    if (first?.[at] === "given")
      return { key, verdict: "found", ...(id === undefined ? {} : { id }) };
    const isAbsent = first?.[at] === "notGiven" && second?.[at] === "notGiven";
    return { key, verdict: isAbsent && !isEarly(host, entry) ? "absent" : "undetermined" };
  });
}

/** The server lists what *this* operator created: for another one's record that proves nothing. */
function isOf(entry: Entry, session: Session, uid: number | undefined): boolean {
  const { origin, basePath, workspace, user } = placeOf(session);
  const isThere = entry.origin === origin && entry.basePath === basePath;
  const isWho = entry.workspace === workspace && entry.user === user;
  return isThere && isWho && entry.uid === uid;
}

function knownVerdict(entry: Entry, session: Session, uid: number | undefined): Verdict {
  const { key, state, requestId } = entry;
  if (!isOf(entry, session, uid)) return { key, verdict: "undetermined" };
  if (state === "done" && requestId !== undefined) return { key, verdict: "found", id: requestId };
  return { key, verdict: state === "refused" || state === "absent" ? "absent" : "undetermined" };
}

/** A request on the server, as far as a record can be compared with it. */
interface Candidate {
  readonly id: string;
  readonly content: Exact | undefined;
  readonly note: string;
}

async function verdictsOf(
  host: ReconcileHost,
  session: Session,
  type: string,
  entries: readonly Entry[],
  claimed: ReadonlySet<string>,
): Promise<Verdict[]> {
  if (session.apiVersion === "v1") {
    const tagged = await taggedOnV1(host, session, entries, claimed);
    if (tagged.length > 0) {
      const keys = new Set(tagged.map(({ key }) => key));
      const others = entries.filter(({ key }) => !keys.has(key));
      const taken = new Set([...claimed, ...tagged.flatMap(({ id }) => id ?? [])]);
      return others.length === 0
        ? tagged
        : [...tagged, ...(await verdictsOf(host, session, type, others, taken))];
    }
  }
  const undetermined = entries.map(({ key }): Verdict => ({ key, verdict: "undetermined" }));
  const first = await candidatesOf(host, session, type, entries, claimed);
  if (first === undefined) return undetermined;
  const verdicts = await compareAll(host, entries, first);
  if (!verdicts.some(({ verdict }) => verdict === "absent")) return verdicts;
  const second = await candidatesOf(host, session, type, entries, claimed);
  if (second === undefined || second.length > 0) return undetermined;
  const late = entries.filter(
    (entry, index) => verdicts[index]?.verdict === "absent" && !isEarly(host, entry),
  );
  const doubted = await doubtedOf(host, session, { type, entries: late, claimed });
  const absent = new Set(late.flatMap(({ key }) => (doubted.has(key) ? [] : key)));
  return verdicts.map((verdict) => {
    const { key } = verdict;
    return verdict.verdict !== "absent" || absent.has(key)
      ? verdict
      : { key, verdict: "undetermined" };
  });
}

/**
 * Records that only the local clock dates, and that a request from before that time could be: the
 * clock may have been ahead then, by whatever time, and right since.
 */
async function doubtedOf(
  host: ReconcileHost,
  session: Session,
  {
    type,
    entries,
    claimed,
  }: {
    readonly type: string;
    readonly entries: readonly Entry[];
    readonly claimed: ReadonlySet<string>;
  },
): Promise<ReadonlySet<string>> {
  const undated = entries.filter((entry) => apiTimeOf(entry) === undefined);
  if (undated.length === 0) return new Set();
  const from = undated.map(({ apiBefore = 0 }) => apiBefore).reduce((a, b) => Math.min(a, b));
  const found = await candidatesOf(host, session, type, undated, claimed, from);
  const doubted = new Set<string>();
  for (const { key } of undated) {
    const body = await host.books.body(key);
    const couldBe = ({ content }: Candidate) => content === undefined || isEqual(body, content);
    if (found === undefined || found.some(couldBe)) doubted.add(key);
  }
  return doubted;
}

function isEarly(host: ReconcileHost, entry: Entry): boolean {
  return sinceLastByte(host, entry) < TOO_EARLY_MS || host.clock.ahead() === undefined;
}

/**
 * Ms since the last byte of an act can have left, by the local clock and by the API's; the shorter
 * one, so that a clock that was set ahead does not count. Below 0 while it can still leave. For a
 * record that only the local clock dates the API's alone counts, from the first look on.
 */
function sinceLastByte({ now, clock }: ReconcileHost, entry: Entry): number {
  const { time, sentBy, sendingMs = UNSAID_SENDING_MS } = entry;
  const sentAt = apiTimeOf(entry);
  if (sentAt === undefined) {
    const { apiAfter = Number.POSITIVE_INFINITY } = entry;
    return (clock.told() ?? 0) - apiAfter - (sentBy === undefined ? sendingMs : 0);
  }
  const took = sentBy === undefined ? sendingMs : Math.max(0, sentBy - time);
  const local = now() - time - took;
  const ahead = clock.ahead();
  return ahead === undefined ? local : Math.min(local, now() + ahead - sentAt - took);
}

/**
 * Keeps of records that only the local clock dates what time it is by the API's. Where it cannot be
 * kept they stay undetermined.
 */
async function dateAll(host: ReconcileHost, entries: readonly Entry[]): Promise<void> {
  const undated = entries.filter(isUndated);
  if (undated.length === 0 || host.clock.told() === undefined) return;
  const keep = host.books.alone(async (pages) => {
    for (const { key, sentBy } of undated) {
      const apiTime = host.clock.told();
      const entry = pages.journal().get(key);
      // One that ended since the server was asked is for the next look.
      if (apiTime === undefined || entry === undefined || entry.sentBy !== sentBy) continue;
      if (isUndated(entry)) pages.date({ key, apiTime: Math.ceil(apiTime) });
    }
  });
  await keep.catch((cause: unknown) => {
    if (!(cause instanceof CliError)) throw cause;
  });
}

function isUndated(entry: Entry): boolean {
  const isAsked = entry.kind !== "sign" && isUnsettled(entry);
  return isAsked && apiTimeOf(entry) === undefined && entry.apiAfter === undefined;
}

/** When an intent was written by the API's clock, ms since 1970; undefined where it says not. */
function apiTimeOf({ apiTime, clock }: Entry): number | undefined {
  return apiTime ?? clock;
}

/**
 * Unclaimed requests of that type by this user; undefined when not all were seen. They are of the
 * window of the entries, or of the time since `since` (ms since 1970; 0: of any time).
 */
async function candidatesOf(
  { reader, clock, books }: ReconcileHost,
  session: Session,
  type: string,
  entries: readonly Entry[],
  claimed: ReadonlySet<string>,
  since?: number,
): Promise<Candidate[] | undefined> {
  try {
    const createdBy = session.apiVersion === "v2" ? "me" : await ownNumber(reader, books, session);
    if (createdBy === undefined) return undefined;
    // One read tells the API's clock.
    if (clock.ahead() === undefined) await reader.read("requests.list", { pageSize: 1 });
    const ahead = clock.ahead();
    if (ahead === undefined) return undefined;
    // Without the API's own time the local clock may have been right then, or is right now.
    const times = entries.map((one) => apiTimeOf(one) ?? one.time + Math.min(0, ahead));
    const from = (since ?? Math.min(...times)) - WIDER_MS;
    const fromDate = from > 0 ? { fromDate: new Date(from).toISOString() } : {};
    const parameters = { type: [type], createdBy, ...fromDate, pageSize: 30 };
    const walk = walkPages(
      (position) => reader.read("requests.list", { ...parameters, ...position }),
      "pages",
      { limit: MOST_REQUESTS },
    );
    const found: Candidate[] = [];
    for (;;) {
      const page = await walk.next();
      if (page.done === true) return page.value.complete === true ? found : undefined;
      for (const request of page.value) {
        const candidate = await candidateOf(reader, session, request);
        if (candidate === undefined) return undefined;
        if (!claimed.has(candidate.id)) found.push(candidate);
      }
    }
  } catch {
    return undefined;
  }
}

/** V1's list of transactions is searched for the words of a note: one call for each tag. */
async function taggedOnV1(
  { reader, books }: ReconcileHost,
  session: Session,
  entries: readonly Entry[],
  claimed: ReadonlySet<string>,
): Promise<Verdict[]> {
  const found: Verdict[] = [];
  for (const { key, type, tagged } of entries) {
    if (tagged !== true) continue;
    try {
      const body = await books.body(key);
      const title = body && tagIn(body.text);
      if (title === undefined) continue;
      const listed = await reader.read("transactions.list", { title });
      for (const transaction of elements(member(listed, "results") ?? NOTHING)) {
        if (keyIn(transaction.text) !== key) continue;
        const targetId = member(transaction, "id")?.text ?? "";
        const about = await reader.read("requests.list", { targetId, type: [type ?? ""] });
        const [request, twin] = elements(member(about, "results") ?? NOTHING);
        const id = request && member(request, "id")?.text;
        if (request === undefined || id === undefined || twin !== undefined) continue;
        const content = await contentOf(reader, session, request);
        if (!claimed.has(id) && isEqual(body, content))
          found.push({ key, verdict: "found", id, certainty: "tag" });
      }
    } catch {
      // What cannot be looked up by its tag is looked for like the others.
    }
  }
  return found;
}

const NOTHING = new Exact("[]");

/** What `ownRequestsSince` needs; `from` is ms since 1970 by the API's clock. */
interface Search {
  readonly books: Books;
  readonly reader: Reader;
  readonly session: Session;
  readonly from: number;
}

const MOST_OF_A_SEARCH = 10_000;

/**
 * Requests that this operator created since then and the journal lacks; undefined where the API
 * does not say who is asking. A create whose outcome is unknown explains a request that asks for
 * the same.
 */
export async function ownRequestsSince({
  books,
  reader,
  session,
  from,
}: Search): Promise<
  { readonly unknown: readonly Exact[]; readonly isComplete: boolean } | undefined
> {
  const createdBy = session.apiVersion === "v2" ? "me" : await ownNumber(reader, books, session);
  if (createdBy === undefined) return undefined;
  const parameters = { createdBy, fromDate: new Date(from).toISOString(), pageSize: 30 };
  const walk = walkPages(
    (position) => reader.read("requests.list", { ...parameters, ...position }),
    "pages",
    { limit: MOST_OF_A_SEARCH },
  );
  const seen: Exact[] = [];
  let isComplete = false;
  for (;;) {
    const page = await walk.next();
    if (page.done === true) {
      isComplete = page.value.complete === true;
      break;
    }
    seen.push(...page.value);
  }
  // Read after the list: a request of ours was in the journal before it was on the server.
  const journal = books.read();
  const known = new Set([...journal.all()].flatMap(({ requestId }) => requestId ?? []));
  const open = [...journal.all()].filter(
    (entry) => entry.kind === "create" && (entry.state === "open" || isUnnamed(entry)),
  );
  const bodies = await Promise.all(open.map(({ key }) => books.body(key)));
  const unknown: Exact[] = [];
  for (const request of seen) {
    const id = member(request, "id");
    if (id === undefined || known.has(String(value(id)))) continue;
    const content = await contentOf(reader, session, request);
    if (!bodies.some((body) => isEqual(body, content))) unknown.push(request);
  }
  return { unknown, isComplete };
}

/** V1 does not say who is asking: the first request that was created here does. */
async function ownNumber(
  reader: Reader,
  books: Books,
  session: Session,
): Promise<string | undefined> {
  const own = [...books.read().all()].find(
    (entry) => entry.kind === "create" && entry.state === "done" && isOf(entry, session, entry.uid),
  );
  if (own?.requestId === undefined) return undefined;
  const creator = member(await reader.read("requests.get", { id: own.requestId }), "created_by");
  const id = creator && (member(creator, "id") ?? creator);
  return id !== undefined && /^\d+$/.test(id.text) ? id.text : undefined;
}

async function candidateOf(
  reader: Reader,
  session: Session,
  request: Exact,
): Promise<Candidate | undefined> {
  const id = member(request, "id");
  if (id === undefined) return undefined;
  const note = member(request, "note");
  const text = note === undefined ? "" : JSON.stringify(value(note));
  return { id: String(value(id)), note: text, content: await contentOf(reader, session, request) };
}

/** V1 shows what a request would do only in the transaction that it is about. */
async function contentOf(
  reader: Reader,
  session: Session,
  request: Exact,
): Promise<Exact | undefined> {
  const data = member(request, "data");
  if (session.apiVersion === "v2" || data !== undefined) return data;
  const target = member(request, "target_id");
  if (target === undefined || !/^\d+$/.test(target.text)) return undefined;
  if (member(request, "target_type")?.text !== '"TRANSACTION"') return undefined;
  return reader.read("requests.content", { targetId: target.text });
}

async function compareAll(
  { books }: ReconcileHost,
  entries: readonly Entry[],
  candidates: readonly Candidate[],
): Promise<Verdict[]> {
  const free = new Set(candidates);
  const verdicts = new Map<string, Verdict>();
  const bodies = new Map<string, Exact | undefined>();
  for (const { key } of entries) bodies.set(key, await books.body(key));
  for (const { key } of entries) {
    const tagged = [...free].find(
      ({ note, content }) => keyIn(note) === key && isEqual(bodies.get(key), content),
    );
    if (tagged === undefined) continue;
    free.delete(tagged);
    verdicts.set(key, { key, verdict: "found", id: tagged.id, certainty: "tag" });
  }
  const others = entries.filter(({ key }) => !verdicts.has(key));
  for (const alike of Map.groupBy(others, ({ likeness }) => likeness ?? "").values()) {
    const body = bodies.get(alike[0]?.key ?? "");
    // A request with another record's tag is that record's.
    const equal = [...free].filter(
      ({ content, note }) => keyIn(note) === undefined && isEqual(body, content),
    );
    for (const [index, { key }] of alike.entries()) {
      const one = equal[index];
      if (one !== undefined && equal.length === alike.length) {
        free.delete(one);
        verdicts.set(key, { key, verdict: "found", id: one.id, certainty: "content" });
      } else if (equal.length > 0)
        verdicts.set(key, { key, verdict: "ambiguous", candidates: equal.map(({ id }) => id) });
    }
  }
  const opaque = [...free].filter(({ content }) => content === undefined).map(({ id }) => id);
  return entries.map(({ key }) => {
    const verdict = verdicts.get(key);
    if (verdict !== undefined) return verdict;
    if (opaque.length > 0) return { key, verdict: "ambiguous", candidates: opaque };
    return { key, verdict: free.size > 0 || !bodies.get(key) ? "undetermined" : "absent" };
  });
}

/**
 * Whether a request on the server asks for what was sent: everything that both say agrees, and the
 * server says nothing of the content that was not sent. A member that the server leaves out is not
 * a difference on V1, which shows less.
 */
function isEqual(body: Exact | undefined, content: Exact | undefined): boolean {
  const sent = body && member(bareRequest(body), "data");
  if (sent === undefined || content === undefined) return false;
  const found: Findings = {
    differences: [],
    compared: new Set(),
    verified: new Set(),
    requestOnly: [],
  };
  const shown = rootOf(content);
  compareMembers(membersOf(shown), membersOf(rootOf(sent)), "server", found);
  const named = leavesOf(shown).filter(({ place }) => place.name !== "");
  const isExplained = named.every((leaf) => found.compared.has(leaf));
  return found.verified.size > 0 && found.differences.length === 0 && isExplained;
}

/** Writes a verdict that closes the record to both logs. */
async function settle(
  host: ReconcileHost,
  session: Session,
  { key, verdict, id }: Verdict,
): Promise<void> {
  if (verdict !== "found" && verdict !== "absent") return;
  await host.books.alone(async (pages) => {
    const entry = pages.journal().get(key);
    if (entry === undefined || !isUnsettled(entry)) return;
    const isFreed = verdict === "absent" && sinceLastByte(host, entry) >= FREED_MS;
    if (entry.state === "absent" && verdict === "absent" && !isFreed) return;
    const state = verdict === "found" ? "done" : "absent";
    const end = { key, state, requestId: id, freed: isFreed ? true : undefined } as const;
    const request = { id, type: entry.type };
    const result = { code: verdict.toUpperCase() };
    const command = "requests reconcile";
    pages.close("reconciled", end, { event: "reconciled", key, command, session, request, result });
  });
}
