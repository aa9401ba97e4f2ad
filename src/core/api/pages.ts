/** Walking the pages of a list: the one place that knows how a page says what comes next. */
import { CliError } from "../../errors.ts";
import { expectLongWork } from "../../io/effort.ts";
import { type Exact, elements, member, value } from "../../io/json.ts";

/** V2 has two ways of paging: page numbers, and opaque cursors for data from outside sources. */
export type Walk = "pages" | "cursors";

/** Where a page begins: its number and size, or a cursor. */
export interface Position {
  readonly page?: number;
  readonly pageSize?: number;
  readonly cursor?: string;
}

/**
 * Yields the results page by page and returns the members that close the document: `total` (null
 * when the API returns none and not all was read) and `complete` (false when `limit` left something
 * out, or the API counts more than it gave). A page that does not lead on is INVALID_RESPONSE.
 */
export async function* walkPages(
  fetchPage: (position: Position) => Promise<Exact>,
  by: Walk,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Exact[], Record<string, unknown>, void> {
  const visited = new Set<string>();
  let position: Position = by === "pages" ? { page: 1 } : {};
  let count = 0;
  for (;;) {
    const page = await fetchPage(position);
    const results = resultsOf(page);
    const next = nextOf(page, by);
    const taken = results.slice(0, limit - count);
    count += taken.length;
    if (taken.length > 0) yield taken;
    const leftOut = taken.length < results.length || (next !== undefined && count >= limit);
    const total = totalOf(page);
    if (leftOut) return { total, complete: false };
    if (next === undefined)
      return { total: total ?? count, complete: total === null || Number(total.text) <= count };
    const key = JSON.stringify(next);
    if (visited.has(key) || (typeof next.page === "number" && next.page <= (position.page ?? 1))) {
      throw new CliError("INVALID_RESPONSE", {
        message: "The list leads back to a page that was already read.",
        field: "next",
      });
    }
    visited.add(key);
    position = next;
    expectLongWork();
  }
}

/**
 * Of the walked results those whose `name` or `username` contains `wanted`, in any case. `total`
 * counts what was found; it is null, and `complete` false, when `limit` left something out.
 */
export async function* filterByName(
  walk: ReturnType<typeof walkPages>,
  wanted: string,
  limit = Number.POSITIVE_INFINITY,
): ReturnType<typeof walkPages> {
  let count = 0;
  for (;;) {
    const batch = await walk.next();
    if (batch.done === true) return { ...batch.value, total: count };
    const found = batch.value.filter((item) => hasName(item, wanted.toLowerCase()));
    const taken = found.slice(0, limit - count);
    count += taken.length;
    if (taken.length > 0) yield taken;
    if (taken.length < found.length) return { total: null, complete: false };
  }
}

function hasName(item: Exact, wanted: string): boolean {
  return ["name", "username"].some((key) => {
    const found = item.text.startsWith("{") ? member(item, key) : undefined;
    const name = found === undefined ? undefined : value(found);
    return typeof name === "string" && name.toLowerCase().includes(wanted);
  });
}

function resultsOf(page: Exact): readonly Exact[] {
  const results = page.text.startsWith("{") ? member(page, "results") : undefined;
  if (results?.text.startsWith("[")) return elements(results);
  throw new CliError("INVALID_RESPONSE", {
    message: "The answer has no list 'results'.",
    field: "results",
  });
}

function nextOf(page: Exact, by: Walk): Position | undefined {
  const next = member(page, "next");
  const found = next === undefined ? undefined : value(next);
  if (found === undefined || found === null) return undefined;
  if (by === "pages" && typeof found === "number" && Number.isSafeInteger(found) && found > 0)
    return { page: found };
  if (by === "cursors" && typeof found === "string" && /^[\x21-\x7e]{1,4096}$/.test(found))
    return { cursor: found };
  throw new CliError("INVALID_RESPONSE", {
    message: "The answer's 'next' does not name a page.",
    field: "next",
  });
}

/** How many results the whole list has, where the page says it; null elsewhere. */
export function totalOf(page: Exact): Exact | null {
  const total = member(page, "total");
  return total !== undefined && /^[0-9]+$/.test(total.text) ? total : null;
}
