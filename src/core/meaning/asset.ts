/**
 * Assets out of a workspace's answers: which units an account's coin or token has, and how far the
 * decimals can be believed. Pure. Decimals are the server's word; native coins have a second
 * source (network.ts).
 */
import { type Exact, elements, member, type Node, tree } from "../../io/json.ts";
import { type Amount, isPlain, toDecimal, type Unit } from "./amount.ts";
import { membersOf, named, textOf } from "./content.ts";
import { type Family, type Network, networkOf } from "./network.ts";

/** One coin or token. */
export interface Asset {
  /** Currency name of the network, as the API spells it. */
  readonly network: string;
  /** Contract or mint; null for the network's own coin. */
  readonly contract: string | null;
  /** The server's name for it, if any. */
  readonly name: string | undefined;
  /** Decimals of the main unit; undefined when no source has them, or two sources disagree. */
  readonly decimals: number | undefined;
  /** Code of the main unit; undefined like the decimals. */
  readonly unit: string | undefined;
  readonly units: readonly Unit[];
  readonly source: string | undefined;
  /** What disagrees, in one sentence. */
  readonly conflict: string | undefined;
}

/** What a workspace lists; undefined where it could not be read. */
export interface AssetLists {
  readonly currencies: readonly Exact[] | undefined;
  readonly tokens: readonly Exact[] | undefined;
}

/** Names that people use for base units, whatever the server lists. */
const BASE_NAMES: Readonly<Partial<Record<Family, readonly Unit[]>>> = {
  bitcoin: [{ code: "sat", magnitude: 0 }],
  evm: [
    { code: "wei", magnitude: 0 },
    { code: "gwei", magnitude: 9 },
  ],
  solana: [{ code: "lamport", magnitude: 0 }],
  ripple: [{ code: "drop", magnitude: 0 }],
  stellar: [{ code: "stroop", magnitude: 0 }],
  tron: [{ code: "sun", magnitude: 0 }],
  tezos: [{ code: "mutez", magnitude: 0 }],
  cardano: [{ code: "lovelace", magnitude: 0 }],
};

/** The results of a list answer: `{results:[…]}` or an array; none of anything else. */
export function resultsOf(answer: Exact): readonly Exact[] {
  const results = answer.text.startsWith("[") ? answer : member(answer, "results");
  return results?.text.startsWith("[") === true ? elements(results) : [];
}

/** The coin of a network. Its decimals are checked against the built-in table. */
export function coinOf(network: string, { currencies }: AssetLists): Asset {
  const known = networkOf(network);
  const listed = (currencies ?? []).map(readEntry).find(({ ids }) => ids.some(isSame(network)));
  const base = known === undefined ? [] : (BASE_NAMES[known.family] ?? []);
  const own = { network: known?.id ?? network, contract: null, name: listed?.name };
  if (listed?.units.length) {
    const main = mainOf(listed.units);
    const conflict = known && conflictOf(known, main, listed.units);
    return { ...own, ...measured(main, conflict), units: merge(listed.units, base), ...CURRENCIES };
  }
  if (known?.decimals === undefined)
    return { ...own, ...measured(undefined), ...NOWHERE, units: base };
  const main = { code: known.ticker, magnitude: known.decimals };
  return { ...own, ...measured(main), units: merge([main], base), source: "built-in" };
}

/** What the server says of a coin's units against what is known of them. */
function conflictOf(known: Network, main: Unit, units: readonly Unit[]): string | undefined {
  const { decimals } = known;
  if (decimals === undefined) return undefined;
  if (decimals !== main.magnitude)
    return `The server says that ${main.code} has ${main.magnitude} decimals; the coin has ${decimals}.`;
  const wrong = units.find((unit) => {
    const expected = magnitudeByName(unit.code, known, decimals);
    return expected !== undefined && expected !== unit.magnitude;
  });
  return wrong && `The server says that ${wrong.code} has ${wrong.magnitude} decimals.`;
}

/** Letters before a ticker that say how much of it a unit is: `mBTC` is 10^-3 BTC. */
const PREFIXES: ReadonlyMap<string, number> = new Map([
  ...([
    ["", 0],
    ["m", -3],
    ["u", -6],
    ["\u00b5", -6],
    ["\u03bc", -6],
    ["n", -9],
    ["k", 3],
  ] as const),
]);

/** The magnitude that a unit's own name says; undefined for a name without a known meaning. */
function magnitudeByName(code: string, known: Network, decimals: number): number | undefined {
  const base = BASE_NAMES[known.family]?.find((unit) => unit.code === code);
  if (base !== undefined) return base.magnitude;
  if (!code.endsWith(known.ticker)) return undefined;
  const power = PREFIXES.get(code.slice(0, -known.ticker.length));
  return power === undefined ? undefined : decimals + power;
}

const CURRENCIES = { source: "assets.currencies" };
const NOWHERE = { source: undefined };

/** The token of a contract or mint. Two entries that disagree leave its decimals unknown. */
export function tokenOf(network: string, contract: string, { tokens }: AssetLists): Asset {
  const listed = (tokens ?? [])
    .map(readEntry)
    .filter((one) => one.ids.some(isSame(network)) && isSameContract(one.contract, contract));
  const own = { network: networkOf(network)?.id ?? network, contract, name: listed[0]?.name };
  const mains = listed.flatMap(({ units }) => (units.length === 0 ? [] : [mainOf(units)]));
  const [main, ...others] = mains;
  if (main === undefined) return { ...own, ...measured(undefined), ...NOWHERE, units: [] };
  const differs = others.some(({ magnitude }) => magnitude !== main.magnitude);
  const conflict = differs ? "The server lists this contract with different decimals." : undefined;
  const units = listed.flatMap((one) => one.units);
  return { ...own, ...measured(main, conflict), units: merge(units, []), source: "assets.tokens" };
}

/** Every token of the network that calls itself or a unit of it `code`. */
export function tokensCalled(
  code: string,
  network: string,
  { tokens }: AssetLists,
): TokenCandidate[] {
  return (tokens ?? []).map(readEntry).flatMap(({ ids, contract, name, units }) => {
    const isCalled = units.some((unit) => unit.code === code) || name === code;
    const isMeant = isCalled && ids.some(isSame(network));
    return isMeant && contract !== undefined ? [{ contract, network: ids[0] ?? "", name }] : [];
  });
}

/** A token that a ticker may mean. */
export interface TokenCandidate {
  readonly contract: string;
  readonly network: string;
  readonly name: string | undefined;
}

function measured(main: Unit | undefined, conflict?: string) {
  const isKnown = conflict === undefined && main !== undefined;
  return {
    decimals: isKnown ? main.magnitude : undefined,
    unit: isKnown ? main.code : undefined,
    conflict,
  };
}

/** Digits of the base unit in both forms, as far as the asset's decimals are known. */
export function amountOf(
  base: string,
  asset: Asset,
): Amount & { readonly contract: string | null } {
  const { decimals, unit, source, contract } = asset;
  if (decimals === undefined || unit === undefined || !isPlain(base)) {
    const unknown = { decimal: null, unit: null, text: null, decimals: null, decimalsSource: null };
    return { base, ...unknown, contract };
  }
  const decimal = toDecimal(base, decimals);
  const text = `${decimal} ${unit}`;
  return { base, decimal, unit, text, decimals, decimalsSource: source ?? null, contract };
}

interface Entry {
  readonly ids: readonly string[];
  readonly contract: string | undefined;
  readonly name: string | undefined;
  readonly units: readonly Unit[];
}

/**
 * An entry of a list, read leniently: V1 has `units` of `{code, magnitude}`; what V2 has is not
 * public.
 */
function readEntry(entry: Exact): Entry {
  const members = membersOf(tree(entry));
  const text = (...names: string[]): string | undefined => {
    const found = names.flatMap((name) => named(members, name).map(([, node]) => textOf(node)));
    return found.find((one) => one !== undefined);
  };
  const ids = ["parent_currency", "network", "currency", "id", "name"];
  const units = named(members, "units").flatMap(([, node]) => unitsOf(node));
  const decimals = magnitudeOf(text("decimals", "magnitude"));
  const code = text("ticker", "symbol", "code");
  const own = code !== undefined && decimals !== undefined ? [{ code, magnitude: decimals }] : [];
  return {
    ids: ids.flatMap((name) => text(name) ?? []),
    contract: text("contract_address", "token_address", "address", "mint"),
    name: text("name"),
    units: units.length > 0 ? units : own,
  };
}

/** V1's example shows one object where its schema declares an array. */
function unitsOf(node: Node): Unit[] {
  const items = node.kind === "array" ? node.items : [node];
  return items.flatMap((item) => {
    const members = new Map(membersOf(item));
    const code = textOf(members.get("code"));
    const magnitude = magnitudeOf(textOf(members.get("magnitude")));
    return code === undefined || magnitude === undefined ? [] : [{ code, magnitude }];
  });
}

/** At most 77 decimals: more do not fit 78 digits. */
function magnitudeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^(?:[0-9]|[1-6][0-9]|7[0-7])$/.test(text)
    ? Number(text)
    : undefined;
}

/** The unit with the most decimals is the one that people quote. */
function mainOf(units: readonly Unit[]): Unit {
  return units.reduce((most, unit) => (unit.magnitude > most.magnitude ? unit : most));
}

function merge(units: readonly Unit[], more: readonly Unit[]): Unit[] {
  const all = new Map<string, Unit>();
  for (const unit of [...units, ...more]) if (!all.has(unit.code)) all.set(unit.code, unit);
  return [...all.values()];
}

function isSame(network: string): (id: string) => boolean {
  const wanted = network.replaceAll(" ", "_");
  return (id) => id.replaceAll(" ", "_") === wanted;
}

/** Hexadecimal contracts are equal whatever their case; anything else exactly. */
export function isSameContract(one: string | undefined, other: string): boolean {
  if (one === undefined) return false;
  const isHex = one.startsWith("0x") && other.startsWith("0x");
  return isHex ? one.toLowerCase() === other.toLowerCase() : one === other;
}
