/** Coins and tokens that the sandbox lists, contract calls, and messages to sign. */
import { expect, test } from "bun:test";
import { checkAddress } from "../../src/core/meaning/address.ts";
import { networkOf } from "../../src/core/meaning/network.ts";
import { defaultSeed } from "../../src/sandbox/fixtures.ts";
import { ACCOUNT, openBench } from "./bench.ts";

interface Listed {
  readonly id?: string;
  readonly symbol?: string;
  readonly network?: string;
  readonly decimals?: number;
}

test("the token list has two contracts with one ticker on one network", async () => {
  await using bench = await openBench();
  const { results } = (await bench.get("/assets/tokens")).body as { results: Listed[] };
  const twins = results.filter(
    ({ symbol, network }) => symbol === "USDC" && network === "ethereum",
  );
  expect(twins).toHaveLength(2);
});

test.each([
  ["right", 8, 6],
  ["wrong", 6, 4],
  ["missing", undefined, undefined],
] as const)(
  "with the switch at %s, bitcoin has %p decimals and USDC %p",
  async (assetDecimals, coin, token) => {
    await using bench = await openBench();
    bench.control.set({ assetDecimals });
    const currencies = (await bench.get("/assets/currencies")).body as { results: Listed[] };
    const tokens = (await bench.get("/assets/tokens")).body as { results: Listed[] };
    const found = currencies.results.find(({ id }) => id === "bitcoin_testnet");
    expect([found?.decimals, tokens.results[0]?.decimals]).toEqual([coin, token]);
  },
);

test("every address that a whitelist names is a real one of its network", () => {
  for (const { addresses } of defaultSeed().whitelists)
    for (const { address, currency } of addresses)
      expect([address, checkAddress(address, networkOf(currency)).checksum]).not.toEqual([
        address,
        "invalid",
      ]);
});

const call = (contractData: unknown) => ({
  type: "CREATE_TRANSACTION",
  data: {
    accountId: ACCOUNT(2),
    transactionType: "ETHEREUM_LIKE_EXECUTE_CONTRACT",
    feesStrategy: { type: "SPEED", data: { speed: "NORMAL" } },
    transactionData: {
      accountName: "Ether Reserve",
      ...{ amount: "0", currency: "ethereum", maxFees: "2000000000000000" },
      recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
      contractData,
    },
  },
});

test("a contract call is in the challenge, the ABI's own names untouched", async () => {
  await using bench = await openBench();
  const abi = [{ type: "function", name: "mint", inputs: [{ name: "tokenId", type: "uint256" }] }];
  const given = { abi, functionName: "mint", functionArguments: { tokenId: "7" } };
  const { id } = (await bench.raise(call(given))).body;
  const payload = Buffer.from(await bench.challenge(id), "base64url").toString();
  expect(JSON.parse(payload).data.transaction_data.contract_data).toEqual({
    abi,
    function_arguments: { tokenId: "7" },
    function_name: "mint",
  });
  for (const wrong of ["a9059cbb", "0x1", { functionName: "mint" }, 7])
    expect((await bench.raise(call(wrong))).status).toBe(400);
});

test("a message to sign is in the challenge, and must be the account's", async () => {
  await using bench = await openBench();
  const message = (accountName: string) => ({
    type: "CREATE_MESSAGE_SIGNING",
    data: {
      accountId: ACCOUNT(2),
      messageType: "EIP-191",
      messageData: { accountName, rawMessage: "Sign in" },
    },
  });
  const { id } = (await bench.raise(message("Ether Reserve"))).body;
  const payload = JSON.parse(Buffer.from(await bench.challenge(id), "base64url").toString());
  expect([payload.type, payload.data.message_data.raw_message]).toEqual([
    "APPROVE_MESSAGE_SIGNING",
    "Sign in",
  ]);
  expect((await bench.raise(message("Solana Ops"))).status).toBe(400);
});
