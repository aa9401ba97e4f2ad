/** What a user may do. */
import * as v from "valibot";
import { id, oneOf, required } from "../cli/argument.ts";
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

const ACTIONS = [
  ...["READ", "EDIT", "SEND", "STAKE", "DEPLOY_CONTRACT", "EXECUTE_CONTRACT", "ACTIVATE_TOKEN"],
  ...["RECEIVE", "SIGN_MESSAGE", "SIGN_DIGESTS", "TRADELINK_PLEDGE", "TRADELINK_REPLEDGE"],
  ...["TRADELINK_FORCE_UNPLEDGE", "TRADELINK_SETTLE", "TRADELINK_WITHDRAW", "TRADELINK_ARBITRATE"],
  "CREATE_ACCOUNT_WITH_POLICY",
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
    agent: "lookup",
    examples: [
      {
        line: "permissions allowedActions --resourceType ACCOUNT --resourceId ACCOUNT_ID",
        means: "May I send from this account?",
      },
    ],
    run: ({ reader }, { userId, resourceType, resourceId }) =>
      reader.read("permissions.allowedActions", { userId, resourceType, resourceId }),
  }),
  resources: command({
    summary: "Resources with which a user may take one action.",
    notes: missingFrom("permissions.resources"),
    effect: "read",
    needs: ["reader"],
    args: {
      action: required(oneOf("The action.", ACTIONS)),
      userId: id("Id of the user; the API's default is the current one."),
      resourceType: oneOf("Kind of the resources.", RESOURCE_TYPES),
    },
    output: () =>
      v.looseObject({
        userId: v.optional(v.string()),
        action: v.optional(v.string()),
        resources: v.array(v.looseObject({ resourceType: v.string(), resourceId: v.string() })),
      }),
    fields: "object",
    agent: "lookup",
    examples: [
      {
        line: "permissions resources --action SEND --resourceType ACCOUNT",
        means: "From which accounts may I send?",
      },
    ],
    run: ({ reader }, { action, userId, resourceType }) =>
      reader.read("permissions.resources", { action, userId, resourceType }),
  }),
});
