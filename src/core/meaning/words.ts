/** Words of other people inside our sentences: quoted, cut, and never able to begin a line. */

const LONGEST_QUOTE = 200;

/**
 * A foreign text as a JSON string, cut after 200 characters. One with a character outside printable
 * ASCII is followed by its form with `\u` escapes: two names can look the same.
 */
export function quote(text: string): string {
  const quoted = JSON.stringify(cut(text));
  return isPlainAscii(text) ? quoted : `${quoted} (${escaped(quoted)})`;
}

/** An address or number as it is, when it is plain and short; anything else quoted. */
export function plain(text: string): string {
  return /^[!-~]{1,200}$/.test(text) ? text : quote(text);
}

/** Whether every character is printable ASCII. */
export function isPlainAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

function cut(text: string): string {
  const characters = [...text.slice(0, 2 * LONGEST_QUOTE)];
  return characters.length > LONGEST_QUOTE
    ? `${characters.slice(0, LONGEST_QUOTE).join("")}…`
    : text;
}

function escaped(text: string): string {
  return text.replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
