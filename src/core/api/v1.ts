/**
 * API V1 as a table, after the vendor's document (version 1.35.0). Lists come in V2's outer shape,
 * nodes untouched; objects keep V1's own names. What V1 lacks is missing here, and `instead` says
 * what to do.
 */
import { CliError } from "../../errors.ts";
import { Exact, elements, encode, member, members, value } from "../../io/json.ts";
import { DEVICE_OPERATIONS } from "./device.ts";
import type { Dialect, Operation, Parameters, Query } from "./operation.ts";
import type { V2Operation } from "./v2.ts";

const DEFAULT_PAGE_SIZE = 20;

/** Ids of V1 are whole numbers; `me` is known to V2 only. */
function spellId(id: string, option: string): string {
  if (/^(0|[1-9]\d{0,17})$/.test(id)) return id;
  if (id !== "me")
    throw new CliError("INVALID_ARGUMENT", {
      message: `${option} takes a whole number on API V1.`,
      field: option,
    });
  throw new CliError("NOT_SUPPORTED", {
    message: `API V1 has no current user, so that ${option} cannot be 'me'.`,
    field: option,
    hint: "Give the number of the user: 'users list' shows it beside its `pub_key`.",
  });
}

function idOf(name: string): Query {
  return { name, spell: spellId };
}

/** A filter with a closed list of values; `hint` says where the others are. */
function choice(name: string, hint: string, ...known: readonly string[]): Query {
  return {
    name,
    spell(given, option) {
      if (known.includes(given)) return given;
      throw new CliError("NOT_SUPPORTED", {
        message: `API V1 does not know this value of ${option}.`,
        field: option,
        hint,
      });
    },
  };
}

/** V1 knows more values than the option, which is V2's. */
const REACH =
  "Ask for V1's own values with 'api', such as: api --path /accounts --query status=VIEW_ONLY";
const STATUS = choice("status", REACH, "ACTIVE");

/** A moment, as V1 takes it: RFC 3339. A day alone is its first moment, UTC. */
function moment(name: string): Query {
  return {
    name,
    spell(given, option) {
      const full = /^\d{4}-\d\d-\d\d$/.test(given) ? `${given}T00:00:00Z` : given;
      if (
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(full) &&
        !Number.isNaN(Date.parse(full))
      )
        return full;
      throw new CliError("INVALID_ARGUMENT", {
        message: `${option} takes a day or a time with its zone on API V1, such as 2026-03-02T10:00:00Z.`,
        field: option,
      });
    },
  };
}

/** V1 pages transactions by number; our cursor carries it. */
const CURSOR: Query = {
  name: "page",
  spell(cursor, option) {
    const page = /^page=([1-9]\d{0,14})$/.exec(Buffer.from(cursor, "base64url").toString())?.[1];
    if (page !== undefined && cursorOf(Number(page)) === cursor) return page;
    throw new CliError("INVALID_ARGUMENT", {
      message: `${option} is not a cursor of this list.`,
      field: option,
    });
  },
};

function cursorOf(page: number): string {
  return Buffer.from(`page=${page}`).toString("base64url");
}

const PAGE = {
  page: "page",
  pageSize: "page_size",
  sortBy: "order_by",
  sortOrder: "order",
} as const;

function list(path: string, filters: Operation["query"] = {}): Operation {
  return { method: "GET", path, query: { ...PAGE, ...filters }, read: readPage };
}

function get(path: string): Operation {
  return { method: "GET", path };
}

interface Page {
  readonly nodes: readonly Exact[];
  readonly total: Exact;
  readonly hasNext: boolean;
}

function invalidResponse(field: string): CliError {
  return new CliError("INVALID_RESPONSE", { message: `The list has no usable '${field}'.`, field });
}

/**
 * `{edges:[{cursor,node}],page_info:{count,has_next_page}}`; `count` is that of all pages. Throws
 * INVALID_RESPONSE.
 */
function splitPage(answer: Exact): Page {
  const [edges, info] = [member(answer, "edges"), member(answer, "page_info")];
  const total = info && member(info, "count");
  const more = info && member(info, "has_next_page")?.text;
  if (edges?.text.startsWith("[") !== true) throw invalidResponse("edges");
  if (total === undefined || !/^\d+$/.test(total.text)) throw invalidResponse("page_info.count");
  if (more !== "true" && more !== "false") throw invalidResponse("page_info.has_next_page");
  const nodes = elements(edges).map((edge) => member(edge, "node"));
  if (!nodes.every((node) => node !== undefined)) throw invalidResponse("edges.node");
  // An empty page that promises another one would be walked for ever.
  if (more === "true" && nodes.length === 0) throw invalidResponse("page_info.has_next_page");
  return { nodes, total, hasNext: more === "true" };
}

function readPage(answer: Exact, { page = 1, pageSize = DEFAULT_PAGE_SIZE }: Parameters): Exact {
  const { nodes, total, hasNext } = splitPage(answer);
  const number = Number(page);
  const next = hasNext ? number + 1 : null;
  const prev = number > 1 ? number - 1 : null;
  return new Exact(encode({ page: number, next, prev, pageSize, total, results: nodes }));
}

function readTransactions(answer: Exact, { cursor }: Parameters): Exact {
  const { nodes, total, hasNext } = splitPage(answer);
  const page = cursor === undefined ? 1 : Number(CURSOR.spell(String(cursor), "--cursor"));
  return new Exact(encode({ next: hasNext ? cursorOf(page + 1) : null, total, results: nodes }));
}

/** `{currencies:[…]}` → `{results:[…]}`. Throws INVALID_RESPONSE. */
function readAll(name: string): (answer: Exact) => Exact {
  return (answer) => {
    const results = member(answer, name);
    if (results?.text.startsWith("[") !== true) throw invalidResponse(name);
    return new Exact(encode({ results }));
  };
}

/** V1's flat balances under V2's names. */
function readBalance(account: Exact): Exact {
  const [total, pending] = [member(account, "balance"), member(account, "pending_balance")];
  const available = member(account, "available_balance");
  const balance = total === undefined ? undefined : { total, pending, available };
  const [name, currency, contract] = ["name", "currency", "contract_address"].map((one) =>
    member(account, one),
  );
  return new Exact(encode({ name, currency, contract_address: contract, balance }));
}

/** Out of V2's envelope, which V1 does not have. */
function bareRequest(document: Exact | undefined): Exact {
  const given = document ?? new Exact("{}");
  const inner = member(given, "request");
  return inner?.text.startsWith("{") === true && member(given, "type") === undefined
    ? inner
    : given;
}

/**
 * The object with `name` in its place, or at the end when it had none; other tokens as they were.
 */
function put(object: Exact, name: string, content: Exact): Exact {
  const before = members(object);
  const after = before.map(([key, old]) => [key, key === name ? content : old] as const);
  const all = before.some(([key]) => key === name) ? after : [...after, [name, content] as const];
  return new Exact(`{${all.map(([key, { text }]) => `${encode(key)}:${text}`).join(",")}}`);
}

/** Kinds of transaction that carry no fee limit. */
const WITHOUT_MAX_FEES = /^(SOLANA|POLKADOT)_LIKE_/;

/**
 * The estimate takes a whole CREATE_TRANSACTION request. What the caller left out is filled in: the
 * envelope, the account, and the fee limit "0" that the vendor's guide sends; present values
 * stay, token by token. Throws INVALID_ARGUMENT for another account.
 */
function estimation(document: Exact | undefined, { accountId }: Parameters): Exact {
  const given = bareRequest(document);
  const inner = member(given, "type") === undefined ? undefined : member(given, "data");
  const isWhole = inner?.text.startsWith("{") === true;
  const request = isWhole ? given : new Exact(encode({ type: "CREATE_TRANSACTION", data: given }));
  const data = withFeeLimit(
    withAccount(isWhole ? inner : given, spellId(String(accountId), "--accountId")),
  );
  return put(request, "data", data);
}

function withAccount(data: Exact, account: string): Exact {
  const named = member(data, "account_id");
  if (named === undefined) return put(data, "account_id", new Exact(account));
  if (named.text.replaceAll('"', "") === account) return data;
  throw new CliError("INVALID_ARGUMENT", {
    message: "The transaction's 'account_id' is not the account that --accountId names.",
    field: "--accountId",
  });
}

function withFeeLimit(data: Exact): Exact {
  const fields = member(data, "transaction_data");
  const type = member(data, "transaction_type");
  const isFree = type?.text.startsWith('"') === true && WITHOUT_MAX_FEES.test(String(value(type)));
  if (isFree || fields?.text.startsWith("{") !== true || member(fields, "max_fees") !== undefined)
    return data;
  return put(data, "transaction_data", put(fields, "max_fees", new Exact('"0"')));
}

/** The kinds that V1 documents, by family and operation. */
const KINDS = new Set([
  ...[
    "BITCOIN_LIKE_SEND",
    "ETHEREUM_LIKE_SEND",
    "ETHEREUM_LIKE_EXECUTE_CONTRACT",
    "ETHEREUM_LIKE_DEPLOY_CONTRACT",
  ],
  ...[
    "RIPPLE_LIKE_SEND",
    "STELLAR_LIKE_SEND",
    "TRON_LIKE_SEND",
    "TEZOS_LIKE_SEND",
    "CARDANO_LIKE_SEND",
  ],
  ...[
    "SOLANA_LIKE_SEND",
    "SOLANA_LIKE_SEND_SPL_TOKEN_CHECKED",
    "SOLANA_LIKE_CREATE_SPL_TOKEN_ACCOUNT",
  ],
  ...[
    "POLKADOT_LIKE_SEND",
    "POLKADOT_LIKE_BONDEXTRA",
    "POLKADOT_LIKE_UNBOND",
    "POLKADOT_LIKE_REBOND",
  ],
  ...["POLKADOT_LIKE_SETPAYEE", "POLKADOT_LIKE_WITHDRAWUNBONDED", "POLKADOT_LIKE_CHILL"],
]);

/** A transaction in the words of the request that asked for it, as far as V1 shows it. */
function readContent(transaction: Exact): Exact {
  const given = (name: string): Exact | undefined => {
    const found = member(transaction, name);
    return found?.text === "null" ? undefined : found;
  };
  const textOf = (name: string): string =>
    given(name)?.text.replaceAll('"', "").toUpperCase() ?? "";
  const kind = `${textOf("currency_family")}_LIKE_${textOf("type")}`;
  const names = ["amount", "currency", "max_fees", "recipient"];
  return new Exact(
    encode({
      account_id: given("account_id"),
      transaction_type: KINDS.has(kind) ? kind : undefined,
      transaction_data: Object.fromEntries(names.map((name) => [name, given(name)])),
    }),
  );
}

/**
 * Digests to sign, in the words of the request that asked for them: each digest and its path, never
 * a signature. Throws INVALID_RESPONSE.
 */
function readDigests(target: Exact): Exact {
  const list = member(target, "digests_data");
  if (list?.text.startsWith("[") !== true) throw invalidResponse("digests_data");
  const digests = elements(list).map((one) => {
    const isObject = one.text.startsWith("{");
    return {
      digest: isObject ? member(one, "digest") : one,
      derivation_path: isObject ? member(one, "derivation_path") : undefined,
    };
  });
  return new Exact(encode({ account_id: member(target, "account_id"), digests }));
}

function signed(_document: Exact | undefined, { signature }: Parameters): Exact {
  return new Exact(encode({ jws: signature }));
}

/** Statuses of a request; V1 says `status` where V2 says `state`. */
const STATES = [
  ...[
    "ACTIVE",
    "APPROVED",
    "BLOCKED",
    "EXPIRED",
    "PENDING_APPROVAL",
    "PENDING_FIRST_APPROVAL",
    "PENDING_REGISTRATION",
  ],
  ...["REJECTED", "SIGNED", "SUBMITTED"],
];

const TOKEN_NAMES = {
  access: "access_token",
  expires: "expires_in",
  refresh: "refresh_token",
} as const;

function workspaceHeader(workspace: string): Record<string, string> {
  return { "x-ledger-workspace": workspace };
}

const NO_POLICIES = "V1 has no policies: 'accounts get' shows an account's governance_rules.";

const NO_PERMISSIONS =
  "V1 does not tell what a user may do: look at 'users get' and at governance_rules.";

const OPERATIONS = {
  "accounts.list": list("/accounts", { status: STATUS, name: "name", currency: "currency" }),
  "accounts.get": get("/accounts/{id}"),
  "accounts.balance": { ...get("/accounts/{id}"), read: readBalance },
  "transactions.list": {
    method: "GET",
    path: "/transactions",
    // `title` searches title and content of the note.
    query: { accountId: idOf("account"), cursor: CURSOR, title: "title" },
    read: readTransactions,
  },
  "transactions.estimate": {
    method: "POST",
    path: "/transactions/estimate-fees",
    body: estimation,
  },
  "requests.list": list("/requests", {
    type: "type",
    state: choice("status", `One of ${STATES.join(", ")}.`, ...STATES),
    targetId: idOf("target_id"),
    createdBy: idOf("created_by"),
    pendingBy: idOf("pending_by"),
    fromDate: moment("created_after"),
    toDate: moment("created_before"),
  }),
  "requests.get": get("/requests/{id}"),
  "requests.content": { ...get("/transactions/{targetId}"), read: readContent },
  "requests.digests": { ...get("/digests/{targetId}"), read: readDigests },
  "requests.governanceStatus": get("/requests/{id}/governance-status"),
  "requests.create": { method: "POST", path: "/requests", writes: "create", body: bareRequest },
  "requests.challenge": get("/requests/{id}/challenge"),
  "requests.approve": {
    method: "POST",
    path: "/requests/{id}/approve",
    writes: "approve",
    body: signed,
  },
  "requests.rejectChallenge": get("/requests/{id}/challenge/reject"),
  "requests.reject": {
    method: "POST",
    path: "/requests/{id}/reject",
    writes: "reject",
    body: signed,
  },
  ...DEVICE_OPERATIONS.v1, // not public: device.ts
  "users.list": list("/users", {
    role: choice("role", REACH, "ADMIN", "OPERATOR"),
    status: STATUS,
  }),
  "users.ofEntity": { ...get("/entities/{entityId}/users"), read: readPage },
  "users.get": get("/users/{id}"),
  "groups.list": list("/groups", { status: STATUS }),
  "groups.get": get("/groups/{id}"),
  "whitelists.list": list("/whitelists", { status: STATUS }),
  "whitelists.get": get("/whitelists/{id}"),
  "entities.list": list("/entities"),
  "entities.get": get("/entities/{id}"),
  "assets.currencies": { ...get("/currencies"), read: readAll("currencies") },
  "assets.tokens": { ...get("/currencies/tokens"), read: readAll("tokens") },
} satisfies Readonly<Record<string, Operation>>;

/** What API V1 can do. */
export type V1Operation = keyof typeof OPERATIONS;

/** What to do instead of what only API V2 can do. */
const INSTEAD: Readonly<Partial<Record<Exclude<V2Operation, V1Operation>, string>>> = {
  "policies.list": NO_POLICIES,
  "policies.get": NO_POLICIES,
  "permissions.allowedActions": NO_PERMISSIONS,
  "permissions.resources": NO_PERMISSIONS,
  "requests.createSui": "V1 creates every transaction with 'requests create' without --coin.",
};

/** Everything that the program can do on API V1. */
export const V1: Dialect = {
  version: "v1",
  operations: OPERATIONS,
  instead: INSTEAD,
  login: {
    path: "/auth/token",
    headers: workspaceHeader,
    body: ({ apiKeyId, apiKeySecret }) => ({ api_key_id: apiKeyId, api_key_secret: apiKeySecret }),
    names: TOKEN_NAMES,
  },
  refresh: {
    path: "/auth/token/refresh",
    headers: workspaceHeader,
    body: ({ refreshToken }) => ({ refresh_token: refreshToken }),
    names: TOKEN_NAMES,
  },
  spellId,
  authorize: ({ workspace, accessToken }) => ({
    ...workspaceHeader(workspace),
    authorization: `Bearer ${accessToken}`,
  }),
  authorizeReport: ({ workspace, reportingKey }) => ({
    ...workspaceHeader(workspace),
    "x-ledger-reporting-api-key": reportingKey,
  }),
};
