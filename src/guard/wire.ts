/**
 * What client and guard say to each other: one request a connection, a line of JSON and then a
 * document's bytes, each way. An unknown verb, member or version is refused, never ignored.
 */
import * as v from "valibot";
import { CliError, ERRORS, type ErrorCode, type ErrorFacts } from "../errors.ts";
import { decodeUtf8, type Exact, encode, exact, JsonError, member, value } from "../io/json.ts";
import { VERSION } from "../version.ts";

/** Version of the protocol. */
export const WIRE_VERSION = 1;
/** Of a document that a client sends. */
export const REQUEST_MAX_BYTES = 1024 * 1024;
/** Of a document that a guard answers with. */
export const ANSWER_MAX_BYTES = 32 * 1024 * 1024;
/** Of a header line, its newline included. */
export const HEADER_MAX_BYTES = 64 * 1024;

/** Key of a record of the journal. */
export const Key = v.pipe(v.string(), v.regex(/^[0-9A-HJKMNP-TV-Z]{26}$/));

/** The verbs whose answer begins with the record's key. */
export function isWrite({ verb }: { readonly verb: string }): boolean {
  return verb === "create" || verb === "approve" || verb === "reject";
}

/** The failure of a guard that does not know what it was asked. */
export function incompatible(): CliError {
  return new CliError("GUARD_INCOMPATIBLE", {
    message: "The guard does not know this request: client and guard are of different versions.",
    details: { guard: { v: WIRE_VERSION, version: VERSION } },
  });
}

const Answer = v.strictObject({
  v: v.literal(WIRE_VERSION),
  ok: v.boolean(),
  warnings: v.array(v.strictTuple([v.string(), v.string()])),
  length: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(ANSWER_MAX_BYTES)),
});
const Kept = v.strictObject({ v: v.literal(WIRE_VERSION), key: Key });

/** The line before an answer's document. */
export type Answer = v.InferOutput<typeof Answer>;

/** A line of an answer: the record's key, or what the document is. Undefined for anything else. */
export function parseAnswer(line: Uint8Array): Answer | v.InferOutput<typeof Kept> | undefined {
  const parsed = v.safeParse(v.union([Answer, Kept]), readLine(line));
  return parsed.success ? parsed.output : undefined;
}

/** A header line and the bytes after it. */
export function encodeFrame(
  header: Readonly<Record<string, unknown>>,
  document: Uint8Array = new Uint8Array(),
): Buffer {
  const line = encode({ v: WIRE_VERSION, ...header, length: document.length });
  return Buffer.concat([Buffer.from(`${line}\n`), document]);
}

/** The line that says that an intent is on the guard's disk. */
export function encodeKey(key: string): Buffer {
  return Buffer.from(`${encode({ v: WIRE_VERSION, key })}\n`);
}

/** JSON without loss out of a document's bytes. Throws INVALID_JSON. */
export function readDocument(bytes: Uint8Array): Exact {
  try {
    return exact(decodeUtf8(bytes, { bom: "refuse" }), { loneSurrogates: "allow" });
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new CliError("INVALID_JSON", { message: "The document is not valid JSON.", cause });
  }
}

const PASSED_ON = ["field", "httpStatus", "retryAfterSeconds", "requestId", "retryable"] as const;

/** A failure as a document. */
export function encodeFailure({ code, facts }: CliError): string {
  const { message, hint, details, api } = facts;
  const rest = Object.fromEntries(PASSED_ON.map((name) => [name, facts[name]]));
  return encode({ code, message, hint, details, api, ...rest });
}

const Failure = () =>
  v.object({
    code: v.string(),
    message: v.string(),
    hint: v.optional(v.string()),
    field: v.optional(v.string()),
    httpStatus: v.optional(v.number()),
    retryAfterSeconds: v.optional(v.pipe(v.number(), v.minValue(0))),
    requestId: v.optional(v.string()),
    retryable: v.optional(v.boolean()),
  });

/** The failure that a document tells. */
export function decodeFailure(document: Exact): CliError {
  const parsed = v.safeParse(Failure(), value(document));
  if (!parsed.success || !isCode(parsed.output.code)) return incompatible();
  const { code, ...facts } = parsed.output;
  const [details, api] = [member(document, "details"), member(document, "api")];
  const known = Object.fromEntries(
    Object.entries({ ...facts, details, api }).filter(([, fact]) => fact !== undefined),
  );
  return new CliError(code, known as unknown as ErrorFacts);
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The JSON of a line as plain values; undefined for anything else. */
export function readLine(line: Uint8Array): unknown {
  try {
    return value(exact(decodeUtf8(line, { bom: "refuse" })));
  } catch (cause) {
    if (cause instanceof JsonError) return undefined;
    throw cause;
  }
}

/** Cuts what a connection brings into one line and the bytes that belong to it. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private size = 0;

  /** Takes what came. */
  push(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
    this.size += chunk.length;
  }

  /**
   * The next line without its newline, or undefined. Throws GUARD_INCOMPATIBLE for an endless one.
   */
  line(): Uint8Array | undefined {
    const all = this.joined();
    const end = all.indexOf(0x0a);
    if (end >= HEADER_MAX_BYTES || (end === -1 && all.length >= HEADER_MAX_BYTES))
      throw incompatible();
    if (end === -1) return undefined;
    this.keep(all.subarray(end + 1));
    return all.subarray(0, end);
  }

  /** The next `length` bytes, once they are there. */
  bytes(length: number): Uint8Array | undefined {
    if (this.size < length) return undefined;
    const all = this.joined();
    this.keep(all.subarray(length));
    return all.subarray(0, length);
  }

  /** Number of bytes that were not taken yet. */
  get rest(): number {
    return this.size;
  }

  private joined(): Buffer {
    const all =
      this.chunks.length === 1 ? (this.chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.chunks);
    this.chunks = [all];
    return all;
  }

  private keep(rest: Buffer): void {
    this.chunks = [rest];
    this.size = rest.length;
  }
}
