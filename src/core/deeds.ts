/** What was carried out, in words for who got no answer that says it. */
import type { Deed } from "./acts.ts";

const DONE = {
  create: "was created",
  approve: "was approved",
  reject: "was rejected",
  deviceApprove: "was approved with the device",
} satisfies Record<Deed["kind"], string>;

/** An id may be anything that a server answered. */
const LONGEST_ID = 128;

/** `Request 42 was created (key …)`, without a full stop. */
export function deedText({ kind, requestId, key }: Deed): string {
  const named =
    requestId === undefined
      ? "A request without an id"
      : `Request ${requestId.slice(0, LONGEST_ID)}`;
  return `${named} ${DONE[kind]}${key === undefined ? "" : ` (key ${key})`}`;
}
