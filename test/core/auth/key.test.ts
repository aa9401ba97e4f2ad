import { describe, expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync, sign, verify } from "node:crypto";
import {
  fingerprint,
  generateKeyPair,
  parsePrivateKey,
  publicKeyFromHex,
} from "../../../src/core/auth/key.ts";
import { CliError } from "../../../src/errors.ts";
import { failureOf } from "../../support/failure.ts";
import forms from "../../vectors/private_key_forms.json" with { type: "json" };

const SCALAR = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const PUBLIC =
  "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const OID_P256 = "06082a8648ce3d030107";
const OID_SECP256K1 = "06052b8104000a";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const refusalOf = (value: string): string => failureOf(() => parsePrivateKey(value)).code;

/** DER element of a hexadecimal body. */
function der(tag: string, ...bodies: readonly string[]): string {
  const body = bodies.join("");
  const length = body.length / 2;
  const size =
    length < 0x80
      ? length.toString(16).padStart(2, "0")
      : length < 0x100
        ? `81${length.toString(16)}`
        : `82${length.toString(16).padStart(4, "0")}`;
  return tag + size + body;
}

function pemOf(label: string, body: string): string {
  const lines = Buffer.from(body, "hex").toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

const toHex = (pem: string | Buffer): string => Buffer.from(pem).toString("hex");
const pemHex = (label: string, body: string): string => toHex(pemOf(label, body));

interface Sec1 {
  version?: string;
  scalar?: string;
  curve?: string;
  point?: string;
  /** Elements after the public half, inside its wrapper. */
  after?: string;
}

function sec1(parts: Sec1 = {}): string {
  const {
    version = "020101",
    scalar = SCALAR,
    curve = OID_P256,
    point = `00${PUBLIC}`,
    after = "",
  } = parts;
  return der(
    "30",
    version,
    der("04", scalar),
    curve === "" ? "" : der("a0", curve),
    point === "" ? "" : der("a1", der("03", point), after),
  );
}

const EC = "EC PRIVATE KEY";

describe("KEY-1 every documented form", () => {
  for (const { value, ...row } of forms.cases.map((entry) => ({
    ...entry,
    value: entry.value ?? "2d".repeat(524_288),
  }))) {
    test(`E01 ${row.id} ${row.description}: ${row.expect}`, () => {
      if (row.expect === "accept") {
        expect(hex(parsePrivateKey(value).publicKey)).toBe(row.public_key_uncompressed ?? "");
        return;
      }
      try {
        const { publicKey } = parsePrivateKey(value);
        expect(row.expect).toBe("either");
        expect(hex(publicKey)).toBe(row.public_key_uncompressed ?? "");
      } catch (failure) {
        if (!(failure instanceof CliError)) throw failure;
        expect(failure.code).toBe(
          row.expect === "reject" ? ((row.error ?? "") as CliError["code"]) : "INVALID_PRIVATE_KEY",
        );
        expect(failure.exit).toBe(2);
        expect(failure.cause).toBeUndefined();
        expect(failure.facts.details).toBeUndefined();
        if (row.id === "K39") expect(failure.message).toContain("too long");
        expectNoEcho(failure, value);
      }
    });
  }

  test("the set is complete", () => expect(forms.cases.length).toBe(35));
});

/**
 * Any eight characters of the value in what an error can show would be a leak. Words of PEM's own
 * framing are not secret.
 */
function expectNoEcho(failure: CliError, value: string): void {
  const shown = JSON.stringify([failure.message, failure.facts, failure.stack?.split("\n")[0]]);
  for (let at = 0; at + 8 <= Math.min(value.length, 20_000); at += 1) {
    const part = value.slice(at, at + 8);
    if (/\d/.test(part) && shown.includes(part))
      throw new Error(`a part of the value is in the error: ${part}`);
  }
}

describe("KEY-3 only P-256, only a scalar in range, only its own public key", () => {
  const P384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey;
  const P521 = generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey;
  const cases: readonly (readonly [name: string, value: string, code: CliError["code"]])[] = [
    ["scalar 0", pemHex(EC, sec1({ scalar: "00".repeat(32), point: "" })), "INVALID_PRIVATE_KEY"],
    [
      "scalar n",
      pemHex(
        EC,
        sec1({
          scalar: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
          point: "",
        }),
      ),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "scalar 2^256−1",
      pemHex(EC, sec1({ scalar: "ff".repeat(32), point: "" })),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "scalar of 31 bytes",
      pemHex(EC, sec1({ scalar: SCALAR.slice(2), point: "" })),
      "INVALID_PRIVATE_KEY",
    ],
    ["scalar of 33 bytes", pemHex(EC, sec1({ scalar: `00${SCALAR}` })), "INVALID_PRIVATE_KEY"],
    [
      "public half of another key",
      pemHex(EC, sec1({ scalar: `${SCALAR.slice(0, -1)}2` })),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "compressed public half of the other sign",
      pemHex(EC, sec1({ point: `0002${PUBLIC.slice(2, 66)}` })),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "public half with unused bits",
      pemHex(EC, sec1({ point: `01${PUBLIC}` })),
      "INVALID_PRIVATE_KEY",
    ],
    ["secp256k1", pemHex(EC, sec1({ curve: OID_SECP256K1, point: "" })), "UNSUPPORTED_KEY"],
    [
      "explicit curve parameters",
      pemHex(EC, sec1({ curve: der("30", "020101") })),
      "UNSUPPORTED_KEY",
    ],
    ["no curve named", pemHex(EC, sec1({ curve: "" })), "INVALID_PRIVATE_KEY"],
    ["version 2", pemHex(EC, sec1({ version: "020102" })), "INVALID_PRIVATE_KEY"],
    ["bytes after the structure", pemHex(EC, `${sec1()}00`), "INVALID_PRIVATE_KEY"],
    ["an element after the structure", pemHex(EC, `${sec1()}0500`), "INVALID_PRIVATE_KEY"],
    [
      "PKCS#8 version 1",
      pemHex("PRIVATE KEY", pkcs8(sec1({ curve: "" }), OID_P256, "020101")),
      "INVALID_PRIVATE_KEY",
    ],
    ["two public halves", pemHex(EC, sec1({ after: "0500" })), "INVALID_PRIVATE_KEY"],
    [
      "PEM without its padding",
      toHex(pemOf(EC, sec1()).replaceAll("=", "")),
      "INVALID_PRIVATE_KEY",
    ],
    ["length not in shortest form", pemHex(EC, `308177${sec1().slice(4)}`), "INVALID_PRIVATE_KEY"],
    ["indefinite length", pemHex(EC, `3080${sec1().slice(4)}0000`), "INVALID_PRIVATE_KEY"],
    ["length beyond the end", pemHex(EC, `3078${sec1().slice(4)}`), "INVALID_PRIVATE_KEY"],
    [
      "fields in another order",
      pemHex(
        EC,
        der(
          "30",
          "020101",
          der("04", SCALAR),
          der("a1", der("03", `00${PUBLIC}`)),
          der("a0", OID_P256),
        ),
      ),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "scalar twice",
      pemHex(EC, der("30", "020101", der("04", SCALAR), der("04", SCALAR), der("a0", OID_P256))),
      "INVALID_PRIVATE_KEY",
    ],
    ["SEC1 in a PKCS#8 envelope", pemHex("PRIVATE KEY", sec1()), "INVALID_PRIVATE_KEY"],
    [
      "PKCS#8 whose inner curve differs",
      pemHex("PRIVATE KEY", pkcs8(sec1({ curve: OID_SECP256K1, point: "" }))),
      "UNSUPPORTED_KEY",
    ],
    [
      "PKCS#8 on secp256k1",
      pemHex("PRIVATE KEY", pkcs8(sec1({ curve: "" }), OID_SECP256K1)),
      "UNSUPPORTED_KEY",
    ],
    ["E02 P-384", toHex(P384.export({ format: "pem", type: "pkcs8" })), "UNSUPPORTED_KEY"],
    ["E02 P-521", toHex(P521.export({ format: "pem", type: "sec1" })), "UNSUPPORTED_KEY"],
    ["E02 RSA PKCS#1", pemHex("RSA PRIVATE KEY", "3003020100"), "UNSUPPORTED_KEY"],
    ["E04 certificate", pemHex("CERTIFICATE", "3003020100"), "INVALID_PRIVATE_KEY"],
    ["OpenSSH", pemHex("OPENSSH PRIVATE KEY", "3003020100"), "INVALID_PRIVATE_KEY"],
    ["two keys", pemHex(EC, sec1()).repeat(2), "INVALID_PRIVATE_KEY"],
    [
      "a key and a certificate",
      pemHex(EC, sec1()) + pemHex("CERTIFICATE", "3003020100"),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "parameters of another curve before the key",
      pemHex("EC PARAMETERS", OID_SECP256K1) + pemHex(EC, sec1()),
      "UNSUPPORTED_KEY",
    ],
    [
      "E03 encrypted key after parameters",
      pemHex("EC PARAMETERS", OID_P256) + pemHex("ENCRYPTED PRIVATE KEY", "3003020100"),
      "ENCRYPTED_PRIVATE_KEY",
    ],
    [
      "base64url inside PEM",
      toHex(Buffer.from(pemHex(EC, sec1()), "hex").toString().replace("/4QC", "_4QC")),
      "INVALID_PRIVATE_KEY",
    ],
    [
      "hexadecimal wrapped over lines",
      pemHex(EC, sec1()).replace(/.{60}/g, "$&\n"),
      "INVALID_PRIVATE_KEY",
    ],
    ["fullwidth digits", pemHex(EC, sec1()).replace("2", "２"), "INVALID_PRIVATE_KEY"],
  ];
  for (const [name, value, code] of cases) test(name, () => expect(refusalOf(value)).toBe(code));

  test("the cases differ from an accepted key only in what they name", () => {
    for (const value of [
      pemHex(EC, sec1()),
      pemHex("PRIVATE KEY", pkcs8(sec1({ curve: "" }))),
      pemHex("PRIVATE KEY", pkcs8(sec1({ curve: "", point: "" }))),
    ]) {
      expect(hex(parsePrivateKey(value).scalar)).toBe(SCALAR);
    }
    expect(
      hex(
        parsePrivateKey(
          pemHex("EC PARAMETERS", OID_P256) + pemHex(EC, sec1({ curve: "", point: "" })),
        ).publicKey,
      ),
    ).toBe(PUBLIC);
    expect(
      hex(parsePrivateKey(pemHex(EC, sec1({ point: `0003${PUBLIC.slice(2, 66)}` }))).publicKey),
    ).toBe(PUBLIC);
  });

  test("the scalars next to the limits are keys", () => {
    const last = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    expect(hex(parsePrivateKey(pemHex(EC, sec1({ scalar: last, point: "" }))).scalar)).toBe(last);
    const one = `${"00".repeat(31)}01`;
    expect(
      hex(parsePrivateKey(pemHex(EC, sec1({ scalar: one, point: "" }))).publicKey),
    ).toStartWith("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0");
  });

  test("no cut of a key is a key, and none escapes as another error", () => {
    const body = sec1();
    for (let length = 0; length < body.length; length += 2)
      expect(refusalOf(pemHex(EC, body.slice(0, length)))).toBe("INVALID_PRIVATE_KEY");
  });

  test("no change of one byte leads to another key silently", () => {
    const body = Buffer.from(sec1(), "hex");
    for (let at = 0; at < body.length; at += 1) {
      const changed = Buffer.from(body);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(["INVALID_PRIVATE_KEY", "UNSUPPORTED_KEY"]).toContain(
        refusalOf(pemHex(EC, changed.toString("hex"))),
      );
    }
  });
});

function pkcs8(inner: string, curve = OID_P256, version = "020100"): string {
  return der("30", version, der("30", "06072a8648ce3d0201", curve), der("04", inner));
}

describe("SIG-9 key material", () => {
  test("wipe() overwrites the scalar and leaves the public key", () => {
    const key = parsePrivateKey(pemHex(EC, sec1()));
    key.wipe();
    expect(hex(key.scalar)).toBe("00".repeat(32));
    expect(hex(key.publicKey)).toBe(PUBLIC);
  });
});

describe("generateKeyPair", () => {
  test("makes a SEC1 PEM that this program and node:crypto read as the same key", () => {
    const { pemHex: made, publicKeyHex } = generateKeyPair();
    expect(publicKeyHex).toMatch(/^04[0-9a-f]{128}$/);
    expect(hex(parsePrivateKey(made).publicKey)).toBe(publicKeyHex);
    const pem = Buffer.from(made, "hex").toString("latin1");
    const key = createPrivateKey(pem);
    expect(pem).toBe(key.export({ format: "pem", type: "sec1" }).toString());
    const signature = sign("sha256", Buffer.from("x"), key);
    expect(verify("sha256", Buffer.from("x"), pem, signature)).toBe(true);
  });

  test("makes another one each time, always with the full 32 bytes", () => {
    const made = Array.from({ length: 2000 }, () => generateKeyPair());
    expect(new Set(made.map(({ pemHex: value }) => value)).size).toBe(2000);
    for (const { pemHex: value, publicKeyHex } of made)
      expect(hex(parsePrivateKey(value).publicKey)).toBe(publicKeyHex);
  });
});

describe("public keys", () => {
  test("fingerprint is SHA-256 of the 65 bytes", () => {
    expect(fingerprint(Buffer.from(PUBLIC, "hex"))).toBe(
      "b18b86ce1389e46de87aa4a5131ce83c1160fa33c087ab15b863574d31d8ff3c",
    );
  });

  test("publicKeyFromHex takes any letter case", () => {
    expect(hex(publicKeyFromHex(PUBLIC.toUpperCase()) ?? new Uint8Array())).toBe(PUBLIC);
  });

  for (const [name, text] of [
    ["a point off the curve", `${PUBLIC.slice(0, -1)}8`],
    ["coordinates not reduced", `04${"ff".repeat(64)}`],
    ["the origin", `04${"00".repeat(64)}`],
    ["a compressed point", `03${PUBLIC.slice(2, 66)}`],
    ["64 bytes", PUBLIC.slice(2)],
    ["66 bytes", `${PUBLIC}00`],
    ["white space around", ` ${PUBLIC}`],
    ["0x before", `0x${PUBLIC}`],
    ["hybrid form", `07${PUBLIC.slice(2)}`],
    ["nothing", ""],
  ] as const) {
    test(`publicKeyFromHex refuses ${name}`, () => expect(publicKeyFromHex(text)).toBeUndefined());
  }
});
