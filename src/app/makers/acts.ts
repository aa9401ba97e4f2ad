/** What writes and signatures pass. */
import type { Acts } from "../../core/acts.ts";
import { isStopped, levelOf } from "../../core/policy/places.ts";
import type { Books } from "../../core/state/books.ts";
import { CliError } from "../../errors.ts";
import type { Occasion } from "../occasion.ts";
import { type ActsPlace, overseen } from "../oversight.ts";

/** What writes and signatures of a run pass; its stages are made with the first of them. */
export async function openActs(
  { name, deeds, context, log, config, oversight, service }: Occasion,
  books: () => Promise<Books>,
  api: ActsPlace,
): Promise<Acts> {
  const [{ Acts }, { SendingTime }] = await Promise.all([
    import("../../core/acts.ts"),
    import("../../core/sending.ts"),
  ]);
  const stages = async () => {
    const [{ createStages }, { policyWhere }] = await Promise.all([
      import("../../core/belts.ts"),
      import("../../core/policy/open.ts"),
    ]);
    const { uid, now } = context;
    const own = await books();
    const named = () => config.plain("POLICY_FILE");
    // A guard's clients have rules of their own.
    const applies = () =>
      service !== undefined || config.readOnly || levelOf(named()) !== "none" || isStopped();
    const policy = policyWhere(applies, async () => {
      const [{ createPolicy }, { createReader }, { loadPolicies }] = await Promise.all([
        import("../../core/policy/stage.ts"),
        import("../../core/api/api.ts"),
        import("../../core/policy/load.ts"),
      ]);
      return createPolicy({
        isReadOnly: config.readOnly,
        policies: () => inForce(loadPolicies(named(), uid), service),
        isStopped: () => isStopped(),
        ...{ reader: createReader(api.access()), clock: api.clock, books: own },
      });
    });
    const common = { books: own, policy, log, now, apiTime: () => api.clock.told() };
    if (service === undefined) return createStages({ ...common, uid });
    const { agent, keepsDenial } = service;
    const theirs = { uid: agent.uid, agent, keepsDenial: () => keepsDenial() };
    return service.around(createStages({ ...common, ...theirs }));
  };
  const clocks = { now: context.now, elapsed: () => performance.now() };
  const sendingTime = () => new SendingTime(api.timeLeftMs(), clocks);
  return new Acts({ command: name, deeds, stages, sendingTime, ...overseen(oversight, api) });
}

/** A guard never acts without a policy. Throws POLICY_INVALID. */
export function inForce<P>(policies: readonly P[], service: unknown): readonly P[] {
  if (service === undefined || policies.length > 0) return policies;
  throw new CliError("POLICY_INVALID", {
    message: "No policy file applies, and a guard does nothing without one.",
  });
}
