/**
 * The fields of the API's objects that this program reads or promises. Always loose: the API's own
 * fields are relayed, and unknown ones survive. Names and nullability from the V2 document;
 * optional where versions of it differ, and where V1 has other names.
 */
import * as v from "valibot";

const text = v.string();
const given = v.optional(text);
const maybe = v.optional(v.nullable(text));
const whole = v.optional(v.nullable(v.number()));
const times = { createdAt: given, updatedAt: given, created_on: given };
/** V1's ids are numbers. */
const base = { id: v.union([text, v.number()]), legacyId: v.optional(v.number()) };

export const Balance = () => v.looseObject({ total: text, pending: given });

export const Account = () =>
  v.looseObject({
    ...base,
    name: given,
    currency: given,
    network: given,
    contractAddress: maybe,
    index: v.optional(v.number()),
    derivationPath: given,
    status: given,
    ...times,
    /** V1: the total alone. */
    balance: v.optional(v.union([Balance(), text])),
    available_balance: given,
    pending_balance: given,
    asset: v.optional(v.looseObject({})),
    governance: v.optional(v.looseObject({})),
  });

export const User = () =>
  v.looseObject({
    ...base,
    legacyViewAll: v.optional(v.boolean()),
    workspaceName: given,
    name: given,
    username: given,
    deviceUserId: maybe,
    deviceType: given,
    role: given,
    pubKey: given,
    status: given,
    isSuspended: v.optional(v.boolean()),
    ...times,
  });

export const Group = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    status: given,
    users: v.optional(v.array(v.looseObject({}))),
    members: v.optional(v.array(v.nullable(v.number()))),
    ...times,
  });

export const Whitelist = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    status: given,
    addresses: v.optional(v.array(v.looseObject({}))),
    ...times,
  });

export const Policy = () =>
  v.looseObject({
    ...base,
    name: given,
    description: maybe,
    currency: maybe,
    network: maybe,
    isPrivate: v.optional(v.boolean()),
    type: given,
    rules: v.optional(v.array(v.looseObject({}))),
    whitelists: v.optional(v.array(v.looseObject({}))),
    users: v.optional(v.array(v.looseObject({}))),
    groups: v.optional(v.array(v.looseObject({}))),
    ...times,
  });

export const Entity = () => v.looseObject({ ...base, name: given, status: given, ...times });

export const Transaction = () =>
  v.looseObject({
    ...base,
    accountId: given,
    account_id: v.optional(v.number()),
    type: given,
    status: given,
    amount: maybe,
    fees: maybe,
    maxFees: maybe,
    currency: given,
    recipient: maybe,
    senders: v.optional(v.nullable(v.array(text))),
    hash: maybe,
    confirmations: v.optional(v.number()),
    block: v.optional(v.nullable(v.looseObject({}))),
    createdAt: given,
  });

export const Estimate = () =>
  v.looseObject({
    maxFees: given,
    coinFields: v.optional(v.looseObject({})),
    max_fees: given,
    coin_fields: v.optional(v.looseObject({})),
  });

export const Request = () =>
  v.looseObject({
    ...base,
    type: given,
    data: v.optional(v.looseObject({})),
    state: given,
    status: given,
    target_id: whole,
    target_type: given,
    reviewSteps: v.optional(v.array(v.looseObject({}))),
    currentStepIndex: v.optional(v.number()),
    expiredAt: given,
    targetId: maybe,
    note: v.optional(v.looseObject({ title: given, content: given })),
    reviews: v.optional(v.array(v.looseObject({}))),
    ...times,
    inflight: v.optional(v.looseObject({})),
  });

export const GovernanceStatus = () =>
  v.looseObject({
    governance_steps: v.array(v.looseObject({ quorum: v.number() })),
    is_complete: v.boolean(),
    request: v.looseObject({}),
  });

/**
 * What the dry run of a command that writes prints: the request as it would be sent, secrets
 * masked.
 */
export const DryRun = () =>
  v.looseObject({
    dryRun: v.literal(true),
    request: v.looseObject({
      method: text,
      url: text,
      headers: v.record(text, text),
      body: v.unknown(),
    }),
  });

/** What a review says (SPEC §4). */
export const Review = () => ({
  requestId: text,
  differences: v.array(v.unknown()),
  unverified: v.array(text),
  requestOnly: v.array(text),
  challenge: text,
  decoded: v.nullable(v.looseObject({})),
  payloadSha256: text,
});
