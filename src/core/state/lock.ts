/**
 * An exclusive lock between processes (SES-6): a file made with O_EXCL that says who holds it. The
 * holder shows every two seconds that it lives, so a slow one keeps its lock and a stopped one
 * loses it.
 *
 * Taking over is where such schemes break: a process that read "stale" a moment ago may remove the
 * fresh lock of a faster one. Here a lock with token T is removed only by the process that holds
 * the *claim* on T, a second file made with O_EXCL and named by T, and only after looking again.
 * Releasing goes the same way. All steps are synchronous: cheap when hundreds wait, and a signal
 * can release, too.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { ioError } from "../../io/ioerror.ts";
import { randomName } from "../../io/random.ts";
import type { Runtime } from "../../io/runtime.ts";

/** Which process this is, in the eyes of the others. */
export interface Process {
  readonly pid: number;
  readonly hostname: string;
  isAlive(pid: number): boolean;
}

/** Who wants the lock, by which clock, and how long it may take; times in ms. */
export interface LockOptions extends Process, Pick<Runtime, "now" | "sleep"> {
  /** Ends the waiting: TIMEOUT. */
  readonly stop?: AbortSignal;
  readonly timeoutMs?: number;
  readonly staleMs?: number;
  readonly beatMs?: number;
}

const TIMEOUT_MS = 20_000;
const STALE_MS = 30_000;
const BEAT_MS = 2_000;
/**
 * Between two looks. They become rarer, or a few hundred that wait would take from the one that
 * works what it needs to end.
 */
const SHORTEST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 400;
/** Whether the lock's file is still the same costs one call: it is asked more often. */
const GLANCE_MS = 80;
/**
 * A holder that looks stale gets this long to show that it is the clock that jumped, however old
 * its lock looks and however short the wait was to be.
 */
const CONFIRM_MS = 5_000;

/** What a lock file says. */
interface Holder {
  /** Names the making of this file; made up from the inode when the content cannot be read. */
  readonly token: string;
  /**
   * Undefined when it is a process of another machine or container, of which nothing can be known.
   */
  readonly pid: number | undefined;
  readonly aliveAt: number;
}

interface Held {
  readonly path: string;
  readonly token: string;
  readonly options: LockOptions;
  readonly descriptor: number;
  readonly beat: NodeJS.Timeout;
}

const held = new Map<string, Held>();

/** What the work under a lock can ask. */
export interface Fence {
  /**
   * Whether the lock is still this holder's, by its file. What was written before that is seen by
   * every later holder; a process that was stopped may find that it has lost the lock.
   */
  isHeld(): boolean;
}

/**
 * Runs `work` while holding the lock at `path`, whose directory must exist. Throws LOCK_TIMEOUT
 * after 20 s of waiting, TIMEOUT when the signal fires meanwhile, SESSION_IO when the lock file
 * cannot be made or read.
 *
 * `done` is asked before the lock is taken, and while somebody else holds it: once it returns a
 * value, another has done what was to be done and that value is the result. Without it, hundreds
 * that need one refresh would all take the lock in turn, only to see that it is over.
 */
export async function withLock<T>(
  path: string,
  options: LockOptions,
  work: (fence: Fence) => Promise<T>,
  done: () => Promise<T | undefined> = async () => undefined,
): Promise<T> {
  const lock = await acquire(path, options, done);
  if (!isHeld(lock)) return lock.value;
  try {
    return await work({ isHeld: () => isStillHeld(lock) });
  } finally {
    release(lock);
  }
}

/** Releases every lock of this process at once, for the way out on a signal (OUT-8). */
export function releaseAllSync(): void {
  for (const lock of held.values()) release(lock);
}

function isStillHeld({ path, token, options }: Held): boolean {
  try {
    return held.has(token) && inspect(path, options)?.token === token;
  } catch {
    return false;
  }
}

function isHeld(found: Held | { readonly value: unknown }): found is Held {
  return "token" in found;
}

async function acquire<T>(
  path: string,
  options: LockOptions,
  done: () => Promise<T | undefined>,
): Promise<Held | { readonly value: T }> {
  const { timeoutMs = TIMEOUT_MS } = options;
  // Times are the waiter's own, so that a clock that jumps neither ends nor prolongs the waiting.
  let waitedMs = 0;
  let longest = SHORTEST_PAUSE_MS;
  let seen: { readonly state: string; readonly sinceMs: number } | undefined;
  for (;;) {
    const value = await done();
    if (value !== undefined) return { value };
    const lock = create(path, options);
    if (lock !== undefined) return lock;
    const holder = inspect(path, options);
    if (holder === undefined) continue;
    const state = `${holder.token} ${holder.aliveAt}`;
    if (seen?.state !== state) seen = { state, sinceMs: waitedMs };
    const isConfirmed = waitedMs - seen.sinceMs >= CONFIRM_MS;
    if (remove(path, holder.token, options, (found) => isStale(found, options, isConfirmed)))
      continue;
    const limitMs = isStale(holder, options, true) ? Math.max(timeoutMs, CONFIRM_MS) : timeoutMs;
    if (waitedMs >= limitMs) throw timeout(holder, limitMs);
    // Whole ones, whose sums are exact.
    const ms = Math.min(Math.ceil(longest * (0.1 + 0.9 * Math.random())), limitMs - waitedMs);
    longest = Math.min(longest * 1.5, LONGEST_PAUSE_MS);
    waitedMs += await pauseWhileSame(path, ms, options);
  }
}

/** Waits `ms`, or until the file at `path` is gone or another one; returns the time waited. */
async function pauseWhileSame(path: string, ms: number, options: LockOptions): Promise<number> {
  const inode = inodeOf(path);
  for (let waited = 0; ; ) {
    const glance = Math.min(GLANCE_MS, ms - waited);
    await pause(glance, options);
    waited += glance;
    if (waited >= ms || inodeOf(path) !== inode) return waited;
  }
}

/** Undefined when the file cannot be seen. A new file may get the number of an old one. */
function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

function timeout(holder: Holder, timeoutMs: number): CliError {
  return new CliError("LOCK_TIMEOUT", {
    message: "Another process of this program holds the lock.",
    details: { waitedSeconds: timeoutMs / 1000, holder: holder.pid ?? null },
  });
}

async function pause(ms: number, options: LockOptions): Promise<void> {
  try {
    await options.sleep(ms, options.stop);
  } catch (cause) {
    throw new CliError("TIMEOUT", {
      message: "The command's time ended while it waited for another process.",
      cause,
    });
  }
}

function isStale(holder: Holder, options: LockOptions, isConfirmed: boolean): boolean {
  if (held.has(holder.token)) return false;
  // A restarted container has the pid that its killed predecessor had.
  if (holder.pid !== undefined && (holder.pid === options.pid || !options.isAlive(holder.pid)))
    return true;
  const { staleMs = STALE_MS } = options;
  return isConfirmed && Math.abs(options.now() - holder.aliveAt) > staleMs;
}

/** Makes the lock file and begins to show life; undefined when somebody else's is there. */
function create(path: string, options: LockOptions): Held | undefined {
  const token = randomName(8);
  const startedAt = options.now();
  const descriptor = makeFile(path, token, options, startedAt);
  if (descriptor === undefined) return undefined;
  const beat = setInterval(
    () => showLife(descriptor, token, options, startedAt),
    options.beatMs ?? BEAT_MS,
  ).unref();
  const lock = { path, token, options, descriptor, beat };
  held.set(token, lock);
  // Was this process stopped before it could describe the file, for so long that another took it
  // for a wreck?
  if (inspect(path, options)?.token === token) return lock;
  release(lock);
  return undefined;
}

/**
 * Removes the own lock; one that was taken over meanwhile is left to its new holder. Never fails: a
 * dead holder's lock is stale.
 */
function release(lock: Held): void {
  if (!held.delete(lock.token)) return;
  clearInterval(lock.beat);
  closeSync(lock.descriptor);
  try {
    remove(lock.path, lock.token, lock.options, () => true);
  } catch {
    // Whatever the reason, the work that the lock guarded is done.
  }
}

/**
 * Removes the file at `path` if it is still the one with that token and `isDoomed` still holds;
 * false when not, or when another is at it.
 */
function remove(
  path: string,
  token: string,
  options: LockOptions,
  isDoomed: (holder: Holder) => boolean,
): boolean {
  const first = inspect(path, options);
  if (first?.token !== token || !isDoomed(first)) return false;
  const claim = `${path}.${token}.tmp`;
  if (!takeClaim(claim, options)) return false;
  try {
    const holder = inspect(path, options);
    if (holder?.token !== token || !isDoomed(holder)) return false;
    unlinkSync(path);
    return true;
  } catch (cause) {
    throw lockError(path, cause);
  } finally {
    discard(claim);
  }
}

function discard(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, or a later sweep removes it.
  }
}

/**
 * A claim is held for a few system calls; one that a killed process left is removed by the same
 * rule, with a claim on the claim.
 */
function takeClaim(claim: string, options: LockOptions): boolean {
  for (let isRetry = false; ; isRetry = true) {
    const token = randomName(8);
    const descriptor = makeFile(claim, token, options, options.now());
    if (descriptor !== undefined) {
      closeSync(descriptor);
      return true;
    }
    const holder = isRetry ? undefined : inspect(claim, options);
    if (
      holder === undefined ||
      !remove(claim, holder.token, options, (found) => isStale(found, options, true))
    )
      return false;
  }
}

/**
 * A new file that says who made it, open for writing; undefined when there is one already. It gets
 * its name when it is complete, so that a process killed at any moment leaves none that says
 * nothing, for which others would have to wait.
 */
function makeFile(
  path: string,
  token: string,
  options: LockOptions,
  startedAt: number,
): number | undefined {
  if (existsSync(path)) return undefined;
  const draft = `${path}.${token}.new.tmp`;
  const descriptor = makeInPlace(draft, token, options, startedAt);
  if (descriptor === undefined) return undefined;
  try {
    linkSync(draft, path);
    return descriptor;
  } catch (cause) {
    closeSync(descriptor);
    // Some file systems know no second names.
    return errnoOf(cause) === "EEXIST" ? undefined : makeInPlace(path, token, options, startedAt);
  } finally {
    discard(draft);
  }
}

function makeInPlace(
  path: string,
  token: string,
  options: LockOptions,
  startedAt: number,
): number | undefined {
  let descriptor: number;
  try {
    const flags =
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
    descriptor = openSync(path, flags, 0o600);
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") return undefined;
    throw lockError(path, cause);
  }
  try {
    describe(descriptor, token, options, startedAt);
    return descriptor;
  } catch (cause) {
    closeSync(descriptor);
    discard(path);
    throw lockError(path, cause);
  }
}

/**
 * Writes the same number of bytes each time, so that a reader never sees a mixture that is not
 * JSON.
 */
function describe(
  descriptor: number,
  token: string,
  options: LockOptions,
  startedAt: number,
): void {
  const { pid, hostname: host } = options;
  const holder = {
    pid,
    host,
    namespace: processNamespace(),
    token,
    startedAt,
    aliveAt: options.now(),
  };
  writeSync(descriptor, `${JSON.stringify(holder)}\n`, 0);
}

function showLife(...description: Parameters<typeof describe>): void {
  try {
    describe(...description);
  } catch {
    // A full disk must not end work that is under way.
  }
}

const LONGEST = 4096;

function inspect(path: string, options: LockOptions): Holder | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
    const buffer = Buffer.alloc(LONGEST);
    const text = buffer.toString("utf8", 0, readSync(descriptor, buffer, 0, LONGEST, 0));
    const { ino, mtimeMs } = fstatSync(descriptor);
    return parseHolder(text, options) ?? { token: `ino${ino}`, pid: undefined, aliveAt: mtimeMs };
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw lockError(path, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function parseHolder(text: string, options: LockOptions): Holder | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = { ...JSON.parse(text) };
  } catch {
    return undefined;
  }
  const { pid, host, namespace = null, token, startedAt, aliveAt = startedAt } = fields;
  if (
    typeof token !== "string" ||
    !/^[A-Za-z0-9]{1,64}$/.test(token) ||
    typeof aliveAt !== "number"
  )
    return undefined;
  const isHere =
    host === options.hostname && (namespace === null || namespace === processNamespace());
  const isPid = typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0;
  return { token, pid: isHere && isPid ? pid : undefined, aliveAt };
}

let namespaceName: string | null | undefined;

/** Containers may share a host name and a volume but not their process numbers (Linux). */
function processNamespace(): string | null {
  if (namespaceName === undefined) {
    try {
      namespaceName = readlinkSync("/proc/self/ns/pid");
    } catch {
      namespaceName = null;
    }
  }
  return namespaceName;
}

function lockError(path: string, cause: unknown): CliError {
  return ioError(
    "SESSION_IO",
    "The lock file in the state folder could not be made, read or removed.",
    path,
    cause,
  );
}
