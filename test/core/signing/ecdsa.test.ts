/** DER is read strictly, and s is lowered without losing the signature. */
import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { lowerS, rawFromDer } from "../../../src/core/signing/ecdsa.ts";
import { derOf, isHigh, rawSignature } from "../../signers/signed.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

test("SIG-3 two hundred signatures: DER returns r and s, and s is in the lower half", () => {
  for (let at = 0; at < 200; at += 1) {
    const raw = rawSignature(privateKey, `${at}`);
    expect(Buffer.from(rawFromDer(derOf(raw)) ?? [])).toEqual(Buffer.from(raw));
    expect(isHigh(lowerS(raw))).toBe(false);
    expect(Buffer.from(lowerS(lowerS(raw)))).toEqual(Buffer.from(lowerS(raw)));
  }
});

const half = "11".repeat(32);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test.each([
  ["the shortest integers", "30 06 020101 020101"],
  ["33 bytes with the leading zero", `30 26 022100 ff${"11".repeat(31)} 020101`],
])("%s are read", (_name, der) => {
  expect(rawFromDer(hex(der))?.length).toBe(64);
});

test.each([
  ["nothing", ""],
  ["another sequence", "31 06 020101 020101"],
  ["a length that is too short", "30 05 020101 020101"],
  ["a length that is too long", "30 07 020101 020101"],
  ["a length in two bytes", "30 8106 020101 020101"],
  ["an indefinite length", "30 80 020101 020101 0000"],
  ["a superfluous zero", "30 07 02020001 020101"],
  ["a negative integer", "30 06 020180 020101"],
  ["an empty integer", "30 05 0200 020101"],
  ["one integer", "30 03 020101"],
  ["three integers", "30 09 020101 020101 020101"],
  ["bytes behind", "30 06 020101 020101 7001"],
  ["33 bytes that are a number", `30 26 022101 ${half} 020101`],
  ["another type", "30 06 020101 030101"],
  ["an integer that ends behind the sequence", "30 06 020101 020201"],
])("%s: not DER of a signature", (_name, der) => {
  expect(rawFromDer(hex(der))).toBeUndefined();
});
