import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  type ChallengeShape,
  challengeOf,
  decodeChallenge,
  looksLikeToken,
} from "../../../src/core/signing/challenge.ts";
import { CliError } from "../../../src/errors.ts";
import { exact } from "../../../src/io/json.ts";
import { failureOf } from "../../support/failure.ts";
import forms from "../../vectors/challenge_forms.json" with { type: "json" };

const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");

const messageOf = (text: string): string => {
  const failure = failureOf(() => decodeChallenge(text));
  expect([failure.code, failure.exit]).toEqual(["INVALID_CHALLENGE", 2]);
  return failure.message;
};

describe("SIG-1 every form", () => {
  for (const row of forms.cases) {
    test(`E06 ${row.id} ${row.description}: ${row.expect}`, () => {
      if (row.expect === "reject") return void messageOf(row.value);
      if (row.expect === "accept") {
        expect(Buffer.from(decodeChallenge(row.value).bytes).toString("utf8")).toBe(
          row.payload_utf8 ?? "",
        );
        return;
      }
      try {
        const { bytes, shape } = decodeChallenge(row.value);
        expect(Buffer.from(bytes).toString("hex")).toBe(
          Buffer.from(row.value, "base64").toString("hex"),
        );
        expect(shape).toBe("opaque");
      } catch (failure) {
        expect(failure instanceof CliError && failure.code === "INVALID_CHALLENGE").toBe(true);
      }
    });
  }

  test("the set is complete", () => expect(forms.cases.length).toBe(23));

  test("every spelling of one payload has the same canonical text and digest", () => {
    const accepted = forms.cases
      .filter((row) => row.expect === "accept")
      .map(({ value }) => decodeChallenge(value));
    expect(new Set(accepted.map(({ base64url }) => base64url)).size).toBe(1);
    expect(accepted[0]?.base64url).not.toMatch(/[=+/]/);
    expect(accepted[0]?.payloadSha256).toBe(
      createHash("sha256").update(forms.payload_utf8).digest("hex"),
    );
  });

  test("trailing bits that are not zero are refused in either length", () => {
    expect(messageOf("e31=")).toContain("base64");
    expect(messageOf("eh==")).toContain("base64");
    expect(decodeChallenge("e30=").document?.text).toBe("{}");
  });

  test("both alphabets in one value are refused", () =>
    expect(messageOf("+_8=")).toContain("base64"));

  test("white space inside, also of other scripts, is refused", () => {
    for (const space of [" ", "\n", "\t", "\u00a0", "\u200b"]) messageOf(`e3${space}0=`);
  });

  test("E08 1 MiB is signed, one byte more is not", () => {
    expect(decodeChallenge(b64(new Uint8Array(1024 * 1024))).bytes.length).toBe(1024 * 1024);
    expect(messageOf(b64(new Uint8Array(1024 * 1024 + 1)))).toContain("1 MiB");
    expect(messageOf("A".repeat(8 * 1024 * 1024))).toContain("1 MiB");
  });

  test("the message says what was passed instead", () => {
    expect(messageOf('{"challenge":"e30="}')).toContain("JSON");
    expect(messageOf('"e30="')).toContain("quotes");
    expect(messageOf("e30.e30.AAAA")).toContain("signature");
  });
});

describe("SIG-5 what a challenge says", () => {
  const shapes: readonly (readonly [name: string, text: string, shape: ChallengeShape])[] = [
    [
      "the documented one",
      '{"antireplay":"00","data":{},"type":"APPROVE_TRANSACTION"}',
      "transaction",
    ],
    [
      "X1 the older one",
      '{"Transaction properties":{"Amount":"wei 1","Recipient address":"x","Max total fees":"wei 1"},"challenge":"00"}',
      "properties",
    ],
    [
      "X1 the older one with other labels",
      '{"Transaction properties":{"amount":"1"},"challenge":"00"}',
      "unknown",
    ],
    [
      "X1 the older one without a recipient",
      '{"Transaction properties":{"Amount":"wei 1","Max total fees":"wei 1"},"challenge":"00"}',
      "unknown",
    ],
    ["without antireplay", '{"data":{},"type":"T"}', "unknown"],
    ["type not text", '{"antireplay":"00","data":{},"type":1}', "unknown"],
    ["data not an object", '{"antireplay":"00","data":[],"type":"T"}', "unknown"],
    ["properties not an object", '{"Transaction properties":"x","challenge":"00"}', "unknown"],
    ["names only inherited", '{"__proto__":{"antireplay":"00","data":{},"type":"T"}}', "unknown"],
    ["the empty object", "{}", "unknown"],
    ["a list", "[]", "opaque"],
    ["a string", '"{}"', "opaque"],
    ["a number", "1", "opaque"],
    ["no JSON", "hello", "opaque"],
    ["JSON cut short", '{"type":"T"', "opaque"],
    ["two documents", "{}{}", "opaque"],
    ["JSON after a byte order mark", "\ufeff{}", "opaque"],
  ];
  for (const [name, text, shape] of shapes) {
    test(`E09 ${name}: ${shape}`, () => {
      const challenge = decodeChallenge(b64(text));
      expect(challenge.shape).toBe(shape);
      expect(challenge.document === undefined).toBe(shape === "opaque");
      expect(Buffer.from(challenge.bytes).toString("utf8")).toBe(text);
    });
  }

  test("E09 JSON in another encoding is opaque", () => {
    expect(decodeChallenge(b64(Buffer.from('{"a":"\xff"}', "latin1"))).shape).toBe("opaque");
    expect(decodeChallenge(b64(Buffer.from("{}", "utf16le"))).shape).toBe("opaque");
  });

  test("the document keeps digits, order and integer-like keys; the bytes keep everything", () => {
    const text = '{ "2": 12345678901234567890,\r\n "1": 0.10, "__proto__": 1e400 }';
    const challenge = decodeChallenge(b64(text));
    expect(challenge.document?.text).toBe('{"2":12345678901234567890,"1":0.10,"__proto__":1e400}');
    expect(Buffer.from(challenge.bytes).toString("utf8")).toBe(text);
  });

  for (const [name, text] of [
    ["at the top", '{"type":"A","type":"B"}'],
    ["deep inside a list", '{"data":{"list":[{"amount":"1","amount":"1000"}]}}'],
    ["in escapes", '{"amount":"1","\\u0061mount":"1000"}'],
    ["__proto__", '{"__proto__":1,"__proto__":2}'],
    ["in a list at the top", '[{"a":1,"a":2}]'],
  ] as const) {
    test(`E10 duplicate keys ${name}`, () => expect(messageOf(b64(text))).toContain("twice"));
  }
});

describe("the challenge in an answer", () => {
  for (const [name, answer] of [
    ["bare string", '"e30"'],
    ["documented", '{"challenge":"e30","id":5}'],
    ["in data", '{"data":{"challenge":"e30"}}'],
    ["both, equal", '{"challenge":"e30","data":{"challenge":"e30"}}'],
  ] as const) {
    test(name, () => expect(challengeOf(exact(answer))).toBe("e30"));
  }

  for (const [name, answer] of [
    ["none", "{}"],
    ["empty", '{"challenge":""}'],
    ["null", '{"challenge":null}'],
    ["a number", '{"challenge":12}'],
    ["an object", '{"challenge":{"challenge":"e30"}}'],
    ["data is text", '{"data":"e30"}'],
    ["two that differ", '{"challenge":"e30","data":{"challenge":"e31"}}'],
    ["a list", '["e30"]'],
    ["only inherited", '{"__proto__":{"challenge":"e30"}}'],
  ] as const) {
    test(`G refuses ${name}, naming the field`, () => {
      const failure = failureOf(() => challengeOf(exact(answer)));
      expect([failure.code, failure.exit, failure.facts.field]).toEqual([
        "INVALID_RESPONSE",
        5,
        "challenge",
      ]);
      expect(failure.message).toContain("challenge");
    });
  }
});

describe("SIG-8 payloads that look like a token", () => {
  for (const [text, expected] of [
    ['{"iss":"a","sub":"b","exp":1}', true],
    ['{"sub":"b"}', true],
    ['{"iss":"a","aud":["x"],"scope":"all","client_id":"c"}', true],
    ['{"sub":"b","amount":"1"}', false],
    ['{"antireplay":"00","data":{},"type":"T"}', false],
    ["{}", false],
    ["[]", false],
    ['{"toString":1}', false],
  ] as const) {
    test(`${text}: ${expected}`, () => expect(looksLikeToken(exact(text))).toBe(expected));
  }
});
