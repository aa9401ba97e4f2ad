/** Steps, quorums, policies, expiry, execution. */
import { expect, test } from "bun:test";
import { defaultSeed, InvalidSeed, startSandbox } from "../../src/sandbox/index.ts";
import {
  ACCOUNT,
  ALICE,
  BRUNO,
  CHLOE,
  DANIEL,
  type Document,
  EMI,
  OPERATOR,
  openBench,
  payment,
  USDC,
  USER,
} from "./bench.ts";

const DAY = 24 * 3600;

function pendingOf(request: Document): string[] {
  return request.reviews
    .filter((one: Document) => one.status === "PENDING")
    .map((one: Document) => one.userId);
}

test("a small payment: creator, one of the treasury, then submitted and confirmed with the balance moved", async () => {
  await using bench = await openBench();
  const before = (await bench.get(`/accounts/${ACCOUNT(1)}`)).body.balance;
  const created = await bench.raise(payment());
  expect(created.status).toBe(200);
  const { id, state, reviewSteps, currentStepIndex, targetId } = created.body;
  expect({ state, currentStepIndex, reviewSteps }).toEqual({
    state: "PENDING_APPROVAL",
    currentStepIndex: 0,
    reviewSteps: [
      { stageName: "CREATION", quorum: 1 },
      { stageName: "APPROVAL", quorum: 1 },
    ],
  });
  expect(pendingOf(created.body)).toEqual([OPERATOR]);
  expect((await bench.get(`/accounts/${ACCOUNT(1)}`)).body.balance).toEqual({
    ...before,
    pending: "2000000",
  });

  expect(pendingOf((await bench.approve(id)).body)).toEqual([ALICE, BRUNO, CHLOE]);
  bench.control.review(id, BRUNO, "APPROVE");
  const approved = (await bench.get(`/requests/${id}`)).body;
  expect({ state: approved.state, pending: pendingOf(approved) }).toEqual({
    state: "APPROVED",
    pending: [],
  });
  expect(approved.reviews.map((one: Document) => [one.stepIndex, one.userId, one.status])).toEqual([
    [0, OPERATOR, "APPROVED"],
    [1, BRUNO, "APPROVED"],
  ]);

  await bench.advance(5);
  expect((await bench.get(`/requests/${id}?withInflight=true`)).body).toMatchObject({
    state: "SUBMITTED",
    inflight: { numFailed: 0 },
  });
  const [submitted] = (await bench.get(`/accounts/${ACCOUNT(1)}/transactions`)).body.results;
  expect(submitted).toMatchObject({
    id: targetId,
    status: "SUBMITTED",
    amount: "2000000",
    fees: null,
    confirmations: 0,
  });
  await bench.advance(5);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("CONFIRMED");
  const [confirmed] = (await bench.get(`/accounts/${ACCOUNT(1)}/transactions`)).body.results;
  expect(confirmed).toMatchObject({
    id: targetId,
    status: "CONFIRMED",
    fees: "4018",
    confirmations: 1,
    hash: submitted.hash,
  });
  const total = `${BigInt(before.total) - 2_000_000n - 4_018n}`;
  expect((await bench.get(`/accounts/${ACCOUNT(1)}`)).body.balance).toEqual({
    total,
    pending: "0",
  });
});

test("a larger payment needs two of the treasury and then the risk desk; no person counts twice", async () => {
  await using bench = await openBench();
  const { id } = (await bench.raise(payment({ amount: "20000000" }))).body;
  await bench.approve(id);
  bench.control.review(id, CHLOE, "APPROVE");
  expect(() => bench.control.review(id, CHLOE, "APPROVE")).toThrow(
    "No review of this user is pending",
  );
  expect(() => bench.control.review(id, DANIEL, "APPROVE")).toThrow(
    "No review of this user is pending",
  );
  expect((await bench.get(`/requests/${id}`)).body.currentStepIndex).toBe(1);
  bench.control.review(id, ALICE, "APPROVE");
  const second = (await bench.get(`/requests/${id}`)).body;
  expect({ step: second.currentStepIndex, pending: pendingOf(second) }).toEqual({
    step: 2,
    pending: [CHLOE, DANIEL],
  });
  bench.control.review(id, CHLOE, "APPROVE");
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("APPROVED");
});

test("one rejection ends a request", async () => {
  await using bench = await openBench();
  const { id } = (await bench.raise(payment())).body;
  await bench.approve(id);
  bench.control.review(id, ALICE, "REJECT");
  const rejected = (await bench.get(`/requests/${id}`)).body;
  expect({ state: rejected.state, pending: pendingOf(rejected) }).toEqual({
    state: "REJECTED",
    pending: [],
  });
  expect(() => bench.control.review(id, BRUNO, "APPROVE")).toThrow("REJECTED");
  await bench.advance(DAY);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("REJECTED");
});

test("the operator can reject its own request with a signature", async () => {
  await using bench = await openBench();
  const { id } = (await bench.raise(payment())).body;
  expect((await bench.approve(id, "reject")).body.state).toBe("REJECTED");
});

test("a request expires seven days after its creation, to the millisecond", async () => {
  await using bench = await openBench();
  const { id, expiredAt, createdAt } = (await bench.raise(payment())).body;
  expect(Date.parse(expiredAt) - Date.parse(createdAt)).toBe(7 * DAY * 1000);
  await bench.advance(7 * DAY - 0.001);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("PENDING_APPROVAL");
  await bench.advance(0.001);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("EXPIRED");
  expect((await bench.get(`/requests/${id}/challenge`)).status).toBe(400);
});

test("the life of a request can be set by the seed", async () => {
  await using bench = await openBench({
    seed: { ...defaultSeed(), requestLifeSeconds: 60, requests: [] },
  });
  const { id } = (await bench.raise(payment())).body;
  await bench.advance(60);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("EXPIRED");
});

test.each([
  [
    "recipient in no whitelist",
    payment({ recipient: "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx" }),
    "Recipient is in no whitelist",
  ],
  [
    "amount above the largest rule",
    payment({ amount: "500000001" }),
    "Amount is above the rule's maximum 500000000",
  ],
  [
    "an account that only receives",
    payment({ accountName: "Client 001", amount: "1" }, { accountId: ACCOUNT(11) }),
    "No rule of the account's policy allows SEND",
  ],
])("a policy forbids: %s", async (_, request, issue) => {
  await using bench = await openBench();
  const { status, body } = await bench.raise(request);
  expect({ status, code: body.code }).toEqual({ status: 403, code: "FORBIDDEN" });
  expect(body.issues.map((one: Document) => one.message).join("\n")).toContain(issue);
  expect((await bench.get("/requests?createdBy=me&state=PENDING_APPROVAL")).body.total).toBe(0);
});

test.each([
  ["another account's name", payment({ accountName: "Shared Desk" }), "accountName"],
  ["another currency", payment({ currency: "bitcoin" }), "currency"],
  ["an account that is not there", payment({}, { accountId: "nobody" }), "accountId"],
  [
    "an inactive account",
    payment({ accountName: "Closed Account" }, { accountId: ACCOUNT(10) }),
    "accountId",
  ],
  [
    "a kind of another family",
    payment({}, { transactionType: "ETHEREUM_LIKE_SEND" }),
    "transactionType: does not fit",
  ],
  ["an unknown kind", payment({}, { transactionType: "DOGE_LIKE_SEND" }), "transactionType"],
  ["an amount as a number", payment({ amount: 2_000_000 }), "amount"],
  ["an amount with a leading zero", payment({ amount: "02000000" }), "amount"],
  ["a negative amount", payment({ amount: "-1" }), "amount"],
  ["nothing to move", payment({ amount: "0" }), "greater than zero"],
  ["no fee limit", payment({ maxFees: "0" }), "maxFees"],
  ["no recipient", payment({ recipient: undefined }), "recipient: required"],
  [
    "an address of another chain",
    payment({ recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D" }),
    "not an address of",
  ],
  ["no fee strategy", payment({}, { feesStrategy: undefined }), "feesStrategy: required"],
  [
    "an unknown speed",
    payment({}, { feesStrategy: { type: "SPEED", data: { speed: "WARP" } } }),
    "speed",
  ],
  [
    "custom fees of another family",
    payment({}, { feesStrategy: { type: "CUSTOM", data: { gasLimit: "1" } } }),
    "feesPerByte",
  ],
  ["more than there is", payment({ amount: "2500000000" }), "Insufficient funds"],
  ["two names that are one in snake_case", payment({ memoText: "a", memo_text: "b" }), "memo_text"],
  ["an unknown type of request", { ...payment(), type: "CREATE_MONEY" }, "no such type"],
])("refused with 400: %s", async (_, request, issue) => {
  await using bench = await openBench();
  const { status, body } = await bench.raise(request);
  expect({ status, code: body.code }).toEqual({ status: 400, code: "BAD_REQUEST" });
  expect(body.issues.map((one: Document) => one.message).join("\n")).toContain(issue);
});

test("open requests reserve what they would move", async () => {
  await using bench = await openBench();
  const large = payment({ amount: "500000000" });
  const answers: number[] = [];
  for (let n = 0; n < 6; n++) answers.push((await bench.raise(large)).status);
  expect(answers).toEqual([200, 200, 200, 200, 400, 400]);
});

test("a token moves from its own account, its fees from the parent", async () => {
  await using bench = await openBench();
  const balances = async () => {
    const [ether, usdc] = [
      await bench.get(`/accounts/${ACCOUNT(2)}`),
      await bench.get(`/accounts/${ACCOUNT(3)}`),
    ];
    return [ether.body.balance.total, usdc.body.balance.total].map(BigInt) as [bigint, bigint];
  };
  const transfer = (accountId: string, accountName: string, contractAddress?: string) => ({
    type: "CREATE_TRANSACTION",
    data: {
      accountId,
      transactionType: "ETHEREUM_LIKE_SEND",
      transactionData: {
        ...{
          accountName,
          amount: "1000000",
          currency: "ethereum",
          maxFees: "2600000000000000",
          contractAddress,
        },
        recipient: "0xB550388547691A526190D60C30C2F9E2AF03FF3D",
      },
      feesStrategy: { type: "CUSTOM", data: { gasLimit: "65000", priorityFees: "2000" } },
    },
  });
  const before = await balances();
  for (const request of [
    transfer(ACCOUNT(3), "Ether Reserve USDC", USDC),
    transfer(ACCOUNT(2), "Ether Reserve", USDC.toLowerCase()),
  ]) {
    const { id } = (await bench.raise(request)).body;
    await bench.approve(id);
    bench.control.review(id, ALICE, "APPROVE");
  }
  await bench.advance(10);
  expect(await balances()).toEqual([
    before[0] - 2n * 1_300_000_000_000_000n,
    before[1] - 2_000_000n,
  ]);
  const wrong = [
    transfer(ACCOUNT(3), "Ether Reserve USDC"),
    transfer(ACCOUNT(3), "Ether Reserve USDC", `0x${"1".repeat(40)}`),
  ];
  for (const request of wrong) {
    const { status, body } = await bench.raise(request);
    expect(status).toBe(400);
    expect(body.issues[0].message).toContain("contractAddress");
  }
});

test("a payment to an account of the workspace arrives there", async () => {
  const seed = defaultSeed();
  const [target] = seed.accounts.filter((one) => one.name === "Shared Desk");
  seed.whitelists[0]?.addresses.push({
    name: "Desk",
    currency: "bitcoin_testnet",
    address: target?.address ?? "",
  });
  await using bench = await openBench({ seed });
  const { id } = (await bench.raise(payment({ recipient: target?.address }))).body;
  await bench.approve(id);
  bench.control.review(id, ALICE, "APPROVE");
  await bench.advance(10);
  expect((await bench.get(`/accounts/${ACCOUNT(9)}`)).body.balance.total).toBe("42000000");
  const [received] = (await bench.get(`/accounts/${ACCOUNT(9)}/transactions`)).body.results;
  expect(received).toMatchObject({ type: "RECEIVE", status: "CONFIRMED", amount: "2000000" });
});

test("people approve by themselves after the given time, step by step, and API operators do not", async () => {
  await using bench = await openBench({ autoApproveSeconds: 30 });
  const { id } = (await bench.raise(payment({ amount: "20000000" }))).body;
  await bench.advance(3600);
  expect((await bench.get(`/requests/${id}`)).body.currentStepIndex).toBe(0);
  await bench.approve(id);
  await bench.advance(29.999);
  expect((await bench.get(`/requests/${id}`)).body.currentStepIndex).toBe(1);
  await bench.advance(0.001);
  expect((await bench.get(`/requests/${id}`)).body.currentStepIndex).toBe(2);
  await bench.advance(40);
  const done = (await bench.get(`/requests/${id}`)).body;
  expect(done.state).toBe("CONFIRMED");
  const times = done.reviews.map(
    (one: Document) => (Date.parse(one.updatedAt) - Date.parse(done.createdAt)) / 1000,
  );
  expect(times).toEqual([3600, 3630, 3630, 3660]);
});

test("automatic approval that comes too late does not save a request", async () => {
  await using bench = await openBench({ autoApproveSeconds: 7 * DAY });
  const { id } = (await bench.raise(payment())).body;
  await bench.advance(1);
  await bench.approve(id);
  await bench.advance(8 * DAY);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("EXPIRED");
});

test("a person's request that the operator has to check: found by pendingBy=me, approved, then the treasury", async () => {
  await using bench = await openBench();
  const { results, total } = (await bench.get("/requests?pendingBy=me")).body;
  expect({ total, createdBy: results[0].createdById, step: results[0].currentStepIndex }).toEqual({
    total: 1,
    createdBy: ALICE,
    step: 1,
  });
  const { id } = results[0];
  expect((await bench.approve(id)).body.currentStepIndex).toBe(2);
  bench.control.review(id, BRUNO, "APPROVE");
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("APPROVED");
});

test.each([
  [
    "CREATE_ACCOUNT",
    {
      accountType: "BTC",
      accountData: { name: "Fresh account", currency: "bitcoin_testnet", policyName: "Operations" },
    },
    "/accounts",
    { name: "Fresh account", currency: "bitcoin_testnet", balance: { total: "0", pending: "0" } },
  ],
  [
    "CREATE_WHITELIST",
    {
      name: "Lawyers",
      addresses: [{ name: "Firm", currency: "ethereum", address: `0x${"2".repeat(40)}` }],
    },
    "/whitelists",
    {
      name: "Lawyers",
      description: null,
      addresses: [{ name: "Firm", currency: "ethereum", address: `0x${"2".repeat(40)}` }],
    },
  ],
  [
    "CREATE_GROUP",
    { name: "Auditors", description: "External", userIds: [ALICE] },
    "/groups",
    { name: "Auditors", description: "External" },
  ],
])("%s takes effect after both administrators, not before", async (type, data, list, expected) => {
  await using bench = await openBench();
  const before = (await bench.get(list)).body.total;
  const { id, targetId } = (await bench.raise({ type, data })).body;
  await bench.approve(id);
  bench.control.review(id, DANIEL, "APPROVE");
  await bench.advance(60);
  expect((await bench.get(list)).body.total).toBe(before);
  bench.control.review(id, EMI, "APPROVE");
  await bench.advance(5);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("ACTIVE");
  expect((await bench.get(`${list}/${targetId}`)).body).toMatchObject(expected);
  expect((await bench.get(list)).body.total).toBe(before + 1);
});

test.each([
  ["CREATE_ACCOUNT", { accountData: { name: "Bad/name", currency: "bitcoin_testnet" } }, "name"],
  [
    "CREATE_ACCOUNT",
    { accountData: { name: "Twenty characters!!!", currency: "bitcoin_testnet" } },
    "name",
  ],
  ["CREATE_ACCOUNT", { accountData: { name: "Fine", currency: "dogecoin" } }, "currency"],
  [
    "CREATE_ACCOUNT",
    { accountData: { name: "Fine", currency: "ethereum", policyName: "None" } },
    "policyName",
  ],
  [
    "CREATE_ACCOUNT",
    { accountData: { name: "Fine", currency: "ethereum", parentId: "x" } },
    "parentId",
  ],
  ["CREATE_WHITELIST", { name: "No addresses" }, "addresses"],
  ["CREATE_GROUP", { name: "Ghosts", userIds: ["x"] }, "userIds"],
])("%s of what cannot be is refused: %j", async (type, data, issue) => {
  await using bench = await openBench();
  const { status, body } = await bench.raise({ type, data });
  expect(status).toBe(400);
  expect(body.issues[0].message).toContain(issue);
});

test("other types are reviewed by the administrators with whatever data they carry", async () => {
  await using bench = await openBench();
  const { id, reviewSteps } = (
    await bench.raise({ type: "UPDATE_QUORUM", data: { quorum: 3, why: { deep: [1] } } })
  ).body;
  expect(reviewSteps).toEqual([
    { stageName: "CREATION", quorum: 1 },
    { stageName: "APPROVAL", quorum: 2 },
  ]);
  await bench.approve(id);
  for (const admin of [EMI, DANIEL]) bench.control.review(id, admin, "APPROVE");
  await bench.advance(5);
  expect((await bench.get(`/requests/${id}`)).body).toMatchObject({
    state: "ACTIVE",
    data: { quorum: 3, why: { deep: [1] } },
  });
});

test("suspended and inactive reviewers are not asked", async () => {
  const seed = defaultSeed();
  for (const user of seed.users) {
    if (user.id === ALICE) user.isSuspended = true;
    if (user.id === BRUNO) user.status = "INACTIVE";
  }
  await using bench = await openBench({ seed: { ...seed, requests: [] } });
  const { id } = (await bench.raise(payment())).body;
  expect(pendingOf((await bench.approve(id)).body)).toEqual([CHLOE]);
});

test("a read-only key raises nothing", async () => {
  await using bench = await openBench();
  const token = await bench.login("reporting");
  const reply = await bench.send("POST", "/requests", { token, body: { request: payment() } });
  expect(reply.status).toBe(403);
});

test("the fixture tells past lives: confirmed, rejected, expired, waiting for the operator, waiting for an administrator", async () => {
  await using bench = await openBench();
  const { results } = (await bench.get("/requests")).body;
  const lives = results.map((one: Document) => [one.type, one.state, pendingOf(one).join()]);
  expect(lives).toEqual([
    ["CREATE_TRANSACTION", "CONFIRMED", ""],
    ["CREATE_TRANSACTION", "REJECTED", ""],
    ["CREATE_TRANSACTION", "EXPIRED", ""],
    ["CREATE_TRANSACTION", "PENDING_APPROVAL", OPERATOR],
    ["CREATE_GROUP", "PENDING_APPROVAL", DANIEL],
  ]);
});

test.each([
  [
    "an unknown member",
    (seed: Document) => ({ ...seed, colour: "red" }),
    'Unrecognized key at seed: "colour"',
  ],
  ["a missing member", ({ accounts: _, ...seed }: Document) => seed, "seed.accounts: required"],
  [
    "a wrong type",
    (seed: Document) => ({ ...seed, executionSeconds: "5" }),
    "seed.executionSeconds",
  ],
  [
    "a balance as a number",
    (seed: Document) => ({ ...seed, accounts: [{ ...seed.accounts[0], balance: 5 }] }),
    "balance",
  ],
  [
    "a reference to nothing",
    (seed: Document) => ({ ...seed, accounts: [{ ...seed.accounts[0], policyId: "x" }] }),
    "x is not in policies",
  ],
  [
    "an id twice",
    (seed: Document) => ({ ...seed, entities: [seed.entities[0], seed.entities[0]] }),
    "entities has an id twice",
  ],
  [
    "an unreachable quorum",
    (seed: Document) => ({ ...seed, adminSteps: [{ quorum: 2, userIds: [EMI] }] }),
    "fewer reviewers",
  ],
  ["no credentials", (seed: Document) => ({ ...seed, credentials: [] }), "first credential"],
  [
    "a past that its policy forbids",
    (seed: Document) => ({
      ...seed,
      requests: [{ createdBy: OPERATOR, ageSeconds: 1, ...payment({ amount: "900000000" }) }],
    }),
    "forbids",
  ],
  [
    "a first credential without a key",
    (seed: Document) => ({ ...seed, credentials: [seed.credentials[2]] }),
    "first credential",
  ],
])("a seed with %s is refused by name", async (_, spoil, issue) => {
  const refused: unknown = await startSandbox({ seed: spoil(defaultSeed()) }).catch(
    (error) => error,
  );
  expect(refused).toBeInstanceOf(InvalidSeed);
  expect((refused as InvalidSeed).issues.join("\n")).toContain(issue);
});

test("a seed with another workspace and the published key of RFC 6979 A.2.5 is served as it is", async () => {
  const { privateKey, publicKey } = await import("./rfc6979.ts");
  const seed = defaultSeed();
  const users = seed.users.map((user) => (user.id === USER(1) ? { ...user, privateKey } : user));
  const sandbox = await startSandbox({ seed: { ...seed, users, workspace: "minivault" } });
  expect(sandbox.description).toMatchObject({
    workspace: "minivault",
    operator: { privateKey, publicKey },
  });
  await sandbox.close();
});

test("without a seed each start makes another operator key; with the same random bytes the same", async () => {
  const keys: string[] = [];
  for (const options of [{}, {}]) {
    const sandbox = await startSandbox(options);
    keys.push(sandbox.description.operator.publicKey);
    await sandbox.close();
  }
  expect(new Set(keys).size).toBe(2);
  const [one, two] = [await openBench(), await openBench()];
  expect(one.description.operator).toEqual(two.description.operator);
  const ids = await Promise.all(
    [one, two].map(async (bench) => (await bench.raise(payment())).body.id),
  );
  expect(ids[0]).toBe(ids[1]);
  for (const bench of [one, two]) await bench.sandbox.close();
});
