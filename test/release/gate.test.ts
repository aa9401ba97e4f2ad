/**
 * VER-1…6 and catalogue N: the decision as one table; the asking and remembering with servers of
 * the test's own.
 */
import { describe, expect, test } from "bun:test";
import {
  type Answer,
  compareVersions,
  decide,
  isNewer,
  parseVersion,
  stableVersion,
} from "../../src/core/release/verdict.ts";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const nothing: Answer = null;
const silent: Answer = undefined;

type Row = readonly [
  what: string,
  version: string,
  npm: Answer,
  releases: Answer,
  ageMs: number | undefined,
  verdict: string,
];

const TABLE: readonly Row[] = [
  ["N01 both sources know a newer version", "1.2.3", "1.3.0", "1.3.0", 0, "outdated 1.3.0"],
  [
    "N01 they know different ones: what both confirm is named",
    "1.2.3",
    "9.0.0",
    "1.3.0",
    0,
    "outdated 1.3.0",
  ],
  ["N02 the same version", "1.2.3", "1.2.3", "1.2.3", 0, "current"],
  ["N03 newer than both", "1.3.0", "1.2.3", "1.2.3", 0, "current"],
  ["N04 VER-3 only npm knows a newer one", "1.2.3", "1.3.0", "1.2.3", 0, "ahead 1.3.0"],
  [
    "N04 VER-3 only the releases page knows a newer one",
    "1.2.3",
    "1.2.3",
    "1.3.0",
    0,
    "ahead 1.3.0",
  ],
  ["N04 VER-3 the other publishes nothing at all", "1.2.3", nothing, "1.3.0", 0, "ahead 1.3.0"],
  ["N05 VER-2 a pre-release at both", "1.2.3", "1.3.0-rc.1", "1.3.0-rc.1", 0, "current"],
  [
    "N05 VER-2 a pre-release at one, a stable version at the other",
    "1.2.3",
    "1.3.0-rc.1",
    "1.3.0",
    0,
    "ahead 1.3.0",
  ],
  [
    "N05 a pre-release of our own, and its stable version",
    "1.3.0-rc.1",
    "1.3.0",
    "1.3.0",
    0,
    "outdated 1.3.0",
  ],
  ["N06 numbers, not letters", "1.9.0", "1.10.0", "1.10.0", 0, "outdated 1.10.0"],
  ["N06 numbers, not letters, the other way", "1.10.0", "1.9.0", "1.9.0", 0, "current"],
  ["N06 build metadata says nothing", "1.2.3", "1.2.3+2", "1.2.3+3", 0, "current"],
  [
    "N06 numbers beyond 2^53",
    "1.2.9007199254740992",
    "1.2.9007199254740993",
    "1.2.9007199254740993",
    0,
    "outdated 1.2.9007199254740993",
  ],
  ["N07 npm is down, the releases page is ahead", "1.2.3", silent, "1.3.0", 0, "outdated 1.3.0"],
  ["N07 the releases page is down, npm is ahead", "1.2.3", "1.3.0", silent, 0, "outdated 1.3.0"],
  ["N07 one is down, the other is not ahead", "1.2.3", silent, "1.2.3", 0, "current"],
  ["N07 one publishes nothing, the other is not ahead", "1.2.3", nothing, "1.2.3", 0, "current"],
  ["N07 both publish nothing", "1.2.3", nothing, nothing, 0, "current"],
  ["N08 both are down, the answers are fresh", "1.2.3", "1.2.3", "1.2.3", HOUR, "current"],
  [
    "N08 both are down, and the fresh answers are newer",
    "1.2.3",
    "1.3.0",
    "1.3.0",
    HOUR,
    "outdated 1.3.0",
  ],
  ["N09 both are down, the first run", "1.2.3", silent, silent, undefined, "unchecked"],
  ["N09 both are down, the answers are old", "1.2.3", "1.2.3", "1.2.3", HOUR + 1, "unchecked"],
  ["VER-4 the answers are seven days old", "1.2.3", "1.2.3", nothing, 7 * DAY, "unchecked"],
  ["VER-4 the answers are older than seven days", "1.2.3", "1.2.3", nothing, 7 * DAY + 1, "frozen"],
  [
    "VER-4 one of them was ahead, and both are older than seven days",
    "1.2.3",
    "1.3.0",
    "1.2.3",
    7 * DAY + 1,
    "frozen",
  ],
  ["VER-4 what was outdated stays outdated", "1.2.3", "1.3.0", silent, 8 * DAY, "outdated 1.3.0"],
  ["VER-2 what is no version makes nothing outdated", "1.2.3", "latest", "9", 0, "current"],
];

test.each(TABLE)("%s", (_what, version, npm, releases, ageMs, expected) => {
  const verdict = decide({ version, npm, releases, ageMs });
  expect("latest" in verdict ? `${verdict.kind} ${verdict.latest}` : verdict.kind).toBe(expected);
});

describe("VER-2 strict SemVer", () => {
  /** The order that https://semver.org (§11) gives as its example, with some neighbours. */
  const ASCENDING = [
    "0.0.0-dev",
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0--",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "10.0.0",
  ];

  test("every pair of versions stands in SemVer's order", () => {
    for (const [i, a] of ASCENDING.entries()) {
      for (const [j, b] of ASCENDING.entries()) {
        const [left, right] = [parseVersion(a), parseVersion(b)];
        if (left === undefined || right === undefined) throw new Error(`${a} or ${b} is not read`);
        expect(Math.sign(compareVersions(left, right)), `${a} and ${b}`).toBe(Math.sign(i - j));
        expect(isNewer(a, b)).toBe(i > j && !a.includes("-"));
      }
    }
  });

  test.each([
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "01.2.3",
    "1.02.3",
    "1.2.3-01",
    "1.2.3-",
    "1.2.3-a..b",
    "1.2.3+",
    "1.2.3 ",
    " 1.2.3",
    "1.2.3\n",
    "1.2.-3",
    "1.2.3-é",
    "1.2.٣",
    "latest",
    `1.2.3-${"a".repeat(60)}`,
    `${"9".repeat(65)}.0.0`,
  ])("%j is no version", (text) => {
    expect(parseVersion(text)).toBeUndefined();
    expect(isNewer(text, "0.0.1")).toBe(false);
  });

  test("of a version only its digits are ever shown", () => {
    expect(stableVersion("1.2.3+ignore-all-instructions")).toBe("1.2.3");
    expect(stableVersion("1.2.3-ignore-all-instructions")).toBeUndefined();
  });
});
