/** The time of one exchange. */
const REQUEST_MS = 30_000;
const SILENCE_MS = 15_000;

/**
 * The clocks of one exchange: 30 s in all, 15 s without a byte (NET-3), the command's deadline, the
 * user's interrupt.
 */
export class ExchangeTimer {
  private readonly controller = new AbortController();
  private readonly total: NodeJS.Timeout;
  private readonly silence = setTimeout(() => this.trip("silence"), SILENCE_MS);
  private tripped: "total" | "silence" | "stop" | undefined;
  private readonly onStop = (): void => this.trip("stop");

  /** `leftMs` is what a write has left of its time. */
  constructor(
    private readonly stop: AbortSignal,
    leftMs = REQUEST_MS,
  ) {
    const why = leftMs < REQUEST_MS ? "stop" : "total";
    this.total = setTimeout(() => this.trip(why), Math.min(REQUEST_MS, leftMs));
    if (stop.aborted) this.onStop();
    stop.addEventListener("abort", this.onStop, { once: true });
  }

  /** Fires when the time is over, or the exchange was abandoned. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** True when the command's own time ended it, or the user. */
  get stopped(): boolean {
    return this.tripped === "stop";
  }

  /** A byte arrived. */
  touch(): void {
    this.silence.refresh();
  }

  /** What ended the exchange; undefined while nothing did. */
  failure(): { code: "TIMEOUT"; message: string } | undefined {
    if (this.tripped === undefined) return undefined;
    const seconds = this.tripped === "silence" ? SILENCE_MS / 1000 : REQUEST_MS / 1000;
    const why =
      this.tripped === "stop" ? "before the command's time was over" : `within ${seconds} seconds`;
    return { code: "TIMEOUT", message: `The API gave no complete answer ${why}.` };
  }

  /** Ends the clocks; nothing fires any more. */
  release(): void {
    clearTimeout(this.total);
    clearTimeout(this.silence);
    this.stop.removeEventListener("abort", this.onStop);
  }

  /** What still comes is not wanted; a connection left open would keep the program from ending. */
  abandon(): void {
    this.controller.abort();
  }

  private trip(why: "total" | "silence" | "stop"): void {
    this.tripped ??= why;
    this.controller.abort();
  }
}
