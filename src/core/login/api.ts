/**
 * Logging in with API-operator credentials. The old session stays until the new one is complete
 * (SES-8, I11).
 */
import { CliError } from "../../errors.ts";
import { type Exact, value } from "../../io/json.ts";
import type { Access } from "../api/access.ts";
import { Client } from "../api/client.ts";
import { type ApiVersion, chooseVersion, dialectOf } from "../api/dialect.ts";
import type { Dialect } from "../api/operation.ts";
import { askTokens } from "../api/tokens.ts";
import { checkingVersion } from "../api/version.ts";
import type { LoginOptions } from "../auth/config.ts";
import { readClaims } from "../state/claims.ts";
import type { Session, TokenSet } from "../state/session.ts";

export interface LoginRequest extends LoginOptions {
  readonly apiVersion: ApiVersion | undefined;
}

/**
 * Exchanges the API key for tokens, names the user, stores the session. Throws MISSING_CREDENTIALS,
 * CONFIG_CONFLICT, UNAUTHORIZED, SESSION_MISMATCH, SESSION_IO and the network codes; on each of
 * them the session that was there is untouched.
 */
export async function loginWithApiKey(access: Access, request: LoginRequest): Promise<Session> {
  const { endpoint, workspace, apiKeyId, apiKeySecret } =
    await access.config.apiCredentials(request);
  const dialect = dialectOf(chooseVersion(endpoint, request.apiVersion));
  const client = new Client(endpoint, access.runtime);
  const tokens = await checkingVersion(
    { client, chosen: dialect.version, log: access.runtime.log },
    () =>
      askTokens(client, dialect.login, { workspace, apiKeyId, apiKeySecret }, () =>
        access.runtime.now(),
      ),
  ).catch((cause: unknown) => {
    const credentials = ["API_KEY_ID", "API_KEY_SECRET"] as const;
    throw namingSources(cause, access.config.loginSources(request, credentials));
  });
  const user = await identify(access, client, dialect, { workspace, tokens });
  const session: Session = {
    version: 1,
    kind: "api",
    apiVersion: dialect.version,
    ...endpoint,
    workspace,
    tokens,
    ...(user === undefined ? {} : { user }),
  };
  await access.sessions.replace(session);
  return session;
}

/** A refused login names what it read: one of these is wrong (F03). */
export function namingSources(cause: unknown, sources: readonly string[]): unknown {
  if (!(cause instanceof CliError) || cause.code !== "UNAUTHORIZED") return cause;
  return new CliError("UNAUTHORIZED", {
    ...cause.facts,
    message: "The API refused the credentials of the login.",
    hint: `A person must check ${sources.join(", ")}; the same values are refused again.`,
    details: { sources },
    cause,
  });
}

/** Who logged in: V2 is asked, of V1 only the token tells. */
export async function identify(
  access: Access,
  client: Client,
  dialect: Dialect,
  { workspace, tokens }: { readonly workspace: string; readonly tokens: TokenSet },
): Promise<Session["user"]> {
  if (dialect.version === "v1") return userOfClaims(tokens);
  return currentUser(access, client, dialect.authorize({ workspace, accessToken: tokens.access }));
}

/**
 * Who logged in, as far as the server tells; a refusal does not fail the login (specification §4).
 */
async function currentUser(
  { runtime: { stop } }: Access,
  client: Client,
  headers: Record<string, string>,
): Promise<Session["user"]> {
  try {
    return readUser(await client.send({ method: "GET", path: "/users/me", headers }));
  } catch (cause) {
    // An interrupt, and the end of the command's time, are not refusals: they end the login.
    if (cause instanceof CliError && !stop.aborted) return undefined;
    throw cause;
  }
}

/** The fields of a user that a session keeps; anything of another type is left out. */
function readUser(answer: Exact): Session["user"] {
  const fields = (value(answer) ?? {}) as Record<string, unknown>;
  const text = (name: string, longest: number): string | undefined => {
    const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
    return typeof found === "string" && found.length <= longest ? found : undefined;
  };
  const [id, name, key] = [text("id", 256), text("name", 1024), text("pubKey", 130)];
  return {
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    ...(key !== undefined && /^[0-9A-Fa-f]{130}$/.test(key) ? { publicKey: key } : {}),
  };
}

function userOfClaims(tokens: TokenSet): Session["user"] {
  const { userId, userName } = readClaims(tokens.access);
  if (userId === undefined && userName === undefined) return undefined;
  return {
    ...(userId === undefined ? {} : { id: userId }),
    ...(userName === undefined ? {} : { name: userName }),
  };
}
