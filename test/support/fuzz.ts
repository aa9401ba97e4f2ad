/** Damage by the thousand, with a seed: what all fuzz tests have in common. */
import { CliError, type ErrorCode } from "../../src/errors.ts";
import { FUZZ_FACTOR, FUZZ_SEED, Random } from "./random.ts";

/**
 * Runs `once` this number of times and counts its results; a failure names the case, so that it can
 * be run again. By hand, with FUZZ set, it says how many there were.
 */
export async function fuzz(
  count: number,
  once: (random: Random) => unknown,
): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>();
  for (let at = 0; at < count * FUZZ_FACTOR; at += 1) {
    const random = new Random(FUZZ_SEED + at);
    try {
      const outcome = String(await once(random));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(
        `FUZZ_SEED=${random.seed}: ${cause instanceof Error ? cause.stack : String(cause)}`,
        { cause },
      );
    }
  }
  if (process.env.FUZZ !== undefined)
    process.stderr.write(
      `${count * FUZZ_FACTOR} cases: ${JSON.stringify(Object.fromEntries(outcomes))}\n`,
    );
  return outcomes;
}

/** The result of `run`, or the code of its CliError if that is among the foreseen. */
export async function outcomeOf(
  run: () => unknown,
  foreseen: readonly ErrorCode[],
): Promise<string> {
  try {
    await run();
    return "accepted";
  } catch (cause) {
    if (cause instanceof CliError && foreseen.includes(cause.code)) return cause.code;
    throw cause;
  }
}
