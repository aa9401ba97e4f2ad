/** Challenges as a person sees them: what they say, and whether that is what the request says. */
import type { Summary } from "../meaning/parts.ts";
import {
  type ApprovalHost,
  type Asked,
  askBoth,
  askChallenge,
  reviewOnline,
  withAsked,
} from "./approval.ts";
import { type Challenge, decodeChallenge } from "./challenge.ts";
import { reviewReport, shown } from "./review.ts";
import { requireCompared } from "./verdict.ts";

/** Shows challenges; what was seen is remembered for later signatures. */
export interface Reviews {
  /** A new challenge of the request, decoded. */
  challenge(id: string, noSummary: boolean): Promise<unknown>;
  /**
   * The review of a challenge, or of a new one. Throws CHALLENGE_MISMATCH when it differs from the
   * request, INVALID_CHALLENGE.
   */
  review(id: string, challenge: string | undefined, noSummary: boolean): Promise<unknown>;
}

/** What showing challenges needs. */
export interface ReviewsHost extends ApprovalHost {
  /** What the challenge means; undefined where it cannot be read as a JSON object. */
  summaryOf(challenge: Challenge): Promise<Summary | undefined>;
}

/** Shows challenges with this host. */
export function createReviews(host: ReviewsHost): Reviews {
  return {
    async challenge(id, noSummary) {
      const challenge = await askChallenge(host, id);
      const summary = noSummary ? undefined : await host.summaryOf(challenge);
      return { requestId: id, summary, ...shown(challenge) };
    },
    async review(id, given, noSummary) {
      const asked: Asked =
        given === undefined ? await askBoth(host, id) : { challenge: decodeChallenge(given) };
      const { challenge, request } = asked;
      return withAsked(asked, async () => {
        const [found, summary] = await Promise.all([
          reviewOnline(host, id, challenge, "APPROVE", request),
          noSummary ? undefined : host.summaryOf(challenge),
        ]);
        const report = reviewReport(id, challenge, found, summary);
        requireCompared(found, report);
        return report;
      });
    },
  };
}
