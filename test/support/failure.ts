/** Failures as values. */
import { CliError } from "../../src/errors.ts";

/** The CliError that `run` throws; anything else, nothing included, is thrown on. */
export function failureOf(run: () => unknown): CliError {
  try {
    run();
  } catch (failure) {
    if (failure instanceof CliError) return failure;
    throw failure;
  }
  throw new Error("accepted");
}
