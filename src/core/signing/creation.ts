/**
 * The document that creates a request, checked as far as the client may: the payload itself is the
 * API's business.
 */
import { CliError } from "../../errors.ts";
import { type Exact, member, value } from "../../io/json.ts";

/**
 * Gives the request itself, out of its envelope if it has one. Throws INVALID_REQUEST_DATA without
 * a usable `type` (C04).
 */
export function readNewRequest(document: Exact): Exact {
  const inner = member(document, "request");
  const request = inner?.text.startsWith("{") === true ? inner : document;
  const type = member(request, "type");
  if (type !== undefined && typeof value(type) === "string" && value(type) !== "") return request;
  throw new CliError("INVALID_REQUEST_DATA", {
    message: "The request has no 'type'.",
    field: "--requestData",
  });
}
