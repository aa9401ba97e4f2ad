/** Printing a list in the form that `--output` names; loaded when it names one. */
import type { Projection } from "../cli/fields.ts";
import { Exact, elements, encode, member } from "../io/json.ts";
import type { Log } from "../io/log.ts";
import type { Redactor } from "../io/redact.ts";
import { layOut, parseColumn, type RowForm } from "../io/rows.ts";
import type { Output } from "../io/stdout.ts";
import { List } from "../result.ts";

/** How a list was asked for. */
export interface Asked {
  readonly form: RowForm;
  /** The columns of the list; those of the projection come first. */
  readonly columns: readonly string[];
  readonly projection: Projection | undefined;
}

interface Printers {
  readonly output: Output;
  readonly redactor: Redactor;
  readonly log: Log;
}

/**
 * Prints the rows and warns when there are more. Returns what failed after the first row; throws
 * what failed before.
 */
export async function printRows(
  result: unknown,
  { form, columns, projection }: Asked,
  { output, redactor, log }: Printers,
): Promise<{ readonly cause: unknown } | undefined> {
  const items = result instanceof List ? result.items : pageOf(result);
  const projected = projection === undefined ? items : projection.each(items);
  const names = projection?.names ?? columns;
  const outcome = await output.emitParts(layOut(projected, form, names.map(parseColumn), redactor));
  if ("cause" in outcome) return outcome;
  if (outcome.closing.complete === false)
    log.warn("INCOMPLETE", "The list has more rows than were printed; --all prints every row.");
  return undefined;
}

/** One page of a list, as a list. */
async function* pageOf(result: unknown): List["items"] {
  const page = new Exact(encode(result));
  const results = member(page, "results");
  if (results?.text.startsWith("[") !== true) throw new TypeError("A list has results.");
  yield elements(results);
  const complete = member(page, "complete")?.text !== "false";
  return { complete: complete && (member(page, "next")?.text ?? "null") === "null" };
}
