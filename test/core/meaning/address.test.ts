/** Addresses of each family, and addresses made to be mistaken for another. */
import { expect, test } from "bun:test";
import { bech32 } from "@scure/base";
import { checkAddress } from "../../../src/core/meaning/address.ts";
import { type Anchor, lookalikesOf } from "../../../src/core/meaning/lookalike.ts";
import { networkOf } from "../../../src/core/meaning/network.ts";

const COSMOS = bech32.encode("cosmos", bech32.toWords(new Uint8Array(20).fill(7)));

/** Published samples: BIP-173, BIP-350, SEP-23, CIP-19, EIP-55, XLS-5d, and well-known accounts. */
const SAMPLES: readonly (readonly [network: string, form: string, address: string])[] = [
  ["ethereum", "hex", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
  ["bitcoin", "p2wpkh", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
  ["bitcoin", "p2wpkh", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"],
  ["bitcoin", "p2wsh", "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"],
  ["bitcoin", "p2tr", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"],
  ["bitcoin", "p2pkh", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
  ["bitcoin", "p2sh", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"],
  ["bitcoin_testnet", "p2wpkh", "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"],
  ["bitcoin_testnet", "p2pkh", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"],
  ["litecoin", "p2pkh", "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1"],
  ["dogecoin", "p2pkh", "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L"],
  ["tron", "base58check", "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"],
  ["ripple", "classic", "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"],
  ["stellar", "G", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"],
  ["tezos", "tz1", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"],
  ["tezos", "KT1", "KT1PWx2mnDueood7fEmfbBDKx1D9BAnnXitn"],
  ["polkadot", "SS58", "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"],
  ["westend", "SS58", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"],
  ["cardano", "bech32", "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8"],
  ["cosmos", "bech32", COSMOS],
];

const check = (network: string, address: string) => checkAddress(address, networkOf(network));

test.each(SAMPLES)(
  "M18 %s, %s: %s is valid, and no character of it can change",
  (network, form, address) => {
    expect(check(network, address)).toEqual({ checksum: "valid", form });
    for (const at of [4, Math.floor(address.length / 2), address.length - 1]) {
      const other = /[a-f0-9]/i.test(address.charAt(at)) ? "c" : "2";
      const wrong = address.charAt(at).toLowerCase() === other ? "d" : other;
      const broken = `${address.slice(0, at)}${wrong}${address.slice(at + 1)}`;
      expect([broken, check(network, broken).checksum]).toEqual([broken, "invalid"]);
    }
  },
);

test("M18 forms without a checksum are well formed, and say so", () => {
  const lower = `0x${"b550388547691a526190d60c30c2f9e2af03ff3d"}`;
  expect(check("ethereum", lower)).toEqual({ checksum: "none", form: "hex" });
  expect(check("ethereum", `0x${lower.slice(2).toUpperCase()}`).checksum).toBe("none");
  expect(check("solana", "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU")).toEqual({
    checksum: "none",
    form: "ed25519",
  });
});

const BROKEN: readonly (readonly [network: string, address: string, why: string])[] = [
  ["ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", "checksum"],
  ["ethereum", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x and 40"],
  ["ethereum", `0x${"0".repeat(40)}`, "zero address"],
  ["ethereum", "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE", "means the coin"],
  ["bitcoin", "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq", "another network"],
  ["bitcoin_testnet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "another network"],
  ["bitcoin", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "another network"],
  // BIP-350: version 1 with bech32, and version 0 with bech32m.
  [
    "bitcoin",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "another witness version",
  ],
  ["bitcoin", "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "witness"],
  ["bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "another witness version"],
  ["bitcoin", "bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "checksum"],
  ["solana", "1".repeat(32), "system program"],
  ["solana", "SandboxSo1anaAccount111111111111111111111", "32 bytes"],
  ["tron", "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", "checksum"],
  ["polkadot", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "another network"],
  ["cardano", "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz", "another network"],
  ["stellar", "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR", "neither"],
  ["tezos", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "neither tz1"],
  ["bitcoin_testnet", "tb1qsandbox0client0a0collateral0000000001", "checksum"],
  ["ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe\u0501", "character"],
  ["ethereum", `0x${"a".repeat(5000)}`, "too long"],
];

test.each(BROKEN)("M18 %s refuses %s", (network, address, why) => {
  const { checksum, form, reason } = check(network, address);
  expect([checksum, form]).toEqual(["invalid", null]);
  expect(reason).toContain(why);
});

test("M18 an X-address contains the classic form and its tag", () => {
  // XLS-5d: r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59 with tag 1, and without a tag.
  expect(check("ripple", "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGZMhc9YTE92ehJ2Fu")).toEqual({
    checksum: "valid",
    form: "X-address",
    plain: "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59",
    tag: "1",
  });
  expect(check("ripple", "X7AcgcsBL6XDcUb289X4mJ8djcdyKaB5hJDWMArnXr61cqZ")).toEqual({
    checksum: "valid",
    form: "X-address",
    plain: "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59",
  });
});

test("M18 a muxed account contains its account and its id", () => {
  // SEP-23: the same account with id 9223372036854775808.
  const muxed = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK";
  expect(check("stellar", muxed)).toEqual({
    checksum: "valid",
    form: "M",
    plain: "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
    tag: "9223372036854775808",
  });
});

test("M18 what the program does not know is not checked, and is not refused", () => {
  for (const network of ["near", "filecoin", "bitcoin_cash", "komodo", "nothing"])
    expect(check(network, "anything")).toEqual({ checksum: "notChecked", form: null });
  expect(check("cardano", "DdzFFzCqrhsfZHjaBunVySZBU8i9Zom7").checksum).toBe("notChecked");
});

const MEANT: Anchor = {
  address: "0xd9A1b0B1e1aE382DbDc898Ea68012FfcB2853a91",
  family: "evm",
  of: 'whitelist "Suppliers", entry "Hosting"',
};
const PAID = "0xd9A1C3788D81257612E2581A6ea0aDa244853a91";

test("M19 the pair of 2024-05-03 is found, with the first difference", () => {
  expect(lookalikesOf(PAID, "evm", [MEANT])).toEqual([
    { address: MEANT.address, of: MEANT.of, firstDifference: 6 },
  ]);
  expect(lookalikesOf(PAID.toLowerCase(), "evm", [MEANT])).toHaveLength(1);
});

test("M19 the same address in another case, another family, or three equal characters are none", () => {
  expect(lookalikesOf(MEANT.address.toLowerCase(), "evm", [MEANT])).toEqual([]);
  expect(lookalikesOf(PAID, "evm", [{ ...MEANT, family: "tron" }])).toEqual([]);
  expect(lookalikesOf(`0xd9A0${PAID.slice(6)}`, "evm", [MEANT])).toEqual([]);
  expect(lookalikesOf(`${PAID.slice(0, -4)}4a91`, "evm", [MEANT])).toEqual([]);
});

test.each([
  // The fixed beginning is not evidence: five equal characters of which four are the prefix.
  [
    "bitcoin",
    "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
    "tb1q5tsjqqqqqqqqqqqqqqqqqqqqqqqqqqqqqntajq",
    1,
  ],
  [
    "bitcoin",
    "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
    "tb1q5zzzcyz7xmet07yxtumakt739y53hcttmntajq",
    0,
  ],
  ["tron", "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "TJRabxxxxxxxxxxxxxxxxxxxxxxxxxRTv8", 1],
  ["tron", "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "TjrabxxxxxxxxxxxxxxxxxxxxxxxxxRTv8", 0],
  [
    "solana",
    "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU",
    "7xKX111111111111111111111111111111111111gAsU",
    1,
  ],
  ["tezos", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "tz1KqTp11111111111111111111111111xZSx", 1],
] as const)("M19 %s: %s and %s: %d", (family, known, given, count) => {
  const anchors = [{ address: known, family, of: "x" }];
  expect(lookalikesOf(given, family, anchors)).toHaveLength(count);
});
