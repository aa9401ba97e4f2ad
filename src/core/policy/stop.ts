/** What stops every write and signature at once. */
import { CliError } from "../../errors.ts";
import { loadPolicies } from "./load.ts";
import { isStopped, type Stop } from "./places.ts";

/** What stops everything now, if anything does; policies that are not valid do not say. */
export function stopOf(policies: () => readonly { readonly stopped: boolean }[]): Stop | null {
  if (isStopped()) return "stopFile";
  try {
    return policies().some(({ stopped }) => stopped) ? "policy" : null;
  } catch (cause) {
    if (cause instanceof CliError) return null;
    throw cause;
  }
}

/** The same of this machine, `named` being the value of LEDGER_ENTERPRISE_POLICY_FILE. */
export function stopHere(named: string | undefined, uid: number | undefined): Stop | null {
  return stopOf(() => loadPolicies(named, uid));
}
