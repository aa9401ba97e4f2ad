/** Paths from the user (NET-9). */
import { CliError } from "../../errors.ts";

/**
 * A path below the base path: segments of unreserved characters, no empty or dot segment, nothing
 * that URL parsing treats specially. A leading `/` may be left out, for shells that change it into
 * a path of Windows. A challenge has a command of its own. Throws INVALID_ARGUMENT.
 */
export function checkPath(given: string): string {
  const path = given.startsWith("/") ? given : `/${given}`;
  const segments = path.split("/").slice(1);
  const isPlain = (segment: string): boolean =>
    /^[A-Za-z0-9._~:@!$&'()*+,;=-]+$/.test(segment) && !/^\.{1,2}$/.test(segment);
  if (/^[A-Za-z]:[\\/]/.test(given)) {
    throw new CliError("INVALID_ARGUMENT", {
      message: "--path arrived as a path of Windows: the shell changed its leading '/'.",
      field: "--path",
      hint: "Leave the leading '/' out, as in --path accounts, or set MSYS_NO_PATHCONV=1.",
    });
  }
  if (/\/challenge\b[^/]*(\/reject\b[^/]*)?$/i.test(path)) throw challengeElsewhere();
  if (segments.every(isPlain)) return path;
  throw new CliError("INVALID_ARGUMENT", {
    message: "--path takes a path such as /accounts, without query, '..', '//' or '%'.",
    field: "--path",
    hint: "Give query parameters with --query name=value.",
  });
}

/** A new challenge may void the reviewed one; a command that asks for it keeps a record. */
function challengeElsewhere(): CliError {
  return new CliError("INVALID_ARGUMENT", {
    message: "--path does not read challenges: each new one must be remembered.",
    field: "--path",
    hint: "Use 'requests getChallenge --id', or 'requests review --id'.",
  });
}
