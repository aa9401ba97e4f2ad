/** The P-256 test key of RFC 6979, appendix A.2.5, in the form that registration asks for. */
import { createPrivateKey } from "node:crypto";

const scalar = Buffer.from(
  "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
  "hex",
);
const x = Buffer.from("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6", "hex");
const y = Buffer.from("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299", "hex");
const [d, jwkX, jwkY] = [scalar, x, y].map((part) => part.toString("base64url")) as [
  string,
  string,
  string,
];
const pem = createPrivateKey({
  key: { kty: "EC", crv: "P-256", d, x: jwkX, y: jwkY },
  format: "jwk",
}).export({
  type: "sec1",
  format: "pem",
});

export const privateKey = Buffer.from(pem.toString()).toString("hex");
export const publicKey = `04${x.toString("hex")}${y.toString("hex")}`;
