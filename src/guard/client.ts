/** A request to the guard: one connection to its socket, which must be the guard's own. */
import { readFileSync } from "node:fs";
import { CliError } from "../errors.ts";
import { Exact } from "../io/json.ts";
import type { Log } from "../io/log.ts";
import { VERSION } from "../version.ts";
import { dial, type Heard } from "./dial.ts";
import type { EarlyCall } from "./early.ts";
import type { Asked } from "./request.ts";
import { faultOf } from "./socket.ts";
import {
  type Answer,
  decodeFailure,
  encodeFrame,
  FrameReader,
  incompatible,
  isWrite,
  parseAnswer,
  readDocument,
  WIRE_VERSION,
} from "./wire.ts";

/** Where the guard is, and who asks it. */
export interface Link {
  /** LEDGER_ENTERPRISE_GUARD. */
  readonly path: string;
  /** Of this process; undefined where the system has none. */
  readonly uid: number | undefined;
  /** Fires at the end of the command's time. */
  readonly stop: AbortSignal;
  readonly log: Log;
  /** What was asked before the program was loaded. */
  readonly early: EarlyCall | undefined;
}

/** What a guard carried out. */
export interface Reply {
  readonly document: Exact;
  /** Of the record of a write. */
  readonly key: string | undefined;
}

/**
 * Sends one request and returns its document. Throws what the guard answers, GUARD_INSECURE,
 * GUARD_UNREACHABLE, GUARD_INCOMPATIBLE, TIMEOUT; OUTCOME_UNKNOWN for a write whose intent the
 * guard had written, and whose answer was lost or cannot be read.
 */
export async function ask(link: Link, asked: Asked, document?: Exact | string): Promise<Reply> {
  requireOwnSocket(link);
  const text = document instanceof Exact ? document.text : (document ?? "");
  const exchange = new Exchange(link, asked, Buffer.from(text));
  const { answer, bytes } = await exchange.run();
  for (const [code, message] of answer.warnings) link.log.warn(code, message);
  let found: Exact;
  try {
    found = readDocument(bytes);
  } catch (cause) {
    throw exchange.unread(cause);
  }
  if (answer.ok) return { document: found, key: exchange.key };
  const failure = withVersion(decodeFailure(found));
  // A guard that does not understand a request says so before it keeps it.
  throw failure.code === "GUARD_INCOMPATIBLE" ? exchange.unread(failure) : failure;
}

/** Both versions, where client and guard do not understand each other. */
function withVersion(failure: CliError): CliError {
  if (failure.code !== "GUARD_INCOMPATIBLE") return failure;
  const { details } = failure.facts;
  const guard = details instanceof Exact ? details : null;
  const client = { v: WIRE_VERSION, version: VERSION };
  return new CliError("GUARD_INCOMPATIBLE", {
    ...failure.facts,
    details: { client, answer: guard },
  });
}

interface Answered {
  readonly answer: Answer;
  readonly bytes: Uint8Array;
}

/** One connection. */
class Exchange {
  private readonly frames = new FrameReader();
  private answer: Answer | undefined;
  /** Of the record that the guard keeps of a write. */
  key: string | undefined;

  constructor(
    private readonly link: Link,
    private readonly asked: Asked,
    private readonly document: Uint8Array,
  ) {}

  run(): Promise<Answered> {
    const { link, asked, document } = this;
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        link.stop.removeEventListener("abort", late);
        close();
        reject(cause);
      };
      const late = (): void => fail(this.lost("TIMEOUT"));
      const heard: Heard = {
        data: (chunk) => {
          this.frames.push(chunk);
          try {
            const found = this.read();
            if (found === undefined) return;
            link.stop.removeEventListener("abort", late);
            close();
            resolve(found);
          } catch (cause) {
            fail(this.unread(cause));
          }
        },
        lost: (reason) => fail(this.lost(reason)),
      };
      if (link.stop.aborted) return reject(this.lost("TIMEOUT"));
      link.stop.addEventListener("abort", late, { once: true });
      const frame = encodeFrame(asked, document);
      const { early } = link;
      const close = early?.isFor(frame) ? early.takeOver(heard) : dial(link.path, frame, heard);
    });
  }

  /** The whole answer, once it is there. */
  private read(): Answered | undefined {
    while (this.answer === undefined) {
      const line = this.frames.line();
      if (line === undefined) return undefined;
      const found = parseAnswer(line);
      if (found !== undefined && !("key" in found)) this.answer = found;
      else if (found !== undefined && isWrite(this.asked)) this.key = found.key;
      else throw withVersion(incompatible());
    }
    const bytes = this.frames.bytes(this.answer.length);
    return bytes === undefined ? undefined : { answer: this.answer, bytes };
  }

  /** What an answer means that `cause` does not let be read. */
  unread(cause: unknown): unknown {
    if (this.key === undefined) return cause;
    const reason = cause instanceof CliError ? cause.code : "GUARD_INCOMPATIBLE";
    return this.unknown(this.key, "could not be read", reason);
  }

  private unknown(key: string, what: string, reason: string): CliError {
    return new CliError("OUTCOME_UNKNOWN", {
      message: `The guard's answer ${what}: the request may or may not have been carried out.`,
      hint: `Do not repeat. Run 'requests reconcile --key ${key}': it finds what became of it.`,
      details: { key, reason },
    });
  }

  /** What a connection without an answer means. */
  private lost(reason: string): CliError {
    if (this.key !== undefined) return this.unknown(this.key, "was lost", reason);
    if (reason === "TIMEOUT")
      return new CliError("TIMEOUT", {
        message: "The guard did not answer in time.",
        hint: "Try again, or raise --timeout. If it never answers, have a person see whether the guard's service runs: its socket can be there without it.",
      });
    return unreachable(this.link.path, reasonBehind(reason, this.link.path));
  }
}

/**
 * Bun calls every refused connection ECONNREFUSED. Where the system lists the socket as one that is
 * served, it was this process that may not connect.
 */
function reasonBehind(reason: string, path: string): string {
  if (reason !== "ECONNREFUSED") return reason;
  try {
    const isServed = readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .some((line) => line.endsWith(` ${path}`) && line.split(" ")[3] === LISTENING);
    return isServed ? "EPERM" : reason;
  } catch {
    return reason;
  }
}

/** The kernel's flag of a socket that accepts connections. */
const LISTENING = "00010000";

const START = "Have a person start the guard; LEDGER_ENTERPRISE_GUARD names its socket.";

/** What the system's reason means, and what to do. */
const REASONS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOENT: ["its socket is not there", START],
  ENOTDIR: ["its socket is not there", START],
  ECONNREFUSED: ["it does not run", START],
  EACCES: [
    "this user may not open its socket",
    "Have a person add this user to the group of the guard's socket; it counts from the next login on.",
  ],
  EPERM: [
    "a sandbox of this process forbids unix sockets",
    "Have a person run the agent in a container in which the guard's socket is the only one (docs/guard.md). Do not ask for all unix sockets to be allowed: that opens every other one of this machine.",
  ],
  ECONNRESET: [
    "it ended the connection",
    "Nothing was sent that this command asked for. Run it again; if it happens again, have a person look at the guard's log.",
  ],
};

function unreachable(path: string, reason: string): CliError {
  const [what, hint] = REASONS[reason] ?? ["the connection could not be made", START];
  return new CliError("GUARD_UNREACHABLE", {
    message: `The guard cannot be reached: ${what} (${reason}).`,
    hint,
    details: { reason, socket: path },
  });
}

/** Throws GUARD_INSECURE, GUARD_UNREACHABLE, INVALID_PATH. */
function requireOwnSocket({ path, uid }: Link): void {
  if (uid === undefined) throw insecure(path, "this system does not say whose it is");
  if (!path.startsWith("/")) {
    throw new CliError("INVALID_PATH", {
      message: "LEDGER_ENTERPRISE_GUARD must be an absolute path.",
      field: "LEDGER_ENTERPRISE_GUARD",
    });
  }
  const fault = faultOf(path, uid);
  if (fault === undefined) return;
  throw "reason" in fault ? unreachable(path, fault.reason) : insecure(fault.path, fault.why);
}

function insecure(path: string, why: string): CliError {
  return new CliError("GUARD_INSECURE", {
    message: `The guard's socket could be somebody else's: ${why}.`,
    details: { path },
  });
}
