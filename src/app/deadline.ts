/** The time that a command may take, and the user's interrupt, as one signal. */

/** Runs out once; what listens to `signal` ends then. */
export class Deadline {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private pauses = 0;
  /** Fires at the end of the time, and on the interrupt. */
  readonly signal: AbortSignal;

  /** `leftMs`: milliseconds from now; undefined means that it has no end. */
  constructor(
    private leftMs: number | undefined,
    interrupt: AbortSignal,
  ) {
    this.signal = AbortSignal.any([this.controller.signal, interrupt]);
    this.start();
  }

  /** Begins again with another time, or with none. */
  limitTo(ms: number | undefined): void {
    clearTimeout(this.timer);
    this.leftMs = ms;
    if (this.pauses === 0) this.start();
  }

  /** Runs `work`, which has a time of its own, such as waiting for a person. */
  async pausedDuring<T>(work: () => Promise<T>): Promise<T> {
    if (this.pauses === 0) this.clear();
    this.pauses += 1;
    try {
      return await work();
    } finally {
      this.pauses -= 1;
      if (this.pauses === 0) this.start();
    }
  }

  /** What is left now, in ms; undefined when there is no end. */
  timeLeftMs(): number | undefined {
    const { leftMs } = this;
    if (leftMs === undefined || this.pauses > 0) return leftMs;
    return leftMs - (performance.now() - this.startedAt);
  }

  /** Stops the clock. */
  clear(): void {
    clearTimeout(this.timer);
    if (this.leftMs !== undefined) this.leftMs -= performance.now() - this.startedAt;
  }

  private start(): void {
    if (this.leftMs === undefined) return;
    this.startedAt = performance.now();
    this.timer = setTimeout(() => this.controller.abort(), Math.max(0, this.leftMs));
  }
}
