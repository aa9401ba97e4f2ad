/** What a user may do. */
import * as v from "valibot";
import { id, oneOf } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { missingFrom } from "../core/api/dialect.ts";
import { command } from "./parts/command.ts";

const RESOURCE_TYPES = [
  ...[
    "ACCOUNT",
    "ENTITY",
    "GROUP",
    "POLICY",
    "WHITELIST",
    "TRADELINK_CUSTODIAN",
    "TRADELINK_ENTITY",
  ],
  ...["TRADELINK_PLEDGE", "WORKSPACE", "WORKSPACE_RULE"],
];

export const permissions = group("What a user may do.", {
  allowedActions: command({
    summary: "Actions that a user may take, on everything or on one resource.",
    notes: missingFrom("permissions.allowedActions"),
    effect: "read",
    needs: ["reader"],
    args: {
      userId: id("Id of the user; the API's default is the current one."),
      resourceType: oneOf("Kind of the resource.", RESOURCE_TYPES),
      resourceId: id("Id of the resource."),
    },
    output: () =>
      v.looseObject({ userId: v.optional(v.string()), allowedActions: v.array(v.string()) }),
    fields: "object",
    examples: [
      {
        line: "permissions allowedActions --resourceType ACCOUNT --resourceId ACCOUNT_ID",
        means: "May I send from this account?",
      },
    ],
    run: ({ reader }, { userId, resourceType, resourceId }) =>
      reader.read("permissions.allowedActions", { userId, resourceType, resourceId }),
  }),
});
