/**
 * From a document to a new request: check, tag, record, send, and what the server made of it. One
 * definition for a process that sends itself and for a guard that sends for others.
 */
import { CliError } from "../errors.ts";
import { Exact, encode, member } from "../io/json.ts";
import type { Log } from "../io/log.ts";
import type { Intent } from "./acts.ts";
import type { Api, Reader } from "./api/api.ts";
import type { Draft } from "./api/draft.ts";
import { requestIdOf } from "./api/requestid.ts";
import type { CheckOptions, UnknownType } from "./meaning/check.ts";
import { checkNew } from "./meaning/known.ts";
import type * as Meaning from "./meaning/meaning.ts";
import { type COINS, readCoinRequest, readNewRequest } from "./signing/creation.ts";
import { bareRequest } from "./signing/likeness.ts";
import { notAsSent } from "./signing/sent.ts";
import type { Books } from "./state/books.ts";
import type { Records } from "./state/records.ts";
import type { Session, SessionStore } from "./state/session.ts";
import { requireNoTag, tagOf, withTag } from "./state/tag.ts";

/** A request that is to be created. */
export interface CreationOrder {
  readonly requestData: Exact;
  /** The coin at whose own address it is created. */
  readonly coin: (typeof COINS)[number] | undefined;
  readonly allowUnknown: boolean;
  readonly tag: boolean;
  /** The key of the record that is repeated on purpose. */
  readonly again: string | undefined;
}

/** Creates requests. */
export interface Creations {
  /** Sends the request once; returns the API's answer with the record's key. */
  create(order: CreationOrder): Promise<Exact>;
}

/** Shows what would be created. */
export interface DryRuns {
  /**
   * The request as it would be sent, and what it means; throws what `create` would throw before.
   */
  create(order: CreationOrder & { readonly noSummary: boolean }): Promise<unknown>;
}

interface Common {
  readonly books: Books;
  readonly log: Log;
  /** Whether the policy has every note tagged. */
  tagsNotes(): Promise<boolean>;
  check(document: Exact, options: CheckOptions): Promise<UnknownType | undefined>;
}

export interface CreationHost extends Common {
  readonly api: Api;
  readonly records: Records;
  /** Told what the server dropped or changed of a new request. */
  notAsSent?(session: Session, key: string): Promise<void>;
}

export interface DryRunHost extends Common {
  readonly draft: Draft;
  readonly reader: Reader;
  readonly sessions: Pick<SessionStore, "read">;
  readonly meaning: Pick<typeof Meaning, "summaryOf" | "summaryWithSimilar">;
  /** Throws what the policy would throw for this act, and warns of a duplicate. */
  judge(intent: Intent): Promise<void>;
  now(): number;
}

/**
 * Where a request is created, and the request out of its envelope. Throws INVALID_REQUEST_DATA, and
 * INVALID_ARGUMENT for a tag where no note can have it.
 */
function creationOf(document: Exact, coin: CreationOrder["coin"], tag: boolean) {
  if (coin === undefined)
    return { operation: "requests.create" as const, request: readNewRequest(document) };
  if (tag)
    throw new CliError("INVALID_ARGUMENT", {
      message: "A request for one coin has no note that a tag could end.",
      field: "--tag",
    });
  return { operation: "requests.createSui" as const, request: readCoinRequest(document) };
}

const MOST_NAMED = 5;

function sentenceOf(places: readonly string[]): string {
  const more = places.length > MOST_NAMED ? ` and ${places.length - MOST_NAMED} more` : "";
  return `The server's copy of the new request differs from what was sent: ${places.slice(0, MOST_NAMED).join(", ")}${more}. Do not approve it before a person has checked it.`;
}

const SAME_ID =
  "The server gave this request the id of another one that was created here. Do not approve it before a person has checked both.";

/** Members that a line of the audit trail names at most. */
const MOST_CHANGES = 10;
const COMMAND = "requests create";

/** Creates through this process's own API, journal and records. */
export function createCreations(host: CreationHost): Creations {
  const { api, records, books, log } = host;
  return {
    async create({ requestData, coin, allowUnknown, again, ...order }) {
      const tag = order.tag || (coin === undefined && (await host.tagsNotes()));
      requireNoTag(creationOf(requestData, coin, tag).request);
      // Asked for before: after the write nothing but its own outcome may decide what is reported.
      const session = await api.session();
      if (coin === undefined)
        await checkNew(host, requestData, { version: session.apiVersion, allowUnknown });
      const key = books.newKey();
      const document = tag
        ? withTag(requestData, tagOf(key, books.audit.head()?.hash))
        : requestData;
      const { operation, request } = creationOf(document, coin, tag);
      const creation = { key, tagged: tag, again };
      const answer = await api.write(operation, {}, document, undefined, creation);
      const changed = notAsSent(request, answer);
      if (changed.length > 0) {
        log.warn("NOT_AS_SENT", sentenceOf(changed));
        const result = { code: "NOT_AS_SENT", notAsSent: changed.slice(0, MOST_CHANGES) };
        await books.note({ event: "outcome", key, command: COMMAND, session, result });
        await host.notAsSent?.(session, key);
      }
      const created = requestIdOf(answer);
      if (created === undefined)
        log.warn(
          "RECORD_NOT_KEPT",
          "The server named no id for the new request. Do not repeat it: 'requests reconcile' finds it, by the key in this answer.",
        );
      else if (!(await records.keepCreated(session, created, request))) {
        log.warn("NOT_AS_SENT", SAME_ID);
        await host.notAsSent?.(session, key);
      }
      if (member(answer, "key") !== undefined)
        log.warn("KEY_NOT_SHOWN", `The answer has a 'key' of its own; the record's key is ${key}.`);
      return withKey(answer, key);
    },
  };
}

/** Shows what `createCreations` would send; sends reads only. */
export function createDryRuns(host: DryRunHost): DryRuns {
  const { draft, books, meaning, reader, sessions } = host;
  return {
    async create({ requestData: given, coin, allowUnknown, noSummary, ...order }) {
      const tag = order.tag || (coin === undefined && (await host.tagsNotes()));
      requireNoTag(creationOf(given, coin, tag).request);
      const document = tag ? withTag(given, tagOf(books.newKey(), undefined)) : given;
      const { operation, request } = creationOf(document, coin, tag);
      const described = await draft.describe(operation, {}, document);
      const session = await sessions.read();
      if (session !== undefined) {
        const common = { command: COMMAND, requestId: undefined, content: undefined };
        const { again } = order;
        await host.judge({ kind: "create", operation, session, body: document, again, ...common });
      }
      if (coin !== undefined) return { dryRun: true, request: described };
      const version = await draft.version();
      await checkNew(host, given, { version, allowUnknown });
      const shown = { dryRun: true, request: described };
      if (noSummary) return shown;
      if (session === undefined)
        return { ...shown, summary: await meaning.summaryOf(request, "request", undefined) };
      return { ...shown, ...(await meaning.summaryWithSimilar(reader, request, host.now())) };
    },
  };
}

/**
 * A request as it was created here, by the journal: what was sent outlives a process that was
 * killed before it kept a record. Several where a server gave one id to several.
 */
export async function journalled(books: Books, scope: Session, id: string): Promise<Exact[]> {
  try {
    const entries = books
      .read()
      .of(scope, id)
      .filter(({ kind }) => kind === "create");
    const bodies = await Promise.all(entries.map(({ key }) => books.body(key)));
    return bodies.flatMap((body) => (body === undefined ? [] : [bareRequest(body)]));
  } catch (cause) {
    // A review is a read: a broken journal stops what comes after it.
    if (cause instanceof CliError) return [];
    throw cause;
  }
}

/** The answer with the key after the API's own members. */
function withKey(answer: Exact, key: string): Exact {
  if (!answer.text.startsWith("{") || member(answer, "key") !== undefined) return answer;
  const own = answer.text.slice(0, -1);
  return new Exact(`${own}${own === "{" ? "" : ","}"key":${encode(key)}}`);
}
