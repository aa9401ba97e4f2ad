/** API V2 as a table of routes. Facts and inferences: the reconstructed OpenAPI document, against which test/sandbox checks both ways. */
import { type Decision, pendingReviews } from "./governance.ts";
import { type JsonObject, memberAt, textAt } from "./json.ts";
import type { Call, Dialect, Route } from "./routes.ts";
import { type Checks, choice, digits, invalid, object, Refusal, record, text } from "./schema.ts";
import { ACCESS_SECONDS, REFRESH_SECONDS, type TokenPair } from "./sessions.ts";
import { CURRENCIES, estimateFee, reserved } from "./transactions.ts";
import type {
  Account,
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
const role = choice("ADMIN", "OPERATOR", "READ_ONLY_API_KEY");
const date = text(/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/, "an ISO 8601 date or time");
const paging: Checks = {
  page: digits(1, Number.MAX_SAFE_INTEGER),
  pageSize: digits(1, LARGEST_PAGE),
  sortBy: choice("createdAt", "updatedAt", "id", "legacyId", "name", "status", "state", "type"),
  sortOrder: choice("asc", "desc"),
};

type Listed = Pick<Row, "id" | "legacyId">;

interface Source<T> {
  readonly filters?: Checks;
  readonly repeatable?: readonly string[];
  /** Query of the single row. */
  readonly options?: Checks;
  rows(call: Call): Iterable<T>;
  fits?(row: T, call: Call): boolean;
  show(row: T, call: Call): unknown;
}

/** A list and its single rows: the most common pair of routes. */
function resource<T extends Listed>(path: string, source: Source<T>): Route[] {
  const { filters = {}, repeatable = [], options = {}, rows, fits = () => true, show } = source;
  const list = (call: Call) =>
    page(
      call,
      [...rows(call)].filter((row) => fits(row, call)),
      show,
    );
  const get = (call: Call) => {
    const id = path === "/users" && call.params.id === "me" ? call.user.id : call.params.id;
    return show(found([...rows(call)].find((row) => row.id === id)), call);
  };
  return [
    { method: "GET", path, query: { ...paging, ...filters }, repeatable, handle: list },
    { method: "GET", path: `${path}/{id}`, query: options, handle: get },
  ];
}

function found<T>(row: T | undefined, status: 400 | 404 = 404): T {
  if (row === undefined) throw new Refusal(status, "There is nothing with this id");
  return row;
}

function page<T extends Listed>(call: Call, rows: T[], show: Source<T>["show"]): unknown {
  const { query } = call;
  const [number, pageSize] = [query.number("page", 1), query.number("pageSize", LARGEST_PAGE)];
  const by = query.text("sortBy") ?? "createdAt";
  const keyOf = (row: T) => new Map<string, unknown>(Object.entries(row)).get(by);
  if (rows.some((row) => keyOf(row) === undefined)) throw invalid(`query.sortBy: rows have no ${by}`);
  const sign = query.text("sortOrder") === "desc" ? -1 : 1;
  rows.sort((a, b) => sign * (compare(keyOf(a), keyOf(b)) || a.legacyId - b.legacyId));
  const start = (number - 1) * pageSize;
  return {
    page: number,
    next: start + pageSize < rows.length ? number + 1 : null,
    prev: number > 1 ? number - 1 : null,
    pageSize,
    total: rows.length,
    results: rows.slice(start, start + pageSize).map((row) => show(row, call)),
  };
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : Number(String(a) > String(b));
}

function hasStatus(row: Row, { query }: Call): boolean {
  return (query.text("status") ?? row.status) === row.status;
}

function hasName(row: { readonly name: string }, { query }: Call): boolean {
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

/** What all objects begin with. Members that are undefined are left out of an answer. */
function showRow({ id, legacyId, name, status, createdAt, updatedAt }: Row & { readonly name: string }) {
  return { id, legacyId, name, status, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

function showDescribed(row: Row & { readonly name: string; readonly description?: string }) {
  return { ...showRow(row), description: row.description ?? null };
}

function showUser(user: User, { name: workspaceName }: Workspace) {
  const { legacyViewAll, deviceType, role, isSuspended } = user;
  const [deviceUserId, pubKey] = [user.deviceUserId ?? null, user.pubKey === "" ? undefined : user.pubKey];
  return { ...showRow(user), legacyViewAll, workspaceName, deviceUserId, deviceType, role, pubKey, isSuspended };
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
  const { rules, isPrivate = false, currency = null } = policy;
  const steps = rules.flatMap((rule) => rule.reviewSteps);
  const [userIds, groupIds] = [
    steps.flatMap((step) => step.userIds ?? []),
    steps.flatMap((step) => step.groupId ?? []),
  ];
  const whitelistIds = rules.flatMap((rule) => rule.whitelistIds ?? []);
  return {
    ...showDescribed(policy),
    status: undefined,
    currency,
    network: currency,
    isPrivate,
    type: "ACCOUNT_POLICY",
    rules,
    whitelists: pick(workspace.whitelists, whitelistIds).map(showWhitelist),
    users: pick(workspace.users, userIds).map((user) => showUser(user, workspace)),
    groups: pick(workspace.groups, groupIds).map((group) => showGroup(group, workspace)),
  };
}

function pick<T>(rows: ReadonlyMap<string, T>, ids: readonly string[]): T[] {
  return [...new Set(ids)].flatMap((id) => rows.get(id) ?? []);
}

function showAccount(account: Account, { world, query }: Call) {
  const { currency, contractAddress, index = 0, derivationPath, address, parentId, policyId } = account;
  const live = { total: `${account.balance}`, pending: `${reserved(world.workspace, account)}` };
  return {
    ...showRow(account),
    currency,
    network: currency,
    contractAddress: contractAddress ?? null,
    index,
    derivationPath,
    balance: query.isTrue("skipLiveData") ? undefined : live,
    asset: { type: contractAddress === undefined ? "NATIVE" : "TOKEN", address, parentId },
    governance: { type: account.governanceType, policyId },
  };
}

function showTransaction(transaction: Transaction, now: number) {
  const { amount, fees, maxFees, createdAt, confirmedAt, ...row } = transaction;
  const isConfirmed = confirmedAt !== null;
  return {
    ...row,
    amount: `${amount}`,
    fees: isConfirmed ? `${fees}` : null,
    maxFees: maxFees === null ? null : `${maxFees}`,
    confirmations: isConfirmed ? 1 + Math.floor((now - confirmedAt) / BLOCK_MS) : 0,
    block: isConfirmed ? { height: Math.floor(confirmedAt / BLOCK_MS), time: iso(confirmedAt) } : null,
    createdAt: iso(createdAt),
  };
}

const BLOCK_MS = 600_000;

function showRequest(request: VaultRequest, { query }: Call) {
  const { type, data, id, legacyId, state, steps, currentStepIndex, targetId, note, createdBy } = request;
  const times = <T extends { readonly createdAt: number; readonly updatedAt: number }>(row: T) => {
    return { createdAt: iso(row.createdAt), updatedAt: iso(row.updatedAt) };
  };
  return {
    type,
    data,
    id,
    legacyId,
    state,
    reviewSteps: steps.map(({ stageName, quorum }) => ({ stageName, quorum })),
    currentStepIndex,
    expiredAt: iso(request.expiresAt),
    targetId,
    note,
    createdBy,
    reviews: request.reviews.map((one) => ({ ...one, ...times(one) })),
    ...times(request),
    inflight: query.isTrue("withInflight") ? { numFailed: 0 } : undefined,
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

function accountOf({ world, params }: Call): Account {
  return found(world.workspace.accounts.get(params.id ?? ""));
}

/** Newest first. A cursor names the account and the last row seen, so new rows never shift the pages. */
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
  const next = hasMore ? Buffer.from(`${account.id} ${results.at(-1)?.id}`).toString("base64url") : null;
  return { next, results: results.map((row) => showTransaction(row, world.clock())) };
}

/** Approve and reject document no 404, so a request that is missing there is a 400. */
function requestOf({ world, params }: Call, missing: 400 | 404): VaultRequest {
  return found(world.workspace.requests.get(params.id ?? ""), missing);
}

function getChallenge(call: Call): unknown {
  const { world, user } = call;
  const request = requestOf(call, 404);
  world.governance.pendingReview(request, user.id);
  if (user.deviceType !== "API") throw new Refusal(403, "This challenge is for API operators");
  return { challengeType: "API", challenge: world.challenges.issue(request, user) };
}

function review(decision: Decision) {
  return (call: Call): unknown => {
    const { world, user, body } = call;
    const request = requestOf(call, 400);
    const jws = textAt(body, "data", "signature") ?? "";
    if (world.challenges.isUsed(request, user, jws)) throw new Refusal(400, "This challenge was used before");
    world.governance.pendingReview(request, user.id);
    const type = textAt(body, "data", "challengeType");
    if (type !== user.deviceType)
      throw invalid(`body.data.challengeType: the user's device type is ${user.deviceType}`);
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

const RESOURCES = {
  ACCOUNT: "accounts",
  ENTITY: "entities",
  GROUP: "groups",
  POLICY: "policies",
  WHITELIST: "whitelists",
} as const;
const OTHER_RESOURCES = ["TRADELINK_CUSTODIAN", "TRADELINK_ENTITY", "TRADELINK_PLEDGE", "WORKSPACE", "WORKSPACE_RULE"];
const RESOURCE_TYPES = [...Object.keys(RESOURCES), ...OTHER_RESOURCES];

function allowedActions(call: Call): unknown {
  const { world, query, user } = call;
  const asked = query.text("userId") ?? "me";
  const subject = found(visibleUsers(call).find((one) => one.id === (asked === "me" ? user.id : asked)));
  const type = query.text("resourceType");
  const kind = Object.entries(RESOURCES).find(([name]) => name === type)?.[1];
  const resourceId = query.text("resourceId");
  if (resourceId !== undefined) found(kind && world.workspace[kind].get(resourceId));
  const isGeneral = (action: string) => action === "READ" || action === "EDIT";
  const fits = (action: string) => type === undefined || type === "ACCOUNT" || isGeneral(action);
  return { userId: subject.id, allowedActions: ACTIONS[subject.role].filter(fits) };
}

function currencies({ world }: Call): unknown {
  const used = new Set([...world.workspace.accounts.values()].map((account) => account.currency));
  const known = Object.entries(CURRENCIES).filter(([id]) => used.has(id));
  return { results: known.map(([id, currency]) => ({ id, ...currency })) };
}

function tokenList({ world }: Call): unknown {
  const held = [...world.workspace.accounts.values()].filter((account) => account.contractAddress !== undefined);
  const byContract = new Map(
    held.map(({ contractAddress, currency, name }) => [contractAddress, { contractAddress, network: currency, name }]),
  );
  return { results: [...byContract.values()] };
}

const REVIEW = record({ data: record({ challengeType: choice("API", "PSD"), signature: any }) });
const NOTE = record({ title: any, content: any });
const REQUEST = record({ request: record({ type: any, data: object }, { note: NOTE }, true) });
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
    filters: { role, status },
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
      const { fee, coinFields } = estimateFee(call.world.workspace, accountOf(call), call.body as JsonObject);
      return { maxFees: `${fee}`, coinFields };
    },
  },
  ...resource<Group>("/groups", {
    filters: { status },
    rows: ({ world }) => world.workspace.groups.values(),
    fits: hasStatus,
    show: (group, { world }) => showGroup(group, world.workspace),
  }),
  ...resource("/whitelists", {
    filters: { status },
    rows: ({ world }) => world.workspace.whitelists.values(),
    fits: hasStatus,
    show: showWhitelist,
  }),
  ...resource<Policy>("/policies", {
    filters: { name: any, isPrivate: bool },
    rows: ({ world }) => world.workspace.policies.values(),
    fits: (policy, call) => hasName(policy, call) && (policy.isPrivate ?? false) === call.query.isTrue("isPrivate"),
    show: (policy, { world }) => showPolicy(policy, world.workspace),
  }),
  ...resource("/entities", { rows: ({ world }) => world.workspace.entities.values(), show: showDescribed }),
  ...resource<VaultRequest>("/requests", {
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
