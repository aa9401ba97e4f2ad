/**
 * The control path: faults, switches and the log, for tests and for people who build agents.
 * Loopback only, like the whole server. Calls need no bearer, take strict JSON and are not part of
 * the log. In process the same is on `Sandbox.control`.
 *
 * `POST /_sandbox/faults` sets one fault:
 * `{"match":{"method":"GET","path":"/accounts*","times":2},"status":503}`. `path` is compared with
 * the path below the API's base, or with the whole path: exactly, or as a prefix when it ends in
 * `*`. `times` is 1 by default; 0 means until cleared. The first fault that fits is used. A fault
 * has one or several actions:
 *
 * - `latencyMs`: wait before the call takes effect, at most until the faults are cleared. A client
 *   that gives up meanwhile has changed nothing.
 * - `status`, `headers`, `body` or `bodyBase64`, `contentType` (empty: none): replace those of the
 *   answer.
 * - `redirect`: {status, location}.
 * - `cutBody`: n, announce all, send n bytes, close.
 * - `trickle`: {bytes, everyMs}.
 * - `reset`: reset the connection.
 * - `hang`: "answer" (nothing comes) or "body" (headers come).
 * - `raw`: base64 of everything to send instead of HTTP.
 * - `expireTokens`, `revokeSessions`: done before the call is looked at.
 * - `execute`: whether the call takes effect at all; by default not with status, body, raw,
 *   redirect, reset and hang.
 *
 * `DELETE /_sandbox/faults` clears them.
 *
 * `GET /_sandbox/log` returns `{"requests":[{at,method,path,query,headers,body,status}]}`, oldest
 * first, the last 5000 and at most 16 MiB of them; `DELETE` empties it.
 *
 * `POST /_sandbox/clock` {"advanceSeconds":n}: only when the sandbox has its own clock.
 *
 * `POST /_sandbox/requests/{id}/review` {"userId","decision":"APPROVE"|"REJECT"}: another user
 * reviews.
 *
 * `POST /_sandbox/switches`: any of SWITCHES below; the others stay. `GET` shows them.
 */
import type { Decision } from "./governance.ts";
import { fromPlain, type Json, toPlain } from "./json.ts";
import type { World } from "./routes.ts";
import {
  anything,
  type Check,
  choice,
  flag,
  insist,
  list,
  mapOf,
  nullable,
  number,
  type Of,
  Refusal,
  record,
  text,
} from "./schema.ts";

const whole = number(0, 1e9);
const status = number(100, 999);
const base64 = text(/^[A-Za-z0-9+/]*={0,2}$/, "base64");
const oneOrMore: Check<string | string[]> = (value, at) =>
  (Array.isArray(value) ? list(text()) : text())(value, at);

const FAULT = record(
  {},
  {
    match: record({}, { method: text(/^[A-Z]+$/), path: text(/^\//, "a path"), times: whole }),
    execute: flag,
    latencyMs: whole,
    status,
    headers: mapOf(oneOrMore),
    body: text(),
    bodyBase64: base64,
    contentType: text(),
    redirect: record({ status, location: text() }),
    cutBody: whole,
    trickle: record({ bytes: number(1, 1e9), everyMs: whole }),
    reset: flag,
    hang: choice("answer", "body"),
    raw: base64,
    expireTokens: flag,
    revokeSessions: flag,
  },
);

const SWITCHES = record(
  {},
  {
    /**
     * `transactionProperties`: the second published shape, `{"Transaction
     * properties":{…},"challenge":"<64 hex>"}`.
     */
    challengeShape: choice("data", "transactionProperties"),
    /** Each GET issues a new challenge and voids the last. */
    freshChallenges: flag,
    /**
     * Path in the payload (`data.transaction_data.amount`) → value to put there; null removes the
     * leaf.
     */
    alterChallenge: nullable(mapOf(anything)),
    /** Path of a member that is written twice. */
    duplicateInChallenge: nullable(text()),
    /** Decimals of coins and tokens in the lists: as they are, two too few, or left out. */
    assetDecimals: choice("right", "wrong", "missing"),
    /** Base64 of the whole payload, whatever it is. */
    challengeBytes: nullable(base64),
    /** Tokens that are not JWTs. */
    opaqueTokens: flag,
    /**
     * Most calls in a window; then 429 on V2 and 420 on V1, or `status`, with
     * X-RateLimit-* and Retry-After.
     */
    rateLimit: nullable(
      record(
        { limit: number(0, 1e6), windowSeconds: number(0, 1e6, true) },
        { status: number(420, 429) },
      ),
    ),
    /** Drop names that an operation does not have, in silence, instead of refusing them. */
    dropUnknown: flag,
    /** Names that the server does not know, in queries and, at any depth, in bodies. */
    unknownNames: list(text()),
    /** V2: errors without `data`, as the framework's older versions had them. */
    bareErrors: flag,
    /** Operations that the server does not have, such as `GET /requests/{id}/challenge`. */
    missingOperations: list(text(/^(GET|POST) \//, "a method and a path")),
    /** V2: the status of a review of a request that does not exist; neither is documented. */
    missingRequestStatus: number(400, 404),
    /** V2: the live balance is inside `asset`, and not on the account. */
    assetBalance: flag,
    /** Lists show a new request only this much later; its own address shows it at once. */
    listDelaySeconds: number(0, 1e6, true),
    /** Notes of new requests are cut to this number of characters of title and of content. */
    cutNotes: nullable(whole),
    /** The account decides which asset moves, whatever contract a request names (A21). */
    accountDecides: flag,
    /** Of the sandbox operator, as the rest: */
    isSuspended: flag,
    legacyViewAll: flag,
    pubKey: text(/^04[0-9a-f]{128}$/i, "130 hexadecimal digits"),
    apiKeySecret: text(),
  },
);

export type Fault = Of<typeof FAULT>;
export type Switches = Required<Of<typeof SWITCHES>>;
type OperatorSwitches = Pick<Switches, "isSuspended" | "legacyViewAll" | "pubKey" | "apiKeySecret">;

/** Switches at the start. */
export function initialSwitches(operator: OperatorSwitches, freshChallenges: boolean): Switches {
  const { isSuspended, legacyViewAll, pubKey, apiKeySecret } = operator;
  const challenge = {
    challengeShape: "data",
    freshChallenges,
    alterChallenge: null,
    duplicateInChallenge: null,
    challengeBytes: null,
  } as const;
  return {
    ...challenge,
    assetDecimals: "right",
    opaqueTokens: false,
    rateLimit: null,
    dropUnknown: false,
    unknownNames: [],
    bareErrors: false,
    missingOperations: [],
    missingRequestStatus: 404,
    assetBalance: false,
    listDelaySeconds: 0,
    cutNotes: null,
    accountDecides: false,
    isSuspended,
    legacyViewAll,
    pubKey,
    apiKeySecret,
  };
}

export interface LogEntry {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** As it came, without the question mark. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Absent while there is no answer, and when none was sent. */
  status?: number;
}

/** The switches in process. Each throws Refusal 400 for what the HTTP form would refuse. */
export type Control = Pick<
  Controls,
  "addFault" | "clearFaults" | "log" | "clearLog" | "advanceClock" | "review" | "set" | "switches"
>;

const LONGEST_LOG = 5000;
const LARGEST_LOG_BYTES = 16 * 1024 * 1024;
const REVIEW = record({ userId: text(), decision: choice("APPROVE", "REJECT") });
const CLOCK = record({ advanceSeconds: number(0, 1e10, true) });

export class Controls {
  readonly switches: Readonly<Switches>;
  readonly log: LogEntry[] = [];
  readonly #world: World;
  readonly #operatorId: string;
  readonly #advance: ((milliseconds: number) => void) | undefined;
  readonly #faults: { readonly fault: Fault; left: number }[] = [];
  #window = { start: 0, calls: 0 };
  #released = new AbortController();
  readonly #initial: Readonly<Record<string, string>>;
  #logBytes = 0;

  /**
   * `switches` is shared with the parts that obey them; `advance` is absent when the clock belongs
   * to somebody else.
   */
  constructor(
    world: World,
    operatorId: string,
    switches: Switches,
    advance: ((milliseconds: number) => void) | undefined,
  ) {
    this.#world = world;
    this.#operatorId = operatorId;
    this.switches = switches;
    this.#initial = Object.fromEntries(
      Object.entries(switches).map(([name, value]) => [name, JSON.stringify(value)]),
    );
    this.#advance = advance;
  }

  addFault(fault: Fault): void {
    insist(FAULT, fromPlain(fault), "fault");
    const times = fault.match?.times ?? 1;
    this.#faults.push({ fault, left: times === 0 ? Number.POSITIVE_INFINITY : times });
  }

  /** What is switched on, one line each, for the page. */
  active(): string[] {
    const faults = this.#faults
      .filter(({ left }) => left > 0)
      .map(({ fault, left }) => {
        const { match, ...actions } = fault;
        const what = Object.entries(actions).map(
          ([name, value]) => `${name} ${JSON.stringify(value)}`,
        );
        const where = `${match?.method ?? "any call"} ${match?.path ?? ""}`.trim();
        const times = Number.isFinite(left) ? `${left} more` : "until cleared";
        return `${where}: ${what.join(", ")} (${times})`;
      });
    const switched = Object.entries(this.switches).flatMap(([name, value]) =>
      JSON.stringify(value) === this.#initial[name] || name === "apiKeySecret"
        ? []
        : [`${name}: ${JSON.stringify(value)}`],
    );
    return [...faults, ...switched];
  }

  clearFaults(): void {
    this.#faults.length = 0;
    this.#released.abort();
    this.#released = new AbortController();
  }

  /** Fires when the faults of now are cleared. */
  get released(): AbortSignal {
    return this.#released.signal;
  }

  clearLog(): void {
    this.log.length = 0;
    this.#logBytes = 0;
  }

  record(entry: LogEntry): void {
    this.log.push(entry);
    this.#logBytes += sizeOf(entry);
    while (this.log.length > LONGEST_LOG || this.#logBytes > LARGEST_LOG_BYTES) {
      const oldest = this.log.shift();
      if (oldest === undefined) return;
      this.#logBytes -= sizeOf(oldest);
    }
  }

  advanceClock(seconds: number): void {
    if (this.#advance === undefined)
      throw new Refusal(400, "The clock belongs to the program that started the sandbox");
    this.#advance(seconds * 1000);
  }

  review(requestId: string, userId: string, decision: Decision): void {
    const { governance, workspace } = this.#world;
    governance.advance();
    const request = workspace.requests.get(requestId);
    if (request === undefined) throw new Refusal(404, "No such request");
    governance.decide(request, userId, decision);
  }

  set(given: Partial<Switches>): void {
    insist(SWITCHES, fromPlain(given), "switches");
    Object.assign(this.switches, given);
    this.#window = { start: 0, calls: 0 };
    const { sessions, workspace } = this.#world;
    const { isSuspended, legacyViewAll, pubKey, apiKeySecret, opaqueTokens } = this.switches;
    sessions.isOpaque = opaqueTokens;
    const { listDelaySeconds, cutNotes, accountDecides } = this.switches;
    workspace.habits = { listDelaySeconds, cutNotes, accountDecides };
    Object.assign(workspace.users.get(this.#operatorId) ?? {}, {
      isSuspended,
      legacyViewAll,
      pubKey,
    });
    for (const credential of workspace.credentials) {
      if (credential.userId === this.#operatorId) credential.apiKeySecret = apiKeySecret;
    }
  }

  /**
   * The fault for a call, counted as used. `paths` are the spellings by which a fault may name it.
   */
  takeFault(method: string, paths: readonly string[]): Fault | undefined {
    const found = this.#faults.find(({ fault: { match }, left }) => {
      const wanted = match?.path ?? "*";
      const fits = (path: string) =>
        wanted.endsWith("*") ? path.startsWith(wanted.slice(0, -1)) : path === wanted;
      return left > 0 && (match?.method ?? method) === method && paths.some(fits);
    });
    if (found === undefined) return undefined;
    found.left--;
    if (found.fault.expireTokens === true) this.#world.sessions.expireAccess();
    if (found.fault.revokeSessions === true) this.#world.sessions.revokeAll();
    return found.fault;
  }

  /** Counts a call against the limit: its headers, and whether it is one too many. */
  countCall(): { readonly isOver: boolean; readonly headers: Readonly<Record<string, string>> } {
    const { rateLimit } = this.switches;
    if (rateLimit === null) return { isOver: false, headers: {} };
    const now = this.#world.clock();
    const windowMs = rateLimit.windowSeconds * 1000;
    if (now >= this.#window.start + windowMs) this.#window = { start: now, calls: 0 };
    const left = rateLimit.limit - ++this.#window.calls;
    const end = this.#window.start + windowMs;
    const headers = {
      "x-ratelimit-limit": `${rateLimit.limit}`,
      "x-ratelimit-remaining": `${Math.max(0, left)}`,
      "x-ratelimit-reset": `${Math.ceil(end / 1000)}`,
    };
    if (left >= 0) return { isOver: false, headers };
    return {
      isOver: true,
      headers: { ...headers, "retry-after": `${Math.max(1, Math.ceil((end - now) / 1000))}` },
    };
  }

  /** Serves one call of the control path; `path` is below `/_sandbox`. Throws Refusal. */
  handle(method: string, path: string, body: Json = null): unknown {
    const checked = <T>(check: Check<T>): T => {
      insist(check, body, "body");
      return toPlain(body) as T;
    };
    const id = /^\/requests\/([^/]+)\/review$/.exec(path)?.[1];
    const actions: Readonly<Record<string, () => unknown>> = {
      "POST /faults": () => this.addFault(checked(FAULT)),
      "DELETE /faults": () => this.clearFaults(),
      "GET /log": () => ({ requests: this.log }),
      "DELETE /log": () => this.clearLog(),
      "POST /clock": () => this.advanceClock(checked(CLOCK).advanceSeconds),
      "POST /switches": () => this.set(checked(SWITCHES)),
      "GET /switches": () => this.switches,
      [`POST /requests/${id}/review`]: () => {
        const { userId, decision } = checked(REVIEW);
        this.review(id ?? "", userId, decision);
      },
    };
    const name = `${method} ${path}`;
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (action === undefined) throw new Refusal(404, "No such control");
    return action() ?? {};
  }
}

/** Bytes that an entry keeps, to a close estimate; its status comes later and does not count. */
function sizeOf({ path, query, headers, body }: LogEntry): number {
  return path.length + query.length + body.length + JSON.stringify(headers).length;
}

/** Does the call take effect, although its answer is spoilt? */
export function executes({
  execute,
  status,
  body,
  bodyBase64,
  raw,
  redirect,
  reset,
  hang,
}: Fault): boolean {
  return (
    execute ??
    [status, body, bodyBase64, raw, redirect, reset, hang].every(
      (action) => action === undefined || action === false,
    )
  );
}
