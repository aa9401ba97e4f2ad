/** What the sandbox's page says of each kind of request. */
import { expect, test } from "bun:test";
import type { PageState } from "../../src/sandbox/page/page.ts";
import { type Document, openBench, USDC } from "./bench.ts";
import { ADDRESS, BITCOIN, calldata, contractCall, MESSAGE, TOKEN } from "./kinds.ts";

/** The first message of the page's stream. */
async function stateOf(page: string): Promise<PageState> {
  const stop = new AbortController();
  const { body } = await fetch(`${page}events`, { signal: stop.signal });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n\n")) break;
  }
  stop.abort();
  return JSON.parse(text.slice("data: ".length, text.indexOf("\n\n")));
}

async function shown(request: Document): Promise<[title: string, facts: Record<string, string>]> {
  await using bench = await openBench();
  const { status, body } = await bench.raise(request);
  expect([status, body.issues]).toEqual([200, undefined]);
  const { requests } = await stateOf(bench.description.page);
  const found = requests.find(({ id }) => id === body.id);
  return [found?.title ?? "", Object.fromEntries(found?.facts ?? [])];
}

test("a payment has its unit, and the recipient its name on a whitelist", async () => {
  const [title, facts] = await shown(BITCOIN);
  expect(title).toBe("Send 0.02 BTC");
  expect(facts).toMatchObject({
    From: "ClientA COL TBTC 1",
    To: "Exchange hot wallet, tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
    Fee: "at most 0.00004018 BTC",
  });
});

test("a token has its own decimals; the fee is in the coin", async () => {
  const [title, facts] = await shown(TOKEN);
  expect(title).toBe("Send 25.5 USDC");
  expect(facts).toMatchObject({ From: "Ether Reserve USDC", Fee: "at most 0.002 ETH" });
});

const UNKNOWN = "0x000000000000000000000000000000000000dEaD";
const ALL = 2n ** 256n - 1n;
test.each([
  ["a transfer", USDC, calldata("a9059cbb", 1_500_000n), "Transfer 1.5 USDC", "Recipient"],
  ["an allowance", USDC, calldata("095ea7b3", 7n), "Allow spending of 0.000007 USDC", "Spender"],
  [
    "an endless one",
    USDC,
    calldata("095ea7b3", ALL),
    "Allow spending of any amount of USDC",
    "Spender",
  ],
  ["an unknown token", UNKNOWN, calldata("a9059cbb", 9n), "Transfer 9 base units", "Recipient"],
])("a call: %s", async (_name, contract, data, title, who) => {
  const [seen, facts] = await shown(contractCall(contract, data));
  expect(seen).toBe(title);
  expect(facts[who]).toBe(`Exchange ether, ${ADDRESS.toLowerCase()}`);
  expect(facts).toMatchObject({ From: "Ether Reserve", Data: "68 bytes" });
  expect(facts.Contract).toBe(contract === USDC ? `USDC, ${USDC}` : UNKNOWN);
});

test("a call that the page cannot read is named by its first bytes, with the coins it moves", async () => {
  const [title, facts] = await shown(contractCall(ADDRESS, "0xdeadbeef00", "10000000000000000"));
  expect(title).toBe("Call function 0xdeadbeef");
  expect(facts).toMatchObject({ Amount: "0.01 ETH", Data: "5 bytes" });
});

test("a call with an ABI has the function's name", async () => {
  const abi = [{ type: "function", name: "mint", inputs: [{ name: "tokenId", type: "uint256" }] }];
  const given = { abi, functionName: "mint", functionArguments: { tokenId: "7" } };
  expect((await shown(contractCall(ADDRESS, given)))[0]).toBe("Call mint");
});

test("a message shows its text and its account", async () => {
  const [title, facts] = await shown(MESSAGE);
  expect(title).toBe("Sign a message");
  expect(facts).toMatchObject({ From: "Ether Reserve", Message: "Sign in to Example" });
});

test("balances of tokens have their decimals", async () => {
  await using bench = await openBench();
  const { accounts } = await stateOf(bench.description.page);
  expect(accounts.find(({ name }) => name === "Ether Reserve USDC")?.balance).toBe(
    "9007199254.740993 USDC",
  );
});
