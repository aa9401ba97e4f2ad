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
 * A walk of this number of pages pays for compiled code. Two pages of accounts, as a review reads
 * them, made it 4 ms slower.
 */
const LONG_WALK_PAGES = 5;

/** How a page is asked for while another one may be on its way. */
export interface Companion {
  /** Ends the request, whose answer is no longer needed. */
  readonly stop?: AbortSignal;
  /** Told when the API says that it gets too many requests (420, 429). */
  onLimited(): void;
}

type FetchPage = (position: Position, companion: Companion) => Promise<Exact>;

/** What a walk may do; without them it asks for one page at a time, to the end. */
export interface WalkOptions {
  readonly limit?: number | undefined;
  /** Pages by number: the next page is asked for together with this one. */
  readonly isEager?: boolean;
}

/**
 * Yields the results page by page and returns the members that close the document: `total` (null
 * when the API returns none and not all was read) and `complete` (false when `limit` left something
 * out, or the API counts more than it gave). A page that does not lead on is INVALID_RESPONSE.
 */
export async function* walkPages(
  fetchPage: FetchPage,
  by: Walk,
  { limit = Number.POSITIVE_INFINITY, isEager = false }: WalkOptions = {},
): AsyncGenerator<readonly Exact[], Record<string, unknown>, void> {
  const visited = new Set<string>();
  let position: Position = by === "pages" ? { page: 1 } : {};
  let count = 0;
  const pages = new Pages(fetchPage);
  try {
    for (;;) {
      const page = await pages.ask(position);
      const results = resultsOf(page);
      const next = nextOf(page, by);
      const taken = results.slice(0, limit - count);
      count += taken.length;
      const total = totalOf(page);
      if (isEager && by === "pages") pages.learn(results.length, total, limit);
      if (taken.length > 0) yield taken;
      const leftOut = taken.length < results.length || (next !== undefined && count >= limit);
      if (leftOut) return { total, complete: false };
      if (next === undefined)
        return { total: total ?? count, complete: total === null || Number(total.text) <= count };
      requireOnward(next, position, visited);
      position = next;
      if (visited.size >= LONG_WALK_PAGES) expectLongWork();
    }
  } finally {
    pages.end();
  }
}

function requireOnward(next: Position, { page = 1 }: Position, visited: Set<string>): void {
  const key = JSON.stringify(next);
  if (!visited.has(key) && (next.page === undefined || next.page > page)) {
    visited.add(key);
    return;
  }
  throw new CliError("INVALID_RESPONSE", {
    message: "The list returns to a page that was already read.",
    field: "next",
  });
}

/** A page that was asked for before the page before it was there. */
interface Early {
  readonly page: number;
  readonly answer: Promise<Exact>;
  readonly stop: AbortController;
}

/**
 * Asks for pages, and where it is known that there is a next one, for that one too, once: the
 * server works on it while this one is read and written.
 */
class Pages {
  private early: Early | undefined;
  private size: number | undefined;
  /** The last page that is wanted; 0 while nothing may be asked for early. */
  private last = 0;
  private mayHurry = true;

  constructor(private readonly fetchPage: FetchPage) {}

  ask(position: Position): Promise<Exact> {
    const { early } = this;
    const isEarly = early !== undefined && early.page === position.page;
    if (early !== undefined && !isEarly) this.giveUp();
    this.early = undefined;
    const answer = isEarly ? early.answer : this.fetchPage(position, { onLimited: this.slowDown });
    const { page } = position;
    if (page !== undefined && this.mayHurry && page < this.last) this.hurry(page + 1);
    return answer;
  }

  /** A page of `size` results arrived; the list says how many it has in all. */
  learn(size: number, total: Exact | null, limit: number): void {
    this.size ??= size;
    const wanted = Math.min(Number(total?.text ?? 0), limit);
    this.last = size > 0 ? Math.ceil(wanted / size) : 0;
    if (this.last >= LONG_WALK_PAGES) expectLongWork();
    // Pages of different sizes: the last one is not known.
    if (size !== this.size) this.mayHurry = false;
  }

  /** Ends the early request, whose answer is no longer needed. */
  end(): void {
    this.early?.stop.abort();
    this.early = undefined;
  }

  private hurry(page: number): void {
    const stop = new AbortController();
    const companion = { stop: stop.signal, onLimited: this.slowDown };
    const answer = this.fetchPage({ page }, companion);
    // Its failure counts when its turn comes.
    answer.catch(() => undefined);
    this.early = { page, answer, stop };
  }

  /** The list does not go on as its numbers said. */
  private giveUp(): void {
    this.end();
    this.mayHurry = false;
  }

  private readonly slowDown = (): void => {
    this.mayHurry = false;
  };
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
