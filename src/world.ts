/**
 * The outside world as a value. A test passes another Context; nothing is patched.
 */
import type { Environment } from "./core/auth/values.ts";
import type { Early } from "./guard/early.ts";
import type { Sink } from "./io/stdout.ts";

/** Everything outside the program. main.ts builds the real one. */
export interface Context {
  readonly env: Environment;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; destroy?(): unknown };
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  readonly fetch: typeof globalThis.fetch;
  readonly platform: string;
  readonly home: string | undefined;
  readonly uid: number | undefined;
  /** Numbers of all groups of this user; absent where the system has none. */
  groups?(): readonly number[];
  readonly pid: number;
  /** The file that runs: the standalone executable, or the runtime. */
  readonly executable: string;
  readonly hostname: string;
  now(): number;
  /** Waits; rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Fires on SIGINT, SIGTERM and SIGHUP. */
  readonly interrupt: AbortSignal;
  isAlive(pid: number): boolean;
  /** Keeps what a dependency prints through the console away from stdout. */
  silence?(): void;
  /** Asks for the process to end as soon as the run does, whatever a runtime still holds open. */
  endAtOnce?(): void;
  /** What was asked before the program was loaded, and how long the process had run by then. */
  readonly early?: (Early & { readonly spentMs: number }) | undefined;
  /** From here on a signal ends the program with exit 0, once its run is over (a service). */
  endAsService?(): void;
}
