/**
 * What became of approvals and rejections whose outcome is unknown: the request on the server names
 * who decided. Reads only.
 */
import { type Exact, elements, member, value } from "../io/json.ts";
import type { Reader } from "./api/api.ts";
import type { Entry } from "./state/journal.ts";
import type { Session } from "./state/session.ts";

/** What the server says of one decision; `unknown` where it does not say enough. */
export type Reviewed = "given" | "notGiven" | "unknown";

/**
 * For each open record of one request and one kind of decision, in their order: whether it was
 * given. `claimed` is how many such decisions other records already account for, `user` the own id
 * on V2 and the own number on V1.
 */
export async function reviewedOf(
  reader: Reader,
  session: Session,
  user: string | undefined,
  open: readonly Entry[],
  claimed: number,
): Promise<Reviewed[]> {
  const all = (one: Reviewed): Reviewed[] => open.map(() => one);
  const [first] = open;
  if (user === undefined || first?.requestId === undefined) return all("unknown");
  const word = first.kind === "reject" ? REJECTED : APPROVED;
  const found =
    session.apiVersion === "v2"
      ? await reviewsOnV2(reader, first.requestId, user)
      : await reviewsOnV1(reader, first.requestId, user);
  if (found === undefined) return all("unknown");
  const count = found.filter((one) => word.has(one)).length - claimed;
  if (count <= 0) return all("notGiven");
  return all(count >= open.length ? "given" : "unknown");
}

const APPROVED: ReadonlySet<string> = new Set(["APPROVED", "APPROVE"]);
const REJECTED: ReadonlySet<string> = new Set(["REJECTED", "ABORT"]);

/** The words of this user's reviews; undefined when the answer does not have them. */
async function reviewsOnV2(
  reader: Reader,
  id: string,
  user: string,
): Promise<string[] | undefined> {
  const reviews = listIn(await reader.read("requests.get", { id }), "reviews");
  return reviews
    ?.filter((review) => textIn(review, "userId") === user)
    .map((review) => textIn(review, "status") ?? "");
}

async function reviewsOnV1(
  reader: Reader,
  id: string,
  user: string,
): Promise<string[] | undefined> {
  const steps = listIn(await reader.read("requests.governanceStatus", { id }), "governance_steps");
  return steps?.flatMap((step) =>
    (listIn(step, "approvals") ?? [])
      .filter((approval) => {
        const by = member(approval, "user");
        return by !== undefined && member(by, "id")?.text === user;
      })
      .map((approval) => textIn(approval, "type") ?? ""),
  );
}

function listIn(document: Exact, name: string): readonly Exact[] | undefined {
  const list = member(document, name);
  return list?.text.startsWith("[") === true ? elements(list) : undefined;
}

function textIn(document: Exact, name: string): string | undefined {
  const found = member(document, name);
  return found?.text.startsWith('"') === true ? String(value(found)) : undefined;
}
