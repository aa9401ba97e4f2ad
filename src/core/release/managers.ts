/**
 * Package managers that may own the program's file: replacing it behind their back would leave them
 * with a wrong record, and their next upgrade would undo it.
 */
import { readFile, realpath } from "node:fs/promises";
import { PACKAGE, UPGRADE_COMMANDS } from "./names.ts";

const FOLDERS: readonly (readonly [folder: RegExp, command: string])[] = [
  [/\/Cellar\//, `brew upgrade ${PACKAGE}`],
  [/\/mise\/installs\//, `mise upgrade ${PACKAGE}`],
  [/\/\.?asdf\/installs\//, `asdf install ${PACKAGE} latest`],
  [/\/node_modules\//, UPGRADE_COMMANDS.npm],
  [/^\/nix\/store\//, `nix profile upgrade ${PACKAGE}`],
  [/\/scoop\/apps\//i, `scoop update ${PACKAGE}`],
];
/** Lists of the files of each Debian package. */
const DPKG = "/var/lib/dpkg/info";

/**
 * The command of the package manager that owns the file at `executable`, or undefined when none is
 * known to. Links are followed first.
 */
export async function managerCommand(
  executable: string,
  dpkg: string = DPKG,
): Promise<string | undefined> {
  const path = await realpath(executable).catch(() => executable);
  const found = FOLDERS.find(([folder]) => folder.test(path.replaceAll("\\", "/")));
  if (found !== undefined) return found[1];
  const files = await readFile(`${dpkg}/${PACKAGE}.list`, "utf8").catch(() => "");
  const owned = files.split("\n");
  return owned.includes(path) || owned.includes(executable)
    ? `apt-get install --only-upgrade ${PACKAGE}`
    : undefined;
}
