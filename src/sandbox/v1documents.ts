/**
 * How V1 writes what a workspace holds: snake_case, integer ids, and its own statuses. A
 * transaction request's target is the transaction, which V1 shows from the beginning; it is
 * numbered like its request.
 */
import { textAt } from "./json.ts";
import type { World } from "./routes.ts";
import { CURRENCIES, reserved } from "./transactions.ts";
import type {
  Account,
  Group,
  Row,
  Transaction,
  User,
  VaultRequest,
  Whitelist,
  Workspace,
} from "./workspace.ts";

function iso(time: number): string {
  return new Date(time).toISOString();
}

type Numbered = Pick<Row, "legacyId">;

/** The number of the row with this id, in any of the kinds that have one. */
function numberOf(
  { users, groups, accounts, whitelists, entities }: Workspace,
  id: string,
): number | null {
  for (const rows of [users, groups, accounts, whitelists, entities]) {
    const found: Numbered | undefined = rows.get(id);
    if (found !== undefined) return found.legacyId;
  }
  return null;
}

function showRow(
  { legacyId, name, createdAt }: Row & { readonly name: string },
  workspace: Workspace,
) {
  return { id: legacyId, name, created_on: iso(createdAt), created_by: founder(workspace) };
}

/** Objects of the seed have no creator of their own; the first administrator takes that place. */
function founder({ users }: Workspace): number {
  return [...users.values()].find(({ role }) => role === "ADMIN")?.legacyId ?? 0;
}

function statusOf({ status }: Row): string {
  return status === "ACTIVE" ? "ACTIVE" : "REVOKED";
}

export function showUser(user: User, workspace: Workspace) {
  const { name: username, ...row } = showRow(user, workspace);
  const { role, pubKey, deviceUserId = null, deviceType, isSuspended } = user;
  const status = isSuspended ? "ACCESS_SUSPENDED" : statusOf(user);
  const key = pubKey === "" ? null : pubKey.toUpperCase();
  return {
    ...row,
    username,
    role,
    status,
    is_api: deviceType === "API",
    pub_key: key,
    user_id: deviceUserId,
  };
}

export function showGroup(group: Group, workspace: Workspace) {
  const members = group.userIds.flatMap((id) => workspace.users.get(id)?.legacyId ?? []);
  return {
    ...showRow(group, workspace),
    status: statusOf(group),
    description: group.description ?? "",
    members,
  };
}

export function showWhitelist(whitelist: Whitelist, workspace: Workspace) {
  const addresses = whitelist.addresses.map(({ destinationTags, ...address }, index) => {
    const tags = destinationTags?.map(Number) ?? null;
    return { id: whitelist.legacyId * 100 + index, ...address, destination_tags: tags };
  });
  const description = whitelist.description ?? null;
  return { ...showRow(whitelist, workspace), status: statusOf(whitelist), description, addresses };
}

export function showEntity(entity: Row & { readonly name: string }, workspace: Workspace) {
  return { ...showRow(entity, workspace), status: statusOf(entity), accounts: [] };
}

const TYPES: Readonly<Record<string, string>> = {
  BITCOIN_LIKE: "Bitcoin",
  ETHEREUM_LIKE: "Ethereum",
  RIPPLE_LIKE: "Ripple",
  SOLANA_LIKE: "Solana",
  STELLAR_LIKE: "Stellar",
  TRON_LIKE: "Tron",
};

function familyOf(currency: string): string {
  return CURRENCIES[currency]?.family ?? "";
}

/** `bitcoin` of BITCOIN_LIKE. */
export function familyName(currency: string): string {
  return familyOf(currency).replace("_LIKE", "").toLowerCase();
}

export function showAccount(account: Account, workspace: Workspace) {
  const {
    currency,
    contractAddress = null,
    index = 0,
    derivationPath = null,
    address,
    parentId,
    status,
  } = account;
  const policy = workspace.policies.get(account.policyId);
  const rules =
    policy === undefined ? [] : [{ id: policy.legacyId, index: 0, name: policy.name, rules: [] }];
  return {
    ...showRow(account, workspace),
    type: contractAddress === null ? (TYPES[familyOf(currency)] ?? "Generic") : "Erc20",
    status: status === "ACTIVE" ? "ACTIVE" : "VIEW_ONLY",
    currency,
    index,
    derivation_path: derivationPath,
    address,
    contract_address: contractAddress,
    parent: parentId === undefined ? null : (workspace.accounts.get(parentId)?.legacyId ?? null),
    ...flatBalances(account, workspace),
    governance_rules: rules,
    labels: [],
    token_accounts: [],
  };
}

function flatBalances(account: Account, workspace: Workspace) {
  const { total, available, pending } = showBalances(account, workspace);
  return { balance: total, available_balance: available, pending_balance: pending };
}

export function showBalances(account: Account, workspace: Workspace) {
  const pending = reserved(workspace, account);
  return {
    total: `${account.balance}`,
    available: `${account.balance - pending}`,
    pending: `${pending}`,
  };
}

/** Statuses that only an answer to a writing call has, and `governance-status`. */
const WRITTEN: Readonly<Record<string, string>> = {
  REJECTED: "ABORTED",
  PENDING_FIRST_APPROVAL: "PENDING_APPROVAL",
};

function requestStatus({ state, currentStepIndex }: VaultRequest): string {
  if (state === "PENDING_APPROVAL" && currentStepIndex === 0) return "PENDING_FIRST_APPROVAL";
  return state === "CONFIRMED" ? "SUBMITTED" : state;
}

/**
 * What a request is about: V1 numbers a transaction like its request, and other objects when they
 * exist.
 */
function targetOf(request: VaultRequest, workspace: Workspace) {
  const type = request.type.replace(/^(?:CREATE|EDIT|REVOKE|MIGRATE)_/, "");
  const known = [
    "ACCOUNT",
    "ENTITY",
    "GROUP",
    "TRANSACTION",
    "USER",
    "WHITELIST",
    "POLICY",
    "ADMIN_GROUP",
  ];
  const found = request.targetId === null ? null : numberOf(workspace, request.targetId);
  return {
    target_id: found ?? request.legacyId,
    target_type: known.includes(type) ? type : "USER",
  };
}

function requestRow(request: VaultRequest, workspace: Workspace) {
  const { legacyId: id, type, createdAt } = request;
  return { id, type, ...targetOf(request, workspace), created_on: iso(createdAt) };
}

function creatorOf({ createdBy }: VaultRequest, { users }: Workspace): number | null {
  return users.get(createdBy)?.legacyId ?? null;
}

/** As lists and `GET /requests/{id}` show it: without its data. */
export function showRequest(request: VaultRequest, workspace: Workspace) {
  return {
    ...requestRow(request, workspace),
    created_by: creatorOf(request, workspace),
    expires_at: iso(request.expiresAt),
    status: requestStatus(request),
  };
}

/** As the calls that change it answer. */
export function showChanged(request: VaultRequest, workspace: Workspace) {
  const status = requestStatus(request);
  return {
    ...requestRow(request, workspace),
    created_by: { id: creatorOf(request, workspace) ?? 0 },
    expired_at: iso(request.expiresAt),
    status: status === "REJECTED" ? "ABORTED" : status,
  };
}

export function showGovernance(request: VaultRequest, workspace: Workspace) {
  const user = (id: string) => ({ id: workspace.users.get(id)?.legacyId ?? null });
  const status = requestStatus(request);
  const steps = request.steps.map(({ quorum, userIds }, stepIndex) => {
    const given = request.reviews.filter(
      (one) => one.stepIndex === stepIndex && one.status !== "PENDING",
    );
    const approvals = given.map(({ userId, status: decision, updatedAt }) => {
      return {
        created_on: iso(updatedAt),
        type: decision === "APPROVED" ? "APPROVE" : "ABORT",
        user: user(userId),
      };
    });
    return { step_index: stepIndex, quorum, approvers: userIds.map(user), approvals };
  });
  return {
    governance_steps: steps,
    is_complete: request.state !== "PENDING_APPROVAL",
    request: {
      ...requestRow(request, workspace),
      created_by: user(request.createdBy),
      current_step_index: request.currentStepIndex,
      expired_at: iso(request.expiresAt),
      status: WRITTEN[status] ?? status,
    },
  };
}

/** A transaction of V1: one that is on its way or done, or one that a request still asks for. */
export interface Movement {
  readonly legacyId: number;
  readonly accountId: string;
  readonly createdAt: number;
  readonly request: VaultRequest | undefined;
  readonly done: Transaction | undefined;
}

/** Every transaction that V1 knows, in no order. */
export function movements({ transactions, requests }: Workspace): Movement[] {
  const asked = [...requests.values()].filter(({ plan }) => plan !== undefined);
  const byTarget = new Map(asked.map((request) => [request.targetId ?? "", request]));
  const done = transactions.map((one): Movement => {
    const request = byTarget.get(one.id);
    byTarget.delete(one.id);
    return { ...pick(one), legacyId: request?.legacyId ?? one.legacyId, request, done: one };
  });
  const open = [...byTarget.values()].map((request): Movement => {
    const accountId = request.plan?.account.id ?? "";
    return {
      legacyId: request.legacyId,
      accountId,
      createdAt: request.createdAt,
      request,
      done: undefined,
    };
  });
  return [...done, ...open];
}

function pick({ accountId, createdAt }: Transaction) {
  return { accountId, createdAt };
}

const CONFIRMATIONS = 6;

export function movementStatus({ request, done }: Movement): string {
  if (done !== undefined) return done.status;
  return request?.state === "PENDING_APPROVAL" || request?.state === "APPROVED"
    ? request.state
    : "REJECTED";
}

/** The note of what asked for it; an empty one where there was none. */
export function notesOf({ request }: Movement): readonly { title: string; content: string }[] {
  const note = request?.note;
  return [{ title: textAt(note, "title") ?? "", content: textAt(note, "content") ?? "" }];
}

export function showMovement(movement: Movement, { workspace }: World) {
  const { request, done, accountId, legacyId, createdAt } = movement;
  const account = workspace.accounts.get(accountId);
  const plan = request?.plan;
  const isConfirmed = done?.status === "CONFIRMED";
  const fields = (name: string) => textAt(request?.data, "transactionData", name) ?? null;
  const kind = textAt(request?.data, "transactionType") ?? "";
  const asked = kind.replace(/^[A-Z]+_LIKE_/, "");
  return {
    id: legacyId,
    account_id: account?.legacyId ?? 0,
    account_index: account?.index ?? 0,
    type: done?.type ?? (asked === "" ? "UNKNOWN" : asked),
    status: movementStatus(movement),
    amount: `${done?.amount ?? plan?.amount ?? 0n}`,
    currency: account?.currency ?? "",
    currency_family: familyName(account?.currency ?? ""),
    recipient: done?.recipient ?? plan?.recipient ?? null,
    senders: done?.senders ?? null,
    fees: isConfirmed ? `${done.fees}` : null,
    max_fees: fields("maxFees") ?? (done?.maxFees == null ? null : `${done.maxFees}`),
    confirmations: isConfirmed ? CONFIRMATIONS : 0,
    min_confirmations: CONFIRMATIONS,
    created_on: iso(createdAt),
    created_by: (request && workspace.users.get(request.createdBy)?.legacyId) ?? founder(workspace),
    notes: notesOf(movement).filter(() => request?.note !== undefined),
    tx_hash: done?.hash ?? null,
    labels: [],
  };
}
