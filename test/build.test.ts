/**
 * The artefacts as such: sealed against the user's folder, reproducible, free of this checkout's
 * paths, packed as declared.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  compile,
  findLeaks,
  packageTarball,
  ROOT,
  requireSealed,
  VERSION,
} from "../scripts/build.ts";
import { hostTarget, TARGETS } from "../scripts/targets.ts";
import { ERRORS } from "../src/errors.ts";
import { type Artifacts, findArtifacts } from "./support/artifacts.ts";

let artifacts: Artifacts;
let folder: string;
beforeAll(async () => {
  artifacts = await findArtifacts();
  folder = await mkdtemp(join(tmpdir(), "build-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function bytesOf(path: string): Promise<Buffer> {
  return Buffer.from(await Bun.file(path).arrayBuffer());
}

test("CFG-2 the executable reads nothing from the folder in which it is started", async () => {
  expect(await findLeaks(artifacts.executable)).toEqual([]);
});

test("CFG-2 an executable compiled without the switches is found out", async () => {
  const outfile = join(folder, "unsealed");
  const result = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    target: "bun",
    compile: { outfile },
  });
  expect(result.success).toBe(true);
  expect(await findLeaks(outfile)).toEqual([
    "A .env file of the current directory is read.",
    "A script of the current directory is run.",
  ]);
});

test.each(["autoloadDotenv", "autoloadBunfig", "autoloadTsconfig", "autoloadPackageJson"])(
  "CFG-2 the build fails without %s: false",
  (name) => {
    const off = {
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    };
    expect(requireSealed(off)).toEqual(off);
    expect(() => requireSealed({ ...off, [name]: true })).toThrow(name);
    const { [name as keyof typeof off]: _, ...without } = off;
    expect(() => requireSealed(without)).toThrow(name);
  },
);

test("REL-2 compiling the same source twice produces the same bytes", async () => {
  const places = ["first", "second"].map((name) => join(folder, name));
  for (const place of places) await mkdir(place);
  const [first, second] = await Promise.all(
    places.map(async (place) => bytesOf(await compile(hostTarget(), place))),
  );
  expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
  expect(first?.equals(await bytesOf(artifacts.executable))).toBe(true);
});

test("the executable holds no path of the machine that built it", async () => {
  expect((await bytesOf(artifacts.executable)).includes(ROOT)).toBe(false);
});

test("the executable has of noble's curves what a signature needs", async () => {
  const bytes = await bytesOf(artifacts.executable);
  expect(bytes.includes("FROST-P256-SHA256-v1")).toBe(false);
});

test("the table of targets names each platform once", () => {
  expect(TARGETS.map(({ name }) => name).sort()).toEqual([
    "darwin-arm64",
    "darwin-x64",
    "linux-arm64",
    "linux-arm64-musl",
    "linux-x64",
    "linux-x64-musl",
    "windows-arm64",
    "windows-x64",
  ]);
});

test("REL-4 the package holds what it declares, without scripts and without dependencies that must be there", async () => {
  const list = Bun.spawnSync(["tar", "-tzf", packageTarball()])
    .stdout.toString()
    .trim()
    .split("\n");
  const expected =
    /^package\/(package\.json|README\.md|LICENSE|NOTICES\.txt|bin\/[\w-]+\.cjs|dist\/program\.js|helpers\/signer-[\w-]+|skill\/[\w/-]+\.md)$/;
  expect(list.filter((path) => !expected.test(path))).toEqual([]);
  expect(list).toContain("package/dist/program.js");
  const extract = ["tar", "-xzOf", packageTarball()];
  const manifest = JSON.parse(
    Bun.spawnSync([...extract, "package/package.json"]).stdout.toString(),
  ) as Record<string, unknown>;
  expect(manifest).toMatchObject({
    name: "ledger-enterprise-cli",
    version: VERSION,
    engines: { node: ">=22" },
  });
  for (const file of ["bin/start.cjs", "dist/program.js"]) {
    const text = Bun.spawnSync([...extract, `package/${file}`]).stdout.toString();
    expect([file, text.includes(ROOT)]).toEqual([file, false]);
  }
  expect(Object.keys(manifest)).not.toContainAnyValues([
    "scripts",
    "dependencies",
    "devDependencies",
    "private",
  ]);
  expect(manifest.optionalDependencies).toEqual({ "node-hid": "3.4.0" });
  const notices = Bun.spawnSync([...extract, "package/NOTICES.txt"]).stdout.toString();
  for (const name of ["@noble/curves", "@noble/hashes", "citty", "valibot"])
    expect(notices).toContain(name);
});

test.each(["8.17.0", "18.20.8", "20.20.2", "21.7.3"])(
  "Node %s is refused in one sentence",
  async (version) => {
    const pretend = join(folder, `node-${version}.cjs`);
    await Bun.write(
      pretend,
      `Object.defineProperty(process.versions, "node", { value: "${version}" });
if (process.versions.node !== "${version}") Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`,
    );
    const command = [artifacts.nodes["22"], "--require", pretend, artifacts.installed, "--version"];
    const { exitCode, stdout, stderr } = Bun.spawnSync(command);
    const { exit, retryable, hint } = ERRORS.RUNTIME_UNSUPPORTED;
    const message = `This program needs Node.js 22 or newer; this is ${version}.`;
    expect(stdout.toString()).toBe(
      `${JSON.stringify({ error: { code: "RUNTIME_UNSUPPORTED", message, exitCode: exit, retryable, hint } })}\n`,
    );
    expect(stderr.toString()).toBe("");
    expect(exitCode).toBe(exit);
    const lost = Bun.spawnSync(["sh", "-c", 'exec "$@" >/dev/full', "sh", ...command]);
    expect([lost.exitCode, lost.stderr.toString()]).toEqual([exit, ""]);
  },
);

test.each(["22", "26"] as const)("Node %s is not refused", (major) => {
  const { exitCode, stdout } = Bun.spawnSync([
    artifacts.nodes[major],
    artifacts.installed,
    "--version",
  ]);
  expect({ exitCode, text: stdout.toString() }).toEqual({ exitCode: 0, text: `${VERSION}\n` });
});
