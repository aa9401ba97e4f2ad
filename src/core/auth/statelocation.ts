/** Where the environment says that the state folder is, unchecked and without any other module. */
import { posix, win32 } from "node:path";
import { PROGRAM } from "../../version.ts";
import type { Environment } from "./values.ts";

/** A place, and the variable that a complaint about it names. */
export interface StateLocation {
  /** As it was given: relative, or with bytes that are not UTF-8, if the variable is. */
  readonly path: string;
  readonly variable: string;
}

/** Undefined without a usable home. */
export function locateState(
  env: Environment,
  home: string | undefined,
  platform: string,
): StateLocation | undefined {
  const isWindows = platform === "win32";
  const paths = isWindows ? win32 : posix;
  const own = env.LEDGER_ENTERPRISE_STATE_DIR?.trim() ?? "";
  if (own !== "") return { path: own, variable: "LEDGER_ENTERPRISE_STATE_DIR" };
  const given = (isWindows ? env.LOCALAPPDATA : env.XDG_STATE_HOME) ?? "";
  if (paths.isAbsolute(given)) {
    const variable = isWindows ? "LOCALAPPDATA" : "XDG_STATE_HOME";
    return { path: paths.join(given, PROGRAM), variable };
  }
  if (home === undefined || !paths.isAbsolute(home) || paths.dirname(home) === home)
    return undefined;
  const below = STATE_BELOW_HOME[platform] ?? [".local", "state"];
  return {
    path: paths.join(home, ...below, PROGRAM),
    variable: isWindows ? "USERPROFILE" : "HOME",
  };
}

const STATE_BELOW_HOME: Readonly<Record<string, readonly string[]>> = {
  darwin: ["Library", "Application Support"],
  win32: ["AppData", "Local"],
};
