/**
 * From a request to a signature that says what was meant: asking for the challenge, comparing it
 * with everything known about the request, and checking a signature that was made elsewhere (SIG-6,
 * SIG-7; specification §4, Review). Nothing here signs.
 */
import { CliError } from "../../errors.ts";
import { Exact, encode, member, value } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { fingerprint, publicKeyFromHex } from "../auth/key.ts";
import type { Records } from "../state/records.ts";
import type { Session } from "../state/session.ts";
import { registeredKeys } from "../state/session.ts";
import { type Challenge, challengeOf, decodeChallenge, isKnownShape } from "./challenge.ts";
import { expectLeaves } from "./expectation.ts";
import type { Decision } from "./field.ts";
import { parseJws, verifyJws } from "./jws.ts";
import { accountIdsOf, type Review, type ReviewSource, reviewChallenge, shown } from "./review.ts";
import { type Case, type Confirmation, mismatch } from "./verdict.ts";

/** Where requests and challenges come from, and what is remembered of them. */
export interface ApprovalHost {
  readonly reader: Reader;
  readonly records: Records;
  /**
   * What the journal has of a create, for one whose record was not kept; absent or empty: nothing.
   */
  journalled?(scope: Session, id: string): Promise<readonly Exact[] | undefined>;
}

/** What the caller said the challenge must hold. */
export interface Expectations {
  readonly expect: Exact | undefined;
  readonly expectPayloadSha256: string | undefined;
}

/** A request that is on its way while its challenge is asked for. */
export interface EarlyRequest {
  readonly answer: Promise<Exact>;
  /** It is not needed any more. */
  end(): void;
}

/**
 * Asks for the request without waiting for it. The review compares both: a request that changes
 * meanwhile is a difference.
 */
export function askRequest({ reader }: Pick<ApprovalHost, "reader">, id: string): EarlyRequest {
  const stop = new AbortController();
  const companion = { stop: stop.signal, onLimited: () => undefined };
  const answer = reader.read("requests.get", { id }, undefined, companion);
  // Its failure counts when the challenge is there.
  answer.catch(() => undefined);
  return { answer, end: () => stop.abort() };
}

/** A new challenge, its request, and whether the challenge is remembered. */
export interface Asked {
  readonly challenge: Challenge;
  readonly request?: EarlyRequest;
  /** Settled when it is; that comes before anything is signed or shown. */
  readonly kept?: Promise<void>;
}

/**
 * The request and a new challenge of it, asked for at once. The challenge is remembered as by
 * `askChallenge`, but while what the caller asks for next is on its way.
 */
export async function askBoth(
  host: ApprovalHost,
  id: string,
  decision: Decision = "APPROVE",
): Promise<Asked> {
  const answer = readChallenge(host, id, decision);
  const request = askRequest(host, id);
  try {
    const challenge = await answer;
    const kept = afterwards(() => keepChallenge(host, id, challenge, decision));
    // Its failure counts when it is waited for.
    kept.catch(() => undefined);
    return { challenge, request, kept };
  } catch (cause) {
    request.end();
    throw cause;
  }
}

/** Once everything that can go on now has been begun. */
async function afterwards(work: () => Promise<void>): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await work();
}

/**
 * What `work` makes of a challenge that was asked for; when it ends, also in a failure, the
 * challenge is remembered, and what is not needed any more is not waited for.
 */
export async function withAsked<T>({ kept, request }: Asked, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    request?.end();
    await kept;
  }
}

/**
 * Asks the server for the request's challenge. That of an approval is remembered, by its digest, as
 * the newest for this request; that of a rejection (V1) never leaves the command.
 */
export async function askChallenge(host: ApprovalHost, id: string): Promise<Challenge> {
  const challenge = await readChallenge(host, id, "APPROVE");
  await keepChallenge(host, id, challenge, "APPROVE");
  return challenge;
}

async function readChallenge(
  { reader }: ApprovalHost,
  id: string,
  decision: Decision,
): Promise<Challenge> {
  const name = decision === "REJECT" ? "requests.rejectChallenge" : "requests.challenge";
  const answer = await reader.read(name, { id });
  // On V2 the shape of this answer is not public: its id may be the challenge's own.
  if ((await reader.session()).apiVersion === "v1") requireIts(answer, id);
  return decodeChallenge(challengeOf(answer));
}

/** Throws what `requireNew` throws; then nothing is kept. */
async function keepChallenge(
  { reader, records }: ApprovalHost,
  id: string,
  challenge: Challenge,
  decision: Decision,
): Promise<void> {
  const session = await reader.session();
  await requireNew(records, challenge, session, id);
  if (decision === "APPROVE") await records.keepChallenge(session, id, challenge.payloadSha256);
}

/** Throws INVALID_RESPONSE for an answer that names another request than the asked one. */
function requireIts(answer: Exact, id: string): void {
  const found = answer.text.startsWith("{") ? member(answer, "id") : undefined;
  if (found === undefined || String(value(found)) === id) return;
  throw new CliError("INVALID_RESPONSE", {
    message: "The server answered with another request than the one that was asked for.",
    field: "id",
    details: { requestId: id, answered: found },
  });
}

/**
 * A challenge has a nonce: with one that was received for another request of this workspace, one
 * signature would decide about both. Throws CHALLENGE_MISMATCH.
 */
async function requireNew(
  records: Records,
  { shape, payloadSha256 }: Challenge,
  session: Session,
  id: string,
): Promise<void> {
  if (!isKnownShape(shape)) return;
  const owner = await records.ownerOf(payloadSha256);
  const isOfAnother = owner?.isFor(session, owner.id) === true && owner.id !== id;
  if (!isOfAnother) return;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: "The server's challenge was received for another request before; nothing was signed.",
    details: { requestId: id, receivedFor: owner.id, payloadSha256 },
    hint: "Do not approve. Show both requests to a person.",
  });
}

/**
 * Compares with the request on the server, the account it names, and the record kept when it was
 * created here. A difference is remembered.
 */
export async function reviewOnline(
  host: ApprovalHost,
  id: string,
  challenge: Challenge,
  decision: Decision = "APPROVE",
  request = askRequest(host, id),
): Promise<Review> {
  const review = await compareOnline(host, id, challenge, decision, await request.answer);
  if (review.differences.length > 0) {
    const about = { scope: await host.reader.session(), id };
    await host.records.keepRefused(challenge.payloadSha256, decision, about);
  }
  return review;
}

async function compareOnline(
  host: ApprovalHost,
  id: string,
  challenge: Challenge,
  decision: Decision,
  answer: Exact,
): Promise<Review> {
  const { reader, records } = host;
  requireIts(answer, id);
  const request = await withContent(reader, answer);
  const session = await reader.session();
  const kept = await records.created(session, id);
  const created = kept.length > 0 ? kept : ((await host.journalled?.(session, id)) ?? []);
  const sources = [
    { request, source: "server" as const },
    ...created.map((one) => ({ request: one, source: "record" as const })),
  ];
  return reviewChallenge({
    challenge,
    sources,
    decision,
    accountNames: await namesOfAccounts(reader, sources),
  });
}

/** What the server says that a request asks for: type, data and note, without its bookkeeping. */
export async function requestOf(reader: Reader, id: string): Promise<Exact> {
  const answer = await reader.read("requests.get", { id });
  requireIts(answer, id);
  const request = await withContent(reader, answer);
  const asked = ["type", "data", "note"].map((name) => [name, member(request, name)] as const);
  return new Exact(encode(Object.fromEntries(asked)));
}

/**
 * V2 shows what a request would do in the request itself, V1 only in the transaction, or in the
 * digests, that it is about.
 */
async function withContent(reader: Reader, request: Exact): Promise<Exact> {
  const [kind, target] = [member(request, "target_type"), member(request, "target_id")];
  const operation = kind?.text.endsWith('TRANSACTION"')
    ? "requests.content"
    : kind?.text === '"DIGESTS"'
      ? "requests.digests"
      : undefined;
  const isShown = member(request, "data") !== undefined || operation === undefined;
  if (isShown || target === undefined || !/^\d+$/.test(target.text)) return request;
  const data = await reader.read(operation, { targetId: target.text });
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
  if (created.length === 0) return undefined;
  const sources = created.map((request) => ({ request, source: "record" as const }));
  const review = reviewChallenge({ challenge, sources });
  if (review.differences.length > 0)
    await records.keepRefused(challenge.payloadSha256, "APPROVE", undefined);
  return review;
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
 * Holds the challenge against `--expect` and `--expectPayloadSha256`, and returns what they
 * confirm. Throws CHALLENGE_MISMATCH, INVALID_ARGUMENT.
 */
export function confirmationOf(
  challenge: Challenge,
  { expect, expectPayloadSha256 }: Expectations,
  act: Case["act"],
): Confirmation {
  if (
    expectPayloadSha256 !== undefined &&
    expectPayloadSha256.toLowerCase() !== challenge.payloadSha256
  ) {
    const facts = {
      field: "sha256(payload)",
      challenge: challenge.payloadSha256,
      expected: expectPayloadSha256.toLowerCase(),
    };
    const differences = [{ ...facts, source: "expectPayloadSha256" }];
    throw mismatch({ differences, ...shown(challenge) }, [{ ...facts, source: "rule" }], act);
  }
  const all = expectPayloadSha256 !== undefined;
  if (expect === undefined) return { all, fields: new Set() };
  const { differences, confirmed } = expectLeaves(challenge, expect);
  if (differences.length > 0)
    throw mismatch({ differences, ...shown(challenge) }, differences, act);
  return { all, fields: confirmed };
}

/** A challenge that is not a JSON object needs the confirmed digest. Throws INVALID_CHALLENGE. */
export function requireReadable(challenge: Challenge, { all }: Confirmation): void {
  if (challenge.shape !== "opaque" || all) return;
  throw new CliError("INVALID_CHALLENGE", {
    message: "The challenge is not a JSON object; it is signed only when its digest is confirmed.",
    hint: "Have a person confirm the content, then add --expectPayloadSha256.",
    details: shown(challenge),
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
 * SIG-7: the challenge under a signature that was made earlier, or elsewhere. The signature must be
 * ours, and over the newest challenge received for this very request, where one is remembered.
 * Asks for no new challenge. Throws INVALID_SIGNATURE, CHALLENGE_MISMATCH.
 */
export async function signedChallenge(
  { records }: ApprovalHost,
  { id, session, jws }: { readonly id: string; readonly session: Session; readonly jws: string },
  ownKey: Uint8Array | undefined,
): Promise<Challenge> {
  const { payload } = parseJws(jws);
  for (const key of knownKeys(ownKey, session)) {
    if (!verifyJws(jws, key)) {
      throw new CliError("INVALID_SIGNATURE", {
        message: "The signature was not made with the operator's key, or it was altered.",
        details: { publicKey: fingerprint(key) },
      });
    }
  }
  const challenge = decodeChallenge(Buffer.from(payload).toString("base64url"));
  const digest = challenge.payloadSha256;
  const newest = await records.newestChallenge(session, id);
  const owner = newest === digest ? undefined : await records.ownerOf(digest);
  const isOfAnother = owner !== undefined && !owner.isFor(session, id);
  if (newest === digest || (newest === undefined && !isOfAnother)) return challenge;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: isOfAnother
      ? "The signature is over a challenge of another request; nothing was sent."
      : "The signature is not over the newest challenge that was received for this request; nothing was sent.",
    hint: "Fetch the challenge again with 'requests getChallenge', review it, and sign that one.",
    details: { requestId: id, signed: digest, newest: newest ?? null },
  });
}

function knownKeys(ownKey: Uint8Array | undefined, session: Session): Uint8Array[] {
  const registered = registeredKeys(session).flatMap((key) => publicKeyFromHex(key) ?? []);
  return ownKey === undefined ? registered : [ownKey, ...registered];
}
