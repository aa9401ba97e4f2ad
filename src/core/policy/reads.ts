/** `reads` of the policies: which operations a reading command may carry out. */
import type { Log } from "../../io/log.ts";
import type { Reader } from "../api/api.ts";
import { denied } from "./decide.ts";
import { type Policy, validPolicies } from "./load.ts";

/**
 * The reader, as far as every policy lets it read; a free path is `api`. A file that is broken
 * stops writes, and not reads: it is a warning. The refusal is POLICY_DENIED.
 */
export function readable(
  reader: Reader,
  named: string | undefined,
  uid: number | undefined,
  log: Pick<Log, "warn">,
  system?: string,
): Reader {
  const policies = validPolicies(named, uid, system, ({ code, message }) => {
    log.warn(code, `${message} Reads go on without it; writes and signatures are refused.`);
  });
  const require = (name: string): void => requireReadable(policies, name);
  return {
    ...reader,
    async read(name, parameters, document, companion) {
      require(name);
      return reader.read(name, parameters, document, companion);
    },
    async get(path, query) {
      require("api");
      return reader.get(path, query);
    },
  };
}

/** Throws POLICY_DENIED unless every policy lets this operation be read. */
export function requireReadable(policies: readonly Policy[], name: string): void {
  const strict = policies.find(
    ({ reads }) => reads === "none" || (reads !== "all" && !reads.includes(name)),
  );
  if (strict !== undefined) throw denied(strict, "reads");
}
