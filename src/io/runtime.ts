/** What work of any kind needs of the outside world while one command runs. */
import type { Log } from "./log.ts";
import type { ProxyName } from "./proxy.ts";
import type { Redactor } from "./redact.ts";

/** Clock, network and log of one run. */
export interface Runtime {
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits; rejects with the signal's reason when it fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Fires at the end of the command's time, and when the user interrupts it. */
  readonly stop: AbortSignal;
  /** Runs what has a time of its own, such as waiting for a person; the command's is paused. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  /** Told the `Date` of each answer of the API. */
  sawDate?(date: string | null): void;
  /** Told that an answer is on its way: the time to load what will be needed then. */
  waiting?(): void;
  readonly fetch: typeof globalThis.fetch;
  /** The proxy through which `fetch` reaches a URL, or undefined. */
  proxyOf(url: URL): ProxyName | undefined;
  readonly log: Log;
  /** Knows this run's secrets; masks them in what is printed. */
  readonly redactor: Redactor;
  /** How this program names itself to servers. */
  readonly userAgent: string;
}
