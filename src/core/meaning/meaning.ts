/**
 * The way in: a document or a challenge to its summary. The decoders of contract calls are loaded
 * only for a content that has one.
 */
import type { Exact } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { type Content, readContent } from "./content.ts";
import { factsFor } from "./facts.ts";
import { NO_FACTS, type Summary, type SummaryFacts } from "./parts.ts";
import { type SimilarRead, similarTo } from "./similar.ts";
import { needsEvm, summarize } from "./summary.ts";

export { readableBalances } from "./balance.ts";

/** The summary of a content, given the facts around it. */
export async function summaryWith(
  content: Content,
  of: Summary["of"],
  facts: SummaryFacts,
): Promise<Summary> {
  const evm = needsEvm(content) ? await import("./evm/content.ts") : undefined;
  return summarize(content, of, facts, evm);
}

/**
 * The summary of a request or a decoded challenge. Without a reader nothing is read: units of coins
 * come from the built-in table, and whitelists are unknown.
 */
export async function summaryOf(
  document: Exact,
  of: Summary["of"],
  reader: Reader | undefined,
): Promise<Summary> {
  const content = readContent(document);
  const facts = reader === undefined ? NO_FACTS : await factsFor(reader, content);
  return summaryWith(content, of, facts);
}

/** The same of a challenge; undefined for one that is not a JSON object. */
export async function summaryOfChallenge(
  document: Exact | undefined,
  reader: Reader | undefined,
): Promise<Summary | undefined> {
  return document === undefined ? undefined : summaryOf(document, "challenge", reader);
}

/** The summary of a request, and the requests that may be the same payment. */
export async function summaryWithSimilar(
  reader: Reader,
  document: Exact,
  now: number,
): Promise<{ readonly summary: Summary } & SimilarRead> {
  const content = readContent(document);
  const [facts, found] = await Promise.all([
    factsFor(reader, content),
    similarTo(reader, content, now),
  ]);
  return { summary: warnedOf(await summaryWith(content, "request", facts), found), ...found };
}

const NOT_COMPARED = {
  all: undefined,
  some: "Not all requests of the last seven days could be compared with this one.",
  none: "The requests of the last seven days could not be read: this one may be among them.",
};

/** The same summary with a warning when there are, or may be, similar requests. */
export function warnedOf(summary: Summary, { similar, similarRead }: SimilarRead): Summary {
  const count = similar.length === 1 ? "One request" : `${similar.length} requests`;
  const found = `${count} of the last seven days may be the same payment; see \`similar\`.`;
  const missing = NOT_COMPARED[similarRead];
  const about = { grave: false, at: "similar" };
  const warnings = [
    ...(similar.length === 0 ? [] : [{ code: "SIMILAR_REQUEST", ...about, message: found }]),
    ...(missing === undefined ? [] : [{ code: "SIMILAR_UNREADABLE", ...about, message: missing }]),
  ];
  return { ...summary, warnings: [...summary.warnings, ...warnings] };
}
