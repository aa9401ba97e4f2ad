/**
 * Tests that need a program of the system. Where it is missing they are skipped and counted as
 * skipped, and `npm test` ends with the command that installs it. In CI a missing one is a failure.
 */
import { appendFileSync, existsSync } from "node:fs";

/** Names a file to which each missing Debian package is appended, one a line. */
export const MISSING_PACKAGES = "LEDGER_TESTS_MISSING_PACKAGES";

/** Program → Debian package. A path means a program that is started by its path. */
const PACKAGES = {
  "/usr/bin/chromium": "chromium",
  "/usr/bin/time": "time",
  "/usr/bin/umockdev-wrapper": "umockdev",
  aws: "awscli",
  bash: "bash",
  busybox: "busybox",
  curl: "curl",
  dash: "dash",
  "dpkg-deb": "dpkg",
  faketime: "faketime",
  fish: "fish",
  flock: "util-linux",
  ip: "iproute2",
  openssl: "openssl",
  lintian: "lintian",
  mandoc: "mandoc",
  "pkcs11-tool": "opensc",
  python3: "python3",
  script: "bsdutils",
  setpriv: "util-linux",
  shellcheck: "shellcheck",
  skopeo: "skopeo",
  "softhsm2-util": "softhsm2",
  strace: "strace",
  "systemd-analyze": "systemd",
  swtpm: "swtpm",
  swtpm_setup: "swtpm-tools",
  tpm2_sign: "tpm2-tools",
  unshare: "util-linux",
  wget: "wget",
  zsh: "zsh",
} as const;

export type SystemProgram = keyof typeof PACKAGES;

/** Names programs, separated by commas, that are taken for missing: how a plain machine sees it. */
const WITHOUT = "TESTS_WITHOUT_PROGRAMS";
const SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * True when one of the programs is not installed; for `describe.skipIf` and `test.skipIf`. Throws
 * in CI, where all of them must be there.
 */
export function lacks(...programs: readonly SystemProgram[]): boolean {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return false;
  const packages = missing.map((program) => PACKAGES[program]);
  if (process.env.CI === "true")
    throw new Error(`Missing in CI: ${missing.join(", ")}; install ${packages.join(", ")}.`);
  const list = process.env[MISSING_PACKAGES];
  if (list !== undefined) appendFileSync(list, packages.map((name) => `${name}\n`).join(""));
  return true;
}

function isInstalled(program: SystemProgram): boolean {
  if (process.env[WITHOUT]?.split(",").includes(program)) return false;
  if (program.startsWith("/")) return existsSync(program);
  const path = `${process.env.PATH ?? ""}:${SYSTEM_PATH}`;
  return Bun.which(program, { PATH: path }) !== null;
}

/** What `npm test` says at its end about tests that were skipped, or nothing. */
export function adviceFor(list: string): string {
  const packages = [...new Set(list.split("\n").filter((name) => name !== ""))].sort();
  if (packages.length === 0) return "";
  return `Tests were skipped because this machine lacks: ${packages.join(", ")}. Install them with:\n  sudo apt-get install --yes ${packages.join(" ")}\n`;
}
