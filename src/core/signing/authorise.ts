/**
 * From an order to what is signed and sent, written once: kind of session, key, challenge, review,
 * decision, signature, call. An `Examination` does everything up to the decision and cannot sign;
 * an `Authority` goes on from there.
 */
import { CliError } from "../../errors.ts";
import type { Exact } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import type { Api } from "../api/api.ts";
import { missingPrivateKey } from "../auth/faults.ts";
import type { Summary } from "../meaning/parts.ts";
import type { Session, SessionStore } from "../state/session.ts";
import {
  type ApprovalHost,
  type Asked,
  askBoth,
  confirmationOf,
  type Expectations,
  requireKind,
  requireReadable,
  requireRegistered,
  reviewOffline,
  reviewOnline,
  signedChallenge,
  withAsked,
} from "./approval.ts";
import { type Challenge, decodeChallenge, isKnownShape, looksLikeToken } from "./challenge.ts";
import type { Decision } from "./field.ts";
import type { Keyring } from "./keyring.ts";
import { reviewReport } from "./review.ts";
import {
  both,
  type Confirmation,
  fieldsOf,
  numbersOf,
  requireLeave,
  UNCONFIRMED,
  type Verdict,
  verdictOf,
} from "./verdict.ts";

/** A decision about a request. */
export interface Order extends Expectations {
  readonly id: string;
  readonly decision: Decision;
  /** A compact JWS that was made before; undefined when one is to be made. */
  readonly signature: string | undefined;
  /** The key of the record that is repeated on purpose. */
  readonly again: string | undefined;
}

/** A challenge that is to be signed and handed out. */
export interface SigningOrder extends Expectations {
  readonly challenge: string;
  /** The request to review it against; undefined to review it against what is kept here. */
  readonly id: string | undefined;
}

/** An order that may be carried out. */
export interface Examined {
  readonly session: Session;
  readonly challenge: Challenge;
  /** The review as commands print it. */
  readonly report: Readonly<Record<string, unknown>>;
  /** What the review left open. */
  readonly unverified: readonly string[];
}

/** A challenge that may be signed. */
export interface Examinable {
  readonly session: Session | undefined;
  readonly challenge: Challenge;
  readonly publicKey: Uint8Array;
  readonly verdict: Exclude<Verdict, "refused">;
  /** What stays open when the verdict is `partial`. */
  readonly unverified: readonly string[];
  readonly confirmation: Confirmation;
}

/** Everything up to the decision. Throws the codes of sessions, keys, challenges and reviews. */
export interface Examination {
  order(order: Order): Promise<Pick<Examined, "report">>;
  signing(order: SigningOrder & ForReader): Promise<Examinable & Meant>;
}

interface ForReader {
  readonly noSummary: boolean;
}

interface Meant {
  /** Undefined when it is not wanted, or when the challenge is not a JSON object. */
  readonly summary: Summary | undefined;
}

/** The same, and what it allows is done. */
export interface Authority {
  /** Signs where no signature was given, and sends the decision; returns the API's answer. */
  authorise(order: Order): Promise<Exact>;
}

/** Signatures that are handed out. */
export interface Signing {
  /** Signs and sends nothing. */
  sign(order: SigningOrder): Promise<Examinable & { readonly signature: string }>;
}

const DECISIONS = { APPROVE: "requests.approve", REJECT: "requests.reject" } as const;

/** What an examination needs. */
export interface ExaminationHost extends ApprovalHost {
  readonly sessions: Pick<SessionStore, "read">;
  readonly log: Log;
  /** True where what a caller expects may refuse, and can never confirm (a guard's client). */
  readonly onlyNarrows?: boolean;
  /** 65 bytes; undefined when no key is configured. */
  publicKey(): Promise<Uint8Array | undefined>;
  /** Keeps that something was refused that was to be signed or sent. Never throws. */
  refused?(cause: CliError, id: string | undefined): Promise<void>;
  /** The failure of a decision, with what the journal has of an earlier one. */
  told?(cause: unknown, id: string): Promise<unknown>;
  /** What a challenge means; undefined for one that is not a JSON object. Offline without reads. */
  summaryOf(challenge: Challenge, mayRead: boolean): Promise<Summary | undefined>;
}

/** What a dry run gets: it cannot sign or send. */
export function createExamination(
  host: ExaminationHost,
): Omit<Examination, "order"> & { order(order: Order): Promise<Examined> } {
  return {
    order: (order) => told(host, order, () => examineOrder(host, order)),
    async signing({ noSummary, ...order }) {
      const examined = await examineSigning(host, order);
      const isWanted = !noSummary;
      const { challenge } = examined;
      const summary = isWanted
        ? await host.summaryOf(challenge, order.id !== undefined)
        : undefined;
      return { ...examined, summary };
    },
  };
}

/** Decides and sends: what signs is asked only after the examination. */
export function createAuthority(
  host: ExaminationHost & { readonly api: Api; readonly keyring: Keyring },
): Authority {
  const { api, keyring } = host;
  return {
    authorise: (order) =>
      told(host, order, async () => {
        const { id, decision, again } = order;
        const examined = await meant(host, id, () => examineOrder(host, order));
        const { session, challenge: content, unverified } = examined;
        const purpose = decision === "APPROVE" ? "approve" : "reject";
        const signing = { purpose, session, requestId: id, content, unverified, again } as const;
        const signature = order.signature ?? (await keyring.sign(signing));
        return api.write(DECISIONS[decision], { id, signature }, undefined, content, { again });
      }),
  };
}

/** Codes with which an examination refuses what somebody wants to have signed or sent. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...["KEY_MISMATCH", "INVALID_SIGNATURE", "CHALLENGE_MISMATCH", "MEANING_UNCLEAR"],
]);

/** An examination that is not for a dry run: its refusal comes before there is an intent. */
async function meant<T>(
  host: ExaminationHost,
  id: string | undefined,
  examine: () => Promise<T>,
): Promise<T> {
  try {
    return await examine();
  } catch (cause) {
    if (cause instanceof CliError && REFUSALS.has(cause.code)) await host.refused?.(cause, id);
    throw cause;
  }
}

/** What deciding returns; a refusal of it says what this operator decided before. */
async function told<T>(
  { told }: ExaminationHost,
  { id }: Order,
  decide: () => Promise<T>,
): Promise<T> {
  try {
    return await decide();
  } catch (cause) {
    throw (await told?.(cause, id)) ?? cause;
  }
}

/** Signs and cannot send; what was confirmed for a signature is remembered. */
export function createSigning(host: ExaminationHost & { readonly keyring: Keyring }): Signing {
  const { keyring, records } = host;
  return {
    async sign(order) {
      const examined = await meant(host, order.id, () => examineSigning(host, order));
      const { session, challenge: content, confirmation, verdict } = examined;
      const signing = { purpose: "unknown" as const, session, requestId: order.id, content };
      const signature = await keyring.sign(signing);
      if (confirmation.all || confirmation.fields.size > 0) {
        const fields = numbersOf(content, confirmation);
        const made = { scope: session, id: order.id, payloadSha256: content.payloadSha256 };
        await records.keepSigned(signature, { ...made, verdict, all: confirmation.all, fields });
      }
      return { ...examined, signature };
    },
  };
}

async function examineOrder(host: ExaminationHost, order: Order): Promise<Examined> {
  const session = await host.reader.session(DECISIONS[order.decision]);
  requireKind(session, "api");
  const asked = await challengeFor(host, order, session);
  return withAsked(asked, () => examineChallenge(host, order, session, asked));
}

async function examineChallenge(
  host: ExaminationHost,
  order: Order,
  session: Session,
  { challenge, request }: Asked,
): Promise<Examined> {
  const { records } = host;
  const { id, decision, signature: jws } = order;
  const act = jws === undefined ? "decide" : "send";
  const expected = confirmationOf(challenge, order, act);
  const given = host.onlyNarrows === true ? UNCONFIRMED : expected;
  const confirmation =
    jws === undefined ? given : await withRecorded(host, order, challenge, given);
  requireReadable(challenge, confirmation);
  const [review, summary] = await Promise.all([
    reviewOnline(host, id, challenge, decision, request),
    host.summaryOf(challenge, true),
  ]);
  // Asked last: a process beside this one may have found a difference meanwhile.
  const subject = { scope: session, id, decision };
  const wasRefused = await records.wasRefused(challenge.payloadSha256, subject);
  requireLeave({ act, id, decision, challenge, review, wasRefused, confirmation, summary });
  const report = reviewReport(id, challenge, review, summary);
  return { session, challenge, report, unverified: review.unverified };
}

/**
 * The server's challenge, once the key is known to be the user's, and the request that was asked
 * for with it; or the challenge of the given signature.
 */
async function challengeFor(
  host: ExaminationHost,
  { id, decision, signature: jws }: Order,
  session: Session,
): Promise<Asked> {
  const publicKey = await host.publicKey();
  if (jws !== undefined)
    return { challenge: await signedChallenge(host, { id, session, jws }, publicKey) };
  if (publicKey === undefined) throw missingPrivateKey();
  requireRegistered(publicKey, session);
  return askBoth(host, id, decision);
}

/** What was confirmed here, and what the `requests sign` that made the signature was given. */
async function withRecorded(
  { records, reader }: ExaminationHost,
  { id, signature = "" }: Order,
  challenge: Challenge,
  given: Confirmation,
): Promise<Confirmation> {
  const subject = { scope: await reader.session(), id };
  const kept = await records.confirmedFor(signature, challenge.payloadSha256, subject);
  if (kept === undefined) return given;
  return both(given, { all: kept.all, fields: fieldsOf(challenge, kept.fields) });
}

async function examineSigning(host: ExaminationHost, order: SigningOrder): Promise<Examinable> {
  const { records, sessions } = host;
  const { id } = order;
  const challenge = decodeChallenge(order.challenge);
  const confirmation = confirmationOf(challenge, order, "sign");
  requireReadable(challenge, confirmation);
  requireKind(await sessions.read(), "api");
  if (id !== undefined) await requireOwnChallenge(host, id, challenge);
  const review =
    id === undefined
      ? await reviewOffline(records, challenge)
      : await reviewOnline(host, id, challenge);
  const wasRefused = await records.wasRefused(challenge.payloadSha256);
  const about = { act: "sign", id: id ?? null, decision: "APPROVE" } as const;
  requireLeave({ ...about, challenge, review, wasRefused, confirmation, summary: undefined });
  warnOf(host.log, challenge);
  const publicKey = await host.publicKey();
  if (publicKey === undefined) throw missingPrivateKey();
  const session = await sessions.read();
  requireRegistered(publicKey, session);
  const verdict = verdictOf(challenge, review);
  if (verdict === "refused") throw new Error("A refused challenge was about to be signed.");
  const unverified = verdict === "partial" ? (review?.unverified ?? []) : [];
  return { session, challenge, publicKey, verdict, unverified, confirmation };
}

function warnOf(log: Log, { shape, document }: Challenge): void {
  if (!isKnownShape(shape)) {
    log.warn(
      "UNKNOWN_CHALLENGE",
      "The challenge has an unknown shape: nothing in it was compared with a request.",
    );
  }
  if (document !== undefined && looksLikeToken(document)) {
    log.warn(
      "TOKEN_LIKE",
      "The payload looks like the claims of an access token; a signature over it could pass as one.",
    );
  }
}

/** A challenge that was received for another request is not signed for this one. */
async function requireOwnChallenge(
  { reader, records }: ExaminationHost,
  requestId: string,
  challenge: Challenge,
): Promise<void> {
  const owner = await records.ownerOf(challenge.payloadSha256);
  if (owner === undefined || owner.isFor(await reader.session(), requestId)) return;
  throw new CliError("CHALLENGE_MISMATCH", {
    message: "The challenge was received for another request; nothing was signed.",
    details: { requestId, receivedFor: owner.id, payloadSha256: challenge.payloadSha256 },
    hint: "Fetch this request's own challenge with 'requests getChallenge', and review that one.",
  });
}
