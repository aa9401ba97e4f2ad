/**
 * Looks at everything that a command will need and says what is wrong with it, without changing
 * anything. Each check is independent: what one of them cannot learn is left to the one that can.
 * No value of a setting appears, only where it comes from.
 */
import { fingerprint } from "../auth/key.ts";
import { type Finding, ok, type Patient, problem, warn } from "./finding.ts";
import { MACHINE_CHECKS } from "./machine.ts";
import { NETWORK_CHECKS } from "./network.ts";

/** Every finding, in the order of the tables; with `offline`, nothing is sent. */
export async function examine(patient: Patient, offline: boolean): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of offline ? MACHINE_CHECKS : [...MACHINE_CHECKS, ...NETWORK_CHECKS]) {
    try {
      findings.push(...(await check(patient)));
    } catch (cause) {
      findings.push(problem(name, cause));
    }
  }
  return findings;
}

/**
 * Starts the external signer and compares its public key with the configured one; without a signer
 * there is nothing to ask.
 */
export async function askSigner(patient: Patient): Promise<Finding[]> {
  try {
    const details = { fingerprint: fingerprint(await patient.signerKey()) };
    if (patient.config.publicKey() !== undefined)
      return [ok("signer", "The signer answers, and has the configured key.", details)];
    const fix = "Set LEDGER_ENTERPRISE_API_PUBLIC_KEY to what 'keys public --signer' prints.";
    return [warn("signer", "The signer answers; its public key is not configured.", fix, details)];
  } catch (cause) {
    return [problem("signer", cause)];
  }
}
