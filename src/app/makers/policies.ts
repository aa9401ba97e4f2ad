/** The policies of this machine, in words and for one document. */
import type { Bar } from "../../core/policy/words.ts";
import { Exact } from "../../io/json.ts";
import type { Run } from "../occasion.ts";

/** Asks the files in force, or a candidate in their place. */
export async function policiesOf(run: Run) {
  const [load, words, { isStopped }, { decodeChallenge }] = await Promise.all([
    import("../../core/policy/load.ts"),
    import("../../core/policy/words.ts"),
    import("../../core/policy/places.ts"),
    import("../../core/signing/challenge.ts"),
  ]);
  return asked(load, { ...words, isStopped }, decodeChallenge, run);
}

type Words = typeof import("../../core/policy/words.ts") &
  Pick<typeof import("../../core/policy/places.ts"), "isStopped">;

function asked(
  { loadCandidate, loadPolicies, warnOfTrust }: typeof import("../../core/policy/load.ts"),
  { READ_ONLY, STOP, check, inWords, isStopped }: Words,
  decode: (text: string) => { readonly document: Exact | undefined },
  { config, context: { uid }, log }: Run,
) {
  const named = config.plain("POLICY_FILE");
  // Come before every file in force. A candidate is shown for itself.
  const barsOf = (file: string | undefined): readonly Bar[] =>
    file === undefined
      ? [...(config.readOnly ? [READ_ONLY] : []), ...(isStopped() ? [STOP] : [])]
      : [];
  const filesOf = (file: string | undefined) =>
    file === undefined ? loadPolicies(named, uid) : [loadCandidate(file)];
  return {
    show: (file: string | undefined) => {
      const told = filesOf(file).map((one) => {
        return { id: one.id, sha256: one.sha256, text: inWords(one) };
      });
      if (file !== undefined) warnOfTrust(file, uid, log);
      const nothing = { id: null, sha256: null, text: ["No policy file applies."] };
      const [{ text, ...first } = nothing, second] = told;
      const shown = { ...first, text: [...barsOf(file).map((bar) => bar.text), ...text] };
      return second === undefined ? shown : { ...shown, also: second };
    },
    check(
      given: { readonly requestData: Exact | undefined; readonly challenge: string | undefined },
      file: string | undefined,
    ) {
      const isCreate = given.challenge === undefined;
      const document = isCreate ? given.requestData : decode(given.challenge).document;
      const verdicts = filesOf(file).map((one) =>
        check(one, document ?? new Exact("{}"), isCreate ? "create" : "approve"),
      );
      verdicts.unshift(...barsOf(file).map(({ verdict }) => verdict));
      const isDenied = verdicts.some(({ allowed }) => allowed === false);
      const isOpen = verdicts.some(({ allowed }) => allowed === null);
      const rules = verdicts.flatMap((verdict) => verdict.rules);
      return { allowed: isDenied ? false : isOpen ? null : true, rules };
    },
  };
}
