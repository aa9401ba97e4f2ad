/** Folders for a policy or a helper: only root and this user can change what is in them. */
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build.ts";
import { findDistrusted } from "../../src/io/trust.ts";

/**
 * A new folder below the home folder, the project or /var/lib. The temporary folder will not do:
 * everybody may write to it, and HOME may be below it. Throws when there is none.
 */
export function trustedFolder(): string {
  const uid = process.getuid?.() ?? -1;
  for (const parent of [homedir(), userInfo().homedir, ROOT, "/var/lib"]) {
    if (findDistrusted(parent, uid) !== undefined) continue;
    const folder = mkdtempSync(join(parent, ".lec-test-"));
    // Hooks of a file do not run when a filter leaves none of its tests.
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }
  throw new Error("No folder here belongs to root and this user alone.");
}
