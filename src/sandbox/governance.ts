/**
 * The governance engine: requests, steps, quorums, policies, expiry, execution. It knows no dialect and no HTTP. Nothing runs by
 * timer: `advance()` carries out, in order and with their own times, all events that fell due since the last call.
 */
import { type Json, type JsonObject, memberAt, textAt } from "./json.ts";
import { type Check, insist, list, nullable, number, record, Refusal, text } from "./schema.ts";
import type { SeedRule, SeedStep } from "./seed.ts";
import { type Plan, planTransaction } from "./transactions.ts";
import type { Account, Group, RequestState, Row, User, VaultRequest, Whitelist, Workspace } from "./workspace.ts";

export type Decision = "APPROVE" | "REJECT";

export interface RequestInput {
  readonly type: string;
  readonly data: JsonObject;
  readonly note?: JsonObject | undefined;
}

/** Every request type that may be raised. Those without a row in EFFECTS are reviewed like the others and change nothing. */
export const REQUEST_TYPES: readonly string[] = [
  ...["ACTIVATE", "CREATE_ACCOUNT", "CREATE_ADMIN", "CREATE_ADMIN_GROUP", "CREATE_API_USER", "CREATE_API_USER_ACCESS"],
  ...[
    "CREATE_DAPPS_CONFIG",
    "CREATE_ENTITY",
    "CREATE_FORCED_UNPLEDGE",
    "CREATE_GROUP",
    "CREATE_MESSAGE_SIGNING",
    "CREATE_OPERATOR",
  ],
  ...[
    "CREATE_PLEDGE_INCREMENT",
    "CREATE_POLICY",
    "CREATE_REPLEDGE",
    "CREATE_TRADELINK",
    "CREATE_TRADELINK_ASSET_MANAGER",
  ],
  ...["CREATE_TRADELINK_EXCHANGE", "CREATE_TRANSACTION", "CREATE_WHITELIST", "EDIT_ACCOUNT", "EDIT_ADMIN_GROUP"],
  ...[
    "EDIT_DAPPS_CONFIG",
    "EDIT_ENTITY",
    "EDIT_GROUP",
    "EDIT_POLICY",
    "EDIT_WHITELIST",
    "MESSAGE_SIGNING",
    "MIGRATE_ACCOUNT",
  ],
  ...[
    "MIGRATE_ADMIN",
    "MIGRATE_GROUP",
    "MIGRATE_OPERATOR",
    "MIGRATE_WHITELIST",
    "REVOKE_ENTITY",
    "REVOKE_GROUP",
    "REVOKE_USER",
  ],
  ...["SIGN_DIGESTS", "UPDATE_QUORUM"],
];

interface Effect {
  readonly input: Check;
  /** Throws Refusal 400 when the data names something that is not there. */
  make(workspace: Workspace, data: JsonObject, row: Row): void;
}

const EFFECTS: Readonly<Record<string, Effect>> = {
  CREATE_ACCOUNT: {
    input: record(
      {
        accountData: record(
          { name: text(/^[\p{L}\p{N} ]{1,19}$/u, "1 to 19 letters, digits and spaces"), currency: text() },
          {
            policyName: text(),
            parentId: nullable(text()),
            contractAddress: nullable(text()),
            index: number(0, 2 ** 31),
          },
          true,
        ),
      },
      {},
      true,
    ),
    make: makeAccount,
  },
  CREATE_WHITELIST: {
    input: record(
      { name: text(), addresses: list(record({ name: text(), currency: text(), address: text() }, {}, true)) },
      { description: nullable(text()) },
      true,
    ),
    make(workspace, data, row) {
      const addresses = memberAt(data, "addresses") as readonly Json[];
      const member = (address: Json, name: string) => textAt(address, name) ?? "";
      const rows: Whitelist["addresses"] = addresses.map((address) => ({
        name: member(address, "name"),
        currency: member(address, "currency"),
        address: member(address, "address"),
      }));
      workspace.whitelists.set(row.id, { ...row, description: textAt(data, "description") ?? null, addresses: rows });
    },
  },
  CREATE_GROUP: {
    input: record({ name: text() }, { description: nullable(text()), userIds: list(text()) }, true),
    make(workspace, data, row) {
      const userIds = (memberAt(data, "userIds") ?? []) as readonly string[];
      if (!userIds.every((id) => workspace.users.has(id)))
        throw new Refusal(400, "Input validation failed", ["data.userIds: unknown user"]);
      const group: Group = { ...row, description: textAt(data, "description") ?? null, userIds };
      workspace.groups.set(row.id, group);
    },
  },
};

function makeAccount(workspace: Workspace, data: JsonObject, row: Row): void {
  const given = memberAt(data, "accountData");
  const currency = textAt(given, "currency") ?? "";
  const parentId = textAt(given, "parentId") ?? null;
  const policyName = textAt(given, "policyName");
  const model = [...workspace.accounts.values()].find((one) => one.currency === currency);
  const policies = [...workspace.policies.values()];
  const policy = policyName === undefined ? undefined : policies.find((one) => one.name === policyName);
  const wrong: string[] = [];
  if (model === undefined) wrong.push("data.accountData.currency: not available in this workspace");
  if (policyName !== undefined && policy === undefined) wrong.push("data.accountData.policyName: no such policy");
  if (parentId !== null && !workspace.accounts.has(parentId)) wrong.push("data.accountData.parentId: no such account");
  if (wrong.length > 0 || model === undefined) throw new Refusal(400, "Input validation failed", wrong);
  const account: Account = {
    ...row,
    currency,
    parentId,
    contractAddress: textAt(given, "contractAddress") ?? null,
    address: `${model.address.slice(0, 4)}${workspace.newHex(18)}`,
    index: workspace.accounts.size,
    derivationPath: model.derivationPath.replace(/\d+'$/, `${workspace.accounts.size}'`),
    policyId: policy?.id ?? model.policyId,
    governanceType: "POLICY",
    balance: 0n,
  };
  workspace.accounts.set(row.id, account);
}

interface Event {
  readonly at: number;
  carryOut(): void;
}

export class Governance {
  readonly workspace: Workspace;
  readonly #clock: () => number;
  /** Humans approve this long after they were asked; undefined: only when told to. */
  readonly #autoApproveMs: number | undefined;

  constructor(workspace: Workspace, clock: () => number, autoApproveMs: number | undefined) {
    this.workspace = workspace;
    this.#clock = clock;
    this.#autoApproveMs = autoApproveMs;
  }

  /** Brings every request up to the clock. */
  advance(): void {
    const now = this.#clock();
    for (const request of this.workspace.requests.values()) {
      for (let next = this.#nextEvent(request); next !== undefined && next.at <= now; next = this.#nextEvent(request))
        next.carryOut();
    }
  }

  /**
   * Raises a request. Its first step is the creator's own approval; people give it by raising it, API operators by a signature.
   * Throws Refusal 400 for invalid data, 403 for a transaction that the account's policy forbids and for read-only users.
   */
  create(
    creator: User,
    { type, data, note }: RequestInput,
    at = this.#clock(),
    id = this.workspace.newId(),
  ): VaultRequest {
    if (creator.role === "READ_ONLY_API_KEY") throw new Refusal(403, "A read-only user raises no requests");
    if (!REQUEST_TYPES.includes(type))
      throw new Refusal(400, "Input validation failed", [`request.type: unknown type ${type}`]);
    const plan = type === "CREATE_TRANSACTION" ? planTransaction(this.workspace, data) : undefined;
    const steps = plan === undefined ? this.workspace.adminSteps : this.#policySteps(plan);
    const targetId =
      this.#checkEffect(type, data, at) ?? (plan === undefined ? (textAt(data, "id") ?? null) : this.workspace.newId());
    const request: VaultRequest = {
      id,
      legacyId: this.workspace.newLegacyId(),
      type,
      data,
      note,
      createdBy: creator.id,
      targetId,
      plan,
      steps: [
        { stageName: "CREATION", quorum: 1, userIds: [creator.id] },
        ...steps.map((step) => ({ stageName: "APPROVAL", quorum: step.quorum, userIds: this.#reviewersOf(step) })),
      ],
      reviews: [],
      state: "PENDING_APPROVAL",
      currentStepIndex: 0,
      since: at,
      createdAt: at,
      updatedAt: at,
      expiresAt: at + this.workspace.requestLifeMs,
    };
    this.#enterStep(request, 0, at);
    if (creator.deviceType !== "API") this.decide(request, creator.id, "APPROVE", at);
    this.workspace.requests.set(id, request);
    return request;
  }

  /** The pending review that `userId` has in the current step. Throws Refusal 400 when the request is closed, 403 when there is none. */
  pendingReview(request: VaultRequest, userId: string): VaultRequest["reviews"][number] {
    if (request.state !== "PENDING_APPROVAL")
      throw new Refusal(400, `The request is ${request.state} and takes no more reviews`);
    const mine = pendingReviews(request).find((review) => review.userId === userId);
    if (mine === undefined) throw new Refusal(403, "No review of this user is pending in the current step");
    return mine;
  }

  /** Gives one review. Throws as pendingReview. */
  decide(request: VaultRequest, userId: string, decision: Decision, at = this.#clock()): void {
    const review = this.pendingReview(request, userId);
    review.status = decision === "APPROVE" ? "APPROVED" : "REJECTED";
    review.updatedAt = at;
    request.updatedAt = at;
    if (decision === "REJECT") {
      this.#close(request, "REJECTED", at);
      return;
    }
    const step = request.currentStepIndex;
    const given = request.reviews.filter((one) => one.stepIndex === step && one.status === "APPROVED").length;
    if (given < (request.steps[step]?.quorum ?? 1)) return;
    if (step + 1 < request.steps.length) this.#enterStep(request, step + 1, at);
    else this.#close(request, "APPROVED", at);
  }

  #nextEvent(request: VaultRequest): Event | undefined {
    const { executionMs } = this.workspace;
    if (request.state === "PENDING_APPROVAL") return this.#nextReviewEvent(request);
    const at = request.since + executionMs;
    if (request.state === "APPROVED") return { at, carryOut: () => this.#execute(request, at) };
    if (request.state === "SUBMITTED") return { at, carryOut: () => this.#confirm(request, at) };
    return undefined;
  }

  #nextReviewEvent(request: VaultRequest): Event {
    const isHuman = (id: string) => this.workspace.users.get(id)?.deviceType !== "API";
    const human = pendingReviews(request).find(({ userId }) => isHuman(userId));
    const at = request.since + (this.#autoApproveMs ?? Number.POSITIVE_INFINITY);
    if (human !== undefined && at < request.expiresAt)
      return { at, carryOut: () => this.decide(request, human.userId, "APPROVE", at) };
    return { at: request.expiresAt, carryOut: () => this.#close(request, "EXPIRED", request.expiresAt) };
  }

  #enterStep(request: VaultRequest, index: number, at: number): void {
    dropPending(request);
    request.currentStepIndex = index;
    request.since = at;
    for (const userId of request.steps[index]?.userIds ?? []) {
      request.reviews.push({ stepIndex: index, userId, status: "PENDING", createdAt: at, updatedAt: at });
    }
  }

  #close(request: VaultRequest, state: RequestState, at: number): void {
    dropPending(request);
    request.state = state;
    request.since = at;
    request.updatedAt = at;
  }

  #reviewersOf({ userIds = [], groupId }: SeedStep): string[] {
    const members = groupId === undefined ? [] : (this.workspace.groups.get(groupId)?.userIds ?? []);
    return [...new Set([...userIds, ...members])].filter((id) => {
      const user = this.workspace.users.get(id);
      return user?.status === "ACTIVE" && !user.isSuspended;
    });
  }

  #policySteps(plan: Plan): readonly SeedStep[] {
    const rules = this.workspace.policies.get(plan.account.policyId)?.rules ?? [];
    const governing = rules.filter((rule) => rule.operationType === plan.operation);
    const objections = governing.map((rule) => this.#objection(rule, plan));
    const allowed = governing[objections.indexOf(undefined)];
    if (allowed !== undefined) return allowed.reviewSteps;
    const issues = governing.length === 0 ? [`No rule of the account's policy allows ${plan.operation}`] : objections;
    throw new Refusal(
      403,
      "The account's policy forbids this transaction",
      issues.filter((one) => one !== undefined),
    );
  }

  #objection({ threshold, whitelistIds = [] }: SeedRule, { amount, recipient }: Plan): string | undefined {
    if (threshold !== undefined && amount < BigInt(threshold.min))
      return `Amount is below the rule's minimum ${threshold.min}`;
    if (threshold !== undefined && threshold.max !== null && amount > BigInt(threshold.max)) {
      return `Amount is above the rule's maximum ${threshold.max}`;
    }
    if (whitelistIds.length === 0) return undefined;
    const spelled = (address: string | null) => (address?.startsWith("0x") === true ? address.toLowerCase() : address);
    const listed = whitelistIds.flatMap((id) => {
      const whitelist = this.workspace.whitelists.get(id);
      return whitelist?.status === "ACTIVE" ? whitelist.addresses : [];
    });
    return listed.some(({ address }) => spelled(address) === spelled(recipient))
      ? undefined
      : "Recipient is in no whitelist of the rule";
  }

  /** Checks that the effect could happen now, on a copy; gives the id that the new object will have. */
  #checkEffect(type: string, data: JsonObject, at: number): string | undefined {
    const effect = EFFECTS[type];
    if (effect === undefined) return undefined;
    insist(effect.input, data, "data");
    const { accounts, whitelists, groups } = this.workspace;
    const copy = {
      ...this.workspace,
      accounts: new Map(accounts),
      whitelists: new Map(whitelists),
      groups: new Map(groups),
    };
    const row = this.#rowFor(this.workspace.newId(), data, at, 0);
    effect.make(copy, data, row);
    return row.id;
  }

  #rowFor(id: string, data: JsonObject, at: number, legacyId: number): Row {
    const name = textAt(data, "name") ?? textAt(data, "accountData", "name") ?? "";
    return { id, legacyId, name, status: "ACTIVE", createdAt: at, updatedAt: at };
  }

  #execute(request: VaultRequest, at: number): void {
    const { plan, targetId } = request;
    if (plan === undefined || targetId === null) {
      const row = this.#rowFor(targetId ?? "", request.data, at, this.workspace.newLegacyId());
      EFFECTS[request.type]?.make(this.workspace, request.data, row);
      this.#close(request, "ACTIVE", at);
      return;
    }
    this.#record(plan.account, request, "SEND", targetId, at);
    this.#close(request, "SUBMITTED", at);
  }

  #record(account: Account, request: VaultRequest, type: "SEND" | "RECEIVE", id: string, at: number): void {
    const { plan } = request;
    if (plan === undefined) return;
    const sent = this.workspace.transactions.find((one) => one.id === request.targetId);
    this.workspace.transactions.push({
      id,
      legacyId: this.workspace.newLegacyId(),
      accountId: account.id,
      type,
      status: type === "SEND" ? "SUBMITTED" : "CONFIRMED",
      amount: plan.amount,
      fees: plan.fee,
      maxFees: type === "SEND" ? plan.maxFees : null,
      currency: account.currency,
      recipient: plan.recipient,
      senders: [plan.account.address],
      hash: sent?.hash ?? this.workspace.newHex(32),
      createdAt: at,
      confirmedAt: type === "SEND" ? null : at,
    });
  }

  #confirm(request: VaultRequest, at: number): void {
    const { plan, targetId } = request;
    const transaction = this.workspace.transactions.find((one) => one.id === targetId);
    this.#close(request, "CONFIRMED", at);
    if (plan === undefined || transaction === undefined) return;
    transaction.status = "CONFIRMED";
    transaction.confirmedAt = at;
    plan.account.balance -= plan.moved;
    plan.payer.balance -= plan.fee;
    const { currency, contractAddress } = plan.account;
    const receiver = [...this.workspace.accounts.values()].find(
      (one) => one.address === plan.recipient && one.currency === currency && one.contractAddress === contractAddress,
    );
    if (receiver === undefined || plan.moved === 0n) return;
    receiver.balance += plan.moved;
    this.#record(receiver, request, "RECEIVE", this.workspace.newId(), at);
  }
}

/** Reviews of the current step that are still asked for. */
export function pendingReviews(request: VaultRequest): VaultRequest["reviews"] {
  return request.reviews.filter(
    (review) => review.stepIndex === request.currentStepIndex && review.status === "PENDING",
  );
}

function dropPending(request: VaultRequest): void {
  request.reviews = request.reviews.filter((review) => review.status !== "PENDING");
}
