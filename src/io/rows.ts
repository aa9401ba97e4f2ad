/**
 * A list in another form than one JSON document (`--output`): NDJSON, CSV or a table, a line for
 * each row. Values keep their tokens (OUT-2), unsafe characters are escaped or made visible
 * (OUT-4), secrets are redacted (SEC-1).
 */
import { CliError } from "../errors.ts";
import { decodeString, type Exact, escapeUnsafe, member, visible } from "./json.ts";
import type { Redactor } from "./redact.ts";
import type { StreamedList } from "./stdout.ts";

/** The forms beside `json`. */
export type RowForm = "ndjson" | "csv" | "table";

/** A column: its name, and the places where its value is; the first place with a value counts. */
export interface Column {
  readonly name: string;
  readonly paths: readonly (readonly string[])[];
}

/** Reads `name`, `balance.total` or `createdAt|created_on`: the first place names the column. */
export function parseColumn(text: string): Column {
  const paths = text.split("|").map((path) => path.split("."));
  return { name: paths[0]?.join(".") ?? "", paths };
}

/** The lines of a page; what comes before the first row is part of the first page. */
type Layout = (rows: readonly Exact[], isFirst: boolean) => string;

/**
 * The text of a list, page by page; returns what the list returned. Throws INVALID_RESPONSE for a
 * row that is not an object.
 */
export async function* layOut(
  items: StreamedList["items"],
  form: RowForm,
  columns: readonly Column[],
  redactor: Redactor,
): AsyncGenerator<string, Record<string, unknown>, void> {
  const layout = { ndjson: objectLines, csv, table }[form](redactor, columns);
  for (let isFirst = true; ; isFirst = false) {
    const batch = await items.next();
    if (batch.done !== true) yield layout(batch.value, isFirst);
    else {
      if (isFirst) yield layout([], true);
      return batch.value;
    }
  }
}

/** Throws INVALID_RESPONSE for a row that is not an object: it has no columns. */
function requireObject(row: Exact): Exact {
  if (row.text.startsWith("{")) return row;
  const message = "A row of the list is not an object.";
  throw new CliError("INVALID_RESPONSE", { message, field: "results" });
}

function objectLines(redactor: Redactor): Layout {
  const lineOf = (row: Exact) => `${redactor.cleanJson(escapeUnsafe(requireObject(row).text))}\n`;
  return (rows) => rows.map(lineOf).join("");
}

interface Cell {
  readonly text: string;
  readonly isNumber: boolean;
}

const EMPTY: Cell = { text: "", isNumber: false };

/** A number token, or a text that is a plain number, as amounts are. */
const NUMBER = /^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/**
 * The value of a row in a column. Null and absent are empty; objects and arrays are compact JSON.
 */
function cellOf(row: Exact, { paths }: Column, redactor: Redactor): Cell {
  for (const path of paths) {
    const found = path.reduce<Exact | undefined>((at, key) => at && member(at, key), row);
    if (found === undefined || found.text === "null") continue;
    const token = redactor.cleanJson(escapeUnsafe(found.text));
    const text = token.startsWith('"') ? decodeString(token) : token;
    return { text, isNumber: NUMBER.test(text) };
  }
  return EMPTY;
}

/** The head, when it is due, and the rows as cells. */
function linesOf(
  [rows, isFirst]: Parameters<Layout>,
  columns: readonly Column[],
  redactor: Redactor,
): Cell[][] {
  const head = columns.map(({ name }) => ({ text: redactor.clean(name), isNumber: false }));
  const lines = rows.map((row) =>
    columns.map((column) => cellOf(requireObject(row), column, redactor)),
  );
  return isFirst ? [head, ...lines] : lines;
}

/** RFC 4180, without line breaks in a cell: each record is one line. */
function csv(redactor: Redactor, columns: readonly Column[]): Layout {
  return (...page) =>
    linesOf(page, columns, redactor)
      .map((cells) => {
        const line = cells.map((cell) => quoted(visible(inert(cell)))).join(",");
        // A line without characters would not be a record.
        return `${line === "" ? '""' : line}\r\n`;
      })
      .join("");
}

/**
 * A text that no spreadsheet takes for a formula. The second replacement is for spreadsheets that
 * split at semicolons, whatever is quoted.
 */
function inert({ text, isNumber }: Cell): string {
  if (isNumber) return text;
  return text.replace(/^(?=[=+\-@\t\r])/, "'").replace(/;(?="*[=+\-@\t\r])/g, ";'");
}

function quoted(text: string): string {
  return /[",;]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const GAP = "  ";

/** Aligned columns. Pages are laid out one by one: a later page can only widen a column. */
function table(redactor: Redactor, columns: readonly Column[]): Layout {
  const widths = columns.map(() => 0);
  const pad = ({ text, isNumber }: Cell, at: number): string => {
    const space = " ".repeat((widths[at] ?? 0) - widthOf(text));
    return isNumber ? `${space}${text}` : `${text}${space}`;
  };
  return (...page) => {
    const lines = linesOf(page, columns, redactor).map((cells) =>
      cells.map(({ text, isNumber }) => ({ text: visible(text), isNumber })),
    );
    for (const cells of lines)
      for (const [at, { text }] of cells.entries())
        widths[at] = Math.max(widths[at] ?? 0, widthOf(text));
    return lines.map((cells) => `${cells.map(pad).join(GAP).trimEnd()}\n`).join("");
  };
}

const NO_WIDTH = /^\p{M}$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this asks for plain ASCII
const ASCII = /^[\u0000-\u007f]*$/;

/** Places that a terminal uses for a text. */
function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (!NO_WIDTH.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}
