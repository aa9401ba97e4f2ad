/** The section of docs/limits.md about API V2, made from the marks of docs/api/v2.openapi.yaml. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "./build.ts";

/** One assumption: what is unknown, what follows if we are wrong, what settles it. */
export interface Limit {
  readonly id: string;
  readonly what: string;
  readonly ifWrong: string;
  readonly send: string;
}

/** An operation, parameter or schema with the mark that says how well it is known. */
export interface Mark {
  readonly place: string;
  readonly known: string;
  readonly limit: string | undefined;
}

/** The rows of the document, worst first. */
export function readLimits(): readonly Limit[] {
  return documentOf()["x-limits"] as readonly Limit[];
}

/** Every mark of the document, in its order. */
export function readMarks(): Mark[] {
  const marks: Mark[] = [];
  collect(documentOf(), [], marks);
  return marks;
}

function documentOf(): Record<string, unknown> {
  return parse(readFileSync(join(ROOT, "docs/api/v2.openapi.yaml"), "utf8"));
}

function collect(node: unknown, path: readonly string[], into: Mark[]): void {
  if (typeof node !== "object" || node === null) return;
  const item = node as Record<string, unknown>;
  if (typeof item["x-known"] === "string")
    into.push({
      place: placeOf(path, item),
      known: item["x-known"],
      limit: item["x-limit"] as string | undefined,
    });
  for (const [name, child] of Object.entries(item)) collect(child, [...path, name], into);
}

/** `GET /accounts`, `GET /groups sortBy`, `RequestState`, `AccountResponse.balance`. */
function placeOf(path: readonly string[], { name }: Record<string, unknown>): string {
  if (path[0] !== "paths")
    return path
      .slice(2)
      .filter((step) => step !== "properties")
      .join(".");
  const [, url = "", verb = ""] = path;
  return `${verb.toUpperCase()} ${url}${path.length > 3 ? ` ${name}` : ""}`;
}

/** What docs/limits.md has between its marks. */
export function renderLimits(): string {
  const marks = readMarks();
  const rows = readLimits().map(({ id, what, ifWrong, send }) => {
    const places = marks.filter(({ limit }) => limit === id).map(({ place }) => `\`${place}\``);
    const where = places.length === 0 ? "" : `\n- In our document: ${places.join(", ")}.`;
    return `### ${id}\n\n${what}\n\n- If this is wrong: ${ifWrong}\n- What settles it: ${send}${where}`;
  });
  const count = (known: string): number => marks.filter((mark) => mark.known === known).length;
  return `The public documentation of API V2 has gaps. [Our document of it](api/v2.openapi.yaml) marks each item:
${count("documented")} are documented, ${count("framework")} follow from the framework that publishes the API, ${count("assumed")} are assumed.
The list has the worst first. \`ledger-enterprise-cli doctor --report\` prints what settles most of
them: shapes of answers and of refusals, no names, amounts, ids or tokens. Send it with an issue.

${rows.join("\n\n")}`;
}
