/** The options that every command takes (specification §3). */
import { flag, seconds, type Values, withDefault } from "./argument.ts";

/** Seconds that a command may take without `--timeout`. */
export const DEFAULT_TIMEOUT_SECONDS = 30;

/** The options that every command takes (specification §3). */
export const GLOBALS = {
  pretty: flag("Indent the JSON by two spaces."),
  debug: flag("Log each step to standard error, without secrets."),
  timestamps: flag("With --debug: an ISO time on each line."),
  timeout: withDefault(
    seconds("Time for the whole command, in seconds.", 1, 86_400),
    DEFAULT_TIMEOUT_SECONDS,
  ),
  version: flag("Print the version."),
  help: flag("Print help."),
};

/** One-letter spellings; there are no others. */
export const SHORT: ReadonlyMap<string, keyof typeof GLOBALS> = new Map([
  ["-v", "version"],
  ["-h", "help"],
]);

/** Their values. */
export type Globals = Values<typeof GLOBALS>;
