/** What most commands are made of: a paged list, a cursor list, one object by its id. */
import * as v from "valibot";
import {
  type ArgumentMap,
  cursor,
  flag,
  id,
  integer,
  oneOf,
  required,
  text,
  type Values,
} from "../../cli/argument.ts";
import type { Command, Example, Relay, Shape } from "../../cli/command.ts";
import { missingFrom, type OperationName } from "../../core/api/dialect.ts";
import { checkFilters, type Filters } from "../../core/api/filters.ts";
import type { Parameters } from "../../core/api/operation.ts";
import {
  type Companion,
  filterByName,
  type Position,
  totalOf,
  type Walk,
  walkPages,
} from "../../core/api/pages.ts";
import { CliError, type ErrorCode } from "../../errors.ts";
import type { Exact } from "../../io/json.ts";
import { List } from "../../result.ts";
import { command } from "./command.ts";

/** Results that the API puts on one page at most. */
const MAX_PAGE_SIZE = 30;
const MAX_PAGE_NUMBER = Number.MAX_SAFE_INTEGER;

/** `--status` of what is in force or not. */
export const STATUS = oneOf("Only those in this status.", ["ACTIVE", "INACTIVE"]);

const WALKING = {
  all: flag("Walk every page and print one document."),
  limit: integer("Walk pages until this many results are printed.", 1, 1_000_000_000),
};

/** `sortBy`: names that V2 documents for this list, where it does. */
function pagingOf(sortBy: readonly string[] | undefined) {
  const known = sortBy === undefined ? "" : ` V2 has ${sortBy.join(", ")};`;
  return {
    page: integer("Page to fetch, from 1.", 1, MAX_PAGE_NUMBER),
    pageSize: integer("Results on a page.", 1, MAX_PAGE_SIZE),
    sortBy: text(
      `Field to sort by;${known} the API's default is createdAt (V1: its own names).`,
      "<field>",
      64,
    ),
    sortOrder: oneOf("Direction; V2's default is asc, the oldest first, V1's desc.", [
      "asc",
      "desc",
    ]),
  };
}

const ALL_OR_LIMIT =
  'With --all or --limit the result is {"results","total","complete"}, written as it arrives.';

/** The API's page of `item`, which `--all` replaces by one document. */
function pageOf(item: Shape): Shape {
  return () =>
    v.looseObject({
      page: v.optional(v.number()),
      next: v.optional(v.nullable(v.union([v.number(), v.string()]))),
      prev: v.optional(v.nullable(v.number())),
      pageSize: v.optional(v.number()),
      total: v.optional(v.nullable(v.number())),
      complete: v.optional(v.boolean()),
      results: v.array(item()),
    });
}

interface ListSpec<A extends ArgumentMap> {
  readonly summary: string;
  readonly operation: OperationName;
  readonly item: Shape;
  /** Of `--output csv` and `table`; see Command. */
  readonly columns: readonly string[];
  readonly filters?: A;
  /** What V2 documents for `--sortBy` of this list. */
  readonly sortBy?: readonly string[];
  /** Filters that each row must fit; one that does not is INVALID_RESPONSE. */
  readonly checked?: Filters;
  /**
   * The operation to read at once, without pages, for these parameters; undefined: the list's own.
   */
  readonly wholeFor?: (parameters: Parameters) => OperationName | undefined;
  readonly notes?: readonly string[];
  /** Adds `--name`, for lists that the API does not filter by name. */
  readonly named?: boolean;
  /** What agents get of it over MCP; an entry of the lookup tool when absent. */
  readonly agent?: "tool";
  readonly examples: readonly Example[];
  readonly fails?: readonly ErrorCode[];
}

const NAME = {
  name: text(
    "Only those whose name contains this, in any case. The API has no such filter: every page is read, and the result is that of --all.",
  ),
};

/** `… list`: relays one page, or walks all of them. */
export function listOf<A extends ArgumentMap>(spec: ListSpec<A>): Command {
  return listCommand(spec, pagingOf(spec.sortBy), "pages");
}

/** A list that the API pages by cursor. */
export function cursorListOf<A extends ArgumentMap>(spec: ListSpec<A>): Command {
  return listCommand(
    spec,
    { cursor: cursor("Cursor from the `next` of the page before.") },
    "cursors",
  );
}

function listCommand<A extends ArgumentMap>(
  spec: ListSpec<A>,
  paging: ArgumentMap,
  by: Walk,
): Command {
  return command({
    summary: spec.summary,
    notes: [...(spec.notes ?? []), ...missingFrom(spec.operation), ALL_OR_LIMIT],
    effect: "read",
    needs: ["reader"],
    args: { ...spec.filters, ...(spec.named === true ? NAME : {}), ...paging, ...WALKING },
    output: pageOf(spec.item),
    fields: "results",
    columns: spec.columns,
    fails: spec.fails ?? [],
    agent: spec.agent ?? "lookup",
    relays: relayOf(spec, { ...spec.filters, ...paging }),
    examples: spec.examples,
    run: ({ reader }, args) => {
      const {
        all,
        limit,
        fields: _,
        output: _form,
        ...given
      } = args as Values<typeof WALKING> & Parameters;
      const { wanted, parameters } = wantedName(spec, given);
      const whole = spec.wholeFor?.(parameters);
      let total: Exact | undefined;
      const readPage = async (position: Position, companion?: Companion): Promise<Exact> => {
        const asked = { ...parameters, ...(whole === undefined ? position : {}) };
        const page = await reader.read(whole ?? spec.operation, asked, undefined, companion);
        checkFilters(page, spec.checked ?? {}, parameters);
        total = totalOf(page) ?? undefined;
        return page;
      };
      if (!all && limit === undefined && wanted === undefined) return readPage({});
      const start = by === "pages" ? "page" : "cursor";
      if (parameters[start] !== undefined) {
        throw new CliError("INVALID_ARGUMENT", {
          message: `--${start} names one page; ${wanted === undefined ? "--all and --limit walk" : "--name walks"} them from the first.`,
          field: `--${start}`,
        });
      }
      const isEager = whole === undefined;
      if (wanted === undefined) {
        const expected = () => total && Math.min(Number(total.text), limit ?? Infinity);
        return new List(walkPages(readPage, by, { limit, isEager }), expected);
      }
      return new List(filterByName(walkPages(readPage, by, { isEager }), wanted, limit));
    },
  });
}

/** One page is the API's answer as it is, unless another operation may be read instead. */
function relayOf(
  { operation, wholeFor, checked = {} }: ListSpec<ArgumentMap>,
  parameters: ArgumentMap,
): Relay | undefined {
  if (wholeFor !== undefined) return undefined;
  return { operation, parameters: Object.keys(parameters), examined: Object.keys(checked) };
}

/** The name that our own walk looks for, taken out of what the API is asked with. */
function wantedName(
  { named }: { readonly named?: boolean },
  given: Parameters,
): { readonly wanted: string | undefined; readonly parameters: Parameters } {
  const { name, ...others } = given;
  if (named !== true) return { wanted: undefined, parameters: given };
  return { wanted: typeof name === "string" ? name : undefined, parameters: others };
}

interface GetSpec {
  readonly summary: string;
  readonly operation: OperationName;
  readonly item: Shape;
  readonly of: string;
  readonly args?: ArgumentMap;
  readonly notes?: readonly string[];
  /** What agents get of it over MCP; an entry of the lookup tool when absent. */
  readonly agent?: "tool";
  readonly examples: readonly Example[];
}

/** `… get --id`: relays one object. */
export function getOf(spec: GetSpec): Command {
  const parameters = { id: required(id(`Id of the ${spec.of}.`)), ...spec.args };
  return command({
    summary: spec.summary,
    notes: [...(spec.notes ?? []), ...missingFrom(spec.operation)],
    effect: "read",
    needs: ["reader"],
    args: parameters,
    output: spec.item,
    fields: "object",
    agent: spec.agent ?? "lookup",
    relays: {
      operation: spec.operation,
      parameters: Object.keys(parameters),
      examined: [],
    },
    examples: spec.examples,
    run: ({ reader }, args) => {
      const { fields: _, ...parameters } = args as unknown as Parameters;
      return reader.read(spec.operation, parameters);
    },
  });
}
