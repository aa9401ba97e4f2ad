/**
 * Reads the import lines of a source tree and names each that goes against the direction of
 * dependencies.
 */
import { Glob } from "bun";

/**
 * What each part may import, as paths below src/; the first row that fits the file decides. Types
 * may come from anywhere below.
 */
const ALLOWED: readonly (readonly [file: RegExp, values: RegExp, types: RegExp])[] = [
  [/^main\.ts$/, /./, /./],
  [/^app\/capabilities\.ts$/, /^(app\/|cli\/|core\/|io\/|errors|version)/, /^(?!commands\/|main)/],
  [/^app\//, /^(app\/|cli\/|commands\/registry|core\/|result|errors|version|io\/)/, /./],
  [/^world\.ts$/, /^$/, /^(?!commands\/|app\/|main)/],
  [/^cli\//, /^(cli\/|io\/json|errors|version)/, /^(cli\/|io\/|errors|version)/],
  // What a command can be given follows from the table; only its type comes down.
  [/^commands\/parts\/command\.ts$/, /^(cli\/|errors)/, /^(app\/capabilities\.ts|cli\/|errors)/],
  [
    /^commands\//,
    // What touches the world comes as a capability: no client, records, signer, device or files here.
    /^(commands\/|cli\/|core\/(?!api\/client|signing\/(software|keyring)|state\/(?!session)|device|release\/sources)|io\/json|result|errors|version)/,
    /^(?!app\/|main)/,
  ],
  // The skill's text is data that core/skill carries.
  [
    /^core\/skill\/(content|references)\.ts$/,
    /^skill\/.*\.md$|^core\/skill\/references\.ts$/,
    /^$/,
  ],
  [/^core\//, /^(core\/|io\/|errors|version)/, /^(core\/|io\/|result|errors|version)/],
  [/^io\//, /^(io\/|errors)/, /^(io\/|errors)/],
  [/^sandbox\//, /^(sandbox\/|version)/, /^(sandbox\/|version|errors)/],
  [/^result\.ts$/, /^(io\/|errors)/, /^(io\/|errors)/],
  [/^(errors|version)\.ts$/, /^$/, /^$/],
];

/**
 * Where `import()` may stand: where a capability is made, or where most commands do without the
 * module.
 */
const LAZY =
  /^(main|app\/[a-z]+)\.ts$|^(cli\/tree|io\/log)\.ts$|^core\/(signing\/(software|keyring)|device\/[a-z]+)\.ts$|^commands\/(keys|registry)\.ts$|^core\/api\/(api|client)\.ts$/;

/** Reading these members is a door too, and the linter does not see members. */
const MEMBERS: readonly (readonly [name: string, pattern: RegExp, files: RegExp])[] = [
  ["the environment", /\benv(\.[A-Z_]+\b|\[)/, /^(main|core\/auth\/config)\.ts$/],
  ["stdout", /\b(context|process)\.stdout\b/, /^(main|app\/run|io\/stdout)\.ts$/],
  ["a global", /(?<!typeof )\bglobalThis\b/, /^main\.ts$/],
  [
    "a signer: signatures pass Acts in the keyring",
    /\b(softwareSigner|signJws)\b/,
    /^core\/signing\/(jws|keyring|software)\.ts$/,
  ],
  [
    "a client: writes pass Acts in the API",
    /\bnew Client\(/,
    /^core\/(api\/api|auth\/reporting|login\/[a-z]+|device\/login|doctor)\.ts$/,
  ],
  ["a write: it passes Acts in the API", /\bwrites:/, /^core\/api\/(api|device|v1|v2)\.ts$/],
  ["a child process", /child_process/, /^io\/process\.ts$/],
];

interface Import {
  readonly target: string;
  readonly isType: boolean;
}

/** One sentence for each violation below `root`, in the order of the files. */
export async function findViolations(root: string): Promise<string[]> {
  const files = [...new Glob("**/*.ts").scanSync(root)].sort();
  const found = await Promise.all(
    files.map(async (file) => violationsOf(file, await Bun.file(`${root}/${file}`).text())),
  );
  return found.flat();
}

function violationsOf(file: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const row = ALLOWED.find(([pattern]) => pattern.test(file));
  if (row === undefined) return [`${file} lies outside the house.`];
  const [, values, types] = row;
  const upward = importsOf(file, code).filter(
    ({ target, isType }) => !values.test(target) && !(isType && types.test(target)),
  );
  const lazy = [...code.matchAll(/\bimport\(\s*("?[^")]*)/g)].filter(() => !LAZY.test(file));
  const members = MEMBERS.filter(
    ([, pattern, allowed]) => pattern.test(code) && !allowed.test(file),
  );
  return [
    ...upward.map(({ target }) => `${file} may not import ${target}.`),
    ...lazy.map(([, target]) => `${file} may not import() ${target?.replace('"', "")}.`),
    ...members.map(([name]) => `${file} may not reach for ${name}.`),
  ];
}

/** Static and re-exporting imports of our own files, as paths below the root. */
function importsOf(file: string, code: string): Import[] {
  const lines = code.matchAll(
    /^(?:import|export)\s+(?:(type)\s+)?([^;"]*?)\s*(?:from\s+)?"(\.[^"]+)"/gm,
  );
  return [...lines].map(([, type, names = "", path = ""]) => ({
    target: new URL(path, `file:///${file}`).pathname.slice(1),
    isType:
      type !== undefined ||
      (/^\{.*\}$/s.test(names) && names.slice(1, -1).split(",").every(isTypeName)),
  }));
}

function isTypeName(name: string): boolean {
  return name.trim() === "" || name.trim().startsWith("type ");
}
