/**
 * What became of approvals and rejections whose outcome is unknown: the request on the server names
 * who decided. Reads only.
 */
import { type Exact, elements, member, value } from "../io/json.ts";
import type { Reader } from "./api/api.ts";
import { isFinal } from "./api/states.ts";
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
  const found = await governanceOf(reader, session, user, first.requestId);
  if (found.words === undefined) return all("unknown");
  const count = found.words.filter((one) => word.has(one)).length - claimed;
  if (count <= 0) return all(found.hidesFirst && word === APPROVED ? "unknown" : "notGiven");
  return all(count >= open.length ? "given" : "unknown");
}

/**
 * Whether a signature over a request's challenge was used by this user: `notGiven` where it was not
 * and cannot be any more.
 */
export async function usedOf(
  reader: Reader,
  session: Session,
  user: string | undefined,
  requestId: string | undefined,
): Promise<Reviewed> {
  if (user === undefined || requestId === undefined) return "unknown";
  const { words, isOver, hidesFirst } = await governanceOf(reader, session, user, requestId);
  if (words?.some((one) => APPROVED.has(one) || REJECTED.has(one)) === true) return "given";
  return words !== undefined && isOver && !hidesFirst ? "notGiven" : "unknown";
}

const APPROVED: ReadonlySet<string> = new Set(["APPROVED", "APPROVE"]);
const REJECTED: ReadonlySet<string> = new Set(["REJECTED", "ABORT"]);

/** Where a request is, for one user. */
interface Governance {
  /** The words of this user's reviews; undefined when the answer does not have them. */
  readonly words: readonly string[] | undefined;
  /** True when no decision about it is possible any more. */
  readonly isOver: boolean;
  /** True when the user's first approval, as its creator, may be one that is not shown (V1). */
  readonly hidesFirst: boolean;
}

function governanceOf(
  reader: Reader,
  session: Session,
  user: string,
  id: string,
): Promise<Governance> {
  return session.apiVersion === "v2" ? onV2(reader, id, user) : onV1(reader, id, user);
}

async function onV2(reader: Reader, id: string, user: string): Promise<Governance> {
  const request = await reader.read("requests.get", { id });
  const words = listIn(request, "reviews")
    ?.filter((review) => textIn(review, "userId") === user)
    .map((review) => textIn(review, "status") ?? "");
  const isOver = isFinal(textIn(request, "state")?.toUpperCase() ?? "", [], []);
  return { words, isOver, hidesFirst: false };
}

async function onV1(reader: Reader, id: string, user: string): Promise<Governance> {
  const status = await reader.read("requests.governanceStatus", { id });
  const words = listIn(status, "governance_steps")?.flatMap((step) =>
    (listIn(step, "approvals") ?? [])
      .filter((approval) => isBy(approval, "user", user))
      .map((approval) => textIn(approval, "type") ?? ""),
  );
  const request = member(status, "request");
  const isOwn = request === undefined || isBy(request, "created_by", user);
  // Only the request itself says that its creator has not approved it yet.
  const hidesFirst =
    isOwn &&
    words?.some((one) => APPROVED.has(one)) === false &&
    textIn(await reader.read("requests.get", { id }), "status") !== "PENDING_FIRST_APPROVAL";
  return { words, isOver: member(status, "is_complete")?.text === "true", hidesFirst };
}

function isBy(document: Exact, name: string, user: string): boolean {
  const by = member(document, name);
  return by !== undefined && member(by, "id")?.text === user;
}

function listIn(document: Exact, name: string): readonly Exact[] | undefined {
  const list = member(document, name);
  return list?.text.startsWith("[") === true ? elements(list) : undefined;
}

function textIn(document: Exact, name: string): string | undefined {
  const found = member(document, name);
  return found?.text.startsWith('"') === true ? String(value(found)) : undefined;
}
