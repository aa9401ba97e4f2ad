/**
 * Whether an answer to a write says what became of it (specification §12). Only the API itself can
 * refuse: a status without a body of the API's own form may come from anything on the way, before
 * or after the write was carried out.
 */
import { type Exact, member, value } from "../../io/json.ts";
import type { WriteKind } from "../acts.ts";
import { requestIdOf } from "./requestid.ts";

/** Statuses by which the API says that it carried nothing out. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 413, 415, 420, 422, 429]);

/**
 * True when a status outside 2xx says that the write was not carried out. A conflict (409) says so
 * of a decision only: for a new request it may mean that an equal one is there already.
 */
export function isDefiniteRefusal(
  kind: WriteKind,
  status: number,
  document: Exact | undefined,
): boolean {
  const refuses = REFUSALS.has(status) || (status === 409 && kind !== "create");
  return refuses && document !== undefined && isApiError(document);
}

/**
 * True for the error documents of the API: `{code,message,…}` with a text as code (V2), or
 * `{name,message,status_code}` (V1).
 */
function isApiError(document: Exact): boolean {
  if (!document.text.startsWith("{")) return false;
  const text = (name: string): boolean => {
    const found = member(document, name);
    return found !== undefined && typeof value(found) === "string" && value(found) !== "";
  };
  const isV1 = text("name") && member(document, "status_code") !== undefined;
  return text("message") && (text("code") || isV1);
}

/**
 * True for a 2xx answer to a write that shows nothing of what was done, and for one that reads like
 * a failure of this program: an `error` and no id.
 */
export function saysNothing(answer: Exact): boolean {
  if (!answer.text.startsWith("{")) return answer.text === "null";
  const error = member(answer, "error");
  return error !== undefined && error.text !== "null" && requestIdOf(answer) === undefined;
}
