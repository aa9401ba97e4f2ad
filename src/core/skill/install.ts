/**
 * Installs the skill and compares installed copies with it (INS-1, P01–P08). A file beside the copy
 * records version and hashes of what was written: what differs from it is somebody else's, and is
 * never overwritten without being told to. Only fixed names are written.
 */
import { lstat, readFile, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import * as v from "valibot";
import { CliError } from "../../errors.ts";
import { makeDirectories, writeNewFile } from "../../io/files.ts";
import { isNewer } from "../release/verdict.ts";
import { type Skill, sha256 } from "./content.ts";
import { AGENTS, type Target, targetsOf } from "./targets.ts";

/**
 * A copy, compared with this program's skill. `modified`: not as any version of this program wrote
 * it.
 */
export type Status = "current" | "outdated" | "modified" | "newer" | "absent";

export interface Inspection {
  /** The skill's own folder. */
  readonly path: string;
  readonly status: Status;
  /** Version that was recorded at installation, if any. */
  readonly version: string | null;
  /** Files that are neither ours nor absent. */
  readonly foreign: readonly string[];
}

export interface Installed {
  readonly path: string;
  readonly version: string;
  /** False when everything was there already. */
  readonly changed: boolean;
  readonly before: Status;
}

const RECORD = ".ledger-enterprise-cli.json";
const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Record = v.object({
  skill: v.string(),
  version: v.pipe(v.string(), v.regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}$/)),
  sha256: Sha256,
  files: v.record(v.pipe(v.string(), v.regex(/^(SKILL|references\/[A-Za-z]{1,32})\.md$/)), Sha256),
});
type Record = v.InferOutput<typeof Record>;

function recordOf({ name, version, files }: Skill): Record {
  const hashes = Object.fromEntries([...files].map(([path, text]) => [path, sha256(text)]));
  return { skill: name, version, sha256: sha256(JSON.stringify(hashes)), files: hashes };
}

/**
 * The standing of the copy of `skill` in the folder of skills `directory`. Throws IO_ERROR when it
 * cannot be read.
 */
export async function inspect(skill: Skill, directory: string): Promise<Inspection> {
  const path = join(directory, skill.name);
  const record = await readRecord(join(path, RECORD));
  const ours = recordOf(skill).files;
  const found = new Map<string, string | undefined>();
  for (const name of new Set([...Object.keys(ours), ...Object.keys(record?.files ?? {})])) {
    const bytes = await readOptional(join(path, name));
    found.set(name, bytes === undefined ? undefined : sha256(withoutCarriageReturns(bytes)));
  }
  const present = [...found].filter(([, hash]) => hash !== undefined);
  const foreign = present
    .filter(([name, hash]) => hash !== ours[name] && hash !== record?.files[name])
    .map(([name]) => name);
  const version = record?.version ?? null;
  const standing = { path, version, foreign };
  const matches = (files: Readonly<Record["files"]>): boolean =>
    Object.entries(files).every(([name, hash]) => found.get(name) === hash);
  if (present.length === 0) return { ...standing, status: "absent" };
  if (matches(ours) && foreign.length === 0) return { ...standing, status: "current" };
  if (record === undefined || !matches(record.files)) return { ...standing, status: "modified" };
  return { ...standing, status: isNewer(record.version, skill.version) ? "newer" : "outdated" };
}

/** Version control may write CR before each LF: that is the same text. */
function withoutCarriageReturns(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte, at) => byte !== 0x0d || bytes[at + 1] !== 0x0a);
}

/** Every known folder of the project and the home folder, also those without a copy. */
export function inspectKnown(skill: Skill, home: string | undefined): Promise<Inspection[]> {
  const targets = targetsOf(AGENTS, ["project", "user"], home);
  return Promise.all(targets.map(({ path }) => inspect(skill, path)));
}

/**
 * Puts the skill into the folder of skills `target`: everything is written beside its place before
 * the first file is replaced, the record last. A current copy is left untouched. Throws
 * INVALID_PATH (a file or a symbolic link in the way), FILE_EXISTS (something that is not ours;
 * `force` replaces it), IO_ERROR.
 */
export async function install(skill: Skill, target: Target, force: boolean): Promise<Installed> {
  await checkFolders(skill, target, force);
  const found = await inspect(skill, target.path);
  const record = recordOf(skill);
  const stale = await readRecord(join(found.path, RECORD));
  const result = { path: found.path, version: skill.version, before: found.status };
  if (
    found.status === "current" &&
    stale?.version === record.version &&
    stale.sha256 === record.sha256
  )
    return { ...result, changed: false };
  if (!force) await refuseForeign(found, [...skill.files.keys(), RECORD]);
  for (const folder of [target.path, found.path, join(found.path, "references")])
    await makeFolder(folder);
  await replaceFiles(found.path, [...skill.files, [RECORD, `${JSON.stringify(record)}\n`]]);
  for (const name of Object.keys(stale?.files ?? {})) {
    if (!skill.files.has(name) && !found.foreign.includes(name))
      await rm(join(found.path, name), { force: true });
  }
  return { ...result, changed: true };
}

/** INS-1: no file, and no way out through a symbolic link, where a folder is to be. */
async function checkFolders(skill: Skill, { path, root }: Target, force: boolean): Promise<void> {
  const folder = join(path, skill.name);
  const isLinked = await checkFolder(path);
  if (isLinked && root === undefined && !force)
    throw linked(path, "Name the folder it leads to, or add --force.");
  if (root !== undefined && !(await staysInside(path, root)))
    throw linked(path, "Name the folder with --path.");
  for (const inner of [folder, join(folder, "references")]) {
    if (await checkFolder(inner))
      throw linked(inner, "Remove the link, or choose another folder with --path.");
  }
}

function linked(path: string, hint: string): CliError {
  return new CliError("INVALID_PATH", {
    message: "A symbolic link is in the place of the folder.",
    details: { path },
    hint,
  });
}

/** True for a symbolic link; throws INVALID_PATH for anything else but a folder. */
async function checkFolder(path: string): Promise<boolean> {
  const found = await look(path);
  if (found === undefined || found.isDirectory()) return false;
  if (found.isSymbolicLink()) return true;
  throw new CliError("INVALID_PATH", {
    message: "A file is in the place of the folder.",
    details: { path },
  });
}

/** Whether the part of `path` that exists lies, all links followed, below `root`. */
async function staysInside(path: string, root: string): Promise<boolean> {
  let existing = path;
  while ((await look(existing)) === undefined && existing !== dirname(existing))
    existing = dirname(existing);
  const [real, realRoot] = (await Promise.all(
    [existing, root].map((one) => guarded(one, () => realpath(one))),
  )) as [string, string];
  const way = relative(realRoot, real);
  return way !== ".." && !way.startsWith(`..${sep}`);
}

async function refuseForeign(
  { path, status, foreign }: Inspection,
  names: readonly string[],
): Promise<void> {
  const odd: string[] = [];
  for (const name of names) if ((await look(join(path, name)))?.isFile() === false) odd.push(name);
  const files = [...new Set([...foreign, ...odd])];
  if (files.length > 0) {
    throw new CliError("FILE_EXISTS", {
      message:
        "The skill's folder contains files that this program did not write, or that were changed since.",
      details: { path, files },
      hint: "Check them; --force replaces them.",
    });
  }
  if (status !== "newer") return;
  throw new CliError("FILE_EXISTS", {
    message: "The installed skill is of a newer version of this program.",
    details: { path },
    hint: "Upgrade the program; --force installs the older skill.",
  });
}

async function makeFolder(path: string): Promise<void> {
  await guarded(path, () => makeDirectories(path, 0o755));
}

/**
 * SES-2's recipe with mode 0644: new files beside the old ones, synchronised, then renamed over
 * them; none is replaced before all are written.
 */
async function replaceFiles(
  folder: string,
  files: readonly (readonly [name: string, text: string])[],
): Promise<void> {
  const staged: (readonly [temporary: string, path: string])[] = [];
  try {
    for (const [name, text] of files) {
      const path = join(folder, name);
      const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.tmp`);
      staged.push([temporary, path]);
      await writeNewFile(temporary, new TextEncoder().encode(text), 0o644);
    }
    for (const [temporary, path] of staged) await guarded(path, () => rename(temporary, path));
  } catch (cause) {
    for (const [temporary] of staged) await rm(temporary, { force: true }).catch(() => undefined);
    throw cause;
  }
}

async function readRecord(path: string): Promise<Record | undefined> {
  const bytes = await readOptional(path);
  if (bytes === undefined) return undefined;
  try {
    const parsed = v.safeParse(Record, JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

const LONGEST_FILE = 1024 * 1024;

/**
 * A regular file's bytes; undefined when it is not there, empty when it is not a regular file or
 * too large to be ours.
 */
async function readOptional(path: string): Promise<Uint8Array | undefined> {
  const found = await look(path);
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > LONGEST_FILE) return new Uint8Array();
  return guarded(path, () => readFile(path));
}

async function look(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return guarded(path, async () => {
    try {
      return await lstat(path);
    } catch (cause) {
      if (codeOf(cause) === "ENOENT") return undefined;
      throw cause;
    }
  });
}

async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const [code, message] =
      codeOf(cause) === "ENOTDIR" || codeOf(cause) === "EEXIST"
        ? (["INVALID_PATH", "A file is in the place of the folder."] as const)
        : (["IO_ERROR", "The folder of the skill could not be read or written."] as const);
    throw new CliError(code, { message, details: { path, reason: codeOf(cause) }, cause });
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "UNKNOWN";
}
