/**
 * The document that creates a request, checked as far as the client may: the payload itself is the
 * API's business.
 */
import { CliError } from "../../errors.ts";
import { type Exact, member, members, tree, value } from "../../io/json.ts";
import { isCoinRequest } from "./request.ts";

/** Coins with a creation of their own on API V2: a closed list (N10). */
export const COINS = ["sui"] as const;

/**
 * The document for one coin, `{accountId, transaction}`, as it is. Throws INVALID_REQUEST_DATA for
 * any other.
 */
export function readCoinRequest(document: Exact): Exact {
  if (isCoinRequest(tree(document))) return document;
  throw new CliError("INVALID_REQUEST_DATA", {
    message: "The request for one coin is not an object with 'accountId' and 'transaction'.",
    hint: 'With --coin give {"accountId":"…","transaction":{…}}, without `type` and envelope.',
    field: "--requestData",
  });
}

/**
 * Returns the request itself, out of its envelope if it has one. Throws INVALID_REQUEST_DATA
 * without a usable `type` (C04), and for members beside a wrapped request: they would be sent, too.
 */
export function readNewRequest(document: Exact): Exact {
  const inner = member(document, "request");
  if (inner?.text.startsWith("{") === true && members(document).length > 1) {
    throw new CliError("INVALID_REQUEST_DATA", {
      message: "The document has members beside 'request', which must not be sent.",
      field: "--requestData",
      hint: "Pass the file that 'requests draft --out' wrote, or the content of `request` alone.",
    });
  }
  const request = inner?.text.startsWith("{") === true ? inner : document;
  const type = member(request, "type");
  if (type !== undefined && typeof value(type) === "string" && value(type) !== "") return request;
  throw new CliError("INVALID_REQUEST_DATA", {
    message: "The request has no 'type'.",
    field: "--requestData",
  });
}
