/** How V2 writes what a workspace holds. Members that are undefined are left out of an answer. */
import type { Call } from "./routes.ts";
import { ACCESS_SECONDS, REFRESH_SECONDS, type TokenPair } from "./sessions.ts";
import { reserved } from "./transactions.ts";
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

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** What all objects begin with. */
function showRow({
  id,
  legacyId,
  name,
  status,
  createdAt,
  updatedAt,
}: Row & { readonly name: string }) {
  return { id, legacyId, name, status, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

export function showDescribed(row: Row & { readonly name: string; readonly description?: string }) {
  return { ...showRow(row), description: row.description ?? null };
}

export function showUser(user: User, { name: workspaceName }: Workspace) {
  const { legacyViewAll, deviceType, role, isSuspended } = user;
  const [deviceUserId, pubKey] = [
    user.deviceUserId ?? null,
    user.pubKey === "" ? undefined : user.pubKey,
  ];
  return {
    ...showRow(user),
    legacyViewAll,
    workspaceName,
    deviceUserId,
    deviceType,
    role,
    pubKey,
    isSuspended,
  };
}

export function showGroup(group: Group, workspace: Workspace) {
  return {
    ...showDescribed(group),
    users: pick(workspace.users, group.userIds).map((user) => showUser(user, workspace)),
  };
}

export function showWhitelist(whitelist: Whitelist) {
  return { ...showDescribed(whitelist), addresses: whitelist.addresses };
}

export function showPolicy(policy: Policy, workspace: Workspace) {
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

export function showAccount(account: Account, { world, query, switches }: Call) {
  const {
    currency,
    contractAddress,
    index = 0,
    derivationPath,
    address,
    parentId,
    policyId,
  } = account;
  const live = { total: `${account.balance}`, pending: `${reserved(world.workspace, account)}` };
  const isHidden = query.isTrue("skipLiveData");
  return {
    ...showRow(account),
    currency,
    network: currency,
    contractAddress: contractAddress ?? null,
    index,
    derivationPath,
    balance: isHidden || switches.assetBalance ? undefined : live,
    asset: {
      type: contractAddress === undefined ? "NATIVE" : "TOKEN",
      address,
      parentId,
      ...(switches.assetBalance && !isHidden ? { balance: live } : {}),
    },
    governance: { type: account.governanceType, policyId },
  };
}

export function showTransaction(transaction: Transaction, now: number) {
  const { amount, fees, maxFees, createdAt, confirmedAt, ...row } = transaction;
  const isConfirmed = confirmedAt !== null;
  return {
    ...row,
    amount: `${amount}`,
    fees: isConfirmed ? `${fees}` : null,
    maxFees: maxFees === null ? null : `${maxFees}`,
    confirmations: isConfirmed ? 1 + Math.floor((now - confirmedAt) / BLOCK_MS) : 0,
    block: isConfirmed
      ? { height: Math.floor(confirmedAt / BLOCK_MS), time: iso(confirmedAt) }
      : null,
    createdAt: iso(createdAt),
  };
}

const BLOCK_MS = 600_000;

export function showRequest(request: VaultRequest, { query }: Call) {
  const { type, data, id, legacyId, state, steps, currentStepIndex, targetId, note, createdBy } =
    request;
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
    expiresAt: iso(request.expiresAt),
    /** Deprecated: use expiresAt. */
    expiredAt: iso(request.expiresAt),
    targetId,
    note,
    createdById: createdBy,
    reviews: request.reviews.map((one) => ({ ...one, ...times(one) })),
    ...times(request),
    inflight: query.isTrue("withInflight") ? { numFailed: 0 } : undefined,
  };
}

/** What a per-coin creation answers: no data, steps or reviews (N10). */
export function showCoinRequest(request: VaultRequest, call: Call) {
  const {
    data: _,
    reviewSteps: __,
    reviews: ___,
    inflight: ____,
    ...shown
  } = showRequest(request, call);
  return { ...shown, note: request.note ?? null };
}

export function showTokens({ accessToken, refreshToken }: TokenPair) {
  return {
    accessToken,
    expiresInSeconds: ACCESS_SECONDS,
    refreshToken,
    refreshExpiresInSeconds: REFRESH_SECONDS,
  };
}
