/**
 * The version gate's decision, as a pure function (specification §5, VER-2…4). It keeps honest
 * installations fresh; it does not defend against somebody who controls the machine (VER-6).
 */

/**
 * What a source says: the stable version that it publishes, null when it publishes none, undefined
 * when it cannot be reached.
 */
export type Answer = string | null | undefined;

/** What is known of newer versions. */
export interface Knowledge {
  /** The running version. */
  readonly version: string;
  /** The source of the own install channel; undefined for a build from source. */
  readonly own: "npm" | "releases" | undefined;
  readonly npm: Answer;
  readonly releases: Answer;
  /** How old the answers are; undefined when no source ever answered. */
  readonly ageMs: number | undefined;
}

/** What follows for this run; `latest` is a stable version. */
export type Verdict =
  | { readonly kind: "current" }
  /** No source can be reached, and what is known is older than an hour. This never blocks. */
  | { readonly kind: "unchecked" }
  /** One source alone is ahead, and this does not block (VER-3). */
  | { readonly kind: "ahead"; readonly latest: string }
  | { readonly kind: "outdated"; readonly latest: string };

/** Answers are asked for again after an hour. */
export const FRESH_MS = 3600 * 1000;

/**
 * The verdict, from nothing but what is known. Outdated: both sources publish a newer version, or
 * the own channel's does while the other cannot be reached.
 */
export function decide({ version, own, npm, releases, ageMs }: Knowledge): Verdict {
  if (ageMs === undefined || ageMs > FRESH_MS) return { kind: "unchecked" };
  if (npm === undefined && releases === undefined) return { kind: "unchecked" };
  const newer = (answer: Answer): string[] =>
    typeof answer === "string" && isNewer(answer, version) ? [answer] : [];
  const found = [...newer(npm), ...newer(releases)];
  if (found.length === 0) return { kind: "current" };
  const other = own === "npm" ? releases : npm;
  const ownDecides = own !== undefined && other === undefined;
  const isOutdated = found.length === 2 || ownDecides;
  return { kind: isOutdated ? "outdated" : "ahead", latest: lowest(found) };
}

/** What both sources confirm: one of them alone cannot make up a higher number. */
function lowest(versions: readonly string[]): string {
  const [first = ""] = [...versions].sort((a, b) =>
    compareVersions(parseVersion(a) ?? NONE, parseVersion(b) ?? NONE),
  );
  return first;
}

/**
 * A version as strict SemVer 2.0.0 reads it; build metadata has no meaning and is dropped. Numbers
 * stay digits, of any length.
 */
export interface Version {
  readonly numbers: readonly [string, string, string];
  /** Empty for a stable version. */
  readonly preRelease: readonly string[];
}

const NONE: Version = { numbers: ["0", "0", "0"], preRelease: [] };
const LONGEST = 64;
const NUMBER = "(0|[1-9]\\d*)";
const WORD = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)";
const SEMVER = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${WORD}(?:\\.${WORD})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

/** Undefined for anything but strict SemVer of at most 64 characters. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch, preRelease] = (text.length <= LONGEST && SEMVER.exec(text)) || [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return { numbers: [major, minor, patch], preRelease: preRelease?.split(".") ?? [] };
}

/**
 * Digits alone, such as `1.2.3`: the only text of a source that is ever shown. Undefined for a
 * pre-release and for a text that is not a version.
 */
export function stableVersion(text: string): string | undefined {
  const version = parseVersion(text);
  return version === undefined || version.preRelease.length > 0
    ? undefined
    : version.numbers.join(".");
}

/**
 * True when `candidate` is a stable version above `own`; a pre-release never makes anything
 * outdated (VER-2).
 */
export function isNewer(candidate: string, own: string): boolean {
  const [a, b] = [parseVersion(candidate), parseVersion(own)];
  return (
    a !== undefined && b !== undefined && a.preRelease.length === 0 && compareVersions(a, b) > 0
  );
}

/** Negative, zero or positive, by SemVer's precedence (§11). */
export function compareVersions(a: Version, b: Version): number {
  for (const [at, number] of a.numbers.entries()) {
    const difference = compareDigits(number, b.numbers[at] ?? "0");
    if (difference !== 0) return difference;
  }
  if (a.preRelease.length === 0 || b.preRelease.length === 0)
    return b.preRelease.length - a.preRelease.length;
  for (const [at, word] of a.preRelease.entries()) {
    const other = b.preRelease[at];
    if (other === undefined) return 1;
    const difference = compareWords(word, other);
    if (difference !== 0) return difference;
  }
  return a.preRelease.length - b.preRelease.length;
}

function compareDigits(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}

function compareWords(a: string, b: string): number {
  const [isNumber, isOtherNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && isOtherNumber) return compareDigits(a, b);
  return isNumber === isOtherNumber ? compareText(a, b) : isNumber ? -1 : 1;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
