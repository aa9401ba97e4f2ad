/**
 * Characters that act on a terminal or hide text (OUT-4): C0, DEL, C1, soft hyphen, bidirectional
 * controls, zero-width and tag characters, variation selectors, lone surrogates. In JSON they
 * become escapes, which lose nothing; for people they become visible.
 */

const UNSAFE =
  "\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufe00-\\ufe0f\\ufeff\\ufff9-\\ufffb" +
  "\\ud800-\\udfff\\u{e0000}-\\u{e007f}\\u{e0100}-\\u{e01ef}";

/** Valid JSON holds no raw C0 in strings, and line breaks between tokens must stay. */
const IN_JSON = new RegExp(`[${UNSAFE}]`, "gu");
const FOR_PEOPLE = new RegExp(`[\\u0000-\\u001f${UNSAFE}]`, "gu");

/**
 * JSON text with every unsafe character as `\uXXXX` (lower case, surrogate pairs for astral ones):
 * the same document for a parser.
 */
export function escapeUnsafe(json: string): string {
  // The runtime counts bytes much faster than a pattern looks at characters.
  if (Buffer.byteLength(json) === json.length && !json.includes("\u007f")) return json;
  return json.replace(IN_JSON, (character) => {
    let escaped = "";
    for (let at = 0; at < character.length; at += 1) {
      escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}

/** Text for people on one line: unsafe characters as `<U+202E>`. */
export function visible(text: string): string {
  return text.replace(FOR_PEOPLE, (character) => {
    return `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}
