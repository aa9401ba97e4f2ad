/** Public keys as stores and people write them. */
import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { parsePublicKey } from "../../../src/core/auth/publickey.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const spki = publicKey.export({ format: "der", type: "spki" });
const pem = String(publicKey.export({ format: "pem", type: "spki" }));
const point = spki.subarray(-65);
const hex = point.toString("hex");

test.each([
  ["130 digits", hex],
  ["130 digits in upper case", hex.toUpperCase()],
  ["a PEM", pem],
  ["a PEM with CRLF", pem.replaceAll("\n", "\r\n")],
  ["base64 of the SPKI", spki.toString("base64")],
])("%s contains the point", (_name, text) => {
  expect(Buffer.from(parsePublicKey(text))).toEqual(Buffer.from(point));
});

const other = (namedCurve: string): Buffer =>
  generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "der", type: "spki" });

test.each([
  [
    "secp256k1",
    Buffer.from(`3056301006072a8648ce3d020106052b8104000a034200${hex}`, "hex").toString("base64"),
  ],
  ["P-384", other("secp384r1").toString("base64")],
  ["a point off the curve", `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}`],
  ["an SPKI with bytes behind", Buffer.concat([spki, Buffer.alloc(1)]).toString("base64")],
  ["the digits of another length form", `05${hex.slice(2)}`],
])("%s is not supported", (_name, text) => {
  expect(parsePublicKey(text)).toBe("unsupported");
});

test.each([
  ["nothing", ""],
  ["64 digits", hex.slice(0, 64)],
  ["129 digits", hex.slice(1)],
  ["a private key", pem.replaceAll("PUBLIC", "PRIVATE")],
  ["text", "my key"],
])("%s is malformed", (_name, text) => {
  expect(parsePublicKey(text)).toBe("malformed");
});
