import { describe, expect, test } from "bun:test";
import { createPrivateKey, sign as cryptoSign } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { compactVerify, importJWK } from "jose";
import {
  baseMultiple,
  generateKeyPair,
  type PrivateKey,
  parsePrivateKey,
  publicKeyFromHex,
} from "../../../src/core/auth/key.ts";
import { parseJws, signJws, verifyJws } from "../../../src/core/signing/jws.ts";
import { p256By } from "../../../src/core/signing/noble.ts";
import { type Signer, verifySignature } from "../../../src/core/signing/signer.ts";
import { loadNoble, softwareSigner } from "../../../src/core/signing/software.ts";
import { CliError } from "../../../src/errors.ts";
import { failureOf } from "../../support/failure.ts";
import { notRun, textOf } from "../../support/given.ts";
import { bytesOfScalar, NONCES, signedWith } from "../../support/signing-outcomes.ts";
import signVectors from "../../vectors/es256_sign_vectors.json" with { type: "json" };
import rfc6979 from "../../vectors/rfc6979_a25_p256_sha256.json" with { type: "json" };
import rfc7515 from "../../vectors/rfc7515_a3_es256.json" with { type: "json" };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (text: string): Uint8Array => Buffer.from(text, "hex");
const b64url = (text: string | Uint8Array): string => Buffer.from(text).toString("base64url");
const HALF_ORDER = BigInt(`0x${rfc6979.order_n}`) / 2n;

function keyOf(scalarHex: string, publicHex: string): PrivateKey {
  const scalar = Uint8Array.from(bytesOf(scalarHex));
  return { scalar, publicKey: bytesOf(publicHex), wipe: () => void scalar.fill(0) };
}

const KEYS = {
  rfc6979: keyOf(
    signVectors.keys.rfc6979.private_scalar_hex,
    signVectors.keys.rfc6979.public_key_uncompressed,
  ),
  rfc7515: keyOf(
    signVectors.keys.rfc7515.private_scalar_hex,
    signVectors.keys.rfc7515.public_key_uncompressed,
  ),
};

async function rejectionOf(promise: Promise<unknown>): Promise<CliError> {
  const failure = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (failure instanceof CliError) return failure;
  throw new Error("resolved, or failed with another error");
}

describe("SIG-2 SIG-3 signing", () => {
  for (const vector of signVectors.vectors) {
    test(`E11 ${vector.id} ${vector.description}`, async () => {
      const key = KEYS[vector.key as keyof typeof KEYS];
      const jws = await signJws(
        Buffer.from(vector.challenge_base64, "base64"),
        await softwareSigner(key),
      );
      expect(jws).toBe(vector.jws_rfc6979_low_s);
      expect(verifyJws(jws, key.publicKey)).toBe(true);
      expect(verifyJws(vector.jws_rfc6979, key.publicKey)).toBe(true);
      expect(hex(parseJws(jws).payload)).toBe(hex(Buffer.from(vector.challenge_base64, "base64")));
    });
  }

  test("the set has 22 vectors", () => expect(signVectors.vectors.length).toBe(22));

  for (const { message_ascii: message, r, s, s_low: low } of rfc6979.vectors) {
    test(`RFC 6979 A.2.5 "${message}": its r, its s or the low form of it`, async () => {
      const signature = await (await softwareSigner(KEYS.rfc6979)).sign(Buffer.from(message));
      expect(hex(signature)).toBe(r + low);
      expect(verifySignature(Buffer.from(message), bytesOf(r + s), KEYS.rfc6979.publicKey)).toBe(
        true,
      );
    });
  }

  test("the runtime's multiples of the base point are noble's, at the edges and by chance", async () => {
    const chance = Array.from({ length: 40 }, () => p256.utils.randomSecretKey());
    for (const scalar of [...NONCES.map(bytesOfScalar), ...chance])
      expect(hex(baseMultiple(scalar))).toBe(hex(p256.getPublicKey(scalar, false)));
  });

  test.each(NONCES.map((nonce) => [nonce]))(
    "a signature with the nonce %d: r is its x",
    async (nonce) => {
      const { x } = p256.Point.BASE.multiply(nonce).toAffine();
      const signature = bytesOf(await signedWith(nonce));
      expect(hex(signature.subarray(0, 32))).toBe(hex(bytesOfScalar(x % p256.Point.Fn.ORDER)));
      expect(verifySignature(Buffer.from("sample"), signature, KEYS.rfc6979.publicKey)).toBe(true);
    },
  );

  test("no nonce outside 1…n−1 is multiplied", async () => {
    const asked: string[] = [];
    const multiple = (scalar: Uint8Array) => {
      asked.push(hex(scalar));
      return baseMultiple(scalar);
    };
    const { Point } = p256By({ hmac: () => new Uint8Array(32), multiple });
    const { ORDER } = Point.Fn;
    for (const scalar of [0n, -1n, ORDER, ORDER + 1n, 1n << 256n])
      expect(() => Point.BASE.multiply(scalar)).toThrow();
    expect(asked).toEqual([]);
  });

  test("RFC 7515 A.3 verifies although its s is high", () => {
    expect(
      BigInt(`0x${hex(parseJws(rfc7515.compact_jws).signature.subarray(32))}`) > HALF_ORDER,
    ).toBe(true);
    expect(verifyJws(rfc7515.compact_jws, KEYS.rfc7515.publicKey)).toBe(true);
    expect(verifyJws(rfc7515.compact_jws, KEYS.rfc6979.publicKey)).toBe(false);
  });

  test("E12 the same challenge twice leads to the same signature", async () => {
    const signer = await softwareSigner(KEYS.rfc7515);
    const [one, two] = [
      await signJws(Buffer.from("{}"), signer),
      await signJws(Buffer.from("{}"), signer),
    ];
    expect(one).toBe(two);
  });

  test("E14 jose verifies; s is low, 64 bytes, no padding, for many new keys", async () => {
    for (let round = 0; round < 24; round += 1) {
      const key = parsePrivateKey(generateKeyPair().pemHex);
      const payload = Buffer.from(`{"round":${round}}`);
      const jws = await signJws(payload, await softwareSigner(key));
      expect(jws).toMatch(/^eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]{86}$/);
      const [x, y] = [key.publicKey.subarray(1, 33), key.publicKey.subarray(33)].map(b64url);
      const { payload: seen } = await compactVerify(
        jws,
        await importJWK({ kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" }, "ES256"),
      );
      expect(hex(seen)).toBe(hex(payload));
      expect(BigInt(`0x${hex(parseJws(jws).signature.subarray(32))}`) <= HALF_ORDER).toBe(true);
    }
  });
});

/** The point behind this one: the same on the curve, with another x. */
function nextOf(point: Uint8Array): Uint8Array {
  const { Point } = p256;
  return Point.fromBytes(point).add(Point.BASE).toBytes(false);
}

describe("SIG-4 the self-check", () => {
  const faults: readonly (readonly [string, (signature: Uint8Array) => Uint8Array])[] = [
    ["one bit of r flipped", (signature) => signature.with(5, (signature[5] ?? 0) ^ 1)],
    ["one bit of s flipped", (signature) => signature.with(63, (signature[63] ?? 0) ^ 1)],
    ["cut to 63 bytes", (signature) => signature.subarray(0, 63)],
    ["a byte more", (signature) => Uint8Array.from([...signature, 0])],
    ["zeros", () => new Uint8Array(64)],
    ["nothing", () => new Uint8Array(0)],
  ];
  for (const [name, spoil] of faults) {
    test(`E25 ${name}: INTERNAL, nothing returned`, async () => {
      const signer = await softwareSigner(
        KEYS.rfc6979,
        async () => (message, scalar) => spoil(p256.sign(message, scalar)),
      );
      const failure = await rejectionOf(signJws(Buffer.from("{}"), signer));
      expect([failure.code, failure.exit]).toEqual(["INTERNAL", 1]);
    });
  }

  test("E25 a signature with another key, or over another message, is not returned", async () => {
    const otherKey = await softwareSigner(
      KEYS.rfc6979,
      async () => (message) => p256.sign(message, KEYS.rfc7515.scalar),
    );
    expect((await rejectionOf(otherKey.sign(Buffer.from("m")))).code).toBe("INTERNAL");
    const otherMessage = await softwareSigner(
      KEYS.rfc6979,
      async () => (_, scalar) => p256.sign(Buffer.from("n"), scalar),
    );
    expect((await rejectionOf(otherMessage.sign(Buffer.from("m")))).code).toBe("INTERNAL");
  });

  const multiples: readonly (readonly [string, (point: Uint8Array) => Uint8Array])[] = [
    ["of the next nonce", (point) => nextOf(point)],
    ["with a bit of x flipped", (point) => point.with(32, (point[32] ?? 0) ^ 1)],
    ["with a bit of y flipped", (point) => point.with(64, (point[64] ?? 0) ^ 1)],
    ["at infinity", () => Uint8Array.of(0)],
    ["of another form", (point) => Uint8Array.from([2, ...point.subarray(1)])],
    ["of nothing", () => new Uint8Array(65)],
  ];
  for (const [name, spoil] of multiples) {
    test(`E25 a multiple ${name}: INTERNAL, nothing returned`, async () => {
      const multiple = (scalar: Uint8Array) => spoil(baseMultiple(scalar));
      const signer = await softwareSigner(KEYS.rfc6979, () => loadNoble({ multiple }));
      const failure = await rejectionOf(signer.sign(Buffer.from("m")));
      expect([failure.code, failure.exit]).toEqual(["INTERNAL", 1]);
      expect(failure.message).toEndWith("nothing was signed.");
    });
  }

  test("SIG-9 a runtime without the curve signs nothing, and its error is not passed on", async () => {
    let nonce = "";
    const seen: Uint8Array[] = [];
    const multiple = (scalar: Uint8Array): Uint8Array => {
      nonce = hex(scalar);
      seen.push(scalar);
      throw new Error(`Invalid EC curve name for ${nonce}`);
    };
    const signer = await softwareSigner(KEYS.rfc6979, () => loadNoble({ multiple }));
    const failure = await rejectionOf(signer.sign(Buffer.from("m")));
    expect(failure.message).toBe("No signature could be made; nothing was signed.");
    expect(nonce).toMatch(/^[0-9a-f]{64}$/);
    expect(Bun.inspect(failure)).not.toContain(nonce.slice(0, 8));
    // The bytes of the nonce are overwritten.
    expect(seen.map(hex)).toEqual(["00".repeat(32)]);
  });

  test("SIG-9 an error of the arithmetic that quotes the scalar is not passed on", async () => {
    const signer = await softwareSigner(KEYS.rfc6979, async () => (_, scalar) => {
      throw new Error(`bad scalar ${hex(scalar)}`);
    });
    const failure = await rejectionOf(signer.sign(Buffer.from("m")));
    expect(failure.code).toBe("INTERNAL");
    expect(failure.cause).toBeUndefined();
    expect(JSON.stringify([failure.message, failure.facts])).not.toContain(
      hex(KEYS.rfc6979.scalar).slice(0, 8),
    );
  });

  test("SIG-9 a wiped key signs nothing", async () => {
    const key = keyOf(hex(KEYS.rfc6979.scalar), hex(KEYS.rfc6979.publicKey));
    const signer = await softwareSigner(key);
    key.wipe();
    expect((await rejectionOf(signer.sign(Buffer.from("m")))).code).toBe("INTERNAL");
  });

  test("a signer that is not ours is taken at its word: the interface is enough", async () => {
    const fixed: Signer = {
      publicKey: KEYS.rfc7515.publicKey,
      sign: async () => new Uint8Array(64),
    };
    expect(verifyJws(await signJws(Buffer.from("x"), fixed), fixed.publicKey)).toBe(false);
  });
});

describe("SIG-7 strict reading", () => {
  const [good = ""] = signVectors.vectors.map(({ jws_rfc6979_low_s: jws }) => jws);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const withHeader = (text: string): string => `${b64url(text)}.${payload}.${signature}`;
  const challenge = signVectors.vectors[0]?.challenge_base64url ?? "";
  const key = createPrivateKey({ key: { ...rfc7515.jwk }, format: "jwk" });
  const derSignature = b64url(cryptoSign("sha256", Buffer.from("x"), key));

  const cases: readonly (readonly [name: string, jws: string, says: RegExp])[] = [
    ["E15 empty", "", /empty/],
    ["E15 white space", " \n", /empty/],
    ["E15 two parts", `${header}.${payload}`, /three parts; this has 2/],
    ["E15 four parts", `${good}.AAAA`, /three parts; this has 4/],
    ["E15 five parts (JWE)", `${good}.AAAA.AAAA`, /three parts; this has 5/],
    ["E15 empty header", `.${payload}.${signature}`, /empty header/],
    ["E15 empty payload", `${header}..${signature}`, /empty payload/],
    ["E15 empty signature", `${header}.${payload}.`, /empty signature/],
    ["E16 63 bytes", `${header}.${payload}.${b64url(new Uint8Array(63))}`, /64 bytes.*has 63/],
    ["E16 65 bytes", `${header}.${payload}.${b64url(new Uint8Array(65))}`, /64 bytes.*has 65/],
    ["E16 DER", `${header}.${payload}.${derSignature}`, /64 bytes \(r and s, not DER\)/],
    ["E17 alg none", withHeader('{"alg":"none"}'), /ES256/],
    ["E17 alg HS256", withHeader('{"alg":"HS256"}'), /ES256/],
    ["E17 alg ES384", withHeader('{"alg":"ES384"}'), /ES256/],
    ["E17 alg es256", withHeader('{"alg":"es256"}'), /ES256/],
    ["E17 alg a list", withHeader('{"alg":["ES256"]}'), /ES256/],
    ["E17 alg null", withHeader('{"alg":null}'), /ES256/],
    ["E17 alg missing", withHeader('{"typ":"JWT"}'), /ES256/],
    ["E17 alg only inherited", withHeader('{"__proto__":{"alg":"ES256"}}'), /ES256/],
    ["E17 crit present", withHeader('{"alg":"ES256","crit":["b64"]}'), /'crit'/],
    ["E17 crit empty", withHeader('{"alg":"ES256","crit":[]}'), /'crit'/],
    ["E17 crit in escapes", withHeader('{"alg":"ES256","\\u0063rit":[]}'), /'crit'/],
    ["E17 b64 false", withHeader('{"alg":"ES256","b64":false}'), /'b64'/],
    ["E17 a key brought along", withHeader('{"alg":"ES256","jwk":{}}'), /'jwk'/],
    ["E17 duplicate alg", withHeader('{"alg":"ES256","alg":"none"}'), /unique keys/],
    [
      "E17 duplicate alg in escapes",
      withHeader('{"alg":"ES256","\\u0061lg":"none"}'),
      /unique keys/,
    ],
    ["E17 header a list", withHeader('["ES256"]'), /JSON object/],
    ["E17 header a string", withHeader('"ES256"'), /JSON object/],
    ["E17 header not JSON", withHeader("alg=ES256"), /JSON object/],
    ["E17 header with a comma too many", withHeader('{"alg":"ES256",}'), /JSON object/],
    [
      "E17 header not UTF-8",
      `${b64url(Buffer.from('{"alg":"ES256","x":"\xff"}', "latin1"))}.${payload}.${signature}`,
      /JSON object/,
    ],
    ["E18 padding in the signature", `${good}==`, /signature is not unpadded base64url/],
    [
      "E18 standard alphabet",
      `${header}.${payload}.${signature.replaceAll("-", "+").replaceAll("_", "/")}`,
      /signature is not unpadded base64url/,
    ],
    [
      "E18 padding in the header",
      `${header}=.${payload}.${signature}`,
      /header is not unpadded base64url/,
    ],
    [
      "E18 white space inside",
      `${header}.${payload} .${signature}`,
      /payload is not unpadded base64url/,
    ],
    [
      "E18 trailing bits not zero",
      `${good.slice(0, -1)}${good.endsWith("w") ? "x" : "w"}`,
      /signature is not unpadded base64url/,
    ],
    [
      "E18 look-alike letter",
      `${header}.${payload.replace("e", "е")}.${signature}`,
      /payload is not unpadded base64url/,
    ],
    [
      "longer than any signed challenge",
      `${header}.${"A".repeat(3 * 1024 * 1024)}.${signature}`,
      /longer/,
    ],
  ];
  for (const [name, jws, says] of cases) {
    test(name, () => {
      const failure = failureOf(() => parseJws(jws));
      expect([failure.code, failure.exit]).toEqual(["INVALID_SIGNATURE", 2]);
      expect(failure.message).toMatch(says);
      expect(failureOf(() => verifyJws(jws, KEYS.rfc6979.publicKey)).code).toBe(
        "INVALID_SIGNATURE",
      );
    });
  }

  test("E20 the challenge itself: the hint names `requests sign`", () => {
    for (const text of [
      challenge,
      signVectors.vectors[0]?.challenge_base64 ?? "",
      `${challenge}\n`,
    ]) {
      const failure = failureOf(() => parseJws(text));
      expect(failure.code).toBe("INVALID_SIGNATURE");
      expect(failure.facts.hint).toContain("requests sign");
    }
  });

  test("the untouched one is read, with white space around it too", () => {
    expect(hex(parseJws(`\n${good} `).signingInput)).toBe(hex(Buffer.from(`${header}.${payload}`)));
  });

  test("E19 each flipped bit of the signature is false, not an exception", () => {
    const bytes = parseJws(good).signature;
    for (let bit = 0; bit < 512; bit += 1) {
      const changed = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(verifyJws(`${header}.${payload}.${b64url(changed)}`, KEYS.rfc6979.publicKey)).toBe(
        false,
      );
    }
  });

  test("a public key off the curve, cut or compressed verifies nothing", () => {
    const point = KEYS.rfc6979.publicKey;
    const compressed = Uint8Array.from([3, ...point.subarray(1, 33)]);
    for (const key of [
      point.with(64, (point[64] ?? 0) ^ 1),
      point.subarray(1),
      compressed,
      point.with(0, 6 + ((point[64] ?? 0) & 1)),
      new Uint8Array(65),
      new Uint8Array(0),
    ]) {
      expect(verifyJws(good, key)).toBe(false);
    }
  });
});

const RAW = textOf("TEST_VECTORS", "crypto/wycheproof_ecdsa_secp256r1_sha256_p1363_test.json");
const JWS = textOf("TEST_VECTORS", "crypto/wycheproof_json_web_signature_es256.json");

interface RawGroups {
  testGroups: {
    publicKey: { uncompressed: string };
    tests: { tcId: number; msg: string; sig: string; result: string }[];
  }[];
}
interface JwsGroups {
  testGroups: {
    public: { x: string; y: string; use?: string; key_ops?: string[] };
    tests: { tcId: number; jws: string; result: string }[];
  }[];
}

if (RAW !== undefined && JWS !== undefined) {
  test("Wycheproof P-256 SHA-256 P1363: all 262 agree", () => {
    const { testGroups } = JSON.parse(RAW) as RawGroups;
    const wrong: number[] = [];
    let count = 0;
    for (const { publicKey, tests } of testGroups) {
      const key = publicKeyFromHex(publicKey.uncompressed) ?? new Uint8Array();
      for (const { tcId, msg, sig, result } of tests) {
        count += 1;
        if (verifySignature(bytesOf(msg), bytesOf(sig), key) !== (result === "valid"))
          wrong.push(tcId);
      }
    }
    expect({ count, wrong }).toEqual({ count: 262, wrong: [] });
  });

  test("Wycheproof JWS ES256: all 41 agree", () => {
    const { testGroups } = JSON.parse(JWS) as JwsGroups;
    const wrong: number[] = [];
    let count = 0;
    for (const { public: jwk, tests } of testGroups) {
      // A key that says it is not for signatures is for its holder to refuse; our keys come as bare
      // points, which cannot say so.
      const mayVerify = jwk.use !== "enc" && (jwk.key_ops?.includes("verify") ?? true);
      const key = Buffer.concat([
        Buffer.from([4]),
        Buffer.from(jwk.x, "base64url"),
        Buffer.from(jwk.y, "base64url"),
      ]);
      for (const { tcId, jws, result } of tests) {
        count += 1;
        if ((mayVerify && verifies(jws, key)) !== (result === "valid")) wrong.push(tcId);
      }
    }
    expect({ count, wrong }).toEqual({ count: 41, wrong: [] });
  });
} else {
  test.skipIf(true)(
    `Wycheproof: all 303 agree${notRun("TEST_VECTORS", "crypto/")}`,
    () => undefined,
  );
}

function verifies(jws: string, key: Uint8Array): boolean {
  try {
    return verifyJws(jws, key);
  } catch (failure) {
    if (failure instanceof CliError && failure.code === "INVALID_SIGNATURE") return false;
    throw failure;
  }
}
