/** Files of this machine that only its administrator writes. */
import { lstatSync, readdirSync } from "node:fs";
import { errnoOf } from "../../io/errno.ts";

/** The policy that applies whenever it exists. */
export const SYSTEM_POLICY = "/etc/ledger-enterprise-cli/policy.json";
/** Stops every write and signature, policy or not. */
export const STOP_FILE = "/etc/ledger-enterprise-cli/stop";
/** Where the units of the Debian package put a guard's socket. */
const GUARD_SOCKETS = "/run/ledger-enterprise-guard";

/** The ways in which a person stops everything. */
export const STOPS = ["stopFile", "policy"] as const;
export type Stop = (typeof STOPS)[number];

/**
 * Level of protection in a process of the agent's own user: `advisory` where a policy applies,
 * `named` being the value of LEDGER_ENTERPRISE_POLICY_FILE.
 */
export function levelOf(named: string | undefined): "none" | "advisory" {
  return named !== undefined || isThere(SYSTEM_POLICY) ? "advisory" : "none";
}

/** Whether something is at a path; a place that cannot be looked at counts as taken. */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (cause) {
    return errnoOf(cause) !== "ENOENT" && errnoOf(cause) !== "ENOTDIR";
  }
}

/** True when the stop file is there or cannot be looked for. */
export function isStopped(path = STOP_FILE): boolean {
  return isThere(path);
}

/** The sockets of this machine's guards, as far as this user may see them. */
export function guardSockets(): readonly string[] {
  try {
    const names = readdirSync(GUARD_SOCKETS).filter((name) =>
      /^[A-Za-z0-9_@.-]+\.sock$/.test(name),
    );
    return names.sort().map((name) => `${GUARD_SOCKETS}/${name}`);
  } catch {
    return [];
  }
}
