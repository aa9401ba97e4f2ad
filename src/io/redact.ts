/**
 * The redactor (SEC-1): every write to stdout and stderr passes it. It knows secrets by value, in
 * the spellings in which they travel; a second layer masks by name what is shown of headers and
 * bodies.
 */
import {
  decodeString,
  Exact,
  endOfScalar,
  endOfString,
  escapeUnsafe,
  type Node,
  print,
  tree,
} from "./json.ts";

/** The text in place of a secret. */
export const REDACTED = "[redacted]";

/**
 * A secret of up to three characters is not masked by value: it would be found everywhere, which
 * destroys the output and tells the secret. One of four to seven is masked where it is a word of
 * its own, not inside a longer word or number ("test" in "bitcoin_testnet1" is data).
 */
const SHORTEST = 4;
const SHORTEST_ANYWHERE = 8;

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** One run's knowledge of its secrets. */
export class Redactor {
  private readonly learned: Set<string>;
  private readonly forms: Set<string>;
  private matcher: Matcher | undefined;

  /** Begins with what another one knows now; neither learns from the other afterwards. */
  constructor(known?: Redactor) {
    known?.prepare();
    this.learned = new Set(known?.learned);
    this.forms = new Set(known?.forms);
    this.matcher = known?.matcher;
  }

  /**
   * From now on the value is masked: as it is, JSON-escaped, URL-encoded, in base64, base64url and
   * hexadecimal.
   */
  learn(value: string): void {
    if (this.learned.has(value)) return;
    this.learned.add(value);
    const before = this.forms.size;
    for (const part of partsOf(value)) for (const form of formsOf(part)) this.forms.add(form);
    if (this.forms.size > before) this.matcher = undefined;
  }

  /** Does now what the first `clean` would do: learning a secret later only repeats it. */
  prepare(): void {
    if (this.forms.size > 0) this.matcher ??= new Matcher([...this.forms]);
  }

  /** Text with each known secret as `[redacted]`. */
  clean(text: string): string {
    this.prepare();
    return this.matcher === undefined ? text : this.matcher.mask(text);
  }

  /**
   * The same for compact JSON or a part of it, which stays valid: strings are cleaned by what they
   * mean, numbers as a whole.
   */
  cleanJson(json: string): string {
    if (this.forms.size === 0) return json;
    if (this.clean(json) === json) return this.cleanEscaped(json);
    const parts: string[] = [];
    let copied = 0;
    for (let at = 0; at < json.length; ) {
      const code = json.charCodeAt(at);
      const isString = code === QUOTE;
      const end = isString
        ? endOfString(json, at)
        : isNumberStart(code)
          ? endOfScalar(json, at)
          : at + 1;
      const token = json.slice(at, end);
      const cleaned = isString ? this.cleanString(token) : this.cleanNumber(token);
      if (cleaned !== token) {
        parts.push(json.slice(copied, at), cleaned);
        copied = end;
      }
      at = end;
    }
    parts.push(json.slice(copied));
    return parts.join("");
  }

  /** JSON in which no secret appears as it is: one can only be in a string with an escape. */
  private cleanEscaped(json: string): string {
    const parts: string[] = [];
    let copied = 0;
    for (let backslash = json.indexOf("\\"); backslash >= 0; ) {
      // No quote between a string's first one and its first escape.
      const start = json.lastIndexOf('"', backslash);
      const end = endOfString(json, start);
      const token = json.slice(start, end);
      const cleaned = this.cleanString(token);
      if (cleaned !== token) {
        parts.push(json.slice(copied, start), cleaned);
        copied = end;
      }
      backslash = json.indexOf("\\", end);
    }
    parts.push(json.slice(copied));
    return parts.join("");
  }

  private cleanString(token: string): string {
    const text = decodeString(token);
    const cleaned = this.clean(text);
    return cleaned === text ? token : escapeUnsafe(JSON.stringify(cleaned));
  }

  private cleanNumber(token: string): string {
    const isSecret = token.length > 1 && this.clean(token) !== token;
    return isSecret ? JSON.stringify(REDACTED) : token;
  }
}

function isNumberStart(code: number): boolean {
  return code === MINUS || (code >= ZERO && code <= NINE);
}

/**
 * A whole line of base64: the words of a PEM's headers ("Proc-Type: 4,ENCRYPTED") are not secret
 * and appear in our own messages.
 */
const PEM_LINE = /^[A-Za-z0-9+/=]{8,}(?=\r?$)/gm;

/**
 * The value, and what it holds: the PEM behind hexadecimal digits, the lines of a PEM (its line
 * ends vary), its base64 in one piece.
 */
function* partsOf(value: string): Generator<string> {
  yield value;
  const text = isHexadecimal(value) ? Buffer.from(value, "hex").toString("latin1") : value;
  const body = /-----BEGIN [A-Z ]+-----([\s\S]*?)-----END/.exec(text)?.[1];
  if (body === undefined) return;
  yield text;
  yield body.replace(/\s/g, "");
  yield* body.match(PEM_LINE) ?? [];
}

/** Characters that neither JSON nor a URL writes in another way. */
const SELF_SPELLED = /^[A-Za-z0-9._-]*$/;

/** The spellings of one value; each is long enough to be looked for. */
function* formsOf(value: string): Generator<string> {
  const text = value.toWellFormed();
  if (text.length < SHORTEST) return;
  const bytes = Buffer.from(text);
  yield value;
  if (!SELF_SPELLED.test(text)) {
    const encoded = encodeURIComponent(text);
    const form = new URLSearchParams([["", text]]).toString().slice(1);
    yield* [
      JSON.stringify(value).slice(1, -1),
      encoded,
      lowerEscapes(encoded),
      form,
      lowerEscapes(form),
    ];
  }
  const hex = bytes.toString("hex");
  const derived = [hex, hex.toUpperCase(), ...base64Forms(bytes)];
  if (isHexadecimal(text)) {
    yield* [text.toLowerCase(), text.toUpperCase()];
    // The bytes themselves, as in the "d" of a JWK.
    derived.push(...base64Forms(Buffer.from(text, "hex")));
  }
  yield* derived.filter((spelling) => spelling.length >= SHORTEST_ANYWHERE);
}

function isHexadecimal(text: string): boolean {
  return text.length % 2 === 0 && /^[0-9A-Fa-f]+$/.test(text);
}

function lowerEscapes(encoded: string): string {
  return encoded.replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase());
}

/**
 * Base64 of the value alone, and the characters that it alone decides when it begins at each of
 * three places in other data.
 */
function* base64Forms(bytes: Uint8Array): Generator<string> {
  for (const alphabet of ["base64", "base64url"] as const) {
    yield Buffer.from(bytes).toString(alphabet);
    for (const before of [0, 1, 2]) {
      const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString(alphabet);
      yield encoded.slice(
        Math.ceil((before * 8) / 6),
        Math.floor(((before + bytes.length) * 8) / 6),
      );
    }
  }
}

/**
 * Longer windows skip more of a text, and take longer to build than a short text takes to search.
 */
const LONGEST_WINDOW = 16;

/**
 * Finds many strings in one pass (Wu and Manber's method with blocks of two characters): most of a
 * text is skipped, so that tens of megabytes with dozens of spellings stay cheap.
 */
class Matcher {
  private readonly window: number;
  private readonly shifts: Uint8Array;
  private readonly buckets = new Map<number, string[]>();

  constructor(needles: readonly string[]) {
    this.window = Math.min(LONGEST_WINDOW, ...needles.map((needle) => needle.length));
    this.shifts = new Uint8Array(0x10000).fill(this.window - 1);
    for (const needle of [...needles].sort((a, b) => b.length - a.length)) this.add(needle);
  }

  private add(needle: string): void {
    for (let end = 1; end < this.window; end += 1) {
      const block = blockAt(needle, end);
      this.shifts[block] = Math.min(this.shifts[block] ?? 0, this.window - 1 - end);
    }
    const last = blockAt(needle, this.window - 1);
    this.buckets.set(last, [...(this.buckets.get(last) ?? []), needle]);
  }

  /** Occurrences that overlap are masked as one. */
  mask(text: string): string {
    const parts: string[] = [];
    let copied = 0;
    let maskedFrom = -1;
    let maskedTo = 0;
    for (let end = this.window - 1; end < text.length; ) {
      const block = blockAt(text, end);
      const shift = this.shifts[block] ?? 0;
      if (shift > 0) {
        end += shift;
        continue;
      }
      const start = end - this.window + 1;
      end += 1;
      const found = this.buckets
        .get(block)
        ?.find((needle) => text.startsWith(needle, start) && mayStand(text, start, needle));
      if (found === undefined) continue;
      if (maskedFrom >= 0 && start >= maskedTo) {
        parts.push(text.slice(copied, maskedFrom), REDACTED);
        copied = maskedTo;
        maskedFrom = -1;
      }
      if (maskedFrom < 0) maskedFrom = start;
      maskedTo = Math.max(maskedTo, start + found.length);
    }
    if (maskedFrom < 0 && copied === 0) return text;
    if (maskedFrom >= 0) {
      parts.push(text.slice(copied, maskedFrom), REDACTED);
      copied = maskedTo;
    }
    parts.push(text.slice(copied));
    return parts.join("");
  }
}

/**
 * Two characters, the later one at `end`, as one number below 2^16; different blocks may share a
 * number.
 */
function blockAt(text: string, end: number): number {
  return ((text.charCodeAt(end - 1) << 8) ^ text.charCodeAt(end)) & 0xffff;
}

const WORD = /[A-Za-z0-9]/;

function mayStand(text: string, start: number, needle: string): boolean {
  if (needle.length >= SHORTEST_ANYWHERE) return true;
  return !WORD.test(text[start - 1] ?? "") && !WORD.test(text[start + needle.length] ?? "");
}

/**
 * Names whose values are secrets. Not "everything with token or key in it": `tokenMint`,
 * `token_address`, `contractAddress` and `publicKey` are what a person must see before approving,
 * and `apiKeyId` is not a secret.
 */
const SECRET_NAME =
  /^(proxy)?authorization$|^(set)?cookie2?$|^(access|refresh|id|auth|bearer)token$|apikey$|secret|privatekey|passw|passphrase/;
const SECRET_HEADER = /token/;

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(plainName(name));
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

const MASK: Node = { kind: "string", value: REDACTED, raw: JSON.stringify(REDACTED) };

/**
 * A document with the values of secret names masked at every depth; null and booleans stay. For dry
 * runs and error details.
 */
export function maskNamed(node: Node): Node {
  if (node.kind === "array") return { kind: "array", items: node.items.map(maskNamed) };
  if (node.kind !== "object") return node;
  const masked = node.members.map(([key, child]) => {
    const isKept = child.kind === "null" || child.kind === "boolean" || !isSecretName(key);
    return [key, isKept ? maskNamed(child) : MASK] as const;
  });
  return { kind: "object", members: masked };
}

/** The same for a document; one without such names stays as it is, to the byte. */
export function masked(document: Exact): Exact {
  const before = tree(document);
  const after = maskNamed(before);
  return print(after) === print(before) ? document : new Exact(print(after));
}

/**
 * Headers with the values of secret ones masked. In a header's name, unlike in a body's, "token"
 * always means a credential.
 */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const isSecret = isSecretName(name) || SECRET_HEADER.test(plainName(name));
      return [name, isSecret ? REDACTED : value];
    }),
  );
}
