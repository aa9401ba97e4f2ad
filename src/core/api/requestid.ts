/** The id of a request that an answer shows. */
import { type Exact, member, value } from "../../io/json.ts";

/** What an id can be that later commands take (NET-9). */
const USABLE = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/**
 * The id in an answer that is a request: V2's text, V1's integer; undefined when it has none that
 * can be used.
 */
export function requestIdOf(answer: Exact): string | undefined {
  const id = answer.text.startsWith("{") ? member(answer, "id") : undefined;
  const found = id === undefined ? undefined : value(id);
  const isWhole = id !== undefined && /^[0-9]+$/.test(id.text);
  const text = typeof found === "string" ? found : isWhole ? id.text : undefined;
  return text !== undefined && USABLE.test(text) ? text : undefined;
}
