/** Challenges that are made to hurt, and those of unknown shape. */
import { describe, expect, test } from "bun:test";
import { reviewChallenge } from "../../../src/core/signing/review.ts";
import { challengeOf, DATA, NONCE, requestOf, review, simple, sourceOf } from "./reviewing.ts";

describe("a challenge made to hurt the reviewer", () => {
  const wide = `[${"1,".repeat(400_000)}1]`;
  const deep = `${'{"n":'.repeat(500)}${wide}${"}".repeat(500)}`;
  const longName = `{"${"n".repeat(200_000)}":${wide}}`;

  for (const [name, inner] of [
    ["wide", wide],
    ["deep and wide", deep],
    ["with a long name", longName],
  ] as const) {
    test(`${name}: lists stay short, nothing matches, everything stays open`, () => {
      const text = `{"antireplay":"${NONCE}","data":{"transaction_data":${inner}},"type":"APPROVE_TRANSACTION"}`;
      for (const challenge of [text, text.replace("antireplay", "other")]) {
        const found = review(challenge, requestOf(DATA));
        expect(found.match).toBe(false);
        expect(found.unverified.length + found.differences.length).toBeWithin(1, 1010);
        expect(found.unverified.concat("").at(-2) === "…" || found.differences.length > 0).toBe(
          true,
        );
        expect(Math.max(...found.unverified.map(({ length }) => length), 0)).toBeLessThan(2000);
      }
    });
  }

  test("everything different: the first thousand are named", () => {
    const other = wide.replaceAll("1", "2");
    const found = review(
      simple({ list: JSON.parse(wide) as unknown }),
      requestOf({ list: JSON.parse(other) as unknown }),
    );
    expect([found.match, found.differences.length]).toEqual([false, 1000]);
  });

  test("a flood of fields that only the server has does not hide what a record asks for", () => {
    const flood = Object.fromEntries(
      Array.from({ length: 5000 }, (_, index) => [`x${index}`, index]),
    );
    const sources = [
      sourceOf({ ...requestOf(DATA), ...flood }),
      sourceOf(requestOf({ ...DATA, contract_address: "0x1" }), "record"),
    ];
    const found = reviewChallenge({ challenge: challengeOf(simple(DATA)), sources });
    expect(found.unverified).toEqual(["data.transaction_data.contract_address"]);
    expect(found.requestOnly.length).toBe(1001);
  });
});

describe("E27 shapes that are not known", () => {
  for (const [name, text, open] of [
    [
      "another object",
      '{"transaction_data":{"amount":"1000"},"type":"APPROVE_TRANSACTION"}',
      ["transaction_data.amount", "type"],
    ],
    ["nothing in it", "{}", ["payload"]],
    ["an object equal to the request", JSON.stringify(requestOf(DATA)), 6],
  ] as const) {
    test(`E27 ${name}: all of it unverified, never a match`, () => {
      const found = review(text, requestOf(DATA), "A");
      expect([found.match, found.differences, found.requestOnly]).toEqual([false, [], []]);
      if (typeof open === "number") expect(found.unverified.length).toBe(open);
      else expect(found.unverified).toEqual([...open]);
    });
  }

  test("E09 no JSON object: the payload as a whole is unverified", () => {
    expect(review("hello", requestOf(DATA))).toMatchObject({
      match: false,
      differences: [],
      unverified: ["payload"],
      requestOnly: [],
    });
  });
});
