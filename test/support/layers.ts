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
  [
    /^app\/behind\.ts$/,
    /^(app\/|guard\/remote|core\/|io\/|errors|version)/,
    /^(?!commands\/|main)/,
  ],
  [/^app\//, /^(app\/|cli\/|commands\/registry|core\/|result|errors|version|io\/)/, /./],
  [/^world\.ts$/, /^$/, /^(?!commands\/|app\/|main)/],
  [/^cli\//, /^(cli\/|io\/(json|word)|errors|version)/, /^(cli\/|io\/|errors|version)/],
  [
    /^guard\//,
    /^(guard\/|app\/(invoke|capabilities|gate|occasion|makers\/(acts|books))|core\/|io\/|result|errors|version)/,
    /^(?!commands\/|main)/,
  ],
  [
    /^mcp\//,
    /^(mcp\/|app\/(invoke|document)|core\/deeds|cli\/|io\/|result|errors|version)/,
    /^(?!commands\/(?!parts\/)|main)/,
  ],
  // What a command can be given follows from the table; only its type comes down.
  [/^commands\/parts\/command\.ts$/, /^(cli\/|errors)/, /^(app\/capabilities\.ts|cli\/|errors)/],
  [
    /^commands\//,
    // What touches the world comes as a capability: no client, records, signer, device or files
    // here.
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
 * Where `import()` is allowed: where a capability is made, or where most commands do without the
 * module.
 */
const LAZY =
  /^(main|app\/(makers\/)?[a-z]+|guard\/(dial|early|load|peer))\.ts$|^(cli\/tree|io\/(log|unpack|authorities|input|quickversion))\.ts$|^core\/(signing\/(software|keyring)|meaning\/meaning|device\/[a-z]+)\.ts$|^commands\/(keys|registry|requests\/index)\.ts$|^core\/api\/(connection|client)\.ts$/;

/** Reading these members is a door too, and the linter does not see members. */
const MEMBERS: readonly (readonly [name: string, pattern: RegExp, files: RegExp])[] = [
  ["the environment", /\benv(\.[A-Z_]+\b|\[)/, /^(main|core\/auth\/(config|statelocation))\.ts$/],
  ["stdout", /\b(context|process)\.stdout\b/, /^(main|app\/run|io\/stdout)\.ts$/],
  // The others ask for what only the executable's runtime has.
  ["a global", /(?<!typeof )\bglobalThis\b/, /^(main|guard\/dial|io\/(effort|quickversion))\.ts$/],
  [
    "a signer: signatures pass Acts in the keyring",
    /\b(softwareSigner|signJws)\b/,
    /^core\/signing\/(jws|keyring|software)\.ts$/,
  ],
  [
    "a client: writes pass Acts in the API",
    /\bnew Client\(/,
    /^core\/(api\/(api|connection|version)|login\/[a-z]+|device\/login|doctor\/network)\.ts$/,
  ],
  ["a write: it passes Acts in the API", /\bwrites:/, /^core\/api\/(request|device|v1|v2)\.ts$/],
  ["a child process", /child_process/, /^io\/process\.ts$/],
];

/** The folders and files of core/, lowest first: each may import those before it. */
const LADDER = [
  ...[
    "auth",
    "state",
    "sending",
    "acts",
    "deeds",
    "api",
    "meaning",
    "policy",
    "signing",
    "belts",
    "decided",
    "reviewed",
    "reconcile",
    "creations",
    "login",
    "device",
  ],
  ...["notifications", "release", "skill", "doctor"],
];

/** Lines of the parts that grow; more needs a look at what could go, and then a new number here. */
const BUDGETS: Readonly<Record<string, number>> = {
  "app/": 2_080,
  "cli/": 1_900,
  "commands/": 3_300,
  "core/": 24_500,
  "core/api/": 3_350,
  "core/signing/": 3_000,
  "core/state/": 4_200,
  "core/device/": 1_600,
  "core/meaning/": 5_450,
  "guard/": 3_400,
  "io/": 3_050,
  "mcp/": 1_900,
  "sandbox/": 5_900,
};

interface Import {
  readonly target: string;
  readonly isType: boolean;
}

/** One sentence for each violation below `root`, in the order of the files. */
export async function findViolations(root: string): Promise<string[]> {
  const files = [...new Glob("**/*.ts").scanSync(root)].sort();
  const texts = await Promise.all(
    files.map(async (file) => [file, await Bun.file(`${root}/${file}`).text()] as const),
  );
  return [...texts.flatMap(([file, text]) => violationsOf(file, text)), ...overBudget(texts)];
}

function overBudget(texts: readonly (readonly [file: string, text: string])[]): string[] {
  return Object.entries(BUDGETS).flatMap(([part, most]) => {
    const own = texts.filter(([file]) => file.startsWith(part));
    const lines = own.reduce((sum, [, text]) => sum + text.split("\n").length - 1, 0);
    return lines > most ? [`${part} has ${lines} lines; ${most} are allowed.`] : [];
  });
}

/** Where a file of core/ is on the ladder; -1 outside core/. */
function rungOf(file: string): number {
  const [, name = ""] = /^core\/([a-z]+)(?:\/|\.ts$)/.exec(file) ?? [];
  return LADDER.indexOf(name);
}

function violationsOf(file: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const row = ALLOWED.find(([pattern]) => pattern.test(file));
  if (row === undefined) return [`${file} lies outside the house.`];
  const [, values, types] = row;
  if (file.startsWith("core/") && rungOf(file) === -1) return [`${file} is on no rung of core/.`];
  const upward = importsOf(file, code).filter(
    ({ target, isType }) =>
      (!values.test(target) && !(isType && types.test(target))) ||
      (file.startsWith("core/") && rungOf(target) > rungOf(file)),
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
    /^(?:import|export)\s+(?:(type)\s+)?([^;"(]*?)\s*(?:from\s+)?"(\.[^"]+)"/gm,
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
