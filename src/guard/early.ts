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
    private readonly answer: Uint8Array,
    private readonly reason: string | undefined,
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
      if (this.answer.length > 0) heard.data(this.answer);
      // Nothing more comes: an answer that seemed complete and is not must not be waited for.
      if (!isStopped) heard.lost(this.reason ?? "ECONNRESET");
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
  const { answer, reason } = await converse(path, request);
  const document = reason === undefined ? documentOf(answer) : undefined;
  if (document === undefined) return { call: new EarlyCall(request, answer, reason) };
  return printed(`${escapeUnsafe(document)}\n`);
}

interface Answered {
  readonly answer: Buffer;
  /** Why there is no more of it; undefined for one that is complete. */
  readonly reason: string | undefined;
}

/** Sends the request, and hears what there is of the answer. */
function converse(path: string, request: Uint8Array): Promise<Answered> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let wanted: number | undefined;
    const end = (reason: string | undefined): void => {
      clearTimeout(timer);
      close();
      resolve({ answer: Buffer.concat(chunks), reason });
    };
    const timer = setTimeout(() => end("TIMEOUT"), TIMEOUT_SECONDS * 1000);
    const close = dial(path, request, {
      data(chunk) {
        chunks.push(Buffer.from(chunk));
        size += chunk.length;
        wanted ??= sizeOf(Buffer.concat(chunks));
        if (wanted !== undefined && size >= wanted) end(undefined);
      },
      lost: end,
    });
  });
}

const NEWLINE = 0x0a;
/** Of a line, and of an answer that is printed here; a longer one is worth the program's reader. */
const LONGEST = 64 * 1024;

/** Bytes of the whole answer; 0 for one that only the program understands; undefined: too early. */
function sizeOf(begun: Buffer): number | undefined {
  const end = begun.indexOf(NEWLINE);
  if (end < 0) return begun.length < LONGEST ? undefined : 0;
  const length = /"length":([0-9]{1,8})\}$/.exec(begun.toString("latin1", 0, end))?.[1];
  return length === undefined ? 0 : end + 1 + Number(length);
}

/** The line before a document that is all of the answer. */
const PLAIN_ANSWER = /^\{"v":1,"ok":true,"warnings":\[\],"length":([0-9]{1,5})\}$/;

/** The document of an answer without warnings; undefined for anything else. */
function documentOf(answer: Buffer): string | undefined {
  const end = answer.indexOf(NEWLINE);
  const length = PLAIN_ANSWER.exec(answer.toString("latin1", 0, Math.max(0, end)))?.[1];
  if (length === undefined || Number(length) > LONGEST) return undefined;
  try {
    const bytes = answer.subarray(end + 1, end + 1 + Number(length));
    const text = bytes.toString("utf8");
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
