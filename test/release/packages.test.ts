/**
 * Further places to install a release from: what their files say, and an image that really runs.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, VERSION } from "../../scripts/build.ts";
import { stampInstaller } from "../../scripts/generate.ts";
import { homebrewFormula, makeImage, scoopManifest } from "../../scripts/packages.ts";
import { hostTarget, TARGETS } from "../../scripts/targets.ts";
import { assetName } from "../../src/core/release/names.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { lacks } from "../support/programs.ts";
import { RELEASE_KEY, signRelease } from "./releases.ts";

const HASHES = new Map(
  TARGETS.map(({ name }, index) => [assetName(VERSION, name), `${index}`.repeat(64)]),
);

test("REL-3 the Homebrew formula names each asset with its own hash", () => {
  const formula = homebrewFormula(HASHES);
  const found = [...formula.matchAll(/url "([^"]+)", using: :nounzip\n\s+sha256 "([^"]+)"/g)];
  expect(found.map(([, url = "", hash = ""]) => [url.replace(/^.*\//, ""), hash])).toEqual(
    ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"].map((target) => {
      const name = assetName(VERSION, target);
      return [name, HASHES.get(name) ?? ""];
    }),
  );
  expect(formula).toContain(`version "${VERSION}"`);
});

test("REL-3 the Scoop manifest names each asset with its own hash", () => {
  const { version, architecture } = JSON.parse(scoopManifest(HASHES));
  expect(version).toBe(VERSION);
  const named = Object.values(architecture as Record<string, { url: string; hash: string }>);
  expect(named.map(({ url, hash }) => [url.replace(/^.*\/|#.*$/g, ""), hash])).toEqual([
    ["ledger-enterprise-cli.exe", HASHES.get(assetName(VERSION, "windows-x64")) ?? ""],
    ["ledger-enterprise-cli.exe", HASHES.get(assetName(VERSION, "windows-arm64")) ?? ""],
  ]);
});

test("REL-3 a manifest is not made without each of its assets", () => {
  expect(() => homebrewFormula(new Map())).toThrow("does not contain");
  expect(() => scoopManifest(new Map())).toThrow("does not contain");
});

function run(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    env: { PATH: "/usr/sbin:/usr/bin:/bin" },
  });
  expect({ command: command[0], exitCode, stderr: exitCode === 0 ? "" : `${stderr}` }).toEqual({
    command: command[0],
    exitCode: 0,
    stderr: "",
  });
  return stdout.toString();
}

test.skipIf(lacks("skopeo") || process.getuid?.() !== 0)(
  "REL-3 the image is read by skopeo, unpacked, and runs as its user (needs skopeo and root)",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "oci-"));
    try {
      const release = join(folder, "release");
      mkdirSync(release);
      const { executable } = await findArtifacts();
      const assets = { [assetName(VERSION, hostTarget().name)]: readFileSync(executable) };
      for (const [name, bytes] of Object.entries(signRelease(assets)))
        writeFileSync(join(release, name), bytes);
      const installer = readFileSync(join(ROOT, "install.sh"), "utf8");
      writeFileSync(join(release, "install.sh"), stampInstaller(installer, RELEASE_KEY));
      const image = join(folder, "image");
      await makeImage(release, image);
      const facts = JSON.parse(run("skopeo", "inspect", `oci:${image}`));
      expect(facts).toMatchObject({ Os: "linux" });
      expect(facts.Env).toContain("LEDGER_ENTERPRISE_STATE_DIR=/state/ledger-enterprise-cli");
      const { config } = JSON.parse(run("skopeo", "inspect", "--config", `oci:${image}`));
      expect(config).toMatchObject({
        User: "65532:65532",
        Entrypoint: ["/usr/local/bin/ledger-enterprise-cli"],
      });
      const [copy, root] = [join(folder, "copy"), join(folder, "root")];
      run("skopeo", "copy", `oci:${image}`, `dir:${copy}`);
      mkdirSync(root);
      for (const digest of facts.Layers as string[])
        run("tar", "-xf", join(copy, digest.replace("sha256:", "")), "-C", root);
      expect(statSync(join(root, "state"))).toMatchObject({ uid: 65_532, gid: 65_532 });
      expect(readdirSync(root)).not.toContain("tmp");
      mkdirSync(join(root, "proc"), { recursive: true });
      const inside = `mount -t proc proc ${root}/proc && exec chroot --userspec=65532:65532 ${root} /usr/local/bin/ledger-enterprise-cli --version`;
      expect(run("unshare", "-m", "sh", "-c", inside)).toBe(`${VERSION}\n`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  600_000,
);
