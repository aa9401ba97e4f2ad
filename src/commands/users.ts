/** Users of a workspace: a list, and one by its id or `me`. */
import * as v from "valibot";
import { id, many, oneOf } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { base, given, maybe, times } from "./parts/fields.ts";
import { getOf, listOf, STATUS } from "./parts/resource.ts";

/** A user, as either API version has one; `whoami` shows one, too. */
export const User = () =>
  v.looseObject({
    ...base,
    legacyViewAll: v.optional(v.boolean()),
    workspaceName: given,
    name: given,
    username: given,
    deviceUserId: maybe,
    deviceType: given,
    role: given,
    pubKey: given,
    status: given,
    isSuspended: v.optional(v.boolean()),
    ...times,
  });

export const users = group("Users of the workspace.", {
  list: listOf({
    summary: "List users.",
    operation: "users.list",
    named: true,
    item: User,
    columns: ["id", "name|username", "role", "status", "createdAt|created_on"],
    sortBy: ["name", "role", "status", "createdAt", "updatedAt"],
    filters: {
      entityId: id("Only users of this entity (V1); takes no other filter."),
      deviceType: oneOf("Only users with this kind of device (V2).", ["PSD", "SOFT_PSD", "API"]),
      ids: many(id("Only this user (V2).")),
      role: oneOf("Only users of this role.", ["ADMIN", "OPERATOR", "READ_ONLY_API_KEY"]),
      status: STATUS,
    },
    wholeFor: ({ entityId }) => (entityId === undefined ? undefined : "users.ofEntity"),
    notes: ["An operator without the right to view everything sees only itself."],
    examples: [
      { line: "users list --role OPERATOR --fields id,name", means: "Operators and their ids" },
      { line: "users list --deviceType API --fields id,name", means: "Who signs by software (V2)" },
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
