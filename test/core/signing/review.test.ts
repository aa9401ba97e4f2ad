/** A challenge is compared with its request field by field: what differs, and what is left open. */
import { describe, expect, test } from "bun:test";
import { reviewChallenge } from "../../../src/core/signing/review.ts";
import {
  alterations,
  challengeOf,
  DATA,
  getAt,
  insertMember,
  type Json,
  NONCE,
  PAIRS,
  type Path,
  pairOf,
  pathsOf,
  type Request,
  review,
  setAt,
  shown,
  simple,
  sourceOf,
  told,
} from "./reviewing.ts";

describe("SIG-6 E24 altered challenge, field by field", () => {
  for (const { name, challenge, request, requestOnly } of PAIRS) {
    test(`${name}: the honest one matches, nothing left open`, () => {
      expect(review(challenge, request)).toMatchObject({
        match: true,
        differences: [],
        unverified: [],
        requestOnly: [...requestOnly],
      });
    });

    const document = JSON.parse(challenge) as Json;
    for (const path of pathsOf(document)) {
      const isNonce = /^(antireplay|challenge)$/.test(String(path.at(-1)));
      const original = getAt(document, path);
      test(`E24 ${name}: ${shown(path)}`, () => {
        for (const [change, value] of isNonce ? nonces() : alterations(original)) {
          const altered = setAt(document, path, value);
          const challenge = challengeOf(JSON.stringify(altered));
          const found = reviewChallenge({ challenge, sources: [sourceOf(request)] });
          if (challenge.shape === "unknown") {
            // type or data of another kind: no longer a shape we know, so nothing is called equal
            expect([change, found.match, found.unverified.length > 0]).toEqual([
              change,
              false,
              true,
            ]);
            continue;
          }
          expect([change, found.match, found.differences.map(({ field }) => field)]).toEqual([
            change,
            false,
            [shown(path)],
          ]);
          expect(found.differences[0]?.source).toBe(isNonce ? "rule" : "server");
        }
      });
    }

    test(`E24 ${name}: a field more stays open, wherever it is put`, () => {
      for (const parent of new Set([
        "",
        ...pathsOf(document).map((path) => JSON.stringify(path.slice(0, -1))),
      ])) {
        const path = parent === "" ? [] : (JSON.parse(parent) as Path);
        if (Array.isArray(getAt(document, path))) continue;
        for (const [key, extra] of [
          ["extra", "1"],
          ["__proto__", "1"],
          ["constructor", "1"],
          ["extra", { deep: [1] }],
          ["extra", {}],
          ["extra", null],
        ] as const) {
          const text = insertMember(document, path, key, extra);
          const found = reviewChallenge({
            challenge: challengeOf(text),
            sources: [sourceOf(request)],
          });
          expect(found.differences).toEqual([]);
          expect(found.unverified.length).toBe(1);
          expect(found.unverified[0]).toContain(key);
        }
      }
    });
  }

  function nonces(): (readonly [string, Json])[] {
    return [
      ["a number", 1],
      ["null", null],
      ["empty", ""],
      ["no hexadecimal", "g".repeat(64)],
      ["odd", NONCE.slice(1)],
      ["an object", { a: NONCE }],
      ["a list", [NONCE]],
      ["a line break", `${NONCE}\n`],
    ];
  }

  test("a nonce of 31 or 33 bytes is refused, its letter case is free", () => {
    const honest = PAIRS[0];
    if (honest === undefined) throw new Error("no pair");
    for (const nonce of [NONCE.slice(2), `${NONCE}00`]) {
      expect(told(review(honest.challenge.replace(NONCE, nonce), honest.request))).toEqual([
        `antireplay: "${nonce}" ≠ "32 bytes in hexadecimal" (rule)`,
      ]);
    }
    expect(review(honest.challenge.replace(NONCE, NONCE.toLowerCase()), honest.request).match).toBe(
      true,
    );
  });

  test("a nested type has no prefix to drop", () => {
    expect(pairOf("memo", '{"type":"APPROVE_X"}', '{"type":"CREATE_X"}').match).toBe(false);
  });

  test("E24 another type: a rejection is not an approval, and only one prefix is dropped", () => {
    const [pair] = PAIRS;
    if (pair === undefined) throw new Error("no pair");
    const withType = (type: string): string => pair.challenge.replace("APPROVE_TRANSACTION", type);
    for (const type of ["CREATE_TRANSACTION", "TRANSACTION"])
      expect(review(withType(type), pair.request).match).toBe(true);
    for (const type of ["REJECT_TRANSACTION", "ABORT_TRANSACTION"])
      expect(told(review(withType(type), pair.request))).toEqual([
        `type: "${type}" ≠ "an approval" (rule)`,
      ]);
    for (const type of [
      "CREATE_APPROVE_TRANSACTION",
      "approve_TRANSACTION",
      "APPROVE_ACCOUNT",
      "APPROVE_",
      "",
    ]) {
      expect(told(review(withType(type), pair.request))).toEqual([
        `type: "${type}" ≠ "CREATE_TRANSACTION" (server)`,
      ]);
    }
  });
});

describe("SIG-6 a field that the challenge leaves out", () => {
  for (const { name, challenge, request, requestOnly } of PAIRS) {
    const document = JSON.parse(challenge) as Json;
    for (const path of pathsOf(document).filter(
      (steps) => !/^(antireplay|challenge|type|data)$/.test(String(steps.at(-1))),
    )) {
      test(`${name}: without ${shown(path)} it is listed, and not everything is verified`, () => {
        const found = reviewChallenge({
          challenge: challengeOf(JSON.stringify(setAt(document, path, undefined))),
          sources: [sourceOf(request)],
        });
        if (typeof path.at(-1) === "number")
          return void expect([found.match, found.differences.length]).toEqual([false, 1]);
        expect(found.requestOnly.length).toBe(requestOnly.length + 1);
        expect(found.unverified.length).toBe(1);
        expect(found.requestOnly).toContain(found.unverified[0] ?? "");
      });
    }
  }

  test("fee strategy, ids, notes and null values are not content", () => {
    const [, pair] = PAIRS;
    if (pair === undefined) throw new Error("no pair");
    expect(review(pair.challenge, pair.request).unverified).toEqual([]);
  });
});

describe("SIG-6 content that only the request has", () => {
  const open = (data: unknown): readonly string[] =>
    review(simple(DATA), { type: "CREATE_TRANSACTION", data } as Request).unverified;
  const base = { transaction_type: "BITCOIN_LIKE_SEND" };

  test("a memo stays open although its name ends like an id", () => {
    for (const memo of [{ MEMO_ID: "123" }, { memoId: "123" }]) {
      expect(open({ ...base, transactionData: { ...DATA, memo } })).toEqual([
        `data.transactionData.memo.${Object.keys(memo)[0]}`,
      ]);
    }
  });

  test("ids and fee strategy beside the transaction's data do not", () => {
    const beside = {
      accountId: "a",
      whitelistIds: ["w"],
      feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
      note: null,
    };
    expect(open({ ...base, ...beside, transactionData: DATA })).toEqual([]);
  });

  test("anything else beside it does", () => {
    expect(open({ ...base, broadcast: false, transactionData: DATA })).toEqual(["data.broadcast"]);
  });
});
