/** Groups of users: a list, and one by its id. */
import * as v from "valibot";
import { group } from "../cli/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf, STATUS } from "./parts/resource.ts";

const Group = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    status: given,
    users: v.optional(v.array(v.looseObject({}))),
    members: v.optional(v.array(v.nullable(v.number()))),
    ...times,
  });

export const groups = group("Groups of users.", {
  list: listOf({
    summary: "List groups.",
    operation: "groups.list",
    named: true,
    item: Group,
    columns: ["id", "name", "status", "description", "createdAt|created_on"],
    filters: { status: STATUS },
    examples: [{ line: "groups list", means: "The first page of groups" }],
  }),
  get: getOf({
    summary: "One group.",
    operation: "groups.get",
    item: Group,
    of: "group",
    examples: [{ line: "groups get --id GROUP_ID", means: "One group with its members" }],
  }),
});
