/** What the system says about a file, as our errors. */
import { CliError, type ErrorCode } from "../errors.ts";
import { errnoOf } from "./errno.ts";

/**
 * The failure as a CliError with `details.reason` (the system's name) and `details.path`; one that
 * is a CliError already stays it is.
 */
export function ioError(code: ErrorCode, message: string, path: string, cause: unknown): CliError {
  if (cause instanceof CliError) return cause;
  return new CliError(code, { message, details: { reason: errnoOf(cause), path }, cause });
}
