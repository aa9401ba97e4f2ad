/** A document held to the catalogue of request types, which is loaded only then. */
import type { Exact } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import type { CheckOptions, UnknownType } from "./check.ts";

interface Catalogue {
  check(document: Exact, options: CheckOptions): Promise<UnknownType | undefined>;
  readonly log: Log;
}

/**
 * Checks a request that is to be created or estimated, and warns when its type is not known. Throws
 * INVALID_REQUEST_DATA, INVALID_AMOUNT.
 */
export async function checkNew(
  { check, log }: Catalogue,
  document: Exact,
  options: Partial<CheckOptions> & Pick<CheckOptions, "version">,
): Promise<void> {
  const create = { purpose: "create" as const, option: "--requestData", allowUnknown: false };
  const unknown = await check(document, { ...create, ...options });
  if (unknown === undefined) return;
  const name = JSON.stringify(unknown.type.slice(0, 100));
  const known =
    unknown.type === "CREATE_TRANSACTION"
      ? " It names no transactionType: let 'requests draft' write it, or see 'schema requestData CREATE_TRANSACTION'."
      : "";
  const message = `The program does not know the data of ${name} requests: nothing in it was checked.${known}`;
  log.warn("UNKNOWN_TYPE", message);
}
