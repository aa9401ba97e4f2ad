/** Asking for tokens and reading them: the only place where a secret enters a request body. */
import { CliError } from "../../errors.ts";
import { Exact, encode, value } from "../../io/json.ts";
import { checkWorkspaceClaim } from "../state/claims.ts";
import { LONGEST_LIFE_SECONDS, TOKEN, type TokenSet } from "../state/session.ts";
import type { Client } from "./client.ts";
import type { TokenCall } from "./operation.ts";

/** Two tokens of 16 KiB and their lifetimes take far less. */
const TOKENS_MAX_BYTES = 1024 * 1024;

type TokenInput = Parameters<TokenCall["body"]>[0];

/**
 * Posts the token call and returns the token pair with its time of receipt (`now`, ms). Throws
 * UNAUTHORIZED, INVALID_RESPONSE naming the field that is missing or out of range,
 * SESSION_MISMATCH, and the network codes. Never repeated by itself.
 */
export async function askTokens(
  client: Client,
  call: TokenCall,
  input: Partial<TokenInput> & { readonly workspace: string },
  now: () => number,
): Promise<TokenSet> {
  const empty = { apiKeyId: "", apiKeySecret: "", refreshToken: "" };
  const answer = await client.send({
    method: "POST",
    path: call.path,
    headers: call.headers(input.workspace),
    maxBytes: TOKENS_MAX_BYTES,
    body: new Exact(encode(call.body({ ...empty, ...input }))),
  });
  const tokens = readTokens(value(answer), call.names, now());
  checkWorkspaceClaim(tokens.access, input.workspace);
  return tokens;
}

/** The token pair of an answer, with the given time of receipt. Throws INVALID_RESPONSE. */
export function readTokens(
  answer: unknown,
  names: TokenCall["names"],
  receivedAt: number,
): TokenSet {
  const fields =
    typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : {};
  const refreshExpires =
    names.refreshExpires === undefined ? undefined : lifeOf(fields, names.refreshExpires, Infinity);
  return {
    access: tokenOf(fields, names.access),
    refresh: tokenOf(fields, names.refresh),
    receivedAt,
    expiresInSeconds: lifeOf(fields, names.expires, LONGEST_LIFE_SECONDS),
    ...(refreshExpires === undefined ? {} : { refreshExpiresInSeconds: refreshExpires }),
  };
}

function tokenOf(fields: Record<string, unknown>, name: string): string {
  const token = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof token === "string" && TOKEN.test(token)) return token;
  throw unusable(name);
}

function lifeOf(fields: Record<string, unknown>, name: string, longest: number): number {
  const life = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof life === "number" && Number.isFinite(life) && life > 0 && life <= longest) return life;
  throw unusable(name);
}

function unusable(name: string): CliError {
  return new CliError("INVALID_RESPONSE", {
    message: `The token answer has no usable '${name}'.`,
    field: name,
  });
}
