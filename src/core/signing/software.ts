/**
 * Signs with a key in memory: noble's deterministic ECDSA (RFC 6979), low-S (SIG-3), each signature
 * checked by node:crypto (SIG-4).
 */
import { createHash, createHmac } from "node:crypto";
import { CliError } from "../../errors.ts";
import { baseMultiple, type PrivateKey } from "../auth/key.ts";
import type { Primitives } from "./noble.ts";
import { type Signer, verifySignature } from "./signer.ts";

/** 64 bytes r‖s over SHA-256(message) with a 32-byte scalar. */
export type Ecdsa = (message: Uint8Array, scalar: Uint8Array) => Uint8Array;

/**
 * A signer over `key`, which stays the caller's to wipe. `load` brings the arithmetic; another one
 * is how a test injects a fault (E25). `sign` throws INTERNAL when the arithmetic fails or its
 * result does not verify; the failed signature goes nowhere, nor does its cause, which may quote
 * the scalar.
 */
export async function softwareSigner(
  key: PrivateKey,
  load: () => Promise<Ecdsa> = () => loadNoble(),
): Promise<Signer> {
  const ecdsa = await load();
  return {
    publicKey: key.publicKey,
    async sign(message) {
      const signature = attempt(() => ecdsa(message, key.scalar));
      if (signature === undefined) throw failed("No signature could be made; nothing was signed.");
      if (verifySignature(message, signature, key.publicKey)) return signature;
      throw failed("The signature just made does not verify; nothing was signed.");
    },
  };
}

/**
 * RFC 6979 leaves nothing open: the signature does not hang on what hashes and multiplies. `by`
 * computes in place of the runtime, which is how a test injects a fault.
 */
export async function loadNoble(by: Partial<Primitives> = {}): Promise<Ecdsa> {
  const { p256By } = await import("./noble.ts");
  const curve = p256By({ hmac: runtimeHmac, multiple: baseMultiple, ...by });
  return (message, scalar) => {
    const digest = createHash("sha256").update(message).digest();
    return curve.sign(digest, scalar, { lowS: true, prehash: false });
  };
}

function runtimeHmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return Uint8Array.from(createHmac("sha256", key).update(message).digest());
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function failed(message: string): CliError {
  return new CliError("INTERNAL", { message });
}
