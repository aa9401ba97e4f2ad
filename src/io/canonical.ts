/** JSON that the runtime's own parser is enough for. A fast path can do without the scanner. */

/**
 * Deep enough for every real document, shallow enough that recursive consumers (JSON.parse, the
 * tree) are safe (C12, C13, G23).
 */
export const MAX_DEPTH = 512;

/**
 * True when the runtime's own parser returns the very same text: then the text is valid and
 * compact, no key appears twice, and every token is in the form that loses nothing. Only a
 * shortcut: false means that the scanner (io/scan.ts) decides.
 */
export function isCanonical(text: string, maxDepth: number = MAX_DEPTH): boolean {
  // A document is nested no deeper than it has brackets.
  if (text.split("[").length + text.split("{").length - 2 > maxDepth) return false;
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}
