/** What one peer may use of a guard. Times come from a clock that cannot be set. */
import { CliError } from "../errors.ts";

/** Connections of all peers. */
export const MOST_CONNECTIONS = 64;
/** How long work waits for the guard's log, whose pipe may be full. */
export const LOG_MS = 1_000;
const MOST_OF_A_PEER = 8;
const CALLS_A_MINUTE = 120;
const WRITES_A_MINUTE = 6;
const REFUSALS_A_MINUTE = 20;
const UPSTREAM_AT_ONCE = 4;
const MINUTE_MS = 60_000;

/** How often something happened in the last minute. */
class Rate {
  private times: number[] = [];

  constructor(
    private readonly most: number,
    private readonly elapsed: () => number,
  ) {}

  /** Milliseconds until there is room; 0 when there is. */
  waitMs(): number {
    const now = this.elapsed();
    this.times = this.times.filter((time) => now - time < MINUTE_MS);
    const oldest = this.times.at(-this.most);
    return oldest === undefined ? 0 : Math.max(1, MINUTE_MS - (now - oldest));
  }

  /** Counts one; the returned function takes it back. */
  take(): () => void {
    const time = this.elapsed();
    this.times.push(time);
    return () => {
      const at = this.times.indexOf(time);
      if (at >= 0) this.times.splice(at, 1);
    };
  }
}

/** The use that one user makes of the guard. */
export class Allowance {
  private connections = 0;
  private readonly calls: Rate;
  private readonly sent: Rate;
  private readonly refusals: Rate;
  private busy = 0;
  private readonly waiting: (() => void)[] = [];
  /** Refusals that no line tells yet. */
  private untold = 0;

  /** `elapsed`: ms of a clock that cannot be set. */
  constructor(elapsed: () => number) {
    this.calls = new Rate(CALLS_A_MINUTE, elapsed);
    this.sent = new Rate(WRITES_A_MINUTE, elapsed);
    this.refusals = new Rate(REFUSALS_A_MINUTE, elapsed);
  }

  /** Counts a connection until the returned function is called. Throws RATE_LIMITED. */
  connect(): () => void {
    if (this.connections >= MOST_OF_A_PEER) throw limited("connections at once", 1);
    const waitMs = this.calls.waitMs();
    if (waitMs > 0) throw limited("calls a minute", waitMs);
    this.calls.take();
    this.connections += 1;
    return () => {
      this.connections -= 1;
    };
  }

  /**
   * Counts a write; the returned function takes one back that was never sent. Throws RATE_LIMITED.
   */
  write(): () => void {
    const waitMs = this.sent.waitMs();
    if (waitMs > 0) throw limited("writes a minute", waitMs);
    return this.sent.take();
  }

  /** Whether a refusal gets a line of its own; the others are counted. */
  mayTell(): boolean {
    if (this.refusals.waitMs() > 0) {
      this.untold += 1;
      return false;
    }
    this.refusals.take();
    return true;
  }

  /** How many refusals were only counted since it was asked. */
  takeUntold(): number {
    const count = this.untold;
    this.untold = 0;
    return count;
  }

  /** Runs a call to the API; at most four at once, the others wait until `stop`. */
  async upstream<T>(call: () => Promise<T>, stop: AbortSignal | undefined): Promise<T> {
    if (this.busy >= UPSTREAM_AT_ONCE) await this.turn(stop);
    else this.busy += 1;
    try {
      return await call();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.busy -= 1;
      else next();
    }
  }

  private turn(stop: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const given = (): void => {
        stop?.removeEventListener("abort", over);
        resolve();
      };
      const over = (): void => {
        const at = this.waiting.indexOf(given);
        if (at >= 0) this.waiting.splice(at, 1);
        reject(stop?.reason);
      };
      if (stop?.aborted === true) return over();
      stop?.addEventListener("abort", over, { once: true });
      this.waiting.push(given);
    });
  }
}

function limited(what: string, waitMs: number): CliError {
  return new CliError("RATE_LIMITED", {
    message: `The guard takes no more ${what} from this user; nothing was sent.`,
    retryAfterSeconds: Math.ceil(waitMs / 1000),
    details: { limit: what },
  });
}

/** One allowance for each user. */
export class Allowances {
  private readonly byUid = new Map<number, Allowance>();

  constructor(private readonly elapsed: () => number) {}

  /** The allowance of a user. */
  of(uid: number): Allowance {
    const found = this.byUid.get(uid) ?? new Allowance(this.elapsed);
    this.byUid.set(uid, found);
    return found;
  }

  /** Users with refusals that were only counted, and how many. */
  takeUntold(): { readonly uid: number; readonly count: number }[] {
    return [...this.byUid].flatMap(([uid, allowance]) => {
      const count = allowance.takeUntold();
      return count === 0 ? [] : [{ uid, count }];
    });
  }
}
