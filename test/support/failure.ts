/** Failures as values: what a test compares is the error, and its code. */
import { CliError } from "../../src/errors.ts";

/** The CliError that `run` throws; anything else, nothing included, is thrown on. */
export function failureOf(run: () => unknown): CliError {
  try {
    run();
  } catch (failure) {
    if (failure instanceof CliError) return failure;
    throw failure;
  }
  throw new Error("nothing was thrown");
}

/** The same for work that takes time. */
export async function failureLater(run: () => unknown): Promise<CliError> {
  try {
    await run();
  } catch (failure) {
    if (failure instanceof CliError) return failure;
    throw failure;
  }
  throw new Error("nothing was thrown");
}

/** The code of the CliError that `run` throws, or "none" when it throws nothing. */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "none";
  } catch (failure) {
    if (failure instanceof CliError) return failure.code;
    throw failure;
  }
}
