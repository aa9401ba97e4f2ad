/**
 * The one session: its file, and keeping its tokens fresh under a lock (SES-4…8). The file holds
 * tokens and facts about the login, never the API key secret or the private key.
 */

import * as v from "valibot";
import { CliError } from "../../errors.ts";
import { parsePlain } from "../../io/json.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Config } from "../auth/config.ts";
import { type Endpoint, sameEndpoint } from "../auth/endpoint.ts";
import { readClaims } from "./claims.ts";
import type { StateFolder } from "./folder.ts";

/** What may go into a header or a file (NET-8). */
export const TOKEN = /^[A-Za-z0-9._~+/=-]{1,16384}$/;

const Token = v.pipe(v.string(), v.regex(TOKEN));
const Time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Lifetime = v.pipe(v.number(), v.finite(), v.minValue(0));

const Tokens = v.strictObject({
  access: Token,
  /** Absent where the server sends none: the session then ends with the access token. */
  refresh: v.optional(Token),
  /** Local time of receipt, ms since 1970. */
  receivedAt: Time,
  expiresInSeconds: Lifetime,
  refreshExpiresInSeconds: v.optional(Lifetime),
});

const User = v.strictObject({
  id: v.optional(v.pipe(v.string(), v.maxLength(256))),
  name: v.optional(v.pipe(v.string(), v.maxLength(1024))),
  /** Registered public key: 130 hexadecimal digits, any case (KEY-4). */
  publicKey: v.optional(v.pipe(v.string(), v.regex(/^[0-9A-Fa-f]{130}$/))),
});

const SessionFile = v.strictObject({
  version: v.literal(1),
  kind: v.picklist(["api", "device", "reporting"]),
  apiVersion: v.picklist(["v1", "v2"]),
  origin: v.pipe(v.string(), v.maxLength(2048)),
  basePath: v.pipe(v.string(), v.maxLength(2048)),
  workspace: v.pipe(v.string(), v.maxLength(128)),
  user: v.optional(User),
  /** SHA-256 of a reporting key; the key itself is never stored. */
  keyFingerprint: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  tokens: v.optional(Tokens),
});

/** What session.json holds. A guard tells whose its session is in place of the tokens. */
export type Session = v.InferOutput<typeof SessionFile> & { readonly subject?: string };
/** A token pair with its lives in seconds and the time of its receipt. */
export type TokenSet = v.InferOutput<typeof Tokens>;

const FILE = "session.json";
const LOCK = "session";
const SESSION_MAX_BYTES = 64 * 1024;
const EARLY_MS = 30_000;
const RECENT_MS = 1000;
/** No access token lives longer (SES-7). */
export const LONGEST_LIFE_SECONDS = 24 * 3600;

/** The session on disk. Nothing else reads or writes its file. */
export class SessionStore {
  private latest: { readonly session: Session; readonly readAt: number } | undefined;

  constructor(
    private readonly folder: StateFolder,
    private readonly runtime: Pick<Runtime, "now" | "redactor">,
    /** Throws for a session that this run may not use. */
    private readonly accepts: (session: Session) => void = () => undefined,
  ) {}

  /** The stored session, or undefined. Throws SESSION_INSECURE, SESSION_CORRUPT, SESSION_IO. */
  async read(): Promise<Session | undefined> {
    const bytes = await this.folder.read(FILE, SESSION_MAX_BYTES);
    if (bytes === undefined) return undefined;
    const parsed = v.safeParse(SessionFile, parsePlain(bytes));
    if (!parsed.success) {
      throw new CliError("SESSION_CORRUPT", {
        message: "The session file is not one that this program wrote.",
      });
    }
    this.learn(parsed.output.tokens);
    this.accepts(parsed.output);
    this.latest = { session: parsed.output, readAt: this.runtime.now() };
    return parsed.output;
  }

  /**
   * The same as it was at most a second ago: a walk of thousands of pages need not read the file
   * for each. Throws what `require` throws.
   */
  async recent(): Promise<Session> {
    const ageMs = this.runtime.now() - (this.latest?.readAt ?? Number.NEGATIVE_INFINITY);
    return this.latest !== undefined && ageMs >= 0 && ageMs < RECENT_MS
      ? this.latest.session
      : this.require();
  }

  /** The stored session; throws NOT_LOGGED_IN without one. */
  async require(): Promise<Session> {
    const session = await this.read();
    if (session === undefined)
      throw new CliError("NOT_LOGGED_IN", { message: "There is no session." });
    return session;
  }

  /**
   * Replaces the session (login). Nothing is lost when it fails. Throws SESSION_IO, LOCK_TIMEOUT.
   */
  async replace(session: Session): Promise<void> {
    this.learn(session.tokens);
    await this.folder.prepare();
    await this.folder.sweep();
    await this.folder.lock(LOCK, () => this.write(session));
  }

  /**
   * Removes the session whatever it holds; true when there was one (SES-8). Waits for a refresh
   * under way; a lock that cannot be had does not keep the session alive.
   */
  async remove(): Promise<boolean> {
    try {
      return await this.folder.lock(LOCK, () => this.discard());
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      return this.discard();
    }
  }

  /**
   * A session whose access token can be used now, refreshed if need be. `refused` is an access
   * token that the server just refused (401): it is replaced whatever the clock says (NET-7).
   * Throws SESSION_EXPIRED, NOT_LOGGED_IN, and what `refresh` throws.
   */
  async fresh(
    refresh: (session: Session) => Promise<TokenSet>,
    refused?: string,
  ): Promise<Session> {
    const ready = async (): Promise<Session | undefined> => {
      const current = await this.require();
      return current.tokens === undefined || this.usable(current.tokens, refused)
        ? current
        : undefined;
    };
    const session = await this.recent();
    if (session.tokens === undefined || this.usable(session.tokens, refused)) return session;
    const renewOnce = async (): Promise<Session> => {
      const current = await this.require();
      if (current.tokens === undefined || this.usable(current.tokens, refused)) return current;
      // Whether a refresh token is over is for the server to say: the clock here may be hours or
      // years off (SES-7, I19).
      if (current.tokens.refresh === undefined) throw await this.expired();
      return this.renew(current, refresh);
    };
    return this.folder.lock(LOCK, renewOnce, { done: ready });
  }

  /**
   * Inside the lock: one refresh, and the new pair stored together (SES-5). A refresh token works
   * once: it is spent only after a proof that its successor can be stored.
   */
  private async renew(
    current: Session,
    refresh: (session: Session) => Promise<TokenSet>,
  ): Promise<Session> {
    let tokens: TokenSet;
    await this.folder.prove(FILE, contentOf(current));
    try {
      tokens = await refresh(current);
    } catch (cause) {
      if (!(cause instanceof CliError) || !isRefusal(cause)) throw cause;
      const again = await this.read();
      if (again?.tokens?.refresh !== current.tokens?.refresh && again !== undefined) return again;
      throw await this.expired(cause);
    }
    // A logout that could not wait has its way, and so has what came after it.
    const kept = await this.require();
    if (kept.tokens?.refresh !== current.tokens?.refresh) return kept;
    const renewed = { ...current, tokens };
    this.learn(tokens);
    await this.write(renewed);
    return renewed;
  }

  /** Inside the lock, with the session that was just found to be over. */
  private async expired(cause?: unknown): Promise<CliError> {
    await this.discard();
    return new CliError("SESSION_EXPIRED", {
      message: "The session has ended and could not be renewed.",
      cause,
    });
  }

  private discard(): Promise<boolean> {
    this.latest = undefined;
    return this.folder.remove(FILE);
  }

  private async write(session: Session): Promise<void> {
    await this.folder.write(FILE, contentOf(session));
    this.latest = { session, readAt: this.runtime.now() };
  }

  /** SES-7: a receipt in the future, or a life over a day, counts as over. */
  private usable(tokens: TokenSet, refused: string | undefined): boolean {
    const earlyMs = Math.min(EARLY_MS, (tokens.expiresInSeconds * 1000) / 2);
    return (
      tokens.access !== refused && this.alive(tokens.receivedAt, tokens.expiresInSeconds, earlyMs)
    );
  }

  private alive(receivedAt: number, lifeSeconds: number, earlyMs: number): boolean {
    const now = this.runtime.now();
    if (receivedAt > now || lifeSeconds > LONGEST_LIFE_SECONDS) return false;
    return now < receivedAt + lifeSeconds * 1000 - earlyMs;
  }

  protected learn(tokens: TokenSet | undefined): void {
    if (tokens === undefined) return;
    this.runtime.redactor.learn(tokens.access);
    if (tokens.refresh !== undefined) this.runtime.redactor.learn(tokens.refresh);
  }
}

function contentOf(session: Session): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(session)}\n`);
}

/**
 * A refresh answer of 4xx means that the token is spent; anything else leaves the session as it is
 * (I06–I08).
 */
function isRefusal(error: CliError): boolean {
  const status = error.facts.httpStatus ?? 0;
  return status >= 400 && status < 500 && error.code !== "RATE_LIMITED" && error.code !== "TIMEOUT";
}

/** Facts about a session that may be shown: no token among them. */
export function describeSession(session: Session): Record<string, unknown> {
  const { kind, apiVersion, origin, basePath, workspace, user, tokens, keyFingerprint } = session;
  return {
    kind,
    apiVersion,
    origin,
    basePath,
    workspace,
    user: user === undefined ? null : { id: user.id ?? null, name: user.name ?? null },
    expiresAt: tokens === undefined ? null : endOf(tokens),
    ...(keyFingerprint === undefined ? {} : { keyFingerprint }),
  };
}

/**
 * When the session ends for good if it is not used: the refresh token's end, else the access
 * token's.
 */
function endOf(tokens: TokenSet): string {
  const seconds =
    tokens.refresh === undefined
      ? tokens.expiresInSeconds
      : (tokens.refreshExpiresInSeconds ?? tokens.expiresInSeconds);
  return new Date(tokens.receivedAt + seconds * 1000).toISOString();
}

/** Where the session's tokens may be sent. */
export function endpointOf(session: Session): Endpoint {
  return { origin: session.origin, basePath: session.basePath };
}

/** The holder that a V1 session's token names; undefined on V2, where the API itself tells. */
export function subjectOf({ apiVersion, tokens, subject }: Session): string | undefined {
  if (apiVersion !== "v1") return undefined;
  return tokens === undefined ? subject : readClaims(tokens.access).subject;
}

/**
 * Public keys that the server registered for the session's user, as lower-case hexadecimal (KEY-4).
 */
export function registeredKeys(session: Session): string[] {
  const claimed =
    session.tokens === undefined ? undefined : readClaims(session.tokens.access).publicKey;
  return [claimed, session.user?.publicKey].flatMap((key) =>
    key === undefined ? [] : [key.toLowerCase()],
  );
}

/** Tokens belong to an origin and a workspace (NET-2). Throws SESSION_MISMATCH. */
export function checkSession(session: Session, config: Config): void {
  const { endpoint, workspace } = config.configured();
  const elsewhere = endpoint !== undefined && !sameEndpoint(endpoint, endpointOf(session));
  if (!elsewhere && (workspace === undefined || workspace === session.workspace)) return;
  throw new CliError("SESSION_MISMATCH", {
    message: `The session is for another ${elsewhere ? "server" : "workspace"} than the environment names; nothing was sent.`,
    details: {
      session: { origin: session.origin, basePath: session.basePath, workspace: session.workspace },
    },
  });
}

/** A session without its tokens, for a process that may know whose it is and not use it. */
export function withoutTokens({ tokens: _, ...session }: Session): Session {
  return session;
}

/** The session in a plain value, or undefined. */
export function readSession(plain: unknown): Session | undefined {
  const parsed = v.safeParse(SessionFile, plain);
  return parsed.success ? parsed.output : undefined;
}
