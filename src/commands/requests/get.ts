/** `requests get`: one request. */
import { flag } from "../../cli/argument.ts";
import { getOf } from "../parts/resource.ts";
import { Request } from "../parts/schemas.ts";

export const get = getOf({
  summary: "One request.",
  operation: "requests.get",
  agent: "tool",
  item: Request,
  of: "request",
  args: { withInflight: flag("Add the progress of what follows the last approval.") },
  examples: [{ line: "requests get --id REQUEST_ID", means: "State, steps and reviews" }],
});
