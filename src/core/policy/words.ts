/** A policy in words, and what its rules say of one document without asking the API. */
import type { Exact } from "../../io/json.ts";
import {
  type Act,
  failedDimension,
  isForbidden,
  type PolicyDecision,
  type RuleVerdict,
} from "./decide.ts";
import type { AllowRule, AssetRule, DenyRule, Destination, Policy } from "./load.ts";
import { STOP_FILE } from "./places.ts";
import { type Payment, readPayment } from "./read.ts";
import { toBase } from "./values.ts";

/** The verdict of each rule; `not checked` where only the API could tell. */
export interface Verdict {
  readonly allowed: boolean | null;
  readonly rules: readonly {
    readonly id: string;
    readonly verdict: RuleVerdict["verdict"] | "not checked";
    readonly field?: string;
  }[];
}

/** What refuses every write and signature before any file in force is asked. */
export interface Bar {
  readonly text: string;
  readonly verdict: Verdict;
}

const SWITCH = "LEDGER_ENTERPRISE_READ_ONLY";

export const READ_ONLY: Bar = {
  text: `${SWITCH} is set: every write and signature is refused.`,
  verdict: { allowed: false, rules: [{ id: SWITCH, verdict: "denied" }] },
};

export const STOP: Bar = {
  text: "The stop file is there, or cannot be looked for: every write and signature is refused.",
  verdict: { allowed: false, rules: [{ id: STOP_FILE, verdict: "denied", field: "stopped" }] },
};

/**
 * Decides without the API: the account's name and asset, decimals, windows and whose request it is
 * are not checked. `false` is certain; what is not `false` is null.
 */
export function check(policy: Policy, document: Exact, decision: PolicyDecision): Verdict {
  const payment = readPayment(document);
  if ("unreadable" in payment) return denied(policy, `unreadable: ${payment.unreadable}`);
  if (policy.stopped) return denied(policy, "stopped");
  const rules = policy.allow.map((rule): Verdict["rules"][number] => {
    const account = {
      id: payment.accountId ?? accountOf(rule.accounts),
      name: payment.accountName ?? "",
      currency: payment.currency ?? rule.asset.currency,
      contract: rule.asset.contract ?? null,
    };
    const fees = rule.fees === "none" ? undefined : rule.fees.decimals;
    const decimals = { asset: rule.asset.decimals, coin: fees };
    // A challenge never says how the fee is chosen.
    const named =
      rule.fees === "none" || rule.fees.strategies === "none" ? [] : rule.fees.strategies;
    const strategy = payment.strategy ?? (decision === "create" ? undefined : named[0]);
    const act: Act = { decision, payment: { ...payment, strategy }, account, decimals };
    const field = failedDimension(rule, act);
    return field === undefined
      ? { id: rule.id, verdict: "not checked", field: "account" }
      : { id: rule.id, verdict: "denied", field };
  });
  const forbidden = policy.deny.flatMap((rule) => forbiddenBy(rule, payment, decision));
  const isDenied = forbidden.some(({ verdict }) => verdict === "denied");
  const isOpen = rules.some(({ verdict }) => verdict === "not checked");
  return { allowed: isOpen && !isDenied ? null : false, rules: [...forbidden, ...rules] };
}

/** The verdict of a deny rule; none where it is certainly not about the document. */
function forbiddenBy(
  rule: DenyRule,
  payment: Payment,
  decision: PolicyDecision,
): Verdict["rules"][number][] {
  const { accountId, currency, contract } = payment;
  const { accounts, asset } = rule;
  // What the document does not say may be what the rule is about.
  const account = {
    ...{ id: accountId ?? accounts?.[0] ?? "", name: "" },
    currency: currency ?? asset?.currency ?? "",
    contract: contract ?? asset?.contract ?? null,
  };
  if (!isForbidden(rule, { decision, payment, account })) return [];
  const isCertain =
    (accounts === undefined || accountId !== undefined) &&
    (asset === undefined || (currency !== undefined && contract !== undefined));
  return [
    isCertain
      ? { id: rule.id, verdict: "denied" }
      : { id: rule.id, verdict: "not checked", field: "account" },
  ];
}

function accountOf(accounts: "any" | readonly string[]): string {
  return accounts === "any" ? "" : (accounts[0] ?? "");
}

function denied({ allow }: Policy, field: string): Verdict {
  return { allowed: false, rules: allow.map(({ id }) => ({ id, verdict: "denied", field })) };
}

/** The policy as sentences, amounts in both forms. */
export function inWords(policy: Policy): string[] {
  const reads = typeof policy.reads === "string" ? policy.reads : policy.reads.join(", ");
  return [
    ...(policy.stopped ? ["Everything is stopped."] : []),
    `Reads: ${reads}.`,
    ...policy.allow.map((rule) => {
      const to = receivers(rule.destinations);
      const from =
        rule.accounts === "any" ? "any account" : `account ${rule.accounts.join(" or ")}`;
      const fees = rule.fees === "none" ? "without a fee member" : feeWords(rule.fees);
      const note = rule.note === "none" ? "no note" : `a note of at most ${rule.note} characters`;
      return `${rule.id} allows to ${rule.decisions.join(" and ")} ${rule.transactionTypes.join(" or ")} of ${asset(rule.asset)} from ${from} to ${to}: at most ${amount(rule.perRequest, rule.asset.decimals)} a request, ${fees}, ${note}.`;
    }),
    ...policy.deny.map(denial),
    ...policy.windows.map(({ id, per, accounts, destinations, count, ...window }) => {
      const from = accounts === "any" ? "" : ` from account ${accounts.join(" or ")}`;
      const to = destinations === "any" ? "" : ` to ${receivers(destinations)}`;
      return `${id}: in any ${per} at most ${amount(window.amount, window.asset.decimals)} of ${asset(window.asset)}${from}${to} in at most ${count} payments.`;
    }),
    policy.onlyOwn
      ? "Only requests that were created here are approved."
      : "Requests of others are approved, too.",
    policy.duplicates === "deny" ? "--again is not allowed." : "--again is allowed.",
    ...(policy.tagNotes
      ? ["Each note gets a tag of some 50 characters, which no rule counts."]
      : []),
  ];
}

function receivers(destinations: "any" | readonly Destination[]): string {
  return destinations === "any" ? "anybody" : destinations.map(named).join(" or ");
}

function feeWords({ strategies, max, decimals }: Exclude<AllowRule["fees"], "none">): string {
  const chosen = strategies === "none" ? "" : ` with ${strategies.join(" or ")}`;
  return `fee at most ${amount(max, decimals)}${chosen}`;
}

/** The ids that are known of both API versions: numbers, and the form of a UUID. */
const USUAL_ID = /^([1-9]\d*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

function denial({ id, decisions, types, transactionTypes, accounts, ...rule }: DenyRule): string {
  // Nothing leaves by a rejection: it is denied only where a rule names it.
  const does = (decisions ?? ["create", "approve"]).join(" and ");
  const kinds = [types, transactionTypes].flatMap((some) => some?.join(" or ") ?? []);
  const what = kinds.length === 0 ? "everything" : kinds.join(" with ");
  const of = rule.asset === undefined ? "" : ` of ${asset(rule.asset)}`;
  const from = accounts === undefined ? "" : ` from account ${accounts.join(" or ")}`;
  const odd = (accounts ?? []).filter((one) => !USUAL_ID.test(one));
  return [
    `${id} denies to ${does} ${what}${of}${from}.`,
    ...(accounts === undefined ? [] : ["An account is named by its id, never by its name."]),
    ...(odd.length === 0 ? [] : [`Make sure that this is an id: ${odd.join(", ")}.`]),
  ].join(" ");
}

function asset({ currency, contract }: AssetRule): string {
  return contract === undefined ? currency : `token ${contract} on ${currency}`;
}

function named({ address, tag, memo }: Destination): string {
  if (tag !== undefined) return `${address} with tag ${tag}`;
  return memo === undefined ? address : `${address} with memo ${JSON.stringify(memo)}`;
}

function amount(digits: string, decimals: number | undefined): string {
  return decimals === undefined
    ? `${digits} base units`
    : `${digits} (${toBase(digits, decimals)} base units)`;
}
