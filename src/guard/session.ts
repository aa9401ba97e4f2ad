/**
 * Sessions that the guard opens by itself. Each run has its own store over the same file; what they
 * share is who logs in, how often, and a session that could not be stored.
 */
import type { Access } from "../core/api/access.ts";
import type { StateFolder } from "../core/state/folder.ts";
import {
  LONGEST_LIFE_SECONDS,
  type Session,
  SessionStore,
  type TokenSet,
} from "../core/state/session.ts";
import { CliError } from "../errors.ts";

const MINUTE_MS = 60_000;
/** Time after a refusal in which the guard does not ask again. */
const REFUSED_MS = MINUTE_MS;
const MOST_LOGINS = 5;
const CONTENDED_MS = 10 * MINUTE_MS;

export interface KeeperHost {
  /** Logs in with the credentials as they are now, and stores the session where it can. */
  login(): Promise<Session>;
  /** Told once when something else seems to use the same credentials. */
  contended(): Promise<void>;
  /** Ms of a clock that cannot be set. */
  elapsed(): number;
}

/** Who logs in, and how often. */
export class Keeper {
  /** A session that could not be stored. */
  memory: Session | undefined;
  private running: Promise<Session> | undefined;
  private refused: { readonly cause: CliError; readonly at: number } | undefined;
  private logins: number[] = [];
  private pausedUntil = 0;

  constructor(private readonly host: KeeperHost) {}

  /**
   * Logs in; one at a time, for all clients. Throws what the login throws, the last refusal again
   * for a minute, and RATE_LIMITED while it pauses.
   */
  login(): Promise<Session> {
    this.running ??= this.start().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async start(): Promise<Session> {
    const now = this.host.elapsed();
    if (now < this.pausedUntil) throw paused(this.pausedUntil - now);
    if (this.refused !== undefined && now - this.refused.at < REFUSED_MS) throw this.refused.cause;
    this.logins = this.logins.filter((at) => now - at < CONTENDED_MS);
    if (this.logins.length >= MOST_LOGINS) {
      this.pausedUntil = now + CONTENDED_MS;
      await this.host.contended();
      throw paused(CONTENDED_MS);
    }
    this.logins.push(now);
    try {
      this.memory = undefined;
      const session = await this.host.login();
      this.refused = undefined;
      return session;
    } catch (cause) {
      const status = cause instanceof CliError ? (cause.facts.httpStatus ?? 0) : 0;
      if (cause instanceof CliError && status >= 400 && status < 500)
        this.refused = { cause, at: now };
      // A login that did not reach a server does not count.
      if (status === 0) this.logins.pop();
      throw cause;
    }
  }
}

function paused(ms: number): CliError {
  return new CliError("RATE_LIMITED", {
    message: "The guard logged in too often: something else uses its credentials. It pauses.",
    hint: "Have a person look for another holder of the guard's API key, and at the audit trail.",
    retryAfterSeconds: Math.ceil(ms / 1000),
  });
}

/** The session of the guard, as one run sees it. */
export class OwnSessions extends SessionStore {
  constructor(
    folder: StateFolder,
    private readonly access: Omit<Access, "sessions">,
    private readonly keeper: Keeper,
  ) {
    super(folder, access.runtime);
  }

  override async read(): Promise<Session | undefined> {
    const { memory } = this.keeper;
    if (memory === undefined) return super.read();
    this.learn(memory.tokens);
    return memory;
  }

  override async recent(): Promise<Session> {
    if (this.keeper.memory !== undefined) return this.remembered();
    return this.orLogin(() => super.recent());
  }

  override async fresh(
    refresh: (session: Session) => Promise<TokenSet>,
    refused?: string,
  ): Promise<Session> {
    const { memory } = this.keeper;
    if (memory?.tokens !== undefined) {
      if (this.isUsable(memory.tokens, refused)) return this.remembered();
      return this.login();
    }
    return this.orLogin(() => super.fresh(refresh, refused));
  }

  /** One that cannot be stored stays in memory. */
  override async replace(session: Session): Promise<void> {
    try {
      await super.replace(session);
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      this.access.runtime.log.warn(
        "SESSION_NOT_STORED",
        `The session stays in memory alone (${cause.code}).`,
      );
      this.keeper.memory = session;
    }
  }

  private async orLogin(find: () => Promise<Session>): Promise<Session> {
    try {
      return await find();
    } catch (cause) {
      if (!(cause instanceof CliError) || !LOST.has(cause.code)) throw cause;
      return this.login();
    }
  }

  private async login(): Promise<Session> {
    const session = await this.keeper.login();
    this.learn(session.tokens);
    return session;
  }

  private remembered(): Session {
    const { memory } = this.keeper;
    if (memory === undefined) throw new Error("there is no session in memory");
    this.learn(memory.tokens);
    return memory;
  }

  private isUsable(tokens: TokenSet, refused: string | undefined): boolean {
    const { receivedAt, expiresInSeconds } = tokens;
    const now = this.access.runtime.now();
    if (tokens.access === refused || receivedAt > now) return false;
    if (expiresInSeconds > LONGEST_LIFE_SECONDS) return false;
    return now < receivedAt + expiresInSeconds * 500;
  }
}

/** What a login mends. */
const LOST: ReadonlySet<string> = new Set([
  ...["NOT_LOGGED_IN", "SESSION_EXPIRED", "SESSION_CORRUPT", "SESSION_IO"],
]);
