/**
 * The one place for the names and addresses under which the program is published. Version gate,
 * `upgrade`, build and release scripts read them here; install.sh, README and the release workflow
 * are compared with them by `npm run generate -- --check` and the tests.
 */
import type { Channel } from "../../version.ts";

export const PACKAGE = "ledger-enterprise-cli";
/** Account and name on GitHub. */
export const REPOSITORY = "ledger-enterprise-cli/ledger-enterprise-cli";
export const NPM_REGISTRY = "https://registry.npmjs.org";
export const RELEASES_URL = `https://github.com/${REPOSITORY}/releases`;
/** Hosts to which the releases page may send a download; a mirror may only send it to itself. */
export const DOWNLOAD_HOSTS = [
  "github.com",
  "objects.githubusercontent.com",
  "release-assets.githubusercontent.com",
];
export const RELEASE_WORKFLOW = ".github/workflows/release.yml";

declare const __RELEASE_KEY__: string | undefined;
/**
 * Public half of the key that signs SHA256SUMS of each release: SubjectPublicKeyInfo of a P-256
 * point, DER in base64. Undefined until the maintainers have made theirs (`npm run release --
 * newKey`): an executable then never upgrades itself, and install.sh wants `--key`.
 */
export const PUBLISHED_KEY: string | undefined = undefined;
/**
 * The key that this build believes: an institution that signs its own mirror may build with its
 * own.
 */
export const RELEASE_KEY: string | undefined =
  typeof __RELEASE_KEY__ === "string" ? __RELEASE_KEY__ : PUBLISHED_KEY;

/**
 * What is signed (SHA-256 of each asset), and the signature over it: ECDSA P-256 with SHA-256, DER,
 * as `openssl dgst` reads it.
 */
export const SUMS = "SHA256SUMS";
export const SIGNATURE = "SHA256SUMS.sig";

/**
 * Name of an executable on the releases page. It carries the version, so that a signed list of an
 * older release cannot replace a newer one.
 */
export function assetName(version: string, target: string): string {
  return `${PACKAGE}-${version}-${target}${target.startsWith("windows-") ? ".exe" : ""}`;
}

/** Where an asset of a release lies, below the releases page of the repository or of a mirror. */
export function assetUrl(releasesUrl: string, version: string, name: string): string {
  return `${releasesUrl}/download/v${version}/${name}`;
}

/**
 * Constants, so that nothing that a source says becomes part of a command that an agent runs
 * (VER-2).
 */
export const UPGRADE_COMMANDS: Readonly<Record<Channel, string>> = {
  binary: `${PACKAGE} upgrade`,
  npm: `npm install --global --ignore-scripts ${PACKAGE}@latest`,
  source: "git pull && npm ci && npm run build",
};

/**
 * The source of each install channel, which decides alone while the other is silent (specification
 * §5).
 */
export const OWN_SOURCES = { npm: "npm", binary: "releases", source: undefined } as const;
