/**
 * What the state of a request means for somebody who waits (specification §4). Both API versions
 * have the same words; what they promise differs. Source: the vendor's help, "Managing requests".
 */
import { type Exact, member, value } from "../../io/json.ts";
import type { ApiVersion } from "./dialect.ts";

/** Other final states; nothing more will happen to the request. */
const ENDED: ReadonlySet<string> = new Set([
  ...["REJECTED", "ABORTED", "CANCELLED", "CANCELED", "EXPIRED", "BLOCKED"],
  ...["FAILED", "FAILED_TO_CRAFT", "FAILED_TO_SIGN", "FAILED_TO_BROADCAST"],
  ...["DROPPED", "REPLACED"],
]);

/**
 * Of a transaction, in this order; the security module and the network may still fail before
 * SUBMITTED.
 */
const ON_THE_WAY = ["APPROVED", "SIGNED", "SUBMITTED", "CONFIRMED"];

/** V1 shows a transaction's own states in its request: only these two say that it was broadcast. */
const BROADCAST = ["SUBMITTED", "CONFIRMED"];
const DONE = ["APPROVED", "ACTIVE", "COMPLETED"];

/** States of a request that still waits for somebody or something. Source: as above. */
const OPEN = [
  ...["PENDING_FIRST_APPROVAL", "PENDING_APPROVAL", "PENDING_REGISTRATION"],
  "PENDING_CREATE_IN_HSM",
];

/** Every state that this program knows; the API may have others. */
export const KNOWN_STATES: readonly string[] = [
  ...OPEN,
  ...ON_THE_WAY,
  "ACTIVE",
  "COMPLETED",
  ...ENDED,
];

/** The states that count as arrival when the user names none. On V2 the names are not public. */
export function arrivalsOf(version: ApiVersion, request: Exact): readonly string[] {
  if (version === "v1") return isTransaction(request) ? BROADCAST : DONE;
  return [...ON_THE_WAY, "ACTIVE", "COMPLETED"];
}

/** True when a request in this state cannot come to any of `wanted` any more. */
export function isFinal(
  state: string,
  arrivals: readonly string[],
  wanted: readonly string[],
): boolean {
  if (ENDED.has(state)) return true;
  const at = ON_THE_WAY.indexOf(state);
  const mayGoOn = at !== -1 && wanted.some((word) => ON_THE_WAY.indexOf(word) > at);
  return arrivals.includes(state) && !mayGoOn;
}

/** True for a transaction whose state does not say that the network has it. */
export function isUnsent(state: string, request: Exact): boolean {
  return isTransaction(request) && (state === "APPROVED" || state === "SIGNED");
}

/**
 * What to do about a request that ended, or stays, in `state`; undefined where nothing special is
 * known.
 */
export function adviceFor(state: string): string | undefined {
  if (state === "APPROVED" || state === "SIGNED")
    return "APPROVED can mean that the security module could not sign, SIGNED that the broadcast failed: look at the transaction, then have a person decide.";
  if (state === "FAILED" || state === "FAILED_TO_BROADCAST")
    return "It is not sent again: have a person decide whether to create a new request.";
  return undefined;
}

function isTransaction(request: Exact): boolean {
  return ["type", "target_type"].some((name) => {
    const found = request.text.startsWith("{") ? member(request, name) : undefined;
    return found?.text.startsWith('"') === true && /(^|_)TRANSACTION$/.test(String(value(found)));
  });
}
