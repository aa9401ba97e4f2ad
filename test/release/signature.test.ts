/** REL-3: the signed list counts for a key on P-256 alone, and names an asset once. */
import { expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { signedChecksum } from "../../src/core/release/signature.ts";

const SUM = "ab".repeat(32);

function checksumWith(namedCurve: string, list: string): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const key = publicKey.export({ format: "der", type: "spki" }).toString("base64");
  const bytes = Buffer.from(list);
  return signedChecksum(bytes, sign("sha256", bytes, privateKey), { key, name: "asset" });
}

test("REL-3 a list signed on P-256 contains the sum", () => {
  expect(checksumWith("P-256", `${SUM}  asset\n`)).toBe(SUM);
});

test.each(["P-384", "secp521r1"])("REL-3 a good signature on %s is none", (curve) => {
  expect(() => checksumWith(curve, `${SUM}  asset\n`)).toThrow("not signed with the release key");
});

test.each([
  ["another asset", `${SUM}  other\n`],
  ["the asset twice", `${SUM}  asset\n${SUM}  asset\n`],
  ["a line of another form", `${SUM}  asset\nx\n`],
  ["nothing", ""],
])("REL-3 a signed list with %s is refused", (_, list) => {
  expect(() => checksumWith("P-256", list)).toThrow("SHA256SUMS has no entry for this version");
});
