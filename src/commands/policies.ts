/** Policies: who must approve what. */
import * as v from "valibot";
import { flag, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf } from "./parts/resource.ts";

const Policy = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    currency: maybe,
    network: maybe,
    isPrivate: v.optional(v.boolean()),
    type: given,
    rules: v.optional(v.array(v.looseObject({}))),
    whitelists: v.optional(v.array(v.looseObject({}))),
    users: v.optional(v.array(v.looseObject({}))),
    groups: v.optional(v.array(v.looseObject({}))),
    ...times,
  });

export const policies = group("Policies of the workspace: who must approve what.", {
  list: listOf({
    summary: "List policies.",
    operation: "policies.list",
    item: Policy,
    columns: ["id", "name", "type", "currency", "createdAt|created_on"],
    sortBy: ["name", "createdAt", "updatedAt"],
    filters: {
      name: text("Only policies whose name matches."),
      isPrivate: flag("Search private policies."),
    },
    examples: [{ line: "policies list --fields id,name", means: "Policies and their ids" }],
  }),
  get: getOf({
    summary: "One policy with its rules.",
    operation: "policies.get",
    item: Policy,
    of: "policy",
    examples: [
      { line: "policies get --id POLICY_ID", means: "Thresholds, whitelists and review steps" },
    ],
  }),
});
