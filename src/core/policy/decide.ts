/** The decision table. Pure: the same policy, payment and journal give the same verdict. */
import { CliError } from "../../errors.ts";
import { isSameContract } from "../meaning/asset.ts";
import { networkOf } from "../meaning/network.ts";
import type { Closure, Debit, Entry } from "../state/journal.ts";
import type { AllowRule, DenyRule, Destination, Policy, Window } from "./load.ts";
import type { Payment } from "./read.ts";
import { currencyOf, isSameAsset, perMs, toBase } from "./values.ts";

/** What a policy decides about. */
export type PolicyDecision = "create" | "approve" | "reject";

/** The account that pays, as the API describes it. */
export interface PayingAccount {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  readonly contract: string | null;
}

/** Everything that rules look at. */
export interface Act {
  readonly decision: PolicyDecision;
  readonly payment: Payment;
  readonly account: PayingAccount;
  /** Decimals by the server for the account's asset and its coin; undefined where it says none. */
  readonly decimals?: { readonly asset: number | undefined; readonly coin: number | undefined };
}

/** What a rule says of an act: the dimension that failed, or none. */
export interface RuleVerdict {
  readonly id: string;
  readonly verdict: "allowed" | "denied";
  readonly field?: string;
}

/** The failure of a refusal. Names the dimension, and nothing that would help to go round it. */
export function denied(
  policy: Pick<Policy, "id" | "sha256"> | undefined,
  field: string,
  rules: readonly RuleVerdict[] = [],
): CliError {
  return new CliError("POLICY_DENIED", {
    message: `The policy does not allow this (${field}); nothing was sent or signed.`,
    details: {
      field,
      rules,
      ...(policy === undefined ? {} : { policy: policy.id, policySha256: policy.sha256 }),
    },
  });
}

/** What the act says otherwise than its account does; undefined when nothing. */
function contradiction({ payment, account }: Act): string | undefined {
  const { accountName, currency, contract } = payment;
  if (accountName !== undefined && accountName !== account.name) return "accountName";
  if (currency !== undefined && currencyOf(currency) !== currencyOf(account.currency))
    return "currency";
  if (contract !== undefined && !isSameContract(account.contract ?? undefined, contract))
    return "contract";
  return undefined;
}

/** Ids of the rules that allow the act. Throws POLICY_DENIED. */
export function requireAllowed(policy: Policy, act: Act): string[] {
  if (policy.stopped) throw denied(policy, "stopped");
  const field = contradiction(act);
  if (field !== undefined) throw denied(policy, field);
  requireNotForbidden(policy, policy.deny, act);
  const verdicts = policy.allow.map((rule): RuleVerdict => {
    const failed = failedDimension(rule, act);
    return failed === undefined
      ? { id: rule.id, verdict: "allowed" }
      : { id: rule.id, verdict: "denied", field: failed };
  });
  const allowed = verdicts.filter(({ verdict }) => verdict === "allowed").map(({ id }) => id);
  if (allowed.length > 0) return allowed;
  throw denied(policy, verdicts.length === 1 ? (verdicts[0]?.field ?? "allow") : "allow", verdicts);
}

/** Throws POLICY_DENIED for an act that one of these deny rules is about. */
export function requireNotForbidden(
  policy: Policy,
  rules: readonly DenyRule[],
  act: Pick<Act, "decision" | "payment" | "account">,
): void {
  const forbidden = rules.find((rule) => isForbidden(rule, act));
  if (forbidden !== undefined)
    throw denied(policy, "deny", [{ id: forbidden.id, verdict: "denied" }]);
}

/** The first dimension in which an allow rule does not fit. */
export function failedDimension(rule: AllowRule, act: Act): string | undefined {
  const { decision, payment, account, decimals } = act;
  const asset = { currency: account.currency, contract: account.contract ?? undefined };
  if (!rule.decisions.includes(decision)) return "decision";
  if (!rule.transactionTypes.includes(payment.transactionType)) return "transactionType";
  if (rule.accounts !== "any" && !rule.accounts.includes(account.id)) return "account";
  if (!isSameAsset(rule.asset, asset)) return "asset";
  if (rule.asset.decimals !== undefined && rule.asset.decimals !== decimals?.asset)
    return "decimals";
  if (!hasDestination(rule.destinations, account.currency, payment)) return "destination";
  if (payment.amount > toBase(rule.perRequest, rule.asset.decimals)) return "amount";
  return failedFee(rule, act) ?? failedNote(rule, payment);
}

function failedFee({ fees }: AllowRule, { payment, decimals }: Act): string | undefined {
  const { fee, strategy } = payment;
  if (fees === "none") return fee === undefined && strategy === undefined ? undefined : "fees";
  if (fees.decimals !== undefined && fees.decimals !== decimals?.coin) return "decimals";
  if (fee === undefined || fee > toBase(fees.max, fees.decimals)) return "fees";
  const named: readonly string[] = fees.strategies === "none" ? [] : fees.strategies;
  const isKnown = strategy === undefined ? named.length === 0 : named.includes(strategy);
  return isKnown ? undefined : "feesStrategy";
}

function failedNote({ note }: AllowRule, { noteLength }: Payment): string | undefined {
  return noteLength > (note === "none" ? 0 : note) ? "note" : undefined;
}

/** Whether a deny rule is about an act. */
export function isForbidden(
  rule: DenyRule,
  { decision, payment, account }: Pick<Act, "decision" | "payment" | "account">,
): boolean {
  const asset = { currency: account.currency, contract: account.contract ?? undefined };
  const id = account.id.toLowerCase();
  const type = payment.type.replace(/^(APPROVE|REJECT|ABORT)_/, "CREATE_");
  return (
    (rule.decisions === undefined || rule.decisions.includes(decision)) &&
    (rule.types === undefined || rule.types.includes(type)) &&
    (rule.transactionTypes === undefined ||
      rule.transactionTypes.includes(payment.transactionType)) &&
    (rule.accounts === undefined || rule.accounts.some((one) => one.toLowerCase() === id)) &&
    (rule.asset === undefined || isSameAsset(rule.asset, asset))
  );
}

/**
 * A destination is an address with its tag or memo; an entry without one means that none is there.
 */
function hasDestination(
  destinations: "any" | readonly Destination[],
  currency: string,
  { recipient, tag, memo }: Pick<Payment, "recipient" | "tag" | "memo">,
): boolean {
  if (destinations === "any") return true;
  return destinations.some(
    (entry) =>
      isSameAddress(currency, entry.address, recipient) &&
      entry.tag === tag &&
      (entry.memo === undefined ? undefined : JSON.stringify(entry.memo)) === memo,
  );
}

function isSameAddress(currency: string, one: string, other: string): boolean {
  if (networkOf(currency)?.family !== "evm") return one === other;
  return one.toLowerCase() === other.toLowerCase();
}

/**
 * What an act takes out of windows: the most that one of its documents lets leave. A challenge does
 * not say what a custom strategy may spend; its request does.
 */
export function debitOf(...acts: readonly [Act, ...Act[]]): Debit {
  const [first, ...others] = acts;
  const { payment, account } = others.at(-1) ?? first;
  const { recipient, tag } = payment;
  const fees = acts.flatMap(({ payment: { fee } }) => fee ?? []);
  return {
    account: account.id,
    currency: currencyOf(account.currency),
    contract: account.contract ?? undefined,
    amount: String(acts.map((one) => one.payment.amount).reduce(largest)),
    fee: fees.length === 0 ? undefined : String(fees.reduce(largest)),
    recipient,
    tag: payment.memo ?? tag,
  };
}

function largest(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

type Relation = "asset" | "fees" | "none";

/** How a window is about a debit's asset: its amount, only the fees that it pays, or not at all. */
function relationOf(window: Window, debit: Debit): Relation {
  if (isSameAsset(window.asset, debit)) return "asset";
  return isSameAsset(window.asset, { currency: debit.currency }) ? "fees" : "none";
}

/** Whether a window is about a debit of an asset that it is about. */
function isIn({ accounts, destinations }: Window, debit: Debit): boolean {
  if (accounts !== "any" && !accounts.includes(debit.account)) return false;
  if (destinations === "any") return true;
  const { recipient, tag } = debit;
  return destinations.some(
    (entry) =>
      isInAnyCase(entry.address, recipient) &&
      (entry.tag ?? (entry.memo && JSON.stringify(entry.memo))) === tag,
  );
}

/** Some kinds of address mean the same in capitals, and to count too much only denies. */
function isInAnyCase(one: string, other: string): boolean {
  if (one === other) return true;
  return one.length === other.length && one.toLowerCase() === other.toLowerCase();
}

/** Most digits that are added as a number, and the sum from which on such numbers are put aside. */
const SMALL_DIGITS = 15;
const SMALL_SUM = 8e15;

/** What one window holds. Exact: journals are long, and few amounts need a BigInt. */
class Taken {
  count = 0;
  private large = 0n;
  private small = 0;

  /** Base units as digits. */
  add(digits: string): void {
    if (digits.length > SMALL_DIGITS) this.large += BigInt(digits);
    else this.small += Number(digits);
    if (this.small < SMALL_SUM) return;
    this.large += BigInt(this.small);
    this.small = 0;
  }

  /** Adds what a debit takes, which the window is about. */
  take(debit: Debit, relation: Exclude<Relation, "none">): void {
    const { amount, contract, fee } = debit;
    if (fee !== undefined && (relation === "fees" || contract === undefined)) this.add(fee);
    if (relation === "fees") return;
    this.add(amount);
    this.count += 1;
  }

  get amount(): bigint {
    return this.large + BigInt(this.small);
  }
}

/** A window that a debit needs, and what is taken out of it. */
interface Room {
  readonly window: Window;
  readonly since: number;
  readonly taken: Taken;
}

interface Share {
  readonly room: Room;
  readonly relation: Exclude<Relation, "none">;
}

/**
 * The rooms that debits of one asset are about, found once for each asset; neighbours in a journal
 * often have the same.
 */
function sharesIn(rooms: readonly Room[]): (debit: Debit) => readonly Share[] {
  const known = new Map<string, readonly Share[]>();
  let last: Pick<Debit, "currency" | "contract"> | undefined;
  let shares: readonly Share[] = [];
  return (debit) => {
    const { currency, contract } = debit;
    if (last?.currency === currency && last.contract === contract) return shares;
    last = debit;
    const asset = `${currency} ${contract ?? ""}`;
    const found = known.get(asset) ?? rooms.flatMap((room) => shareOf(room, debit));
    known.set(asset, found);
    shares = found;
    return found;
  };
}

function shareOf(room: Room, debit: Debit): Share[] {
  const relation = relationOf(room.window, debit);
  return relation === "none" ? [] : [{ room, relation }];
}

/** What windows are checked against. */
export interface Ledger {
  readonly entries: Iterable<Entry>;
  /** The API's clock, ms since 1970; undefined when it is not known. */
  readonly now: number | undefined;
  /** When the journal was begun anew; what was spent before is not known. */
  readonly restartedAt: number | undefined;
}

/** Throws POLICY_DENIED when a person must look before windows that the debit needs open again. */
export function requireOpen(policy: Policy, debit: Debit, closures: readonly Closure[]): void {
  for (const window of policy.windows) {
    if (relationOf(window, debit) === "none" || !isIn(window, debit)) continue;
    const closure = closures.find(
      ({ assets }) =>
        assets === undefined || assets.some((asset) => isSameAsset(window.asset, asset)),
    );
    if (closure !== undefined)
      throw denied(policy, closure.why, [{ id: window.id, verdict: "denied", field: closure.why }]);
  }
}

/** Throws POLICY_DENIED when a window has no room for the debit. */
export function requireRoom(policy: Policy, debit: Debit, ledger: Ledger): void {
  const { now, restartedAt } = ledger;
  if (policy.windows.length > 0 && now === undefined) throw denied(policy, "clock");
  const rooms = policy.windows.flatMap((window): Room[] => {
    const relation = relationOf(window, debit);
    if (relation === "none" || !isIn(window, debit)) return [];
    const taken = new Taken();
    taken.take(debit, relation);
    return [{ window, since: (now ?? 0) - perMs(window.per), taken }];
  });
  for (const { window, since } of rooms) {
    if (restartedAt !== undefined && restartedAt > since)
      throw denied(policy, "journal", [{ id: window.id, verdict: "denied", field: "journal" }]);
  }
  const sharesOf = sharesIn(rooms);
  for (const { isDebited, debit: other, clock, time } of ledger.entries) {
    if (!isDebited || other === undefined) continue;
    for (const { room, relation } of sharesOf(other))
      if ((clock ?? time) > room.since && isIn(room.window, other))
        room.taken.take(other, relation);
  }
  for (const { window, taken } of rooms) {
    const field =
      taken.amount > toBase(window.amount, window.asset.decimals)
        ? "amount"
        : taken.count > window.count
          ? "count"
          : undefined;
    if (field !== undefined)
      throw denied(policy, "window", [{ id: window.id, verdict: "denied", field }]);
  }
}
