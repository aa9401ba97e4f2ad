/** The policies of this machine, in words and for one document. */

import { resolve } from "node:path";
import { CliError } from "../../errors.ts";
import { Exact } from "../../io/json.ts";
import { wordOf } from "../../io/word.ts";
import type { Run } from "../occasion.ts";

/** Asks the files in force, or a candidate in their place. */
export async function policiesOf(run: Run) {
  const [load, words, { decodeChallenge }] = await Promise.all([
    import("../../core/policy/load.ts"),
    import("../../core/policy/words.ts"),
    import("../../core/signing/challenge.ts"),
  ]);
  return asked(load, words, decodeChallenge, run);
}

function asked(
  { loadPolicies, parsePolicy, readPolicyFile }: typeof import("../../core/policy/load.ts"),
  { READ_ONLY, check, inWords }: typeof import("../../core/policy/words.ts"),
  decode: (text: string) => { readonly document: Exact | undefined },
  { config, context: { uid }, log }: Run,
) {
  const named = config.plain("POLICY_FILE");
  // Comes before every file in force. A candidate is shown for itself.
  const isReadOnly = (file: string | undefined): boolean => file === undefined && config.readOnly;
  const filesOf = (file: string | undefined) => {
    if (file === undefined) return loadPolicies(named, uid);
    const bytes = readPolicyFile(file, undefined);
    if (bytes !== undefined) return [parsePolicy(bytes, file)];
    const word = wordOf(file);
    throw new CliError("INVALID_PATH", {
      message: word === undefined ? "There is no such file." : `There is no file ${word}.`,
      field: "--file",
      details: { path: file },
    });
  };
  /** Says that a candidate would be refused where it is. */
  const warnOfTrust = (file: string): void => {
    try {
      readPolicyFile(resolve(file), uid);
    } catch (cause) {
      if (!(cause instanceof CliError) || cause.code !== "POLICY_INSECURE") throw cause;
      log.warn(cause.code, `${cause.facts.message} It would be refused where it is.`);
    }
  };
  return {
    show: (file: string | undefined) => {
      const told = filesOf(file).map((one) => {
        return { id: one.id, sha256: one.sha256, text: inWords(one) };
      });
      if (file !== undefined) warnOfTrust(file);
      const nothing = { id: null, sha256: null, text: ["No policy file applies."] };
      const [{ text, ...first } = nothing, second] = told;
      const shown = { ...first, text: [...(isReadOnly(file) ? [READ_ONLY.text] : []), ...text] };
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
      if (isReadOnly(file)) verdicts.unshift(READ_ONLY.verdict);
      const isDenied = verdicts.some(({ allowed }) => allowed === false);
      const isOpen = verdicts.some(({ allowed }) => allowed === null);
      const rules = verdicts.flatMap((verdict) => verdict.rules);
      return { allowed: isDenied ? false : isOpen ? null : true, rules };
    },
  };
}
