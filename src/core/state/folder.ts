/**
 * The state folder: the only code that knows where state lives and that it is this user's alone
 * (SES-1…4, SES-6, SES-9). What is kept there is named by `/`-separated names such as
 * `records/created/ab.json`.
 */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { nearest, sweepLeftovers } from "../../io/files.ts";
import type { Runtime } from "../../io/runtime.ts";
import { type Fence, type Process, withLock } from "./lock.ts";
import {
  appendPrivateFile,
  ensurePrivateDirectory,
  isExposed,
  provePrivateFile,
  readPrivateFile,
  removePrivateFile,
  writePrivateFile,
} from "./private.ts";

/** Where the folder is, and whose it is. */
export interface Place extends Process {
  /** Absolute path; the folder need not be there. */
  readonly path: string;
  /** Undefined on Windows. */
  readonly uid: number | undefined;
}

/** How a lock is waited for. */
export interface Waiting<T> {
  /** 20 s when absent; 0 does not wait. */
  readonly timeoutMs?: number;
  /** Waits even when the command's time is over. */
  readonly isPatient?: boolean;
  /** Asked while another process holds the lock; a value ends the waiting. */
  done?(): Promise<T | undefined>;
}

/**
 * Files that belong together with one owner. Each method judges owner and rights before it believes
 * or changes anything, and throws SESSION_INSECURE and SESSION_IO.
 */
export class StateFolder {
  constructor(
    private readonly place: Place,
    private readonly runtime: Pick<Runtime, "now" | "sleep" | "stop">,
  ) {}

  /** Where the folder is, for messages and for logs that keep their own files below it. */
  get path(): string {
    return this.place.path;
  }

  /** Whose the folder must be; undefined on Windows. */
  get uid(): number | undefined {
    return this.place.uid;
  }

  /**
   * The bytes of a file, or undefined when there is none. Throws SESSION_CORRUPT above `maxBytes`.
   */
  read(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return readPrivateFile(this.pathOf(name), { maxBytes, uid: this.place.uid });
  }

  /** Replaces a file whole; its folder must be there. */
  write(name: string, bytes: Uint8Array): Promise<void> {
    return writePrivateFile(this.pathOf(name), bytes);
  }

  /**
   * Proves, by the very steps of `write`, that a JSON file can be replaced by a somewhat longer
   * one. `bytes` are its present content, which it keeps.
   */
  prove(name: string, bytes: Uint8Array): Promise<void> {
    return provePrivateFile(this.pathOf(name), bytes);
  }

  /**
   * Appends one line, which gets its newline here; lines of two processes are not mixed. With
   * `durable` it returns when the line is on the disk. Makes the file when there is none.
   */
  append(name: string, line: string, { durable = true }: { durable?: boolean } = {}): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    appendPrivateFile(this.pathOf(name), bytes, this.place.uid, durable);
  }

  /** Removes a file; false when there was none. */
  remove(name: string): Promise<boolean> {
    return removePrivateFile(this.pathOf(name));
  }

  /**
   * Makes the folder, and those `below` it, where they are missing; checks those that are there.
   */
  async prepare(below = ""): Promise<void> {
    await ensurePrivateDirectory(this.place.path, this.place.uid);
    let path = this.place.path;
    for (const part of below.split("/").filter((word) => word !== "")) {
      path = join(path, part);
      await ensurePrivateDirectory(path, this.place.uid);
    }
  }

  /**
   * Runs `work` while no other process of this program holds the lock of that name; the folder must
   * be there. Throws LOCK_TIMEOUT, TIMEOUT.
   */
  lock<T>(name: string, work: (fence: Fence) => Promise<T>, waiting: Waiting<T> = {}): Promise<T> {
    const { timeoutMs, isPatient = false, done } = waiting;
    const { now, sleep, stop } = this.runtime;
    const { pid, hostname, isAlive } = this.place;
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const options = {
      now,
      sleep,
      pid,
      hostname,
      isAlive,
      ...limit,
      ...(isPatient ? {} : { stop }),
    };
    return withLock(this.pathOf(`${name}.lock`), options, work, done);
  }

  /**
   * Removes what killed processes left, or with `everything` every file, when it is older than
   * `olderThanMs` (a day). Never fails.
   */
  sweep({
    below = "",
    olderThanMs,
    everything = false,
  }: {
    below?: string;
    olderThanMs?: number;
    everything?: boolean;
  } = {}): Promise<void> {
    const isOld = everything ? () => true : undefined;
    return sweepLeftovers(join(this.place.path, below), this.runtime.now, olderThanMs, isOld);
  }

  /** Paths of the folder and of those `below` it that others can read or change. */
  exposed(...below: readonly string[]): string[] {
    const paths = [this.place.path, ...below.map((name) => this.pathOf(name))];
    return paths.filter((path) => isExposed(path, this.place.uid));
  }

  /** Whether this user can write to the folder, or make it. */
  isWritable(): boolean {
    try {
      accessSync(nearest(this.place.path).path, constants.W_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  private pathOf(name: string): string {
    if (/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(name)) return join(this.place.path, name);
    throw new Error(`no name in the state folder: ${name}`);
  }
}
