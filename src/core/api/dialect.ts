/** Which table serves a session or a login. */
import type { Endpoint } from "../auth/endpoint.ts";
import type { Dialect } from "./operation.ts";
import { V1, type V1Operation } from "./v1.ts";
import { V2, type V2Operation } from "./v2.ts";

/** The two versions of the API (specification §6). */
export type ApiVersion = Dialect["version"];

/** Names of everything that the program does on the API, whichever version serves it. */
export type OperationName = V1Operation | V2Operation;

/**
 * specification §6: the option decides; else V1's own host, a private instance of V1 and a path
 * that ends in `/api-gateway` are V1, and everything else is V2.
 */
export function chooseVersion(endpoint: Endpoint, option: ApiVersion | undefined): ApiVersion {
  if (option !== undefined) return option;
  const { origin, basePath } = endpoint;
  if (basePath.endsWith("/v1/rest")) return "v2";
  const isGateway = basePath.endsWith("/api-gateway");
  return isGateway || origin === "https://api.vault.ledger.com" || PRIVATE.test(origin)
    ? "v1"
    : "v2";
}

/** Private instances: `https://NAME.minivault.ledger-sbx.com/api-gateway`. */
const PRIVATE = /^https:\/\/[^/:]+\.minivault\.ledger-sbx\.com$/;

/** The table of an API version. */
export function dialectOf(version: ApiVersion): Dialect {
  return version === "v1" ? V1 : V2;
}

/** What help says of an operation that an API version does not offer. */
export function missingFrom(name: OperationName): string[] {
  const lacking = [V1, V2].filter(({ operations }) => operations[name] === undefined);
  return lacking.map(({ version, instead }) => {
    return [`Not offered by API ${version.toUpperCase()}.`, instead[name] ?? ""]
      .join(" ")
      .trimEnd();
  });
}
