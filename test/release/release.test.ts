/**
 * The steps from a tag to a release, each as the workflow runs it: made, signed, verified,
 * published; and made again elsewhere (REL-2, REL-3).
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { bundledPackages, DIST, ROOT, VERSION } from "../../scripts/build.ts";
import { findTagFaults, make, newKey, readPublicKey, verify } from "../../scripts/release.ts";
import { buildElsewhere } from "../../scripts/reproduce.ts";
import { hostTarget, TARGETS } from "../../scripts/targets.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { OTHER_PRIVATE_PEM, PRIVATE_PEM, PUBLIC_PEM, programOf, RELEASE_KEY } from "./releases.ts";

const HOST = `ledger-enterprise-cli-${VERSION}-${hostTarget().name}`;

let work: string;
/** As the workflow's build job leaves it, for this machine's target alone. */
let unsigned: string;
/** The same with a small program in place of the executable. */
let light: string;
beforeAll(async () => {
  mkdirSync(DIST, { recursive: true });
  work = await mkdtemp(join(DIST, "test-"));
  unsigned = join(work, "unsigned");
  await make(RELEASE_KEY, [hostTarget()], unsigned);
  light = copyOf(unsigned, "light");
  const program = Buffer.from(programOf(VERSION));
  replace(join(light, HOST), program);
  const list = readFileSync(join(light, "SHA256SUMS"), "utf8");
  const sum = createHash("sha256").update(program).digest("hex");
  replace(
    join(light, "SHA256SUMS"),
    list.replace(new RegExp(`^.*  ${HOST}$`, "m"), `${sum}  ${HOST}`),
  );
});
afterAll(() => rm(work, { recursive: true }));

/** A copy that a test may change; the executable is a link. */
function copyOf(folder: string, name: string): string {
  const copy = join(work, name);
  mkdirSync(copy);
  Bun.spawnSync(["cp", "-al", `${folder}/.`, copy]);
  return copy;
}

/** Another file in the place of the link. */
function replace(path: string, bytes: string | Uint8Array): void {
  Bun.spawnSync(["rm", "-f", path]);
  writeFileSync(path, bytes);
}

function script(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = ["sh", join(ROOT, "scripts", name), ...args];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    cwd: work,
    env: { PATH: process.env.PATH ?? "", HOME: work, ...env },
  });
  return { exit: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const sign = (folder: string, key: string) =>
  script("sign.sh", [folder], { RELEASE_SIGNING_KEY: key });

function signedCopy(name: string, folderOf = light): string {
  const folder = copyOf(folderOf, name);
  expect(sign(folder, PRIVATE_PEM)).toEqual({
    exit: 0,
    stdout: `signed: ${folder}/SHA256SUMS\n`,
    stderr: "",
  });
  return folder;
}

test("REL-3 a release holds programs, package, list of parts, installer and the list of them all", () => {
  const files = readdirSync(unsigned).toSorted();
  const own = `ledger-enterprise-cli-${VERSION}`;
  expect(files).toEqual(
    ["SHA256SUMS", "install.sh", HOST, `${own}.cdx.json`, `${own}.tgz`].toSorted(),
  );
  const lines = readFileSync(join(unsigned, "SHA256SUMS"), "utf8").trimEnd().split("\n");
  const expected = files
    .filter((name) => name !== "SHA256SUMS")
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(unsigned, name)))
          .digest("hex")}  ${name}`,
    );
  expect(lines).toEqual(expected);
});

test("REL-3 signed by openssl alone, believed by install.sh, installed", async () => {
  await verify(signedCopy("signed", unsigned));
});

test("REL-3 nothing is signed with a key that the installer does not believe, without a key, or when a file is another", () => {
  const folder = copyOf(light, "refused");
  expect(sign(folder, OTHER_PRIVATE_PEM)).toMatchObject({
    exit: 1,
    stderr: "sign.sh: install.sh believes another key.\n",
  });
  expect(sign(folder, "")).toMatchObject({
    exit: 1,
    stderr: "sign.sh: there is no key: name a file, or set RELEASE_SIGNING_KEY.\n",
  });
  expect(sign(folder, PUBLIC_PEM)).toMatchObject({ exit: 1 });
  replace(join(folder, "install.sh"), "echo hello\n");
  expect(sign(folder, PRIVATE_PEM).stderr).toContain("a file is not what SHA256SUMS says");
  expect(readdirSync(folder)).not.toContain("SHA256SUMS.sig");
});

test("REL-3 a release that was altered after it was signed is not verified", async () => {
  const folder = signedCopy("altered");
  replace(join(folder, "SHA256SUMS"), `${readFileSync(join(folder, "SHA256SUMS"), "utf8")}\n`);
  await expect(verify(folder)).rejects.toThrow("is not signed with the release key");
});

test("REL-2 another build, from a folder of another name, has the same bytes", async () => {
  await findArtifacts();
  const again = await buildElsewhere([]);
  expect([...again.keys()]).toEqual([
    `bin/ledger-enterprise-cli-${hostTarget().name}`,
    `ledger-enterprise-cli-${VERSION}.tgz`,
  ]);
  for (const [name, hash] of again) {
    const here = readFileSync(join(DIST, name));
    expect({ name, hash: createHash("sha256").update(here).digest("hex") }).toEqual({ name, hash });
    expect(here.includes("another place-")).toBe(false);
  }
}, 300_000);

test("REL-1 dependencies are pinned exactly, and no install script runs", async () => {
  const { dependencies, devDependencies } = await Bun.file(join(ROOT, "package.json")).json();
  const versions: string[] = Object.values({ ...dependencies, ...devDependencies });
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  expect(await Bun.file(join(ROOT, ".npmrc")).text()).toContain("ignore-scripts=true\n");
});

test("REL-3 the list of parts names each bundled package and each runtime with the hash of its lock file", async () => {
  const document = JSON.parse(
    readFileSync(join(unsigned, `ledger-enterprise-cli-${VERSION}.cdx.json`), "utf8"),
  );
  const { packages } = await Bun.file(join(ROOT, "package-lock.json")).json();
  const runtimes = await Bun.file(join(ROOT, "runtimes/bun.lock")).text();
  interface Component {
    readonly purl: string;
    readonly group?: string;
    readonly name: string;
    readonly version: string;
    readonly hashes: readonly { readonly content: string }[];
  }
  const found = new Map<string, Component>(
    document.components.map((part: Component) => [
      part.group === undefined ? part.name : `${part.group}/${part.name}`,
      part,
    ]),
  );
  const names = await bundledPackages();
  expect([...found.keys()].toSorted()).toEqual(
    [...names, ...TARGETS.map(({ runtime }) => `@oven/${runtime}`)].toSorted(),
  );
  for (const [name, { version, hashes, purl }] of found) {
    const integrity = `sha512-${Buffer.from(hashes[0]?.content ?? "", "hex").toString("base64")}`;
    expect(purl).toBe(`pkg:npm/${name.replace("@", "%40")}@${version}`);
    if (name.startsWith("@oven/")) expect(runtimes).toContain(`"${name}@${version}"`);
    if (name.startsWith("@oven/")) expect(runtimes).toContain(integrity);
    else expect(packages[`node_modules/${name}`]).toMatchObject({ version, integrity });
  }
  const refs = [document.metadata.component, ...document.components].map((part) => part["bom-ref"]);
  expect(new Set(refs).size).toBe(refs.length);
  for (const { ref, dependsOn } of document.dependencies)
    expect([ref, ...dependsOn].filter((one) => !refs.includes(one))).toEqual([]);
  expect(document.serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("a new key is its owner's alone, and never takes the place of a file", async () => {
  const file = join(work, "new key.pem");
  const key = await newKey(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const shown = Bun.spawnSync(["openssl", "pkey", "-in", file, "-pubout"]).stdout.toString();
  expect(readPublicKey(shown)).toBe(key);
  await expect(newKey(file)).rejects.toThrow("EEXIST");
  const rsa = Bun.spawnSync([
    "sh",
    "-c",
    "openssl genrsa 2048 2>/dev/null | openssl pkey -pubout",
  ]).stdout.toString();
  expect(() => readPublicKey(rsa)).toThrow("none on P-256");
});

test("a tag is released only when it is this version's, from a clean tree, with a key", () => {
  expect(findTagFaults(`v${VERSION}`, "", RELEASE_KEY)).toEqual([]);
  expect(findTagFaults("v9.9.9", "?? x", undefined)).toEqual([
    `The tag is v9.9.9; package.json says ${VERSION}.`,
    "The work tree is not what was tagged:\n?? x",
    "names.ts holds no release key (newKey).",
  ]);
});

/** gh and npm as far as publish.sh speaks to them; they write down what they were told. */
function publisher(
  name: string,
  { isDraft, integrity }: { isDraft?: string; integrity?: string } = {},
) {
  const tools = join(work, `${name} tools`);
  const log = join(work, `${name}.log`);
  mkdirSync(tools);
  const tool = (command: string, answer: string): void =>
    writeFileSync(
      join(tools, command),
      `#!/bin/sh\nprintf '%s\\n' "${command} $1 $2" >>'${log}'\n${answer}\n`,
      {
        mode: 0o755,
      },
    );
  tool(
    "gh",
    `[ "$2" = view ] && { ${isDraft === undefined ? "exit 1" : `echo ${isDraft}`}; }; exit 0`,
  );
  tool("npm", `[ "$1" = view ] && echo '${integrity ?? ""}'; exit 0`);
  return (step: string, folder: string, tag = `v${VERSION}`) => {
    writeFileSync(log, "");
    const { exit, stderr } = script("publish.sh", [step, folder, tag], {
      PATH: `${tools}:${process.env.PATH}`,
    });
    return {
      exit,
      error: stderr.split("\n").findLast((line) => line !== ""),
      told: readFileSync(log, "utf8").trimEnd().split("\n"),
    };
  };
}

test("REL-4 a release is published as a draft, then at npm, then for all", () => {
  const folder = signedCopy("published");
  const publish = publisher("first");
  const tarball = join(folder, `ledger-enterprise-cli-${VERSION}.tgz`);
  const tag = `v${VERSION}`;
  expect(publish("draft", folder)).toMatchObject({
    exit: 0,
    told: ["gh release view", "gh release create"],
  });
  expect(publish("npm", folder)).toMatchObject({
    exit: 0,
    told: [`npm view ledger-enterprise-cli@${VERSION}`, `npm publish ${tarball}`],
  });
  expect(publish("release", folder)).toMatchObject({ exit: 0, told: ["gh release edit"] });
  expect(publish("else", folder, tag)).toMatchObject({
    exit: 1,
    told: [""],
    error: "publish.sh: there is no step 'else'.",
  });
});

test("REL-4 a repeated step takes an old draft away, never a release, and publishes no package twice", () => {
  const folder = signedCopy("repeated");
  const sum = createHash("sha512").update(
    readFileSync(join(folder, `ledger-enterprise-cli-${VERSION}.tgz`)),
  );
  const drafted = publisher("drafted", {
    isDraft: "true",
    integrity: `sha512-${sum.digest("base64")}`,
  });
  expect(drafted("draft", folder).told).toEqual([
    "gh release view",
    "gh release delete",
    "gh release create",
  ]);
  expect(drafted("npm", folder).told).toEqual([`npm view ledger-enterprise-cli@${VERSION}`]);
  expect(publisher("released", { isDraft: "false" })("draft", folder).told).toEqual([
    "gh release view",
    "gh release create",
  ]);
});

test("REL-4 nothing that is not wholly signed and of the tag's version is published", () => {
  const publish = publisher("strict");
  const nothing = { exit: 1, told: [""] };
  expect(publish("npm", light)).toMatchObject({
    ...nothing,
    error: "publish.sh: the folder holds files that are not in the list.",
  });
  const more = signedCopy("more");
  writeFileSync(join(more, "surprise"), "x");
  expect(publish("draft", more)).toMatchObject(nothing);
  const altered = signedCopy("changed");
  replace(join(altered, `ledger-enterprise-cli-${VERSION}.tgz`), "x");
  expect(publish("npm", altered)).toMatchObject({
    ...nothing,
    error: "publish.sh: a file is not what SHA256SUMS says.",
  });
  const signed = signedCopy("other version");
  expect(publish("draft", signed, "v9.9.9")).toMatchObject({
    ...nothing,
    error: "publish.sh: install.sh does not install this release.",
  });
  for (const tag of ["main", `v${VERSION}-rc.1`])
    expect(publish("draft", signed, tag)).toMatchObject(nothing);
});
