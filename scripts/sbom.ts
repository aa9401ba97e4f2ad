/**
 * What a release is made of, as a CycloneDX 1.6 document (REL-3): the bundled packages and the
 * runtimes, each with the SHA-512 by which its lock file pins it. It holds no time and no random
 * number, so that two builds give the same bytes.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PACKAGE, REPOSITORY } from "../src/core/release/names.ts";
import { bundledPackages, ROOT, readPackage, VERSION } from "./build.ts";
import { TARGETS } from "./targets.ts";

interface Part {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
  /** As in a lock file: `sha512-` and base64. */
  readonly integrity: string;
  readonly kind: "library" | "platform";
  readonly needs: readonly string[];
}

interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The document, as JSON text. Throws when a lock file does not pin a part. */
export async function sbom(): Promise<string> {
  const parts = [...(await libraries()), ...(await runtimes())];
  const { license, dependencies = {} } = await readPackage(ROOT);
  const own = {
    type: "application",
    "bom-ref": purl(PACKAGE, VERSION),
    name: PACKAGE,
    version: VERSION,
    licenses: [licenseOf(license)],
    purl: purl(PACKAGE, VERSION),
    externalReferences: [{ type: "vcs", url: `https://github.com/${REPOSITORY}` }],
  };
  const refs = new Map(parts.map(({ name, version }) => [name, purl(name, version)]));
  const runtimeNames = parts.filter(({ kind }) => kind === "platform").map(({ name }) => name);
  const edges = [
    { ref: own.purl, needs: [...Object.keys(dependencies), ...runtimeNames] },
    ...parts.map(({ name, version, needs }) => ({ ref: purl(name, version), needs })),
  ];
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: own },
    components: parts.map(toComponent),
    dependencies: edges.map(({ ref, needs }) => ({
      ref,
      dependsOn: needs
        .map((name) => refs.get(name))
        .filter((found) => found !== undefined)
        .toSorted(),
    })),
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(document))}`;
  return `${JSON.stringify({ ...document, serialNumber }, null, 2)}\n`;
}

async function libraries(): Promise<Part[]> {
  const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Readonly<Record<string, Locked>>;
  };
  return (await bundledPackages()).map((name) => {
    const found = lock.packages[`node_modules/${name}`];
    if (found === undefined) throw new Error(`package-lock.json does not pin ${name}.`);
    const { version, integrity, license, dependencies = {} } = found;
    return { name, version, integrity, license, kind: "library", needs: Object.keys(dependencies) };
  });
}

/**
 * bun.lock is JSON but for trailing commas; each package has one line.
 */
async function runtimes(): Promise<Part[]> {
  const lock = await readFile(join(ROOT, "runtimes", "bun.lock"), "utf8");
  return TARGETS.map(({ runtime }) => {
    const name = `@oven/${runtime}`;
    const [, version, integrity] =
      new RegExp(
        `^ {4}"${name}": \\["${name}@([^"]+)", .*"(sha512-[A-Za-z0-9+/=]+)"\\],?$`,
        "m",
      ).exec(lock) ?? [];
    if (version === undefined || integrity === undefined)
      throw new Error(`bun.lock does not pin ${name}.`);
    return { name, version, integrity, license: "MIT", kind: "platform", needs: [] };
  });
}

function toComponent({ name, version, license, integrity, kind }: Part): object {
  const [scope, short = scope] = name.split("/");
  return {
    type: kind,
    "bom-ref": purl(name, version),
    ...(short === scope ? {} : { group: scope }),
    name: short,
    version,
    hashes: [
      {
        alg: "SHA-512",
        content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex"),
      },
    ],
    ...(license === undefined ? {} : { licenses: [licenseOf(license)] }),
    purl: purl(name, version),
  };
}

/** One SPDX id, or an expression of several. */
function licenseOf(license: string): object {
  return /[ ()]/.test(license) ? { expression: license } : { license: { id: license } };
}

function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** A UUID of version 8 (RFC 9562 §5.8) from the content. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
