/**
 * A read through a guard, asked for before the program is loaded: a client of a guard has little to
 * do of its own, and loading all that other commands need takes longer than the answer. Only for a
 * command that prints the API's answer as it is, with options whose values are plain. It prints the
 * answer where that is all there is to do; whatever else came, the program goes on with it, and
 * nothing is asked a second time.
 */
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
  /** A request that was sent, and what came of it. */
  readonly call?: EarlyCall;
  /** Why the answer could not be printed. */
  readonly lost?: unknown;
}

/** A conversation with the guard that has taken place. */
export class EarlyCall {
  private isRepeated = false;

  constructor(
    private readonly request: Uint8Array,
    private readonly answered: Pick<Answered, "answer" | "reason">,
  ) {}

  /** Whether it is this request, and its answer was not repeated yet. */
  isFor(request: Uint8Array): boolean {
    return !this.isRepeated && Buffer.compare(this.request, request) === 0;
  }

  /** Says what came, as `dial` did; returns what stops it. */
  repeat(heard: Heard): () => void {
    this.isRepeated = true;
    let isStopped = false;
    Promise.resolve().then(() => {
      const { answer, reason } = this.answered;
      if (answer.length > 0) heard.data(answer);
      // Nothing more comes: an answer that seemed complete and is not must not be waited for.
      if (!isStopped) heard.lost(reason ?? "ECONNRESET");
    });
    return () => {
      isStopped = true;
    };
  }
}

/**
 * Asks, and prints. 0: all is done. Undefined: nothing was sent, and the program begins as if this
 * had not been tried. Else what it goes on with.
 */
export async function askEarly({ argv, path, uid }: Asker): Promise<0 | Early | undefined> {
  const line = requestLine(argv);
  if (line === undefined || !path.startsWith("/")) return undefined;
  if (faultOf(path, uid) !== undefined) return undefined;
  const request = Buffer.from(line);
  const answered = await converse(path, request);
  const document = documentOf(answered);
  if (document === undefined) return { call: new EarlyCall(request, answered) };
  return printed(`${escapeUnsafe(document)}\n`);
}

interface Answered {
  readonly answer: Buffer;
  /** Of what there is of it; undefined where the line before the document is not there yet. */
  readonly header: Header | undefined;
  /** Why there is no more of it; undefined for one that is complete. */
  readonly reason: string | undefined;
}

/** Sends the request, and hears what there is of the answer. */
function converse(path: string, request: Uint8Array): Promise<Answered> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let header: Header | undefined;
    const joined = (): Buffer => (chunks.length === 1 && chunks[0]) || Buffer.concat(chunks);
    const end = (reason: string | undefined): void => {
      clearTimeout(timer);
      close();
      resolve({ answer: joined(), header, reason });
    };
    const timer = setTimeout(() => end("TIMEOUT"), TIMEOUT_SECONDS * 1000);
    const close = dial(path, request, {
      data(chunk) {
        chunks.push(Buffer.from(chunk));
        size += chunk.length;
        header ??= headerOf(joined());
        if (header !== undefined && size >= header.start + header.length) end(undefined);
      },
      lost: end,
    });
  });
}

const NEWLINE = 0x0a;
/** Of a line, and of an answer that is printed here; a longer one is worth the program's reader. */
const LONGEST = 64 * 1024;
/** Of any answer, as in wire.ts. */
const MOST_BYTES = 32 * 1024 * 1024;

/** What the line before a document says. */
interface Header {
  /** Where the document begins, and its bytes. */
  readonly start: number;
  readonly length: number;
  /** Whether the document is an answer, and all of it. */
  readonly isPlain: boolean;
}

/** A line that only the program understands has no document. */
const OTHER: Header = { start: 0, length: 0, isPlain: false };

function headerOf(begun: Buffer): Header | undefined {
  const end = begun.indexOf(NEWLINE);
  if (end < 0) return begun.length < LONGEST ? undefined : OTHER;
  try {
    const line: unknown = JSON.parse(begun.toString("latin1", 0, end));
    const { v, ok, warnings, length, ...rest } = line as Readonly<Record<string, unknown>>;
    if (typeof length !== "number" || !Number.isInteger(length)) return OTHER;
    if (length < 0 || length > MOST_BYTES) return OTHER;
    const isPlain = v === 1 && ok === true && Array.isArray(warnings) && warnings.length === 0;
    return { start: end + 1, length, isPlain: isPlain && Object.keys(rest).length === 0 };
  } catch {
    return OTHER;
  }
}

/** The document of an answer without warnings; undefined for anything else. */
function documentOf({ answer, header, reason }: Answered): string | undefined {
  if (reason !== undefined || header?.isPlain !== true || header.length > LONGEST) return undefined;
  try {
    const text = answer.toString("utf8", header.start, header.start + header.length);
    // What is not UTF-8 became that character; the program tells which it was.
    if (text.includes("\ufffd")) return undefined;
    // The guard has read the API's answer strictly and written this itself: that it is whole is
    // enough.
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
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
