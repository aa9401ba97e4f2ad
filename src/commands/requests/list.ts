/** `requests list`: by state, type and people. */
import { id, many, text } from "../../cli/argument.ts";
import { KNOWN_STATES } from "../../core/api/states.ts";
import { listOf } from "../parts/resource.ts";
import { Request } from "../parts/schemas.ts";

const userOrMe = (what: string) => id(`Only requests ${what}: user id or 'me'.`);

export const list = listOf({
  summary: "List requests; API V2 starts with the oldest, V1 with the newest.",
  operation: "requests.list",
  agent: "tool",
  item: Request,
  columns: [
    "id",
    "type",
    "state|status",
    "createdById|created_by",
    "createdAt|created_on",
    "expiresAt|expires_at",
  ],
  sortBy: ["state", "expiresAt", "createdAt", "updatedAt"],
  checked: {
    type: ["type"],
    state: ["state", "status"],
    targetId: ["targetId", "target_id"],
  },
  notes: [
    "A row that does not fit --type, --state or --targetId ends the command: INVALID_RESPONSE.",
  ],
  filters: {
    type: many(text("Only this type.", "<TYPE>", 64)),
    state: many(text(`Only this state. Known ones: ${KNOWN_STATES.join(", ")}.`, "<STATE>", 64)),
    targetId: id("Only requests that act on this object."),
    createdBy: userOrMe("created by this user"),
    reviewedBy: userOrMe("this user has reviewed"),
    pendingBy: userOrMe("that wait for this user"),
    fromDate: text("Created at or after this time, ISO 8601.", "<date>", 64),
    toDate: text("Created at or before this time, ISO 8601.", "<date>", 64),
  },
  examples: [
    { line: "requests list --pendingBy me", means: "What waits for my approval" },
    {
      line: "requests list --createdBy me --sortOrder desc --pageSize 5",
      means: "My latest five",
    },
  ],
});
