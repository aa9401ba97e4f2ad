/**
 * What a release's signed list says: SHA256SUMS, and ECDSA P-256 over it (REL-3). Nothing in the
 * list counts before its signature does.
 */
import { createPublicKey, verify } from "node:crypto";
import { CliError } from "../../errors.ts";

/** Lines as sha256sum writes and checks them. */
const LINE = /^([0-9a-f]{64}) [ *]([A-Za-z0-9._+-]+)$/;

/**
 * The SHA-256 (lower-case hexadecimal) of the asset `name`. `key` is a SubjectPublicKeyInfo, DER in
 * base64; `signature` DER. Throws UPGRADE_FAILED when the signature is not the key's, and when the
 * list is malformed or does not name the asset exactly once.
 */
export function signedChecksum(
  list: Uint8Array,
  signature: Uint8Array,
  { key, name }: { readonly key: string; readonly name: string },
): string {
  if (!isSigned(list, signature, key)) {
    throw new CliError("UPGRADE_FAILED", {
      message: "The release's list of checksums is not signed with the release key.",
      hint: "Use nothing from this source. Nothing was changed; tell its operator and the maintainers.",
      retryable: false,
    });
  }
  const lines = Buffer.from(list).toString("latin1").replace(/\n$/, "").split("\n");
  const entries = lines.map((line) => LINE.exec(line));
  const sums = entries.filter((entry) => entry?.[2] === name).map((entry) => entry?.[1]);
  const [sum] = sums;
  if (entries.includes(null) || sums.length !== 1 || sum === undefined) {
    throw new CliError("UPGRADE_FAILED", {
      message: "SHA256SUMS has no entry for this version and platform.",
      details: { asset: name },
      retryable: false,
    });
  }
  return sum;
}

function isSigned(list: Uint8Array, signature: Uint8Array, key: string): boolean {
  const publicKey = createPublicKey({
    key: Buffer.from(key, "base64"),
    format: "der",
    type: "spki",
  });
  if (publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") return false;
  try {
    return verify("sha256", list, publicKey, signature);
  } catch {
    return false;
  }
}
