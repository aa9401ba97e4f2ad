/**
 * Addresses made to be mistaken for one that the institution knows. Poisoners choose an address
 * whose beginning and end are those of a real one, because people look at these only.
 */
import { beginsAsBech32, CARDANO_WORDS, COSMOS_WORDS, SEGWIT_WORDS } from "./bech32.ts";
import type { Family } from "./network.ts";

/** An address that the institution itself vouches for. */
export interface Anchor {
  readonly address: string;
  readonly family: Family;
  /** What it is, for a reader: `whitelist "Suppliers", entry "Hosting"`. */
  readonly of: string;
}

/** An anchor that an address resembles. */
export interface Lookalike {
  readonly address: string;
  readonly of: string;
  /** Index of the first character that differs, from 0. */
  readonly firstDifference: number;
}

const FEWEST_EQUAL = 4;

/** What all addresses of a family begin with: no evidence for a reader. */
const PREFIXES: Readonly<Partial<Record<Family, RegExp>>> = {
  evm: /^0x/i,
  // The witness version after the 1 is fixed, too.
  bitcoin: new RegExp(`^((${SEGWIT_WORDS.join("|")})1.|[123mnLMDA9])`, "i"),
  tron: /^T/,
  ripple: /^[rXT]/,
  stellar: /^[GM]/,
  tezos: /^(tz.|KT1)/,
  cardano: new RegExp(`^(${CARDANO_WORDS.join("|")})1`, "i"),
  cosmos: new RegExp(`^(${COSMOS_WORDS.join("|")})1`, "i"),
  polkadot: /^[15]/,
};

/** Families whose letters say the same in either case. */
function isFolded(family: Family, address: string): boolean {
  return family === "evm" || family === "cosmos" || beginsAsBech32(address);
}

/**
 * The anchors that `address` could be mistaken for: same family, not equal, at least four equal
 * characters after the fixed beginning, and at least four at the end.
 */
export function lookalikesOf(
  address: string,
  family: Family,
  anchors: readonly Anchor[],
): Lookalike[] {
  const fold = (text: string): string => (isFolded(family, text) ? text.toLowerCase() : text);
  const body = (text: string): string => fold(text).replace(PREFIXES[family] ?? /^/, "");
  const given = body(address);
  const distinct = new Map<string, Anchor>();
  for (const anchor of anchors)
    if (anchor.family === family && fold(anchor.address) !== fold(address))
      distinct.set(fold(anchor.address), anchor);
  return [...distinct.values()].flatMap((anchor) => {
    const known = body(anchor.address);
    const isSimilar =
      equalAtStart(given, known) >= FEWEST_EQUAL &&
      equalAtStart(reversed(given), reversed(known)) >= FEWEST_EQUAL;
    if (!isSimilar) return [];
    const firstDifference = equalAtStart(fold(address), fold(anchor.address));
    return [{ address: anchor.address, of: anchor.of, firstDifference }];
  });
}

/** Where they differ first, as people count: `character 7`. */
export function characterOf({ firstDifference }: Lookalike): string {
  return `character ${firstDifference + 1}`;
}

function equalAtStart(one: string, other: string): number {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at += 1;
  return at;
}

function reversed(text: string): string {
  return [...text].reverse().join("");
}
