/** What one run of a command is made of, and who watches over it. */
import type { InputReader } from "../cli/argument.ts";
import type { Group } from "../cli/command.ts";
import type { Acts, Deed, Intent, Stages } from "../core/acts.ts";
import type { Access } from "../core/api/access.ts";
import type { ApiClock } from "../core/api/clock.ts";
import type { Config } from "../core/auth/config.ts";
import type { ProgramHost } from "../core/auth/program.ts";
import type { Summary } from "../core/meaning/parts.ts";
import type { KeyHolder } from "../core/signing/keyring.ts";
import type { Agent } from "../core/state/audit.ts";
import type { Books } from "../core/state/books.ts";
import type { StateFolder } from "../core/state/folder.ts";
import type { Session, SessionStore } from "../core/state/session.ts";
import type { Log } from "../io/log.ts";
import type { Redactor } from "../io/redact.ts";
import type { Runtime } from "../io/runtime.ts";
import type { Context } from "../world.ts";
import type { Deadline } from "./deadline.ts";

/** What a run is made of. */
export interface Occasion {
  readonly context: Context;
  /** The command in words, such as `requests create`. */
  readonly name: string;
  readonly redactor: Redactor;
  readonly log: Log;
  readonly config: Config;
  /** Gets each write that is carried out. */
  readonly deeds: Deed[];
  /** Every command of the program, for what describes it. */
  registry(): Promise<Group>;
  /** Ends this run alone, beside the process's own interrupt. */
  readonly interrupt?: AbortSignal;
  /** What a caller that is not a command line wants to know and decide. */
  readonly oversight?: Oversight;
  /** The guard that carries this run out for a client; absent in a client's own process. */
  readonly service?: Service;
}

/** How somebody beside the command watches over one run. */
export interface Oversight {
  /** Checks each session that is read. Throws SESSION_MISMATCH. */
  accepts(session: Session): void;
  /** Asks a person about an act that the policy allows. Throws when the person does not agree. */
  confirm(question: Question): Promise<void>;
  /** Told just before a write is sent: from then on it must not be torn off. */
  sending(): void;
}

/** An act, and what it means. */
export interface Question {
  readonly intent: Intent;
  /**
   * In words; undefined for content that is not a JSON object. Reads what it needs from the API.
   */
  meaning(): Promise<Summary | undefined>;
  /** Runs what has a time of its own, such as waiting for a person. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
}

/** What all runs of one guard share, and whose this one is. */
export interface Service {
  /** The client, as the kernel names it. */
  readonly agent: Agent;
  readonly clock: ApiClock;
  readonly books: Books;
  /** Sessions that the guard opens by itself. */
  sessions(access: Omit<Access, "sessions">, state: StateFolder): SessionStore;
  /** Wraps the stages that each act passes. */
  around(stages: Stages): Stages;
  /** Whether a refusal gets a line of its own. */
  keepsDenial(): boolean;
  /** Told that the server shows a new request otherwise than it was sent. */
  notAsSent(session: Session, key: string): Promise<void>;
}

/** One run of one command; what several capabilities need is made once in it. */
export interface Run extends Occasion {
  readonly deadline: Deadline;
  /** Path of the guard's socket that this run goes through, if any. */
  readonly guard: string | undefined;
  readonly runtime: Runtime;
  /** Reads `@file` and `-` of arguments. */
  readonly input: InputReader;
  /** Throws INVALID_PATH, and SESSION_IO without a home folder. */
  state(): StateFolder;
  sessions(): SessionStore;
  /** Throws INVALID_PROXY. */
  access(): Access;
  /** Starts programs of the user's, whose time is their own. */
  readonly program: ProgramHost;
  /** The API's clock, as its answers tell it. */
  readonly apiClock: ApiClock;
  /** Journal and audit trail. */
  books(): Promise<Books>;
  /** What each write and signature passes. */
  acts(): Promise<Acts>;
  /** What holds the operator's key. */
  key(): Promise<KeyHolder>;
  /** Loads a module while the first answer is on its way, when nothing else can be done. */
  whileWaiting(load: Load): void;
}

/** Brings a module that will be used later. */
export type Load = () => Promise<unknown>;
