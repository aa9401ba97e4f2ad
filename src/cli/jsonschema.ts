/** Output schemas as JSON Schema (draft 2020-12, without `$schema`). Loaded only by what describes commands. */
import { toJsonSchema as convert } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";

/** What has no counterpart in JSON Schema (a regular expression's flags, a transformation) is a mistake of the schema's author. */
export function toJsonSchema(schema: GenericSchema): object {
  const { $schema: _, ...rest } = convert(schema, { target: "draft-2020-12", errorMode: "throw" });
  return rest;
}
