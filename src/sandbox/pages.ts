/**
 * Lists of V2: pages, order, and the pair of routes that most objects have; and what V1 shares with
 * it.
 */
import type { Call, Route } from "./routes.ts";

import { type Checks, choice, digits, Refusal } from "./schema.ts";
import type { Row, User } from "./workspace.ts";

const LARGEST_PAGE = 30;

const PAGING: Checks = {
  page: digits(1, Number.MAX_SAFE_INTEGER),
  pageSize: digits(1, LARGEST_PAGE),
  sortOrder: choice("asc", "desc"),
};

type Listed = Pick<Row, "id" | "legacyId">;

interface Source<T> {
  /** Names that `sortBy` takes. */
  readonly sortBy: readonly string[];
  readonly filters?: Checks;
  readonly repeatable?: readonly string[];
  /** Query of the single row. */
  readonly options?: Checks;
  rows(call: Call): Iterable<T>;
  fits?(row: T, call: Call): boolean;
  show(row: T, call: Call): unknown;
}

/** A list and its single rows: the most common pair of routes. */
export function resource<T extends Listed>(path: string, source: Source<T>): Route[] {
  const {
    filters = {},
    repeatable = [],
    options = {},
    sortBy,
    rows,
    fits = () => true,
    show,
  } = source;
  const query = { ...PAGING, sortBy: choice(...sortBy), ...filters };
  const list = (call: Call) =>
    page(
      call,
      [...rows(call)].filter((row) => fits(row, call)),
      show,
    );
  const get = (call: Call) => {
    const id = path === "/users" && call.params.id === "me" ? call.user.id : call.params.id;
    return show(found([...rows(call)].find((row) => row.id === id)), call);
  };
  return [
    { method: "GET", path, query, repeatable, handle: list },
    { method: "GET", path: `${path}/{id}`, query: options, handle: get },
  ];
}

/** `row`, or Refusal for the one that is not there. */
export function found<T>(row: T | undefined, status: 400 | 404 = 404): T {
  if (row === undefined) throw new Refusal(status, "There is nothing with this id");
  return row;
}

function page<T extends Listed>(call: Call, rows: T[], show: Source<T>["show"]): unknown {
  const { query } = call;
  const [number, pageSize] = [query.number("page", 1), query.number("pageSize", LARGEST_PAGE)];
  const by = query.text("sortBy") ?? "createdAt";
  const keyOf = (row: T) => new Map<string, unknown>(Object.entries(row)).get(by) ?? 0;
  const sign = query.text("sortOrder") === "desc" ? -1 : 1;
  rows.sort((a, b) => sign * (compare(keyOf(a), keyOf(b)) || a.legacyId - b.legacyId));
  const start = (number - 1) * pageSize;
  return {
    page: number,
    next: start + pageSize < rows.length ? number + 1 : null,
    prev: number > 1 ? number - 1 : null,
    pageSize,
    total: rows.length,
    results: rows.slice(start, start + pageSize).map((row) => show(row, call)),
  };
}

/** Numbers by size, anything else as text. */
export function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : Number(String(a) > String(b));
}

/** Operators see only themselves, unless legacyViewAll says otherwise. */
export function visibleUsers({ world, user }: Call): User[] {
  const users = [...world.workspace.users.values()];
  return user.role === "ADMIN" || user.legacyViewAll ? users : users.filter((one) => one === user);
}
