/**
 * What the signing core makes of every vector, as plain data: the same on every runtime, or one of
 * them signs what another refuses.
 */
import { parsePrivateKey, publicKeyFromHex } from "../../src/core/auth/key.ts";
import { decodeChallenge } from "../../src/core/signing/challenge.ts";
import { parseJws, signJws, verifyJws } from "../../src/core/signing/jws.ts";
import { reviewChallenge } from "../../src/core/signing/review.ts";
import { verifySignature } from "../../src/core/signing/signer.ts";
import { loadNoble, softwareSigner } from "../../src/core/signing/software.ts";
import { CliError } from "../../src/errors.ts";
import { exact } from "../../src/io/json.ts";
import challenges from "../vectors/challenge_forms.json" with { type: "json" };
import signVectors from "../vectors/es256_sign_vectors.json" with { type: "json" };
import keys from "../vectors/private_key_forms.json" with { type: "json" };
import rfc6979 from "../vectors/rfc6979_a25_p256_sha256.json" with { type: "json" };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function outcomeOf(run: () => string): string {
  try {
    return run();
  } catch (failure) {
    return failure instanceof CliError
      ? `${failure.code}: ${failure.message}`
      : `unexpected: ${String(failure)}`;
  }
}

/** DER that some runtimes load: numbers out of range, another key's public half, another curve. */
const STRANGE_SEC1: Readonly<Record<string, string>> = {
  "scalar zero": `3031020101042000${"00".repeat(31)}a00a06082a8648ce3d030107`,
  "scalar of all ones": `30310201010420${"ff".repeat(32)}a00a06082a8648ce3d030107`,
  secp256k1: `302e0201010420${"11".repeat(32)}a00706052b8104000a`,
  "no public half": `30310201010420${"11".repeat(32)}a00a06082a8648ce3d030107`,
  "another public half": `30770201010420${"11".repeat(32)}a00a06082a8648ce3d030107a144034200${signVectors.keys.rfc6979.public_key_uncompressed}`,
};

const pemHex = (der: string): string =>
  Buffer.from(
    `-----BEGIN EC PRIVATE KEY-----\n${Buffer.from(der, "hex").toString("base64")}\n-----END EC PRIVATE KEY-----\n`,
  ).toString("hex");

/** Nonces at the edges of 1…n−1, where multiplications go wrong. */
export const NONCES: readonly bigint[] = [
  ...[1n, 2n, 3n, 255n, 1n << 128n, 1n << 255n],
  ...[BigInt(`0x${rfc6979.order_n}`) - 2n, BigInt(`0x${rfc6979.order_n}`) - 1n],
];

/** 32 bytes, big-endian. */
export function bytesOfScalar(scalar: bigint): Uint8Array {
  return Buffer.from(scalar.toString(16).padStart(64, "0"), "hex");
}

/** A signature of RFC 6979's key over "sample" with that nonce, whatever the RFC says. */
export async function signedWith(nonce: bigint): Promise<string> {
  const key = signVectors.keys.rfc6979;
  const publicKey = Buffer.from(key.public_key_uncompressed, "hex");
  const scalar = Buffer.from(key.private_scalar_hex, "hex");
  const load = () => loadNoble({ hmac: () => Uint8Array.from(bytesOfScalar(nonce)) });
  const signer = await softwareSigner({ scalar, publicKey, wipe: () => undefined }, load);
  return hex(await signer.sign(Buffer.from("sample")));
}

/** One line for each vector. */
export async function outcomes(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { id, value } of keys.cases) {
    const text = value ?? "2d".repeat(524_288);
    found[`key ${id}`] = outcomeOf(() => hex(parsePrivateKey(text).publicKey));
  }
  for (const [name, der] of Object.entries(STRANGE_SEC1)) {
    found[`key ${name}`] = outcomeOf(() => hex(parsePrivateKey(pemHex(der)).publicKey));
  }
  for (const { id, value } of challenges.cases) {
    found[`challenge ${id}`] = outcomeOf(
      () => `${decodeChallenge(value).shape} ${decodeChallenge(value).payloadSha256}`,
    );
  }
  for (const {
    id,
    key: name,
    challenge_base64: challenge,
    jws_rfc6979: high,
  } of signVectors.vectors) {
    const key = signVectors.keys[name as keyof typeof signVectors.keys];
    const publicKey = Buffer.from(key.public_key_uncompressed, "hex");
    const scalar = Buffer.from(key.private_scalar_hex, "hex");
    const signer = await softwareSigner({ scalar, publicKey, wipe: () => void scalar.fill(0) });
    found[`sign ${id}`] = await signJws(Buffer.from(challenge, "base64"), signer);
    found[`verify ${id}`] = String(verifyJws(high, publicKey));
    const flipped = parseJws(high).signature.with(0, (parseJws(high).signature[0] ?? 0) ^ 1);
    found[`verify flipped ${id}`] = String(
      verifySignature(parseJws(high).signingInput, flipped, publicKey),
    );
  }
  for (const nonce of NONCES) found[`nonce ${nonce}`] = await signedWith(nonce);
  found["off curve"] = String(publicKeyFromHex(`04${"11".repeat(64)}`));
  found.review = JSON.stringify(reviewSample());
  return found;
}

function reviewSample(): unknown {
  const request =
    '{"type":"CREATE_T","data":{"transactionData":{"currency":"a_b","maxFees":9007199254740993}}}';
  const text = `{"antireplay":"${"0".repeat(64)}","data":{"transaction_data":{"currency":"a b","max_fees":9007199254740992}},"type":"APPROVE_T"}`;
  const challenge = decodeChallenge(Buffer.from(text).toString("base64"));
  return reviewChallenge({ challenge, sources: [{ request: exact(request), source: "record" }] });
}

/**
 * Verifies a Wycheproof set of raw signatures; returns the ids that disagree and how many there
 * were.
 */
export function wycheproof(text: string): string {
  const { testGroups } = JSON.parse(text) as {
    testGroups: {
      publicKey: { uncompressed: string };
      tests: { tcId: number; msg: string; sig: string; result: string }[];
    }[];
  };
  const tests = testGroups.flatMap(({ publicKey, tests }) =>
    tests.map((entry) => ({ ...entry, key: publicKey.uncompressed })),
  );
  const wrong = tests.filter(({ key, msg, sig, result }) => {
    const point = publicKeyFromHex(key) ?? new Uint8Array();
    return (
      verifySignature(Buffer.from(msg, "hex"), Buffer.from(sig, "hex"), point) !==
      (result === "valid")
    );
  });
  return JSON.stringify({ count: tests.length, wrong: wrong.map(({ tcId }) => tcId) });
}
