/**
 * Single reads without a resource of their own: assets, permissions, and any other GET of the API.
 */
import * as v from "valibot";
import { id, many, oneOf, pair, required, text } from "../cli/argument.ts";
import { group } from "../cli/command.ts";
import { missingFrom } from "../core/api/dialect.ts";
import { checkPath } from "../core/api/path.ts";
import { V1_READS } from "../core/api/v1reads.ts";
import { command } from "./parts/command.ts";

const LooseList = () =>
  v.union([v.array(v.looseObject({})), v.looseObject({ results: v.array(v.looseObject({})) })]);

export const assets = group("Currencies and tokens that the workspace knows.", {
  currencies: command({
    summary: "List currencies.",
    effect: "read",
    needs: ["reader"],
    args: {},
    output: LooseList,
    examples: [
      { line: "assets currencies", means: "What `currency` and `network` of an account refer to" },
    ],
    run: ({ reader }) => reader.read("assets.currencies"),
  }),
  tokens: command({
    summary: "List tokens.",
    effect: "read",
    needs: ["reader"],
    args: {},
    output: LooseList,
    examples: [{ line: "assets tokens", means: "Tokens with their contract addresses" }],
    run: ({ reader }) => reader.read("assets.tokens"),
  }),
});

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

export const api = command({
  summary: "Any GET of the configured API, relayed as it comes.",
  notes: [
    `API V1 has ${Object.keys(V1_READS).length} of them, among them balance history, addresses, NFTs, staking, compliance: 'schema api' lists all with their queries.`,
    "Pages: --query page=2, as the API itself counts them.",
  ],
  reference: { v1: V1_READS },
  effect: "read",
  needs: ["reader"],
  args: {
    path: required(
      text("Path below the base URL, beginning with '/'; no query in it.", "</path>", 2048),
    ),
    query: many(pair("One query parameter.")),
  },
  output: () => v.unknown(),
  examples: [
    { line: "api --path /tradelink/network", means: "A resource without a command of its own" },
    {
      line: "api --path /accounts/7/nfts --query page=2",
      means: "The second page of an account's NFTs on V1",
    },
  ],
  run: ({ reader }, { path, query }) => reader.get(checkPath(path), query),
});
