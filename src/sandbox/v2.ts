/** API V2 as a table of routes. Facts and inferences: the reconstructed OpenAPI document, against which test/sandbox checks both ways. */
import { CURRENCIES } from "./assets.ts";
import { type Decision, pendingReviews } from "./governance.ts";
import { type JsonObject, memberAt, textAt } from "./json.ts";
import type { Call, Dialect, Route } from "./routes.ts";
import { type Check, type Checks, choice, digits, object, record, Refusal, text } from "./schema.ts";
import { ACCESS_SECONDS, REFRESH_SECONDS, type TokenPair } from "./sessions.ts";
import { estimateFee, reserved } from "./transactions.ts";
import type {
  Account,
  Described,
  Group,
  Policy,
  Row,
  Transaction,
  User,
  VaultRequest,
  Whitelist,
  Workspace,
} from "./workspace.ts";

const LARGEST_PAGE = 30;
const CURSOR_PAGE = 20;

const any = text();
const bool = choice("true", "false");
const status = choice("ACTIVE", "INACTIVE");
const date = text(
  /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/,
  "an ISO 8601 date or time",
);
const paging: Checks = {
  page: digits(1, Number.MAX_SAFE_INTEGER),
  pageSize: digits(1, LARGEST_PAGE),
  sortBy: choice("createdAt", "updatedAt", "id", "legacyId", "name", "status", "state", "type"),
  sortOrder: choice("asc", "desc"),
};

/** A list and its single rows: the most common pair of routes. */
function resource<T extends Row | VaultRequest>(
  path: string,
  source: {
    readonly filters?: Checks;
    readonly repeatable?: readonly string[];
    readonly oneQuery?: Checks;
    rows(call: Call): Iterable<T>;
    /** Absent: every row of the filters' result. */
    fits?(row: T, call: Call): boolean;
    show(row: T, call: Call): unknown;
  },
): Route[] {
  const { filters = {}, repeatable = [], oneQuery = {}, rows, fits = () => true, show } = source;
  return [
    {
      method: "GET",
      path,
      query: { ...paging, ...filters },
      repeatable,
      handle: (call) =>
        page(
          call,
          [...rows(call)].filter((row) => fits(row, call)),
          (row) => show(row, call),
        ),
    },
    {
      method: "GET",
      path: `${path}/{id}`,
      query: oneQuery,
      handle(call) {
        const id = call.params.id === "me" && path === "/users" ? call.user.id : call.params.id;
        const row = [...rows(call)].find((one) => one.id === id);
        if (row === undefined) throw new Refusal(404, `No such row of ${path}`);
        return show(row, call);
      },
    },
  ];
}

function page<T extends Row | VaultRequest>({ query }: Call, rows: T[], show: (row: T) => unknown): unknown {
  const pageSize = query.number("pageSize", LARGEST_PAGE);
  const number = query.number("page", 1);
  const by = query.text("sortBy") ?? "createdAt";
  const sign = query.text("sortOrder") === "desc" ? -1 : 1;
  const keyOf = (row: T): unknown => (row as unknown as Record<string, unknown>)[by];
  if (rows.some((row) => keyOf(row) === undefined))
    throw new Refusal(400, "Input validation failed", [`query.sortBy: rows have no ${by}`]);
  rows.sort((a, b) => sign * (order(keyOf(a), keyOf(b)) || a.legacyId - b.legacyId));
  const start = (number - 1) * pageSize;
  return {
    page: number,
    next: start + pageSize < rows.length ? number + 1 : null,
    prev: number > 1 ? number - 1 : null,
    pageSize,
    total: rows.length,
    results: rows.slice(start, start + pageSize).map(show),
  };
}

function order(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : Number(String(a) > String(b));
}

function hasStatus(row: Row, { query }: Call): boolean {
  return (query.text("status") ?? row.status) === row.status;
}

function hasName(row: Row, { query }: Call): boolean {
  return row.name.toLowerCase().includes((query.text("name") ?? "").toLowerCase());
}

/** Operators see only themselves, unless legacyViewAll says otherwise. */
function visibleUsers({ world, user }: Call): User[] {
  const users = [...world.workspace.users.values()];
  return user.role === "ADMIN" || user.legacyViewAll ? users : users.filter((one) => one === user);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function showRow({ id, legacyId, name, status, createdAt, updatedAt }: Row) {
  return { id, legacyId, name, status, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

function showDescribed(row: Described) {
  return { ...showRow(row), description: row.description };
}

function showUser(user: User, workspace: Workspace) {
  const { legacyViewAll, deviceUserId, deviceType, role, isSuspended, pubKey } = user;
  const key = pubKey === "" ? {} : { pubKey };
  return {
    ...showRow(user),
    legacyViewAll,
    workspaceName: workspace.name,
    deviceUserId,
    deviceType,
    role,
    ...key,
    isSuspended,
  };
}

function showGroup(group: Group, workspace: Workspace) {
  return {
    ...showDescribed(group),
    users: pick(workspace.users, group.userIds).map((user) => showUser(user, workspace)),
  };
}

function showWhitelist(whitelist: Whitelist) {
  return { ...showDescribed(whitelist), addresses: whitelist.addresses };
}

function showPolicy(policy: Policy, workspace: Workspace) {
  const { currency, isPrivate, rules } = policy;
  const steps = rules.flatMap((rule) => rule.reviewSteps);
  const { status: _, ...row } = showDescribed(policy);
  return {
    ...row,
    currency,
    network: currency,
    isPrivate,
    type: "ACCOUNT_POLICY",
    rules,
    whitelists: pick(
      workspace.whitelists,
      rules.flatMap((rule) => rule.whitelistIds ?? []),
    ).map(showWhitelist),
    users: pick(
      workspace.users,
      steps.flatMap((step) => step.userIds ?? []),
    ).map((user) => showUser(user, workspace)),
    groups: pick(
      workspace.groups,
      steps.flatMap((step) => step.groupId ?? []),
    ).map((group) => showGroup(group, workspace)),
  };
}

function pick<T>(rows: ReadonlyMap<string, T>, ids: readonly string[]): T[] {
  return [...new Set(ids)].flatMap((id) => rows.get(id) ?? []);
}

function showAccount(account: Account, { world, query }: Call) {
  const { currency, contractAddress, index, derivationPath, address, governanceType, policyId } = account;
  const live = { total: `${account.balance}`, pending: `${reserved(world.workspace, account)}` };
  return {
    ...showRow(account),
    currency,
    network: currency,
    contractAddress,
    index,
    derivationPath,
    ...(query.isTrue("skipLiveData") ? {} : { balance: live }),
    asset: {
      type: contractAddress === null ? "NATIVE" : "TOKEN",
      address,
      ...(account.parentId === null ? {} : { parentId: account.parentId }),
    },
    governance: { type: governanceType, policyId },
  };
}

function showTransaction(transaction: Transaction, now: number) {
  const { amount, fees, maxFees, confirmedAt, createdAt, ...rest } = transaction;
  return {
    ...rest,
    amount: `${amount}`,
    fees: confirmedAt === null ? null : `${fees}`,
    maxFees: maxFees === null ? null : `${maxFees}`,
    confirmations: confirmedAt === null ? 0 : 1 + Math.floor((now - confirmedAt) / 600_000),
    block: confirmedAt === null ? null : { height: Math.floor(confirmedAt / 600_000), time: iso(confirmedAt) },
    createdAt: iso(createdAt),
  };
}

function showRequest(request: VaultRequest, { query }: Call) {
  const { type, data, id, legacyId, state, currentStepIndex, targetId, note, createdBy } = request;
  return {
    type,
    data,
    id,
    legacyId,
    state,
    reviewSteps: request.steps.map(({ stageName, quorum }) => ({ stageName, quorum })),
    currentStepIndex,
    expiredAt: iso(request.expiresAt),
    targetId,
    note,
    createdBy,
    reviews: request.reviews.map((review) => ({
      ...review,
      createdAt: iso(review.createdAt),
      updatedAt: iso(review.updatedAt),
    })),
    createdAt: iso(request.createdAt),
    updatedAt: iso(request.updatedAt),
    ...(query.isTrue("withInflight") ? { inflight: { numFailed: 0 } } : {}),
  };
}

function fitsRequest(request: VaultRequest, { query, user }: Call): boolean {
  const person = (name: string) => (query.text(name) === "me" ? user.id : query.text(name));
  const oneOf = (name: string, value: string) => query.all(name).length === 0 || query.all(name).includes(value);
  const [creator, reviewer, pending] = ["createdBy", "reviewedBy", "pendingBy"].map(person);
  const hasReviewed = request.reviews.some(({ userId, status }) => userId === reviewer && status !== "PENDING");
  const from = Date.parse(query.text("fromDate") ?? iso(0));
  const to = Date.parse(query.text("toDate") ?? "9999-12-31");
  return (
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

function tokens({ accessToken, refreshToken }: TokenPair) {
  return { accessToken, expiresInSeconds: ACCESS_SECONDS, refreshToken, refreshExpiresInSeconds: REFRESH_SECONDS };
}

function findAccount({ world, params }: Call): Account {
  const account = world.workspace.accounts.get(params.id ?? "");
  if (account === undefined) throw new Refusal(404, "No such account");
  return account;
}

/** Newest first. A cursor names the account and the last row seen, so new rows never shift the pages. */
function listTransactions(call: Call): unknown {
  const { world, query } = call;
  const account = findAccount(call);
  const rows = world.workspace.transactions.filter((one) => one.accountId === account.id);
  rows.sort((a, b) => b.createdAt - a.createdAt || b.legacyId - a.legacyId);
  const cursor = query.text("cursor");
  const seen = cursor === undefined ? undefined : Buffer.from(cursor, "base64url").toString().split(" ");
  const last = rows.findIndex((row) => seen?.[0] === account.id && row.id === seen[1]);
  if (cursor !== undefined && last === -1)
    throw new Refusal(400, "Input validation failed", ["query.cursor: not a cursor of this list"]);
  const shown = rows.slice(last + 1, last + 1 + CURSOR_PAGE);
  const end = last + shown.length;
  const next = end + 1 < rows.length ? Buffer.from(`${account.id} ${rows[end]?.id}`).toString("base64url") : null;
  return { next, results: shown.map((row) => showTransaction(row, world.clock())) };
}

/** A request by the id of the path; missing is `status`, since approve and reject document no 404. */
function findRequest({ world, params }: Call, status: 400 | 404): VaultRequest {
  const request = world.workspace.requests.get(params.id ?? "");
  if (request === undefined) throw new Refusal(status, "No such request");
  return request;
}

function getChallenge(call: Call): unknown {
  const request = findRequest(call, 404);
  call.world.governance.pendingReview(request, call.user.id);
  return { challengeType: "API", challenge: call.world.challenges.issue(request, call.user) };
}

function review(decision: Decision) {
  return (call: Call): unknown => {
    const { world, user, body } = call;
    const request = findRequest(call, 400);
    const jws = textAt(body, "data", "signature") ?? "";
    try {
      world.governance.pendingReview(request, user.id);
    } catch (refusal) {
      const isReuse =
        refusal instanceof Refusal && refusal.status === 403 && world.challenges.isUsed(request, user, jws);
      throw isReuse ? new Refusal(400, "This challenge was used before") : refusal;
    }
    if (textAt(body, "data", "challengeType") !== user.deviceType) {
      throw new Refusal(400, "Input validation failed", [
        `body.data.challengeType: the user's device type is ${user.deviceType}`,
      ]);
    }
    world.challenges.spend(request, user, jws);
    world.governance.decide(request, user.id, decision);
    return showRequest(request, call);
  };
}

const ACTIONS: Readonly<Record<User["role"], readonly string[]>> = {
  ADMIN: ["READ", "EDIT", "CREATE_ACCOUNT_WITH_POLICY"],
  OPERATOR: ["READ", "SEND", "RECEIVE", "ACTIVATE_TOKEN", "SIGN_MESSAGE"],
  READ_ONLY_API_KEY: ["READ"],
};

function allowedActions(call: Call): unknown {
  const { world, query, user } = call;
  const asked = query.text("userId") ?? "me";
  const subject = visibleUsers(call).find((one) => one.id === (asked === "me" ? user.id : asked));
  const { accounts, entities, groups, policies, whitelists } = world.workspace;
  const rows: Readonly<Record<string, ReadonlyMap<string, unknown>>> = {
    ...{ ACCOUNT: accounts, ENTITY: entities, GROUP: groups, POLICY: policies, WHITELIST: whitelists },
  };
  const type = query.text("resourceType") ?? "";
  const resourceId = query.text("resourceId");
  if (subject === undefined) throw new Refusal(404, "No such user");
  if (resourceId !== undefined && rows[type]?.has(resourceId) !== true) throw new Refusal(404, "No such resource");
  const isAccount = type === "" || type === "ACCOUNT";
  const allowed = ACTIONS[subject.role].filter((action) => isAccount || action === "READ" || action === "EDIT");
  return { userId: subject.id, allowedActions: allowed };
}

function currencies({ world }: Call): unknown {
  const used = new Set([...world.workspace.accounts.values()].map((account) => account.currency));
  const known = Object.entries(CURRENCIES).filter(([id]) => used.has(id));
  return { results: known.map(([id, { name, ticker, decimals, family }]) => ({ id, name, ticker, decimals, family })) };
}

function tokenList({ world }: Call): unknown {
  const held = [...world.workspace.accounts.values()].filter((account) => account.contractAddress !== null);
  const byContract = new Map(
    held.map(({ contractAddress, currency, name }) => [contractAddress, { contractAddress, network: currency, name }]),
  );
  return { results: [...byContract.values()] };
}

const REVIEW: Check = record({ data: record({ challengeType: choice("API", "PSD"), signature: any }) });
const REQUEST: Check = record({
  request: record({ type: any, data: object }, { note: record({ title: any, content: any }) }, true),
});
const REQUEST_FILTERS = {
  type: any,
  state: any,
  targetId: any,
  createdBy: any,
  reviewedBy: any,
  pendingBy: any,
  fromDate: date,
  toDate: date,
};
const RESOURCE_TYPES = [
  ...[
    "ACCOUNT",
    "ENTITY",
    "GROUP",
    "POLICY",
    "WHITELIST",
    "TRADELINK_CUSTODIAN",
    "TRADELINK_ENTITY",
    "TRADELINK_PLEDGE",
  ],
  ...["WORKSPACE", "WORKSPACE_RULE"],
];

const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/auth/token",
    body: record({ workspace: any, apiKeyId: any, apiKeySecret: any }),
    open: (world, body) =>
      tokens(
        world.sessions.login(
          textAt(body, "workspace") ?? "",
          textAt(body, "apiKeyId") ?? "",
          textAt(body, "apiKeySecret") ?? "",
        ),
      ),
  },
  {
    method: "POST",
    path: "/auth/token/refresh",
    body: record({ refreshToken: any }, { workspace: any }),
    open: (world, body) =>
      tokens(world.sessions.refresh(textAt(body, "refreshToken") ?? "", textAt(body, "workspace"))),
  },
  ...resource<User>("/users", {
    filters: { role: choice("ADMIN", "OPERATOR", "READ_ONLY_API_KEY"), status },
    rows: visibleUsers,
    fits: (user, call) => hasStatus(user, call) && (call.query.text("role") ?? user.role) === user.role,
    show: (user, { world }) => showUser(user, world.workspace),
  }),
  ...resource<Account>("/accounts", {
    filters: { status, name: any, governanceType: any, skipLiveData: bool },
    rows: ({ world }) => world.workspace.accounts.values(),
    fits: (account, call) =>
      hasStatus(account, call) &&
      hasName(account, call) &&
      (call.query.text("governanceType") ?? account.governanceType) === account.governanceType,
    show: showAccount,
  }),
  { method: "GET", path: "/accounts/{id}/transactions", query: { cursor: any }, handle: listTransactions },
  {
    method: "POST",
    path: "/accounts/{id}/transactions/estimate",
    body: object,
    handle(call) {
      const { fee, coinFields } = estimateFee(call.world.workspace, findAccount(call), call.body as JsonObject);
      return { maxFees: `${fee}`, coinFields };
    },
  },
  ...resource<Group>("/groups", {
    filters: { status },
    rows: ({ world }) => world.workspace.groups.values(),
    fits: hasStatus,
    show: (group, { world }) => showGroup(group, world.workspace),
  }),
  ...resource<Whitelist>("/whitelists", {
    filters: { status },
    rows: ({ world }) => world.workspace.whitelists.values(),
    fits: hasStatus,
    show: showWhitelist,
  }),
  ...resource<Policy>("/policies", {
    filters: { name: any, isPrivate: bool },
    rows: ({ world }) => world.workspace.policies.values(),
    fits: (policy, call) => hasName(policy, call) && policy.isPrivate === call.query.isTrue("isPrivate"),
    show: (policy, { world }) => showPolicy(policy, world.workspace),
  }),
  ...resource<Described>("/entities", { rows: ({ world }) => world.workspace.entities.values(), show: showDescribed }),
  ...resource<VaultRequest>("/requests", {
    filters: { ...REQUEST_FILTERS, support: any },
    repeatable: ["type", "state"],
    oneQuery: { withInflight: bool },
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
  { method: "GET", path: "/requests/{id}/challenge", handle: getChallenge },
  { method: "POST", path: "/requests/{id}/approve", body: REVIEW, handle: review("APPROVE") },
  { method: "POST", path: "/requests/{id}/reject", body: REVIEW, handle: review("REJECT") },
  {
    method: "GET",
    path: "/permissions/allowed-actions",
    query: { userId: any, resourceType: choice(...RESOURCE_TYPES), resourceId: any },
    handle: allowedActions,
  },
  { method: "GET", path: "/permissions/resources", handle: () => ({ resourceTypes: RESOURCE_TYPES }) },
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
  420: "TOO_MANY_REQUESTS",
  500: "INTERNAL_SERVER_ERROR",
};

export const V2: Dialect = {
  base: "/v1/rest",
  routes: ROUTES,
  errorBody: (status, message, issues) => ({
    code: CODES[status] ?? "INTERNAL_SERVER_ERROR",
    message,
    ...(issues.length === 0 ? {} : { issues: issues.map((issue) => ({ message: issue })) }),
  }),
  authenticate: (world, { authorization }) =>
    world.sessions.authenticate(typeof authorization === "string" ? authorization : undefined),
};
