/** What the rules of a policy file must be beside their form: one that fits nothing is wrong. */
import type { CliError } from "../../errors.ts";
import { wordOf } from "../../io/word.ts";
import { checkAddress } from "../meaning/address.ts";
import { NETWORKS, networkOf } from "../meaning/network.ts";
import { SHAPES, shapeOf, UNDOCUMENTED } from "../meaning/requests.ts";
import type { AllowRule, AssetRule, DenyRule, Policy, Window } from "./load.ts";
import { currencyOf, invalid, isSameAsset, toBase } from "./values.ts";

/** Throws POLICY_INVALID with the place that is at fault. */
export function checkRules(
  { allow, deny, windows }: Pick<Policy, "allow" | "deny" | "windows">,
  path: string,
): void {
  const ids = [...allow, ...deny, ...windows].map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw invalid(path, "", "Two rules have the same id.");
  if ((allow.length === 0) !== (windows.length === 0))
    throw invalid(path, "windows", "allow and windows are empty together, or neither is.");
  for (const [at, rule] of allow.entries()) {
    const place = `allow.${at}`;
    toBase(rule.perRequest, rule.asset.decimals, path, `${place}.perRequest`);
    if (rule.fees !== "none") toBase(rule.fees.max, rule.fees.decimals, path, `${place}.fees.max`);
    for (const type of rule.transactionTypes) {
      if (!isPayment(type)) throw notPayment(type, path, `${place}.transactionTypes`);
      const members = membersOf(type);
      const kinds = members.flatMap(kindsOf);
      const hasStrategy = members.some(({ name }) => name === "fees_strategy");
      if (!hasFeesOf(rule, kinds.includes("fee"), hasStrategy))
        throw invalid(path, `${place}.fees`, `They are not the fees of ${type}.`);
    }
    checkDestinations(rule, path, `${place}.destinations`);
    if (!windows.some((window) => covers(window, rule, rule.asset)))
      throw invalid(path, place, "No window covers the rule.");
    const coin = { currency: rule.asset.currency };
    if (rule.asset.contract !== undefined && !windows.some((window) => covers(window, rule, coin)))
      throw invalid(path, place, "No window of the network's coin covers the rule's fees.");
  }
  for (const [at, rule] of deny.entries()) checkDenied(rule, allow, path, `deny.${at}`);
  for (const [at, window] of windows.entries()) {
    toBase(window.amount, window.asset.decimals, path, `windows.${at}.amount`);
    checkDestinations(window, path, `windows.${at}.destinations`);
  }
}

const membersOf = (type: string) => shapeOf("CREATE_TRANSACTION", type)?.data ?? [];

function isPayment(type: string): boolean {
  const kinds = membersOf(type).flatMap(kindsOf);
  return kinds.includes("amount") && kinds.includes("address") && !kinds.includes("call");
}

function notPayment(type: string, path: string, place: string): CliError {
  const payments = [...TRANSACTION_TYPES].filter(isPayment).join(", ");
  const word = wordOf(type) ?? "A type";
  return invalid(path, place, `${word} at ${place} is not a payment. Payments: ${payments}.`);
}

const TYPES = new Set([...SHAPES.map(({ type }) => type), ...UNDOCUMENTED]);
const TRANSACTION_TYPES = new Set(SHAPES.flatMap(({ transactionType }) => transactionType ?? []));

/** What can be part of a path: an account that is named otherwise has no such id. */
const ACCOUNT_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/**
 * A word that nothing is called matches nothing: an allow rule then allows nothing, but a deny rule
 * denies nothing. Throws POLICY_INVALID.
 */
function checkDenied(
  { types = [], transactionTypes = [], accounts = [], asset }: DenyRule,
  allow: readonly AllowRule[],
  path: string,
  place: string,
): void {
  requireKnown("request type", types, TYPES, path, `${place}.types`);
  const at = `${place}.transactionTypes`;
  requireKnown("transaction type", transactionTypes, TRANSACTION_TYPES, path, at);
  const nameless = accounts.findIndex((id) => !ACCOUNT_ID.test(id));
  if (nameless !== -1) {
    const why = "An account of a deny rule must be named by its id.";
    throw invalid(path, `${place}.accounts.${nameless}`, why);
  }
  if (asset === undefined) return;
  const { currency, contract } = asset;
  const network = networkOf(currency);
  const isAllowed = allow.some((rule) => currencyOf(rule.asset.currency) === currencyOf(currency));
  if (network === undefined && !isAllowed)
    throw unknown("network", currency, NETWORKS.keys(), path, `${place}.asset.currency`);
  const isChecked = network?.family === "evm" || network?.family === "solana";
  if (!isChecked || contract === undefined) return;
  const { checksum, reason } = checkAddress(contract, network);
  if (checksum !== "invalid") return;
  const why = `The contract of a deny rule is not valid on ${network.id}: ${reason}.`;
  throw invalid(path, `${place}.asset.contract`, why);
}

function requireKnown(
  what: string,
  given: readonly string[],
  known: ReadonlySet<string>,
  path: string,
  place: string,
): void {
  for (const [at, name] of given.entries())
    if (!known.has(name)) throw unknown(what, name, known, path, `${place}.${at}`);
}

/** Names a word of a deny rule that nothing is called, and one that differs in case only. */
function unknown(
  what: string,
  name: string,
  known: Iterable<string>,
  path: string,
  place: string,
): CliError {
  const bare = (word: string) => word.toLowerCase().replaceAll(" ", "_");
  const near = [...known].find((one) => bare(one) === bare(name));
  const quoted = wordOf(name);
  const words = quoted === undefined ? `A ${what}` : `The ${what} ${quoted}`;
  const mend = near === undefined ? "" : ` Write '${near}'.`;
  return invalid(path, place, `${words} at ${place} is not known, and would deny nothing.${mend}`);
}

/** Addresses that were found valid: a file is read anew for each decision. */
const VALID = new Set<string>();
const MOST_VALID = 10_000;

/** An address that is not one of the network can only be a mistake: it would never be paid. */
function checkDestinations(
  { asset, destinations }: Pick<AllowRule, "asset" | "destinations">,
  path: string,
  place: string,
): void {
  const network = networkOf(asset.currency);
  if (network === undefined || destinations === "any") return;
  for (const [at, { address }] of destinations.entries()) {
    const known = `${network.id} ${address}`;
    if (VALID.has(known)) continue;
    const { checksum, reason } = checkAddress(address, network);
    if (checksum !== "invalid") {
      if (VALID.size < MOST_VALID) VALID.add(known);
      continue;
    }
    const why = `An address is not valid on ${network.id}, at ${place}.${at}: ${reason}.`;
    throw invalid(path, `${place}.${at}.address`, why);
  }
}

/** Whether a rule bounds the fee of a type that has one, and names strategies where it has them. */
function hasFeesOf({ fees }: AllowRule, hasFee: boolean, hasStrategy: boolean): boolean {
  if (fees === "none") return !hasFee && !hasStrategy;
  return hasFee && (fees.strategies !== "none") === hasStrategy;
}

interface Kinds {
  readonly kind: string;
  readonly members?: readonly Kinds[];
}

function kindsOf({ kind, members = [] }: Kinds): string[] {
  return [kind, ...members.flatMap(kindsOf)];
}

function covers(window: Window, rule: AllowRule, asset: AssetRule): boolean {
  const hasAll = <T>(most: "any" | readonly T[], some: "any" | readonly T[]): boolean => {
    if (most === "any") return true;
    const known = new Set(most.map((item) => JSON.stringify(item)));
    return some !== "any" && some.every((item) => known.has(JSON.stringify(item)));
  };
  return (
    isSameAsset(window.asset, asset) &&
    hasAll(window.accounts, rule.accounts) &&
    hasAll(window.destinations, rule.destinations)
  );
}
