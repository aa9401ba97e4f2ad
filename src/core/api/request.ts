/** From an operation and its parameters to what is sent. */
import { CliError } from "../../errors.ts";
import type { Exact } from "../../io/json.ts";
import type { HttpRequest } from "./client.ts";
import type { OperationName } from "./dialect.ts";
import type { Dialect, Operation, Parameter, Parameters } from "./operation.ts";

/** The row of a version's table. Throws NOT_SUPPORTED where the version has none. */
export function operationOf(dialect: Dialect, name: OperationName): Operation {
  const operation = dialect.operations[name];
  if (operation !== undefined) return operation;
  throw new CliError("NOT_SUPPORTED", {
    message: `API ${dialect.version.toUpperCase()} has no operation for '${name}'.`,
    ...hintOf(dialect.instead[name]),
  });
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

/**
 * Parameters go where the table says, once each: into the path, the query or the body. Throws
 * NOT_SUPPORTED for a filter that has no place.
 */
export function requestOf(
  dialect: Dialect,
  operation: Operation,
  parameters: Parameters,
  document: Exact | undefined,
): HttpRequest {
  const placed = new Set<string>();
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    placed.add(name);
    if (parameters[name] === undefined) throw missing(dialect, name);
    return encodeURIComponent(dialect.spellId(String(parameters[name]), `--${name}`));
  });
  const query: [string, string][] = [];
  for (const [ours, theirs] of Object.entries(operation.query ?? {})) {
    placed.add(ours);
    const { name, spell } = typeof theirs === "string" ? { name: theirs, spell: String } : theirs;
    for (const item of valuesOf(parameters[ours])) query.push([name, spell(item, `--${ours}`)]);
  }
  const surplus = Object.keys(parameters).find(
    (name) => !placed.has(name) && valuesOf(parameters[name]).length > 0,
  );
  if (operation.method === "GET" && surplus !== undefined) throw noFilter(dialect, surplus);
  const body = operation.body?.(document, parameters);
  return { method: operation.method, path, query, body, writes: operation.writes };
}

/** What a parameter sends: nothing when it is absent or a flag that was not set. */
function valuesOf(parameter: Parameter): string[] {
  if (parameter === undefined || parameter === false) return [];
  return (Array.isArray(parameter) ? parameter : [parameter]).map(String);
}

/** What the other API version can do without. */
function missing({ version }: Dialect, name: string): CliError {
  return new CliError("MISSING_OPTION", {
    message: `API ${version.toUpperCase()} needs --${name} here.`,
    field: `--${name}`,
  });
}

/** A filter that is dropped silently would show rows that were not asked for. */
function noFilter({ version }: Dialect, name: string): CliError {
  return new CliError("NOT_SUPPORTED", {
    message: `API ${version.toUpperCase()} has no counterpart of --${name} here.`,
    field: `--${name}`,
    hint: "Leave the option out and choose among the results.",
  });
}
