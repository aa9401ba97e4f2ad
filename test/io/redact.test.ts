/**
 * SEC-1: no spelling of a secret reaches a stream, and what is not secret stays readable and valid.
 */
import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { exact, print, tree } from "../../src/io/json.ts";
import { maskHeaders, maskNamed, REDACTED, Redactor } from "../../src/io/redact.ts";

/** Every kind of character that a spelling treats differently. */
const SECRET = "s3cr3t/va+lue \"q\\é'~==";

function knowing(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.learn(secret);
  return redactor;
}

const lower = (text: string): string =>
  text.replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase());

test("SEC-1 a redactor that begins with another's knowledge, which neither adds to afterwards", () => {
  const [first, second, third] = ["the-first-secret", "the-second-secret", "the-third-secret"];
  const known = knowing(first);
  const own = new Redactor(known);
  own.learn(second);
  known.learn(third);
  const text = `${btoa(first)} ${second} ${third}`;
  expect(own.clean(text)).toBe(`${REDACTED} ${REDACTED} ${third}`);
  expect(known.clean(text)).toBe(`${REDACTED} ${second} ${REDACTED}`);
  expect(new Redactor(own).cleanJson(JSON.stringify(text))).toBe(
    JSON.stringify(`${REDACTED} ${REDACTED} ${third}`),
  );
  expect(new Redactor(new Redactor()).clean(text)).toBe(text);
});

describe("SEC-1 spellings of a secret in text", () => {
  const hex = Buffer.from(SECRET).toString("hex");
  const form = new URLSearchParams({ v: SECRET }).toString().slice(2);
  test.each([
    ["as it is", SECRET],
    ["JSON-escaped", JSON.stringify(SECRET).slice(1, -1)],
    ["URL-encoded", encodeURIComponent(SECRET)],
    ["URL-encoded in lower case", lower(encodeURIComponent(SECRET))],
    ["in a form", form],
    ["in a form in lower case", lower(form)],
    ["hexadecimal", hex],
    ["HEXADECIMAL", hex.toUpperCase()],
    ["base64", Buffer.from(SECRET).toString("base64")],
    ["base64url", Buffer.from(SECRET).toString("base64url")],
  ])("%s", (_name, spelling) => {
    expect(knowing(SECRET).clean(`<${spelling}>${spelling}.`)).toBe(`<${REDACTED}>${REDACTED}.`);
  });

  /**
   * A secret that holds only one such character must not be taken for one that every spelling
   * leaves as it is.
   */
  test.each(Array.from({ length: 95 }, (_, at) => String.fromCharCode(0x20 + at)))(
    "with %j in it",
    (character) => {
      const secret = `s3cr3t${character}v4lue`;
      const redactor = knowing(secret);
      const spellings = [
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret),
        `${new URLSearchParams({ v: secret })}`.slice(2),
      ];
      for (const spelling of spellings.flatMap((one) => [one, lower(one)]))
        expect(redactor.clean(spelling)).toBe(REDACTED);
    },
  );

  test.each(["base64", "base64url"] as const)(
    "inside other data in %s, at each of the three places",
    (alphabet) => {
      for (const before of ["", "x", "xy", "xyz", "user:"]) {
        for (const after of ["", "1", "12", "123"]) {
          const cleaned = knowing(SECRET).clean(
            Buffer.from(`${before}${SECRET}${after}`).toString(alphabet),
          );
          expect(cleaned).toContain(REDACTED);
          // What is left decodes to what stood around it, but for the bits shared with a neighbour.
          const left = cleaned
            .split(REDACTED)
            .map((part) => Buffer.from(part, "base64").toString());
          expect(left.join("").length).toBeLessThanOrEqual(before.length + after.length + 2);
          for (const part of [SECRET.slice(2, 6), SECRET.slice(6, 10)])
            expect(left.join("")).not.toContain(part);
        }
      }
    },
  );
});

describe("SEC-1 a private key", () => {
  const pem = generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "sec1", format: "pem" })
    .toString();
  const lines = pem.trim().split("\n");
  const hex = Buffer.from(pem).toString("hex");

  test.each([
    ["the value as configured", hex],
    ["in the other letter case", hex.toUpperCase()],
    ["the PEM behind it", pem],
    ["the PEM with other line ends", pem.replaceAll("\n", "\r\n")],
    ["the PEM inside JSON", JSON.stringify(pem)],
    ["its base64 in one piece", lines.slice(1, -1).join("")],
    ["one line of it", lines[1] ?? "missing"],
  ])("%s", (_name, spelling) => {
    const cleaned = knowing(hex).clean(`a ${spelling} b`);
    expect(cleaned).toContain(REDACTED);
    for (const line of [
      ...lines.slice(1, -1),
      hex.slice(100, 140),
      hex.slice(100, 140).toUpperCase(),
    ]) {
      expect(cleaned).not.toContain(line);
    }
  });

  test("its base64 in one piece is masked as one, with its last characters", () => {
    const shortTail =
      "-----BEGIN PRIVATE KEY-----\nabcdefghijklmnop\nqrs=\n-----END PRIVATE KEY-----\n";
    expect(knowing(shortTail).clean("<abcdefghijklmnopqrs=>")).toBe(`<${REDACTED}>`);
  });

  test("a scalar in hexadecimal is known as the bytes that it encodes, alone and inside a key file", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { d = "" } = privateKey.export({ format: "jwk" });
    const redactor = knowing(Buffer.from(d, "base64url").toString("hex"));
    expect(redactor.clean(`{"d":"${d}"}`)).toBe(`{"d":"${REDACTED}"}`);
    for (const type of ["sec1", "pkcs8"] as const) {
      const der = privateKey.export({ type, format: "der" });
      for (const text of [der.toString("base64"), der.toString("hex")]) {
        const cleaned = redactor.clean(text);
        expect(cleaned).toContain(REDACTED);
        expect(cleaned.length).toBeLessThan(text.length - 28);
      }
    }
  });

  test("given as PEM, its hexadecimal form is known, too", () => {
    expect(knowing(pem).clean(hex)).toBe(REDACTED);
  });
});

describe("SEC-1 JSON stays valid", () => {
  const cleanJson = (json: string, ...secrets: readonly string[]): string => {
    const cleaned = knowing(...secrets).cleanJson(json);
    expect(() => JSON.parse(cleaned)).not.toThrow();
    return cleaned;
  };

  test("whatever spelling of escapes the string has", () => {
    const spelled = [...SECRET]
      .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
    for (const inner of [
      spelled,
      JSON.stringify(SECRET).slice(1, -1),
      JSON.stringify(SECRET).slice(1, -1).replaceAll("/", "\\/"),
    ]) {
      expect(cleanJson(`{"a":"x${inner}y","b":1.0}`, SECRET)).toBe(`{"a":"x${REDACTED}y","b":1.0}`);
    }
  });

  test("in keys, nested JSON and beside characters that need escapes", () => {
    expect(cleanJson('{"k-abcdefgh":["\\u202e abcdefgh \\n"]}', "abcdefgh")).toBe(
      `{"k-${REDACTED}":["\\u202e ${REDACTED} \\n"]}`,
    );
    const nested = JSON.stringify({ body: JSON.stringify({ secret: SECRET }) });
    expect(cleanJson(nested, SECRET)).toBe(
      JSON.stringify({ body: JSON.stringify({ secret: REDACTED }) }),
    );
  });

  test("a secret of digits inside a number hides the number", () => {
    expect(cleanJson('{"a":123456789012,"b":[-12345678,1],"c":"12345678"}', "12345678")).toBe(
      `{"a":"${REDACTED}","b":["${REDACTED}",1],"c":"${REDACTED}"}`,
    );
  });

  test("a secret that looks like the end of an escape or like a literal destroys nothing", () => {
    expect(cleanJson('["\\u0041bcdefg","\\nlineabcd"]', "0041bcdefg", "nlineabcd")).toBe(
      '["\\u0041bcdefg","\\nlineabcd"]',
    );
    expect(cleanJson('{"complete":true,"x":null}', "true", "null", '":true,"')).toBe(
      '{"complete":true,"x":null}',
    );
  });

  test("without a secret in it the text is the same string", () => {
    const json = '{"a":"\\u0041\\/","b":1.0}';
    expect(knowing(SECRET).cleanJson(json)).toBe(json);
    expect(new Redactor().cleanJson(json)).toBe(json);
  });
});

describe("SEC-1 short values", () => {
  test("one to three characters are not masked: that would destroy the output and tell the secret", () => {
    expect(knowing("a", "12", "abc", "").clean("a 12 abc banana")).toBe("a 12 abc banana");
  });

  test("four to seven characters are masked where they are words of their own", () => {
    expect(
      knowing("test", "1234567").clean(
        "test=test&x-test. bitcoin_testnet contest 1234567 12345678",
      ),
    ).toBe(`${REDACTED}=${REDACTED}&x-${REDACTED}. bitcoin_testnet contest ${REDACTED} 12345678`);
  });

  test("eight and more are masked everywhere", () => {
    expect(knowing("abcdefgh").clean("xabcdefghx")).toBe(`x${REDACTED}x`);
  });
});

describe("SEC-1 several secrets", () => {
  test("one that contains another is masked whole, overlapping ones as one", () => {
    expect(knowing("abcdefgh", "abcdefghijkl").clean("-abcdefghijkl-abcdefgh-")).toBe(
      `-${REDACTED}-${REDACTED}-`,
    );
    expect(knowing("aaaabbbb", "bbbbcccc").clean("xaaaabbbbccccx")).toBe(`x${REDACTED}x`);
    expect(knowing("aaaaaaaa").clean(`x${"a".repeat(20)}x`)).toBe(`x${REDACTED}x`);
  });

  test("neighbours are masked each", () => {
    expect(knowing("aaaabbbb", "ccccdddd").clean("aaaabbbbccccdddd")).toBe(REDACTED + REDACTED);
  });

  test("a secret learnt later is masked from then on", () => {
    const redactor = knowing("first-secret");
    expect(redactor.clean("first-secret second-secret")).toBe(`${REDACTED} second-secret`);
    redactor.learn("second-secret");
    expect(redactor.clean("first-secret second-secret")).toBe(`${REDACTED} ${REDACTED}`);
  });

  test("every secret is found at every place, among many", () => {
    const secrets = Array.from(
      { length: 40 },
      (_, at) => `${at}-${"abcdefghij".slice(at % 5)}${at * 7919}-${at}`,
    );
    const redactor = knowing(...secrets);
    for (const secret of secrets) {
      for (const before of ["", "x", "xy", "-1-"])
        expect(redactor.clean(`${before}${secret}!`)).toBe(`${before}${REDACTED}!`);
    }
  });

  test("a value that is not Unicode text is masked all the same", () => {
    expect(knowing("half\ud800secret").clean("=half\ud800secret=")).toBe(`=${REDACTED}=`);
  });
});

describe("SEC-1 masking by name", () => {
  test("names of secrets at every depth; what a person must review stays", () => {
    const document = exact(
      '{"apiKeyId":"id","apiKeySecret":"a","api_key_secret":"b","data":[{"accessToken":"c","refresh_token":null,"privateKey":{"d":1}}],' +
        '"Authorization":"e","password":1.50,"isSecret":true,"token":"USDC","tokenMint":"f","token_address":"0x1","contractAddress":"0x2",' +
        '"publicKey":"g","secrets":["h"],"amount":1.0}',
    );
    expect(print(maskNamed(tree(document)))).toBe(
      '{"apiKeyId":"id","apiKeySecret":"[redacted]","api_key_secret":"[redacted]","data":[{"accessToken":"[redacted]","refresh_token":null,' +
        '"privateKey":"[redacted]"}],"Authorization":"[redacted]","password":"[redacted]","isSecret":true,"token":"USDC","tokenMint":"f",' +
        '"token_address":"0x1","contractAddress":"0x2","publicKey":"g","secrets":"[redacted]","amount":1.0}',
    );
  });

  test("headers", () => {
    const headers = {
      authorization: "Bearer x",
      "Proxy-Authorization": "x",
      Cookie: "x",
      "set-cookie": "x",
      "X-Ledger-Reporting-API-Key": "x",
      "X-Auth-Token": "x",
      "content-type": "application/json",
      "X-Ledger-Workspace": "w",
    };
    const masked = Object.entries(maskHeaders(headers)).filter(([, shown]) => shown === REDACTED);
    expect(masked.map(([name]) => name)).toEqual(Object.keys(headers).slice(0, 6));
    expect(maskHeaders(headers)).toMatchObject({
      "content-type": "application/json",
      "X-Ledger-Workspace": "w",
    });
  });
});
