/** A key pair for one test, made by this runtime's own crypto. */
import { generateKeyPairSync } from "node:crypto";

export interface Pair {
  /** Hexadecimal of SEC1 PEM text, as the environment takes it. */
  readonly pemHex: string;
  readonly publicKeyPem: string;
}

export function keyPair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "sec1", format: "pem" }).toString();
  return {
    pemHex: Buffer.from(pem).toString("hex"),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}
