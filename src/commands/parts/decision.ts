/**
 * Deciding about a request with the API operator's signature: approving and rejecting are this one
 * command, made twice.
 */
import * as v from "valibot";
import { type ArgumentMap, text, type Values } from "../../cli/argument.ts";
import type { Command, Example } from "../../cli/command.ts";
import type { Order } from "../../core/signing/authorise.ts";
import { command } from "./command.ts";
import { NO_SUMMARY } from "./meaning.ts";
import { DryRun, Request, Review, Summary } from "./schemas.ts";

/** `--again` of everything that decides about a request. */
export const AGAIN = text(
  "Key of a record whose outcome is not known: decide all the same.",
  "<key>",
  26,
);

/** When the option is needed. */
export const ONCE =
  "DUPLICATE_SUSPECTED: the same decision was sent before, and its outcome is not known; nothing is signed or sent.";

interface Spec<A extends ArgumentMap> {
  readonly summary: string;
  readonly notes: readonly string[];
  readonly args: A;
  readonly examples: readonly Example[];
  /** The operation that sends the decision. */
  readonly operation: "requests.approve" | "requests.reject";
  /** What is to be decided. Throws INVALID_ARGUMENT. */
  orderOf(values: Values<A>): Order;
}

/** What the dry run shows. */
const SHOWN = { noSummary: NO_SUMMARY };

/** `requests approve api` and `requests reject api`. */
export function decision<A extends ArgumentMap>(spec: Spec<A>): Command {
  const { operation, orderOf, ...facts } = spec;
  const args: A & typeof SHOWN = { ...facts.args, ...SHOWN };
  return command({
    ...facts,
    notes: [...facts.notes, ONCE],
    args,
    effect: "sign",
    needs: ["authority"],
    output: Request,
    fails: [
      ...(["INVALID_CHALLENGE", "CHALLENGE_MISMATCH", "KEY_MISMATCH"] as const),
      ...(["WRONG_SESSION_KIND", "DUPLICATE_SUSPECTED"] as const),
      ...(operation === "requests.approve" ? (["MEANING_UNCLEAR"] as const) : []),
    ],
    fields: "object",
    agent: "tool",
    run: ({ authority }, values) => authority.authorise(orderOf(values)),
    dryRun: {
      needs: ["examination", "draft"],
      output: () =>
        v.looseObject({
          ...DryRun().entries,
          review: v.looseObject({ ...Review(), summary: v.optional(Summary()) }),
        }),
      run: async ({ examination, draft }, values) => {
        const order = orderOf(values);
        const { noSummary } = values as Values<typeof SHOWN>;
        const { id, signature = "[not made]" } = order;
        const examined = examination.order(order);
        // While that waits: behind a guard both are questions to it.
        const described = draft.describe(operation, { id, signature });
        // Why nothing may be decided is said before why it cannot be described.
        described.catch(() => undefined);
        const { report } = await examined;
        const { summary: _, ...rest } = report;
        const review = noSummary ? rest : report;
        return { dryRun: true, request: await described, review };
      },
    },
  });
}
