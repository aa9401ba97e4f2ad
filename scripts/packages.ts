/**
 * Further places to install a release from: a Homebrew formula, a Scoop manifest, and an OCI image
 * layout. All are made from the release's own files, so that they name the same hashes.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  assetName,
  assetUrl,
  PACKAGE,
  RELEASES_URL,
  REPOSITORY,
} from "../src/core/release/names.ts";
import { ROOT, VERSION } from "./build.ts";

const DESCRIPTION =
  "Ledger Enterprise from a terminal, for AI agents and developers (independent project)";

/** SHA-256 in hexadecimal of each file of a release, by name. */
export type Hashes = ReadonlyMap<string, string>;

const HOMEPAGE = `https://github.com/${REPOSITORY}`;

/** The asset of a target, its address and hash. Throws when the release does not have it. */
function assetOf(target: string, hashes: Hashes): { url: string; hash: string } {
  const name = assetName(VERSION, target);
  const hash = hashes.get(name);
  if (hash === undefined) throw new Error(`The release does not contain ${name}.`);
  return { url: assetUrl(RELEASES_URL, VERSION, name), hash };
}

/** `ledger-enterprise-cli.rb`, for a tap. Needs the four executables of macOS and Linux. */
export function homebrewFormula(hashes: Hashes): string {
  const block = (processor: string, target: string): string => {
    const { url, hash } = assetOf(target, hashes);
    return `    on_${processor} do
      url "${url}", using: :nounzip
      sha256 "${hash}"
    end`;
  };
  const on = (system: string, name: string): string => `  on_${system} do
${block("arm", `${name}-arm64`)}
${block("intel", `${name}-x64`)}
  end`;
  return `class LedgerEnterpriseCli < Formula
  desc "${DESCRIPTION}"
  homepage "${HOMEPAGE}"
  version "${VERSION}"
  license "Apache-2.0"

${on("macos", "darwin")}

${on("linux", "linux")}

  def install
    bin.install Dir["*"].first => "${PACKAGE}"
    generate_completions_from_executable(bin/"${PACKAGE}", "completion")
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/${PACKAGE} --version").strip
  end
end
`;
}

/** `ledger-enterprise-cli.json`, for a Scoop bucket. Needs the two executables of Windows. */
export function scoopManifest(hashes: Hashes): string {
  const architecture = (target: string): object => {
    const { url, hash } = assetOf(target, hashes);
    return { url: `${url}#/${PACKAGE}.exe`, hash };
  };
  const manifest = {
    version: VERSION,
    description: DESCRIPTION,
    homepage: HOMEPAGE,
    license: "Apache-2.0",
    architecture: {
      "64bit": architecture("windows-x64"),
      arm64: architecture("windows-arm64"),
    },
    bin: `${PACKAGE}.exe`,
  };
  return `${JSON.stringify(manifest, null, 4)}\n`;
}

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Names the processors of an image as OCI does. */
const PROCESSORS: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Makes `folder` an OCI image layout of a signed release, with one layer. The layer's bytes hang
 * on the release and on the libraries of the machine that makes it. Throws when a step fails.
 */
export async function makeImage(release: string, folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "image-"));
  try {
    const root = join(work, "root");
    run("sh", join(ROOT, "containers/layout.sh"), release, root);
    const image = join(work, "image");
    await mkdir(join(image, "blobs/sha256"), { recursive: true });
    const layer = await makeLayer(root, work);
    const uncompressed = digestOf(await readFile(layer));
    run("gzip", "--no-name", "--best", layer);
    const stored = await store(
      image,
      await readFile(`${layer}.gz`),
      "application/vnd.oci.image.layer.v1.tar+gzip",
    );
    const config = await storeJson(image, "application/vnd.oci.image.config.v1+json", {
      architecture: PROCESSORS[process.arch],
      os: "linux",
      config: await readSettings(),
      rootfs: { type: "layers", diff_ids: [uncompressed] },
    });
    const manifest = await storeJson(image, "application/vnd.oci.image.manifest.v1+json", {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: [stored],
    });
    const annotations = { "org.opencontainers.image.ref.name": VERSION };
    const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
    await writeFile(join(image, "index.json"), JSON.stringify(index));
    await writeFile(join(image, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await rm(folder, { recursive: true, force: true });
    run("cp", "-r", image, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** One archive of the root: sorted, without times, root's but for the state folder. */
async function makeLayer(root: string, work: string): Promise<string> {
  const file = join(work, "layer.tar");
  const same = ["--sort=name", "--mtime=@0", "--numeric-owner", "--format=ustar", "-C", root];
  const owner = (id: number): string[] => [`--owner=${id}`, `--group=${id}`];
  run("tar", "-cf", file, ...same, ...owner(0), "--exclude=./state", ".");
  run("tar", "-rf", file, ...same, ...owner(65_532), "./state");
  return file;
}

/** User, environment and entry point as the Containerfile has them. */
async function readSettings(): Promise<object> {
  const text = await readFile(join(ROOT, "containers/Containerfile"), "utf8");
  const [, user] = /^USER (\S+)$/m.exec(text) ?? [];
  const [, entry = "[]"] = /^ENTRYPOINT (.*)$/m.exec(text) ?? [];
  const block = /^ENV ((?:.*\\\n)*.*)$/m.exec(text)?.[1] ?? "";
  const environment = block.split(/\s*\\?\n\s*/).filter((line) => line !== "");
  return { User: user, Env: environment, Entrypoint: JSON.parse(entry) as string[] };
}

async function storeJson(image: string, mediaType: string, document: object): Promise<Blob> {
  return await store(image, Buffer.from(JSON.stringify(document)), mediaType);
}

async function store(image: string, bytes: Uint8Array, mediaType: string): Promise<Blob> {
  const digest = digestOf(bytes);
  const path = join(image, "blobs", digest.replace(":", "/"));
  await writeFile(`${path}.new`, bytes);
  await rename(`${path}.new`, path);
  return { mediaType, digest, size: (await stat(path)).size };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command[0]} failed:\n${stderr}`);
}
