/**
 * `npm run generate`: writes everything that is derived from the command values; with --check it
 * only says which files are not current and fails. A command is described in its value and nowhere
 * else.
 */
import { join } from "node:path";
import { FACTS } from "../src/app/capabilities.ts";
import { changes, EFFECTS, type Effect } from "../src/cli/effect.ts";
import { type CommandFacts, type Manifest, manifest } from "../src/cli/manifest.ts";
import { openRegistry } from "../src/commands/registry.ts";
import type { Dialect } from "../src/core/api/operation.ts";
import { V1 } from "../src/core/api/v1.ts";
import { V2 } from "../src/core/api/v2.ts";
import { MEMBERS } from "../src/core/policy/members.ts";
import {
  assetName,
  PACKAGE,
  PUBLISHED_KEY,
  RELEASE_WORKFLOW,
  RELEASES_URL,
  REPOSITORY,
  SIGNATURE,
  SUMS,
} from "../src/core/release/names.ts";
import { ROOT, VERSION } from "./build.ts";
import { renderLimits } from "./limits.ts";
import { readsModule } from "./reads.ts";
import { errorPage, referenceModule, references } from "./references.ts";
import { renderIndex } from "./rules.ts";
import { toolPage } from "./toolpage.ts";

const commands = await openRegistry();

/**
 * Each generated file: its path, and its content made from the manifest and from what the file
 * holds now.
 */
const GENERATED: readonly (readonly [
  path: string,
  make: (facts: Manifest, current: string) => string,
])[] = [
  [
    "README.md",
    (_facts, current) => replaceBetween(current, "release", installText(PUBLISHED_KEY)),
  ],
  [
    "docs/verifying.md",
    (_facts, current) => replaceBetween(current, "verify", verifyText(PUBLISHED_KEY)),
  ],
  ["docs/commands.md", ({ commands: rows }) => commandPage(rows)],
  ["docs/errors.md", () => errorPage()],
  ["docs/mcp-tools.md", () => toolPage()],
  [
    "skill/SKILL.md",
    (_facts, current) => current.replace(/^ {2}version: ".*"$/m, `  version: "${VERSION}"`),
  ],
  [
    "docs/policy.md",
    (_facts, current) =>
      replaceBetween(
        replaceBetween(current, "operations", operationText()),
        "members",
        membersText(),
      ),
  ],
  ["docs/rules-tests.md", renderIndex],
  ["docs/limits.md", (_facts, current) => replaceBetween(current, "assumed", renderLimits())],
  ["install.sh", (_facts, current) => stampInstaller(current, PUBLISHED_KEY)],
  ["src/guard/reads.ts", () => readsModule(commands)],
  ["src/core/skill/references.ts", () => referenceModule(references(commands).keys())],
  ...[...references(commands)].map(
    ([name, text]) => [`skill/references/${name}`, () => text] as const,
  ),
];

/** The operations that `reads` of a policy can name; those of one version say so. */
function operationText(): string {
  const reads = (dialect: Dialect): Set<string> =>
    new Set(
      Object.entries(dialect.operations).flatMap(([name, operation]) =>
        operation === undefined || operation.writes !== undefined ? [] : [name],
      ),
    );
  const [v1, v2] = [reads(V1), reads(V2)];
  const rows = [...new Set([...v1, ...v2])].sort().map((name) => {
    const only = v1.has(name) && v2.has(name) ? "" : v1.has(name) ? " (V1)" : " (V2)";
    return `- \`${name}\`${only}`;
  });
  return [...rows, "- `api`, a free path"].join("\n");
}

/** The members of a policy file, a table for each part. */
function membersText(): string {
  const parts = [...new Set(MEMBERS.map((one) => one.of))];
  const tables = parts.map((part) => {
    const rows = MEMBERS.filter((one) => one.of === part).map(({ name, isRequired, form }) => {
      return `| \`${name}\` | ${isRequired ? "yes" : "no"} | ${form} |`;
    });
    return [`| ${part} | required | form |`, "|---|---|---|", ...rows].join("\n");
  });
  return tables.join("\n\n");
}

/** How a release is installed; without a release key (as in names.ts) there is none yet. */
export function installText(key: string | undefined): string {
  const state =
    key === undefined
      ? "No release is published yet: build from this source. Once there is one:"
      : "A release:";
  return `${state}

\`\`\`sh
curl --proto '=https' --tlsv1.2 -fsSLO ${RELEASES_URL}/latest/download/install.sh
sh install.sh
\`\`\``;
}

/** How a release is verified with openssl alone, and whom its proof of origin must name. */
export function verifyText(key: string | undefined): string {
  const lines = (key ?? "(the key of the first release will be here)").replace(
    /.{64}(?=.)/g,
    "$&\n",
  );
  const asset = assetName(VERSION, "linux-x64");
  return `\`\`\`sh
cat > release.pem <<'END'
-----BEGIN PUBLIC KEY-----
${lines}
-----END PUBLIC KEY-----
END
openssl dgst -sha256 -verify release.pem -signature ${SIGNATURE} ${SUMS}
grep ${asset}$ ${SUMS}
openssl dgst -sha256 -r ${asset}
\`\`\`

The first openssl says \`Verified OK\`. The last two lines show the same digest.

The build is attested, too. GitHub's \`gh\` must name this repository, this workflow and the version's
tag:

\`\`\`sh
gh attestation verify ${asset} --repo ${REPOSITORY} \\
  --signer-workflow ${REPOSITORY}/${RELEASE_WORKFLOW} --source-ref refs/tags/v${VERSION}
\`\`\`

and for the npm package \`npm audit signatures\`.`;
}

/**
 * docs/commands.md: each command with its effect, its summary, and where all of it is described.
 */
export function commandPage(facts: readonly CommandFacts[]): string {
  const groups = new Set(
    facts
      .map(({ name }) => name)
      .flatMap((name) => (name.includes(" ") ? [name.split(" ")[0]] : [])),
  );
  const rows = facts.map(({ name, effect, summary }) => {
    const word = name.split(" ")[0] ?? "";
    const file = groups.has(word) ? word : "program";
    const anchor = name.toLowerCase().replaceAll(" ", "-");
    const link = `[\`${name}\`](../skill/references/${file}.md#${anchor})`;
    return `| ${link} | ${effectCell(effect)} | ${escapeCell(summary)} |`;
  });
  return `# Commands

Generated by \`npm run generate\`. Each name links to its options, its result and examples;
\`ledger-enterprise-cli schema <command>\` prints the same as JSON. Names are camelCase, and the
kebab-case spelling is accepted. \`--help\` works at every level.

| command | effect | what it does |
|---|---|---|
${rows.join("\n")}
`;
}

/** What a command does to the world; an effect is in bold. */
function effectCell(effect: Effect): string {
  const { short } = EFFECTS[effect];
  return changes(effect) ? `**${short}**` : short;
}

function escapeCell(text: string): string {
  return text.replace(/\|/g, "\\|").replace(/\n/g, " ");
}

/**
 * The installer with the names under which the program is published, and with the key (as in
 * names.ts) that it is to believe.
 */
export function stampInstaller(text: string, key: string | undefined): string {
  const names = [
    `PROGRAM=${PACKAGE}`,
    `VERSION=${VERSION}`,
    `RELEASES_URL=${RELEASES_URL}`,
    `SUMS=${SUMS}`,
    `SIGNATURE=${SIGNATURE}`,
    // In lines of PEM.
    `RELEASE_KEY='${(key ?? "").replace(/.{64}(?=.)/g, "$&\n")}'`,
  ];
  const block = /^(# names:begin .*\n)(?:.*\n)*?(?=^# names:end$)/m;
  if (!block.test(text))
    throw new Error("The marks 'names:begin' and 'names:end' must be in install.sh.");
  return text.replace(block, (_whole, mark: string) => `${mark}${names.join("\n")}\n`);
}

/**
 * Replaces the text between `<!-- name:begin -->` and `<!-- name:end -->`. Throws when the marks
 * are not there exactly once.
 */
export function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [before, rest, ...surplus] = text.split(begin);
  const [, after, ...more] = (rest ?? "").split(end);
  if (before === undefined || after === undefined || surplus.length + more.length > 0) {
    throw new Error(`The marks ${begin} and ${end} must appear once each.`);
  }
  return `${before}${begin}\n${content}\n${end}${after}`;
}

/**
 * Paths of the generated files that differ from what they should be; writes them unless `check`.
 */
export async function generate(check: boolean): Promise<string[]> {
  const facts = manifest(commands, FACTS);
  const stale: string[] = [];
  for (const [path, make] of GENERATED) {
    const file = Bun.file(join(ROOT, path));
    const current = (await file.exists()) ? await file.text() : "";
    const wanted = make(facts, current);
    if (wanted === current) continue;
    stale.push(path);
    if (!check) await Bun.write(file, wanted);
  }
  return stale;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  const stale = await generate(check);
  for (const path of stale) process.stdout.write(`${check ? "not current" : "written"}: ${path}\n`);
  if (check && stale.length > 0) {
    process.stdout.write("Run 'npm run generate' and commit the result.\n");
    process.exitCode = 1;
  }
}
