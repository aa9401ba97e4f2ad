/** A grave warning about what a challenge means stops an approval until a person confirms it. */
import { describe, expect, test } from "bun:test";
import { readContent } from "../../src/core/meaning/content.ts";
import { summaryWith } from "../../src/core/meaning/meaning.ts";
import { NO_FACTS, type Summary, type Warning } from "../../src/core/meaning/parts.ts";
import { decodeChallenge } from "../../src/core/signing/challenge.ts";
import { reviewChallenge, reviewReport } from "../../src/core/signing/review.ts";
import { type Case, requireLeave, UNCONFIRMED } from "../../src/core/signing/verdict.ts";
import { CliError } from "../../src/errors.ts";
import { encode, exact } from "../../src/io/json.ts";

const DATA = {
  transaction_data: {
    ...{ account_name: "Hot", amount: "1000", currency: "bitcoin testnet", max_fees: "10" },
    recipient: "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv",
  },
  transaction_type: "BITCOIN_LIKE_SEND",
};
const CONTENT = JSON.stringify({
  antireplay: "AC".repeat(32),
  data: DATA,
  type: "APPROVE_TRANSACTION",
});
const challenge = decodeChallenge(Buffer.from(CONTENT).toString("base64url"));
const request = exact(JSON.stringify({ type: "CREATE_TRANSACTION", data: DATA }));
const review = reviewChallenge({ challenge, sources: [{ request, source: "server" }] });
const plain = await summaryWith(readContent(exact(CONTENT)), "challenge", NO_FACTS);

const warned = (...warnings: Warning[]): Summary => ({ ...plain, warnings });
const GRAVE: Warning = { code: "DELEGATECALL", grave: true, at: "call", message: "…" };
const MILD: Warning = { code: "TESTNET", grave: false, at: "network", message: "…" };

const asked = (changes: Partial<Case> = {}): Case => ({
  ...{ act: "decide", id: "7", decision: "APPROVE", challenge, review, wasRefused: false },
  ...{ confirmation: UNCONFIRMED, summary: warned(GRAVE) },
  ...changes,
});

function codeOf(changes: Partial<Case>): string {
  try {
    requireLeave(asked(changes));
    return "";
  } catch (cause) {
    if (cause instanceof CliError) return cause.code;
    throw cause;
  }
}

const CONFIRMED = { all: true, fields: new Set<never>() };

describe("M27 a grave warning", () => {
  test.each(["decide", "send"] as const)("M27 refuses to %s, and says what it is about", (act) => {
    expect(codeOf({ act })).toBe("MEANING_UNCLEAR");
    expect(() => requireLeave(asked({ act }))).toThrow("(DELEGATECALL)");
  });

  test("M27 is lifted by the confirmed digest alone", () => {
    expect(codeOf({ confirmation: CONFIRMED })).toBe("");
    // What --expect names is never the whole meaning.
    const fields = new Set(review.open);
    expect(codeOf({ confirmation: { all: false, fields } })).toBe("MEANING_UNCLEAR");
  });

  test("M27 does not stop a rejection, or a signature that is only handed out", () => {
    expect(codeOf({ decision: "REJECT" })).toBe("");
    expect(codeOf({ act: "sign" })).toBe("");
  });

  test("M27 comes after a difference: that is said first", () => {
    const other = exact(
      encode({ type: "CREATE_TRANSACTION", data: { ...DATA, transaction_type: "X" } }),
    );
    const refused = reviewChallenge({ challenge, sources: [{ request: other, source: "server" }] });
    expect(codeOf({ review: refused })).toBe("CHALLENGE_MISMATCH");
    expect(codeOf({ wasRefused: true, confirmation: CONFIRMED })).toBe("CHALLENGE_MISMATCH");
  });

  test("M27 other warnings stop nothing", () => {
    expect(codeOf({ summary: warned(MILD) })).toBe("");
    expect(codeOf({ summary: undefined })).toBe("");
  });
});

test("M15 a summary is beside the relayed members, and changes none of their bytes", () => {
  const { summary, ...rest } = reviewReport("7", challenge, review, plain);
  expect(encode(rest)).toBe(encode(reviewReport("7", challenge, review)));
  expect(encode(rest.decoded)).toBe(CONTENT);
  expect(Object.keys(reviewReport("7", challenge, review, plain))).toEqual([
    ...["requestId", "match", "sources", "summary", "differences", "unverified", "decoded"],
    ...["payloadSha256", "challenge", "requestOnly"],
  ]);
  expect(summary).toBe(plain);
});
