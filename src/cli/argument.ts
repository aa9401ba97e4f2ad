/**
 * Argument constructors: description, parser, default and limits of an option in one value, read by
 * the parser, help, completion, schema and skill reference alike.
 */
import { CliError } from "../errors.ts";
import { decodeUtf8, type Exact, exact, JsonError } from "../io/json.ts";

/** Reads what an option names instead of holding it: `@file`, or `-` for standard input. */
export interface InputReader {
  /** Whether a part of `text` may be quoted back: no secret is in it. */
  mayQuote(text: string): boolean;
  file(path: string, maxBytes: number): Promise<Uint8Array>;
  /** Throws INVALID_JSON when standard input is a terminal, TIMEOUT when it is silent too long. */
  stdin(maxBytes: number): Promise<Uint8Array>;
}

/** What kind of value an option takes, as schema and completion name it. */
export type ArgumentKind =
  | "text"
  | "id"
  | "integer"
  | "number"
  | "choice"
  | "flag"
  | "json"
  | "material"
  | "pair"
  | "path";

/** Bounds that help and schema show; the parser enforces them. */
export interface Limits {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
  readonly maxLength?: number;
  readonly maxBytes?: number;
}

/** One option: its purpose, the values that it accepts, and the value that it returns. */
export interface Argument<T> {
  readonly kind: ArgumentKind;
  readonly description: string;
  readonly placeholder: string;
  readonly required: boolean;
  readonly many: boolean;
  readonly limits: Limits;
  readonly fallback: T | undefined;
  /**
   * `option` is the name as the user wrote it, for messages. Throws INVALID_ARGUMENT or the JSON
   * codes.
   */
  parse(raw: string, option: string, reader: InputReader): unknown;
}

/** Options by their camelCase name. */
export type ArgumentMap = Readonly<Record<string, Argument<unknown>>>;

/** The values that `run` receives: required and defaulted arguments are never undefined. */
export type Values<A extends ArgumentMap> = {
  readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never;
};

const DOCUMENT_MAX_BYTES = 1024 * 1024;
/**
 * A challenge of 1 MiB in base64 and a final newline; the decoder has the last word on its size
 * (SIG-1).
 */
const MATERIAL_MAX_BYTES = 4 * 1024 * 1024;

function invalid(option: string, reason: string, hint?: string): CliError {
  const facts = { message: `${option} ${reason}.`, field: option };
  return new CliError("INVALID_ARGUMENT", hint === undefined ? facts : { ...facts, hint });
}

function optional<T>(
  kind: ArgumentKind,
  description: string,
  placeholder: string,
  limits: Limits,
  parse: Argument<T | undefined>["parse"],
): Argument<T | undefined> {
  return {
    kind,
    description,
    placeholder,
    limits,
    parse,
    required: false,
    many: false,
    fallback: undefined,
  };
}

/** Makes the option obligatory: `MISSING_OPTION` without it. */
export function required<T>(argument: Argument<T | undefined>): Argument<T> {
  return { ...argument, required: true, fallback: undefined };
}

/** Lets the option be given several times; the values keep their order. */
export function many<T>(argument: Argument<T | undefined>): Argument<readonly T[]> {
  return { ...argument, many: true, fallback: argument.required ? undefined : [] };
}

/** Sets the value of an absent option. */
export function withDefault<T>(argument: Argument<T | undefined>, fallback: T): Argument<T> {
  return { ...argument, fallback };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Any text without control characters, 1 to `maxLength` characters. */
export function text(
  description: string,
  placeholder = "<text>",
  maxLength = 256,
): Argument<string | undefined> {
  return optional("text", description, placeholder, { maxLength }, (raw, option) => {
    if (raw.length > maxLength) throw invalid(option, `takes at most ${maxLength} characters`);
    if (CONTROL.test(raw)) throw invalid(option, "holds a control character");
    return raw;
  });
}

/** An id that can be part of a path (NET-9): `[A-Za-z0-9._~-]{1,128}`, and not `.` or `..`. */
export function id(description: string): Argument<string | undefined> {
  return optional("id", description, "<id>", { maxLength: 128 }, (raw, option) => {
    if (!/^[A-Za-z0-9._~-]{1,128}$/.test(raw) || /^\.{1,2}$/.test(raw)) {
      throw invalid(
        option,
        "takes 1 to 128 characters out of letters, digits, '.', '_', '~' and '-'",
        "Give an id, not a name; the matching list command shows ids.",
      );
    }
    return raw;
  });
}

/**
 * A cursor as the API gave it: 1 to 4096 printable ASCII characters without spaces, sent as one
 * query value.
 */
export function cursor(description: string): Argument<string | undefined> {
  return optional("text", description, "<cursor>", { maxLength: 4096 }, (raw, option) => {
    if (!/^[\x21-\x7e]{1,4096}$/.test(raw))
      throw invalid(option, "takes 1 to 4096 printable characters without spaces");
    return raw;
  });
}

/** A decimal integer without sign, leading zero, fraction or exponent. */
export function integer(
  description: string,
  minimum: number,
  maximum: number,
): Argument<number | undefined> {
  return optional("integer", description, "<n>", { minimum, maximum }, (raw, option) => {
    const value = /^(0|[1-9][0-9]{0,15})$/.test(raw) ? Number(raw) : Number.NaN;
    if (!(value >= minimum && value <= maximum)) {
      throw invalid(option, `takes a whole number from ${minimum} to ${maximum}, in digits only`);
    }
    return value;
  });
}

/** A time in seconds, with up to three decimals. */
export function seconds(
  description: string,
  minimum: number,
  maximum: number,
): Argument<number | undefined> {
  return optional("number", description, "<seconds>", { minimum, maximum }, (raw, option) => {
    const value = /^(0|[1-9][0-9]{0,6})(\.[0-9]{1,3})?$/.test(raw) ? Number(raw) : Number.NaN;
    if (!(value >= minimum && value <= maximum))
      throw invalid(option, `takes seconds from ${minimum} to ${maximum}`);
    return value;
  });
}

/** One of a closed list that our own logic, or the API's document, fixes. */
export function oneOf<const C extends string>(
  description: string,
  choices: readonly C[],
): Argument<C | undefined> {
  return optional("choice", description, `<${choices.join("|")}>`, { choices }, (raw, option) => {
    const found = choices.find((choice) => choice === raw);
    if (found === undefined) throw invalid(option, `takes one of ${choices.join(", ")}`);
    return found;
  });
}

/** True when the flag is given; it takes no value (A12). */
export function flag(description: string): Argument<boolean> {
  return {
    kind: "flag",
    description,
    placeholder: "",
    required: false,
    many: false,
    limits: {},
    fallback: false,
    parse: () => true,
  };
}

/** `key=value`, cut at the first `=`. */
export function pair(description: string): Argument<readonly [string, string] | undefined> {
  return optional("pair", description, "<key=value>", { maxLength: 4096 }, (raw, option) => {
    const at = raw.indexOf("=");
    if (at < 1 || raw.length > 4096 || CONTROL.test(raw)) throw invalid(option, "takes key=value");
    return [raw.slice(0, at), raw.slice(at + 1)] as const;
  });
}

/**
 * A path to a file or folder, as the system takes it; a leading `~` was not expanded by the shell
 * and is refused.
 */
export function path(description: string): Argument<string | undefined> {
  return optional("path", description, "<path>", { maxLength: 4096 }, (raw, option) => {
    if (raw.length > 4096 || raw.includes("\u0000") || /^~(\/|$)/.test(raw)) {
      throw new CliError("INVALID_PATH", {
        message: `${option} is not a valid path.`,
        field: option,
        hint: "Write the path out: '~' is expanded by the shell only when it is not quoted.",
      });
    }
    return raw;
  });
}

/**
 * One JSON object, inline, `@file` or `-`; every token is kept as given (OUT-3). At most 1 MiB and
 * 512 levels.
 */
export function json(description: string): Argument<Exact | undefined> {
  return optional(
    "json",
    description,
    "<json|@file|->",
    { maxBytes: DOCUMENT_MAX_BYTES },
    async (raw, option, reader) => {
      try {
        return readObject(await readText(raw, reader, DOCUMENT_MAX_BYTES), option);
      } catch (cause) {
        if (!(cause instanceof JsonError)) throw cause;
        const failure = unreadable(cause, option, isInline(raw) && reader.mayQuote(raw));
        throw cause.reason === "syntax" && isInline(raw) ? withShellHint(failure, raw) : failure;
      }
    },
  );
}

/** A key path that may appear in a sentence of ours: nothing in it reads like an instruction. */
const PLAIN_PATH = /^(\/[A-Za-z0-9_]{1,40}){1,10}$/;

/**
 * Why a text is not the document that `option` takes; `mayQuote` says that its words may be shown.
 */
function unreadable(cause: JsonError, option: string, mayQuote: boolean): CliError {
  const where = PLAIN_PATH.test(cause.path) ? `, at ${cause.path}` : "";
  const reason = cause.message.replace(/\.$/, "");
  const isQuoted = cause.found !== "" && mayQuote;
  const hint = HINTS[cause.reason];
  return new CliError(cause.reason === "duplicate" ? "JSON_DUPLICATE_KEY" : "INVALID_JSON", {
    message: `${option} is not valid JSON: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}${where}.`,
    ...(hint === undefined ? {} : { hint }),
    field: option,
    details: {
      reason: isQuoted ? `${cause.message}, found: ${cause.found}` : cause.message,
      position: cause.position,
      ...(cause.path === "" ? {} : { path: cause.path }),
    },
  });
}

/** Says what a shell did to the quotation marks of a document that was given inline. */
function withShellHint(failure: CliError, raw: string): CliError {
  const hint = raw.startsWith("'")
    ? "The shell left the single quotes in: write the document to a file and give @file."
    : /^\{\s*[A-Za-z_]/.test(raw)
      ? "The shell took the double quotes away: write the document to a file and give @file."
      : undefined;
  return hint === undefined ? failure : new CliError(failure.code, { ...failure.facts, hint });
}

/** What to do about a text that fails for another reason than its syntax. */
const HINTS: Readonly<Partial<Record<JsonError["reason"], string>>> = {
  depth: "Send a document that is nested less deeply.",
  utf8: "Save the file as UTF-8.",
  bom: "Save the file as UTF-8 without a byte order mark.",
};

/**
 * A challenge or signature: one text, inline, `@file` or `-`. Its own reader decides what it must
 * look like.
 */
export function material(description: string): Argument<string | undefined> {
  const limits = { maxBytes: MATERIAL_MAX_BYTES };
  return optional(
    "material",
    description,
    "<text|@file|->",
    limits,
    async (raw, option, reader) => {
      try {
        return await readText(raw, reader, MATERIAL_MAX_BYTES);
      } catch (cause) {
        if (!(cause instanceof JsonError)) throw cause;
        throw invalid(option, "is not UTF-8", cause.message);
      }
    },
  );
}

/**
 * Bytes exactly as they are in a file or come through standard input: `@file` or `-`. At most 1
 * MiB.
 */
export function bytes(description: string): Argument<Uint8Array | undefined> {
  const limits = { maxBytes: DOCUMENT_MAX_BYTES };
  return optional("material", description, "<@file|->", limits, async (raw, option, reader) => {
    if (raw === "-") return reader.stdin(DOCUMENT_MAX_BYTES);
    if (raw.startsWith("@")) return readNamed(raw, reader, DOCUMENT_MAX_BYTES);
    throw invalid(option, "takes @file, or - for standard input: a shell would change the bytes");
  });
}

/**
 * What the caller typed may be quoted back; what a file or a pipe holds may be anything, and is
 * not.
 */
function isInline(raw: string): boolean {
  return raw !== "-" && !raw.startsWith("@");
}

async function readText(raw: string, reader: InputReader, maxBytes: number): Promise<string> {
  if (isInline(raw)) {
    if (Buffer.byteLength(raw) > maxBytes)
      throw new CliError("PAYLOAD_TOO_LARGE", { message: "The value is too large." });
    return raw;
  }
  const bytes = raw === "-" ? await reader.stdin(maxBytes) : await readNamed(raw, reader, maxBytes);
  return decodeUtf8(bytes, { bom: "refuse" });
}

/** How standard input is often written where only `-` names it for certain. */
const STDIN_NAMES = new Set(["@-", "@/dev/stdin", "@/dev/fd/0", "@/proc/self/fd/0"]);

/** The bytes of `@file`. A name of standard input that cannot be read as a file says so. */
async function readNamed(raw: string, reader: InputReader, maxBytes: number): Promise<Uint8Array> {
  try {
    return await reader.file(raw.slice(1), maxBytes);
  } catch (cause) {
    if (!(cause instanceof CliError) || !STDIN_NAMES.has(raw)) throw cause;
    const hint = "Use - for standard input.";
    throw new CliError(cause.code, { ...cause.facts, hint, cause });
  }
}

function readObject(source: string, option: string): Exact {
  const document = exact(source, { loneSurrogates: "refuse" });
  if (document.text.startsWith("{")) return document;
  throw new CliError("INVALID_JSON", { message: `${option} takes a JSON object.`, field: option });
}
