/**
 * Challenges and their signatures for API operators. The payload is the vendor's published sample:
 * compact JSON, names sorted, `antireplay` of 32 bytes in upper-case hexadecimal. The signature is
 * a compact JWS (RFC 7515 §7.1, ES256 of RFC 7518 §3.4) over exactly the bytes that were issued;
 * each works once, for one request and one user.
 */
import { verify } from "node:crypto";
import type { Switches } from "./faults.ts";
import type { Decision } from "./governance.ts";
import {
  encodeJson,
  fromPlain,
  type Json,
  type JsonObject,
  memberAt,
  readJson,
  textAt,
} from "./json.ts";
import { publicKeyOf } from "./keys.ts";
import { invalid, Refusal } from "./schema.ts";
import type { Random, User, VaultRequest } from "./workspace.ts";

type ChallengeSwitches = Pick<
  Switches,
  | "challengeShape"
  | "freshChallenges"
  | "alterChallenge"
  | "duplicateInChallenge"
  | "challengeBytes"
>;

interface Issued {
  readonly payload: Buffer;
  /** The switches under which it was made; other ones make a new challenge. */
  readonly made: string;
}

export class Challenges {
  readonly #random: Random;
  readonly #switches: ChallengeSwitches;
  readonly #open = new Map<string, Issued>();
  readonly #used = new Set<string>();

  constructor(random: Random, switches: ChallengeSwitches) {
    this.#random = random;
    this.#switches = switches;
  }

  /**
   * The challenge of one request for one user, in unpadded base64url. V1 has another one for a
   * rejection; V2 signs the same for both.
   */
  issue(request: VaultRequest, user: User, decision: Decision = "APPROVE"): string {
    const key = keyOf(request, user, decision);
    const { challengeShape, alterChallenge, duplicateInChallenge, challengeBytes } = this.#switches;
    const made = JSON.stringify([
      challengeShape,
      alterChallenge,
      duplicateInChallenge,
      challengeBytes,
    ]);
    const open = this.#open.get(key);
    const isKept = open?.made === made && !this.#switches.freshChallenges;
    const payload = isKept ? open.payload : this.#payload(request, decision);
    this.#open.set(key, { payload, made });
    return payload.toString("base64url");
  }

  /** True when this JWS was accepted before, for this request and user. */
  isUsed(request: VaultRequest, user: User, jws: string, decision: Decision = "APPROVE"): boolean {
    return this.#used.has(`${keyOf(request, user, decision)} ${jws.split(".")[1]}`);
  }

  /**
   * Accepts a JWS over the issued payload and voids it. Throws Refusal 400 that says which part is
   * wrong.
   */
  spend(request: VaultRequest, user: User, jws: string, decision: Decision = "APPROVE"): void {
    const key = keyOf(request, user, decision);
    const open = this.#open.get(key);
    if (open === undefined)
      throw new Refusal(400, "No challenge of this request is open for this user");
    verifyJws(jws, open.payload, user.pubKey);
    this.#open.delete(key);
    this.#used.add(`${key} ${jws.split(".")[1]}`);
  }

  #payload(request: VaultRequest, decision: Decision): Buffer {
    const { challengeShape, challengeBytes, alterChallenge, duplicateInChallenge } = this.#switches;
    if (challengeBytes !== null) return Buffer.from(challengeBytes, "base64");
    const antireplay = Buffer.from(this.#random(32)).toString("hex").toUpperCase();
    const isOlder =
      challengeShape === "transactionProperties" && request.type === "CREATE_TRANSACTION";
    const honest = isOlder
      ? propertiesShape(request, antireplay)
      : dataShape(request, antireplay, decision);
    const altered = Object.entries(alterChallenge ?? {}).reduce(
      (json, [path, value]) => alter(json, path.split("."), value),
      honest,
    );
    return Buffer.from(encodeMembers(altered, !isOlder, duplicateInChallenge ?? undefined));
  }
}

function keyOf(request: VaultRequest, user: User, decision: Decision): string {
  return `${request.id} ${user.id} ${decision}`;
}

/**
 * Of a transaction only what it moves: fee strategy, ids and note are not part of the challenge.
 */
function dataShape({ type, data }: VaultRequest, antireplay: string, decision: Decision): Json {
  const shown = type === "CREATE_TRANSACTION" ? transactionOf(data) : (snake(data) as JsonObject);
  return new Map<string, Json>([
    ["antireplay", antireplay],
    ["data", shown],
    ["type", `${decision}_${type.replace(/^CREATE_/, "")}`],
  ]);
}

/**
 * The older shape, as the vendor's only sample has it: labels with spaces, a unit word before each
 * amount, names in no order, the nonce in upper case. Only transactions have it.
 */
function propertiesShape({ data }: VaultRequest, antireplay: string): Json {
  const fields = memberAt(transactionOf(data), "transaction_data") as JsonObject;
  const family = /^[A-Z]+/.exec(textAt(data, "transactionType") ?? "")?.[0] ?? "";
  const amountOf = (name: string) => `${UNITS[family]} ${fields.get(name)}`;
  const fee = BigInt(String(fields.get("max_fees") ?? 0));
  const isGas = family === "ETHEREUM";
  const limit = fee % GAS === 0n ? GAS : 1n;
  const labels: readonly (readonly [label: string, value: Json, isShown: boolean])[] = [
    ["Max gas price", `${UNITS[family]} ${fee / limit}`, isGas],
    ["Amount", amountOf("amount"), fields.has("amount")],
    ["Max total fees", amountOf("max_fees"), fields.has("max_fees")],
    ["Recipient address", fields.get("recipient") ?? null, fields.has("recipient")],
    ["Gas limit", `${limit}`, isGas],
  ];
  const shown = labels.flatMap(([label, value, isShown]): [string, Json][] =>
    isShown ? [[label, value]] : [],
  );
  return new Map<string, Json>([
    ["Transaction properties", new Map(shown)],
    ["challenge", antireplay],
  ]);
}

const GAS = 21_000n;

/** What the vendor's sample calls the smallest unit; only Ethereum's is in it. */
const UNITS: Readonly<Record<string, string>> = {
  ...{ ETHEREUM: "swei", BITCOIN: "sat", SOLANA: "lamport", RIPPLE: "drop" },
  ...{ STELLAR: "stroop", TRON: "sun", TEZOS: "mutez", CARDANO: "lovelace" },
};

function transactionOf(data: JsonObject): JsonObject {
  const fields = new Map(snake(memberAt(data, "transactionData") ?? null) as JsonObject);
  const currency = fields.get("currency");
  if (typeof currency === "string") fields.set("currency", currency.replaceAll("_", " "));
  return new Map<string, Json>([
    ["transaction_data", fields],
    ["transaction_type", memberAt(data, "transactionType") ?? null],
  ]);
}

/**
 * Names in snake_case at every level but in an ABI and the arguments for it, which are the
 * contract's own; names that begin with a capital (MEMO_TEXT) stay. Throws
 * Refusal 400 when two become one.
 */
export function snake(json: Json): Json {
  if (Array.isArray(json)) return json.map(snake);
  if (!(json instanceof Map)) return json;
  const members = new Map<string, Json>();
  for (const [name, value] of json as JsonObject) {
    const renamed = name.replace(
      /([a-z0-9])([A-Z])/g,
      (_, before: string, capital: string) => `${before}_${capital.toLowerCase()}`,
    );
    if (members.has(renamed)) throw invalid(`Two names are the same in snake_case: ${renamed}`);
    const isForeign = renamed === "abi" || renamed === "function_arguments";
    members.set(renamed, isForeign ? value : snake(value));
  }
  return members;
}

function alter(json: Json, [name = "", ...rest]: readonly string[], value: unknown): Json {
  const members = new Map(json instanceof Map ? (json as JsonObject) : []);
  if (rest.length > 0) members.set(name, alter(members.get(name) ?? new Map(), rest, value));
  else if (value === null) members.delete(name);
  else members.set(name, fromPlain(value));
  return members;
}

/** Compact JSON, its names sorted or as they are; the member at `twice` is written two times. */
function encodeMembers(json: Json, isSorted: boolean, twice?: string, at = ""): string {
  if (Array.isArray(json))
    return `[${json.map((item: Json) => encodeMembers(item, isSorted)).join(",")}]`;
  if (!(json instanceof Map)) return encodeJson(json);
  const names = [...(json as JsonObject).keys()];
  const members = (isSorted ? names.sort() : names).flatMap((name) => {
    const inner = (json as JsonObject).get(name) ?? null;
    const member = `${JSON.stringify(name)}:${encodeMembers(inner, isSorted, twice, `${at}${name}.`)}`;
    return twice === `${at}${name}` ? [member, member] : [member];
  });
  return `{${members.join(",")}}`;
}

/** Checks a compact JWS against the payload and the registered public key. Throws Refusal 400. */
function verifyJws(jws: string, payload: Buffer, publicKey: string): void {
  const [header = "", body = "", signature = "", ...surplus] = jws.split(".");
  if (surplus.length > 0 || [header, body, signature].some((part) => !isBase64Url(part))) {
    throw wrong("The signature is not a compact JWS of three base64url parts");
  }
  const [head, signed, raw] = [header, body, signature].map((part) =>
    Buffer.from(part, "base64url"),
  );
  if (head === undefined || !isExpectedHeader(head))
    throw wrong('The JWS header must be {"alg":"ES256","typ":"JWT"}');
  if (!signed?.equals(payload)) throw wrong("The JWS payload is not the challenge that was issued");
  if (raw?.length !== 64) throw wrong("The JWS signature is not 64 bytes");
  if (isSignedBy(publicKey, `${header}.${body}`, raw)) return;
  throw wrong("The signature does not verify with the registered public key");
}

function isSignedBy(publicKey: string, text: string, signature: Buffer): boolean {
  try {
    return verify(
      "sha256",
      Buffer.from(text),
      { key: publicKeyOf(publicKey), dsaEncoding: "ieee-p1363" },
      signature,
    );
  } catch {
    return false; // the registered key is not a point of the curve
  }
}

function isBase64Url(part: string): boolean {
  return (
    /^[A-Za-z0-9_-]+$/.test(part) && Buffer.from(part, "base64url").toString("base64url") === part
  );
}

function isExpectedHeader(bytes: Buffer): boolean {
  try {
    const header = readJson(bytes);
    return (
      header instanceof Map &&
      header.size === 2 &&
      header.get("alg") === "ES256" &&
      header.get("typ") === "JWT"
    );
  } catch {
    return false;
  }
}

function wrong(issue: string): Refusal {
  return new Refusal(400, "The signature was refused", [issue]);
}
