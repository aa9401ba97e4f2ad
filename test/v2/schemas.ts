/** The schemas of our document of V2 as zod schemas, for a server on the vendor's framework. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into member by member.
export type Document = any;

const FILE = new URL("../../docs/api/v2.openapi.yaml", import.meta.url);
export const DOCUMENT: Document = parse(readFileSync(FILE, "utf8"));

/** The item behind a `$ref`, or the item itself. */
export function resolve(item: Document): Document {
  if (item?.$ref === undefined) return item;
  const path: string[] = item.$ref.slice(2).split("/");
  return resolve(path.reduce((at: Document, name) => at[name], DOCUMENT));
}

/** A zod schema that takes what the JSON Schema takes; unknown names are dropped, as zod does. */
export function zodOf(given: Document): z.ZodType {
  const schema = resolve(given);
  if (schema.allOf !== undefined) return objectOf(merged(schema));
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) {
    const [first, second, ...others] = options.map(zodOf);
    return second === undefined ? first : z.union([first, second, ...others]);
  }
  if (Array.isArray(schema.type))
    return z.union(schema.type.map((type: string) => zodOf({ ...schema, type })) as never);
  if (schema.const !== undefined) return z.literal(schema.const);
  if (schema.enum !== undefined) return z.enum(schema.enum);
  if (schema.type === "array") return z.array(zodOf(schema.items ?? {}));
  if (schema.type === "object") return objectOf(schema);
  if (schema.type === "integer") return boundedOf(z.number().int(), schema);
  if (schema.type === "number") return boundedOf(z.number(), schema);
  if (schema.type === "boolean") return z.boolean();
  if (schema.type === "null") return z.null();
  if (schema.type === "string") return z.string().min(schema.minLength ?? 0);
  return z.any();
}

function boundedOf(number: z.ZodNumber, { minimum, maximum }: Document): z.ZodNumber {
  const above = minimum === undefined ? number : number.min(minimum);
  return maximum === undefined ? above : above.max(maximum);
}

/** The object of a schema; open where the schema says that it is. */
export function objectOf(schema: Document): z.ZodObject {
  const required: readonly string[] = schema.required ?? [];
  const members = Object.entries<Document>(schema.properties ?? {}).map(([name, child]) => {
    const member = zodOf(child);
    return [name, required.includes(name) ? member : member.optional()] as const;
  });
  const shape = Object.fromEntries(members);
  const { additionalProperties: more } = schema;
  const isOpen = more === true || (more === undefined && members.length === 0);
  if (isOpen) return z.looseObject(shape);
  return typeof more === "object" ? z.object(shape).catchall(zodOf(more)) : z.object(shape);
}

function merged(schema: Document): Document {
  const parts: Document[] = schema.allOf.map(resolve);
  return {
    type: "object",
    properties: Object.assign({}, ...parts.map((part) => part.properties ?? {})),
    required: parts.flatMap((part) => part.required ?? []),
  };
}

/**
 * An output: checked by zod, cut to what the schema has, its names in the order in which they came,
 * so that a script may compare the whole document.
 */
export function outputOf(schema: Document): z.ZodType {
  const checked = zodOf(schema);
  return z
    .any()
    .superRefine((value, context) => {
      const { success, error } = checked.safeParse(value);
      if (!success) context.addIssue({ code: "custom", message: error.message });
    })
    .overwrite((value) => like(value, checked.safeParse(value).data));
}

/** `kept` with the names of `original` in their order. */
function like(original: Document, kept: Document): Document {
  if (Array.isArray(original)) return original.map((item, n) => like(item, kept?.[n]));
  if (typeof original !== "object" || original === null) return kept;
  const names = Object.keys(original).filter((name) => Object.hasOwn(kept ?? {}, name));
  return Object.fromEntries(names.map((name) => [name, like(original[name], kept[name])]));
}
