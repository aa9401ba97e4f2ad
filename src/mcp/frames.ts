/**
 * Bytes of standard input → JSON-RPC frames. One frame is one line of UTF-8, at most 4 MiB; what is
 * not acceptable becomes a fault that is answered once.
 */
import { decodeUtf8, type Exact, exact, JsonError, member, value } from "../io/json.ts";

/** Bytes of the longest line that is read. */
export const LINE_MAX_BYTES = 4 * 1024 * 1024;
/** Characters of the longest id that is answered. */
const ID_MAX_CHARACTERS = 256;

/** A request, a notification, an answer to a question of ours, or what could not be read. */
export type Frame =
  | {
      readonly kind: "request";
      readonly id: Exact;
      readonly method: string;
      readonly params: Exact | undefined;
    }
  | {
      readonly kind: "notification";
      readonly method: string;
      readonly params: Exact | undefined;
    }
  | { readonly kind: "answer"; readonly id: Exact; readonly result: Exact | undefined }
  | {
      readonly kind: "fault";
      readonly id: Exact | undefined;
      readonly code: -32700 | -32600;
      readonly message: string;
    };

function fault(code: -32700 | -32600, message: string, id?: Exact): Frame {
  return { kind: "fault", id, code, message };
}

const LINE_FEED = 0x0a;

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  private parts: Uint8Array[] = [];
  private size = 0;
  /** Inside a line that is too long. */
  private isSkipping = false;

  /** The frames that end in `chunk`. What comes after the last line feed waits for the next one. */
  *read(chunk: Uint8Array): Generator<Frame> {
    for (let from = 0; from < chunk.length; ) {
      const feed = chunk.indexOf(LINE_FEED, from);
      const end = feed < 0 ? chunk.length : feed;
      if (this.take(chunk.subarray(from, end)))
        yield fault(-32600, `A message has at most ${LINE_MAX_BYTES} bytes.`);
      if (feed >= 0) {
        const line = this.isSkipping ? undefined : Buffer.concat(this.parts);
        [this.parts, this.size, this.isSkipping] = [[], 0, false];
        const frame = line && frameOf(line);
        if (frame !== undefined) yield frame;
      }
      from = end + 1;
    }
  }

  /** True when the line has just become too long. */
  private take(part: Uint8Array): boolean {
    if (this.isSkipping) return false;
    this.size += part.length;
    // A copy: the runtime may use the chunk's memory again.
    if (part.length > 0) this.parts.push(Uint8Array.from(part));
    if (this.size <= LINE_MAX_BYTES) return false;
    [this.parts, this.isSkipping] = [[], true];
    return true;
  }
}

/** The frame of a line; undefined for a blank line and for what must not be answered. */
export function frameOf(line: Uint8Array): Frame | undefined {
  let document: Exact;
  try {
    const text = decodeUtf8(line, { bom: "refuse" });
    if (/^[ \t\r]*$/.test(text)) return undefined;
    document = exact(text);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    const isText = cause.reason === "syntax" || cause.reason === "utf8" || cause.reason === "bom";
    return fault(isText ? -32700 : -32600, `The message is not acceptable JSON: ${cause.message}`);
  }
  if (!document.text.startsWith("{")) return fault(-32600, "A message is one JSON object.");
  return frameIn(document);
}

function frameIn(document: Exact): Frame | undefined {
  const [given, name] = [member(document, "id"), member(document, "method")];
  const id = given !== undefined && isId(given) ? given : undefined;
  const method = textOf(name);
  const answers = ["result", "error"].filter((key) => member(document, key) !== undefined);
  if (name === undefined && answers.length > 0)
    return id && { kind: "answer", id, result: member(document, "result") };
  const params = member(document, "params");
  const wrong = wrongWith(document, method, params, answers);
  if (given === undefined && method !== undefined)
    return wrong === undefined ? { kind: "notification", method, params } : undefined;
  if (wrong !== undefined) return fault(-32600, wrong, id);
  if (id !== undefined && method !== undefined) return { kind: "request", id, method, params };
  return fault(-32600, "The id is a string or a whole number.");
}

function wrongWith(
  document: Exact,
  method: string | undefined,
  params: Exact | undefined,
  answers: readonly string[],
): string | undefined {
  if (member(document, "jsonrpc")?.text !== '"2.0"') return 'The member "jsonrpc" must be "2.0".';
  if (method === undefined) return "The method is a string.";
  if (answers.length > 0) return "A request has neither a result nor an error.";
  return params === undefined || params.text.startsWith("{") ? undefined : "params is an object.";
}

function isId({ text }: Exact): boolean {
  return text.length <= ID_MAX_CHARACTERS && (text.startsWith('"') || /^-?\d+$/.test(text));
}

/** The text of a JSON string; undefined for every other value. */
export function textOf(token: Exact | undefined): string | undefined {
  return token?.text.startsWith('"') === true ? String(value(token)) : undefined;
}
