/**
 * From a request to a signature that says what was meant: asking for the challenge, comparing it
 * with everything known about the request, and checking a signature that was made elsewhere (SIG-6,
 * SIG-7; SPEC §4, Review). Nothing here signs.
 */
import { createHash } from "node:crypto";
import { CliError } from "../../errors.ts";
import { Exact, encode, member, value } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { fingerprint, publicKeyFromHex } from "../auth/key.ts";
import { registeredKeys } from "../state/claims.ts";
import type { Records } from "../state/records.ts";
import type { Session } from "../state/session.ts";
import { type Challenge, challengeOf, decodeChallenge, isKnownShape } from "./challenge.ts";
import { type Decision, snakeCase } from "./field.ts";
import { parseJws, verifyJws } from "./jws.ts";
import {
  accountIdsOf,
  type Difference,
  expectLeaves,
  type Review,
  type ReviewSource,
  reviewChallenge,
} from "./review.ts";

// What a command needs of the neighbours beside this file; together they are one capability, loaded
// only where something is signed.
export { looksLikeToken } from "./challenge.ts";
export { decodeChallenge, isKnownShape };

/** Where requests and challenges come from, and what is remembered of them. */
export interface ApprovalHost {
  readonly reader: Reader;
  readonly records: Records;
}

/** What the caller said the challenge must hold. */
export interface Expectations {
  readonly expect: Exact | undefined;
  readonly expectPayloadSha256: string | undefined;
}

/**
 * Asks the server for the request's challenge. That of an approval is remembered, by its digest, as
 * the newest for this request; that of a rejection (V1) never leaves the command.
 */
export async function askChallenge(
  { reader, records }: ApprovalHost,
  id: string,
  decision: Decision = "APPROVE",
): Promise<Challenge> {
  if (decision === "REJECT")
    return decodeChallenge(challengeOf(await reader.read("requests.rejectChallenge", { id })));
  const challenge = decodeChallenge(challengeOf(await reader.read("requests.challenge", { id })));
  await records.keepChallenge(await reader.session(), id, challenge.payloadSha256);
  return challenge;
}

/**
 * Compares with the request on the server, the account it names, and the record kept when it was
 * created here.
 */
export async function reviewOnline(
  { reader, records }: ApprovalHost,
  id: string,
  challenge: Challenge,
  decision: Decision = "APPROVE",
): Promise<Review> {
  const request = await withContent(reader, await reader.read("requests.get", { id }));
  const created = await records.created(await reader.session(), id);
  const sources = [
    { request, source: "server" as const },
    ...(created === undefined ? [] : [{ request: created, source: "record" as const }]),
  ];
  return reviewChallenge({
    challenge,
    sources,
    decision,
    accountNames: await namesOfAccounts(reader, sources),
  });
}

/**
 * Asks, holds against what the caller expects and against all that is known. Throws unless
 * everything is verified or confirmed.
 */
export async function examine(
  host: ApprovalHost,
  id: string,
  expectations: Expectations,
  decision: Decision = "APPROVE",
): Promise<{ readonly challenge: Challenge; readonly review: Review }> {
  const challenge = await askChallenge(host, id, decision);
  requireExpected(challenge, expectations);
  const review = await reviewOnline(host, id, challenge, decision);
  requireVerified(id, challenge, review, expectations);
  return { challenge, review };
}

/**
 * V2 shows what a request would do in the request itself, V1 only in the transaction that it is
 * about.
 */
async function withContent(reader: Reader, request: Exact): Promise<Exact> {
  const [kind, target] = [member(request, "target_type"), member(request, "target_id")];
  const isShown =
    member(request, "data") !== undefined || kind?.text.endsWith('TRANSACTION"') !== true;
  if (isShown || target === undefined || !/^\d+$/.test(target.text)) return request;
  const data = await reader.read("requests.content", { targetId: target.text });
  return new Exact(encode({ type: member(request, "type"), data }));
}

/**
 * Compares with what was kept when the request was created here; undefined when nothing was. Needs
 * no network.
 */
export async function reviewOffline(
  records: Records,
  challenge: Challenge,
): Promise<Review | undefined> {
  const created = await records.createdForChallenge(challenge.payloadSha256);
  return created === undefined
    ? undefined
    : reviewChallenge({ challenge, sources: [{ request: created, source: "record" }] });
}

/** The names of the accounts that the sources name; without those that may not be read. */
async function namesOfAccounts(
  reader: Reader,
  sources: readonly ReviewSource[],
): Promise<string[]> {
  const ids = new Set(sources.flatMap(({ request }) => accountIdsOf(request)));
  const names: string[] = [];
  for (const id of ids) {
    if (!/^[A-Za-z0-9._~-]{1,128}$/.test(id) || /^\.{1,2}$/.test(id)) continue;
    try {
      const account = await reader.read("accounts.get", { id });
      const name = member(account, "name");
      if (name?.text.startsWith('"') === true) names.push(String(value(name)));
    } catch (cause) {
      if (
        !(cause instanceof CliError) ||
        (cause.code !== "NOT_FOUND" && cause.code !== "FORBIDDEN")
      )
        throw cause;
    }
  }
  return names;
}

/**
 * The review as commands print it, beside what was reviewed; `id` is null where no request was
 * named.
 */
export function reviewReport(
  id: string | null,
  challenge: Challenge,
  review: Review,
): Record<string, unknown> {
  return { requestId: id, ...review, ...shown(challenge) };
}

/** The challenge, what it says, and its digest. `decoded` is null for what is no JSON object. */
export function shown(challenge: Challenge): {
  challenge: string;
  decoded: Exact | null;
  payloadSha256: string;
} {
  return {
    challenge: challenge.base64url,
    decoded: challenge.document ?? null,
    payloadSha256: challenge.payloadSha256,
  };
}

/** Throws CHALLENGE_MISMATCH with the whole review under `details` when it found a difference. */
export function requireNoDifference(id: string | null, challenge: Challenge, review: Review): void {
  if (review.differences.length === 0) return;
  throw mismatch(reviewReport(id, challenge, review), review.differences);
}

/** The same, and it throws too when nothing was there to be compared. */
export function requireMatch(id: string | null, challenge: Challenge, review: Review): void {
  requireNoDifference(id, challenge, review);
  if (review.match) return;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: "Nothing in the challenge could be compared with the request.",
    details: reviewReport(id, challenge, review),
  });
}

/**
 * Names of fields that may stand in a message of ours; any other name was chosen by whoever made
 * the challenge.
 */
const NAMED = new Set(
  [
    ...[
      "account_name",
      "account_id",
      "amount",
      "antireplay",
      "contract_address",
      "currency",
      "destination_tag",
      "fees",
    ],
    ...[
      "gas_limit",
      "gas_price",
      "max_fees",
      "memo",
      "network",
      "recipient",
      "tag",
      "transaction_type",
      "type",
    ],
  ].map(snakeCase),
);

/** The failure that says in which fields a challenge differs. */
export function mismatch(
  details: Record<string, unknown>,
  differences: readonly Difference[],
): CliError {
  // Two sources may contradict one field.
  const places = new Set(differences.map(({ field }) => field));
  const count = places.size === 1 ? "one field" : `${places.size} fields`;
  const names = new Set([...places].map((place) => snakeCase(place.replace(/^.*[.\]]/, ""))));
  const known = [...names].filter((name) => NAMED.has(name)).join(", ");
  return new CliError("CHALLENGE_MISMATCH", {
    message: `The challenge differs from what was asked for in ${count}${known === "" ? "" : ` (${known})`}; nothing was signed.`,
    details,
  });
}

/**
 * Holds the challenge against `--expect` and `--expectPayloadSha256`. A challenge that is no JSON
 * object needs the digest. Throws CHALLENGE_MISMATCH, INVALID_CHALLENGE, INVALID_ARGUMENT.
 */
export function requireExpected(
  challenge: Challenge,
  { expect, expectPayloadSha256 }: Expectations,
): void {
  if (
    expectPayloadSha256 !== undefined &&
    expectPayloadSha256.toLowerCase() !== challenge.payloadSha256
  ) {
    const facts = {
      field: "sha256(payload)",
      challenge: challenge.payloadSha256,
      expected: expectPayloadSha256.toLowerCase(),
    };
    throw mismatch(
      { differences: [{ ...facts, source: "expectPayloadSha256" }], ...shown(challenge) },
      [{ ...facts, source: "rule" }],
    );
  }
  const differences = expect === undefined ? [] : expectLeaves(challenge, expect);
  if (differences.length > 0) throw mismatch({ differences, ...shown(challenge) }, differences);
  if (challenge.shape === "opaque" && expectPayloadSha256 === undefined) {
    throw new CliError("INVALID_CHALLENGE", {
      message:
        "The challenge is not a JSON object; it is signed only when its digest is confirmed.",
      hint: "Have a person confirm the content, then add --expectPayloadSha256.",
      details: shown(challenge),
    });
  }
}

/**
 * What `approve api --sign` asks beyond the absence of differences: everything verified, or the
 * caller's own confirmation. A shape that is not known needs the digest. Throws CHALLENGE_MISMATCH.
 */
export function requireVerified(
  id: string,
  challenge: Challenge,
  review: Review,
  expectations: Expectations,
): void {
  requireNoDifference(id, challenge, review);
  const { expect, expectPayloadSha256 } = expectations;
  const isKnown = isKnownShape(challenge.shape);
  const confirmed = expectPayloadSha256 !== undefined || (isKnown && expect !== undefined);
  if (confirmed || (isKnown && review.match && review.unverified.length === 0)) return;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: isKnown
      ? "Part of the challenge, or of the request, had nothing to be compared with; nothing was signed."
      : "The challenge has an unknown shape, so that nothing in it could be verified; nothing was signed.",
    hint: `Show the decoded challenge to a person, then repeat with --expectPayloadSha256${isKnown ? " or --expect" : ""}.`,
    details: reviewReport(id, challenge, review),
  });
}

/**
 * KEY-4: refuses a key that is not the one the server registered for this user. Throws KEY_MISMATCH
 * with both fingerprints.
 */
export function requireRegistered(publicKey: Uint8Array, session: Session | undefined): void {
  const own = Buffer.from(publicKey).toString("hex");
  const other =
    session === undefined ? undefined : registeredKeys(session).find((key) => key !== own);
  if (other === undefined) return;
  const registered = publicKeyFromHex(other);
  throw new CliError("KEY_MISMATCH", {
    message: "The configured private key does not belong to the user of the session.",
    details: {
      configured: fingerprint(publicKey),
      registered: registered === undefined ? null : fingerprint(registered),
    },
  });
}

/**
 * A session of the wrong kind is told apart before anything is signed (I18). Throws
 * WRONG_SESSION_KIND.
 */
export function requireKind(session: Session | undefined, kind: Session["kind"]): void {
  if (session === undefined || session.kind === kind) return;
  throw new CliError("WRONG_SESSION_KIND", {
    message: `The session was opened by 'login ${session.kind}'; this needs 'login ${kind}'.`,
    hint: `Log in with 'login ${kind}' first.`,
  });
}

/**
 * SIG-7: a signature made earlier, or elsewhere, must be ours, over the newest challenge received
 * for this very request; where none is remembered, its content is reviewed against the request on
 * the server. Asks for no new challenge. Throws INVALID_SIGNATURE, CHALLENGE_MISMATCH.
 */
export async function checkSignature(
  host: ApprovalHost,
  id: string,
  jws: string,
  ownKey: Uint8Array | undefined,
  expectations: Expectations,
): Promise<void> {
  const { payload } = parseJws(jws);
  const session = await host.reader.session();
  for (const key of knownKeys(ownKey, session)) {
    if (!verifyJws(jws, key)) {
      throw new CliError("INVALID_SIGNATURE", {
        message: "The signature was not made with the operator's key, or it was altered.",
        details: { publicKey: fingerprint(key) },
      });
    }
  }
  const challenge = decodeChallenge(Buffer.from(payload).toString("base64url"));
  requireExpected(challenge, expectations);
  const digest = createHash("sha256").update(payload).digest("hex");
  const newest = await host.records.newestChallenge(session, id);
  if (newest === digest) return;
  const owner = await host.records.ownerOf(digest);
  if (newest !== undefined || (owner !== undefined && !owner.isFor(session, id))) {
    throw new CliError("CHALLENGE_MISMATCH", {
      message:
        owner !== undefined && !owner.isFor(session, id)
          ? "The signature is over a challenge of another request; nothing was sent."
          : "The signature is not over the newest challenge that was received for this request; nothing was sent.",
      hint: "Fetch the challenge again with 'requests getChallenge', review it, and sign that one.",
      details: { requestId: id, signed: digest, newest: newest ?? null },
    });
  }
  requireVerified(id, challenge, await reviewOnline(host, id, challenge), expectations);
}

function knownKeys(ownKey: Uint8Array | undefined, session: Session): Uint8Array[] {
  const registered = registeredKeys(session).flatMap((key) => publicKeyFromHex(key) ?? []);
  return ownKey === undefined ? registered : [ownKey, ...registered];
}
