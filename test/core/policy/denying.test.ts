/** Deny rules: what nothing is called would deny nothing, and is refused with the file. */
import { expect, test } from "bun:test";
import { requireAllowed } from "../../../src/core/policy/decide.ts";
import { createPolicy, type PolicyHost } from "../../../src/core/policy/stage.ts";
import { check, inWords } from "../../../src/core/policy/words.ts";
import { Exact, exact } from "../../../src/io/json.ts";
import { createIntent, failing, openActs, SESSION } from "../../support/acts.ts";
import { failureOf as failureWithFacts } from "../../support/failure.ts";
import {
  ACCOUNT,
  actOf,
  DATA,
  FILE,
  failureOf,
  HOSTING,
  policyOf,
  REQUEST,
  USDC,
} from "../../support/policy.ts";

const UUID = "e5a8f6f0-2222-4f6e-8f5a-9a7d3c00000b";
const denying = (rule: object) => ({ ...FILE, deny: [{ id: "frozen", ...rule }] });

test.each<[string, object, string, string]>([
  ["a currency", { asset: { currency: "Ethereum" } }, "asset.currency", "'ethereum'"],
  ["a testnet", { asset: { currency: "bitcoin testnett" } }, "asset.currency", ""],
  [
    "a transaction type",
    { transactionTypes: ["ETHEREUM_LIKE_SEND", "ETHEREUM_SEND"] },
    "transactionTypes.1",
    "",
  ],
  ["a type's case", { types: ["create_transaction"] }, "types.0", "'CREATE_TRANSACTION'"],
  ["a challenge's type", { types: ["APPROVE_TRANSACTION"] }, "types.0", ""],
  ["a transaction type as type", { types: ["ETHEREUM_LIKE_SEND"] }, "types.0", ""],
  ["an account's name", { accounts: [UUID, "Main account"] }, "accounts.1", ""],
  [
    "a contract",
    { asset: { currency: "ethereum", contract: USDC.slice(0, -1) } },
    "asset.contract",
    "",
  ],
])("A4 A5 a deny rule with %s that nothing is called is not valid", (_, rule, place, near) => {
  const { code, facts } = failureWithFacts(() => policyOf(denying(rule)));
  expect(code).toBe("POLICY_INVALID");
  expect(facts.details).toEqual({ file: "/p.json", path: `deny.0.${place}` });
  expect(facts.message).toContain(near);
});

test("A4 A5 a deny rule with a decision that nothing is called is not valid", () => {
  const { code, facts } = failureWithFacts(() => policyOf(denying({ decisions: ["sign"] })));
  expect([code, facts.details]).toEqual([
    "POLICY_INVALID",
    { file: "/p.json", path: "deny.0.decisions.0" },
  ]);
});

test.each<[string, object]>([
  ["every network", { asset: { currency: "bitcoin" } }],
  ["a network as challenges spell it", { asset: { currency: "bitcoin testnet" } }],
  ["request types without public data", { types: ["CREATE_GROUP", "SIGN_DIGESTS"] }],
  [
    "a transaction type that no rule can allow",
    { transactionTypes: ["ETHEREUM_LIKE_EXECUTE_CONTRACT"] },
  ],
  ["ids of both API versions", { accounts: ["12", UUID] }],
])("A4 a deny rule may name %s", (_, rule) => {
  expect(requireAllowed(policyOf(denying(rule)), actOf(REQUEST))).toEqual(["hosting"]);
});

test("A4 a deny rule may name a currency that only an allow rule of its file names", () => {
  const asset = { currency: "new_chain" };
  const allowed = {
    ...FILE,
    allow: [HOSTING, { ...HOSTING, id: "new", asset, perRequest: "1", destinations: "any" }],
    windows: [...FILE.windows, { ...FILE.windows[0], id: "new-day", asset, amount: "1" }],
  };
  const rule = { id: "frozen", asset };
  expect(policyOf({ ...allowed, deny: [rule] }).deny).toHaveLength(1);
  expect(failureOf(() => policyOf({ ...FILE, deny: [rule] })).code).toBe("POLICY_INVALID");
});

test.each([
  [UUID.toUpperCase(), UUID],
  [UUID, UUID.toUpperCase()],
  ["a1", "A1"],
])("A5 a deny rule's account %s is the account %s: case does not count", (named, id) => {
  const act = actOf(
    { ...REQUEST, data: { ...DATA, accountId: id } },
    { account: { ...ACCOUNT, id } },
  );
  const allow = [{ ...HOSTING, accounts: "any" }];
  expect(requireAllowed(policyOf({ ...FILE, allow }), act)).toEqual(["hosting"]);
  const policy = policyOf({ ...denying({ accounts: [named] }), allow });
  expect(failureOf(() => requireAllowed(policy, act)).details).toMatchObject({
    field: "deny",
    rules: [{ id: "frozen", verdict: "denied" }],
  });
});

test("A5 a policy in words says what a deny rule is about, and that accounts are named by ids", () => {
  const words = (rule: object) =>
    inWords(policyOf(denying(rule))).find((line) => line.startsWith("frozen"));
  expect(words({ accounts: [UUID] })).toBe(
    `frozen denies to create and approve everything from account ${UUID}. An account is named by its id, never by its name.`,
  );
  expect(words({ accounts: ["12", "Main"] })).toEndWith("Make sure that this is an id: Main.");
  expect(
    words({
      ...{ decisions: ["create"], types: ["CREATE_TRANSACTION"] },
      ...{ transactionTypes: ["ETHEREUM_LIKE_SEND"], asset: { currency: "ethereum" } },
    }),
  ).toBe("frozen denies to create CREATE_TRANSACTION with ETHEREUM_LIKE_SEND of ethereum.");
});

test("A1 policy check names a deny rule that is certain, and one that the account decides", () => {
  const verdict = (rule: object) =>
    check(policyOf(denying(rule)), exact(JSON.stringify(REQUEST)), "create");
  const open = { id: "hosting", verdict: "not checked", field: "account" } as const;
  expect(verdict({ accounts: ["a1"] })).toEqual({
    allowed: false,
    rules: [{ id: "frozen", verdict: "denied" }, open],
  });
  expect(verdict({ asset: { currency: "ethereum", contract: USDC } }).allowed).toBe(false);
  expect(verdict({ asset: { currency: "ethereum" } })).toEqual({ allowed: null, rules: [open] });
  expect(verdict({ decisions: ["approve"] })).toEqual({ allowed: null, rules: [open] });
  const { contractAddress: _, ...plain } = DATA.transactionData;
  const request = { ...REQUEST, data: { ...DATA, transactionData: plain } };
  const policy = policyOf(denying({ asset: { currency: "ethereum" } }));
  expect(check(policy, exact(JSON.stringify(request)), "create")).toEqual({
    allowed: null,
    rules: [{ id: "frozen", verdict: "not checked", field: "account" }, open],
  });
});

/** Rejects a request that was created here, under an allow rule that lets it. */
async function rejected(rule: object | undefined, body: unknown = REQUEST): Promise<string> {
  const allow = [{ ...HOSTING, decisions: ["reject"] }];
  const policy = policyOf({
    ...FILE,
    allow,
    deny: rule === undefined ? [] : [{ id: "frozen", ...rule }],
  });
  const files: { now: readonly (typeof policy)[] } = { now: [] };
  const { contract, ...account } = ACCOUNT;
  const reader = {
    read: async () => new Exact(JSON.stringify({ ...account, contractAddress: contract })),
  } as unknown as PolicyHost["reader"];
  const clock = { time: () => 0 } as unknown as PolicyHost["clock"];
  const here = openActs({
    policy: (books) =>
      createPolicy({
        ...{ policies: () => files.now, isStopped: () => false, reader, clock, books },
      }),
  });
  const created = createIntent(new Exact(JSON.stringify(body)));
  await here.acts.perform(
    created,
    async () => "R1",
    (id) => id,
  );
  files.now = [policy];
  const about = { session: SESSION, requestId: "R1", command: "requests reject api" };
  const reject = here.acts.perform(
    { kind: "reject", operation: "requests.reject", ...about } as never,
    async () => "done",
  );
  try {
    return await reject;
  } catch {
    const { facts } = await failing(reject);
    return String((facts.details as { field: string }).field);
  }
}

test("A5 a deny rule that names rejections denies them, and those that it may be about", async () => {
  expect(await rejected(undefined)).toBe("done");
  expect(await rejected({ accounts: ["A1"] })).toBe("done");
  expect(await rejected({ decisions: ["reject"] })).toBe("deny");
  expect(await rejected({ decisions: ["create", "reject"], accounts: ["a1"] })).toBe("deny");
  expect(await rejected({ decisions: ["reject"], accounts: ["A2"] })).toBe("done");
  expect(await rejected({ decisions: ["create"] })).toBe("done");
  const group = { type: "CREATE_GROUP", data: { name: "x" } };
  expect(await rejected({ decisions: ["create"] }, group)).toBe("done");
  expect(await rejected({ decisions: ["reject"], accounts: ["A2"] }, group)).toBe("deny");
});

test("A1 a policy in words says every switch, and whom a window is about", () => {
  const [day, gas] = FILE.windows;
  const windows = [{ ...day, accounts: ["A1"], destinations: HOSTING.destinations }, gas];
  const words = inWords(
    policyOf({
      ...FILE,
      windows,
      tagNotes: true,
      stopped: true,
      onlyOwn: false,
      duplicates: "deny",
    }),
  );
  expect(words[0]).toBe("Everything is stopped.");
  expect(words[2]).toContain("fee at most 0.01 (10000000000000000 base units) with SPEED,");
  expect(words[3]).toContain(`from account A1 to ${HOSTING.destinations[0]?.address} in at most 3`);
  expect(words.slice(-3)).toEqual([
    "Requests of others are approved, too.",
    "--again is not allowed.",
    "Each note gets a tag of some 50 characters, which no rule counts.",
  ]);
});
