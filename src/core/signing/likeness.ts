/**
 * What makes two new requests look like one and the same: everything that they ask for, in whatever
 * order and spelling, without the words of the note and without the choice how fees are paid.
 */
import { createHash } from "node:crypto";
import { type Exact, member, type Node, tree } from "../../io/json.ts";
import { snakeCase } from "./field.ts";

/** Where a request is created, and by whom: alike means alike there only. */
export interface Place {
  readonly origin: string;
  readonly basePath: string;
  readonly workspace: string;
  /** The user's id, or its name; empty where the session does not tell. */
  readonly user: string;
}

/**
 * SHA-256 in hexadecimal over the place and the request. Number tokens count as written: `1` and
 * `1.0` differ.
 */
export function likenessOf(place: Place, request: Exact): string {
  const { origin, basePath, workspace, user } = place;
  const hash = createHash("sha256").update(JSON.stringify([origin, basePath, workspace, user]));
  return hash.update(canonical(tree(bareRequest(request)), true)).digest("hex");
}

/** The request out of its envelope, if it has one. */
export function bareRequest(document: Exact): Exact {
  const inner = member(document, "request");
  const isWrapped = inner?.text.startsWith("{") === true && member(document, "type") === undefined;
  return isWrapped ? inner : document;
}

const NOT_COMPARED = new Set(["fees_strategy"]);

function canonical(node: Node, isRoot = false): string {
  switch (node.kind) {
    case "object": {
      const parts = node.members
        .map(([name, child]) => [snakeCase(name), child] as const)
        .filter(([name]) => !NOT_COMPARED.has(name) && !(isRoot && name === "note"))
        .map(([name, child]) => `${JSON.stringify(name)}:${canonical(child)}`);
      return `{${parts.sort().join(",")}}`;
    }
    case "array":
      return `[${node.items.map((item) => canonical(item)).join(",")}]`;
    case "string":
      return JSON.stringify(node.value);
    case "number":
      return node.raw;
    default:
      return node.kind === "null" ? "null" : String(node.value);
  }
}
