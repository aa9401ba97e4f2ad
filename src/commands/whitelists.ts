/** Whitelists: the addresses that policies allow. */
import * as v from "valibot";
import { group } from "../cli/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf, STATUS } from "./parts/resource.ts";

const Whitelist = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    status: given,
    addresses: v.optional(v.array(v.looseObject({}))),
    ...times,
  });

export const whitelists = group("Whitelists: addresses that policies allow.", {
  list: listOf({
    summary: "List whitelists.",
    operation: "whitelists.list",
    named: true,
    item: Whitelist,
    columns: ["id", "name", "status", "description", "createdAt|created_on"],
    filters: { status: STATUS },
    examples: [
      { line: "whitelists list --status ACTIVE", means: "Whitelists in force" },
      { line: "whitelists list --name exchange --fields id,name", means: "Find one by its name" },
    ],
  }),
  get: getOf({
    summary: "One whitelist with its addresses.",
    operation: "whitelists.get",
    item: Whitelist,
    of: "whitelist",
    examples: [{ line: "whitelists get --id WHITELIST_ID", means: "Its addresses" }],
  }),
});
