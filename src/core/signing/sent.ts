/**
 * What became of a request on its way: servers may drop a member that they do not know without a
 * word (N5), such as a token's contract or a note.
 */
import { type Exact, member, tree } from "../../io/json.ts";
import { compareMembers, type Findings } from "./comparison.ts";
import { type Field, fieldOf, show } from "./field.ts";

/**
 * Places of the sent request whose content the answer to its creation lacks or shows otherwise;
 * empty when all is there, or when the answer shows no `data` to compare with.
 */
export function notAsSent(sent: Exact, answer: Exact): string[] {
  if (!answer.text.startsWith("{") || member(answer, "data")?.text.startsWith("{") !== true)
    return [];
  const found: Findings = {
    differences: [],
    compared: new Set(),
    verified: new Set(),
    requestOnly: [],
  };
  compareMembers(partsOf(answer), partsOf(sent), "server", found);
  const missing = found.requestOnly
    .filter((leaf) => !isEmpty(leaf))
    .map(({ place }) => show(place));
  return [...new Set([...found.differences.map(({ field }) => field), ...missing])];
}

/** What says what a request does: its data and its note. */
function partsOf(document: Exact): Field[] {
  const fields = fieldOf(tree(document)).children;
  return fields.filter(({ place, node }) => {
    return place.name === "data" || (place.name === "note" && node.kind !== "null");
  });
}

/** Null, or a container without anything in it: a server may leave these out. */
function isEmpty(leaf: Field): boolean {
  return leaf.node.kind === "null" || leaf.node.kind === "object" || leaf.node.kind === "array";
}
