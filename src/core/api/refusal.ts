/** What a refusal means for the operation that was asked for, in more words than the API has. */
import { CliError } from "../../errors.ts";
import { Exact, member } from "../../io/json.ts";
import type { OperationName } from "./dialect.ts";
import type { Parameters } from "./operation.ts";
import { refusedFields } from "./refusedfields.ts";

const BLOCKED =
  "Have a person check the account's policy, and whether account, group or whitelist have an edit that waits for approval.";
const UNFIT =
  "error.api contains the reason. Funds and fees, an edit of the account, group or whitelist that waits, or a sanctioned address can refuse a creation.";

const FINAL =
  "error.api has the server's words. A final request takes no more reviews: state of 'requests get' shows whether it is one.";

const NOT_YOURS =
  "error.api has the server's words. Either you reviewed it already, or you do not review the current step: look at reviewSteps and reviews of 'requests get' (API V1: 'requests governanceStatus').";

/** What refusals mean that the API tells at best in its own words. Source: the vendor's help. */
const REFUSED: Readonly<Record<string, string>> = {
  "FORBIDDEN requests.challenge": NOT_YOURS,
  "FORBIDDEN requests.rejectChallenge": NOT_YOURS,
  "FORBIDDEN requests.approve": NOT_YOURS,
  "FORBIDDEN requests.reject": NOT_YOURS,
  "FORBIDDEN requests.create": BLOCKED,
  "FORBIDDEN requests.createSui": BLOCKED,
  "BAD_REQUEST requests.approve": FINAL,
  "BAD_REQUEST requests.reject": FINAL,
  "BAD_REQUEST requests.challenge": FINAL,
  "BAD_REQUEST requests.rejectChallenge": FINAL,
  "BAD_REQUEST requests.create": UNFIT,
  "BAD_REQUEST requests.createSui": UNFIT,
};

/** An object that is not there is named by kind and id, with the command that finds it (D02). */
export function naming(
  cause: unknown,
  name: OperationName,
  parameters: Parameters,
  document: Exact | undefined,
): unknown {
  if (cause instanceof CliError && cause.code === "BAD_REQUEST")
    return hinted(namingFields(cause, document), name);
  if (cause instanceof CliError && cause.code === "FORBIDDEN") return hinted(cause, name);
  const id = parameters.id ?? parameters.accountId;
  if (!(cause instanceof CliError) || cause.code !== "NOT_FOUND" || typeof id !== "string")
    return cause;
  // Without the API's own words, what is missing is the API.
  if (cause.facts.api === undefined) return cause;
  const group = parameters.id === undefined ? "accounts" : (name.split(".")[0] ?? "");
  const kind = group.replace(/ies$/, "y").replace(/s$/, "");
  return new CliError("NOT_FOUND", {
    ...cause.facts,
    message: `The API has no ${kind} with the id '${id}'.`,
    hint: `Find the id with '${group} list'.`,
    details: { kind, id, list: `${group} list` },
    cause,
  });
}

/** The failure with what its refusal can mean for this operation. */
function hinted(cause: CliError, name: OperationName): CliError {
  const hint = REFUSED[`${cause.code} ${name}`];
  return hint === undefined ? cause : new CliError(cause.code, { ...cause.facts, hint, cause });
}

/** A refused document: the fields that the API names; its own words stay in `api`. */
function namingFields(cause: CliError, document: Exact | undefined): CliError {
  const { api } = cause.facts;
  const fields = api instanceof Exact ? refusedFields(api, document) : [];
  if (fields.length === 0) return cause;
  return new CliError("BAD_REQUEST", {
    ...cause.facts,
    message: `The API refused: ${fields.join(", ")}.`,
    details: { fields },
    cause,
  });
}

/** The object `data` of an error body; undefined where there is none. */
export function dataOf(body: unknown): Exact | undefined {
  const data =
    body instanceof Exact && body.text.startsWith("{") ? member(body, "data") : undefined;
  return data?.text.startsWith("{") === true ? data : undefined;
}

/** The operation is not where this program looks for it. */
export function notOffered(cause: unknown, name: OperationName, assumed: string): CliError {
  const facts = cause instanceof CliError ? cause.facts : undefined;
  return new CliError("NOT_SUPPORTED", {
    message: "The server does not offer this operation where this program looks for it.",
    hint: "Its address is not public. Send the output of 'doctor --report' with an issue.",
    ...(facts?.httpStatus === undefined ? {} : { httpStatus: facts.httpStatus }),
    ...(facts?.requestId === undefined ? {} : { requestId: facts.requestId }),
    api: facts?.api,
    details: { operation: name, assumption: assumed },
    cause,
  });
}
