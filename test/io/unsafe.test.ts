/**
 * OUT-4: what acts on a terminal or hides text is escaped in JSON, losslessly, and visible for
 * people.
 */
import { describe, expect, test } from "bun:test";
import { encode, escapeUnsafe, exact, value, visible } from "../../src/io/json.ts";
import vectors from "../vectors/unsafe_characters.json";

const characterOf = (name: string): string =>
  String.fromCodePoint(Number.parseInt(name.slice(2), 16));

describe("unsafe_characters.json", () => {
  test("there are rows", () => expect(vectors.code_points.length).toBe(27));

  test.each(vectors.code_points.map((row) => [row.code_point, row.name, row.json_escape] as const))(
    "OUT-4 %s %s",
    (name, _what, escaped) => {
      const text = `before${characterOf(name)}after`;
      const json = escapeUnsafe(encode({ [text]: text }));
      expect(json).toBe(`{"before${escaped}after":"before${escaped}after"}`);
      expect(value(exact(json))).toEqual({ [text]: text });
      expect(visible(text)).toBe(`before<${name}>after`);
    },
  );
});

const RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
  [0xe0100, 0xe01ef],
];

test("OUT-4 exactly the characters of the rule are escaped, over all of Unicode", () => {
  const isUnsafe = (code: number): boolean =>
    RANGES.some(([first, last]) => code >= first && code <= last);
  const wrong: string[] = [];
  for (let code = 0; code <= 0x10ffff; code += 1) {
    const character = String.fromCodePoint(code);
    // Raw C0 cannot be in JSON: encode has escaped it, and escapeUnsafe leaves the escape alone.
    const isChangedInJson =
      code > 0x1f
        ? escapeUnsafe(character) !== character
        : escapeUnsafe(encode(character)) === encode(character);
    if (isChangedInJson !== isUnsafe(code) || (visible(character) !== character) !== isUnsafe(code))
      wrong.push(code.toString(16));
  }
  expect(wrong).toEqual([]);
});

test("OUT-4 an escape loses nothing: parsed values are the same", () => {
  for (const [first, last] of RANGES) {
    for (const code of [first, last]) {
      const text = `x${String.fromCodePoint(code)}y`;
      expect(JSON.parse(escapeUnsafe(JSON.stringify([text])))).toEqual([text]);
    }
  }
});

test("G17 raw halves of surrogate pairs are escaped, whole pairs are not", () => {
  expect(escapeUnsafe('"🔐\ud83d\ud83d🔐\udd10"')).toBe('"🔐\\ud83d\\ud83d🔐\\udd10"');
  expect(visible("🔐\ud83d")).toBe("🔐<U+D83D>");
});

test("what is escaped already, and short escapes, stay as they are", () => {
  const json = '"\\u202e\\n\\u001B\\\\u202e"';
  expect(escapeUnsafe(json)).toBe(json);
});
