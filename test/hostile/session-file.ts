/**
 * The session file as hostile tests prepare it: what a login of the raw API leaves, older, damaged
 * or somebody else's.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { ACCESS_TOKEN } from "./raw-api.ts";

export interface Tokens {
  readonly access: string;
  readonly refresh: string;
  readonly receivedAt: number;
  readonly expiresInSeconds: number;
  readonly refreshExpiresInSeconds: number;
}

export interface SessionFile {
  readonly kind: string;
  readonly origin: string;
  readonly basePath: string;
  readonly workspace: string;
  readonly tokens: Tokens;
  readonly [fact: string]: unknown;
}

export function readSession(path: string): SessionFile {
  return JSON.parse(readFileSync(path, "utf8")) as SessionFile;
}

/** Rewrites the file in place: owner and mode stay. */
export function editSession(path: string, change: (session: SessionFile) => unknown): void {
  writeFileSync(path, `${JSON.stringify(change(readSession(path)))}\n`);
}

/** As if the login had been these seconds earlier. */
export function age(path: string, seconds: number): void {
  editSession(path, (session) => ({
    ...session,
    tokens: { ...session.tokens, receivedAt: session.tokens.receivedAt - seconds * 1000 },
  }));
}

/** An answer to a login or a refresh with some members replaced. */
export function tokenAnswer(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    accessToken: `${ACCESS_TOKEN}-2`,
    expiresInSeconds: 300,
    refreshToken: "canary-refresh-token-0123456789abcdef-2",
    refreshExpiresInSeconds: 1800,
    ...changes,
  });
}
