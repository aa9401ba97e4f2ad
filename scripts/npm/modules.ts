/**
 * The npm package's program as one file of many functions, one for each chunk of the bundle. A
 * chunk is compiled when it is asked for. Node's own loader takes longer for modules of the
 * standard kind, and reads each of the many files by itself.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What start.ts knows of the file. */
export interface Index {
  /** SHA-256 of its bytes, shortened: what was compiled of another file is of no use. */
  readonly id: string;
  /** Numbers of the chunks that start.ts asks for, by name. */
  readonly entries: Readonly<Record<string, number>>;
  /** Length of each chunk, in bytes. */
  readonly lengths: readonly number[];
}

export interface ModuleFile {
  readonly bytes: Uint8Array;
  readonly index: Index;
}

/** The parameter of each chunk's function that loads another one later. */
const LATER = "$later";
/** What the bundler puts before each chunk, with the names that it has there. */
const PRELUDE =
  /^var[ {][\s\S]*?enumerable:!0,configurable:!0,set:[\w$]+\.bind\([\w$]+,[\w$]+\)\}\)\};/;
const HELPERS = {
  toESM: /\{return this\[[\w$]+\]\}var [\w$]+,[\w$]+,([\w$]+)=\(/,
  toCommonJS: /[, ]([\w$]+)=\([\w$]+\)=>\{var [\w$]+=\([\w$]+\?\?=new WeakMap\)/,
  exportAll: /var ([\w$]+)=\([\w$]+,[\w$]+\)=>\{for\(var /,
};

/**
 * Makes the file out of a folder of chunks, as the bundler splits them, whose names end in `.mjs`.
 * Throws when the bundler's output is not of the shape that this knows.
 */
export async function packModules(folder: string, entries: readonly string[]): Promise<ModuleFile> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".mjs")).sort();
  const numbers = new Map(names.map((name, at) => [`./${name}`, at]));
  const numberOf = (name: string): number => {
    const found = numbers.get(name);
    if (found === undefined) throw new Error(`The bundle has no ${name}.`);
    return found;
  };
  const chunks: Uint8Array[] = [];
  for (const name of names) {
    const text = await toCommonJS(await readFile(join(folder, name), "utf8"), join(folder, name));
    chunks.push(new TextEncoder().encode(toFunction(text, numberOf)));
  }
  const bytes = Buffer.concat(chunks);
  const id = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const named = entries.map((entry) => [entry, numberOf(`./${entry}.mjs`)] as const);
  const lengths = chunks.map(({ length }) => length);
  return { bytes, index: { id, entries: Object.fromEntries(named), lengths } };
}

async function toCommonJS(text: string, path: string): Promise<string> {
  const made = await Bun.build({
    entrypoints: [path],
    files: { [path]: text },
    format: "cjs",
    target: "node",
    external: ["*"],
    minify: true,
    throw: false,
  });
  const [output] = made.outputs;
  if (!made.success || output === undefined) throw new Error(made.logs.join("\n"));
  return (await output.text()).trimEnd();
}

/** The chunk as an expression whose value is a function that fills `exports`. */
function toFunction(text: string, numberOf: (name: string) => number): string {
  if (text.includes(LATER)) throw new Error(`A chunk contains ${LATER}.`);
  const prelude = PRELUDE.exec(text)?.[0];
  const named = (pattern: RegExp) => pattern.exec(prelude ?? "")?.[1];
  const { toESM, toCommonJS, exportAll } = HELPERS;
  const [import_, whole, all] = [named(toESM), named(toCommonJS), named(exportAll)];
  let body = text.slice(prelude?.length ?? 0);
  if (prelude !== undefined) {
    const opening = /^var ([\w$]+)=\{\};/.exec(body);
    const closing = `module.exports=${whole}(${opening?.[1]});`;
    const isKnown = (import_ !== undefined) === prelude.includes("Object.create");
    if (!isKnown || all === undefined || opening === null || !body.includes(closing))
      throw new Error(`The bundler's helpers are not those that are known: ${prelude}`);
    body = `var ${opening[1]}=exports;${body.slice(opening[0].length).replace(closing, "")}`;
  }
  body = body
    .replace(/\brequire\("(\.\/[\w-]+\.mjs)"\)/g, (_, name: string) => `require(${numberOf(name)})`)
    .replace(/\bimport\("(\.\/[\w-]+\.mjs)"\)/g, (_, name: string) => `${LATER}(${numberOf(name)})`)
    .replace(/\bimport\("(node:[\w/]+)"\)/g, `${LATER}("$1")`);
  const parameters = ["exports", "require", LATER, import_ ?? "$0", all ?? "$1"];
  const code = `(function(${parameters}){"use strict";${body}\n})`;
  const left = new Bun.Transpiler({ loader: "js" })
    .scanImports(code)
    .filter(({ kind, path }) => kind === "dynamic-import" || path.startsWith("."));
  if (left.length > 0 || /\bmodule\.exports\b/.test(body) || body.includes("import.meta"))
    throw new Error(`A chunk is not self-contained: ${JSON.stringify(left)}`);
  return code;
}
