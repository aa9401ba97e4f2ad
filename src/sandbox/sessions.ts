/**
 * Tokens: access for 300 s, refresh for 1800 s, each refresh token once. A spent refresh token that
 * comes back ends its whole family, as strict servers do, since somebody holds a copy.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Refusal } from "./schema.ts";
import type { Random, User, Workspace } from "./workspace.ts";

export const ACCESS_SECONDS = 300;
export const REFRESH_SECONDS = 1800;

export interface TokenPair {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** All tokens that stem from one login. */
interface Family {
  readonly userId: string;
  isRevoked: boolean;
}

interface Token {
  readonly family: Family;
  expiresAt: number;
  isSpent: boolean;
}

export class Sessions {
  readonly #workspace: Workspace;
  readonly #clock: () => number;
  readonly #random: Random;
  readonly #secret: Uint8Array;
  readonly #access = new Map<string, Token>();
  readonly #refresh = new Map<string, Token>();
  /** Issue tokens that say nothing, instead of JWTs. */
  isOpaque = false;

  constructor(workspace: Workspace, clock: () => number, random: Random) {
    this.#workspace = workspace;
    this.#clock = clock;
    this.#random = random;
    this.#secret = random(32);
  }

  /**
   * Opens a session. Throws Refusal 401 for wrong credentials and for a user that is not active.
   */
  login(workspace: string, apiKeyId: string, apiKeySecret: string): TokenPair {
    const credential = this.#workspace.credentials.find((one) => one.apiKeyId === apiKeyId);
    const isRight =
      workspace === this.#workspace.name &&
      credential !== undefined &&
      isEqual(credential.apiKeySecret, apiKeySecret);
    if (!isRight) throw new Refusal(401, "Unknown workspace or API key");
    return this.open(credential.userId);
  }

  /**
   * Opens a session for a user whose identity was proven otherwise. Throws Refusal 401 when the
   * user is not active.
   */
  open(userId: string): TokenPair {
    return this.#issue({ userId, isRevoked: false });
  }

  /**
   * Exchanges a refresh token. Throws Refusal 401 when it is unknown, expired, spent or of another
   * workspace.
   */
  refresh(refreshToken: string, workspace = this.#workspace.name): TokenPair {
    const token = this.#refresh.get(refreshToken);
    if (token?.isSpent === true) token.family.isRevoked = true;
    if (token === undefined || workspace !== this.#workspace.name || !this.#isGood(token)) {
      throw new Refusal(401, "The refresh token is not valid");
    }
    token.isSpent = true;
    return this.#issue(token.family);
  }

  /**
   * The user behind an Authorization header. Throws Refusal 401, and 403 when the user is
   * suspended.
   */
  authenticate(authorization: string | undefined): User {
    if (authorization === undefined) throw new Refusal(401, "Authorization not provided");
    const bearer = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(authorization)?.[1];
    const token = bearer === undefined ? undefined : this.#access.get(bearer);
    if (token === undefined || !this.#isGood(token))
      throw new Refusal(401, "The access token is not valid");
    const user = this.#activeUser(token.family.userId);
    if (user.isSuspended) throw new Refusal(403, "The user is suspended");
    return user;
  }

  /** Ends the life of all access tokens; refresh tokens stay good. */
  expireAccess(): void {
    for (const token of this.#access.values()) token.expiresAt = Number.NEGATIVE_INFINITY;
  }

  /** Ends all sessions. */
  revokeAll(): void {
    for (const token of [...this.#access.values(), ...this.#refresh.values()])
      token.family.isRevoked = true;
  }

  #isGood(token: Token): boolean {
    return !token.family.isRevoked && !token.isSpent && this.#clock() < token.expiresAt;
  }

  #activeUser(id: string): User {
    const user = this.#workspace.users.get(id);
    if (user === undefined || user.status !== "ACTIVE")
      throw new Refusal(401, "The user is not active");
    return user;
  }

  #issue(family: Family): TokenPair {
    const user = this.#activeUser(family.userId);
    const make = (kept: Map<string, Token>, use: string, seconds: number): string => {
      const expiresAt = this.#clock() + seconds * 1000;
      const text = this.isOpaque
        ? Buffer.from(this.#random(32)).toString("base64url")
        : this.#jwt(user, use, expiresAt);
      kept.set(text, { family, expiresAt, isSpent: false });
      return text;
    };
    return {
      accessToken: make(this.#access, "access", ACCESS_SECONDS),
      refreshToken: make(this.#refresh, "refresh", REFRESH_SECONDS),
    };
  }

  #jwt(user: User, use: string, expiresAt: number): string {
    const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const claims = {
      iss: "sandbox",
      sub: user.id,
      typ: use,
      preferred_username: user.name,
      workspace: this.#workspace.name,
      ...(user.pubKey === "" ? {} : { pub_key: user.pubKey }),
      iat: Math.floor(this.#clock() / 1000),
      exp: Math.floor(expiresAt / 1000),
      jti: Buffer.from(this.#random(16)).toString("hex"),
    };
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    return `${signed}.${createHmac("sha256", this.#secret).update(signed).digest("base64url")}`;
  }
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
