/**
 * Requests of the last days that may be the same payment: an agent that lost its thread raises one
 * twice. Reads only; what cannot be read is not listed.
 */
import { CliError } from "../../errors.ts";
import { type Exact, member, tree } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { walkPages } from "../api/pages.ts";
import { resultsOf } from "./asset.ts";
import { type Content, membersOf, named, onlyValue, readContent, textOf } from "./content.ts";
import { isSameAddress } from "./recipient.ts";

/** A request, or on V1 a transaction, that resembles another. */
export interface Similar {
  readonly id: string;
  readonly state: string | null;
  readonly createdAt: string | null;
  /** Which of `recipient`, `amount`, `noteTitle` are equal. */
  readonly same: readonly string[];
}

const SEVEN_DAYS_MS = 7 * 24 * 3_600_000;
const MOST_SIMILAR = 20;
const MOST_PAGES = 10;

/** What two requests are compared by. */
interface Traits {
  readonly recipient: string | undefined;
  readonly amount: string | undefined;
  readonly noteTitles: readonly string[];
}

/** What was found, and how much of the last seven days was looked at. */
export interface SimilarRead {
  readonly similar: readonly Similar[];
  readonly similarRead: "all" | "some" | "none";
}

/** At most twenty, as the API lists them. `now` is in milliseconds since 1970. */
export async function similarTo(
  reader: Reader,
  content: Content,
  now: number,
): Promise<SimilarRead> {
  const own = traitsOf(content);
  const since = now - SEVEN_DAYS_MS;
  const isV1 = (await reader.session()).apiVersion === "v1";
  const similar: Similar[] = [];
  const rows = isV1 ? recentTransactions(reader, since) : recentRequests(reader, since);
  let count = 0;
  try {
    for (;;) {
      const { done, value } = await rows.next();
      if (done === true) return { similar, similarRead: value ? "all" : "some" };
      count += 1;
      const same = sameOf(own, isV1 ? transactionTraits(value) : traitsOf(readContent(value)));
      if (same.length > 0 && similar.length === MOST_SIMILAR)
        return { similar, similarRead: "some" };
      if (same.length > 0) similar.push({ ...shown(value), same });
    }
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    return { similar, similarRead: count > 0 ? "some" : "none" };
  } finally {
    await rows.return(false);
  }
}

function sameOf(own: Traits, other: Traits): string[] {
  const isRecipient =
    own.recipient !== undefined &&
    other.recipient !== undefined &&
    isSameAddress(own.recipient, other.recipient);
  const isAmount = own.amount !== undefined && own.amount === other.amount;
  const isNote = own.noteTitles.some((title) => other.noteTitles.includes(title));
  return [
    ...(isRecipient && isAmount ? ["recipient", "amount"] : []),
    ...(isNote ? ["noteTitle"] : []),
  ];
}

function traitsOf(content: Content): Traits {
  const title = content.values.find(({ path }) => path === "note.title")?.text;
  return {
    recipient: onlyValue(content, "address")?.text,
    amount: onlyValue(content, "amount")?.text,
    noteTitles: title === undefined || title === "" ? [] : [title],
  };
}

function textIn(row: Exact, ...names: readonly string[]): string | null {
  const members = membersOf(tree(row));
  const found = names.flatMap((name) => named(members, name).map(([, node]) => textOf(node)));
  return found.find((text) => text !== undefined) ?? null;
}

function transactionTraits(row: Exact): Traits {
  const notes = member(row, "notes");
  const titles = notes?.text.startsWith("[") === true ? resultsOf(notes) : [];
  return {
    recipient: textIn(row, "recipient") ?? undefined,
    amount: textIn(row, "amount") ?? undefined,
    noteTitles: titles.flatMap((note) => textIn(note, "title") ?? []).filter((one) => one !== ""),
  };
}

function shown(row: Exact): Omit<Similar, "same"> {
  return {
    id: textIn(row, "id") ?? "",
    state: textIn(row, "state", "status"),
    createdAt: textIn(row, "created_at", "created_on"),
  };
}

/** Rows, and at the end whether these were all of them. */
type Rows = AsyncGenerator<Exact, boolean, void>;

/** V2 filters by time itself. */
async function* recentRequests(reader: Reader, since: number): Rows {
  const fromDate = new Date(since).toISOString();
  const pages = walkPages(
    (position) =>
      reader.read("requests.list", { fromDate, sortOrder: "desc", pageSize: 30, ...position }),
    "pages",
    { limit: 30 * MOST_PAGES },
  );
  for (;;) {
    const { done, value } = await pages.next();
    if (done === true) return value.complete === true;
    yield* value;
  }
}

/** V1 lists the newest first, of all accounts. */
async function* recentTransactions(reader: Reader, since: number): Rows {
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await reader.read("transactions.list", cursor === undefined ? {} : { cursor });
    for (const row of resultsOf(answer)) {
      const created = Date.parse(textIn(row, "created_on") ?? "");
      if (created < since) return true;
      yield row;
    }
    const next = textIn(answer, "next");
    if (next === null) return true;
    cursor = next;
  }
  return false;
}
