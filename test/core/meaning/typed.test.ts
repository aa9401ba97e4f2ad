/** EIP-712: our hashes against two libraries, and messages that mean two things. */
import { describe, expect, test } from "bun:test";
import { TypedDataEncoder } from "ethers";
import { hashTypedData } from "viem";
import { messageWarnings } from "../../../src/core/meaning/dangers.ts";
import { readMessage } from "../../../src/core/meaning/evm/message.ts";
import { readTyped, TypedFault } from "../../../src/core/meaning/evm/typed.ts";
import { exact, tree } from "../../../src/io/json.ts";
import { TYPED_DATA, WITHOUT_VECTORS } from "./vectors.ts";

const read = (document: unknown) => readTyped(tree(exact(JSON.stringify(document))));

function fault(document: unknown): string {
  try {
    read(document);
  } catch (cause) {
    if (cause instanceof TypedFault) return cause.message;
    throw cause;
  }
  return "accepted";
}

/** The example of EIP-712. */
const MAIL = {
  types: {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    Person: [
      { name: "name", type: "string" },
      { name: "wallet", type: "address" },
    ],
    Mail: [
      { name: "from", type: "Person" },
      { name: "to", type: "Person" },
      { name: "contents", type: "string" },
    ],
  },
  primaryType: "Mail",
  domain: {
    name: "Ether Mail",
    version: "1",
    chainId: 1,
    verifyingContract: "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
  },
  message: {
    from: { name: "Cow", wallet: "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
    to: { name: "Bob", wallet: "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
    contents: "Hello, Bob!",
  },
};

test("M26 the example of EIP-712 has its published digests", () => {
  expect(read(MAIL)).toMatchObject({
    "EIP-712 Digest": "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2",
    "Domain Hash": "0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f",
    "Message Hash": "0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e",
  });
});

/** A Safe before 1.3.0 has no chain id in its domain; a reader must not add one. */
const SAFE_TYPES = {
  SafeTx: [
    ...["address to", "uint256 value", "bytes data", "uint8 operation", "uint256 safeTxGas"],
    ...["uint256 baseGas", "uint256 gasPrice", "address gasToken", "address refundReceiver"],
    "uint256 nonce",
  ].map((one) => ({ type: one.split(" ")[0] ?? "", name: one.split(" ")[1] ?? "" })),
};
const BYBIT = {
  primaryType: "SafeTx",
  message: {
    to: "0x96221423681A6d52E184D440a8eFCEbB105C7242",
    value: "0",
    data: `0xa9059cbb${"bdd077f651ebe7f7b3ce16fe5f2b025be2969516".padStart(64, "0")}${"0".repeat(64)}`,
    operation: 1,
    safeTxGas: "45746",
    baseGas: "0",
    gasPrice: "0",
    gasToken: `0x${"0".repeat(40)}`,
    refundReceiver: `0x${"0".repeat(40)}`,
    nonce: "71",
  },
};
const WALLET = "0x1Db92e2EeBC8E0c075a02BeA49a2935BcD2dFCF4";

test("M26 the transaction of 2025-02-21 has another hash with a chain id than without", () => {
  const of = (domain: object) => read({ types: SAFE_TYPES, domain, ...BYBIT })["EIP-712 Digest"];
  const [without, withChain] = [
    of({ verifyingContract: WALLET }),
    of({ chainId: 1, verifyingContract: WALLET }),
  ];
  expect(without).toStartWith("0xb3476d06");
  expect(without).toEndWith("04f8");
  expect(withChain).toStartWith("0x00816067");
  expect(withChain).toEndWith("e18e");
});

test("M33 a Safe's message with a price for gas is grave: the Safe pays it as a refund", () => {
  const message = { ...BYBIT.message, operation: 0, baseGas: "9000000", gasToken: WALLET };
  const of = (gasPrice: unknown) =>
    readMessage(
      "EIP-712",
      tree(
        exact(
          JSON.stringify({
            types: SAFE_TYPES,
            domain: { verifyingContract: WALLET },
            primaryType: "SafeTx",
            message: { ...message, gasPrice },
          }),
        ),
      ),
      { tokenAt: () => undefined, readable: () => undefined },
    );
  const warned = (gasPrice: unknown) =>
    messageWarnings(of(gasPrice)).map(({ code, grave }) => (grave ? `${code}!` : code));
  for (const none of ["0", 0, "0x0"]) expect(warned(none)).toEqual(["LOOKS_LIKE_TRANSFER"]);
  for (const some of ["1", 1, "0x01"])
    expect(warned(some)).toEqual(["GAS_REFUND!", "LOOKS_LIKE_TRANSFER"]);
});

const changed = (change: (mail: typeof MAIL & Record<string, unknown>) => void): unknown => {
  const copy = structuredClone(MAIL) as typeof MAIL & Record<string, unknown>;
  change(copy);
  return copy;
};

test.each([
  [
    "an unknown member of the message",
    changed((m) => Object.assign(m.message, { extra: 1 })),
    "unknown member",
  ],
  [
    "an unknown member deeper",
    changed((m) => Object.assign(m.message.to, { extra: 1 })),
    "unknown member",
  ],
  ["a missing member", changed((m) => Reflect.deleteProperty(m.message.to, "wallet")), "missing"],
  ["a type that nothing uses", changed((m) => Object.assign(m.types, { Loose: [] })), "not used"],
  [
    "a member that a type has twice",
    changed((m) => m.types.Person.push({ name: "name", type: "string" })),
    "twice",
  ],
  ["a domain member that its type lacks", changed((m) => m.types.EIP712Domain.pop()), "domain"],
  [
    "a domain type with another type",
    changed((m) => Object.assign(m.types.EIP712Domain[2] ?? {}, { type: "string" })),
    "domain",
  ],
  ["an unknown domain member", changed((m) => Object.assign(m.domain, { owner: "x" })), "domain"],
  ["a member beside the four", changed((m) => Object.assign(m, { note: "x" })), "unknown member"],
  [
    "a wrong checksum",
    changed((m) =>
      Object.assign(m.message.to, { wallet: "0xBbBBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" }),
    ),
    "checksum",
  ],
  [
    "a negative unsigned number",
    changed((m) => Object.assign(m.domain, { chainId: -1 })),
    "not of type uint256",
  ],
  [
    "a number beyond its type",
    changed((m) => Object.assign(m.domain, { chainId: `${2n ** 256n}` })),
    "not of type uint256",
  ],
  ["a fraction", changed((m) => Object.assign(m.domain, { chainId: 1.5 })), "not of type uint256"],
  ["a missing type", changed((m) => Object.assign(m, { primaryType: "Letter" })), "missing"],
  [
    "text in place of an object",
    changed((m) => Object.assign(m.message, { to: "Bob" })),
    "not an object",
  ],
] as const)("M26 %s is refused", (_, document, why) => {
  expect(fault(document)).toContain(why);
});

test("M26 an unknown member that ethers would ignore leads to the hash of another message", () => {
  const { EIP712Domain: _, ...types } = MAIL.types;
  const surplus = { ...MAIL.message, extra: "all my tokens" };
  expect(TypedDataEncoder.hash(MAIL.domain, types, surplus)).toBe(read(MAIL)["EIP-712 Digest"]);
});

test("M26 numbers are taken in any of their spellings, and in the range of their type", () => {
  const types = { T: [{ name: "n", type: "int8" }] };
  const of = (n: unknown) =>
    fault({ types, primaryType: "T", domain: { name: "x" }, message: { n } });
  expect(["-128", -128, "0x7f", 127, "127"].map(of)).toEqual(Array(5).fill("accepted"));
  expect(["-129", 128, "0x80", "", "1e2", true].filter((n) => of(n) === "accepted")).toEqual([]);
});

test("M21 a type that contains itself ends, and a deep message is refused", () => {
  const types = { T: [{ name: "next", type: "T[]" }] };
  const deep = Array.from({ length: 200 }).reduce<object>((next) => ({ next: [next] }), {
    next: [],
  });
  const of = (message: object) =>
    fault({ types, primaryType: "T", domain: { name: "x" }, message });
  expect(of({ next: [{ next: [] }] })).toBe("accepted");
  expect(of(deep)).toContain("nested deeper");
});

describe.skipIf(TYPED_DATA === undefined)(
  `the public registry's messages${WITHOUT_VECTORS}`,
  () => {
    const cases = TYPED_DATA ?? [];

    test("M26 with addresses in one case, 134 of 135 hash as two libraries hash them", () => {
      expect(cases).toHaveLength(135);
      const refused: string[] = [];
      for (const { from, typedData } of cases) {
        const text = JSON.stringify(typedData);
        const lower = text.replace(/0x[0-9a-fA-F]{40}(?![0-9a-fA-F])/g, (one) => one.toLowerCase());
        const document = JSON.parse(lower) as typeof typedData;
        if (fault(document) !== "accepted") {
          refused.push(`${from}: ${fault(document)}`);
          continue;
        }
        const { EIP712Domain: _, ...types } = document.types;
        const ours = read(document)["EIP-712 Digest"];
        expect(ours).toBe(TypedDataEncoder.hash(document.domain, types, document.message));
        expect(ours).toBe(hashTypedData(document as never));
      }
      // Its domain type has a version that its domain lacks: the two libraries disagree about it.
      expect(refused).toEqual([
        "registry/permit/testsv2/eip712-permit-avalanche_c_chain-yetiswap.tests.json: the type of the domain does not fit the domain",
      ]);
    });

    test("M26 as they are, those with a wrong checksum are refused, as both libraries do", () => {
      const wrong = cases.filter(({ typedData }) => fault(typedData).includes("checksum"));
      expect(wrong).toHaveLength(18);
      for (const { typedData } of wrong) {
        const { EIP712Domain: _, ...types } = typedData.types;
        expect(() => TypedDataEncoder.hash(typedData.domain, types, typedData.message)).toThrow();
        expect(() => hashTypedData(typedData as never)).toThrow();
      }
    });
  },
);
