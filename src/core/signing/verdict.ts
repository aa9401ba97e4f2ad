/**
 * Whether a challenge may be signed, approved or rejected. One function decides, whichever command
 * asks. Pure.
 */
import { CliError } from "../../errors.ts";
import type { Summary } from "../meaning/parts.ts";
import { type Challenge, isKnownShape } from "./challenge.ts";
import { type Decision, type Field, leavesOf, rootOf, snakeCase } from "./field.ts";
import { type Difference, type Review, reviewReport, stillOpen } from "./review.ts";

/**
 * What a review came to: `refused` found a difference, `matched` compared everything, `partial`
 * left something open, `none` compared nothing.
 */
export type Verdict = "refused" | "matched" | "partial" | "none";

/** The verdict of a review; without one nothing was compared. */
export function verdictOf({ shape }: Challenge, review: Review | undefined): Verdict {
  if (review === undefined) return "none";
  if (review.differences.length > 0) return "refused";
  if (!isKnownShape(shape) || !review.match) return "none";
  return review.unverified.length === 0 ? "matched" : "partial";
}

/** What a person or a policy engine said of a challenge. */
export interface Confirmation {
  /** The digest was confirmed, and with it everything that the challenge says. */
  readonly all: boolean;
  /** Fields of the challenge whose values were confirmed one by one. */
  readonly fields: ReadonlySet<Field>;
}

/** Nothing is confirmed. */
export const UNCONFIRMED: Confirmation = { all: false, fields: new Set() };

/** What either of two confirmations says. */
export function both(one: Confirmation, other: Confirmation): Confirmation {
  return { all: one.all || other.all, fields: new Set([...one.fields, ...other.fields]) };
}

/** The confirmed fields as numbers of leaves of the challenge, for the record. */
export function numbersOf(challenge: Challenge, { fields }: Confirmation): number[] {
  const leaves = challenge.document === undefined ? [] : leavesOf(rootOf(challenge.document));
  return leaves.flatMap((leaf, number) => (fields.has(leaf) ? [number] : []));
}

/** The fields with these numbers; a number that is none of this challenge's counts for nothing. */
export function fieldsOf(challenge: Challenge, numbers: readonly number[]): Set<Field> {
  const leaves = challenge.document === undefined ? [] : leavesOf(rootOf(challenge.document));
  return new Set(numbers.flatMap((number) => leaves[number] ?? []));
}

/** One question. */
export interface Case {
  /** Hand out a signature; sign and send a decision; or send a signature that was made before. */
  readonly act: "sign" | "decide" | "send";
  /** The request; null where none was named. */
  readonly id: string | null;
  readonly challenge: Challenge;
  /** Undefined where there was nothing to compare with. */
  readonly review: Review | undefined;
  /** An earlier review of this very challenge found a difference. */
  readonly wasRefused: boolean;
  readonly confirmation: Confirmation;
  readonly decision: Decision;
  /** What the challenge means; undefined where it was not asked for. */
  readonly summary: Summary | undefined;
}

/**
 * Throws CHALLENGE_MISMATCH unless the case may be carried out:
 * - a difference refuses, whatever was confirmed;
 * - one that an earlier review found refuses, too; only the confirmed digest makes a signature, and
 *   that signature is not sent;
 * - a signature needs something that was compared or confirmed, when there was a review;
 * - an approval or a rejection needs everything compared or confirmed.
 *
 * After that MEANING_UNCLEAR: an approval with a grave warning needs the confirmed digest.
 */
export function requireLeave(asked: Case): void {
  requireReviewed(asked);
  const { act, decision, confirmation, summary } = asked;
  const isGrave = summary?.warnings.some(({ grave }) => grave) === true;
  if (isGrave && act !== "sign" && decision === "APPROVE" && !confirmation.all)
    throw unclear(asked, summary);
}

function requireReviewed(asked: Case): void {
  const { act, challenge, review, confirmation } = asked;
  if (review !== undefined && review.differences.length > 0)
    throw mismatch(reportOf(asked, review), review.differences, act);
  if (asked.wasRefused && !(act === "sign" && confirmation.all)) throw refusedBefore(asked);
  const verdict = verdictOf(challenge, review);
  if (confirmation.all || verdict === "matched") return;
  const isKnown = isKnownShape(challenge.shape);
  if (act === "sign") {
    const isSilent = isKnown && verdict === "none" && confirmation.fields.size === 0;
    if (review !== undefined && isSilent) throw nothingCompared(reportOf(asked, review));
    return;
  }
  if (review !== undefined && isKnown) {
    const isAnything = verdict === "partial" || confirmation.fields.size > 0;
    if (isAnything && stillOpen(review, confirmation.fields).length === 0) return;
  }
  throw unverified(asked);
}

function reportOf({ id, challenge, summary }: Case, review: Review): Record<string, unknown> {
  return reviewReport(id, challenge, review, summary);
}

function unclear(asked: Case, summary: Summary): CliError {
  const grave = summary.warnings.filter((one) => one.grave);
  const codes = [...new Set(grave.map(({ code }) => code))].join(", ");
  const report = asked.review === undefined ? { summary } : reportOf(asked, asked.review);
  return new CliError("MEANING_UNCLEAR", {
    message: `A person must see what this means first (${codes}); ${CONSEQUENCE[asked.act]}.`,
    details: report,
  });
}

function refusedBefore(asked: Case): CliError {
  const { act, id, challenge, review } = asked;
  const report = review === undefined ? {} : reportOf(asked, review);
  return new CliError("CHALLENGE_MISMATCH", {
    message: `An earlier review of this challenge found a difference; ${CONSEQUENCE[act]}.`,
    hint:
      act === "sign"
        ? "Do not sign. Show the decoded challenge to a person; only --expectPayloadSha256 signs it, and 'approve' refuses it."
        : "Do not approve. Show the request and the decoded challenge to a person.",
    details: { requestId: id, ...report, payloadSha256: challenge.payloadSha256 },
  });
}

/**
 * What `requests review` asks: throws CHALLENGE_MISMATCH when there is a difference, or when
 * nothing was there to be compared.
 */
export function requireCompared(review: Review, report: Record<string, unknown>): void {
  if (review.differences.length > 0) throw mismatch(report, review.differences, "sign");
  if (!review.match) throw nothingCompared(report);
}

function nothingCompared(details: Record<string, unknown>): CliError {
  return new CliError("CHALLENGE_MISMATCH", {
    message: "Nothing in the challenge could be compared with the request.",
    details,
  });
}

function unverified(asked: Case): CliError {
  const { act, challenge, review, confirmation } = asked;
  const isKnown = isKnownShape(challenge.shape);
  const isPartly = isKnown && review !== undefined && confirmation.fields.size > 0;
  const details = review === undefined ? {} : reportOf(asked, review);
  return new CliError("CHALLENGE_MISMATCH", {
    message: isKnown
      ? `Part of the challenge, or of the request, had nothing to be compared with; ${CONSEQUENCE[act]}.`
      : `The challenge has an unknown shape, so that nothing in it could be verified; ${CONSEQUENCE[act]}.`,
    hint: `Show the decoded challenge to a person, then repeat with --expectPayloadSha256${isKnown ? " or --expect" : ""}.`,
    details: isPartly
      ? { ...details, unconfirmed: stillOpen(review, confirmation.fields) }
      : details,
  });
}

const CONSEQUENCE = {
  sign: "nothing was signed",
  decide: "nothing was signed",
  send: "nothing was sent",
} as const;

/**
 * Names of fields that a message of ours may contain; any other name was chosen by the author of
 * the challenge.
 */
const NAMED = new Set(
  [
    ...["account_name", "account_id", "amount", "antireplay", "contract_address", "currency"],
    ...["destination_tag", "fees", "gas_limit", "gas_price", "max_fees", "memo", "network"],
    ...["recipient", "tag", "transaction_type", "type"],
  ].map(snakeCase),
);

/** The failure that says in which fields a challenge differs. */
export function mismatch(
  details: Record<string, unknown>,
  differences: readonly Difference[],
  act: Case["act"],
): CliError {
  // Two sources may contradict one field.
  const places = new Set(differences.map(({ field }) => field));
  const count = places.size === 1 ? "one field" : `${places.size} fields`;
  const names = new Set([...places].map((place) => snakeCase(place.replace(/^.*[.\]]/, ""))));
  const known = [...names].filter((name) => NAMED.has(name)).join(", ");
  return new CliError("CHALLENGE_MISMATCH", {
    message: `The challenge differs from what was asked for in ${count}${known === "" ? "" : ` (${known})`}; ${CONSEQUENCE[act]}.`,
    details,
  });
}
