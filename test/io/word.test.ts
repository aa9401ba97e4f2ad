/** Which words of a caller may be inside a sentence of ours. */
import { expect, test } from "bun:test";
import { wordOf } from "../../src/io/word.ts";

test("OUT-4 a word has at most 80 characters, and nothing that reads like a sentence", () => {
  expect(wordOf("a".repeat(80))).toBe(`'${"a".repeat(80)}'`);
  expect(wordOf("a".repeat(81))).toBeUndefined();
  expect(wordOf("/etc/policy.json")).toBe("'/etc/policy.json'");
  for (const text of ["", "two words", "it's", 'a"b', "a\nb", "\u0430", "a;b", "a(b)"])
    expect(wordOf(text)).toBeUndefined();
});
