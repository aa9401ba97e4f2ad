/**
 * Addresses checked offline, by the checksum that each family has. Sources: EIP-55, BIP-173,
 * BIP-350, and the address formats of the coins' own documentation.
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { base32nopad, base58, base58xrp, bech32, bech32m, createBase58check } from "@scure/base";
import { SEGWIT_WORDS } from "./bech32.ts";
import type { Network } from "./network.ts";

/** What can be said about an address without asking anybody. */
export interface AddressCheck {
  /**
   * `valid`: a checksum is right. `none`: well formed, but the form has no checksum. `invalid`: not
   * an address of this network. `notChecked`: the program does not know the form.
   */
  readonly checksum: "valid" | "none" | "invalid" | "notChecked";
  /** `p2wpkh`, `tz1`, …; null when invalid or unknown. */
  readonly form: string | null;
  /** Why it is invalid, as the end of a sentence. */
  readonly reason?: string;
  /** Tag or memo that the address itself contains (XRP X-address, Stellar M). */
  readonly tag?: string;
  /** The form that the API takes, where the given one is another. */
  readonly plain?: string;
}

type Check = (address: string, network: Network) => AddressCheck;

const invalid = (reason: string): AddressCheck => ({ checksum: "invalid", form: null, reason });
const valid = (form: string): AddressCheck => ({ checksum: "valid", form });
const NOT_CHECKED: AddressCheck = { checksum: "notChecked", form: null };

const base58check = createBase58check(sha256);

/** The bytes, or undefined when the text is not of this coding. */
function decoded(decode: (text: string) => Uint8Array, text: string): Uint8Array | undefined {
  try {
    return decode(text);
  } catch {
    return undefined;
  }
}

/** EIP-55 spelling of 40 lower-case hexadecimal digits. */
export function checksummed(lower: string): string {
  const hash = Buffer.from(keccak_256(Buffer.from(lower))).toString("hex");
  return lower.replace(/[a-f]/g, (letter, at: number) =>
    /[89a-f]/.test(hash.charAt(at)) ? letter.toUpperCase() : letter,
  );
}

function checkEvm(address: string): AddressCheck {
  if (!/^0x[0-9a-fA-F]{40}$/.test(address))
    return invalid("it is not 0x and 40 hexadecimal digits");
  const digits = address.slice(2);
  const lower = digits.toLowerCase();
  if (lower === "0".repeat(40)) return invalid("it is the zero address, which has no owner");
  if (lower === "e".repeat(40)) return invalid("it means the coin itself, and has no owner");
  if (digits === lower || digits === digits.toUpperCase()) return { checksum: "none", form: "hex" };
  return digits === checksummed(lower) ? valid("hex") : invalid("its EIP-55 checksum is wrong");
}

interface BitcoinLike {
  readonly hrp: string;
  readonly pubKeyHash: number;
  readonly scriptHash: number;
}

const BITCOIN_LIKE: Readonly<Record<string, BitcoinLike | undefined>> = {
  bitcoin: { hrp: "bc", pubKeyHash: 0x00, scriptHash: 0x05 },
  bitcoin_testnet: { hrp: "tb", pubKeyHash: 0x6f, scriptHash: 0xc4 },
  litecoin: { hrp: "ltc", pubKeyHash: 0x30, scriptHash: 0x32 },
  dogecoin: { hrp: "", pubKeyHash: 0x1e, scriptHash: 0x16 },
};

function checkBitcoin(address: string, { id }: Network): AddressCheck {
  const rules = BITCOIN_LIKE[id];
  if (rules === undefined) return NOT_CHECKED;
  const prefix = /^([a-z]{2,4})1/i.exec(address)?.[1]?.toLowerCase();
  if (prefix !== undefined && SEGWIT_WORDS.includes(prefix)) return checkSegwit(address, rules.hrp);
  const bytes = decoded(base58check.decode, address);
  if (bytes?.length !== 21) return invalid("its checksum is wrong, or it is another network's");
  if (bytes[0] === rules.pubKeyHash) return valid("p2pkh");
  return bytes[0] === rules.scriptHash ? valid("p2sh") : invalid("it is another network's");
}

function checkSegwit(address: string, hrp: string): AddressCheck {
  const [first, second] = [bech32.decodeUnsafe(address), bech32m.decodeUnsafe(address)];
  const found = first ?? second;
  if (found === undefined) return invalid("its bech32 checksum is wrong");
  if (found.prefix !== hrp) return invalid("it is another network's");
  const [version, ...words] = found.words;
  const program = bech32.fromWordsUnsafe(words);
  if (version === undefined || program === undefined) return invalid("its data is malformed");
  const isRightCoding = version === 0 ? first !== undefined : second !== undefined;
  if (!isRightCoding) return invalid("its checksum is that of another witness version");
  if (version === 0 && program.length === 20) return valid("p2wpkh");
  if (version === 0) return program.length === 32 ? valid("p2wsh") : invalid("its length is wrong");
  if (version > 16 || program.length < 2 || program.length > 40)
    return invalid("its witness program is malformed");
  return valid(version === 1 && program.length === 32 ? "p2tr" : `witness v${version}`);
}

function checkSolana(address: string): AddressCheck {
  if (decoded(base58.decode, address)?.length !== 32)
    return invalid("it is not 32 bytes in base58");
  if (/^1+$/.test(address)) return invalid("it is the system program, which has no owner");
  return { checksum: "none", form: "ed25519" };
}

function checkTron(address: string): AddressCheck {
  const bytes = decoded(base58check.decode, address);
  return bytes?.length === 21 && bytes[0] === 0x41
    ? valid("base58check")
    : invalid("its checksum is wrong, or it does not begin with T");
}

/** Base58 with the XRP alphabet and four bytes of double SHA-256. */
function decodeXrp(text: string): Uint8Array | undefined {
  const bytes = decoded(base58xrp.decode, text);
  if (bytes === undefined || bytes.length < 5) return undefined;
  const content = bytes.subarray(0, -4);
  const sum = sha256(sha256(content)).subarray(0, 4);
  return Buffer.from(sum).equals(bytes.subarray(-4)) ? content : undefined;
}

function encodeXrp(content: Uint8Array): string {
  return base58xrp.encode(Buffer.concat([content, sha256(sha256(content)).subarray(0, 4)]));
}

function checkRipple(address: string, { isTestnet }: Network): AddressCheck {
  const content = decodeXrp(address);
  if (content === undefined) return invalid("its checksum is wrong");
  if (content.length === 21 && content[0] === 0) return valid("classic");
  const prefix = Buffer.from(content.subarray(0, 2)).toString("hex");
  if (content.length !== 31 || prefix !== (isTestnet ? "0493" : "0544"))
    return invalid("it is not an address of this network");
  const view = new DataView(content.buffer, content.byteOffset);
  const [flag, tag] = [content[22], view.getUint32(23, true)];
  if ((flag !== 0 && flag !== 1) || view.getUint32(27, true) !== 0 || (flag === 0 && tag !== 0))
    return invalid("its tag is malformed");
  const plain = encodeXrp(Buffer.concat([Buffer.of(0), content.subarray(2, 22)]));
  return { ...valid("X-address"), plain, ...(flag === 1 ? { tag: `${tag}` } : {}) };
}

/** CRC-16/XMODEM: polynomial 0x1021, initial value 0. */
function crc16(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => {
    let crc = sum ^ (byte << 8);
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    return crc & 0xffff;
  }, 0);
}

const STELLAR_ACCOUNT = 6 << 3;
const STELLAR_MUXED = 12 << 3;

function checkStellar(address: string): AddressCheck {
  const bytes = decoded(base32nopad.decode, address);
  if (bytes === undefined || bytes.length < 3) return invalid("it is not base32");
  const content = Buffer.from(bytes.subarray(0, -2));
  const sum = Buffer.from(bytes.subarray(-2)).readUInt16LE();
  if (crc16(content) !== sum) return invalid("its checksum is wrong");
  if (content[0] === STELLAR_ACCOUNT && content.length === 33) return valid("G");
  if (content[0] !== STELLAR_MUXED || content.length !== 41)
    return invalid("it is neither an account (G) nor a muxed account (M)");
  const account = Buffer.concat([Buffer.of(STELLAR_ACCOUNT), content.subarray(1, 33)]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16LE(crc16(account));
  const plain = base32nopad.encode(Buffer.concat([account, crc]));
  return { ...valid("M"), plain, tag: `${content.readBigUInt64BE(33)}` };
}

const TEZOS: Readonly<Record<string, string>> = {
  "06a19f": "tz1",
  "06a1a1": "tz2",
  "06a1a4": "tz3",
  "025a79": "KT1",
};

function checkTezos(address: string): AddressCheck {
  const bytes = decoded(base58check.decode, address);
  const form = TEZOS[Buffer.from(bytes?.subarray(0, 3) ?? []).toString("hex")];
  return bytes?.length === 23 && form !== undefined
    ? valid(form)
    : invalid("its checksum is wrong, or it is neither tz1, tz2, tz3 nor KT1");
}

function checkPolkadot(address: string, { isTestnet }: Network): AddressCheck {
  const bytes = decoded(base58.decode, address);
  if (bytes?.length !== 35) return invalid("it is not a 32-byte account in SS58");
  const content = bytes.subarray(0, -2);
  const sum = blake2b(Buffer.concat([Buffer.from("SS58PRE"), content]), { dkLen: 64 });
  if (!Buffer.from(sum.subarray(0, 2)).equals(bytes.subarray(-2)))
    return invalid("its SS58 checksum is wrong");
  return bytes[0] === (isTestnet ? 42 : 0) ? valid("SS58") : invalid("it is another network's");
}

function checkCardano(address: string, { isTestnet }: Network): AddressCheck {
  if (/^(Ae2|DdzFF)/.test(address)) return NOT_CHECKED;
  const found = bech32.decodeUnsafe(address, 200);
  const bytes = found && bech32.fromWordsUnsafe(found.words);
  if (found === undefined || bytes === undefined) return invalid("its bech32 checksum is wrong");
  const isOfNetwork = (bytes[0] ?? 0) % 16 === (isTestnet ? 0 : 1);
  return found.prefix === (isTestnet ? "addr_test" : "addr") && isOfNetwork
    ? valid("bech32")
    : invalid("it is another network's, or not a payment address");
}

function checkCosmos(address: string): AddressCheck {
  const found = bech32.decodeUnsafe(address);
  const bytes = found && bech32.fromWordsUnsafe(found.words);
  if (found === undefined || bytes === undefined) return invalid("its bech32 checksum is wrong");
  return found.prefix === "cosmos" && (bytes.length === 20 || bytes.length === 32)
    ? valid("bech32")
    : invalid("it is another network's, or its length is wrong");
}

const CHECKS: Readonly<Partial<Record<Network["family"], Check>>> = {
  evm: checkEvm,
  bitcoin: checkBitcoin,
  solana: checkSolana,
  tron: checkTron,
  ripple: checkRipple,
  stellar: checkStellar,
  tezos: checkTezos,
  polkadot: checkPolkadot,
  cardano: checkCardano,
  cosmos: checkCosmos,
};

/** No form of any family is longer. */
const LONGEST_ADDRESS = 200;

/** Checks an address by the rules of a network; unknown families are `notChecked`. */
export function checkAddress(address: string, network: Network | undefined): AddressCheck {
  if (network === undefined) return NOT_CHECKED;
  if (address.length > LONGEST_ADDRESS) return invalid("it is too long");
  if (!/^[!-~]+$/.test(address)) return invalid("it has a character that no address has");
  return CHECKS[network.family]?.(address, network) ?? NOT_CHECKED;
}
