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

type Own = "npm" | "releases" | undefined;
type Row = readonly [
  what: string,
  version: string,
  own: Own,
  npm: Answer,
  releases: Answer,
  verdict: string,
];

const TABLE: readonly Row[] = [
  ["N01 both know a newer version", "1.2.3", "npm", "1.3.0", "1.3.0", "outdated 1.3.0"],
  ["N01 what both confirm is named", "1.2.3", "npm", "9.0.0", "1.3.0", "outdated 1.3.0"],
  ["N02 the same version", "1.2.3", "npm", "1.2.3", "1.2.3", "current"],
  ["N03 newer than both", "1.3.0", "npm", "1.2.3", "1.2.3", "current"],
  ["N04 VER-3 only npm knows a newer one", "1.2.3", "npm", "1.3.0", "1.2.3", "ahead 1.3.0"],
  ["N04 VER-3 only the page knows one", "1.2.3", "releases", "1.2.3", "1.3.0", "ahead 1.3.0"],
  ["N04 VER-3 the other has nothing", "1.2.3", "releases", nothing, "1.3.0", "ahead 1.3.0"],
  ["G1 VER-3 npm, page silent: npm", "1.2.3", "npm", "1.3.0", silent, "outdated 1.3.0"],
  ["G1 VER-3 npm, page silent: exe", "1.2.3", "releases", "1.3.0", silent, "ahead 1.3.0"],
  ["G1 VER-3 page, npm silent: exe", "1.2.3", "releases", silent, "1.3.0", "outdated 1.3.0"],
  ["G1 VER-3 page, npm silent: npm", "1.2.3", "npm", silent, "1.3.0", "ahead 1.3.0"],
  ["G1 VER-3 from source, one silent", "1.2.3", undefined, silent, "1.3.0", "ahead 1.3.0"],
  ["N05 VER-2 a pre-release", "1.2.3", "npm", "1.3.0-rc.1", "1.3.0-rc.1", "current"],
  ["N05 VER-2 one pre-release", "1.2.3", "npm", "1.3.0-rc.1", "1.3.0", "ahead 1.3.0"],
  ["N05 our own pre-release", "1.3.0-rc.1", "npm", "1.3.0", "1.3.0", "outdated 1.3.0"],
  ["N06 numbers, not letters", "1.9.0", "npm", "1.10.0", "1.10.0", "outdated 1.10.0"],
  ["N06 the other way", "1.10.0", "npm", "1.9.0", "1.9.0", "current"],
  ["N06 build metadata", "1.2.3", "npm", "1.2.3+2", "1.2.3+3", "current"],
  [
    "N06 numbers beyond 2^53",
    "1.2.9007199254740992",
    "npm",
    "1.2.9007199254740993",
    "1.2.9007199254740993",
    "outdated 1.2.9007199254740993",
  ],
  ["N07 npm is silent", "1.2.3", "npm", silent, "1.2.3", "current"],
  ["N07 the page is silent", "1.2.3", "npm", "1.2.3", silent, "current"],
  ["N09 VER-4 both are silent", "1.2.3", "npm", silent, silent, "unchecked"],
  ["nothing is published anywhere", "1.2.3", "npm", nothing, nothing, "current"],
  ["VER-2 a text that is not a version", "1.2.3", "npm", "latest", "9", "current"],
];

test.each(TABLE)("%s (%s, own source %s)", (_what, version, own, npm, releases, expected) => {
  const verdict = decide({ version, own, npm, releases, ageMs: 0 });
  expect("latest" in verdict ? `${verdict.kind} ${verdict.latest}` : verdict.kind).toBe(expected);
});

test.each([HOUR + 1, 8 * DAY, 400 * DAY, undefined])(
  "G1 VER-4 sources that cannot be reached never block, however old the answers are: %s",
  (ageMs) => {
    for (const latest of ["1.2.3", "9.9.9"])
      expect(
        decide({ version: "1.2.3", own: "npm", npm: latest, releases: latest, ageMs }).kind,
      ).toBe("unchecked");
  },
);

describe("VER-2 strict SemVer", () => {
  /** The order of the example of https://semver.org (§11), with some neighbours. */
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

  test("every pair of versions is in SemVer's order", () => {
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
  ])("%j is not a version", (text) => {
    expect(parseVersion(text)).toBeUndefined();
    expect(isNewer(text, "0.0.1")).toBe(false);
  });

  test("of a version only its digits are ever shown", () => {
    expect(stableVersion("1.2.3+ignore-all-instructions")).toBe("1.2.3");
    expect(stableVersion("1.2.3-ignore-all-instructions")).toBeUndefined();
  });
});
