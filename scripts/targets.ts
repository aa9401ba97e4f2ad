/**
 * The one table of platforms: what is compiled, from which pinned runtime, with which device addon.
 */

export interface Target {
  /** As in the asset's name: `ledger-enterprise-cli-<name>`. */
  readonly name: string;
  readonly bunTarget: Bun.Build.CompileTarget;
  /**
   * Package below node_modules/@oven that holds the runtime; npm's name for the processor differs
   * from Bun's.
   */
  readonly runtime: string;
  /** Folder below node-hid/prebuilds, or undefined where node-hid publishes none. */
  readonly hid: string | undefined;
}

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    bunTarget: "bun-linux-x64",
    runtime: "bun-linux-x64",
    hid: "HID_hidraw-linux-x64",
  },
  {
    name: "linux-arm64",
    bunTarget: "bun-linux-arm64",
    runtime: "bun-linux-aarch64",
    hid: "HID_hidraw-linux-arm64",
  },
  {
    name: "linux-x64-musl",
    bunTarget: "bun-linux-x64-musl",
    runtime: "bun-linux-x64-musl",
    hid: "HID_hidraw-linux-x64-musl",
  },
  {
    name: "linux-arm64-musl",
    bunTarget: "bun-linux-arm64-musl",
    runtime: "bun-linux-aarch64-musl",
    hid: undefined,
  },
  {
    name: "darwin-x64",
    bunTarget: "bun-darwin-x64",
    runtime: "bun-darwin-x64",
    hid: "HID-darwin-x64",
  },
  {
    name: "darwin-arm64",
    bunTarget: "bun-darwin-arm64",
    runtime: "bun-darwin-aarch64",
    hid: "HID-darwin-arm64",
  },
  {
    name: "windows-x64",
    bunTarget: "bun-windows-x64",
    runtime: "bun-windows-x64",
    hid: "HID-win32-x64",
  },
  {
    name: "windows-arm64",
    bunTarget: "bun-windows-arm64",
    runtime: "bun-windows-aarch64",
    hid: "HID-win32-arm64",
  },
];

/** The machine that builds. Throws when it is none of the table's. */
export function hostTarget(): Target {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `${system}-${process.arch}${isMusl() ? "-musl" : ""}`;
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (target === undefined) throw new Error(`No executable is made for ${name}.`);
  return target;
}

export function isWindows(target: Target): boolean {
  return target.name.startsWith("windows-");
}

function isMusl(): boolean {
  if (process.platform !== "linux") return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}
