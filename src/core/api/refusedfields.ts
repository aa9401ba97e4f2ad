/**
 * The fields that a refusal (400, 422) of the API names. The API's own words stay in `error.api`;
 * only names that the request itself has, or that the API documents, appear in a sentence of ours.
 */
import { type Exact, member, value } from "../../io/json.ts";

/** Names of the documented request bodies and queries, in V2's spelling. Source: API reference. */
const DOCUMENTED = new Set([
  ...["request", "type", "data", "note", "title", "content", "accountId", "transactionType"],
  ...["transactionData", "accountName", "amount", "currency", "recipient", "maxFees"],
  ...["feesStrategy", "speed", "contractAddress", "gasLimit", "gasPrice", "priorityFees"],
  ...["destinationTag", "memo", "accountData", "policyName", "policyId", "parentId", "name"],
  ...["userIds", "groupIds", "whitelistIds", "addresses", "address", "network", "reviewSteps"],
  ...["quorum", "users", "groups", "description", "signature", "challengeType", "workspace"],
  ...["apiKeyId", "apiKeySecret", "page", "pageSize", "sortBy", "sortOrder", "status", "state"],
  ...["targetId", "createdBy", "reviewedBy", "pendingBy", "fromDate", "toDate", "cursor", "id"],
  ...["body", "query", "path", "index", "operationType", "threshold", "min", "max"],
]);
const MOST_FIELDS = 10;
const MOST_ISSUES = 50;

/** Dotted paths such as `data.transactionData.amount`, each once; empty when none is known. */
export function refusedFields(api: Exact, body: Exact | undefined): readonly string[] {
  const known = new Set(DOCUMENTED);
  if (body !== undefined) collect(value(body), known, 0);
  const issues = api.text.startsWith("{") ? member(api, "issues") : undefined;
  const found = issues === undefined ? undefined : value(issues);
  if (!Array.isArray(found)) return [];
  const isKnown = (name: string): boolean => known.has(name) || known.has(camel(name));
  const named = found.slice(0, MOST_ISSUES).map((issue) => pathOf(issue, isKnown));
  return [...new Set(named.filter((path) => path !== undefined))].slice(0, MOST_FIELDS);
}

function pathOf(issue: unknown, isKnown: (name: string) => boolean): string | undefined {
  if (!(issue instanceof Object)) return undefined;
  const { path, message } = issue as { readonly path?: unknown; readonly message?: unknown };
  const parts = Array.isArray(path) ? path.map(String) : leadingPath(message);
  const names = parts.filter((part) => !/^\d{1,4}$/.test(part));
  return names.length > 0 && names.every(isKnown) ? parts.join(".") : undefined;
}

/** The parts of a path at the beginning of a message, as in `data.amount: must be …`. */
function leadingPath(message: unknown): readonly string[] {
  if (typeof message !== "string") return [];
  return /^([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*):/.exec(message)?.[1]?.split(".") ?? [];
}

function collect(found: unknown, names: Set<string>, depth: number): void {
  if (!(found instanceof Object) || depth > 20) return;
  for (const [name, child] of Object.entries(found)) {
    if (!Array.isArray(found) && /^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(name)) names.add(name);
    collect(child, names, depth + 1);
  }
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
