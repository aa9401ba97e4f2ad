/** The policy as the acts ask it, loaded only where something on this machine can refuse. */
import type { CliError } from "../../errors.ts";
import type { Intent } from "../acts.ts";
import type { StatedDebit } from "../state/audit.ts";
import type { Debit, Journal } from "../state/journal.ts";

/** A verdict that allows; a refusal is thrown. */
export interface Decision {
  /** Ids of the rules that allowed it. */
  readonly rules: readonly string[];
  /** Digests of the policy files that were asked; empty without one. */
  readonly policySha256: readonly string[];
  /** The API's clock, ms since 1970, if it is known. */
  readonly clock: number | undefined;
  /**
   * Checks the windows against the journal as it is now and returns what the act takes out of them;
   * undefined when another entry of the same request has it. Throws POLICY_DENIED.
   */
  reserve(journal: Journal): Debit | undefined;
  /** POLICY_DENIED where the policy forbids to repeat a request on purpose. */
  againRefused(): CliError | undefined;
}

/** What each act asks of the policies. */
export interface PolicyStage {
  /** Throws POLICY_DENIED, POLICY_INVALID, POLICY_INSECURE, READ_ONLY. Keeps nothing. */
  decide(intent: Intent, journal: Journal, uid: number | undefined): Promise<Decision>;
  /**
   * Digests of the files that apply now; undefined while one cannot be used. Absent where no policy
   * can apply.
   */
  files?(): readonly string[] | undefined;
  /** The payment that an act is about, as its document says it; undefined where none is read. */
  stated?(intent: Intent): StatedDebit | undefined;
  /** Whether everything may be stopped by now. Absent where nothing can stop it. */
  isStopped?(): boolean;
}

/** Allows everything: no policy file applies. */
export const NO_POLICY: PolicyStage = {
  decide: async () => ({
    rules: [],
    policySha256: [],
    clock: undefined,
    reserve: () => undefined,
    againRefused: () => undefined,
  }),
};

/**
 * The stage that `load` makes, from the first decision on at which `applies` is true; until then
 * everything is allowed. `applies` is asked anew for each decision.
 */
export function policyWhere(applies: () => boolean, load: () => Promise<PolicyStage>): PolicyStage {
  let loaded: PolicyStage | undefined;
  return {
    async decide(intent, journal, uid) {
      if (!applies()) return NO_POLICY.decide(intent, journal, uid);
      loaded ??= await load();
      return loaded.decide(intent, journal, uid);
    },
    // One that appeared since the last decision is not known before the next.
    files: () => (applies() ? loaded?.files?.() : []),
    stated: (intent) => loaded?.stated?.(intent),
    isStopped: () => (loaded === undefined ? applies() : (loaded.isStopped?.() ?? false)),
  };
}
