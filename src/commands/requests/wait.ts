/** `requests wait`: until a request is final, or in a named state. */
import * as v from "valibot";
import { many, seconds, text, withDefault } from "../../cli/argument.ts";
import { nearest } from "../../cli/nearest.ts";
import { KNOWN_STATES } from "../../core/api/states.ts";
import { waitForState } from "../../core/api/wait.ts";
import type { Log } from "../../io/log.ts";
import { command } from "../parts/command.ts";
import { Request } from "../parts/schemas.ts";
import { REQUEST_ID } from "./id.ts";

/** A wait for a misspelled state would only ever run out of time. */
function warnIfUnknown(state: string, log: Log): void {
  if (KNOWN_STATES.includes(state.toUpperCase())) return;
  const guess = nearest(state, KNOWN_STATES);
  const meant = guess === undefined ? "" : ` Did you mean ${guess}?`;
  log.warn(
    "UNKNOWN_STATE",
    `--state names a state that this program does not know.${meant} Known ones: ${KNOWN_STATES.join(", ")}.`,
  );
}

export const wait = command({
  summary: "Wait until a request is final, or in a named state.",
  notes: [
    "Without --state on V1: a transaction until SUBMITTED or CONFIRMED, anything else until APPROVED, ACTIVE or COMPLETED.",
    "Without --state on V2: until APPROVED, SIGNED, SUBMITTED, CONFIRMED, ACTIVE or COMPLETED. Another final state is exit 1.",
    'Approved is not broadcast: `"broadcast":"unknown"` says that the state alone does not show it; look at the transaction, or at `inflight` with \'requests get --withInflight\'.',
    "--timeout belongs to this command and replaces the global one; it includes the last look.",
  ],
  effect: "read",
  needs: ["reader", "clock", "log"],
  args: {
    id: REQUEST_ID,
    state: many(
      text(`Wait for this state. Known ones: ${KNOWN_STATES.join(", ")}.`, "<STATE>", 64),
    ),
    timeout: withDefault(seconds("Seconds to wait.", 1, 604_800), 3600),
    interval: withDefault(seconds("Seconds between two looks.", 0.1, 3600), 5),
  },
  output: () =>
    v.looseObject({
      reached: v.literal(true),
      broadcast: v.optional(v.literal("unknown")),
      request: Request(),
    }),
  fails: ["WAIT_TIMEOUT", "WAIT_OTHER_STATE"],
  fields: "object",
  agent: "tool",
  examples: [{ line: "requests wait --id REQUEST_ID --timeout 600", means: "Up to ten minutes" }],
  run: async ({ reader, clock, log }, { id: waited, state, timeout, interval }) => {
    for (const name of state) warnIfUnknown(name, log);
    const plan = { states: state, timeoutMs: timeout * 1000, intervalMs: interval * 1000 };
    const { request, broadcast } = await waitForState({ reader, clock, log }, waited, plan);
    return { reached: true, broadcast, request };
  },
});
