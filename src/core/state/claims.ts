/**
 * Claims of an access token that happens to be a JWT. Unverified: they can only make us refuse,
 * never trust (specification §2).
 */
import { CliError } from "../../errors.ts";

/** What a token says of itself; each claim is absent when it is not a usable text. */
export interface Claims {
  readonly workspace?: string;
  /** Registered public key as hexadecimal text, any case. */
  readonly publicKey?: string;
  readonly userId?: string;
  /** `sub`: the holder as the issuer knows it (V1: Keycloak), not an id of the API (N18). */
  readonly subject?: string;
  readonly userName?: string;
}

/** Reads what a JWT says about its holder; empty for any other token. */
export function readClaims(token: string): Claims {
  const payload = decodePayload(token);
  const text = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const claim =
        payload !== undefined && Object.hasOwn(payload, name) ? payload[name] : undefined;
      if (typeof claim === "string" && claim !== "" && claim.length <= 1024) return claim;
    }
    return undefined;
  };
  const workspace = text("workspace");
  const publicKey = text("pub_key", "pubKey");
  const userId = text("user_id", "userId");
  const subject = text("sub");
  const userName = text("preferred_username", "name", "username");
  return {
    ...(workspace === undefined ? {} : { workspace }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(userId === undefined ? {} : { userId }),
    ...(subject === undefined ? {} : { subject }),
    ...(userName === undefined ? {} : { userName }),
  };
}

function decodePayload(token: string): Record<string, unknown> | undefined {
  const parts = token.split(".");
  if (parts.length !== 3 || !/^[A-Za-z0-9_-]+$/.test(parts[1] ?? "")) return undefined;
  try {
    const payload: unknown = JSON.parse(Buffer.from(parts[1] ?? "", "base64url").toString("utf8"));
    return typeof payload === "object" && payload !== null && !Array.isArray(payload)
      ? (payload as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A token for another workspace is refused before anything is stored (specification §2). Throws
 * SESSION_MISMATCH.
 */
export function checkWorkspaceClaim(token: string, workspace: string): void {
  const claimed = readClaims(token).workspace;
  if (claimed === undefined || claimed === workspace) return;
  throw new CliError("SESSION_MISMATCH", {
    message: "The server issued a token for another workspace; nothing was stored.",
    details: { asked: workspace, issued: claimed },
  });
}
