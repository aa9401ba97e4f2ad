/**
 * `--version` for the npm package: what the program does, without the module loader and all that it
 * would load.
 */
import { announce } from "../../src/io/version.ts";
import { VERSION } from "../../src/version.ts";

/** As `announce`. */
export function announceVersion(argv: readonly string[]): number | undefined {
  return announce(argv, VERSION);
}
