/**
 * `requestState` of 2026-07-28: what a client echoes, and must not be able to make. A state names
 * one question of this process, works once, and fits one tool, one set of arguments and one
 * workspace.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What a state is bound to. */
export interface Bond {
  readonly tool: string;
  /** The arguments as compact JSON. */
  readonly arguments: string;
  /** Where the session is, and whose. */
  readonly place: string;
}

/** Makes and checks the states of this process. */
export class Seal {
  private readonly key = randomBytes(32);

  /** A state for the question `nonce`, until `expiresAt` (ms since 1970). */
  make(nonce: string, expiresAt: number, bond: Bond, payload: string): string {
    const body = `${nonce}.${expiresAt}.${sha256(payload)}`;
    return `${body}.${this.codeOf(body, bond)}`;
  }

  /** The nonce of a state that this process made for this bond and that is not over. */
  nonceOf(state: string, bond: Bond, now: number): string | undefined {
    const [nonce = "", expiresAt = "", payload = "", code = "", ...rest] = state.split(".");
    const expected = Buffer.from(this.codeOf(`${nonce}.${expiresAt}.${payload}`, bond));
    const given = Buffer.from(code);
    const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
    return isOurs && rest.length === 0 && now < Number(expiresAt) ? nonce : undefined;
  }

  private codeOf(body: string, bond: Bond): string {
    const text = JSON.stringify([body, bond.tool, sha256(bond.arguments), bond.place]);
    return createHmac("sha256", this.key).update(text).digest("base64url");
  }
}

/** A name for a question that cannot be guessed. */
export function newNonce(): string {
  return randomBytes(16).toString("base64url");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
