/**
 * The tag in a note: the key of the journal's record and the head of the audit trail, on a server
 * that neither this user nor this machine can rewrite. The note is never part of a challenge.
 */
import { CliError } from "../../errors.ts";
import { Exact, encode, member, members, value } from "../../io/json.ts";

const MARK = "[lec:";
/** What the API's document allows for title and content together. */
const NOTE_MAX_CHARACTERS = 256;
const TITLE = "ledger-enterprise-cli";

/** Whether a note was made for its tag: none of its words was given. */
export function isTagAlone(title: string | undefined, content: string | undefined): boolean {
  return title === TITLE && content !== undefined && tagIn(content) === content;
}

/** The tag of a record; `head` is the hash of the audit trail's last line. */
export function tagOf(key: string, head: string | undefined): string {
  return `${MARK}${key}.${(head ?? "").slice(0, 16).padEnd(16, "0")}]`;
}

/** The key in a note's text, or undefined. */
export function keyIn(text: string): string | undefined {
  return /\[lec:([0-9A-HJKMNP-TV-Z]{26})\.[0-9a-f]{16}\]/.exec(text)?.[1];
}

/** The whole tag in a text, or undefined. */
export function tagIn(text: string): string | undefined {
  return /\[lec:[0-9A-HJKMNP-TV-Z]{26}\.[0-9a-f]{16}\]/.exec(text)?.[0];
}

/** A text without the tag at its end. */
export function withoutTag(text: string): string {
  const tag = tagIn(text);
  return tag !== undefined && text.endsWith(tag)
    ? text.slice(0, -tag.length).replace(/ $/, "")
    : text;
}

/**
 * The document with the tag at the end of its note's content; a note is made where none is. All
 * other tokens are as they were. Throws INVALID_REQUEST_DATA for a note that has no room, or no
 * text.
 */
export function withTag(document: Exact, tag: string): Exact {
  const inner = member(document, "request");
  if (inner?.text.startsWith("{") === true && member(document, "type") === undefined)
    return replaced(document, "request", withTag(inner, tag));
  const given = present(member(document, "note")) ?? new Exact(encode({ title: TITLE }));
  if (!given.text.startsWith("{")) throw untaggable("The note is not an object");
  const content = present(member(given, "content")) ?? new Exact('""');
  if (!content.text.startsWith('"')) throw untaggable("The note's content is not text");
  const gap = content.text === '""' ? "" : " ";
  const tagged = new Exact(`${content.text.slice(0, -1)}${gap}${tag}"`);
  const made = replaced(given, "content", tagged);
  const title = member(given, "title");
  const texts = [title, tagged].map((text) => (text === undefined ? "" : String(value(text))));
  if ([...texts.join("")].length > NOTE_MAX_CHARACTERS) {
    throw new CliError("INVALID_REQUEST_DATA", {
      message: "The note has no room for the tag: title and content have at most 256 characters.",
      field: "--tag",
      hint: "Shorten the note, or create the request without --tag.",
    });
  }
  return replaced(document, "note", made);
}

/** A member's value; undefined for null, which says the same as no member. */
function present(found: Exact | undefined): Exact | undefined {
  return found?.text === "null" ? undefined : found;
}

/** Words that a tag would take the place of must not be lost. */
function untaggable(what: string): CliError {
  return new CliError("INVALID_REQUEST_DATA", {
    message: `${what}, so that it cannot end with the tag.`,
    field: "--requestData",
    hint: 'Write the note as {"title":"…","content":"…"}, or create the request without --tag.',
  });
}

/** Refuses a note that looks tagged: only this program writes tags. Throws INVALID_REQUEST_DATA. */
export function requireNoTag(request: Exact): void {
  const note = member(request, "note");
  if (note === undefined || !JSON.stringify(value(note)).includes(MARK)) return;
  throw new CliError("INVALID_REQUEST_DATA", {
    message: `The note contains '${MARK}', which only this program writes.`,
    field: "--requestData",
    hint: "Change the note; --tag adds a tag.",
  });
}

function replaced(object: Exact, name: string, content: Exact): Exact {
  const before = members(object);
  const found = before.map(([key, old]) => [key, key === name ? content : old] as const);
  const all = before.some(([key]) => key === name) ? found : [...found, [name, content] as const];
  return new Exact(`{${all.map(([key, { text }]) => `${encode(key)}:${text}`).join(",")}}`);
}
