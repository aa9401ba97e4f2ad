/** The policy as the acts ask it, loaded only where something on this machine can refuse. */
import type { PolicyStage } from "./stage.ts";

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
    // One that appeared since the decision is noted with the next act.
    files: () => (applies() ? loaded?.files?.() : []),
  };
}
