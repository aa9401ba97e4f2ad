/**
 * What the journal knows of a decision that the API refused: that this operator gave one before.
 * It is only said: one user can have a review in several steps of a request.
 */
import { CliError } from "../errors.ts";
import { placeOf } from "./belts.ts";
import type { Books } from "./state/books.ts";
import { givenDecision } from "./state/journal.ts";
import type { Session } from "./state/session.ts";

/** Codes with which the API refuses a second decision, or its challenge. */
const REFUSALS: ReadonlySet<string> = new Set(["BAD_REQUEST", "FORBIDDEN", "CONFLICT"]);

export function isRefusal(cause: unknown): cause is CliError {
  return (
    cause instanceof CliError && cause.facts.httpStatus !== undefined && REFUSALS.has(cause.code)
  );
}

/** The refusal with the earlier decision in its hint and details; unchanged where there is none. */
export function tellDecision(
  cause: CliError,
  books: Books,
  session: Session,
  { requestId, uid }: { readonly requestId: string; readonly uid: number | undefined },
): CliError {
  let found: ReturnType<typeof givenDecision>;
  try {
    found = givenDecision(books.read(), { ...placeOf(session), requestId, uid });
  } catch {
    // A broken journal says nothing, and the refusal stays what it is.
    return cause;
  }
  if (found === undefined) return cause;
  const { record, isRejection } = found;
  const time = new Date(record.endedAt ?? record.time).toISOString();
  const [decision, did] = isRejection ? ["REJECT", "rejected"] : ["APPROVE", "approved"];
  const { details } = cause.facts;
  const known = typeof details === "object" && details !== null ? details : {};
  return new CliError(cause.code, {
    ...cause.facts,
    hint: `This operator ${did} the request on ${time} (journal key ${record.key}). Look at its state with 'requests get --id ${requestId}' before anything else; error.api has the server's words.`,
    details: { ...known, earlier: { decision, time, key: record.key } },
    cause,
  });
}
