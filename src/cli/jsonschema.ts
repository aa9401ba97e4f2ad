/**
 * Output schemas as JSON Schema (draft 2020-12, without `$schema`). Loaded only by what describes
 * commands.
 */
import { toJsonSchema as convert } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";

/**
 * Throws for what has no counterpart in JSON Schema (a transformation, a check in code): a mistake
 * of the schema's author.
 */
export function toJsonSchema(schema: GenericSchema): object {
  const { $schema: _, ...rest } = convert(schema, { target: "draft-2020-12", errorMode: "throw" });
  return JSON.parse(JSON.stringify(rest), (_key, node: unknown) =>
    isNode(node) ? shorten(node) : node,
  ) as object;
}

type SchemaNode = Readonly<Record<string, unknown>>;

function isNode(node: unknown): node is SchemaNode {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

/** The same schema in fewer words: readers pay for each. */
function shorten(node: SchemaNode): SchemaNode {
  const { properties, required, anyOf, ...rest } = node;
  if (node.type === "object") {
    return {
      ...rest,
      ...(isNode(properties) && Object.keys(properties).length > 0 ? { properties } : {}),
      ...(Array.isArray(required) && required.length > 0 ? { required } : {}),
    };
  }
  const [first, second, ...others] = Array.isArray(anyOf) ? (anyOf as readonly SchemaNode[]) : [];
  const isNullable =
    others.length === 0 && second?.type === "null" && typeof first?.type === "string";
  if (!isNullable || "const" in first) return node;
  const choices = Array.isArray(first.enum) ? { enum: [...first.enum, null] } : {};
  return { ...rest, ...first, ...choices, type: [first.type, "null"] };
}
