/** Files of this machine that only its administrator writes. */

/** The policy that applies whenever it exists. */
export const SYSTEM_POLICY = "/etc/ledger-enterprise-cli/policy.json";
/** Stops every write and signature, policy or not. */
export const STOP_FILE = "/etc/ledger-enterprise-cli/stop";
