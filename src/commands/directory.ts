/**
 * The people and rules of a workspace: users, groups, policies, whitelists, entities. Each is a
 * list and one object by its id.
 */
import { flag, oneOf, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { getOf, listOf } from "./parts/resource.ts";
import { Entity, Group, Policy, User, Whitelist } from "./parts/schemas.ts";

const status = oneOf("Only those in this status.", ["ACTIVE", "INACTIVE"]);

export const users = group("Users of the workspace.", {
  list: listOf({
    summary: "List users.",
    operation: "users.list",
    item: User,
    filters: {
      role: oneOf("Only users of this role.", ["ADMIN", "OPERATOR", "READ_ONLY_API_KEY"]),
      status,
    },
    notes: ["An operator without the right to view everything sees only itself."],
    examples: [
      { line: "users list --role OPERATOR --fields id,name", means: "Operators and their ids" },
    ],
  }),
  get: getOf({
    summary: "One user; 'me' is the current one.",
    operation: "users.get",
    item: User,
    of: "user, or 'me'",
    examples: [{ line: "users get --id me", means: "The user of this session" }],
  }),
});

export const groups = group("Groups of users.", {
  list: listOf({
    summary: "List groups.",
    operation: "groups.list",
    item: Group,
    filters: { status },
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

export const policies = group("Policies: who must approve what.", {
  list: listOf({
    summary: "List policies.",
    operation: "policies.list",
    item: Policy,
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

export const whitelists = group("Whitelists: addresses that policies allow.", {
  list: listOf({
    summary: "List whitelists.",
    operation: "whitelists.list",
    item: Whitelist,
    filters: { status },
    examples: [{ line: "whitelists list --status ACTIVE", means: "Whitelists in force" }],
  }),
  get: getOf({
    summary: "One whitelist with its addresses.",
    operation: "whitelists.get",
    item: Whitelist,
    of: "whitelist",
    examples: [{ line: "whitelists get --id WHITELIST_ID", means: "Its addresses" }],
  }),
});

export const entities = group("Entities: groupings of accounts.", {
  list: listOf({
    summary: "List entities.",
    operation: "entities.list",
    item: Entity,
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
