/**
 * The sandbox's own JSON. Strict (RFC 8259 in UTF-8, no duplicate names, no lone surrogates) and
 * token-exact for numbers. It shares nothing with src/io/json.ts on purpose: the two check each
 * other.
 */

/**
 * A number as the characters that were sent; `0.10` and `12345678901234567890` stay what they are.
 */
export class JsonNumber {
  readonly token: string;
  constructor(token: string) {
    this.token = token;
  }
}

export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject;
/** Keeps the order of names, also of names that look like integers. */
export type JsonObject = ReadonlyMap<string, Json>;

/** The text is not one strict JSON document; `message` names the place. */
export class JsonSyntaxError extends Error {}

const DEEPEST = 200;
const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these inside a string.
const STRING_STOP = /["\\\u0000-\u001f]/g;
const ESCAPE = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;

/** Reads UTF-8 bytes or text. Throws JsonSyntaxError. */
export function readJson(input: Uint8Array | string): Json {
  return new Reader(typeof input === "string" ? input : decodeUtf8(input)).document();
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonSyntaxError("The body is not valid UTF-8.");
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value(0);
    this.#take(SPACE);
    return this.#at === this.#text.length ? value : this.#fail("the end");
  }

  #value(depth: number): Json {
    if (depth > DEEPEST) return this.#fail("at most 200 levels");
    this.#take(SPACE);
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    const token = this.#take(SCALAR);
    if (token === "") return this.#fail("a value");
    if (token === "null") return null;
    return token === "true" || token === "false" ? token === "true" : new JsonNumber(token);
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, Json>();
    this.#items("}", () => {
      if (this.#text[this.#at] !== '"') this.#fail("a name");
      const name = this.#string();
      if (members.has(name)) this.#fail("a name that is not there yet");
      this.#take(SPACE);
      if (this.#text[this.#at++] !== ":") this.#fail("a colon");
      members.set(name, this.#value(depth + 1));
    });
    return members;
  }

  #array(depth: number): Json[] {
    const items: Json[] = [];
    this.#items("]", () => items.push(this.#value(depth + 1)));
    return items;
  }

  /** The items between an opening bracket and `close`, separated by commas. */
  #items(close: string, readOne: () => void): void {
    this.#at++;
    this.#take(SPACE);
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#take(SPACE);
      readOne();
      this.#take(SPACE);
      const separator = this.#text[this.#at++];
      if (separator === close) return;
      if (separator !== ",") this.#fail(`a comma or ${close}`);
    }
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      STRING_STOP.lastIndex = this.#at;
      const stop = STRING_STOP.exec(this.#text);
      if (stop === null) return this.#fail("the end of a string");
      this.#at = stop.index + 1;
      if (stop[0] === '"') break;
      if (stop[0] !== "\\" || this.#take(ESCAPE) === "")
        this.#fail("a character that a string may contain");
    }
    const value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    return value.isWellFormed() ? value : this.#fail("whole surrogate pairs");
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #fail(expected: string): never {
    throw new JsonSyntaxError(`Invalid JSON at character ${this.#at}: expected ${expected}.`);
  }
}

/**
 * Compact JSON of plain values, Json and any mixture; members that are `undefined` are left out.
 */
export function encodeJson(value: unknown): string {
  if (value instanceof JsonNumber) return value.token;
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = value instanceof Map ? [...value] : Object.entries(value);
  const present = members.filter(([, member]) => member !== undefined);
  return `{${present.map(([name, member]) => `${JSON.stringify(name)}:${encodeJson(member)}`).join(",")}}`;
}

/** The plain value of a document whose numbers fit a double: seeds, faults, switches. */
export function toPlain(json: Json): unknown {
  return JSON.parse(encodeJson(json));
}

/** The Json of a plain value that JSON can carry. */
export function fromPlain(value: unknown): Json {
  return readJson(JSON.stringify(value) ?? "null");
}

/** The member at `path`, or undefined where an object or a name is missing. */
export function memberAt(json: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here = json;
  for (const name of path) here = here instanceof Map ? (here as JsonObject).get(name) : undefined;
  return here;
}

/** The string at `path`, or undefined when there is none. */
export function textAt(json: Json | undefined, ...path: readonly string[]): string | undefined {
  const found = memberAt(json, ...path);
  return typeof found === "string" ? found : undefined;
}
