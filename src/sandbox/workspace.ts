/** What a workspace holds while the sandbox runs, in no dialect: times in milliseconds, amounts as integers of the base unit. */
import type { JsonObject } from "./json.ts";
import { type KeyPair, makeKeyPair, readKeyPair } from "./keys.ts";
import { checkSeed, type SeedAddress, type SeedRule, type SeedStep, type SeedUser } from "./seed.ts";
import type { Plan } from "./transactions.ts";

export type Random = (bytes: number) => Uint8Array;
export type Status = "ACTIVE" | "INACTIVE";

export interface Row {
  readonly id: string;
  readonly legacyId: number;
  name: string;
  status: Status;
  readonly createdAt: number;
  updatedAt: number;
}

export interface User extends Row {
  readonly role: SeedUser["role"];
  readonly deviceType: SeedUser["deviceType"];
  readonly deviceUserId: string | null;
  pubKey: string;
  legacyViewAll: boolean;
  isSuspended: boolean;
}

export interface Described extends Row {
  readonly description: string | null;
}
export interface Group extends Described {
  readonly userIds: readonly string[];
}
export interface Whitelist extends Described {
  readonly addresses: readonly SeedAddress[];
}
export interface Policy extends Described {
  readonly currency: string | null;
  readonly isPrivate: boolean;
  readonly rules: readonly SeedRule[];
}
export interface Account extends Row {
  readonly currency: string;
  readonly address: string;
  readonly contractAddress: string | null;
  readonly parentId: string | null;
  readonly index: number;
  readonly derivationPath: string;
  readonly policyId: string;
  readonly governanceType: string;
  balance: bigint;
}

export interface Transaction {
  readonly id: string;
  readonly legacyId: number;
  readonly accountId: string;
  readonly type: "SEND" | "RECEIVE";
  status: "SUBMITTED" | "CONFIRMED";
  readonly amount: bigint;
  readonly fees: bigint;
  readonly maxFees: bigint | null;
  readonly currency: string;
  readonly recipient: string | null;
  readonly senders: readonly string[];
  readonly hash: string;
  readonly createdAt: number;
  confirmedAt: number | null;
}

export type RequestState =
  | "PENDING_APPROVAL"
  | "APPROVED"
  | "SUBMITTED"
  | "CONFIRMED"
  | "ACTIVE"
  | "REJECTED"
  | "EXPIRED";

export interface Review {
  readonly stepIndex: number;
  readonly userId: string;
  status: "PENDING" | "APPROVED" | "REJECTED";
  readonly createdAt: number;
  updatedAt: number;
}

export interface VaultRequest {
  readonly id: string;
  readonly legacyId: number;
  readonly type: string;
  /** As it was sent, token by token. */
  readonly data: JsonObject;
  readonly note: JsonObject | undefined;
  readonly createdBy: string;
  readonly targetId: string | null;
  /** What a transaction request moves; other types have none. */
  readonly plan: Plan | undefined;
  readonly steps: readonly {
    readonly stageName: string;
    readonly quorum: number;
    readonly userIds: readonly string[];
  }[];
  reviews: Review[];
  state: RequestState;
  currentStepIndex: number;
  /** When the current step or state began. */
  since: number;
  readonly createdAt: number;
  updatedAt: number;
  readonly expiresAt: number;
}

export interface Workspace {
  readonly name: string;
  readonly users: Map<string, User>;
  readonly credentials: { readonly apiKeyId: string; apiKeySecret: string; readonly userId: string }[];
  readonly groups: Map<string, Group>;
  readonly whitelists: Map<string, Whitelist>;
  readonly policies: Map<string, Policy>;
  readonly accounts: Map<string, Account>;
  readonly entities: Map<string, Described>;
  /** Oldest first. */
  readonly transactions: Transaction[];
  readonly requests: Map<string, VaultRequest>;
  readonly adminSteps: readonly SeedStep[];
  readonly requestLifeMs: number;
  readonly executionMs: number;
  /** A new opaque id, in the form of a UUID. */
  newId(): string;
  newLegacyId(): number;
  /** Hexadecimal digits for hashes and addresses that nobody will look up. */
  newHex(bytes: number): string;
}

const WEEK_SECONDS = 7 * 24 * 3600;
const MINUTE_MS = 60_000;
/** Objects of the seed were created this long before the start, one minute apart. */
const SEED_AGE_MS = 60 * 24 * 3600 * 1000;

/** The workspace of a seed and the key pairs of its API operators, by user id. Requests are left to the engine. Throws InvalidSeed. */
export function loadWorkspace(
  given: unknown,
  now: number,
  random: Random,
): { workspace: Workspace; keys: Map<string, KeyPair> } {
  const seed = checkSeed(given);
  const keys = new Map<string, KeyPair>();
  const newHex = (bytes: number) => Buffer.from(random(bytes)).toString("hex");
  let legacyId = 0;
  const newLegacyId = () => ++legacyId;
  const row = ({ id, name, status = "ACTIVE" }: { id: string; name: string; status?: Status }): Row => {
    const createdAt = now - SEED_AGE_MS + legacyId * MINUTE_MS;
    return { id, legacyId: newLegacyId(), name, status, createdAt, updatedAt: createdAt };
  };
  const described = (given: { id: string; name: string; status?: Status; description?: string }): Described => ({
    ...row(given),
    description: given.description ?? null,
  });
  const byId = <S, T extends Row>(rows: readonly S[], make: (row: S) => T) =>
    new Map(rows.map(make).map((one) => [one.id, one]));
  const pubKeyOf = (user: SeedUser): string => {
    const signs = user.deviceType === "API" && user.role !== "READ_ONLY_API_KEY";
    if (user.privateKey === undefined && (user.pubKey !== undefined || !signs)) return user.pubKey ?? "";
    const pair = user.privateKey === undefined ? makeKeyPair(random) : readKeyPair(user.privateKey);
    keys.set(user.id, pair);
    return pair.publicKey;
  };
  const workspace: Workspace = {
    name: seed.workspace,
    users: byId(seed.users, (user) => ({
      ...row(user),
      role: user.role,
      deviceType: user.deviceType,
      deviceUserId: user.deviceUserId ?? null,
      pubKey: pubKeyOf(user),
      legacyViewAll: user.legacyViewAll ?? false,
      isSuspended: user.isSuspended ?? false,
    })),
    credentials: seed.credentials.map((credential) => ({ ...credential })),
    groups: byId(seed.groups, (group) => ({ ...described(group), userIds: group.userIds })),
    whitelists: byId(seed.whitelists, (whitelist) => ({ ...described(whitelist), addresses: whitelist.addresses })),
    policies: byId(seed.policies, (policy) => ({
      ...described(policy),
      currency: policy.currency ?? null,
      isPrivate: policy.isPrivate ?? false,
      rules: policy.rules,
    })),
    accounts: byId(seed.accounts, (account) => ({
      ...row(account),
      currency: account.currency,
      address: account.address,
      contractAddress: account.contractAddress ?? null,
      parentId: account.parentId ?? null,
      index: account.index ?? 0,
      derivationPath: account.derivationPath ?? `44'/0'/${account.index ?? 0}'`,
      policyId: account.policyId,
      governanceType: account.governanceType ?? "POLICY",
      balance: BigInt(account.balance),
    })),
    entities: byId(seed.entities, described),
    transactions: [],
    requests: new Map(),
    adminSteps: seed.adminSteps,
    requestLifeMs: (seed.requestLifeSeconds ?? WEEK_SECONDS) * 1000,
    executionMs: (seed.executionSeconds ?? 5) * 1000,
    newId: () => newHex(16).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5"),
    newLegacyId,
    newHex,
  };
  for (const past of [...(seed.transactions ?? [])].sort((a, b) => b.ageSeconds - a.ageSeconds)) {
    const account = workspace.accounts.get(past.accountId);
    if (account === undefined) continue;
    const createdAt = now - past.ageSeconds * 1000;
    const isSend = past.type === "SEND";
    workspace.transactions.push({
      id: workspace.newId(),
      legacyId: newLegacyId(),
      accountId: account.id,
      type: past.type,
      status: "CONFIRMED",
      amount: BigInt(past.amount),
      fees: BigInt(past.fees),
      maxFees: isSend ? BigInt(past.fees) : null,
      currency: account.currency,
      recipient: isSend ? past.counterparty : account.address,
      senders: [isSend ? account.address : past.counterparty],
      hash: newHex(32),
      createdAt,
      confirmedAt: createdAt,
    });
  }
  return { workspace, keys };
}
