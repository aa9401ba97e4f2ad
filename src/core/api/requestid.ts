/** The id of a request that an answer shows. */
import { type Exact, member, value } from "../../io/json.ts";

/** The id in an answer that is a request: V2's text, V1's integer; undefined when it has none. */
export function requestIdOf(answer: Exact): string | undefined {
  const id = answer.text.startsWith("{") ? member(answer, "id") : undefined;
  const found = id === undefined ? undefined : value(id);
  return typeof found === "string"
    ? found
    : id !== undefined && /^[0-9]+$/.test(id.text)
      ? id.text
      : undefined;
}
