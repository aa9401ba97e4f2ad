/** Files of this machine that only its administrator writes. */
import { existsSync } from "node:fs";

/** The policy that applies whenever it exists. */
export const SYSTEM_POLICY = "/etc/ledger-enterprise-cli/policy.json";
/** Stops every write and signature, policy or not. */
export const STOP_FILE = "/etc/ledger-enterprise-cli/stop";

/**
 * Level of protection in a process of the agent's own user: `advisory` where a policy applies, `named`
 * being the value of LEDGER_ENTERPRISE_POLICY_FILE.
 */
export function levelOf(named: string | undefined): "none" | "advisory" {
  return named !== undefined || existsSync(SYSTEM_POLICY) ? "advisory" : "none";
}
