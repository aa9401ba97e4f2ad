/**
 * Whether a list is what was asked for. Servers of both API versions may drop a filter that they do
 * not know without a word (N5), and a row that was not asked for looks like any other.
 */
import { CliError } from "../../errors.ts";
import { type Exact, elements, member, value } from "../../io/json.ts";
import type { Parameter, Parameters } from "./operation.ts";

/** Our option → the members of a row that must have one of its values, under either API's names. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** Words of one meaning: V1 calls a rejected request ABORTED in some answers. */
const SAME: Readonly<Record<string, string>> = { ABORTED: "REJECTED" };

/**
 * Checks each row of a page against the filters that were given. Throws INVALID_RESPONSE, naming
 * the option that the server ignored.
 */
export function checkFilters(page: Exact, filters: Filters, parameters: Parameters): void {
  const given = Object.entries(filters).flatMap(([option, names]) => {
    const wanted = textsOf(parameters[option]);
    return wanted.length === 0 ? [] : [{ option, names, wanted }];
  });
  if (given.length === 0) return;
  const results = page.text.startsWith("{") ? member(page, "results") : undefined;
  for (const row of results?.text.startsWith("[") === true ? elements(results) : []) {
    const ignored = given.find(({ names, wanted }) => !wanted.includes(textIn(row, names) ?? ""));
    if (ignored !== undefined) throw ignoredFilter(ignored.option);
  }
}

function textsOf(parameter: Parameter): string[] {
  if (parameter === undefined) return [];
  return (Array.isArray(parameter) ? parameter : [parameter]).map((word) => sameWord(String(word)));
}

function textIn(row: Exact, names: readonly string[]): string | undefined {
  if (!row.text.startsWith("{")) return undefined;
  const found = names.map((name) => member(row, name)).find((given) => given !== undefined);
  if (found === undefined) return undefined;
  return sameWord(found.text.startsWith('"') ? String(value(found)) : found.text);
}

function sameWord(word: string): string {
  return SAME[word] ?? word;
}

function ignoredFilter(option: string): CliError {
  return new CliError("INVALID_RESPONSE", {
    message: `The server ignored --${option}: the list has a row that does not fit.`,
    field: `--${option}`,
    hint: `Leave out --${option} and choose among the results, or look with 'requests get'.`,
  });
}
