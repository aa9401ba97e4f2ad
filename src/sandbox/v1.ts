/**
 * API V1 as a table of routes, over the same workspace and governance as V2, after the vendor's
 * document. It reads V1's words into the engine's (camelCase, opaque ids) and back; what a caller
 * may say is checked here.
 */
import { currenciesV1, tokensV1 } from "./assets.ts";
import { getChannels, loginRoutes } from "./device.ts";
import type { Decision } from "./governance.ts";
import { type Json, JsonNumber, type JsonObject, memberAt, textAt } from "./json.ts";
import { compare, found, visibleUsers } from "./pages.ts";
import {
  type Call,
  type Dialect,
  type Headers,
  isListed,
  type Query,
  type Route,
  type World,
} from "./routes.ts";
import {
  type Check,
  type Checks,
  choice,
  digits,
  invalid,
  number,
  object,
  Refusal,
  record,
  text,
} from "./schema.ts";
import { ACCESS_SECONDS, type TokenPair } from "./sessions.ts";
import { estimateFee } from "./transactions.ts";
import * as show from "./v1documents.ts";
import type { Account, Row, User, VaultRequest, Workspace } from "./workspace.ts";

const DEFAULT_PAGE = 20;
/** The page size that 0 or -1 means. */
const LARGEST_PAGE = 100;

const any = text();
const whole = digits(0, Number.MAX_SAFE_INTEGER);
const moment = text(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  "an RFC 3339 time",
);
const PAGING: Checks = {
  page: digits(1, Number.MAX_SAFE_INTEGER),
  page_size: text(/^(-1|0|[1-9]\d{0,3})$/, "an integer from -1"),
  order: choice("asc", "desc"),
  order_by: choice("created_on", "id", "name", "username", "status", "type"),
  created_after: moment,
  created_before: moment,
  id: whole,
};

interface Listed {
  readonly legacyId: number;
  readonly name?: string;
  readonly createdAt: number;
}

interface Source<T> {
  readonly filters?: Checks;
  readonly repeatable?: readonly string[];
  rows(call: Call): Iterable<T>;
  fits?(row: T, query: Query, call: Call): boolean;
  show(row: T, world: World): unknown;
}

/** The number in the path. */
function idOf({ params }: Call): number {
  const { id = "" } = params;
  if (!/^\d{1,15}$/.test(id)) throw invalid("path.id: expected an integer");
  return Number(id);
}

/** A list and its single rows. */
function resource<T extends Listed>(path: string, source: Source<T>): Route[] {
  const { filters = {}, repeatable = [], rows, fits = () => true } = source;
  const list = (call: Call) => {
    const chosen = [...rows(call)].filter(
      (row) => isChosen(row, call.query) && fits(row, call.query, call),
    );
    return page(call, chosen, source.show);
  };
  const get = (call: Call) => {
    const id = idOf(call);
    return source.show(found([...rows(call)].find(({ legacyId }) => legacyId === id)), call.world);
  };
  return [
    { method: "GET", path, query: { ...PAGING, ...filters }, repeatable, handle: list },
    { method: "GET", path: `${path}/{id}`, handle: get },
  ];
}

/** The operators; entities of the sandbox do not say which accounts are theirs. */
function usersOfEntity(call: Call): unknown {
  const id = idOf(call);
  const { workspace } = call.world;
  found([...workspace.entities.values()].find(({ legacyId }) => legacyId === id));
  const operators = [...workspace.users.values()].filter(({ role }) => role === "OPERATOR");
  return page(call, operators, (user) => show.showUser(user, workspace));
}

function isChosen({ createdAt, legacyId, name = "" }: Listed, query: Query): boolean {
  const after = Date.parse(query.text("created_after") ?? "1970-01-01T00:00:00Z");
  const before = Date.parse(query.text("created_before") ?? "9999-12-31T00:00:00Z");
  const isNamed = name.toLowerCase().includes((query.text("name") ?? "").toLowerCase());
  return (
    isNamed &&
    after <= createdAt &&
    createdAt <= before &&
    query.number("id", legacyId) === legacyId
  );
}

/** The newest first, unless asked otherwise. */
function page<T extends Listed>(
  { query, world }: Call,
  rows: T[],
  write: Source<T>["show"],
): unknown {
  const size = query.number("page_size", DEFAULT_PAGE);
  const pageSize = size < 1 ? LARGEST_PAGE : size;
  const by = query.text("order_by") ?? "created_on";
  const keyOf = (row: T): unknown => {
    const shown = write(row, world) as Readonly<Record<string, unknown>>;
    return by === "created_on" ? row.createdAt : shown[by];
  };
  if (rows.some((row) => keyOf(row) === undefined))
    throw invalid(`query.order_by: rows have no ${by}`);
  const sign = query.text("order") === "asc" ? 1 : -1;
  rows.sort((a, b) => sign * (compare(keyOf(a), keyOf(b)) || a.legacyId - b.legacyId));
  const start = (query.number("page", 1) - 1) * pageSize;
  const shown = rows.slice(start, start + pageSize);
  return {
    edges: shown.map((row, cursor) => ({ cursor, node: write(row, world) })),
    page_info: { count: rows.length, has_next_page: start + pageSize < rows.length },
  };
}

/** True when nothing was asked for, or one of the values that were. */
function isAsked(query: Query, name: string, found: unknown): boolean {
  const asked = query.all(name);
  return asked.length === 0 || asked.includes(String(found));
}

/** V1's words for a request's data into the engine's: camelCase names, and the ids of numbers. */
function inEngineWords(json: Json, workspace: Workspace): Json {
  if (Array.isArray(json)) return json.map((item: Json) => inEngineWords(item, workspace));
  if (!(json instanceof Map)) return json;
  const members = [...(json as JsonObject)].map(([name, content]): [string, Json] => {
    // Names in an ABI, and in arguments for it, are the contract's own.
    if (name === "abi") return [name, content];
    if (name === "function_arguments") return ["functionArguments", content];
    const renamed = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const isId = name.endsWith("_id") && content instanceof JsonNumber;
    return [renamed, isId ? idBehind(workspace, content.token) : inEngineWords(content, workspace)];
  });
  return new Map(members);
}

function idBehind(
  { accounts, groups, users, whitelists, entities }: Workspace,
  token: string,
): string {
  for (const rows of [accounts, groups, users, whitelists, entities]) {
    const row: Row | undefined = [...rows.values()].find(({ legacyId }) => `${legacyId}` === token);
    if (row !== undefined) return row.id;
  }
  throw invalid(`There is nothing with the id ${token}`);
}

function requestOf({ world, ...call }: Call): VaultRequest {
  const id = idOf({ world, ...call });
  return found([...world.workspace.requests.values()].find(({ legacyId }) => legacyId === id));
}

function challenge(decision: Decision) {
  return (call: Call): unknown => {
    const { world, user } = call;
    const request = requestOf(call);
    world.governance.pendingReview(request, user.id);
    if (user.deviceType !== "API") throw new Refusal(403, "This challenge is for API users");
    return { id: request.legacyId, challenge: world.challenges.issue(request, user, decision) };
  };
}

function review(decision: Decision) {
  return (call: Call): unknown => {
    const { world, user, body } = call;
    const request = requestOf(call);
    const jws = textAt(body, "jws") ?? "";
    if (world.challenges.isUsed(request, user, jws, decision))
      throw new Refusal(400, "This challenge was used before");
    world.governance.pendingReview(request, user.id);
    world.challenges.spend(request, user, jws, decision);
    world.governance.decide(request, user.id, decision);
    return show.showChanged(request, world.workspace);
  };
}

/** An API user signs a challenge, a person's device what came through its channel. */
function approve(call: Call): unknown {
  const { world, user, body } = call;
  if (textAt(body, "public_key") === undefined) return review("APPROVE")(call);
  const request = requestOf(call);
  world.governance.pendingReview(request, user.id);
  if (user.pubKey.toUpperCase() !== textAt(body, "public_key"))
    throw invalid("body.public_key: not this user's");
  world.devices.spend(request, user, textAt(body, "signature") ?? "");
  world.governance.decide(request, user.id, "APPROVE");
  return show.showChanged(request, world.workspace);
}

function create({ world, user, body }: Call): unknown {
  const type = textAt(body, "type") ?? "";
  const data = inEngineWords(memberAt(body, "data") ?? null, world.workspace) as JsonObject;
  const note = memberAt(body, "note") as JsonObject | undefined;
  return show.showChanged(world.governance.create(user, { type, data, note }), world.workspace);
}

function estimate({ world, body }: Call): unknown {
  const data = inEngineWords(memberAt(body, "data") ?? null, world.workspace) as JsonObject;
  const account = world.workspace.accounts.get(textAt(data, "accountId") ?? "");
  if (account === undefined) throw invalid("data.account_id: no account with this id");
  const { fee, coinFields } = estimateFee(world.workspace, account, data);
  const fields = Object.entries(coinFields).map(([name, amount]) => [
    COIN_FIELDS[name] ?? name,
    Number(amount),
  ]);
  return {
    max_fees: `${fee}`,
    ...(fields.length === 0 ? {} : { coin_fields: Object.fromEntries(fields) }),
  };
}

const COIN_FIELDS: Readonly<Record<string, string>> = {
  feesPerByte: "fees_per_byte",
  utxoLimit: "UTXO_limit",
  gasLimit: "gas_limit",
  gasPrice: "gas_price",
};

function accountOf(call: Call): Account {
  const id = idOf(call);
  return found([...call.world.workspace.accounts.values()].find(({ legacyId }) => legacyId === id));
}

function currencies({ world: { workspace, switches } }: Call): unknown {
  return { currencies: currenciesV1(workspace, switches, show.familyName) };
}

function tokenList({ world: { workspace, switches } }: Call): unknown {
  return { tokens: tokensV1(workspace, switches) };
}

function tokens(world: World, { accessToken, refreshToken }: TokenPair) {
  return {
    access_token: accessToken,
    expires_in: ACCESS_SECONDS,
    refresh_token: refreshToken,
    session_state: world.workspace.newId(),
    token_type: "Bearer",
  };
}

function workspaceOf(headers: Headers): string {
  const name = headers["x-ledger-workspace"];
  if (typeof name !== "string") throw new Refusal(401, "The header X-Ledger-Workspace is required");
  return name;
}

/** The user of a reporting key: in this workspace the secret of a read-only credential. */
function reportingUser({ workspace }: World, key: string): User {
  const credential = workspace.credentials.find(({ apiKeySecret, userId }) => {
    return apiKeySecret === key && workspace.users.get(userId)?.role === "READ_ONLY_API_KEY";
  });
  const user = workspace.users.get(credential?.userId ?? "");
  if (user === undefined) throw new Refusal(401, "The reporting key is not valid");
  return user;
}

const tag = number(0, 2 ** 32 - 1);
const NOTE = record({ title: any, content: any });
const CREATION = record({ type: any, data: object }, { note: NOTE });
const accountData: Check = record(
  { account_id: tag, transaction_type: any, transaction_data: object },
  {},
  true,
);
const ESTIMATION = record(
  { type: choice("CREATE_TRANSACTION"), data: accountData },
  { note: NOTE },
);
const REVIEW = record({ jws: any });
const DEVICE_REVIEW = record({ signature: any, public_key: any });
const APPROVAL: Check = (value, at) =>
  (value instanceof Map && value.has("public_key") ? DEVICE_REVIEW : REVIEW)(value, at);
const PENDING = choice("ACTIVE", "PENDING", "REJECTED", "REVOKED");

const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/auth/token",
    body: record({ api_key_id: any, api_key_secret: any }),
    open(world, body, headers) {
      const [id, secret] = [textAt(body, "api_key_id") ?? "", textAt(body, "api_key_secret") ?? ""];
      return tokens(world, world.sessions.login(workspaceOf(headers), id, secret));
    },
  },
  {
    method: "POST",
    path: "/auth/token/refresh",
    body: record({ refresh_token: any }),
    open(world, body, headers) {
      return tokens(
        world,
        world.sessions.refresh(textAt(body, "refresh_token") ?? "", workspaceOf(headers)),
      );
    },
  },
  ...loginRoutes(tokens),
  ...resource<Account>("/accounts", {
    filters: { name: any, currency: any, status: any },
    rows: ({ world }) => world.workspace.accounts.values(),
    fits: (account, query, { world }) =>
      isAsked(query, "currency", account.currency) &&
      isAsked(query, "status", show.showAccount(account, world.workspace).status),
    show: (account, { workspace }) => show.showAccount(account, workspace),
  }),
  {
    method: "GET",
    path: "/accounts/{id}/balances",
    handle: (call) => show.showBalances(accountOf(call), call.world.workspace),
  },
  ...resource<show.Movement>("/transactions", {
    filters: { account: whole, status: any, title: any },
    repeatable: ["account", "status"],
    rows: ({ world }) => show.movements(world.workspace),
    fits: (movement, query, { world }) =>
      isAsked(query, "account", world.workspace.accounts.get(movement.accountId)?.legacyId) &&
      isAsked(query, "status", show.movementStatus(movement)) &&
      show
        .notesOf(movement)
        .some(({ title, content }) => `${title}\n${content}`.includes(query.text("title") ?? "")),
    show: show.showMovement,
  }),
  { method: "POST", path: "/transactions/estimate-fees", body: ESTIMATION, handle: estimate },
  ...resource<VaultRequest>("/requests", {
    filters: {
      type: any,
      status: any,
      target_id: whole,
      created_by: whole,
      pending_by: whole,
      approved_by: whole,
    },
    repeatable: ["type", "status"],
    rows: ({ world }) => world.workspace.requests.values(),
    fits: fitsRequest,
    show: (request, { workspace }) => show.showRequest(request, workspace),
  }),
  { method: "POST", path: "/requests", body: CREATION, handle: create },
  { method: "GET", path: "/requests/{id}/challenge", handle: challenge("APPROVE") },
  {
    method: "POST",
    path: "/requests/{id}/challenge",
    body: record({}),
    handle: (call) => getChannels(call, requestOf(call)),
  },
  { method: "GET", path: "/requests/{id}/challenge/reject", handle: challenge("REJECT") },
  {
    method: "GET",
    path: "/requests/{id}/governance-status",
    handle: (call) => show.showGovernance(requestOf(call), call.world.workspace),
  },
  { method: "POST", path: "/requests/{id}/approve", body: APPROVAL, handle: approve },
  { method: "POST", path: "/requests/{id}/reject", body: REVIEW, handle: review("REJECT") },
  ...resource<User>("/users", {
    filters: { role: any, status: any },
    rows: visibleUsers,
    fits: (user, query, { world }) =>
      isAsked(query, "role", user.role) &&
      isAsked(query, "status", show.showUser(user, world.workspace).status),
    show: (user, { workspace }) => show.showUser(user, workspace),
  }),
  ...resource("/groups", {
    filters: { status: PENDING, name: any },
    rows: ({ world }) => world.workspace.groups.values(),
    fits: (group, query, { world }) =>
      isAsked(query, "status", show.showGroup(group, world.workspace).status),
    show: (group, { workspace }) => show.showGroup(group, workspace),
  }),
  ...resource("/whitelists", {
    filters: { status: PENDING, name: any },
    rows: ({ world }) => world.workspace.whitelists.values(),
    fits: (one, query, { world }) =>
      isAsked(query, "status", show.showWhitelist(one, world.workspace).status),
    show: (one, { workspace }) => show.showWhitelist(one, workspace),
  }),
  ...resource("/entities", {
    filters: { status: PENDING, name: any },
    rows: ({ world }) => world.workspace.entities.values(),
    fits: (entity, query, { world }) =>
      isAsked(query, "status", show.showEntity(entity, world.workspace).status),
    show: (entity, { workspace }) => show.showEntity(entity, workspace),
  }),
  { method: "GET", path: "/entities/{id}/users", handle: usersOfEntity },
  { method: "GET", path: "/currencies", handle: currencies },
  { method: "GET", path: "/currencies/tokens", handle: tokenList },
  {
    method: "GET",
    path: "/organization",
    handle: ({ world }) => ({ name: world.workspace.name, workspace: world.workspace.name }),
  },
];

function fitsRequest(request: VaultRequest, query: Query, { world }: Call): boolean {
  const { workspace } = world;
  const shown = show.showRequest(request, workspace);
  const reviewers = (status: string) => {
    const given = request.reviews.filter((one) => one.status === status);
    return given.map(({ userId }) => workspace.users.get(userId)?.legacyId);
  };
  const hasOne = (name: string, among: readonly unknown[]) =>
    query.text(name) === undefined || among.some((one) => `${one}` === query.text(name));
  return (
    isListed(request, world) &&
    isAsked(query, "type", request.type) &&
    isAsked(query, "status", shown.status) &&
    hasOne("target_id", [shown.target_id]) &&
    hasOne("created_by", [shown.created_by]) &&
    hasOne("pending_by", reviewers("PENDING")) &&
    hasOne("approved_by", reviewers("APPROVED"))
  );
}

const NAMES: Readonly<Record<number, string>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  413: "PAYLOAD_TOO_LARGE",
  420: "RATE_LIMIT_EXCEEDED",
};

export const V1: Dialect = {
  base: "/vault",
  routes: ROUTES,
  limitStatus: 420,
  bodyFaults: { type: 400, syntax: 400 },
  /** A path that V1 does not have is answered by its gateway. */
  errorBody: (status, message, issues, route) =>
    status === 404 && route === undefined
      ? { code: status, message: "The requested URL was not found on the server." }
      : {
          name: NAMES[status] ?? "INTERNAL_SERVER_ERROR",
          message: [message, ...issues].join("; "),
          status_code: status,
        },
  authenticate(world, headers) {
    const isHere = workspaceOf(headers) === world.workspace.name;
    if (!isHere) throw new Refusal(401, "Unknown workspace");
    const key = headers["x-ledger-reporting-api-key"];
    if (typeof key === "string") return reportingUser(world, key);
    const { authorization } = headers;
    return world.sessions.authenticate(
      typeof authorization === "string" ? authorization : undefined,
    );
  },
};
