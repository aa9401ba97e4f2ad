/** The image of containers/, laid out by its own script from the built program. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, VERSION } from "../../scripts/build.ts";
import { stampInstaller } from "../../scripts/generate.ts";
import { hostTarget } from "../../scripts/targets.ts";
import { findArtifacts } from "../support/artifacts.ts";
import { RELEASE_KEY, signRelease } from "./releases.ts";

export const CONTAINERFILE = readFileSync(join(ROOT, "containers/Containerfile"), "utf8");
/** User and group, as numbers. */
export const USER = /^USER (\d+:\d+)$/m.exec(CONTAINERFILE)?.[1] ?? "";
export const [ENTRYPOINT = ""] = JSON.parse(
  /^ENTRYPOINT (.*)$/m.exec(CONTAINERFILE)?.[1] ?? "[]",
) as string[];
/** What the image sets. */
export const ENV: Readonly<Record<string, string>> = Object.fromEntries(
  [...CONTAINERFILE.replace(/^#.*$/gm, "").matchAll(/\b([A-Z_]+)=(\/\S+)/g)].map(
    ([, name = "", value]) => [name, value ?? ""],
  ),
);

/** Lays out the image's root in a new folder below `folder`, and returns it. */
export async function layOut(folder: string): Promise<string> {
  const [root, release] = [join(folder, "root"), join(folder, "release")];
  mkdirSync(release);
  const { executable } = await findArtifacts();
  const assets = {
    [`ledger-enterprise-cli-${VERSION}-${hostTarget().name}`]: readFileSync(executable),
  };
  for (const [name, bytes] of Object.entries(signRelease(assets)))
    writeFileSync(join(release, name), bytes);
  const installer = readFileSync(join(ROOT, "install.sh"), "utf8");
  writeFileSync(join(release, "install.sh"), stampInstaller(installer, RELEASE_KEY));
  const { exitCode, stderr } = Bun.spawnSync([
    "sh",
    join(ROOT, "containers/layout.sh"),
    release,
    root,
  ]);
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return root;
}
