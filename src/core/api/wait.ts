/** Waiting for a request to reach a state. */
import { CliError } from "../../errors.ts";
import { type Exact, value } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import type { Runtime } from "../../io/runtime.ts";
import { wordOf } from "../../io/word.ts";
import type { Reader } from "./api.ts";
import { adviceFor, arrivalsOf, isFinal, isUnsent } from "./states.ts";

const FAILURES_IN_A_ROW = 3;
/** So long before the end the last look begins, or a quarter of the time before it. */
const LAST_LOOK_MS = 1000;

interface Watch {
  readonly reader: Reader;
  readonly log: Log;
  readonly clock: Pick<Runtime, "now" | "sleep" | "stop">;
}

interface WaitPlan {
  readonly states: readonly string[];
  readonly timeoutMs: number;
  readonly intervalMs: number;
}

/** A request in one of the states that were waited for. */
interface Reached {
  readonly request: Exact;
  /** Absent where the state itself says that the network has the transaction. */
  readonly broadcast?: "unknown";
}

/**
 * Looks every `intervalMs` and returns the request once it is in one of `states`, or final. Throws
 * WAIT_OTHER_STATE and WAIT_TIMEOUT with the last request in `details`. A look that fails in a way
 * that may pass is repeated; three in a row end the wait, and so does one at the end of the time
 * when there was no answer before: it says why.
 */
export async function waitForState(watch: Watch, id: string, plan: WaitPlan): Promise<Reached> {
  const { clock } = watch;
  const { apiVersion } = await watch.reader.session();
  // States are written in capitals; a wait for one that was typed otherwise would only ever run out
  // of time.
  const named = plan.states.map((state) => state.toUpperCase());
  const start = clock.now();
  const deadline = start + plan.timeoutMs;
  let looks = 0;
  // The system's clock may be set back; `stop` may not.
  const leftMs = (): number => (clock.stop.aborted ? 0 : deadline - clock.now());
  let failures = 0;
  let last: Exact | null = null;
  for (;;) {
    const seen: Exact | CliError = await look(watch.reader, id);
    if (seen instanceof CliError) {
      failures += 1;
      const passing =
        seen.facts.retryable ??
        [
          "TIMEOUT",
          "CONNECTION_RESET",
          "NETWORK_ERROR",
          "DNS_ERROR",
          "RATE_LIMITED",
          "SERVER_ERROR",
        ].includes(seen.code);
      if (!passing || failures >= FAILURES_IN_A_ROW || (leftMs() <= 0 && last === null)) throw seen;
    } else {
      failures = 0;
      last = seen;
      const state = stateOf(seen).toUpperCase();
      watch.log.debug("looked at the request", { state });
      looks += 1;
      const seconds = Math.round((clock.now() - start) / 1000);
      const of = Math.round(plan.timeoutMs / 1000);
      watch.log.progress(`${state}, look ${looks}, ${seconds} of ${of} s`);
      const arrivals = arrivalsOf(apiVersion, seen);
      const wanted = named.length > 0 ? named : arrivals;
      if (wanted.includes(state)) {
        const isOpen = apiVersion === "v2" && isUnsent(state, seen);
        return { request: seen, ...(isOpen ? { broadcast: "unknown" } : {}) };
      }
      if (isFinal(state, arrivals, wanted))
        throw ended("WAIT_OTHER_STATE", "The request ended in another state.", last);
    }
    const pauseMs = leftMs() - Math.min(LAST_LOOK_MS, plan.timeoutMs / 4);
    if (pauseMs <= 0)
      throw ended("WAIT_TIMEOUT", "The request did not reach the state in time.", last);
    await clock.sleep(Math.min(plan.intervalMs, pauseMs), clock.stop).catch(() => undefined);
  }
}

async function look(reader: Reader, id: string): Promise<Exact | CliError> {
  try {
    return await reader.read("requests.get", { id });
  } catch (cause) {
    if (cause instanceof CliError) return cause;
    throw cause;
  }
}

/** V2 says `state`, V1 says `status`. */
function stateOf(request: Exact): string {
  const fields = (value(request) ?? {}) as Record<string, unknown>;
  const state = fields.state ?? fields.status;
  if (typeof state === "string") return state;
  throw new CliError("INVALID_RESPONSE", {
    message: "The request has no 'state'.",
    field: "state",
  });
}

function ended(
  code: "WAIT_OTHER_STATE" | "WAIT_TIMEOUT",
  message: string,
  request: Exact | null,
): CliError {
  const state = request === null ? "" : stateOf(request).toUpperCase();
  const hint =
    code === "WAIT_OTHER_STATE" || isUnsentIn(request, state) ? adviceFor(state) : undefined;
  const waitingFor = code === "WAIT_TIMEOUT" && request !== null ? pendingIn(request) : [];
  const details = {
    reached: false,
    ...(waitingFor.length === 0 ? {} : { waitingFor }),
    request,
  };
  const word = wordOf(state);
  const named = word === undefined ? message : `${message.slice(0, -1)}: it is ${word}.`;
  return new CliError(code, { message: named, details, ...(hint === undefined ? {} : { hint }) });
}

/** Ids of the users whose review is pending, where the request names them (V2). */
function pendingIn(request: Exact): string[] {
  const { reviews } = (value(request) ?? {}) as { reviews?: unknown };
  const all = Array.isArray(reviews) ? (reviews as Record<string, unknown>[]) : [];
  return all.flatMap((one) =>
    one?.status === "PENDING" && typeof one.userId === "string" ? [one.userId] : [],
  );
}

function isUnsentIn(request: Exact | null, state: string): boolean {
  return request !== null && isUnsent(state, request);
}
