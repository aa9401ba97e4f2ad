/**
 * The control path: what the sandbox does on demand, for tests and for people who build agents. Loopback only, like the whole
 * server; calls need no bearer, take strict JSON and are not part of the log. In process the same stands on `Sandbox.control`.
 *
 * `POST /_sandbox/faults` — one fault: `{"match":{"method":"GET","path":"/accounts*","times":2},"status":503}`. `path` is compared with
 * the path below the API's base (or the whole path), exactly, or as a prefix when it ends in `*`; `times` defaults to 1, 0 means until
 * cleared; the first fault that fits is used. Actions, one or several:
 *   `latencyMs` wait before the answer · `status`, `headers`, `body` or `bodyBase64`, `contentType` (empty: none) replace those of the
 *   answer · `redirect` {status, location} · `cutBody` n: announce all, send n bytes, close · `trickle` {bytes, everyMs} · `reset` the
 *   connection · `hang` "answer" (nothing comes) or "body" (headers come) · `raw` base64 of everything to send instead of HTTP ·
 *   `expireTokens`, `revokeSessions` before the call is looked at.
 *   `execute` says whether the call takes effect at all: by default not with status, body, raw, redirect, reset and hang.
 * `DELETE /_sandbox/faults` clears them.
 * `GET /_sandbox/log` — `{"requests":[{at,method,path,query,headers,body,status}]}`, oldest first; `DELETE` empties it.
 * `POST /_sandbox/clock` {"advanceSeconds":n} — only when the sandbox has its own clock.
 * `POST /_sandbox/requests/{id}/review` {"userId","decision":"APPROVE"|"REJECT"} — somebody else reviews.
 * `POST /_sandbox/switches` — any of Switches; the others stay. `GET` shows them.
 */
import { CHALLENGE_DEFAULTS, type ChallengeSwitches } from "./challenge.ts";
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
  record,
  Refusal,
  text,
} from "./schema.ts";

export interface Fault {
  readonly match?: { readonly method?: string; readonly path?: string; readonly times?: number };
  readonly execute?: boolean;
  readonly latencyMs?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly bodyBase64?: string;
  readonly contentType?: string;
  readonly redirect?: { readonly status: number; readonly location: string };
  readonly cutBody?: number;
  readonly trickle?: { readonly bytes: number; readonly everyMs: number };
  readonly reset?: true;
  readonly hang?: "answer" | "body";
  readonly raw?: string;
  readonly expireTokens?: true;
  readonly revokeSessions?: true;
}

export interface Switches extends ChallengeSwitches {
  /** Tokens that are no JWTs. */
  opaqueTokens: boolean;
  /** At most `limit` calls in `windowSeconds`; then 420 with X-RateLimit-* and Retry-After. */
  rateLimit: { readonly limit: number; readonly windowSeconds: number } | null;
  /** Of the sandbox operator: */
  isSuspended: boolean;
  legacyViewAll: boolean;
  /** The registered public key, 130 hexadecimal digits. */
  pubKey: string;
  apiKeySecret: string;
}

export interface LogEntry {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** As it came, without the question mark. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Undefined while there is no answer, and when none was sent. */
  status?: number;
}

/** The switches in process. Each throws Refusal 400 for what the HTTP form would refuse. */
export interface Control {
  addFault(fault: Fault): void;
  clearFaults(): void;
  readonly log: readonly LogEntry[];
  clearLog(): void;
  /** Only with the sandbox's own clock. */
  advanceClock(seconds: number): void;
  review(requestId: string, userId: string, decision: Decision): void;
  set(switches: Partial<Switches>): void;
  readonly switches: Readonly<Switches>;
}

const yes: Check = (value, at) => (value === true ? [] : [`Invalid input at ${at}: expected true`]);
const whole = number(0, 1e9);
const status = number(0, 999);
const oneOrMore: Check = (value, at) => (Array.isArray(value) ? list(text())(value, at) : text()(value, at));
const base64 = text(/^[A-Za-z0-9+/]*={0,2}$/, "base64");

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
    reset: yes,
    hang: choice("answer", "body"),
    raw: base64,
    expireTokens: yes,
    revokeSessions: yes,
  },
);

const SWITCHES = record(
  {},
  {
    challengeShape: choice("data", "transactionProperties"),
    freshChallenges: flag,
    alterChallenge: nullable(mapOf(anything)),
    duplicateInChallenge: nullable(text()),
    challengeBytes: nullable(base64),
    opaqueTokens: flag,
    rateLimit: nullable(record({ limit: number(0, 1e6), windowSeconds: number(0, 1e6, true) })),
    isSuspended: flag,
    legacyViewAll: flag,
    pubKey: text(/^04[0-9a-f]{128}$/i, "130 hexadecimal digits"),
    apiKeySecret: text(),
  },
);

const LONGEST_LOG = 5000;

/** What control needs of the rest: the clock may be absent, when it belongs to somebody else. */
export interface Controlled {
  readonly world: World;
  readonly operatorId: string;
  readonly switches: Switches;
  readonly advance: ((milliseconds: number) => void) | undefined;
}

export class Controls implements Control {
  readonly #parts: Controlled;
  readonly #faults: { readonly fault: Fault; left: number }[] = [];
  readonly #log: LogEntry[] = [];
  #window = { start: 0, calls: 0 };

  constructor(parts: Controlled) {
    this.#parts = parts;
  }

  get log(): readonly LogEntry[] {
    return this.#log;
  }

  get switches(): Readonly<Switches> {
    return this.#parts.switches;
  }

  addFault(fault: Fault): void {
    insist(FAULT, fromPlain(fault), "fault");
    this.#faults.push({ fault, left: fault.match?.times === 0 ? Number.POSITIVE_INFINITY : (fault.match?.times ?? 1) });
  }

  clearFaults(): void {
    this.#faults.length = 0;
  }

  clearLog(): void {
    this.#log.length = 0;
  }

  record(entry: LogEntry): void {
    this.#log.push(entry);
    if (this.#log.length > LONGEST_LOG) this.#log.shift();
  }

  advanceClock(seconds: number): void {
    if (this.#parts.advance === undefined) throw new Refusal(400, "The clock belongs to whoever started the sandbox");
    this.#parts.advance(seconds * 1000);
  }

  review(requestId: string, userId: string, decision: Decision): void {
    const { governance, workspace } = this.#parts.world;
    governance.advance();
    const request = workspace.requests.get(requestId);
    if (request === undefined) throw new Refusal(404, "No such request");
    governance.decide(request, userId, decision);
  }

  set(given: Partial<Switches>): void {
    insist(SWITCHES, fromPlain(given), "switches");
    const { switches, world, operatorId } = this.#parts;
    Object.assign(switches, given);
    this.#window = { start: 0, calls: 0 };
    world.sessions.opaque = switches.opaqueTokens;
    const { isSuspended, legacyViewAll, pubKey, apiKeySecret } = switches;
    const operator = world.workspace.users.get(operatorId);
    if (operator !== undefined) Object.assign(operator, { isSuspended, legacyViewAll, pubKey });
    for (const credential of world.workspace.credentials) {
      if (credential.userId === operatorId) credential.apiKeySecret = apiKeySecret;
    }
  }

  /** The fault for a call, counted as used. `paths` are the spellings that a fault may name it by. */
  takeFault(method: string, paths: readonly string[]): Fault | undefined {
    const found = this.#faults.find(({ fault: { match }, left }) => {
      const wanted = match?.path;
      const fits = (path: string) => (wanted?.endsWith("*") ? path.startsWith(wanted.slice(0, -1)) : path === wanted);
      return left > 0 && (match?.method ?? method) === method && (wanted === undefined || paths.some(fits));
    });
    if (found === undefined) return undefined;
    found.left--;
    if (found.fault.expireTokens) this.#parts.world.sessions.expireAccess();
    if (found.fault.revokeSessions) this.#parts.world.sessions.revokeAll();
    return found.fault;
  }

  /** Counts a call against the limit: its headers, and whether it is one too many. */
  countCall(): { readonly isOver: boolean; readonly headers: Readonly<Record<string, string>> } {
    const { rateLimit } = this.#parts.switches;
    if (rateLimit === null) return { isOver: false, headers: {} };
    const now = this.#parts.world.clock();
    const windowMs = rateLimit.windowSeconds * 1000;
    if (now >= this.#window.start + windowMs) this.#window = { start: now, calls: 0 };
    const isOver = ++this.#window.calls > rateLimit.limit;
    const end = this.#window.start + windowMs;
    return {
      isOver,
      headers: {
        "x-ratelimit-limit": `${rateLimit.limit}`,
        "x-ratelimit-remaining": `${Math.max(0, rateLimit.limit - this.#window.calls)}`,
        "x-ratelimit-reset": `${Math.ceil(end / 1000)}`,
        ...(isOver ? { "retry-after": `${Math.max(1, Math.ceil((end - now) / 1000))}` } : {}),
      },
    };
  }

  /** Serves one call of the control path; `path` stands below `/_sandbox`. Throws Refusal. */
  handle(method: string, path: string, body: Json | undefined): unknown {
    const checked = <T>(check: Check): T => {
      insist(check, body ?? null, "body");
      return toPlain(body ?? null) as T;
    };
    const review = /^\/requests\/([^/]+)\/review$/.exec(path)?.[1];
    if (method === "POST" && review !== undefined) {
      const given = checked<{ userId: string; decision: Decision }>(
        record({ userId: text(), decision: choice("APPROVE", "REJECT") }),
      );
      this.review(review, given.userId, given.decision);
      return {};
    }
    const actions: Readonly<Record<string, () => unknown>> = {
      "POST /faults": () => this.addFault(checked<Fault>(FAULT)),
      "DELETE /faults": () => this.clearFaults(),
      "GET /log": () => ({ requests: this.#log }),
      "DELETE /log": () => this.clearLog(),
      "POST /clock": () =>
        this.advanceClock(
          checked<{ advanceSeconds: number }>(record({ advanceSeconds: number(0, 1e10, true) })).advanceSeconds,
        ),
      "POST /switches": () => this.set(checked<Partial<Switches>>(SWITCHES)),
      "GET /switches": () => this.#parts.switches,
    };
    const action = Object.hasOwn(actions, `${method} ${path}`) ? actions[`${method} ${path}`] : undefined;
    if (action === undefined) throw new Refusal(404, "No such control");
    return action() ?? {};
  }
}

/** Does the call take effect, although its answer is spoilt? */
export function executes({ execute, status, body, bodyBase64, raw, redirect, reset, hang }: Fault): boolean {
  return execute ?? [status, body, bodyBase64, raw, redirect, reset, hang].every((action) => action === undefined);
}

/** Switches as they stand at the start, for an operator. */
export function initialSwitches(
  operator: Pick<Switches, "isSuspended" | "legacyViewAll" | "pubKey" | "apiKeySecret">,
): Switches {
  const { isSuspended, legacyViewAll, pubKey, apiKeySecret } = operator;
  return {
    ...CHALLENGE_DEFAULTS,
    opaqueTokens: false,
    rateLimit: null,
    isSuspended,
    legacyViewAll,
    pubKey,
    apiKeySecret,
  };
}
