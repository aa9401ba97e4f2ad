/**
 * Operator key pairs in the form that registration asks for: private as hexadecimal of SEC1 PEM
 * text, public as an uncompressed point.
 */
import { createECDH, createPrivateKey, createPublicKey } from "node:crypto";

export interface KeyPair {
  /** Hexadecimal of the PEM text (`EC PRIVATE KEY`). */
  readonly privateKey: string;
  /** 130 hexadecimal digits, `04` first. */
  readonly publicKey: string;
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
// RFC 5915 ECPrivateKey with the named curve P-256; the 32 bytes of the scalar
// are between the two parts, the 65 of the point behind them.
const DER_HEAD = Buffer.from("30770201010420", "hex");
const DER_MIDDLE = Buffer.from("a00a06082a8648ce3d030107a144034200", "hex");

/** A new P-256 pair whose scalar is the next fitting 32 bytes of `random`. */
export function makeKeyPair(random: (bytes: number) => Uint8Array): KeyPair {
  for (;;) {
    const scalar = Buffer.from(random(32));
    const value = BigInt(`0x${scalar.toString("hex")}`);
    if (value === 0n || value >= ORDER) continue;
    const curve = createECDH("prime256v1");
    curve.setPrivateKey(scalar);
    const point = curve.getPublicKey();
    const der = Buffer.concat([DER_HEAD, scalar, DER_MIDDLE, point]).toString("base64");
    const lines = der.match(/.{1,64}/g) ?? [];
    const pem = `-----BEGIN EC PRIVATE KEY-----\n${lines.join("\n")}\n-----END EC PRIVATE KEY-----\n`;
    return { privateKey: Buffer.from(pem).toString("hex"), publicKey: point.toString("hex") };
  }
}

/** The pair of a private key in hexadecimal PEM. Throws an Error when it is not a P-256 key. */
export function readKeyPair(privateKey: string): KeyPair {
  const pem = Buffer.from(privateKey, "hex").toString("latin1");
  const { crv, x, y } = createPublicKey(createPrivateKey(pem)).export({ format: "jwk" });
  if (crv !== "P-256" || x === undefined || y === undefined)
    throw new Error("The key is not on P-256.");
  const point = Buffer.concat([
    Buffer.from([4]),
    Buffer.from(x, "base64url"),
    Buffer.from(y, "base64url"),
  ]);
  return { privateKey, publicKey: point.toString("hex") };
}

/** `point` (130 hexadecimal digits) as a key that node:crypto verifies with. */
export function publicKeyOf(point: string) {
  const bytes = Buffer.from(point, "hex");
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33, 65)].map((half) =>
    half.toString("base64url"),
  );
  return createPublicKey({
    key: { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" },
    format: "jwk",
  });
}
