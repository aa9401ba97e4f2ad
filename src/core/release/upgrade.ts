/**
 * Replaces a standalone executable by the newest release (INS-4): downloaded beside it, believed
 * only after signature and checksum, tried before and after it takes the place. Whatever fails, the
 * old program is there and runs.
 */
import { createHash } from "node:crypto";
import { constants, fsync, type Stats } from "node:fs";
import { chmod, chown, copyFile, link, lstat, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { sweepLeftovers } from "../../io/files.ts";
import { startMeter } from "../../io/progress.ts";
import { randomName } from "../../io/random.ts";
import type { Runtime } from "../../io/runtime.ts";
import type { Channel } from "../../version.ts";
import { download, downloadSmall } from "./download.ts";
import { managerCommand } from "./managers.ts";
import { assetName, assetUrl, OWN_SOURCES, SIGNATURE, SUMS, UPGRADE_COMMANDS } from "./names.ts";
import { signedChecksum } from "./signature.ts";
import { type Addresses, type Answers, askSources } from "./sources.ts";
import { versionOf } from "./trial.ts";
import { decide, isNewer, type Verdict } from "./verdict.ts";

/** The program that may be replaced, and where newer ones are. */
export interface Installation {
  readonly runtime: Runtime;
  readonly version: string;
  readonly channel: Channel;
  /**
   * Which of the release's executables this one is, such as `linux-x64-musl`; undefined for other
   * channels.
   */
  readonly target: string | undefined;
  /** The running program's file. */
  readonly executable: string;
  /** As in names.ts. */
  readonly releaseKey: string | undefined;
  readonly platform: string;
  readonly addresses: Addresses;
}

export interface Check {
  readonly current: string;
  readonly channel: Channel;
  /** As the version gate would say it, without its grace. */
  readonly status: Verdict["kind"];
  /** What each source publishes; null when that is nothing, or when it did not answer. */
  readonly npm: string | null;
  readonly releases: string | null;
  /**
   * What brings the newest version; a constant for the channel, or for the package manager that
   * owns the program's folder.
   */
  readonly command: string;
}

export interface Upgraded {
  readonly changed: boolean;
  readonly current: string;
  readonly version: string;
  readonly path: string;
}

/** Asks both sources; changes nothing. Throws UPGRADE_FAILED when neither answers. */
export async function check(installation: Installation): Promise<Check> {
  return toCheck(await ask(installation), installation);
}

async function ask(installation: Installation): Promise<Answers> {
  const answers = await askSources(
    installation.addresses,
    { npm: undefined, releases: undefined },
    installation.runtime,
  );
  if (answers.npm !== undefined || answers.releases !== undefined) return answers;
  throw new CliError("UPGRADE_FAILED", {
    message: "Neither npm nor the releases page says which version is the newest.",
    hint: "Nothing was changed. Let this machine reach them, or name mirrors with LEDGER_ENTERPRISE_NPM_REGISTRY and LEDGER_ENTERPRISE_RELEASES_URL.",
  });
}

async function toCheck(
  { npm, releases }: Answers,
  { version, channel, executable }: Installation,
): Promise<Check> {
  const { kind } = decide({
    version,
    own: OWN_SOURCES[channel],
    npm: npm?.version,
    releases: releases?.version,
    ageMs: 0,
  });
  const published = { npm: npm?.version ?? null, releases: releases?.version ?? null };
  return {
    current: version,
    channel,
    status: kind,
    ...published,
    command:
      (channel === "binary" ? await managerCommand(executable) : undefined) ??
      UPGRADE_COMMANDS[channel],
  };
}

/**
 * Replaces the running executable when the releases page publishes a newer version. For other
 * channels, and for a file that a package manager owns, only says what is published and which
 * command upgrades. Throws UPGRADE_FAILED.
 */
export async function upgrade(installation: Installation): Promise<Check | Upgraded> {
  const answers = await ask(installation);
  if (installation.channel !== "binary" || installation.target === undefined)
    return toCheck(answers, installation);
  if ((await managerCommand(installation.executable)) !== undefined)
    return toCheck(answers, installation);
  const latest = answers.releases?.version ?? undefined;
  if (answers.releases === undefined) throw refused("The releases page did not answer.", {});
  if (latest === undefined || !isNewer(latest, installation.version)) {
    return {
      changed: false,
      current: installation.version,
      version: installation.version,
      path: installation.executable,
    };
  }
  await replace(latest, installation.target, installation);
  return {
    changed: true,
    current: installation.version,
    version: latest,
    path: installation.executable,
  };
}

async function replace(version: string, target: string, installation: Installation): Promise<void> {
  const { executable, releaseKey } = installation;
  if (releaseKey === undefined) {
    throw refused("This build has no release key, so it cannot verify a download.", {
      hint: "Install the new version with install.sh and --key.",
    });
  }
  const kept = await inspect(installation);
  const name = assetName(version, target);
  const address = (file: string): string =>
    assetUrl(installation.addresses.releases, version, file);
  const [list, signature] = [
    await downloadSmall(address(SUMS), installation.runtime),
    await downloadSmall(address(SIGNATURE), installation.runtime),
  ];
  const checksum = signedChecksum(list, signature, { key: releaseKey, name });
  await sweepLeftovers(dirname(executable), installation.runtime.now, undefined, isLeftover);
  const candidate = besides(executable, "new");
  try {
    await fetchExecutable({ url: address(name), checksum, path: candidate }, installation);
    await dress(candidate, kept);
    await tryOut(candidate, version, installation.runtime.stop);
    await swap(candidate, version, installation);
  } finally {
    await unlink(candidate).catch(() => undefined);
  }
}

/**
 * Copies owner, group and mode of the old file to the new one, so that an upgrade by root neither
 * makes a user's program root's nor takes it from a group. Throws UPGRADE_FAILED when this user may
 * not.
 */
async function dress(path: string, { uid, gid, mode }: Stats): Promise<void> {
  const made = await guardFiles(lstat(path), path);
  if (made.uid !== uid || made.gid !== gid) {
    await chown(path, uid, gid).catch((cause: unknown) => {
      throw new CliError("UPGRADE_FAILED", {
        message: "This user may not give the new file the owner and group of the program's file.",
        hint: `Nothing was changed. Run the upgrade as the owner of the file (uid ${uid}), or as root.`,
        details: { reason: errnoOf(cause), path, uid, gid },
        retryable: false,
        cause,
      });
    });
  }
  // After chown, which may take rights away.
  await guardFiles(chmod(path, mode & 0o7777), path);
}

/**
 * The facts about the running program's file. Whether that file is this program is asked of it:
 * without /proc a runtime may not know its path.
 */
async function inspect({ executable, version, runtime }: Installation): Promise<Stats> {
  const stats = await lstat(executable).catch(() => undefined);
  if (stats?.isFile() !== true || (await versionOf(executable, runtime.stop)) !== version) {
    throw refused("The file of the running program was not found.", { path: executable });
  }
  return stats;
}

const LARGEST = 512 * 1024 * 1024;

/**
 * Written without rights to be executed, and only as far as its checksum may still turn out right.
 */
async function fetchExecutable(
  {
    url,
    checksum,
    path,
  }: { readonly url: string; readonly checksum: string; readonly path: string },
  installation: Installation,
): Promise<void> {
  const flags =
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const file = await guardFiles(open(path, flags, 0o600), path);
  const hash = createHash("sha256");
  try {
    const take = async (chunk: Uint8Array): Promise<void> => {
      hash.update(chunk);
      await guardFiles(file.writeFile(chunk), path);
    };
    const meter = startMeter(installation.runtime, "MB");
    await download({ url, maxBytes: LARGEST, meter, take }, installation.runtime);
    // `FileHandle.sync` does not exist under Yarn's Plug'n'Play.
    await guardFiles(promisify(fsync)(file.fd), path);
  } finally {
    await file.close().catch(() => undefined);
  }
  const found = hash.digest("hex");
  if (found === checksum) return;
  throw new CliError("UPGRADE_FAILED", {
    message:
      "The download is not what the release's signed list names; it is incomplete or was altered.",
    details: { url, expected: checksum, found },
  });
}

async function tryOut(path: string, version: string, stop: AbortSignal): Promise<void> {
  const answer = await versionOf(path, stop);
  if (answer === version) return;
  throw refused("The new program does not run on this machine.", { path, version });
}

/** The old file stays under another name until the new one has answered in its place. */
async function swap(
  candidate: string,
  version: string,
  { executable, platform, runtime }: Installation,
): Promise<void> {
  const kept = besides(executable, "old");
  // Windows does not let a running program's file be replaced, but lets it be renamed.
  if (platform === "win32") await guardFiles(rename(executable, kept), kept);
  else await guardFiles(keep(executable, kept), kept);
  try {
    await guardFiles(rename(candidate, executable), executable);
    await tryOut(executable, version, runtime.stop);
  } catch (cause) {
    await guardFiles(rename(kept, executable), executable);
    throw cause;
  }
  // On Windows the running program's file stays until a later upgrade sweeps it.
  await unlink(kept).catch(() => undefined);
}

/** A second name for the file, or a copy where the file system has no links. */
async function keep(path: string, name: string): Promise<void> {
  await link(path, name).catch(() => copyFile(path, name, constants.COPYFILE_EXCL));
}

function besides(executable: string, kind: "new" | "old"): string {
  const extension = extname(executable) === ".exe" ? ".exe" : "";
  return join(
    dirname(executable),
    `.${basename(executable, extension)}.${randomName(8)}.${kind}${extension}`,
  );
}

function isLeftover(name: string): boolean {
  return /^\..+\.[0-9a-f]{16}\.(new|old)(\.exe)?$/.test(name);
}

async function guardFiles<T>(work: Promise<T>, path: string): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const reason = errnoOf(cause);
    const isForbidden = ["EACCES", "EPERM", "EROFS"].includes(reason);
    throw new CliError("UPGRADE_FAILED", {
      message: isForbidden
        ? "This user may not replace the program's file."
        : "The program's file could not be replaced.",
      details: { reason, path },
      ...(isForbidden
        ? {
            hint: "Nothing was changed. Ask the owner of the folder, or install into one of yours: install.sh --dir.",
          }
        : {}),
      retryable: !isForbidden,
      cause,
    });
  }
}

function refused(
  message: string,
  { hint, ...details }: Readonly<Record<string, string>>,
): CliError {
  return new CliError("UPGRADE_FAILED", {
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
    retryable: false,
  });
}
