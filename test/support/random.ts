/** Seeded randomness for fuzzing: the same cases on every machine, others with another seed. */

/**
 * How many cases a fuzz test tries, `FUZZ` times as many by hand: `FUZZ=100 npm test test/fuzz`.
 */
export const FUZZ_FACTOR = Math.max(1, Number(process.env.FUZZ ?? 1) || 1);
/** Another `FUZZ_SEED` leads to other cases; a failure prints the one it had. */
export const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? 20_261_121) || 0;

export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed | 0;
  }

  /** 0 ≤ x < 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    const found = choices[this.below(choices.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /**
   * A copy with one to four changes: characters replaced, removed, doubled, swapped, cut off, or
   * strange ones put in.
   */
  damage(text: string): string {
    let damaged = text;
    for (let left = 1 + this.below(4); left > 0; left -= 1) {
      const at = this.below(damaged.length + 1);
      const to = at + this.below(Math.min(8, damaged.length - at + 1));
      const insert = this.pick([
        "",
        "",
        damaged.slice(at, to).repeat(2),
        ...STRANGE,
        String.fromCharCode(this.below(256)),
      ]);
      damaged =
        this.below(20) === 0
          ? damaged.slice(0, at)
          : damaged.slice(0, at) + insert + damaged.slice(to);
    }
    return damaged;
  }
}

const STRANGE = [
  "\u0000",
  "\n",
  "\r\n",
  " ",
  "=",
  "-",
  "_",
  "+",
  "/",
  ".",
  '"',
  "\\",
  "{",
  "}",
  "[",
  "\u202e",
  "\ud800",
  "é",
  "🔐",
  "0",
  "9",
  "A",
  "--",
  "__proto__",
];
