/** Failures that name the variables at fault, and never their values. */
import { CliError } from "../../errors.ts";

/** What the name of each variable of this program begins with. */
export const PREFIX = "LEDGER_ENTERPRISE_";

/** CONFIG_CONFLICT: an option and a variable disagree; `name` is the variable without prefix. */
export function conflict(option: string, name: string): CliError {
  return new CliError("CONFIG_CONFLICT", {
    message: `${option} and ${PREFIX}${name} name different values.`,
    field: option,
  });
}

/** CONFIG_CONFLICT: two variables are set of which only one may be. */
export function bothSet(one: string, other: string): CliError {
  return new CliError("CONFIG_CONFLICT", {
    message: `Both ${one} and ${other} are set.`,
    field: one,
  });
}

/** MISSING_CREDENTIALS for a signer without the public key that its signatures must verify with. */
export function missingPublicKey(): CliError {
  return missing([`${PREFIX}API_PUBLIC_KEY`]);
}

/** MISSING_CREDENTIALS for a question that only an external signer answers. */
export function missingSigner(): CliError {
  return missing([`${PREFIX}SIGNER`]);
}

/** MISSING_CREDENTIALS for a command that must sign. */
export function missingPrivateKey(): CliError {
  return missing([`${PREFIX}API_PRIVATE_KEY`]);
}

/** MISSING_CREDENTIALS that names all of these variables. */
export function missing(names: readonly string[]): CliError {
  return new CliError("MISSING_CREDENTIALS", {
    message: `Not set: ${names.join(", ")}.`,
    field: names[0] ?? "",
    details: { missing: names },
  });
}
