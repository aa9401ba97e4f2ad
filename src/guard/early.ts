/**
 * A read through a guard, asked for before the program is loaded: a client of a guard has little to
 * do of its own, and loading all that other commands need takes longer than the answer. Only for a
 * command that prints the API's answer as it is, with options whose values are plain. It prints the
 * answer where that is all there is to do. Everything else the program reads from the same
 * connection, and nothing is asked a second time.
 */
import { isCanonical } from "../io/canonical.ts";
import { writeOnTheSpot } from "../io/spot.ts";
import { escapeUnsafe } from "../io/unsafe.ts";
import { dial, type Heard } from "./dial.ts";
import { requestLine } from "./plain.ts";
import { TIMEOUT_SECONDS } from "./reads.ts";
import { faultOf } from "./socket.ts";

/** Who asks, and where. */
export interface Asker {
  readonly argv: readonly string[];
  /** The guard's socket. */
  readonly path: string;
  readonly uid: number;
}

/** What the program goes on with. */
export interface Early {
  /** A request that was sent, and whose answer is the program's to read. */
  readonly call?: EarlyCall;
  /** Why the answer could not be printed. */
  readonly lost?: unknown;
}

/** A conversation with the guard: begun here, and gone on with by the program where it must be. */
export class EarlyCall {
  /** What came and the program has not read, and its bytes while the program has read nothing. */
  private readonly chunks: Buffer[] = [];
  private size = 0;
  /** Why nothing more comes. */
  private reason: string | undefined;
  private isTaken = false;
  private isClosed = false;
  private hasNews = (): void => undefined;
  private readonly end: () => void;

  constructor(
    path: string,
    private readonly request: Uint8Array,
  ) {
    this.end = dial(path, request, {
      data: (chunk) => {
        this.chunks.push(Buffer.from(chunk));
        this.size += chunk.length;
        this.hasNews();
      },
      lost: (reason) => {
        this.reason = reason;
        this.hasNews();
      },
    });
  }

  /** The document of a plain answer; undefined as soon as it is known that it is not one. */
  plainDocument(): Promise<string | undefined> {
    return new Promise((resolve) => {
      let frame: Frame | undefined;
      const decide = (document: string | undefined): void => {
        clearTimeout(timer);
        this.hasNews = () => undefined;
        resolve(document);
      };
      const timer = setTimeout(() => decide(undefined), TIMEOUT_SECONDS * 1000);
      this.hasNews = () => {
        frame ??= frameOf(Buffer.concat(this.chunks));
        if (frame !== undefined && this.size >= frame.end) decide(documentOf(this.chunks, frame));
        else if (this.reason !== undefined) decide(undefined);
      };
    });
  }

  /** Whether it is this request, and was not taken over yet. */
  isFor(request: Uint8Array): boolean {
    return !this.isTaken && Buffer.compare(this.request, request) === 0;
  }

  /** Tells what came and what comes, as `dial` does; returns what closes the connection. */
  takeOver(heard: Heard): () => void {
    this.isTaken = true;
    this.hasNews = () => {
      for (const chunk of this.chunks.splice(0)) if (!this.isClosed) heard.data(chunk);
      if (!this.isClosed && this.reason !== undefined) heard.lost(this.reason);
    };
    // Never before the caller has what closes it.
    Promise.resolve().then(() => this.hasNews());
    return () => this.close();
  }

  close(): void {
    this.isClosed = true;
    this.end();
  }
}

/**
 * Asks, and prints. 0: all is done. Undefined: nothing was sent, and the program begins as if this
 * had not been tried. Else what it goes on with.
 */
export async function askEarly({ argv, path, uid }: Asker): Promise<0 | Early | undefined> {
  const line = requestLine(argv);
  if (line === undefined || !isPlainPath(path)) return undefined;
  if (faultOf(path, uid) !== undefined) return undefined;
  const call = new EarlyCall(path, Buffer.from(line));
  const document = await call.plainDocument();
  if (document === undefined) return { call };
  call.close();
  return printed(`${escapeUnsafe(document)}\n`);
}

/** Absolute, and what the program would read as it is. */
function isPlainPath(path: string): boolean {
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (code <= 0x20 || code > 0x7e) return false;
  }
  return path.startsWith("/");
}

const NEWLINE = 0x0a;
/** The line before a document that is all of an answer: this, its bytes, and a brace. */
const PLAIN_LINE = '{"v":1,"ok":true,"warnings":[],"length":';
/** Of that line with the number. */
const LONGEST_LINE = PLAIN_LINE.length + 8;
/** Of a document that is printed here; a longer one is worth the program's reader. */
const LONGEST = 64 * 1024;

/** Where the document of an answer begins and ends. */
interface Frame {
  readonly start: number;
  readonly end: number;
}

/** Of an answer that the program reads. */
const OTHER: Frame = { start: 0, end: 0 };

/** Undefined while the line is not there yet. */
function frameOf(begun: Buffer): Frame | undefined {
  const at = begun.indexOf(NEWLINE);
  if (at < 0) return begun.length < LONGEST_LINE ? undefined : OTHER;
  const line = begun.toString("latin1", 0, at);
  const length = Number(line.slice(PLAIN_LINE.length, -1));
  const isLength = Number.isInteger(length) && length >= 0 && length <= LONGEST;
  if (!isLength || line !== `${PLAIN_LINE}${length}}`) return OTHER;
  return { start: at + 1, end: at + 1 + length };
}

/** The document, where it is printed as it came; undefined where the program has to read it. */
function documentOf(chunks: readonly Buffer[], frame: Frame): string | undefined {
  if (frame === OTHER) return undefined;
  const text = Buffer.concat(chunks).toString("utf8", frame.start, frame.end);
  // What is not UTF-8 became that character; the program tells which it was.
  return text.includes("\ufffd") || !isCanonical(text) ? undefined : text;
}

/** Prints it, as all output is printed. */
async function printed(text: string): Promise<0 | Early> {
  const bytes = Buffer.from(text);
  try {
    const taken = writeOnTheSpot(1, bytes);
    if (taken < bytes.length)
      await (await import("../io/descriptor.ts")).writeRest(bytes.subarray(taken));
    return 0;
  } catch (lost) {
    return { lost };
  }
}
