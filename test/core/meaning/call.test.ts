/** Calldata: what is decoded, what is refused, and what is dangerous. */
import { describe, expect, test } from "bun:test";
import { AbiCoder, concat, Interface, keccak256, Transaction, toBeHex } from "ethers";
import { decodeFunctionData, encodeFunctionData, parseAbi, toFunctionSelector } from "viem";
import { callLines, callWarnings } from "../../../src/core/meaning/dangers.ts";
import {
  type Call,
  type CallFacts,
  isUnlimited,
  readCall,
} from "../../../src/core/meaning/evm/call.ts";
import {
  bytesOf,
  encodeCall,
  parseSignature,
  signatureOf,
} from "../../../src/core/meaning/evm/calldata.ts";
import { FUNCTIONS } from "../../../src/core/meaning/evm/functions.ts";
import { readMessage } from "../../../src/core/meaning/evm/message.ts";
import { TRANSACTIONS, WITHOUT_VECTORS } from "./vectors.ts";

const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
const STRANGER = "0xb550388547691a526190d60C30C2f9E2af03fF3D";
const SAFE = "0x1Db92e2EeBC8E0c075a02BeA49a2935BcD2dFCF4";

const FACTS: CallFacts = {
  tokenAt: (address) =>
    address.toLowerCase() === USDC.toLowerCase()
      ? { name: "USD Coin", unit: "USDC", decimals: 6 }
      : undefined,
  readable: (base, { unit }) => `${base} base units of ${unit}`,
};

const read = (data: string, to: string | null = STRANGER, value = "0"): Call =>
  readCall({ to, value }, bytesOf(data), FACTS);

/** Calldata of one of the built-in functions, by ethers. */
function encode(signature: string, ...values: readonly unknown[]): string {
  const { name } = parseSignature(signature);
  return new Interface([`function ${signature}`]).encodeFunctionData(name, values as unknown[]);
}

const TRANSFER = "transfer(address to, uint256 amount)";
const APPROVE = "approve(address spender, uint256 amount)";
const EXEC =
  "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)";
const ZERO = `0x${"0".repeat(40)}`;

test("M24 every selector of the table is that of its signature, by two libraries", () => {
  for (const [selector, , signature] of FUNCTIONS) {
    const item = new Interface([`function ${signature}`]).getFunction(selector);
    expect([signature, item?.selector]).toEqual([signature, selector]);
    expect(toFunctionSelector(`function ${signature}`)).toBe(selector as `0x${string}`);
  }
  expect(FUNCTIONS.length).toBeGreaterThanOrEqual(45);
});

test("M24 a token of the workspace is named and its amount is readable", () => {
  expect(read(encode(TRANSFER, STRANGER, 25_000_000n), USDC)).toEqual({
    to: USDC,
    operation: "call",
    value: "0",
    contract: { known: "workspace token", name: "USD Coin" },
    selector: "0xa9059cbb",
    function: "transfer(address to, uint256 amount)",
    guess: false,
    exact: true,
    unreadBytes: 0,
    arguments: [
      { name: "to", type: "address", value: STRANGER },
      {
        name: "amount",
        type: "uint256",
        value: "25000000",
        readable: "25000000 base units of USDC",
      },
    ],
    "Calldata Digest": expect.stringMatching(/^0x[0-9a-f]{64}$/),
    danger: [],
    calls: [],
  });
});

test("M24 the same bytes to any other contract are a guess", () => {
  const call = read(encode(TRANSFER, STRANGER, 25_000_000n));
  expect([call.guess, call.danger, call.arguments[1]?.readable]).toEqual([
    true,
    ["GUESSED"],
    undefined,
  ]);
});

test("M24 selectors that ERC-20 and ERC-721 share have both readings, but not for a known token", () => {
  const data = encode("transferFrom(address from, address to, uint256 amount)", SAFE, STRANGER, 7n);
  expect(read(data).alsoReads).toEqual([
    "transferFrom(address from, address to, uint256 tokenId) of ERC-721",
  ]);
  expect(read(data, USDC).alsoReads).toBeUndefined();
  expect(read(encode(APPROVE, STRANGER, 7n)).alsoReads).toEqual([
    "approve(address to, uint256 tokenId) of ERC-721",
  ]);
});

/** The word at an index of the arguments, replaced. */
function withWord(data: string, index: number, word: string): string {
  const at = 10 + index * 64;
  return data.slice(0, at) + word.padStart(64, "0") + data.slice(at + 64);
}

const GRANT = encode(TRANSFER, STRANGER, 1n);
const BYTES = encode(
  "upgradeToAndCall(address newImplementation, bytes data)",
  STRANGER,
  "0xabcdef",
);
const MANY = encode("multicall(bytes[] data)", [GRANT, GRANT]);
const FLAG = encode("setApprovalForAll(address operator, bool approved)", STRANGER, true);
const SMALL = encode(
  "permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
  ...[SAFE, STRANGER, 1n, 1n, 27, `0x${"1".repeat(64)}`, `0x${"2".repeat(64)}`],
);

const MALFORMED: readonly (readonly [what: string, data: string])[] = [
  [
    "an address with dirty upper bytes",
    withWord(GRANT, 0, `ff${"0".repeat(22)}${STRANGER.slice(2)}`),
  ],
  ["a bool of 2", withWord(FLAG, 1, "2")],
  ["a uint8 of 0x1ff", withWord(SMALL, 4, "1ff")],
  ["bytes whose padding is not zero", `${BYTES.slice(0, -2)}01`],
  ["an offset into itself", withWord(BYTES, 1, "20")],
  ["two arguments that share a tail", withWord(withWord(MANY, 2, "40"), 3, "40")],
  ["a length of 2^32 beyond the data", withWord(MANY, 1, "100000000")],
  ["a length of 2^255", withWord(MANY, 1, `8${"0".repeat(63)}`)],
  ["an offset of 2^64", withWord(BYTES, 1, `1${"0".repeat(16)}`)],
  ["a missing argument", GRANT.slice(0, -64)],
  ["half a word", GRANT.slice(0, -2)],
  ["a selector alone", "0xa9059cbb"],
];

test.each(MALFORMED)("M21 %s is not decoded", (_, data) => {
  const call = read(data);
  expect([call.function, call.notDecoded, call.danger]).toEqual([
    null,
    "its arguments are malformed",
    ["NOT_DECODED"],
  ]);
});

test("M21 unread bytes are decoded, counted and marked: behind the arguments, and between two", () => {
  const trailing = read(`${GRANT}deadbeef`);
  expect([trailing.exact, trailing.unreadBytes, trailing.danger.includes("UNREAD_BYTES")]).toEqual([
    false,
    4,
    true,
  ]);
  const gap = `${BYTES.slice(0, 74)}${"60".padStart(64, "0")}${"0".repeat(64)}${BYTES.slice(138)}`;
  const found = read(gap);
  expect([found.function?.slice(0, 16), found.unreadBytes]).toEqual(["upgradeToAndCall", 32]);
  expect(read("0xd0e30db0ff").unreadBytes).toBe(1);
});

test("M21 text that is not UTF-8 is refused", () => {
  const name = parseSignature("setName(string name)");
  const data = new Interface(["function setName(bytes name)"]).encodeFunctionData("setName", [
    "0xff",
  ]);
  const call = `${name.selector}${data.slice(10)}`;
  expect(read(call).function).toBeNull();
});

/** Calldata of a MiB, of 68 bytes that claim 2^32 items, nested, and with many inner calls. */
const HOSTILE: readonly (readonly [what: string, data: () => string, why: string])[] = [
  [
    "68 bytes that claim 2^32 items",
    () => concat(["0xac9650d8", toBeHex(32, 32), toBeHex(2n ** 32n, 32)]),
    "malformed",
  ],
  [
    "68 bytes that claim 2^32 structs",
    () => concat(["0x82ad56cb", toBeHex(32, 32), toBeHex(2n ** 32n, 32)]),
    "malformed",
  ],
  ["1 MiB", () => `0xac9650d8${"0".repeat(2 * 1024 * 1024)}`, "128 KiB"],
  ["128 KiB of zeros", () => `0xac9650d8${"0".repeat(2 * 128 * 1024 - 8)}`, ""],
  [
    "128 KiB of items that point to one place",
    () => {
      const count = 4000;
      return concat([
        "0xac9650d8",
        toBeHex(32, 32),
        toBeHex(count, 32),
        ...Array(count).fill(toBeHex(count * 32, 32)),
        toBeHex(0, 32),
      ]);
    },
    "malformed",
  ],
];

test.each(HOSTILE)("M21 %s ends within 50 ms and 50 MB", (_, make, why) => {
  const data = bytesOf(make());
  const measure = (): { readonly call: Call; readonly ms: number; readonly bytes: number } => {
    Bun.gc(true);
    const [memory, start] = [process.memoryUsage().rss, performance.now()];
    const call = readCall({ to: STRANGER, value: "0" }, data, FACTS);
    return { call, ms: performance.now() - start, bytes: process.memoryUsage().rss - memory };
  };
  // The best of three, or of ten: other programs run on this machine, too.
  const runs = [measure(), measure(), measure()];
  while (runs.length < 10 && runs.every(({ ms }) => ms >= 50)) runs.push(measure());
  expect(Math.min(...runs.map(({ ms }) => ms))).toBeLessThan(50);
  expect(Math.min(...runs.map(({ bytes }) => bytes))).toBeLessThan(50 * 1024 * 1024);
  const call = runs[0]?.call ?? read("0x");
  expect(`${call.notDecoded ?? ""}`).toContain(why);
});

function nested(depth: number): string {
  return Array.from({ length: depth }).reduce<string>(
    (inner) => encode("multicall(bytes[] data)", [inner]),
    GRANT,
  );
}

const innermost = (call: Call): Call =>
  call.calls[0] === undefined ? call : innermost(call.calls[0]);

test("M21 five levels are decoded, the sixth says why not", () => {
  expect(innermost(read(nested(5))).function).toBe(TRANSFER);
  expect(innermost(read(nested(6)))).toMatchObject({
    function: null,
    notDecoded: "it is nested deeper than 5 calls",
    danger: ["NOT_DECODED"],
  });
});

test("M21 a hundred inner calls are shown, and more are said to be missing", () => {
  const of = (count: number) => read(encode("multicall(bytes[] data)", Array(count).fill(GRANT)));
  expect([of(100).calls.length, of(100).notDecoded]).toEqual([100, undefined]);
  expect(of(101)).toMatchObject({ notDecoded: "there are more than 100 inner calls" });
  expect(of(101).danger).toContain("NOT_DECODED");
});

test("M22 Safe's execTransaction is decoded inward", () => {
  const data = encode(
    EXEC,
    USDC,
    0n,
    encode(TRANSFER, STRANGER, 5n),
    0,
    0n,
    0n,
    0n,
    ZERO,
    ZERO,
    "0x",
  );
  const [inner] = read(data, SAFE).calls;
  expect(inner).toMatchObject({
    to: USDC,
    operation: "call",
    function: TRANSFER,
    guess: false,
    danger: [],
  });
});

/** The transaction of 2025-02-21, rebuilt from its published parameters. */
const BYBIT = encode(
  EXEC,
  ...["0x96221423681A6d52E184D440a8eFCEbB105C7242", 0n],
  encode(TRANSFER, "0xbDd077f651EBe7f7b3cE16fe5F2b025BE2969516", 0n),
  ...[1, 45746n, 0n, 0n, ZERO, ZERO, `0x${"11".repeat(195)}`],
);

test("M22 the transaction of 2025-02-21 is a delegatecall, whatever its inner selector says", () => {
  expect(bytesOf(BYBIT)).toHaveLength(708);
  const [inner] = read(BYBIT, SAFE).calls;
  expect(inner).toMatchObject({ operation: "delegatecall", guess: true, function: TRANSFER });
  expect(inner?.danger).toContain("DELEGATECALL");
});

test("M22 a delegatecall to a known token is not read as that token", () => {
  const data = encode(EXEC, USDC, 0n, GRANT, 1, 0n, 0n, 0n, ZERO, ZERO, "0x");
  expect(read(data, SAFE).calls[0]).toMatchObject({ contract: { known: "no" }, guess: true });
});

test("M22 an operation that Safe does not have is not decoded", () => {
  const data = encode(EXEC, USDC, 0n, GRANT, 2, 0n, 0n, 0n, ZERO, ZERO, "0x");
  expect(read(data, SAFE)).toMatchObject({
    calls: [],
    notDecoded: "its inner calls are malformed",
  });
});

const part = (operation: number, to: string, value: bigint, data: string): string =>
  concat([toBeHex(operation, 1), to, toBeHex(value, 32), toBeHex((data.length - 2) / 2, 32), data]);

test("M22 multiSend is unpacked, and a delegatecall in any part is found", () => {
  const packed = concat([part(0, STRANGER, 3n, "0x"), part(1, SAFE, 0n, GRANT)]);
  const batch = encode("multiSend(bytes transactions)", packed);
  const data = encode(EXEC, STRANGER, 0n, batch, 1, 0n, 0n, 0n, ZERO, ZERO, "0x");
  const [outer] = read(data, SAFE).calls;
  expect(
    outer?.calls.map(({ to, value, operation, danger }) => [to, value, operation, danger[0]]),
  ).toEqual([
    [STRANGER.toLowerCase(), "3", "call", undefined],
    [SAFE.toLowerCase(), "0", "delegatecall", "DELEGATECALL"],
  ]);
});

test.each([
  ["a part that ends early", (packed: string) => packed.slice(0, -2)],
  ["a part of another operation", (packed: string) => `0x02${packed.slice(4)}`],
  ["bytes after the last part", (packed: string) => `${packed}00`],
])("M22 %s makes multiSend malformed", (_, spoil) => {
  const data = encode("multiSend(bytes transactions)", spoil(part(0, STRANGER, 0n, GRANT)));
  expect(read(data)).toMatchObject({ calls: [], notDecoded: "its inner calls are malformed" });
});

test.each([
  ["multicall(bytes[] data)", [[GRANT]]],
  ["multicall(uint256 deadline, bytes[] data)", [1n, [GRANT]]],
  [
    "aggregate3((address target, bool allowFailure, bytes callData)[] calls)",
    [[[USDC, true, GRANT]]],
  ],
  [
    "aggregate3Value((address target, bool allowFailure, uint256 value, bytes callData)[] calls)",
    [[[USDC, true, 9n, GRANT]]],
  ],
  ["aggregate((address target, bytes callData)[] calls)", [[[USDC, GRANT]]]],
  [
    "tryAggregate(bool requireSuccess, (address target, bytes callData)[] calls)",
    [true, [[USDC, GRANT]]],
  ],
])("M22 %s is decoded inward", (signature, values) => {
  const [inner] = read(encode(signature, ...values)).calls;
  const to = signature.startsWith("multicall") ? STRANGER : USDC;
  expect(inner).toMatchObject({
    to,
    function: TRANSFER,
    value: signature.includes("Value(") ? "9" : "0",
  });
});

test("M23 the calldata digest is that of ERC-8213: the length, then the bytes", () => {
  expect(read(GRANT)["Calldata Digest"]).toBe(keccak256(concat([toBeHex(68, 32), GRANT])));
  expect(read("0x")["Calldata Digest"]).toBe(keccak256(toBeHex(0, 32)));
});

test("M23 a text message has its ERC-191 digest", () => {
  const message = readMessage(
    "EIP-191",
    { kind: "string", value: "Hello World!", raw: '"Hello World!"' },
    FACTS,
  );
  expect(message.content).toEqual({
    kind: "EIP-191",
    text: "Hello World!",
    "ERC-191 Digest": keccak256(Buffer.from("\x19Ethereum Signed Message:\n12Hello World!")),
  });
  expect(message.danger).toEqual([]);
});

const textMessage = (value: string) =>
  readMessage("EIP-191", { kind: "string", value, raw: JSON.stringify(value) }, FACTS).danger;

test("M33 a message that is only a hash, or typed data as text, is grave", () => {
  const hash = "ab".repeat(32);
  for (const text of [
    hash,
    `0x${hash}`,
    ` 0x${hash.toUpperCase().replace("0X", "0x")}\n`,
    "\u0001".repeat(32),
  ])
    expect(textMessage(text)).toEqual(["ONLY_A_HASH"]);
  expect(textMessage('{"types":{},"primaryType":"Permit"}')).toEqual(["TYPED_DATA_AS_TEXT"]);
  for (const text of ["Sign in", hash.slice(1), '{"a":1}', "a".repeat(32)])
    expect(textMessage(text)).toEqual([]);
});

test.each([
  ["2^256-1", 2n ** 256n - 1n, "uint256", undefined, true],
  ["2^255", 2n ** 255n, "uint256", undefined, true],
  ["2^255-1", 2n ** 255n - 1n, "uint256", undefined, true],
  ["2^160-1 of a uint160", 2n ** 160n - 1n, "uint160", undefined, true],
  ["2^159 of a uint160", 2n ** 159n, "uint160", 60, true],
  ["2^128 without decimals", 2n ** 128n, "uint256", undefined, true],
  ["2^128-1 without decimals", 2n ** 128n - 1n, "uint256", undefined, false],
  ["10^15 tokens of 6 decimals", 10n ** 21n, "uint256", 6, true],
  ["one less", 10n ** 21n - 1n, "uint256", 6, false],
  ["25 tokens", 25_000_000n, "uint256", 6, false],
] as const)("M25 %s", (_, amount, type, decimals, expected) => {
  expect(isUnlimited(amount, type, decimals)).toBe(expected);
});

const ALL = 2n ** 256n - 1n;
const ALL160 = 2n ** 160n - 1n;
const DETAILS = [USDC, ALL160, 1n, 1n];

test.each([
  ["approve", encode(APPROVE, STRANGER, ALL), "UNLIMITED_APPROVAL"],
  [
    "increaseAllowance",
    encode("increaseAllowance(address spender, uint256 addedValue)", STRANGER, ALL),
    "UNLIMITED_APPROVAL",
  ],
  [
    "Permit2's approve",
    encode(
      "approve(address token, address spender, uint160 amount, uint48 expiration)",
      USDC,
      STRANGER,
      ALL160,
      1n,
    ),
    "UNLIMITED_APPROVAL",
  ],
  [
    "Permit2's permit",
    encode(
      "permit(address owner, ((address token, uint160 amount, uint48 expiration, uint48 nonce) details, address spender, uint256 sigDeadline) permitSingle, bytes signature)",
      SAFE,
      [DETAILS, STRANGER, 1n],
      "0x",
    ),
    "UNLIMITED_APPROVAL",
  ],
  [
    "Permit2's batch",
    encode(
      "permit(address owner, ((address token, uint160 amount, uint48 expiration, uint48 nonce)[] details, address spender, uint256 sigDeadline) permitBatch, bytes signature)",
      SAFE,
      [[[USDC, 1n, 1n, 1n], DETAILS], STRANGER, 1n],
      "0x",
    ),
    "UNLIMITED_APPROVAL",
  ],
  ["permit of ERC-2612", withWord(SMALL, 2, "f".repeat(64)), "UNLIMITED_APPROVAL"],
  [
    "permit of DAI",
    encode(
      "permit(address holder, address spender, uint256 nonce, uint256 expiry, bool allowed, uint8 v, bytes32 r, bytes32 s)",
      SAFE,
      STRANGER,
      1n,
      1n,
      true,
      27,
      `0x${"1".repeat(64)}`,
      `0x${"1".repeat(64)}`,
    ),
    "UNLIMITED_APPROVAL",
  ],
  ["setApprovalForAll", FLAG, "APPROVAL_FOR_ALL"],
  [
    "addOwnerWithThreshold",
    encode("addOwnerWithThreshold(address owner, uint256 threshold)", STRANGER, 1n),
    "ADMIN_CHANGE",
  ],
  ["enableModule", encode("enableModule(address module)", STRANGER), "ADMIN_CHANGE"],
  ["setGuard", encode("setGuard(address guard)", STRANGER), "ADMIN_CHANGE"],
  ["setFallbackHandler", encode("setFallbackHandler(address handler)", STRANGER), "ADMIN_CHANGE"],
  ["changeMasterCopy", encode("changeMasterCopy(address masterCopy)", STRANGER), "ADMIN_CHANGE"],
  ["changeThreshold", encode("changeThreshold(uint256 threshold)", 1n), "ADMIN_CHANGE"],
  ["transferOwnership", encode("transferOwnership(address newOwner)", STRANGER), "ADMIN_CHANGE"],
  [
    "grantRole",
    encode("grantRole(bytes32 role, address account)", `0x${"0".repeat(64)}`, STRANGER),
    "ADMIN_CHANGE",
  ],
  ["upgradeTo", encode("upgradeTo(address newImplementation)", STRANGER), "ADMIN_CHANGE"],
])("M33 %s is grave", (_, data, danger) => {
  expect(read(data).danger).toEqual([danger as Call["danger"][number]]);
});

test("M33 consent of a Safe to a hash is grave, at any depth", () => {
  const data = encode("approveHash(bytes32 hashToApprove)", `0x${"ab".repeat(32)}`);
  expect(read(data).danger).toEqual(["ONLY_A_HASH"]);
  const outer = read(encode("multicall(bytes[] data)", [GRANT, data]));
  expect(outer.calls[1]?.danger).toEqual(["ONLY_A_HASH"]);
  expect(callWarnings(outer, "call").filter(({ grave }) => grave)).toEqual([
    {
      ...{ code: "ONLY_A_HASH", grave: true, at: "call.calls[1]" },
      message: `Consent at ${STRANGER} to a hash whose content cannot be seen.`,
    },
  ]);
});

test("M33 a Safe's transaction that pays a refund for gas is grave, and says what to whom", () => {
  const of = (price: bigint, token = USDC, receiver = STRANGER) =>
    read(encode(EXEC, SAFE, 0n, "0x", 0, 0n, 9_000_000n, price, token, receiver, "0x"), SAFE);
  const messages = (call: Call) => callWarnings(call, "call").map(({ message }) => message);
  expect(of(0n).danger).toEqual([]);
  expect(of(1n).danger).toEqual(["GAS_REFUND"]);
  expect(callWarnings(of(1n), "call").map(({ grave }) => grave)).toEqual([true]);
  expect(messages(of(1000n))).toEqual([
    `${SAFE} also pays a refund to ${STRANGER}: 1000 base units of token ${USDC} for each of 9000000 units of gas, and for those used.`,
  ]);
  expect(messages(of(5n, ZERO, ZERO))).toEqual([
    `${SAFE} also pays a refund to the sender of the transaction: 5 base units of the network's coin for each of 9000000 units of gas, and for those used.`,
  ]);
});

/** A call of a function that only the request's own ABI has. */
const ownCall = (signature: string, values: readonly unknown[], to = USDC): Call => {
  const own = parseSignature(signature);
  return readCall({ to, value: "0" }, encodeCall(own, values), FACTS, own);
};

test.each([
  ["increaseApproval(address a, uint256 b)", [STRANGER, `${2n ** 256n - 1n}`]],
  [
    "execute(address to, uint256 value, bytes data)",
    [USDC, "0", encode(APPROVE, STRANGER, 2n ** 256n - 1n)],
  ],
  ["authorizeOperator(address x)", [STRANGER]],
  ["setOwner(address x)", [STRANGER]],
  // A name proves nothing: "what looks like a transfer" would be the requester's word, too.
  ["transfer(address to, uint256 amount, bytes note)", [STRANGER, "1", "0x"]],
  ["harmless()", []],
])(
  "M33 %s is grave where only the request's ABI has it, whatever token it is of",
  (name, values) => {
    for (const to of [USDC, STRANGER]) {
      const call = ownCall(name, values, to);
      expect(call).toMatchObject({ namedBy: "request", guess: true, function: name });
      expect(call.danger).toEqual(["NOT_DECODED"]);
      expect(call.notDecoded).toBe(
        "only the ABI in the request names its function, in the requester's words",
      );
      expect(callWarnings(call, "call").map(({ code, grave }) => [code, grave])).toEqual([
        ["CALL_NOT_DECODED", true],
      ]);
      expect(callLines(call)[0]).toStartWith(
        `Call what the request itself calls "${name}" of ${to}`,
      );
    }
  },
);

test("M33 a function of the table stays what the table says, whatever the request's ABI calls it", () => {
  const approve = ownCall("approve(address friend, uint256 gift)", [STRANGER, "5"]);
  expect(approve).toEqual(read(encode(APPROVE, STRANGER, 5n), USDC));
  expect([approve.function, approve.danger, approve.namedBy]).toEqual([APPROVE, [], undefined]);
});

test("M29 a name of the request's ABI is quoted, cut, and adds no line", () => {
  const hostile = '() of USDC"\nFee \u202e0'.padEnd(5000, "x");
  const own = signatureOf({
    ...{ type: "function", name: hostile },
    inputs: [{ type: "address", name: hostile }],
  });
  const call = readCall({ to: USDC, value: "0" }, encodeCall(own, [STRANGER]), FACTS, own);
  expect([call.function, call.danger]).toEqual([own.text, ["NOT_DECODED"]]);
  const [line = "", ...others] = callLines(call);
  expect(others).toEqual([]);
  expect(line).toStartWith('Call what the request itself calls "() of USDC\\"\\nFee ');
  expect(line).not.toMatch(/\p{Cc}/u);
  expect(line.length).toBeLessThan(2000);
});

test("M33 the same functions with limits are not", () => {
  for (const data of [encode(APPROVE, STRANGER, 5n), SMALL, withWord(FLAG, 1, "0")])
    expect(read(data).danger).toEqual([]);
});

test("M21 arguments of a caller's own ABI are encoded by it, and two equal names hide nothing", () => {
  const signature = parseSignature("f(address a, uint256 a, bytes4 __proto__)");
  const values = [STRANGER, "7", "0x01020304"];
  const expected = new Interface(["function f(address, uint256, bytes4)"]).encodeFunctionData(
    "f",
    values,
  );
  expect(`0x${Buffer.from(encodeCall(signature, values)).toString("hex")}`).toBe(expected);
});

describe.skipIf(TRANSACTIONS === undefined)(
  `the public registry's transactions${WITHOUT_VECTORS}`,
  () => {
    const calls = (TRANSACTIONS ?? []).map(({ rawTx }) => {
      const { to, data, value } = Transaction.from(rawTx);
      return { data, call: read(data, to, `${value}`) };
    });

    test("M24 of 374 real calls, 161 have a built-in function, and none of them is malformed", () => {
      const decoded = calls.filter(({ call }) => call.function !== null);
      const others = new Set(
        calls.flatMap(({ call }) => (call.function === null ? [call.notDecoded] : [])),
      );
      expect([calls.length, decoded.length, [...others]]).toEqual([
        374,
        161,
        ["the function is not known"],
      ]);
      expect(decoded.filter(({ call }) => call.unreadBytes > 0)).toHaveLength(12);
    });

    test("M24 viem decodes the same arguments", () => {
      const spell = (value: unknown): unknown => {
        if (typeof value === "bigint" || typeof value === "number") return `${value}`;
        if (Array.isArray(value)) return value.map(spell);
        return typeof value === "object" && value !== null
          ? Object.values(value).map(spell)
          : value;
      };
      for (const { data, call } of calls) {
        if (call.function === null) continue;
        const abi = parseAbi([`function ${call.function}`] as never) as never;
        const { args = [] } = decodeFunctionData({ abi, data: data as `0x${string}` }) as {
          args?: readonly unknown[];
        };
        expect(call.arguments.map(({ value }) => value)).toEqual(spell(args) as never);
        if (!call.exact) continue;
        const name = call.function.slice(0, call.function.indexOf("("));
        expect(encodeFunctionData({ abi, functionName: name, args } as never)).toBe(data as never);
      }
    });
  },
);

test("M21 the oracle itself accepts what is refused here", () => {
  const dirty = MALFORMED[0]?.[1] ?? "";
  expect(AbiCoder.defaultAbiCoder().decode(["uint256"], `0x${dirty.slice(74)}`)).toHaveLength(1);
  expect(
    decodeFunctionData({ abi: parseAbi([`function ${TRANSFER}`]), data: dirty as `0x${string}` })
      .functionName,
  ).toBe("transfer");
});
