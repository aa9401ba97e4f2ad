/** How many calls a command makes: each costs an institution a round trip. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSandbox } from "../../src/sandbox/index.ts";
import { operatorSettings } from "../../src/sandbox/settings.ts";
import { SOURCE } from "../support/forms.ts";
import { NOTHING_PUBLISHED } from "../support/releases.ts";

const sandbox = await startSandbox({});
const home = await mkdtemp(join(tmpdir(), "calls-"));
afterAll(async () => {
  await sandbox.close();
  await rm(home, { recursive: true });
});

const { baseUrls } = sandbox.description;
const env = {
  HOME: home,
  ...operatorSettings(sandbox.description),
  ...NOTHING_PUBLISHED,
};

const run = (argv: string[]) => SOURCE.run({ argv, env, stdin: undefined, cwd: home });

async function cli(...argv: string[]): Promise<Record<string, unknown>> {
  const { stdout, exit } = await run(argv);
  if (exit !== 0) throw new Error(stdout);
  return JSON.parse(stdout) as Record<string, unknown>;
}

beforeAll(() => cli("login", "api"));

const send = (accountId: number, transactionType: string, transactionData: object) => ({
  type: "CREATE_TRANSACTION",
  data: {
    accountId: `e5a8f6f0-2222-4f6e-8f5a-${`${accountId}`.padStart(12, "0")}`,
    transactionType,
    transactionData,
    feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
  },
});
const ETHER = { accountName: "Ether Reserve", currency: "ethereum", maxFees: "141476090490000" };
const REQUESTS = {
  bitcoin: send(1, "BITCOIN_LIKE_SEND", {
    ...{ accountName: "ClientA COL TBTC 1", amount: "1500000", currency: "bitcoin_testnet" },
    ...{ maxFees: "4018", recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq" },
  }),
  ether: send(2, "ETHEREUM_LIKE_SEND", {
    ...{ ...ETHER, amount: "1000000000000000" },
    recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
  }),
  message: {
    type: "CREATE_MESSAGE_SIGNING",
    data: {
      accountId: "e5a8f6f0-2222-4f6e-8f5a-000000000002",
      messageType: "EIP-191",
      messageData: { accountName: "Ether Reserve", rawMessage: "Sign in" },
    },
  },
  whitelist: { type: "CREATE_WHITELIST", data: { name: "Exchange", addresses: [] } },
};

/** The calls of a command, without ids, in the order of the alphabet. */
async function callsOf(...argv: string[]): Promise<string[]> {
  sandbox.control.clearLog();
  await run(argv);
  const { pathname } = new URL(baseUrls.v2);
  return sandbox.control.log
    .map(({ method, path, query }) => {
      const page = /\bpage=(\d+)/.exec(query)?.[1];
      const bare = path.slice(pathname.length).replace(/\/[0-9a-f-]{36}/g, "/{id}");
      return `${method} ${bare}${page === undefined ? "" : ` page ${page}`}`;
    })
    .sort();
}

const DECISION = ["GET /requests/{id}", "GET /requests/{id}/challenge"];
const PAYMENT = [
  ...["GET /accounts page 1", "GET /accounts page 2", "GET /accounts/{id}"],
  ...["GET /assets/currencies", ...DECISION, "GET /whitelists page 1"],
];
const WITH_TOKENS = [...PAYMENT, "GET /assets/tokens"].sort();

test.each([
  ["bitcoin", PAYMENT],
  ["ether", WITH_TOKENS],
  ["message", ["GET /accounts/{id}", ...DECISION]],
  ["whitelist", DECISION],
] as const)("a decision about a request (%s) asks for what it needs, once", async (kind, calls) => {
  const created = await cli("requests", "create", "--requestData", JSON.stringify(REQUESTS[kind]));
  const id = String(created.id);
  expect(await callsOf("requests", "review", "--id", id)).toEqual([...calls]);
  const approve = ["requests", "approve", "api", "--sign", "--dryRun", "--id", id];
  expect(await callsOf(...approve)).toEqual([...calls]);
});

test("a list is one call, and a signature is none", async () => {
  expect(await callsOf("accounts", "list")).toEqual(["GET /accounts"]);
  const text = JSON.stringify(REQUESTS.bitcoin).replace("1500000", "1600000");
  const { id } = await cli("requests", "create", "--requestData", text);
  const { challenge } = await cli("requests", "getChallenge", "--id", String(id));
  expect(await callsOf("requests", "sign", "--challenge", String(challenge))).toEqual([]);
});
