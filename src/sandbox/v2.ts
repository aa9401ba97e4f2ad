/**
 * API V2 as a table of routes. Facts and inferences: the reconstructed OpenAPI document, against
 * which test/sandbox checks both ways.
 */

import { currenciesV2, tokensV2 } from "./assets.ts";
import { getChannels, loginRoutes } from "./device.ts";
import {
  showAccount,
  showCoinRequest,
  showDescribed,
  showGroup,
  showPolicy,
  showRequest,
  showTokens,
  showTransaction,
  showUser,
  showWhitelist,
} from "./documents.ts";
import { type Decision, pendingReviews } from "./governance.ts";

import { fromPlain, type Json, type JsonObject, memberAt, textAt } from "./json.ts";
import { found, resource, visibleUsers } from "./pages.ts";
import { type Call, type Dialect, isListed, type Route } from "./routes.ts";
import { choice, digits, invalid, object, Refusal, record, text } from "./schema.ts";
import { estimateFee } from "./transactions.ts";

import type { Account, Group, Policy, Row, User, VaultRequest } from "./workspace.ts";

const CURSOR_PAGE = 20;

const any = text();
const bool = choice("true", "false");
const status = choice("ACTIVE", "INACTIVE");
const role = choice("ADMIN", "OPERATOR", "READ_ONLY_API_KEY");
const date = text(
  /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/,
  "an ISO 8601 date or time",
);
function hasStatus(row: Row, { query }: Call): boolean {
  return (query.text("status") ?? row.status) === row.status;
}

function hasName(row: { readonly name: string }, { query }: Call): boolean {
  return row.name.toLowerCase().includes((query.text("name") ?? "").toLowerCase());
}

function fitsRequest(request: VaultRequest, { query, user, world }: Call): boolean {
  const person = (name: string) => (query.text(name) === "me" ? user.id : query.text(name));
  const oneOf = (name: string, value: string) =>
    query.all(name).length === 0 || query.all(name).includes(value);
  const [creator, reviewer, pending] = ["createdBy", "reviewedBy", "pendingBy"].map(person);
  const hasReviewed = request.reviews.some(
    ({ userId, status }) => userId === reviewer && status !== "PENDING",
  );
  const from = Date.parse(query.text("fromDate") ?? "1970-01-01");
  const to = Date.parse(query.text("toDate") ?? "9999-12-31");
  return (
    isListed(request, world) &&
    oneOf("type", request.type) &&
    oneOf("state", request.state) &&
    (query.text("targetId") ?? request.targetId) === request.targetId &&
    (creator ?? request.createdBy) === request.createdBy &&
    (reviewer === undefined || hasReviewed) &&
    (pending === undefined || pendingReviews(request).some(({ userId }) => userId === pending)) &&
    from <= request.createdAt &&
    request.createdAt <= to
  );
}

function accountOf({ world, params }: Call): Account {
  return found(world.workspace.accounts.get(params.id ?? ""));
}

/**
 * Newest first. A cursor names the account and the last row seen, so new rows never shift the
 * pages.
 */
function listTransactions(call: Call): unknown {
  const { world, query } = call;
  const account = accountOf(call);
  const rows = world.workspace.transactions.filter((one) => one.accountId === account.id);
  rows.sort((a, b) => b.createdAt - a.createdAt || b.legacyId - a.legacyId);
  const cursor = query.text("cursor");
  const [accountId, lastId] = Buffer.from(cursor ?? "", "base64url")
    .toString()
    .split(" ");
  const last = rows.findIndex((row) => row.id === lastId && accountId === account.id);
  if (cursor !== undefined && last === -1) throw invalid("query.cursor: not a cursor of this list");
  const results = rows.slice(last + 1, last + 1 + CURSOR_PAGE);
  const hasMore = last + 1 + results.length < rows.length;
  const next = hasMore
    ? Buffer.from(`${account.id} ${results.at(-1)?.id}`).toString("base64url")
    : null;
  return { next, results: results.map((row) => showTransaction(row, world.clock())) };
}

function requestOf({ world, params }: Call, missing = 404): VaultRequest {
  return found(world.workspace.requests.get(params.id ?? ""), missing === 400 ? 400 : 404);
}

function getChallenge(call: Call): unknown {
  const { world, user } = call;
  const request = requestOf(call);
  if (user.deviceType === "PSD") return getChannels(call, request);
  world.governance.pendingReview(request, user.id);
  if (user.deviceType !== "API") throw new Refusal(403, "This challenge is for API operators");
  return { challengeType: "API", challenge: world.challenges.issue(request, user) };
}

function review(decision: Decision) {
  return (call: Call): unknown => {
    const { world, user, body } = call;
    const request = requestOf(call, call.switches.missingRequestStatus);
    const signature = textAt(body, "data", "signature") ?? "";
    if (world.challenges.isUsed(request, user, signature))
      throw new Refusal(400, "This challenge was used before");
    world.governance.pendingReview(request, user.id);
    const type = textAt(body, "data", "challengeType");
    if (type !== user.deviceType)
      throw invalid(`body.data.challengeType: the user's device is ${user.deviceType}`);
    if (type === "PSD") world.devices.spend(request, user, signature);
    else world.challenges.spend(request, user, signature);
    world.governance.decide(request, user.id, decision);
    return showRequest(request, call);
  };
}

/** What each role may do here. */
const ALLOWED: Readonly<Record<User["role"], readonly string[]>> = {
  ADMIN: ["READ", "EDIT", "CREATE_ACCOUNT_WITH_POLICY"],
  OPERATOR: ["READ", "SEND", "RECEIVE", "ACTIVATE_TOKEN", "SIGN_MESSAGE"],
  READ_ONLY_API_KEY: ["READ"],
};

const RESOURCES = {
  ACCOUNT: "accounts",
  ENTITY: "entities",
  GROUP: "groups",
  POLICY: "policies",
  WHITELIST: "whitelists",
} as const;
const OTHER_RESOURCES = [
  "TRADELINK_CUSTODIAN",
  "TRADELINK_ENTITY",
  "TRADELINK_PLEDGE",
  "WORKSPACE",
  "WORKSPACE_RULE",
];
const RESOURCE_TYPES = [...Object.keys(RESOURCES), ...OTHER_RESOURCES];

function allowedActions(call: Call): unknown {
  const { world, query, user } = call;
  const asked = query.text("userId") ?? "me";
  const subject = found(
    visibleUsers(call).find((one) => one.id === (asked === "me" ? user.id : asked)),
  );
  const type = query.text("resourceType");
  const kind = Object.entries(RESOURCES).find(([name]) => name === type)?.[1];
  const resourceId = query.text("resourceId");
  if (resourceId !== undefined) found(kind && world.workspace[kind].get(resourceId));
  const isGeneral = (action: string) => action === "READ" || action === "EDIT";
  const fits = (action: string) => type === undefined || type === "ACCOUNT" || isGeneral(action);
  return { userId: subject.id, allowedActions: ALLOWED[subject.role].filter(fits) };
}

const ACTIONS = [
  ...["READ", "EDIT", "SEND", "STAKE", "DEPLOY_CONTRACT", "EXECUTE_CONTRACT", "ACTIVATE_TOKEN"],
  ...["RECEIVE", "SIGN_MESSAGE", "SIGN_DIGESTS", "TRADELINK_PLEDGE", "TRADELINK_REPLEDGE"],
  ...["TRADELINK_FORCE_UNPLEDGE", "TRADELINK_SETTLE", "TRADELINK_WITHDRAW", "TRADELINK_ARBITRATE"],
  "CREATE_ACCOUNT_WITH_POLICY",
];

function allowedResources(call: Call): unknown {
  const { world, query, user } = call;
  const asked = query.text("userId") ?? "me";
  const subject = found(
    visibleUsers(call).find((one) => one.id === (asked === "me" ? user.id : asked)),
  );
  const action = query.text("action") ?? "";
  const isAllowed = ALLOWED[subject.role].includes(action);
  const kinds = Object.entries(RESOURCES).filter(
    ([type]) => (query.text("resourceType") ?? type) === type,
  );
  const isGeneral = action === "READ" || action === "EDIT";
  const resources = kinds.flatMap(([resourceType, kind]) => {
    const fits = isAllowed && (isGeneral || resourceType === "ACCOUNT");
    const ids = fits ? [...world.workspace[kind].keys()] : [];
    return ids.map((resourceId) => ({ resourceType, resourceId }));
  });
  return { userId: subject.id, action, resources };
}

/** True for an account with which the caller may do what the query asks for. */
function fitsAccount(account: Account, call: Call): boolean {
  const { query, user } = call;
  const same = (name: string, value: string | undefined) => (query.text(name) ?? value) === value;
  const action = query.text("allowedAction");
  return (
    hasStatus(account, call) &&
    hasName(account, call) &&
    same("governanceType", account.governanceType) &&
    same("currency", account.currency) &&
    same("index", `${account.index ?? 0}`) &&
    same("contractAddress", account.contractAddress ?? "null") &&
    (action === undefined || ALLOWED[user.role].includes(action))
  );
}

/**
 * What the endpoint for Sui makes of its body. That `transaction` has these members is assumed: the
 * four forms that the vendor lists are not public.
 */
function createSui(call: Call): unknown {
  const { world, user, body } = call;
  const account = found(world.workspace.accounts.get(textAt(body, "accountId") ?? ""), 400);
  const fields = new Map(memberAt(body, "transaction") as JsonObject);
  fields.set("accountName", account.name);
  fields.set("currency", account.currency);
  const data: JsonObject = new Map<string, Json>([
    ["accountId", account.id],
    ["transactionType", "SUI_LIKE_SEND"],
    ["feesStrategy", fromPlain({ type: "SPEED", data: { speed: "NORMAL" } })],
    ["transactionData", fields],
  ]);
  const request = world.governance.create(user, {
    type: "CREATE_TRANSACTION",
    data,
    note: undefined,
  });
  return showCoinRequest(request, call);
}

function currencies({ world: { workspace, switches } }: Call): unknown {
  return { results: currenciesV2(workspace, switches) };
}

function tokenList({ world: { workspace, switches } }: Call): unknown {
  return { results: tokensV2(workspace, switches) };
}

const REVIEW = record({ data: record({ challengeType: choice("API", "PSD"), signature: any }) });
const NOTE = record({ title: any, content: any });
const REQUEST = record({ request: record({ type: any, data: object }, { note: NOTE }, true) });
const SUI_REQUEST = record({
  accountId: text(/./, "an id"),
  transaction: record({ amount: any, recipient: any, maxFees: any }, { coinType: any }),
});
/** Documented for policies; assumed for the other lists of named things. */
const BY_NAME = ["name", "createdAt", "updatedAt"];
const REQUEST_FILTERS = {
  type: any,
  state: any,
  targetId: any,
  createdBy: any,
  reviewedBy: any,
  pendingBy: any,
  support: any,
  fromDate: date,
  toDate: date,
};

const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/auth/token",
    body: record({ workspace: any, apiKeyId: any, apiKeySecret: any }),
    open: (world, body) => {
      const [workspace, id, secret] = ["workspace", "apiKeyId", "apiKeySecret"].map(
        (name) => textAt(body, name) ?? "",
      );
      return showTokens(world.sessions.login(workspace ?? "", id ?? "", secret ?? ""));
    },
  },
  {
    method: "POST",
    path: "/auth/token/refresh",
    body: record({ workspace: any, refreshToken: any }),
    open: (world, body) =>
      showTokens(
        world.sessions.refresh(textAt(body, "refreshToken") ?? "", textAt(body, "workspace")),
      ),
  },
  ...loginRoutes((_, tokens) => showTokens(tokens)),
  ...resource<User>("/users", {
    sortBy: ["name", "role", "status", "createdAt", "updatedAt"],
    filters: { role, status, deviceType: choice("PSD", "SOFT_PSD", "API"), ids: any },
    repeatable: ["ids"],
    rows: visibleUsers,
    fits: (user, call) =>
      hasStatus(user, call) &&
      (call.query.text("role") ?? user.role) === user.role &&
      (call.query.text("deviceType") ?? user.deviceType) === user.deviceType &&
      (call.query.all("ids").length === 0 || call.query.all("ids").includes(user.id)),
    show: (user, { world }) => showUser(user, world.workspace),
  }),
  ...resource<Account>("/accounts", {
    sortBy: ["name", "currency", "index", "createdAt", "updatedAt"],
    filters: {
      status,
      name: any,
      governanceType: choice("CLASSIC", "TRADELINK", "RAW_SIGNING"),
      skipLiveData: bool,
      allowedAction: choice(...ACTIONS.slice(2, 10)),
      currency: any,
      index: digits(0, 2 ** 31),
      contractAddress: any,
      support: choice("standalone", "legacy"),
    },
    rows: ({ world }) => world.workspace.accounts.values(),
    fits: fitsAccount,
    show: showAccount,
  }),
  {
    method: "GET",
    path: "/accounts/{id}/transactions",
    query: { cursor: any },
    handle: listTransactions,
  },
  {
    method: "POST",
    path: "/accounts/{id}/transactions/estimate",
    body: object,
    handle(call) {
      const { fee, coinFields } = estimateFee(
        call.world.workspace,
        accountOf(call),
        call.body as JsonObject,
      );
      return { maxFees: `${fee}`, coinFields };
    },
  },
  ...resource<Group>("/groups", {
    sortBy: BY_NAME,
    filters: { status },
    rows: ({ world }) => world.workspace.groups.values(),
    fits: hasStatus,
    show: (group, { world }) => showGroup(group, world.workspace),
  }),
  ...resource("/whitelists", {
    sortBy: BY_NAME,
    filters: { status },
    rows: ({ world }) => world.workspace.whitelists.values(),
    fits: hasStatus,
    show: showWhitelist,
  }),
  ...resource<Policy>("/policies", {
    sortBy: BY_NAME,
    filters: { name: any, isPrivate: bool },
    rows: ({ world }) => world.workspace.policies.values(),
    fits: (policy, call) =>
      hasName(policy, call) && (policy.isPrivate ?? false) === call.query.isTrue("isPrivate"),
    show: (policy, { world }) => showPolicy(policy, world.workspace),
  }),
  ...resource("/entities", {
    sortBy: BY_NAME,
    rows: ({ world }) => world.workspace.entities.values(),
    show: showDescribed,
  }),
  ...resource<VaultRequest>("/requests", {
    sortBy: ["state", "expiresAt", "createdAt", "updatedAt"],
    filters: REQUEST_FILTERS,
    repeatable: ["type", "state"],
    options: { withInflight: bool },
    rows: ({ world }) => world.workspace.requests.values(),
    fits: fitsRequest,
    show: showRequest,
  }),
  {
    method: "POST",
    path: "/requests",
    body: REQUEST,
    handle(call) {
      const { world, user, body } = call;
      const type = textAt(body, "request", "type") ?? "";
      const data = memberAt(body, "request", "data") as JsonObject;
      const note = memberAt(body, "request", "note") as JsonObject | undefined;
      return showRequest(world.governance.create(user, { type, data, note }), call);
    },
  },
  { method: "POST", path: "/requests/transaction/sui", body: SUI_REQUEST, handle: createSui },
  { method: "GET", path: "/requests/{id}/challenge", handle: getChallenge },
  { method: "POST", path: "/requests/{id}/approve", body: REVIEW, handle: review("APPROVE") },
  { method: "POST", path: "/requests/{id}/reject", body: REVIEW, handle: review("REJECT") },
  {
    method: "GET",
    path: "/permissions/allowed-actions",
    query: { userId: any, resourceType: choice(...RESOURCE_TYPES), resourceId: any },
    handle: allowedActions,
  },
  {
    method: "GET",
    path: "/permissions/resources",
    query: { userId: any, resourceType: choice(...RESOURCE_TYPES), action: choice(...ACTIONS) },
    required: ["action"],
    handle: allowedResources,
  },
  { method: "GET", path: "/assets/currencies", handle: currencies },
  { method: "GET", path: "/assets/tokens", handle: tokenList },
  { method: "GET", path: "/tradelink/network", handle: () => ({ pledges: [] }) },
  { method: "GET", path: "/tradelink/network/blueprint", handle: () => ({ nodes: [] }) },
];

const CODES: Readonly<Record<number, string>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  420: "TOO_MANY_REQUESTS",
  429: "TOO_MANY_REQUESTS",
  500: "INTERNAL_SERVER_ERROR",
};

/** Names that follow no rule. */
const PROCEDURES: Readonly<Record<string, string>> = {
  "POST /auth/token": "auth.getToken",
  "POST /auth/token/refresh": "auth.refreshToken",
  "GET /accounts/{id}/transactions": "accounts.findTransactions",
  "POST /accounts/{id}/transactions/estimate": "accounts.estimateTransaction",
  "POST /requests/transaction/sui": "requests.createSuiTransaction",
  "GET /requests/{id}/challenge": "requests.getChallenge",
  "GET /permissions/allowed-actions": "permissions.getAllowedActions",
  "GET /permissions/resources": "permissions.findAllowedResources",
  "GET /assets/currencies": "assets.findCurrencies",
  "GET /assets/tokens": "assets.findTokens",
  "GET /tradelink/network": "tradelink.getNetwork",
  "GET /tradelink/network/blueprint": "tradelink.getBlueprint",
};

/** `accounts.list`, `accounts.findById`, `requests.create`, `requests.approve`. */
function procedureOf({ method, path }: Route): string {
  const [, group = "", id, verb] = path.split("/");
  const rule = method === "POST" ? "create" : id === undefined ? "list" : "findById";
  return PROCEDURES[`${method} ${path}`] ?? `${group}.${verb ?? rule}`;
}

/** The place that a sentence names, as the framework's issues have it. */
function issueOf(message: string): object {
  const place =
    /\b(?:at |^)?(?:body|query)((?:\.\w+|\[\d+\])+)/.exec(message)?.[1] ??
    /^(?=\w+\.)((?:\.?\w+|\[\d+\])+):/.exec(message)?.[1] ??
    "";
  const path = [...place.matchAll(/\[(\d+)\]|(\w+)/g)].map(([, index, name]) =>
    index === undefined ? name : Number(index),
  );
  return { code: "custom", path, message };
}

export const V2: Dialect = {
  base: "/v1/rest",
  routes: ROUTES.map((route) => ({ ...route, procedure: procedureOf(route) })),
  limitStatus: 429,
  bodyFaults: { type: 415, syntax: 500 },
  errorBody(status, message, issues, route) {
    const code = CODES[status] ?? "INTERNAL_SERVER_ERROR";
    const data = {
      code,
      httpStatus: status,
      ...(route === undefined ? {} : { path: route.procedure }),
    };
    return { message, code, data, ...(issues.length === 0 ? {} : { issues: issues.map(issueOf) }) };
  },
  authenticate: (world, { authorization }) =>
    world.sessions.authenticate(typeof authorization === "string" ? authorization : undefined),
};
