/** The policy as the acts ask it: decide before anything is kept, reserve under the lock. */
import type { Intent } from "../acts.ts";
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
  /** Throws POLICY_DENIED where the policy forbids to repeat a request on purpose. */
  requireAgain(): void;
}

export interface PolicyStage {
  /** Throws POLICY_DENIED, POLICY_INVALID, POLICY_INSECURE, READ_ONLY. Keeps nothing. */
  decide(intent: Intent, journal: Journal, uid: number | undefined): Promise<Decision>;
}

/** Allows everything: no policy file applies. */
export const NO_POLICY: PolicyStage = {
  decide: async () => ({
    rules: [],
    policySha256: [],
    clock: undefined,
    reserve: () => undefined,
    requireAgain: () => undefined,
  }),
};
