/** The documents that several commands print. Always loose, as in fields.ts. */
import * as v from "valibot";
import { base, given, maybe, times, whole } from "./fields.ts";

const text = v.string();

/** A request of the workspace, as either API version has it. */
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
    expiresAt: given,
    expiredAt: given,
    createdById: given,
    targetId: maybe,
    note: v.optional(v.looseObject({ title: given, content: given })),
    reviews: v.optional(v.array(v.looseObject({}))),
    ...times,
    inflight: v.optional(v.looseObject({})),
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

/** What a review says (specification §4). */
export const Review = () => ({
  requestId: text,
  match: v.boolean(),
  sources: v.array(v.picklist(["record", "server", "account"])),
  differences: v.array(v.unknown()),
  unverified: v.array(text),
  decoded: v.nullable(v.looseObject({})),
  payloadSha256: text,
  challenge: text,
  requestOnly: v.array(text),
});

const part = v.optional(v.nullable(v.looseObject({})));

/** What a request or a challenge means, for a person. */
export const Summary = () =>
  v.looseObject({
    version: v.literal(1),
    of: v.picklist(["draft", "request", "challenge"]),
    complete: v.boolean(),
    action: v.nullable(text),
    text: v.array(text),
    account: part,
    network: part,
    amount: v.optional(v.nullable(v.looseObject({ text: maybe, base: given }))),
    fee: v.optional(v.nullable(v.looseObject({ text: maybe, base: given }))),
    recipient: v.optional(v.nullable(v.looseObject({ address: given }))),
    call: part,
    message: part,
    others: v.optional(v.array(v.looseObject({ name: text, value: text }))),
    warnings: v.array(v.looseObject({ code: text, grave: v.boolean(), at: text, message: text })),
    notExplained: v.optional(v.array(text)),
  });

/** Requests of the last seven days that may be the same payment, and how many were looked at. */
export const Similar = () => ({
  similar: v.optional(
    v.array(v.looseObject({ id: text, state: v.nullable(text), same: v.array(text) })),
  ),
  similarRead: v.optional(v.picklist(["all", "some", "none"])),
});
