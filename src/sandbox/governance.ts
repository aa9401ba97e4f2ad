/**
 * The governance engine: requests, steps, quorums, policies, expiry, execution. It knows no dialect
 * and no HTTP. Nothing runs by timer: `advance()` carries out, with their own times, all events
 * that fell due since the last call.
 */
import { snake } from "./challenge.ts";
import { effectOf, REQUEST_TYPES } from "./effects.ts";
import { fromPlain, type JsonObject, textAt } from "./json.ts";
import { invalid, Refusal } from "./schema.ts";
import type { SeedRule, SeedStep } from "./seed.ts";
import { type Plan, planTransaction } from "./transactions.ts";
import type { Account, Review, User, VaultRequest, Workspace } from "./workspace.ts";

export type Decision = "APPROVE" | "REJECT";

function cut(note: JsonObject, most: number | null): JsonObject {
  if (most === null) return note;
  const members = ["title", "content"].map((name) => [
    name,
    (textAt(note, name) ?? "").slice(0, most),
  ]);
  return fromPlain(Object.fromEntries(members)) as JsonObject;
}

interface Due {
  readonly at: number;
  carryOut(): void;
}

export class Governance {
  readonly workspace: Workspace;
  readonly #clock: () => number;
  readonly #autoApproveMs: number;

  /**
   * People approve `autoApproveMs` after they were asked; undefined: only when the control path
   * says so.
   */
  constructor(workspace: Workspace, clock: () => number, autoApproveMs: number | undefined) {
    this.workspace = workspace;
    this.#clock = clock;
    this.#autoApproveMs = autoApproveMs ?? Number.POSITIVE_INFINITY;
  }

  /** Brings every request up to the clock. */
  advance(): void {
    const now = this.#clock();
    for (const request of this.workspace.requests.values()) {
      for (
        let due = this.#due(request);
        due !== undefined && due.at <= now;
        due = this.#due(request)
      )
        due.carryOut();
    }
  }

  /**
   * Raises a request. Its first step is the creator's own approval: people give it by raising it,
   * API operators by a signature. Throws Refusal 400 for invalid data, 403 for a transaction that
   * the account's policy forbids and for read-only users.
   */
  create(
    creator: User,
    {
      type,
      data,
      note,
    }: Pick<VaultRequest, "type" | "data"> & { readonly note: JsonObject | undefined },
    at = this.#clock(),
    id = this.workspace.newId(),
  ): VaultRequest {
    if (creator.role === "READ_ONLY_API_KEY")
      throw new Refusal(403, "A read-only user raises no requests");
    if (!REQUEST_TYPES.has(type)) throw invalid("request.type: no such type");
    snake(data); // what could not be put into a challenge is refused before anybody is asked
    const plan = type === "CREATE_TRANSACTION" ? planTransaction(this.workspace, data) : undefined;
    const effect = effectOf(this.workspace, type, data);
    const policy = plan === undefined ? this.workspace.adminSteps : this.#policySteps(plan);
    const reviews = policy.map((step) => ({
      stageName: "APPROVAL",
      quorum: step.quorum,
      userIds: this.#reviewersOf(step),
    }));
    const request: VaultRequest = {
      id,
      legacyId: this.workspace.newLegacyId(),
      type,
      data,
      note: note && cut(note, this.workspace.habits.cutNotes),
      createdBy: creator.id,
      plan,
      effect,
      targetId: (plan ?? effect) ? this.workspace.newId() : (textAt(data, "id") ?? null),
      steps: [{ stageName: "CREATION", quorum: 1, userIds: [creator.id] }, ...reviews],
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

  /**
   * The pending review that `userId` has in the current step. Throws Refusal 400 when the request
   * is closed, 403 when there is none.
   */
  pendingReview(request: VaultRequest, userId: string): Review {
    if (request.state !== "PENDING_APPROVAL")
      throw new Refusal(400, `The request is ${request.state} and takes no more reviews`);
    const mine = pendingReviews(request).find((review) => review.userId === userId);
    if (mine === undefined)
      throw new Refusal(403, "No review of this user is pending in the current step");
    return mine;
  }

  /** Records one review. Throws as pendingReview. */
  decide(request: VaultRequest, userId: string, decision: Decision, at = this.#clock()): void {
    const review = this.pendingReview(request, userId);
    review.status = decision === "APPROVE" ? "APPROVED" : "REJECTED";
    review.updatedAt = at;
    request.updatedAt = at;
    const index = request.currentStepIndex;
    const given = request.reviews.filter(
      (one) => one.stepIndex === index && one.status === "APPROVED",
    ).length;
    if (decision === "REJECT") this.#close(request, "REJECTED", at);
    else if (given < (request.steps[index]?.quorum ?? 1)) return;
    else if (index + 1 < request.steps.length) this.#enterStep(request, index + 1, at);
    else this.#close(request, "APPROVED", at);
  }

  #due(request: VaultRequest): Due | undefined {
    if (request.state === "PENDING_APPROVAL") return this.#dueReview(request);
    const at = request.since + this.workspace.executionMs;
    if (request.state === "APPROVED") return { at, carryOut: () => this.#execute(request, at) };
    if (request.state === "SUBMITTED") return { at, carryOut: () => this.#confirm(request, at) };
    return undefined;
  }

  #dueReview(request: VaultRequest): Due {
    const human = pendingReviews(request).find(
      ({ userId }) => this.workspace.users.get(userId)?.deviceType !== "API",
    );
    const at = request.since + this.#autoApproveMs;
    if (human !== undefined && at < request.expiresAt)
      return { at, carryOut: () => this.decide(request, human.userId, "APPROVE", at) };
    return {
      at: request.expiresAt,
      carryOut: () => this.#close(request, "EXPIRED", request.expiresAt),
    };
  }

  #enterStep(request: VaultRequest, stepIndex: number, at: number): void {
    dropPending(request);
    request.currentStepIndex = stepIndex;
    request.since = at;
    for (const userId of request.steps[stepIndex]?.userIds ?? []) {
      request.reviews.push({ stepIndex, userId, status: "PENDING", createdAt: at, updatedAt: at });
    }
  }

  #close(request: VaultRequest, state: VaultRequest["state"], at: number): void {
    dropPending(request);
    request.state = state;
    request.since = at;
    request.updatedAt = at;
  }

  #reviewersOf({ userIds = [], groupId = "" }: SeedStep): string[] {
    const members = this.workspace.groups.get(groupId)?.userIds ?? [];
    return [...new Set([...userIds, ...members])].filter((id) => {
      const user = this.workspace.users.get(id);
      return user?.status === "ACTIVE" && !user.isSuspended;
    });
  }

  /**
   * The review steps of the first rule that allows the transaction. Throws Refusal 403 with what
   * each rule objects to.
   */
  #policySteps(plan: Plan): readonly SeedStep[] {
    const rules = this.workspace.policies.get(plan.account.policyId)?.rules ?? [];
    const governing = rules.filter((rule) => rule.operationType === plan.operation);
    const objections: string[] = [];
    for (const rule of governing) {
      const objection = this.#objection(rule, plan);
      if (objection === undefined) return rule.reviewSteps;
      objections.push(objection);
    }
    if (governing.length === 0)
      objections.push(`No rule of the account's policy allows ${plan.operation}`);
    throw new Refusal(403, "The account's policy forbids this transaction", objections);
  }

  #objection(
    { threshold, whitelistIds = [] }: SeedRule,
    { amount, recipient }: Plan,
  ): string | undefined {
    if (threshold && amount < BigInt(threshold.min))
      return `Amount is below the rule's minimum ${threshold.min}`;
    if (threshold?.max && amount > BigInt(threshold.max))
      return `Amount is above the rule's maximum ${threshold.max}`;
    const spelled = (address: string | null) =>
      address?.startsWith("0x") ? address.toLowerCase() : address;
    const lists = whitelistIds
      .map((id) => this.workspace.whitelists.get(id))
      .filter((one) => one?.status === "ACTIVE");
    const isListed = lists.some((one) =>
      one?.addresses.some(({ address }) => spelled(address) === spelled(recipient)),
    );
    return whitelistIds.length === 0 || isListed
      ? undefined
      : "Recipient is in no whitelist of the rule";
  }

  #execute(request: VaultRequest, at: number): void {
    const { plan, targetId, effect } = request;
    if (plan !== undefined) this.#record(plan, plan.account, "SEND", targetId ?? "", at);
    const legacyId = plan === undefined ? this.workspace.newLegacyId() : 0;
    effect?.({ id: targetId ?? "", legacyId, createdAt: at, updatedAt: at, status: "ACTIVE" });
    this.#close(request, plan === undefined ? "ACTIVE" : "SUBMITTED", at);
  }

  #record(
    plan: Plan,
    account: Account,
    type: "SEND" | "RECEIVE",
    id: string,
    at: number,
    hash = this.workspace.newHex(32),
  ): void {
    const isSend = type === "SEND";
    this.workspace.transactions.push({
      id,
      legacyId: this.workspace.newLegacyId(),
      accountId: account.id,
      type,
      status: isSend ? "SUBMITTED" : "CONFIRMED",
      currency: account.currency,
      recipient: plan.recipient,
      senders: [plan.account.address],
      hash,
      amount: plan.amount,
      fees: plan.fee,
      maxFees: isSend ? plan.maxFees : null,
      createdAt: at,
      confirmedAt: isSend ? null : at,
    });
  }

  #confirm(request: VaultRequest, at: number): void {
    this.#close(request, "CONFIRMED", at);
    const { plan, targetId } = request;
    const transaction = this.workspace.transactions.find((one) => one.id === targetId);
    if (plan === undefined || transaction === undefined) return;
    transaction.status = "CONFIRMED";
    transaction.confirmedAt = at;
    plan.account.balance -= plan.amount;
    plan.payer.balance -= plan.fee;
    const { currency, contractAddress } = plan.account;
    const receiver = [...this.workspace.accounts.values()].find(
      (one) =>
        one.address === plan.recipient &&
        one.currency === currency &&
        one.contractAddress === contractAddress,
    );
    if (receiver === undefined) return;
    receiver.balance += plan.amount;
    this.#record(plan, receiver, "RECEIVE", this.workspace.newId(), at, transaction.hash);
  }
}

/** Reviews of the current step that are still asked for. */
export function pendingReviews(request: VaultRequest): Review[] {
  return request.reviews.filter(
    (review) => review.stepIndex === request.currentStepIndex && review.status === "PENDING",
  );
}

function dropPending(request: VaultRequest): void {
  request.reviews = request.reviews.filter((review) => review.status !== "PENDING");
}
