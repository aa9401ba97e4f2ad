/** What a caller typed, inside a sentence of ours. */

/**
 * The word in single quotes; undefined for one with a space or another character with which it
 * could read like a sentence, or with more than 80 characters: those are `details` only.
 */
export function wordOf(text: string): string | undefined {
  return /^[\w@%+=:,./~-]{1,80}$/.test(text) ? `'${text}'` : undefined;
}
