/** How bech32 addresses begin (BIP-173). Their letters say the same in capitals. */

/** Of Bitcoin and its like. */
export const SEGWIT_WORDS: readonly string[] = ["bc", "tb", "ltc"];
export const CARDANO_WORDS: readonly string[] = ["addr", "addr_test"];
export const COSMOS_WORDS: readonly string[] = ["cosmos"];

const WORDS = [...SEGWIT_WORDS, ...CARDANO_WORDS, ...COSMOS_WORDS].join("|");
const BEGINNING = new RegExp(`^(?:${WORDS})1`, "i");
/** Mixed case is not allowed in an address. */
const CAPITALS = new RegExp(`^(?:${WORDS.toUpperCase()})1[02-9AC-HJ-NP-Z]{6,}$`);

/** Whether a text begins like one, whatever the case. */
export function beginsAsBech32(text: string): boolean {
  return BEGINNING.test(text);
}

/** Whether a text is one in capitals: the same address as in small letters. */
export function isBech32InCapitals(text: string): boolean {
  return CAPITALS.test(text);
}
