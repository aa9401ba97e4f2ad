/** `requests governanceStatus`: who has approved, and who may (V1). */
import * as v from "valibot";
import { getOf } from "../parts/resource.ts";

const GovernanceStatus = () =>
  v.looseObject({
    governance_steps: v.array(v.looseObject({ quorum: v.number() })),
    is_complete: v.boolean(),
    request: v.looseObject({}),
  });

export const governanceStatus = getOf({
  summary: "Steps, quorums and approvals of a request on API V1.",
  operation: "requests.governanceStatus",
  item: GovernanceStatus,
  of: "request",
  examples: [
    { line: "requests governanceStatus --id REQUEST_ID", means: "Who has approved, and who may" },
  ],
});
