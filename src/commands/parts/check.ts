/** A document held to the catalogue before it is sent. */
import type { CheckOptions, UnknownType } from "../../core/meaning/check.ts";
import type { Exact } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";

interface Host {
  readonly catalogue: {
    check(document: Exact, options: CheckOptions): Promise<UnknownType | undefined>;
  };
  readonly log: Log;
}

/**
 * Checks a request that is to be created or estimated, and warns when its type is not known. Throws
 * INVALID_REQUEST_DATA, INVALID_AMOUNT.
 */
export async function checkNew(
  { catalogue, log }: Host,
  document: Exact,
  options: Partial<CheckOptions> & Pick<CheckOptions, "version">,
): Promise<void> {
  const create = { purpose: "create" as const, option: "--requestData", allowUnknown: false };
  const unknown = await catalogue.check(document, { ...create, ...options });
  if (unknown === undefined) return;
  const name = JSON.stringify(unknown.type.slice(0, 100));
  const message = `The program does not know the data of ${name} requests: nothing in it was checked.`;
  log.warn("UNKNOWN_TYPE", message);
}
