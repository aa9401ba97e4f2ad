/**
 * What a run of the npm package on Node 22 loads: a hook sees each built-in module, and each chunk
 * of the program as it is compiled.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findArtifacts } from "./artifacts.ts";

export interface Loaded {
  readonly stdout: string;
  /** The text of each chunk that was loaded. */
  readonly texts: readonly string[];
  /** Names of the built-in modules, such as `node:crypto`. */
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
      `const builtIns = [], texts = [];
require("node:module").registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    builtIns.push(found.url);
    return found;
  },
});
const vm = require("node:vm");
const { Script } = vm;
vm.Script = function (text, options) {
  texts.push(text);
  return new Script(text, options);
};
process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(seen)}, JSON.stringify({ builtIns, texts })));
`,
    );
    const command = [nodes["22"], "--require", preload, installed, ...argv];
    const child = Bun.spawn(command, { env: { HOME: home, ...env }, cwd: home, stdout: "pipe" });
    const stdout = await new Response(child.stdout).text();
    await child.exited;
    const { builtIns, texts } = JSON.parse(readFileSync(seen, "utf8")) as Omit<Loaded, "stdout">;
    return { stdout, texts, builtIns: builtIns.filter((url) => url.startsWith("node:")) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
