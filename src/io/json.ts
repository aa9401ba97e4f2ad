/**
 * Token-exact JSON (OUT-2, OUT-3): number tokens, string tokens, key order, integer-like keys and
 * `__proto__` survive; duplicate keys and everything RFC 8259 forbids are refused. Nothing here
 * passes a value through a double.
 */
import { compact, type ScanOptions } from "./scan.ts";

export { decodeUtf8, JsonError } from "./scan.ts";
export { escapeUnsafe, visible } from "./unsafe.ts";

/**
 * A JSON text that was checked and stripped of insignificant white space; every token is as it
 * arrived.
 */
export class Exact {
  constructor(
    /** Compact JSON. Not yet escaped for a terminal: io/stdout does that (OUT-4). */
    readonly text: string,
  ) {}
}

/** Ordered tree view of a document. `raw` is the token as written, quotes included for strings. */
export type Node =
  | { readonly kind: "object"; readonly members: readonly (readonly [key: string, value: Node])[] }
  | { readonly kind: "array"; readonly items: readonly Node[] }
  | { readonly kind: "string"; readonly value: string; readonly raw: string }
  | { readonly kind: "number"; readonly raw: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" };

/**
 * Checks a text from outside and returns the document without insignificant white space. Throws
 * JsonError; callers name the code.
 */
export function exact(text: string, options?: ScanOptions): Exact {
  return new Exact(compact(text, options));
}

/**
 * The document as JavaScript values, for schema checks. Numbers become doubles: never print or send
 * what this returns.
 */
export function value(document: Exact): unknown {
  return JSON.parse(document.text);
}

/**
 * JSON of a file that this program wrote, as JavaScript values; undefined when it is none, which a
 * check of its shape then refuses.
 */
export function parsePlain(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * Compact JSON of plain values, in which an `Exact` is copied as it is. Members that are undefined
 * are left out. Anything without a lossless JSON form (other classes, numbers that a double does
 * not hold exactly) is a defect of the caller: TypeError.
 */
export function encode(value: unknown): string {
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      if (Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value)))
        return String(value);
      throw new TypeError("A number that a double does not hold exactly cannot be printed.");
    case "object":
      return value === null ? "null" : encodeMembers(value);
    default:
      throw new TypeError(`A value of type ${typeof value} has no JSON form.`);
  }
}

function encodeMembers(object: object): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError("Only plain objects have a JSON form.");
  const parts: string[] = [];
  for (const [key, member] of Object.entries(object)) {
    if (member !== undefined) parts.push(`${JSON.stringify(key)}:${encode(member)}`);
  }
  return `{${parts.join(",")}}`;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/**
 * The members of an object in their order, values as slices of the document. TypeError when it is
 * no object.
 */
export function members(document: Exact): ReadonlyArray<readonly [key: string, value: Exact]> {
  const { text } = document;
  if (text.charCodeAt(0) !== BRACE) throw new TypeError("The document is not an object.");
  const found: (readonly [string, Exact])[] = [];
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    const colon = endOfString(text, at);
    const end = endOfValue(text, colon + 1);
    found.push([decodeString(text.slice(at, colon)), new Exact(text.slice(colon + 1, end))]);
    at = end + 1;
  }
  return found;
}

/** The elements of an array, as slices of the document. TypeError when it is not an array. */
export function elements(document: Exact): readonly Exact[] {
  const { text } = document;
  if (text.charCodeAt(0) !== BRACKET) throw new TypeError("The document is not an array.");
  const found: Exact[] = [];
  for (let at = 1; at < text.length - 1; ) {
    const end = endOfValue(text, at);
    found.push(new Exact(text.slice(at, end)));
    at = end + 1;
  }
  return found;
}

/** One member's value, or undefined when the document has none of that name or is not an object. */
export function member(document: Exact, key: string): Exact | undefined {
  const { text } = document;
  if (text.charCodeAt(0) !== BRACE) return undefined;
  for (let at = 1; text.charCodeAt(at) === QUOTE; ) {
    const colon = endOfString(text, at);
    const end = endOfValue(text, colon + 1);
    if (decodeString(text.slice(at, colon)) === key) return new Exact(text.slice(colon + 1, end));
    at = end + 1;
  }
  return undefined;
}

/** Index after the string token that begins at `at`, in valid JSON. */
export function endOfString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (text.charCodeAt(end - 1) === BACKSLASH && isEscaped(text, end))
    end = text.indexOf('"', end + 1);
  return end + 1;
}

/** True when an odd number of backslashes precedes `at`. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}

/** Index after the value that begins at `at`, in valid compact JSON. */
function endOfValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return endOfString(text, at);
  if (first !== BRACE && first !== BRACKET) return endOfScalar(text, at);
  let end = at + 1;
  for (let depth = 1; depth > 0; ) {
    const code = text.charCodeAt(end);
    if (code === BRACE || code === BRACKET) depth += 1;
    else if (code === BRACE_END || code === BRACKET_END) depth -= 1;
    end = code === QUOTE ? endOfString(text, end) : end + 1;
  }
  return end;
}

/** Index after the number or literal that begins at `at`. */
export function endOfScalar(text: string, at: number): number {
  let end = at;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === COMMA || code === BRACE_END || code === BRACKET_END) break;
    end += 1;
  }
  return end;
}

/** The text that a string token encodes. */
export function decodeString(token: string): string {
  return token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
}

/** The document as an ordered tree. Recursion goes no deeper than the depth limit of `exact`. */
export function tree(document: Exact): Node {
  const { text } = document;
  let at = 0;
  const list = <T>(end: number, item: () => T): T[] => {
    const items: T[] = [];
    at += 1;
    while (text.charCodeAt(at) !== end) {
      if (items.length > 0) at += 1;
      items.push(item());
    }
    at += 1;
    return items;
  };
  const token = (end: number): string => {
    const start = at;
    at = end;
    return text.slice(start, end);
  };
  const read = (): Node => {
    const first = text.charCodeAt(at);
    if (first === BRACE) return { kind: "object", members: list(BRACE_END, readMember) };
    if (first === BRACKET) return { kind: "array", items: list(BRACKET_END, read) };
    if (first !== QUOTE) return scalar(token(endOfScalar(text, at)));
    const raw = token(endOfString(text, at));
    return { kind: "string", value: decodeString(raw), raw };
  };
  const readMember = (): readonly [string, Node] => {
    const key = decodeString(token(endOfString(text, at)));
    at += 1;
    return [key, read()];
  };
  return read();
}

function scalar(raw: string): Node {
  if (raw === "null") return { kind: "null" };
  if (raw === "true" || raw === "false") return { kind: "boolean", value: raw === "true" };
  return { kind: "number", raw };
}

/** Compact JSON of a tree; tokens as they arrived, keys in their shortest spelling. */
export function print(node: Node): string {
  switch (node.kind) {
    case "object":
      return `{${node.members.map(([key, child]) => `${JSON.stringify(key)}:${print(child)}`).join(",")}}`;
    case "array":
      return `[${node.items.map(print).join(",")}]`;
    case "boolean":
      return String(node.value);
    case "null":
      return "null";
    default:
      return node.raw;
  }
}

/**
 * The two-space form of compact JSON, as `JSON.stringify(…, 2)` lays it out; `depth` is where the
 * text will be.
 */
export function pretty(text: string, depth = 0): string {
  const parts: string[] = [];
  let level = depth;
  let copied = 0;
  const breaks: string[] = [];
  const breakLine = (at: number): void => {
    breaks[level] ??= `\n${"  ".repeat(level)}`;
    parts.push(text.slice(copied, at), breaks[level] ?? "");
    copied = at;
  };
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (code === COMMA) breakLine(at);
    else if (code === COLON) {
      parts.push(text.slice(copied, at), " ");
      copied = at;
    } else if (code === BRACE || code === BRACKET) {
      const next = text.charCodeAt(at);
      if (next === BRACE_END || next === BRACKET_END) at += 1;
      else {
        level += 1;
        breakLine(at);
      }
    } else if (code === BRACE_END || code === BRACKET_END) {
      level -= 1;
      breakLine(at - 1);
    }
  }
  parts.push(text.slice(copied));
  return parts.join("");
}
