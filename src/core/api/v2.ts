/**
 * API V2 as a table. Rows with `assumed` are not publicly documented (docs/limits.md); all others
 * are in docs/api/v2.openapi.yaml as documented.
 */
import { Exact, encode, member } from "../../io/json.ts";
import { DEVICE_OPERATIONS } from "./device.ts";
import type { Dialect, Operation, Parameters } from "./operation.ts";
import type { V1Operation } from "./v1.ts";

const PAGE = {
  page: "page",
  pageSize: "pageSize",
  sortBy: "sortBy",
  sortOrder: "sortOrder",
} as const;

function list(path: string, ...filters: readonly string[]): Operation {
  return {
    method: "GET",
    path,
    query: { ...PAGE, ...Object.fromEntries(filters.map((name) => [name, name])) },
  };
}

function get(path: string, ...query: readonly string[]): Operation {
  return { method: "GET", path, query: Object.fromEntries(query.map((name) => [name, name])) };
}

/** The request inside its documented envelope; one that is wrapped already is taken as it is. */
function wrapRequest(document: Exact | undefined): Exact {
  const given = document ?? new Exact("{}");
  return member(given, "request")?.text.startsWith("{") === true
    ? given
    : new Exact(encode({ request: given }));
}

/** U8: the estimate takes the transaction request's `data` as its body. */
function transactionData(document: Exact | undefined): Exact {
  const given = document ?? new Exact("{}");
  const data = member(given, "data");
  return member(given, "type") !== undefined && data?.text.startsWith("{") === true ? data : given;
}

/** U2: an API user's signature is the whole compact JWS. */
function approval(_document: Exact | undefined, parameters: Parameters): Exact {
  return new Exact(encode({ data: { challengeType: "API", signature: parameters.signature } }));
}

const TOKEN_NAMES = {
  access: "accessToken",
  expires: "expiresInSeconds",
  refresh: "refreshToken",
  refreshExpires: "refreshExpiresInSeconds",
} as const;

const OPERATIONS = {
  "accounts.list": list(
    "/accounts",
    ...["status", "name", "governanceType", "skipLiveData", "allowedAction", "currency", "index"],
    ...["contractAddress", "support"],
  ),
  "accounts.get": get("/accounts/{id}"),
  "accounts.balance": get("/accounts/{id}"),
  "transactions.list": { ...get("/accounts/{accountId}/transactions", "cursor"), assumed: "U9" },
  "transactions.estimate": {
    method: "POST",
    path: "/accounts/{accountId}/transactions/estimate",
    assumed: "U8",
    body: transactionData,
  },
  "requests.list": list(
    "/requests",
    ...["type", "state", "targetId", "createdBy", "reviewedBy", "pendingBy", "fromDate", "toDate"],
  ),
  "requests.get": get("/requests/{id}", "withInflight"),
  "requests.create": { method: "POST", path: "/requests", writes: "create", body: wrapRequest },
  "requests.createSui": {
    method: "POST",
    path: "/requests/transaction/sui",
    writes: "create",
    body: (document) => document ?? new Exact("{}"),
  },
  "requests.challenge": { ...get("/requests/{id}/challenge"), assumed: "U1" },
  "requests.approve": {
    method: "POST",
    path: "/requests/{id}/approve",
    writes: "approve",
    body: approval,
  },
  ...DEVICE_OPERATIONS.v2, // not public: device.ts
  "users.list": list("/users", "role", "status", "deviceType", "ids"),
  "users.get": get("/users/{id}"),
  "groups.list": list("/groups", "status"),
  "groups.get": get("/groups/{id}"),
  "policies.list": list("/policies", "name", "isPrivate"),
  "policies.get": get("/policies/{id}"),
  "whitelists.list": list("/whitelists", "status"),
  "whitelists.get": get("/whitelists/{id}"),
  "entities.list": list("/entities"),
  "entities.get": get("/entities/{id}"),
  "assets.currencies": get("/assets/currencies"),
  "assets.tokens": get("/assets/tokens"),
  "permissions.allowedActions": get(
    "/permissions/allowed-actions",
    "userId",
    "resourceType",
    "resourceId",
  ),
  "permissions.resources": get("/permissions/resources", "userId", "resourceType", "action"),
} satisfies Readonly<Record<string, Operation>>;

/** What API V2 can do. */
export type V2Operation = keyof typeof OPERATIONS;

/** What to do instead of what only API V1 can do. */
const INSTEAD: Readonly<Partial<Record<Exclude<V1Operation, V2Operation>, string>>> = {
  "requests.governanceStatus": "'requests get' shows reviewSteps, currentStepIndex and reviews.",
  "users.ofEntity": "V2 does not list the users of an entity.",
  "requests.reject":
    "How V2's challenge for a rejection looks is not public; reject in the web application, or let it expire.",
};

/** Everything that the program can do on API V2. */
export const V2: Dialect = {
  version: "v2",
  operations: OPERATIONS,
  instead: INSTEAD,
  login: {
    path: "/auth/token",
    headers: () => ({}),
    body: ({ workspace, apiKeyId, apiKeySecret }) => ({ workspace, apiKeyId, apiKeySecret }),
    names: TOKEN_NAMES,
  },
  refresh: {
    path: "/auth/token/refresh",
    headers: () => ({}),
    body: ({ workspace, refreshToken }) => ({ workspace, refreshToken }),
    names: TOKEN_NAMES,
  },
  spellId: (value) => value,
  authorize: ({ accessToken }) => ({ authorization: `Bearer ${accessToken}` }),
};
