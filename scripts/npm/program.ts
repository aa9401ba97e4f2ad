/** Loads chunks of the npm package's program file, compiled before where that was kept. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";
import { openCodeCache } from "./codecache.ts";
import type { Index } from "./modules.ts";

/** Set by the build. */
declare const __MODULES__: Index;

interface Program {
  /** The exports of an entry. */
  load(entry: string): unknown;
  /** Keeps what was compiled, for the next command. */
  keep(): void;
}

type Exports = Record<string, unknown>;

/** The program of the package whose `bin` folder this is. */
export function openProgram(bin: string): Program {
  const { id, entries, lengths } = __MODULES__;
  const path = join(bin, "../dist/program.js");
  const bytes = readFileSync(path);
  const ends: number[] = [];
  for (const length of lengths) ends.push((ends.at(-1) ?? 0) + length);
  const cache = openCodeCache(id, process.env);
  const loaded: (Exports | undefined)[] = [];
  const scripts = new Map<number, vm.Script>();
  let isFresh = false;

  const load = (wanted: number | string): unknown => {
    if (typeof wanted === "string") return require(wanted);
    const before = loaded[wanted];
    if (before !== undefined) return before;
    const exports: Exports = {};
    loaded[wanted] = exports;
    const source = bytes.toString("utf8", ends[wanted - 1] ?? 0, ends[wanted]);
    const cachedData = cache?.codeOf(wanted);
    const filename = `${path}:${wanted}`;
    const script = new vm.Script(source, { filename, ...(cachedData && { cachedData }) });
    if (cachedData === undefined || script.cachedDataRejected) isFresh = true;
    scripts.set(wanted, script);
    script.runInThisContext()(exports, load, later, toESM, exportAll);
    return exports;
  };
  const later = async (wanted: number | string): Promise<unknown> => load(wanted);
  return {
    load: (entry) => load(entries[entry] ?? entry),
    keep() {
      if (isFresh) cache?.keep(scripts);
    },
  };
}

/** What `import x from` and `import * as x from` see of a module that Node or npm provides. */
function toESM(module: object): Exports {
  const seen = Object.create(Object.getPrototypeOf(module)) as Exports;
  Object.defineProperty(seen, "default", { value: module, enumerable: true });
  for (const name of Object.getOwnPropertyNames(module)) {
    if (Object.hasOwn(seen, name)) continue;
    Object.defineProperty(seen, name, { get: () => Reflect.get(module, name), enumerable: true });
  }
  return seen;
}

function exportAll(exports: Exports, all: Readonly<Record<string, () => unknown>>): void {
  for (const name in all) {
    const get = all[name];
    if (get !== undefined) Object.defineProperty(exports, name, { get, enumerable: true });
  }
}
