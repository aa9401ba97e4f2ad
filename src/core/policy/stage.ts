/** The policy as the acts ask it: decide before anything is kept, reserve under the lock. */
import { CliError } from "../../errors.ts";
import { Exact, encode, member } from "../../io/json.ts";
import type { Intent } from "../acts.ts";
import type { Reader } from "../api/api.ts";
import type { ApiClock } from "../api/clock.ts";
import { coinOf, tokenOf } from "../meaning/asset.ts";
import { readAccount, readLists } from "../meaning/facts.ts";
import type { StatedDebit } from "../state/audit.ts";
import type { Books } from "../state/books.ts";
import type { Debit, Entry, Journal } from "../state/journal.ts";
import {
  type Act,
  debitOf,
  denied,
  type PayingAccount,
  type PolicyDecision,
  requireAllowed,
  requireNotForbidden,
  requireOpen,
  requireRoom,
} from "./decide.ts";
import type { Policy } from "./load.ts";
import { type Decision, NO_POLICY, type PolicyStage } from "./open.ts";
import { type Payment, readPayment } from "./read.ts";

/** What deciding needs of the machine. */
export interface PolicyHost {
  /** True where everything that writes or signs is switched off (LEDGER_ENTERPRISE_READ_ONLY). */
  readonly isReadOnly?: boolean;
  /**
   * The files that apply now, read anew for each decision. Throws POLICY_INVALID, POLICY_INSECURE.
   */
  policies(): readonly Policy[];
  /** True when the stop file is there, or cannot be looked for. */
  isStopped(): boolean;
  readonly reader: Reader;
  readonly clock: ApiClock;
  readonly books: Books;
}

/** Decides by the files of this machine. */
export function createPolicy(host: PolicyHost): PolicyStage {
  return {
    isStopped: () => host.isStopped(),
    files() {
      try {
        return host.policies().map(({ sha256 }) => sha256);
      } catch (cause) {
        if (cause instanceof CliError) return undefined;
        throw cause;
      }
    },
    stated: statedBy,
    async decide(intent, journal, uid) {
      if (host.isReadOnly === true) throw readOnly(intent.command, intent.kind === "sign");
      if (host.isStopped()) throw denied(undefined, "stopped");
      const policies = host.policies();
      const [first] = policies;
      // The person at the device's screen decides about what it shows.
      if (first === undefined || intent.kind === "deviceApprove")
        return NO_POLICY.decide(intent, journal, uid);
      for (const policy of policies) if (policy.stopped) throw denied(policy, "stopped");
      const decision = decisionOf(intent);
      const own = ownOf(intent, journal, uid);
      if (decision === "reject") return rejection(host, intent, policies, own);
      if (decision === "approve" && own === undefined) {
        const strict = policies.find(({ onlyOwn }) => onlyOwn);
        if (strict !== undefined) throw denied(strict, "onlyOwn");
      }
      const acts = await actsOf(host, intent, decision, own, policies);
      const rules = policies.flatMap((policy) =>
        acts.flatMap((act) => requireAllowed(policy, act)),
      );
      const clock = host.clock.time();
      const debit = debitOf(...acts);
      const reserve = (now: Journal): Debit | undefined => {
        for (const policy of policies) requireOpen(policy, debit, now.closures);
        return isDebited(intent, now) ? undefined : reserved(policies, debit, now, clock);
      };
      reserve(journal);
      return {
        rules: [...new Set(rules)],
        policySha256: policies.map(({ sha256 }) => sha256),
        clock,
        reserve,
        againRefused() {
          const strict = policies.find(({ duplicates }) => duplicates === "deny");
          return strict && denied(strict, "duplicates");
        },
      };
    },
  };
}

/** No name of a coin, no address and no id is longer. */
const LONGEST = 128;

function statedBy(intent: Intent): StatedDebit | undefined {
  const document = intent.kind === "create" ? intent.body : intent.content?.document;
  const payment = document === undefined ? undefined : readPayment(document);
  if (payment === undefined || "unreadable" in payment) return undefined;
  const { accountId, currency, contract, amount, fee, recipient, memo, tag } = payment;
  const cut = (text: string | undefined): string | undefined => text?.slice(0, LONGEST);
  return {
    account: cut(accountId),
    currency: cut(currency),
    contract: cut(contract),
    amount: String(amount),
    fee: fee === undefined ? undefined : String(fee),
    recipient: cut(recipient),
    tag: cut(memo ?? tag),
  };
}

/** The refusal of a command that writes, or signs, while LEDGER_ENTERPRISE_READ_ONLY is set. */
export function readOnly(command: string, signs: boolean): CliError {
  return new CliError("READ_ONLY", {
    message: `'${command}' would ${signs ? "sign" : "write"}, which is switched off.`,
  });
}

function decisionOf(intent: Intent): PolicyDecision {
  if (intent.kind === "create") return "create";
  const isRejection =
    intent.kind === "reject" || (intent.kind === "sign" && intent.purpose === "reject");
  return isRejection ? "reject" : "approve";
}

/** The create of the request that the act is about, by the same peer. */
function ownOf(intent: Intent, journal: Journal, uid: number | undefined): Entry | undefined {
  const { session, requestId } = intent;
  if (session === undefined || requestId === undefined) return undefined;
  return journal.of(session, requestId).find((one) => one.kind === "create" && one.uid === uid);
}

/** A rejection needs the word, and a request that was created here; nothing moves. */
async function rejection(
  host: PolicyHost,
  { requestId }: Intent,
  policies: readonly Policy[],
  own: Entry | undefined,
): Promise<Decision> {
  const rules = policies.map((policy) => {
    const rule = policy.allow.find(({ decisions }) => decisions.includes("reject"));
    if (rule === undefined) throw denied(policy, "decision");
    if (own === undefined) throw denied(policy, "onlyOwn");
    return rule.id;
  });
  await requireRejectable(host, requestId, policies, own);
  return {
    rules,
    policySha256: policies.map(({ sha256 }) => sha256),
    clock: undefined,
    reserve: () => undefined,
    againRefused: () => undefined,
  };
}

/** Throws POLICY_DENIED where a deny rule that names rejections is about this one, or may be. */
async function requireRejectable(
  host: PolicyHost,
  requestId: string | undefined,
  policies: readonly Policy[],
  own: Entry | undefined,
): Promise<void> {
  for (const policy of policies) {
    const rules = policy.deny.filter(({ decisions }) => decisions?.includes("reject"));
    const [rule] = rules;
    if (rule === undefined) continue;
    const request = await requestOf(host, requestId, own);
    const payment = request === undefined ? undefined : readPayment(request);
    const id = payment && "accountId" in payment ? payment.accountId : undefined;
    const account = id === undefined ? undefined : await readAccount(host.reader, id);
    if (payment === undefined || "unreadable" in payment || account === undefined)
      throw denied(policy, "deny", [{ id: rule.id, verdict: "denied" }]);
    requireNotForbidden(policy, rules, { decision: "reject", payment, account });
  }
}

/** One act for each document that must be allowed: the request, and the challenge over it. */
async function actsOf(
  host: PolicyHost,
  intent: Intent,
  decision: PolicyDecision,
  own: Entry | undefined,
  policies: readonly Policy[],
): Promise<readonly [Act, ...Act[]]> {
  const [first] = policies;
  const read = (document: Exact | undefined): Payment => {
    const payment = document === undefined ? { unreadable: "payload" } : readPayment(document);
    if ("unreadable" in payment) throw denied(first, `unreadable: ${payment.unreadable}`);
    return payment;
  };
  const request =
    intent.kind === "create" ? intent.body : await requestOf(host, intent.requestId, own);
  const asked = read(request);
  const decided: Payment[] = [];
  if (intent.kind !== "create") {
    const signed = read(intent.content?.document);
    // A challenge never says how the fee is chosen, nor the note; the request does.
    const { accountId, noteLength } = asked;
    decided.push({
      ...signed,
      accountId,
      noteLength,
      strategy: signed.strategy ?? asked.strategy,
    });
  }
  const id = asked.accountId;
  const account = id === undefined ? undefined : await readAccount(host.reader, id);
  if (account === undefined || account.id !== id) throw denied(first, "account");
  const decimals = await decimalsOf(host.reader, account, policies);
  const actOf = (payment: Payment): Act => ({ decision, payment, account, decimals });
  return [actOf(asked), ...decided.map(actOf)];
}

/** What was sent from here, else the server's copy of the request. */
async function requestOf(
  { books, reader }: PolicyHost,
  id: string | undefined,
  own: Entry | undefined,
): Promise<Exact | undefined> {
  const body = own === undefined ? undefined : await books.body(own.key);
  if (body !== undefined || id === undefined) return body;
  const request = await reader.read("requests.get", { id });
  const [type, data, note] = ["type", "data", "note"].map((name) => member(request, name));
  return type && data && new Exact(encode({ type, data, note }));
}

/** StatedDebit only where a rule says decimals. */
async function decimalsOf(
  reader: Reader,
  { currency, contract }: PayingAccount,
  policies: readonly Policy[],
): Promise<NonNullable<Act["decimals"]>> {
  const isAsked = policies.some(({ allow }) =>
    allow.some(
      ({ asset, fees }) =>
        asset.decimals !== undefined || (fees !== "none" && fees.decimals !== undefined),
    ),
  );
  if (!isAsked) return { asset: undefined, coin: undefined };
  const lists = await readLists(reader, contract !== null);
  const coin = coinOf(currency, lists).decimals;
  return {
    coin,
    asset: contract === null ? coin : tokenOf(currency, contract, lists).decimals,
  };
}

/** Whether another entry of the same request, or of the same challenge, has the debit already. */
function isDebited(intent: Intent, journal: Journal): boolean {
  const { session, requestId, content } = intent;
  if (session === undefined) return false;
  if (requestId !== undefined)
    return journal.of(session, requestId).some((entry) => entry.isDebited);
  const digest = content?.payloadSha256;
  if (digest === undefined) return false;
  return [...journal.all()].some((entry) => entry.isDebited && entry.payloadSha256 === digest);
}

function reserved(
  policies: readonly Policy[],
  debit: Debit,
  journal: Journal,
  now: number | undefined,
): Debit {
  const { restartedAt } = journal;
  for (const policy of policies)
    requireRoom(policy, debit, { entries: journal.all(), now, restartedAt });
  return debit;
}
