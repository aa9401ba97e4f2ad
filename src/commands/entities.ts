/** Entities: groupings of accounts. */
import * as v from "valibot";
import { group } from "../cli/command.ts";
import { base, given, times } from "./parts/fields.ts";
import { getOf, listOf } from "./parts/resource.ts";

const Entity = () => v.looseObject({ ...base, name: given, status: given, ...times });

export const entities = group("Entities: groupings of accounts.", {
  list: listOf({
    summary: "List entities.",
    operation: "entities.list",
    named: true,
    item: Entity,
    columns: ["id", "name", "status", "createdAt|created_on"],
    examples: [{ line: "entities list --all", means: "Every entity" }],
  }),
  get: getOf({
    summary: "One entity.",
    operation: "entities.get",
    item: Entity,
    of: "entity",
    examples: [{ line: "entities get --id ENTITY_ID", means: "One entity" }],
  }),
});
