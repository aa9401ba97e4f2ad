/**
 * The way in: a document or a challenge to its summary. The decoders of contract calls are loaded
 * only for a content that has one.
 */
import type { Exact } from "../../io/json.ts";
import type { Reader } from "../api/api.ts";
import { type Content, readContent } from "./content.ts";
import { factsFor } from "./facts.ts";
import { NO_FACTS, needsEvm, type Summary, type SummaryFacts, summarize } from "./summary.ts";

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
