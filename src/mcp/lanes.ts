/** Who may work at once, and how often: reads side by side, writes one after the other. */

const READS_AT_ONCE = 4;
const MOST_WAITING = 32;

/** What a call does; an offline call counts as a read. */
export type Lane = "read" | "write";

/** Two lanes with one waiting room. */
export class Lanes {
  private readonly free = { read: READS_AT_ONCE, write: 1 };
  private readonly waiting = { read: [] as (() => void)[], write: [] as (() => void)[] };

  /** Whether one more may wait. */
  get isFull(): boolean {
    return this.waiting.read.length + this.waiting.write.length >= MOST_WAITING;
  }

  /** Resolves when it is this one's turn, in the order of the calls. */
  async enter(lane: Lane): Promise<void> {
    if (this.free[lane] > 0) this.free[lane] -= 1;
    else await new Promise<void>((resolve) => this.waiting[lane].push(resolve));
  }

  /** Lets the next one in. */
  leave(lane: Lane): void {
    const next = this.waiting[lane].shift();
    if (next === undefined) this.free[lane] += 1;
    else next();
  }
}

const MINUTE_MS = 60_000;

/** Counts what happened in the last minute. */
export class Rate {
  private times: number[] = [];

  constructor(
    private readonly most: number,
    private readonly now: () => number,
  ) {}

  /** Seconds until one more may happen; 0 when it may happen now. */
  get waitSeconds(): number {
    const now = this.now();
    // A clock that was set back must not close the door for long.
    this.times = this.times.filter((time) => time <= now && now - time < MINUTE_MS);
    const oldest = this.times[this.times.length - this.most];
    return oldest === undefined ? 0 : Math.ceil((oldest + MINUTE_MS - now) / 1000);
  }

  /** Counts one. */
  count(): void {
    this.times.push(this.now());
  }
}
