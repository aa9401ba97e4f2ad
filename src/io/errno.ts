/** What the system calls a failure. */

/** The system's name for a failure (`ENOSPC`), or an empty string. */
export function errnoOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "";
}
