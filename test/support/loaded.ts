/** What a run of the npm package on Node 22 loads: Node tells a hook about every module. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findArtifacts } from "./artifacts.ts";

export interface Loaded {
  readonly stdout: string;
  /** The text of each file that was loaded. */
  readonly texts: readonly string[];
  /** Names of Node's own modules, such as `node:child_process`. */
  readonly builtIns: readonly string[];
}

/** Runs the installed package in `home`, which the caller makes and removes. */
export async function loadedBy(
  home: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Loaded> {
  const { installed, nodes } = await findArtifacts();
  const folder = mkdtempSync(join(tmpdir(), "loaded-"));
  try {
    const [preload, seen] = [join(folder, "preload.cjs"), join(folder, "seen")];
    writeFileSync(
      preload,
      `const seen = [];
require("node:module").registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    seen.push(found.url);
    return found;
  },
});
process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(seen)}, seen.join("\\n")));
`,
    );
    const command = [nodes["22"], "--require", preload, installed, ...argv];
    const child = Bun.spawn(command, { env: { HOME: home, ...env }, cwd: home, stdout: "pipe" });
    const stdout = await new Response(child.stdout).text();
    await child.exited;
    const urls = readFileSync(seen, "utf8").split("\n");
    const texts = urls
      .filter((url) => url.startsWith("file:"))
      .map((url) => readFileSync(new URL(url), "utf8"));
    return { stdout, texts, builtIns: urls.filter((url) => url.startsWith("node:")) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
