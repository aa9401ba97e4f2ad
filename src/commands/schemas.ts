/**
 * The fields of the API's objects that this program reads or promises. Always loose: the API's own fields are relayed, and unknown
 * ones survive. Names and nullability from the V2 document; optional where versions of it differ, and where V1 has other names.
 */
import * as v from "valibot";

const text = v.string();
const maybe = v.optional(v.nullable(text));
const whole = v.optional(v.nullable(v.number()));
const times = { createdAt: v.optional(text), updatedAt: v.optional(text), created_on: v.optional(text) };
/** V1's ids are numbers. */
const base = { id: v.union([text, v.number()]), legacyId: v.optional(v.number()) };

export const Balance = v.looseObject({ total: text, pending: v.optional(text) });

export const Account = v.looseObject({
  ...base,
  name: v.optional(text),
  currency: v.optional(text),
  network: v.optional(text),
  contractAddress: maybe,
  index: v.optional(v.number()),
  derivationPath: v.optional(text),
  status: v.optional(text),
  ...times,
  /** V1: the total alone. */
  balance: v.optional(v.union([Balance, text])),
  available_balance: v.optional(text),
  pending_balance: v.optional(text),
  asset: v.optional(v.looseObject({})),
  governance: v.optional(v.looseObject({})),
});

export const User = v.looseObject({
  ...base,
  legacyViewAll: v.optional(v.boolean()),
  workspaceName: v.optional(text),
  name: v.optional(text),
  username: v.optional(text),
  deviceUserId: maybe,
  deviceType: v.optional(text),
  role: v.optional(text),
  pubKey: v.optional(text),
  status: v.optional(text),
  isSuspended: v.optional(v.boolean()),
  ...times,
});

export const Group = v.looseObject({
  ...base,
  name: v.optional(text),
  description: maybe,
  status: v.optional(text),
  users: v.optional(v.array(v.looseObject({}))),
  members: v.optional(v.array(v.nullable(v.number()))),
  ...times,
});

export const Whitelist = v.looseObject({
  ...base,
  name: v.optional(text),
  description: maybe,
  status: v.optional(text),
  addresses: v.optional(v.array(v.looseObject({}))),
  ...times,
});

export const Policy = v.looseObject({
  ...base,
  name: v.optional(text),
  description: maybe,
  currency: maybe,
  network: maybe,
  isPrivate: v.optional(v.boolean()),
  type: v.optional(text),
  rules: v.optional(v.array(v.looseObject({}))),
  whitelists: v.optional(v.array(v.looseObject({}))),
  users: v.optional(v.array(v.looseObject({}))),
  groups: v.optional(v.array(v.looseObject({}))),
  ...times,
});

export const Entity = v.looseObject({ ...base, name: v.optional(text), status: v.optional(text), ...times });

export const Transaction = v.looseObject({
  ...base,
  accountId: v.optional(text),
  account_id: v.optional(v.number()),
  type: v.optional(text),
  status: v.optional(text),
  amount: maybe,
  fees: maybe,
  maxFees: maybe,
  currency: v.optional(text),
  recipient: maybe,
  senders: v.optional(v.nullable(v.array(text))),
  hash: maybe,
  confirmations: v.optional(v.number()),
  block: v.optional(v.nullable(v.looseObject({}))),
  createdAt: v.optional(text),
});

export const Estimate = v.looseObject({
  maxFees: v.optional(text),
  coinFields: v.optional(v.looseObject({})),
  max_fees: v.optional(text),
  coin_fields: v.optional(v.looseObject({})),
});

export const Request = v.looseObject({
  ...base,
  type: v.optional(text),
  data: v.optional(v.looseObject({})),
  state: v.optional(text),
  status: v.optional(text),
  target_id: whole,
  target_type: v.optional(text),
  reviewSteps: v.optional(v.array(v.looseObject({}))),
  currentStepIndex: v.optional(v.number()),
  expiredAt: v.optional(text),
  targetId: maybe,
  note: v.optional(v.looseObject({ title: v.optional(text), content: v.optional(text) })),
  reviews: v.optional(v.array(v.looseObject({}))),
  ...times,
  inflight: v.optional(v.looseObject({})),
});

export const GovernanceStatus = v.looseObject({
  governance_steps: v.array(v.looseObject({ quorum: v.number() })),
  is_complete: v.boolean(),
  request: v.looseObject({}),
});

/** What the dry run of a command that writes prints: the request as it would be sent, secrets masked. */
export const DryRun = v.looseObject({
  dryRun: v.literal(true),
  request: v.looseObject({ method: text, url: text, headers: v.record(text, text), body: v.unknown() }),
});

/** What a review says (SPEC §4). */
export const Review = {
  requestId: text,
  differences: v.array(v.unknown()),
  unverified: v.array(text),
  requestOnly: v.array(text),
  challenge: text,
  decoded: v.nullable(v.looseObject({})),
  payloadSha256: text,
};
