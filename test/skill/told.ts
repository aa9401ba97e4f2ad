/** What no file of the skill may contain (INS-2). */

/** Paths outside the user's project, and texts that look like keys or tokens. */
export function forbiddenIn(text: string): string[] {
  // The paths of the API are not paths of a machine.
  const withoutApi = text.replaceAll(/--path \/[a-z/]+|`--path <\/path>`.*/g, "");
  const path = /(?:^|[\s"'`(=])(?:~?\/[A-Za-z]|[A-Za-z]:\\).*/gm;
  const secret = /BEGIN [A-Z ]*PRIVATE KEY|[0-9a-f]{64}|eyJ[A-Za-z0-9_-]{10}/g;
  return [...(withoutApi.match(path) ?? []), ...(text.match(secret) ?? [])];
}
