/**
 * How long a write may take to leave this process. Its intent says so on the disk, and the client
 * keeps to it: what finds the record open knows from when on nothing of it can be under way. And
 * how long an answer that must not be lost is awaited.
 */
import { CliError } from "../errors.ts";

/** The longest time between the intent of a write and its last byte, in ms. */
export const LONGEST_SENDING_MS = 120_000;

/** Two clocks in ms: one can be set, the other does not count a sleep of the machine. */
export interface Clocks {
  now(): number;
  elapsed(): number;
}

/** The time of one write; it begins when this is made. */
export class SendingTime {
  /** In ms, a whole number above 0. */
  readonly ms: number;
  private readonly startedAt: number;
  private readonly begunAt: number;

  /** `leftMs` is what the command has left; undefined: no end. */
  constructor(
    leftMs: number | undefined,
    private readonly clocks: Clocks,
  ) {
    this.ms = Math.ceil(Math.max(1, Math.min(leftMs ?? LONGEST_SENDING_MS, LONGEST_SENDING_MS)));
    this.startedAt = clocks.now();
    this.begunAt = clocks.elapsed();
  }

  /** By the clock that moved more; 0 when it is over. */
  leftMs(): number {
    const { now, elapsed } = this.clocks;
    const passed = Math.max(now() - this.startedAt, elapsed() - this.begunAt);
    return Math.max(0, this.ms - passed);
  }

  get isOver(): boolean {
    return this.leftMs() === 0;
  }
}

/** The failure of a write that was held up for too long. */
export function tooLate(): CliError {
  return new CliError("TIMEOUT", {
    message: "The time in which the request could leave was over; nothing was sent.",
  });
}

const LAST_ANSWER_MS = 2000;

/** Runs `work` with a signal that fires two seconds after `stop`; at once where that has fired. */
export async function finishing<T>(
  stop: AbortSignal,
  work: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  if (stop.aborted) return work(stop);
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onStop = (): void => {
    timer = setTimeout(() => late.abort(), LAST_ANSWER_MS);
  };
  stop.addEventListener("abort", onStop, { once: true });
  try {
    return await work(late.signal);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
  }
}
