/**
 * The API's clock, out of the `Date` of its answers. What decides about time windows must not hang
 * on a clock that the caller can set.
 */

/** A `Date` that differs more from the local time is not believed. */
const CONFIRMED_MS = 5 * 60 * 1000;
/** Without a new confirmation the clock is not known after this time. */
const KEPT_MS = 10 * 60 * 1000;

/** Knows the time of the API once an answer told it, and for ten minutes after. */
export class ApiClock {
  private base: { readonly time: number; readonly at: number } | undefined;
  private confirmedAt: number | undefined;
  private latest:
    | { readonly time: number; readonly localTime: number; readonly at: number }
    | undefined;

  /** `now` is the local time, `elapsed` a clock that cannot be set; both in ms. */
  constructor(
    private readonly now: () => number,
    private readonly elapsed: () => number,
  ) {}

  /** Takes the `Date` header of an answer. */
  saw(date: string | null): void {
    const time = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(time)) return;
    const at = this.elapsed();
    this.latest = { time, localTime: this.now(), at };
    if (Math.abs(time - this.now()) > CONFIRMED_MS) return;
    this.confirmedAt = at;
    if (time > (this.carried(at) ?? 0)) this.base = { time, at };
  }

  /** Ms since 1970 by the API, carried on; undefined when nothing confirmed it lately. */
  time(): number | undefined {
    const at = this.elapsed();
    if (this.confirmedAt === undefined || at - this.confirmedAt > KEPT_MS) return undefined;
    return this.carried(at);
  }

  /** How far the API's clock is ahead of the local one, in ms; undefined before an answer. */
  ahead(): number | undefined {
    return this.latest === undefined ? undefined : this.latest.time - this.latest.localTime;
  }

  /** Ms since 1970 by the last answer, carried on, confirmed or not; undefined before one. */
  told(): number | undefined {
    return this.latest === undefined
      ? undefined
      : this.latest.time + this.elapsed() - this.latest.at;
  }

  private carried(at: number): number | undefined {
    return this.base === undefined ? undefined : this.base.time + (at - this.base.at);
  }
}
