/**
 * The compact JWS that approves a request: made (SIG-2), read strictly (SIG-7) and verified. No
 * claims, no JWT library.
 */
import { CliError } from "../../errors.ts";
import { decodeBase64, encodeBase64Url } from "../../io/base64.ts";
import { decodeUtf8, exact, type Node, tree } from "../../io/json.ts";
import { type Signer, verifySignature } from "./signer.ts";

/** The protected header, byte for byte, in the order of the vendor's sample. */
const HEADER = encodeBase64Url(new TextEncoder().encode('{"alg":"ES256","typ":"JWT"}'));
const LONGEST_JWS = 2 * 1024 * 1024;
/**
 * Members that change what is signed, or bring a key along (RFC 7515 §4.1, RFC 7797). We understand
 * none, so none may be there.
 */
const FORBIDDEN_MEMBERS = ["crit", "b64", "jwk", "jku", "x5c", "x5u"];

/** A compact JWS in its parts; its signature is not verified by being here. */
export interface Jws {
  readonly payload: Uint8Array;
  /** 64 bytes, r‖s. */
  readonly signature: Uint8Array;
  /** ASCII of `header.payload` as it arrived: what the signature is over. */
  readonly signingInput: Uint8Array;
}

/**
 * Compact JWS over exactly these bytes (RFC 7515 §7.1, ES256). Throws INTERNAL when the signer's
 * own check fails.
 */
export async function signJws(payload: Uint8Array, signer: Signer): Promise<string> {
  const signingInput = `${HEADER}.${encodeBase64Url(payload)}`;
  const signature = await signer.sign(new TextEncoder().encode(signingInput));
  return `${signingInput}.${encodeBase64Url(signature)}`;
}

/**
 * Reads a compact JWS: three parts of canonical unpadded base64url, a header that is a JSON object
 * with `alg` ES256 and nothing that changes its meaning, a payload, 64 bytes of signature. Checks
 * no signature. Throws INVALID_SIGNATURE saying what is wrong.
 */
export function parseJws(text: string): Jws {
  const jws = text.trim();
  if (jws === "") throw invalid("The signature is empty.");
  if (jws.length > LONGEST_JWS)
    throw invalid("The signature is longer than a signed challenge can be.");
  const parts = jws.split(".");
  if (parts.length === 1 && decodeBase64(jws) !== undefined) {
    throw invalid(
      "This is a challenge, not a signature.",
      "Sign it first: requests sign --challenge …; then pass its 'signature'.",
    );
  }
  if (parts.length !== 3) throw invalid(`A compact JWS has three parts; this has ${parts.length}.`);
  const [header = "", payload = "", signature = ""] = parts;
  checkHeader(decodePart(header, "header"));
  const parsed = {
    payload: decodePart(payload, "payload"),
    signature: decodePart(signature, "signature"),
  };
  if (parsed.signature.length !== 64) {
    throw invalid(
      `An ES256 signature has 64 bytes (r and s, not DER); this has ${parsed.signature.length}.`,
    );
  }
  return { ...parsed, signingInput: new TextEncoder().encode(`${header}.${payload}`) };
}

/**
 * True when `text` is a JWS as `parseJws` takes it and its signature is `publicKey`'s (65 bytes).
 * Throws INVALID_SIGNATURE like `parseJws`.
 */
export function verifyJws(text: string, publicKey: Uint8Array): boolean {
  const { signingInput, signature } = parseJws(text);
  return verifySignature(signingInput, signature, publicKey);
}

function decodePart(part: string, name: string): Uint8Array {
  if (part === "") throw invalid(`The JWS has an empty ${name}.`);
  const bytes = /^[A-Za-z0-9_-]+$/.test(part) ? decodeBase64(part) : undefined;
  if (bytes === undefined) throw invalid(`The JWS's ${name} is not unpadded base64url.`);
  return bytes;
}

function checkHeader(bytes: Uint8Array): void {
  const header = readObject(bytes);
  if (header === undefined)
    throw invalid("The JWS's header is not a JSON object with unique keys.");
  const forbidden = FORBIDDEN_MEMBERS.find((name) => header.has(name));
  if (forbidden !== undefined)
    throw invalid(`The JWS's header has '${forbidden}', which is not accepted here.`);
  const alg = header.get("alg");
  if (alg?.kind !== "string" || alg.value !== "ES256")
    throw invalid("The JWS's header does not name the algorithm ES256.");
}

function readObject(bytes: Uint8Array): Map<string, Node> | undefined {
  try {
    const document = tree(exact(decodeUtf8(bytes, { bom: "refuse" })));
    return document.kind === "object" ? new Map(document.members) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string, hint?: string): CliError {
  return new CliError("INVALID_SIGNATURE", { message, ...(hint === undefined ? {} : { hint }) });
}
