/** Paths that a user gives (NET-9). */
import { CliError } from "../../errors.ts";

/**
 * A path below the base path: segments of unreserved characters, no empty or dot segment, nothing
 * that URL parsing treats specially. Throws INVALID_ARGUMENT.
 */
export function checkPath(path: string): string {
  const segments = path.split("/").slice(1);
  const isPlain = (segment: string): boolean =>
    /^[A-Za-z0-9._~:@!$&'()*+,;=-]+$/.test(segment) && !/^\.{1,2}$/.test(segment);
  if (path.startsWith("/") && segments.length > 0 && segments.every(isPlain)) return path;
  throw new CliError("INVALID_ARGUMENT", {
    message: "--path takes a path such as /accounts, without query, '..', '//' or '%'.",
    field: "--path",
    hint: "Give query parameters with --query name=value.",
  });
}
