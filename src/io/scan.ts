/**
 * The strict reader of JSON from outside: RFC 8259 in one pass over the characters, without
 * recursion. It makes no values; it decides whether a text is acceptable and returns it without
 * insignificant white space, token by token as it arrived.
 */
import { isCanonical, MAX_DEPTH } from "./canonical.ts";
import { expectLongWork } from "./effort.ts";
import { escapeUnsafe } from "./unsafe.ts";

export interface ScanOptions {
  /** Deepest nesting of arrays and objects. */
  readonly maxDepth?: number;
  /**
   * An escaped or raw half of a surrogate pair: no Unicode text, so refused from users (C15); legal
   * grammar in an answer.
   */
  readonly loneSurrogates?: "refuse" | "allow";
}

const QUOTED_CHARACTERS = 40;
const PATH_CHARACTERS = 200;
/**
 * Up to this number of keys, those of one object are compared one by one: it is faster than
 * hashing.
 */
const FEW_KEYS = 8;
/** Number of keys remembered from one object to predict the next. */
const REMEMBERED_KEYS = 64;

/** Why a text is not acceptable JSON. The message is ours and quotes nothing; `found` does. */
export class JsonError extends Error {
  constructor(
    readonly reason: "syntax" | "duplicate" | "depth" | "surrogate" | "bom" | "utf8",
    message: string,
    /** Offset in UTF-16 units. */
    readonly position: number,
    /** Place of a duplicate key, as `/data/0/to`, at most 200 characters; empty otherwise. */
    readonly path = "",
    /**
     * The text at the position: at most 40 characters, escaped; empty where that explains
     * nothing.
     */
    readonly found = "",
  ) {
    super(message);
    this.name = "JsonError";
  }
}

/**
 * Text of UTF-8 bytes; nothing is replaced by U+FFFD. A byte order mark is stripped or refused.
 * Throws JsonError.
 */
export function decodeUtf8(
  bytes: Uint8Array,
  options: { readonly bom: "strip" | "refuse" },
): string {
  if (isUtf16(bytes)) throw new JsonError("utf8", "The text is UTF-16, not UTF-8.", 0);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError("utf8", "The text is not valid UTF-8.", firstBadCharacter(bytes));
  }
  if (text.charCodeAt(0) !== 0xfeff) return text;
  if (options.bom === "refuse") throw byteOrderMark();
  return text.slice(1);
}

/**
 * Whether bytes are UTF-16, as some Windows shells write files: they begin with its byte order
 * mark, or every other of the first bytes is 0, which no text in UTF-8 has.
 */
function isUtf16([first, second, third, fourth]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const isLittle = first !== 0 && second === 0 && third !== 0 && fourth === 0;
  return isLittle || (first === 0 && second !== 0 && third === 0 && fourth !== 0);
}

function byteOrderMark(): JsonError {
  return new JsonError("bom", "The text begins with a byte order mark.", 0);
}

function firstBadCharacter(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const repaired = Buffer.from(decoder.decode(bytes));
  let at = 0;
  while (at < bytes.length && repaired[at] === bytes[at]) at += 1;
  return decoder.decode(bytes.subarray(0, at)).length;
}

/**
 * The checked text without insignificant white space; the same string when it has none. Throws
 * JsonError.
 */
export function compact(text: string, options: ScanOptions = {}): string {
  const maxDepth = options.maxDepth ?? MAX_DEPTH;
  const isStrict = options.loneSurrogates !== "allow";
  if (text.length > SHORT_LENGTH) expectLongWork();
  else if (!(isStrict && text.includes("\\ud")) && isCanonical(text, maxDepth)) return text;
  return new Scanner(text, maxDepth, isStrict).document();
}

/**
 * Above this length compiled code pays for itself, and the compiled scanner is as fast as the
 * shortcut. From 256 KiB on, 200 kB would take 2 ms longer.
 */
const SHORT_LENGTH = 64 * 1024;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_END = 0x5d;
const LOWER_U = 0x75;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

/** Everything that may follow a backslash, `u` apart. */
const SHORT_ESCAPES = new Set([...'"\\/bfnrt'].map((character) => character.charCodeAt(0)));
const LITERALS = new Map(
  ["true", "false", "null"].map((literal) => [literal.charCodeAt(0), literal]),
);

/**
 * The keys of one object: their tokens in order, as far as they are remembered, and what each
 * means.
 */
class Keys {
  readonly tokens: string[] = [];
  private readonly few: string[] = [];
  private all: Set<string> | undefined;

  /** `tokens` are different keys. */
  constructor(tokens: readonly string[]) {
    for (const token of tokens) this.add(token, JSON.parse(token) as string);
  }

  /** False when the object has the key already. */
  add(token: string, key: string): boolean {
    if (this.tokens.length < REMEMBERED_KEYS) this.tokens.push(token);
    if (this.all !== undefined) return this.all.size < this.all.add(key).size;
    if (this.few.includes(key)) return false;
    this.few.push(key);
    if (this.few.length > FEW_KEYS) this.all = new Set(this.few);
    return true;
  }
}

/** One open array or object. */
class Frame {
  /** Elements or members begun so far. */
  count = 0;
  /** Token of the key whose value is being read. */
  key = '""';
  /** Absent while the keys are those of the twin, which are known to be different. */
  private own: Keys | undefined;

  /**
   * `twin`: the key tokens of the object that closed last at this depth; the objects of a list are
   * alike.
   */
  constructor(
    readonly isObject: boolean,
    private readonly twin: readonly string[],
  ) {}

  /** The key token that is next if this object goes on like its twin. */
  get expected(): string | undefined {
    return this.own === undefined ? this.twin[this.count] : undefined;
  }

  /** Notes a key that was not expected; false when the object has it already. */
  add(token: string, key: string): boolean {
    this.own ??= new Keys(this.twin.slice(0, this.count));
    return this.own.add(token, key);
  }

  /** What the next object at this depth is likely to have. */
  get tokens(): readonly string[] {
    return this.own?.tokens ?? this.twin;
  }
}

class Scanner {
  private at = 0;
  private copied = 0;
  private readonly parts: string[] = [];
  private readonly frames: Frame[] = [];
  /** By depth. */
  private readonly twins: (readonly string[])[] = [];
  private readonly end: number;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
    private readonly strictUnicode: boolean,
  ) {
    this.end = text.length;
  }

  document(): string {
    if (this.text.charCodeAt(0) === 0xfeff) throw byteOrderMark();
    this.space();
    for (let opened = this.value(); ; ) {
      // After a container was opened its first item or its end follows; after anything else, what
      // the surrounding container allows.
      const frame = this.frames.at(-1);
      if (frame === undefined) break;
      this.space();
      if (this.closes(frame)) {
        this.frames.pop();
        if (frame.isObject) this.twins[this.frames.length] = frame.tokens;
        opened = false;
        continue;
      }
      if (!opened) this.separator(frame);
      if (frame.isObject) this.key(frame);
      frame.count += 1;
      opened = this.value();
    }
    this.space();
    if (this.at < this.end) throw this.unexpected("the end");
    if (this.copied === 0) return this.text;
    this.parts.push(this.text.slice(this.copied));
    return this.parts.join("");
  }

  /** Takes the container's end if it is here. */
  private closes(frame: Frame): boolean {
    if (this.text.charCodeAt(this.at) !== (frame.isObject ? BRACE_END : BRACKET_END)) return false;
    this.at += 1;
    return true;
  }

  private separator(frame: Frame): void {
    if (this.text.charCodeAt(this.at) !== COMMA)
      throw this.unexpected(frame.isObject ? "',' or '}'" : "',' or ']'");
    this.at += 1;
    this.space();
  }

  private key(frame: Frame): void {
    const start = this.at;
    if (this.text.charCodeAt(start) !== QUOTE) throw this.unexpected("a key in double quotes");
    const { expected } = frame;
    if (expected !== undefined && this.text.startsWith(expected, start)) {
      frame.key = expected;
      this.at += expected.length;
    } else this.otherKey(frame);
    this.space();
    if (this.text.charCodeAt(this.at) !== COLON) throw this.unexpected("':'");
    this.at += 1;
    this.space();
  }

  private otherKey(frame: Frame): void {
    const start = this.at;
    const isPlain = this.string();
    const token = this.text.slice(start, this.at);
    frame.key = token;
    if (frame.add(token, isPlain ? token.slice(1, -1) : (JSON.parse(token) as string))) return;
    throw new JsonError("duplicate", "A key appears twice in one object.", start, this.path());
  }

  /** Takes a scalar, or opens a container; true when it opened one. */
  private value(): boolean {
    const code = this.text.charCodeAt(this.at);
    if (code === QUOTE) {
      this.string();
      return false;
    }
    if (code === BRACE || code === BRACKET) {
      if (this.frames.length >= this.maxDepth) {
        throw new JsonError(
          "depth",
          `The document is nested deeper than ${this.maxDepth} levels.`,
          this.at,
        );
      }
      this.frames.push(new Frame(code === BRACE, this.twins[this.frames.length] ?? []));
      this.at += 1;
      return true;
    }
    if (code === MINUS || isDigit(code)) this.number();
    else this.literal(LITERALS.get(code));
    return false;
  }

  private literal(literal: string | undefined): void {
    if (literal === undefined || !this.text.startsWith(literal, this.at))
      throw this.unexpected("a value");
    this.at += literal.length;
  }

  private number(): void {
    const { text } = this;
    if (text.charCodeAt(this.at) === MINUS) this.at += 1;
    if (text.charCodeAt(this.at) === ZERO) this.at += 1;
    else this.digits();
    if (text.charCodeAt(this.at) === DOT) {
      this.at += 1;
      this.digits();
    }
    if ((text.charCodeAt(this.at) | 0x20) === 0x65) {
      this.at += 1;
      const sign = text.charCodeAt(this.at);
      if (sign === PLUS || sign === MINUS) this.at += 1;
      this.digits();
    }
  }

  private digits(): void {
    if (!isDigit(this.text.charCodeAt(this.at))) throw this.unexpected("a digit");
    do this.at += 1;
    while (isDigit(this.text.charCodeAt(this.at)));
  }

  /** Takes a string token; true when it has no escape. */
  private string(): boolean {
    const { text } = this;
    let plain = true;
    let at = this.at + 1;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
      if (code === BACKSLASH) {
        plain = false;
        at = this.escape(at);
      } else if (code >= SPACE) {
        at = (code & 0xf800) === 0xd800 ? this.surrogate(at, code) : at + 1;
      } else {
        this.at = at;
        throw this.unexpected(at < this.end ? "no raw control character in a string" : "'\"'");
      }
    }
    this.at = at + 1;
    return plain;
  }

  /** Index after the escape at `at`. */
  private escape(at: number): number {
    const code = this.text.charCodeAt(at + 1);
    if (SHORT_ESCAPES.has(code)) return at + 2;
    const unit = code === LOWER_U ? this.unit(at) : Number.NaN;
    if (Number.isNaN(unit)) {
      this.at = at;
      throw this.unexpected("an escape that JSON knows");
    }
    if ((unit & 0xf800) !== 0xd800 || !this.strictUnicode) return at + 6;
    const next = this.text.charCodeAt(at + 6) === BACKSLASH ? this.unit(at + 6) : Number.NaN;
    if (unit >= 0xdc00 || (next & 0xfc00) !== 0xdc00) throw loneSurrogate(at);
    return at + 12;
  }

  /** The code unit of the `\uXXXX` at `at`, or NaN. */
  private unit(at: number): number {
    const digits = this.text.slice(at + 2, at + 6);
    return this.text.charCodeAt(at + 1) === LOWER_U && /^[0-9a-fA-F]{4}$/.test(digits)
      ? Number.parseInt(digits, 16)
      : Number.NaN;
  }

  /** Index after the raw surrogate, or pair, at `at`. */
  private surrogate(at: number, code: number): number {
    const isPair = code < 0xdc00 && (this.text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (!isPair && this.strictUnicode) throw loneSurrogate(at);
    return isPair ? at + 2 : at + 1;
  }

  /** Skips insignificant white space and leaves it out of the result. */
  private space(): void {
    const start = this.at;
    let at = start;
    for (;;) {
      const code = this.text.charCodeAt(at);
      if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) break;
      at += 1;
    }
    if (at === start) return;
    this.parts.push(this.text.slice(this.copied, start));
    this.copied = at;
    this.at = at;
  }

  private unexpected(expected: string): JsonError {
    const rest = this.text.slice(this.at, this.at + QUOTED_CHARACTERS);
    const found =
      this.at < this.end
        ? escapeUnsafe(JSON.stringify(rest)).slice(1, -1).slice(0, QUOTED_CHARACTERS)
        : "";
    const where = this.at < this.end ? `position ${this.at}` : "the end of the text";
    return new JsonError("syntax", `Expected ${expected} at ${where}`, this.at, "", found);
  }

  private path(): string {
    const steps = this.frames.map((frame) =>
      frame.isObject ? (JSON.parse(frame.key) as string) : String(frame.count - 1),
    );
    const escaped = steps.map((step) =>
      step.slice(0, PATH_CHARACTERS).replaceAll("~", "~0").replaceAll("/", "~1"),
    );
    return escaped
      .map((step) => `/${step}`)
      .join("")
      .slice(0, PATH_CHARACTERS);
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function loneSurrogate(at: number): JsonError {
  return new JsonError(
    "surrogate",
    "A string contains half of a surrogate pair, which is not valid Unicode.",
    at,
  );
}
