/** Where the state folder is, from the environment alone. */
import { posix, win32 } from "node:path";
import { CliError } from "../../errors.ts";
import { locateState } from "./statelocation.ts";
import { type Environment, isQuoted, quoted } from "./values.ts";

/**
 * Where session and records live (SES-1); always absolute. A relative LEDGER_ENTERPRISE_STATE_DIR
 * is INVALID_PATH; a relative XDG_STATE_HOME is ignored, as its specification asks (B15). Without a
 * usable home: SESSION_IO, never the current directory or `/` (B14). A place whose name is not
 * UTF-8 is INVALID_PATH and names the variable: another folder would be used in its stead.
 */
export function stateDirectory(
  env: Environment,
  home: string | undefined,
  platform: string,
): string {
  const found = locateState(env, home, platform);
  if (found === undefined) {
    throw new CliError("SESSION_IO", {
      message: "There is no home folder to keep the session in.",
      hint: "Set LEDGER_ENTERPRISE_STATE_DIR to an absolute path that this user may write to.",
    });
  }
  const { path, variable } = found;
  requireUtf8(path, variable);
  const paths = platform === "win32" ? win32 : posix;
  if (paths.isAbsolute(path)) return paths.resolve(path);
  throw new CliError("INVALID_PATH", {
    message: `${variable} must be an absolute path.`,
    field: variable,
  });
}

/** The runtimes replace bytes that are not UTF-8 by U+FFFD, which is the name of another folder. */
function requireUtf8(path: string, variable: string): void {
  if (isQuoted(path)) throw quoted("INVALID_PATH", variable);
  if (!path.includes("\ufffd")) return;
  throw new CliError("INVALID_PATH", {
    message: `${variable} is not valid UTF-8.`,
    hint: "Set LEDGER_ENTERPRISE_STATE_DIR to an absolute path in UTF-8.",
    field: variable,
  });
}
