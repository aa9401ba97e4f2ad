/**
 * The challenge: exactly the bytes that will be signed, and what they say (SIG-1, SIG-5, SIG-8).
 */
import { createHash } from "node:crypto";
import { CliError } from "../../errors.ts";
import { decodeBase64, encodeBase64Url } from "../../io/base64.ts";
import {
  decodeUtf8,
  type Exact,
  exact,
  JsonError,
  member,
  type Node,
  tree,
  value,
} from "../../io/json.ts";
import { hasLabels, PROPERTIES } from "./properties.ts";

/**
 * `transaction`: the documented `{type, antireplay, data}`. `properties`: the older `{"Transaction
 * properties", challenge}` with the labels of the vendor's sample. `unknown`: another JSON object.
 * `opaque`: no JSON object; signed only when its digest is confirmed (specification §4, Review).
 */
export type ChallengeShape = KnownShape | "unknown" | "opaque";

/** The documented shapes: only a challenge of one of them can be compared with a request. */
export type KnownShape = "transaction" | "properties";

/** Whether the fields of a challenge have a meaning that we know. */
export function isKnownShape(shape: ChallengeShape): shape is KnownShape {
  return shape === "transaction" || shape === "properties";
}

/** A challenge, decoded; `bytes` is what will be signed. */
export interface Challenge {
  readonly bytes: Uint8Array;
  /** Canonical, unpadded, whatever spelling came in. */
  readonly base64url: string;
  /** Lower-case hexadecimal. */
  readonly payloadSha256: string;
  /** The JSON object in it, tokens untouched. */
  readonly document: Exact | undefined;
  readonly shape: ChallengeShape;
}

const LONGEST_BYTES = 1024 * 1024;
const LONGEST_TEXT = 4 * Math.ceil(LONGEST_BYTES / 3);

/**
 * Decodes a challenge: one base64 alphabet, canonical, 1 byte to 1 MiB, white space only around it.
 * Content with duplicate keys has two meanings and is refused (E10). Throws INVALID_CHALLENGE.
 */
export function decodeChallenge(text: string): Challenge {
  const trimmed = text.trim();
  if (trimmed === "") throw invalid("The challenge is empty.");
  if (trimmed.length > LONGEST_TEXT) throw invalid("The challenge is longer than 1 MiB.");
  const bytes = decodeBase64(trimmed);
  if (bytes === undefined)
    throw invalid(
      MISTAKES.find(([form]) => form.test(trimmed))?.[1] ?? "The challenge is not base64.",
    );
  if (bytes.length === 0 || bytes.length > LONGEST_BYTES)
    throw invalid("The challenge does not have 1 byte to 1 MiB.");
  const document = readObject(bytes);
  return {
    bytes,
    base64url: encodeBase64Url(bytes),
    payloadSha256: createHash("sha256").update(bytes).digest("hex"),
    document,
    shape: document === undefined ? "opaque" : shapeOf(tree(document)),
  };
}

/** What people pass instead, so that the message can say it. */
const MISTAKES: readonly (readonly [form: RegExp, message: string])[] = [
  [/^[{[]/, "The challenge is JSON, not the base64 text that the API returned."],
  [/^["']/, "The challenge is in quotes."],
  [/^[\w-]+\.[\w-]*\.[\w-]*$/, "This is a signature (a compact JWS), not a challenge."],
  [/\s/, "The challenge has white space inside."],
];

function readObject(bytes: Uint8Array): Exact | undefined {
  try {
    const document = exact(decodeUtf8(bytes, { bom: "refuse" }));
    return document.text.startsWith("{") ? document : undefined;
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    if (cause.reason !== "duplicate") return undefined;
    throw invalid(
      "The challenge contains an object in which a key appears twice, so it has two meanings.",
    );
  }
}

function shapeOf(document: Node): ChallengeShape {
  const members = new Map(document.kind === "object" ? document.members : []);
  const kindOf = (name: string): string | undefined => members.get(name)?.kind;
  if (kindOf("type") === "string" && kindOf("data") === "object" && members.has("antireplay"))
    return "transaction";
  const properties = members.get(PROPERTIES);
  const isOlder = properties !== undefined && members.has("challenge") && hasLabels(properties);
  return isOlder ? "properties" : "unknown";
}

/**
 * The challenge in an API answer: `{challenge}` (V1, documented), a bare string or
 * `{data:{challenge}}` (V2, assumed). Throws INVALID_RESPONSE when it contains none, or more
 * than one value.
 */
export function challengeOf(answer: Exact): string {
  const data = member(answer, "data");
  const places = [answer, member(answer, "challenge"), data && member(data, "challenge")];
  const texts = places.flatMap((place) =>
    place?.text.startsWith('"') === true ? [value(place)] : [],
  );
  const [first, ...others] = new Set(texts);
  if (typeof first === "string" && first !== "" && others.length === 0) return first;
  throw new CliError("INVALID_RESPONSE", {
    message: "The answer has no usable 'challenge'.",
    field: "challenge",
  });
}

/**
 * Claims of RFC 7519 §4.1 and those that access and identity tokens carry (OpenID Connect Core §2,
 * RFC 8693, RFC 9068).
 */
const CLAIMS: ReadonlySet<string> = new Set(
  "iss sub aud exp nbf iat jti azp nonce auth_time acr amr at_hash sid scope client_id cnf act may_act roles groups entitlements".split(
    " ",
  ),
);

/**
 * True for an object of nothing but token claims: with `typ` JWT, its signature could pass as a
 * token elsewhere (SIG-8, RFC 8725 §2.8).
 */
export function looksLikeToken(document: Exact): boolean {
  const root = tree(document);
  return (
    root.kind === "object" &&
    root.members.length > 0 &&
    root.members.every(([name]) => CLAIMS.has(name))
  );
}

function invalid(message: string): CliError {
  return new CliError("INVALID_CHALLENGE", { message });
}
