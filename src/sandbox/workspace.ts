/**
 * What a workspace holds while the sandbox runs, in no dialect: times in milliseconds, amounts as
 * integers of the base unit.
 */
import type { JsonObject } from "./json.ts";
import { type KeyPair, makeKeyPair, readKeyPair } from "./keys.ts";
import type { Seed } from "./seed.ts";
import type { Plan } from "./transactions.ts";

export type Random = (bytes: number) => Uint8Array;

export interface Row {
  readonly id: string;
  readonly legacyId: number;
  readonly createdAt: number;
  updatedAt: number;
  status: "ACTIVE" | "INACTIVE";
}
type RowOf<K extends "users" | "groups" | "whitelists" | "policies" | "accounts" | "entities"> =
  Row & Omit<Seed[K][number], "status">;

export type User = RowOf<"users"> & {
  pubKey: string;
  isSuspended: boolean;
  legacyViewAll: boolean;
};
export type Group = RowOf<"groups">;
export type Whitelist = RowOf<"whitelists">;
export type Policy = RowOf<"policies">;
export type Account = Omit<RowOf<"accounts">, "balance"> & {
  balance: bigint;
  governanceType: string;
};

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
  /** What another request makes of the row that it gets in the end. */
  readonly effect: ((row: Row) => void) | undefined;
  readonly steps: readonly {
    readonly stageName: string;
    readonly quorum: number;
    readonly userIds: readonly string[];
  }[];
  reviews: Review[];
  state:
    | "PENDING_APPROVAL"
    | "APPROVED"
    | "SUBMITTED"
    | "CONFIRMED"
    | "ACTIVE"
    | "REJECTED"
    | "EXPIRED";
  currentStepIndex: number;
  /** When the current step or state began. */
  since: number;
  readonly createdAt: number;
  updatedAt: number;
  readonly expiresAt: number;
}

const WEEK_SECONDS = 7 * 24 * 3600;
const MINUTE_MS = 60_000;
/** Between the numbers that two starts may begin with: more than one of them hands out. */
const NUMBERS_APART = 1000;
/** Objects of the seed were created this long before the start, one minute apart. */
const SEED_AGE_MS = 60 * 24 * 3600 * 1000;

/** See the switches of the same names in faults.ts. */
export interface Habits {
  readonly listDelaySeconds: number;
  readonly cutNotes: number | null;
  readonly accountDecides: boolean;
}

export class Workspace {
  readonly name: string;
  readonly users: Map<string, User>;
  readonly credentials: Seed["credentials"];
  readonly groups: Map<string, Group>;
  readonly whitelists: Map<string, Whitelist>;
  readonly policies: Map<string, Policy>;
  readonly accounts: Map<string, Account>;
  readonly entities: Map<string, RowOf<"entities">>;
  readonly transactions: Transaction[];
  readonly requests = new Map<string, VaultRequest>();
  /** What a real workspace may do, too; switched on by the control path. */
  habits: Habits = { listDelaySeconds: 0, cutNotes: null, accountDecides: false };
  readonly adminSteps: Seed["adminSteps"];
  readonly requestLifeMs: number;
  readonly executionMs: number;
  /** Pairs that were made or given, by user id. */
  readonly keys = new Map<string, KeyPair>();
  readonly #random: Random;
  #legacyId = 0;

  /** Requests of the seed are left to the engine. */
  /**
   * `start` tells this start from others: a client remembers the numbers of its requests, so that
   * those of another start must be others.
   */
  constructor(seed: Seed, now: number, random: Random, start: number) {
    this.#random = random;
    const rows = <S extends { id: string }, T>(
      given: readonly S[],
      make: (one: S, row: Row) => T,
    ) => {
      const stamped = given.map((one): [string, T] => {
        const createdAt = now - SEED_AGE_MS + this.#legacyId * MINUTE_MS;
        return [
          one.id,
          make(one, {
            ...one,
            status: "ACTIVE",
            legacyId: this.newLegacyId(),
            createdAt,
            updatedAt: createdAt,
          }),
        ];
      });
      return new Map(stamped);
    };
    this.name = seed.workspace;
    this.users = rows(seed.users, ({ privateKey, ...user }, row) => {
      const pubKey = privateKey === undefined ? user.pubKey : undefined;
      return {
        ...row,
        isSuspended: false,
        legacyViewAll: false,
        ...user,
        pubKey: pubKey ?? this.#keyOf(user, privateKey),
      };
    });
    this.groups = rows(seed.groups, (group, row) => ({ ...row, ...group }));
    this.whitelists = rows(seed.whitelists, (whitelist, row) => ({ ...row, ...whitelist }));
    this.policies = rows(seed.policies, (policy, row) => ({ ...row, ...policy }));
    this.accounts = rows(seed.accounts, (one, row) => ({
      ...row,
      governanceType: "CLASSIC",
      ...one,
      balance: BigInt(one.balance),
    }));
    this.entities = rows(seed.entities, (entity, row) => ({ ...row, ...entity }));
    this.credentials = seed.credentials;
    this.adminSteps = seed.adminSteps;
    this.requestLifeMs = (seed.requestLifeSeconds ?? WEEK_SECONDS) * 1000;
    this.executionMs = (seed.executionSeconds ?? 5) * 1000;
    const past = [...(seed.transactions ?? [])].sort((a, b) => b.ageSeconds - a.ageSeconds);
    this.transactions = past.flatMap((one) =>
      this.#pastTransaction(one, now - one.ageSeconds * 1000),
    );
    this.#legacyId += NUMBERS_APART * start;
  }

  /** A new opaque id, in the form of a UUID. */
  newId(): string {
    return this.newHex(16).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
  }

  newLegacyId(): number {
    return ++this.#legacyId;
  }

  /** Hexadecimal digits for hashes and addresses that are never looked up. */
  newHex(bytes: number): string {
    return Buffer.from(this.#random(bytes)).toString("hex");
  }

  /** The public key of an API operator; people and read-only users have none here. */
  #keyOf(user: Pick<User, "id" | "deviceType" | "role">, privateKey: string | undefined): string {
    if (
      privateKey === undefined &&
      (user.deviceType !== "API" || user.role === "READ_ONLY_API_KEY")
    )
      return "";
    const pair = privateKey === undefined ? makeKeyPair(this.#random) : readKeyPair(privateKey);
    this.keys.set(user.id, pair);
    return pair.publicKey;
  }

  #pastTransaction(
    { accountId, type, amount, fees, counterparty }: NonNullable<Seed["transactions"]>[number],
    at: number,
  ): Transaction[] {
    const account = this.accounts.get(accountId);
    if (account === undefined) return [];
    const [sender, recipient] =
      type === "SEND" ? [account.address, counterparty] : [counterparty, account.address];
    return [
      {
        id: this.newId(),
        legacyId: this.newLegacyId(),
        accountId,
        type,
        status: "CONFIRMED",
        currency: account.currency,
        recipient,
        senders: [sender],
        hash: this.newHex(32),
        amount: BigInt(amount),
        fees: BigInt(fees),
        maxFees: type === "SEND" ? BigInt(fees) : null,
        createdAt: at,
        confirmedAt: at,
      },
    ];
  }
}
