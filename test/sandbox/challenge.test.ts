/** What is issued to be signed, and which signatures are refused. */
import { expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { CompactSign, importPKCS8 } from "jose";
import { defaultSeed } from "../../src/sandbox/index.ts";
import {
  ACCOUNT,
  ALICE,
  BACKUP,
  type Document,
  OPERATOR,
  openBench,
  payment,
  review,
  signJws,
  USDC,
} from "./bench.ts";

const decode = (challenge: string) => Buffer.from(challenge, "base64url").toString();
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

async function challengeOf(
  bench: Awaited<ReturnType<typeof openBench>>,
  request: Document,
): Promise<{ id: string; text: string; challenge: string }> {
  const { id } = (await bench.raise(request)).body;
  const challenge = await bench.challenge(id);
  return { id, challenge, text: decode(challenge) };
}

test("the vendor's published sample, byte for byte but for the nonce", async () => {
  await using bench = await openBench();
  const request = { ...payment(), note: { title: "Payout", content: "Invoice 42" } };
  const { id } = (await bench.raise(request)).body;
  const { body } = await bench.get(`/requests/${id}/challenge`);
  expect(Object.keys(body)).toEqual(["challengeType", "challenge"]);
  expect(body.challengeType).toBe("API");
  expect(body.challenge).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(decode(body.challenge).replace(/[0-9A-F]{64}/, "<nonce>")).toBe(
    '{"antireplay":"<nonce>","data":{"transaction_data":{"account_name":"ClientA COL TBTC 1","amount":"2000000","currency":"bitcoin testnet","max_fees":"4018","recipient":"tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"},"transaction_type":"BITCOIN_LIKE_SEND"},"type":"APPROVE_TRANSACTION"}',
  );
});

test.each([
  [
    "an ERC-20 transfer names the contract",
    {
      accountId: ACCOUNT(3),
      transactionType: "ETHEREUM_LIKE_SEND",
      transactionData: {
        ...{
          accountName: "Ether Reserve USDC",
          currency: "ethereum",
          amount: "1",
          maxFees: "9000000000000000",
        },
        ...{ contractAddress: USDC, recipient: "0xb550388547691a526190d60C30C2f9E2af03fF3D" },
      },
      feesStrategy: { type: "SPEED", data: { speed: "SLOW" } },
    },
    '{"account_name":"Ether Reserve USDC","amount":"1","contract_address":"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48","currency":"ethereum","max_fees":"9000000000000000","recipient":"0xb550388547691a526190d60C30C2f9E2af03fF3D"}',
  ],
  [
    "a destination tag",
    {
      accountId: ACCOUNT(6),
      transactionType: "RIPPLE_LIKE_SEND",
      transactionData: {
        ...{ accountName: "Ripple Ops", currency: "ripple", amount: "5", maxFees: "20" },
        ...{ recipient: "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", tag: 1001 },
      },
      feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
    },
    '{"account_name":"Ripple Ops","amount":"5","currency":"ripple","max_fees":"20","recipient":"rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe","tag":1001}',
  ],
  [
    "a memo, whose name stays as it is",
    {
      accountId: ACCOUNT(7),
      transactionType: "STELLAR_LIKE_SEND",
      transactionData: {
        ...{
          accountName: "Stellar Ops",
          currency: "stellar",
          amount: "5",
          maxFees: "200",
          memo: { MEMO_TEXT: "four" },
        },
        recipient: "GA5XIGA5C7QTPTWXQHY6MCJRMTRZDOSHR6EFIBNDQTCQHG262N4GGKTM",
      },
      feesStrategy: { type: "SPEED", data: { speed: "FAST" } },
    },
    '{"account_name":"Stellar Ops","amount":"5","currency":"stellar","max_fees":"200","memo":{"MEMO_TEXT":"four"},"recipient":"GA5XIGA5C7QTPTWXQHY6MCJRMTRZDOSHR6EFIBNDQTCQHG262N4GGKTM"}',
  ],
  [
    "no fee limit where the chain has none",
    {
      accountId: ACCOUNT(4),
      transactionType: "SOLANA_LIKE_SEND",
      transactionData: {
        ...{ accountName: "Solana Ops", currency: "solana", amount: "5", maxPriorityFee: "7" },
        recipient: "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU",
      },
    },
    '{"account_name":"Solana Ops","amount":"5","currency":"solana","max_priority_fee":"7","recipient":"7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"}',
  ],
])("%s", async (_, data, expected) => {
  await using bench = await openBench();
  const { text } = await challengeOf(bench, { type: "CREATE_TRANSACTION", data });
  expect(text).toContain(`"transaction_data":${expected},"transaction_type"`);
  expect(text).not.toContain("strategy");
});

test("numbers of unknown fields keep their digits", async () => {
  await using bench = await openBench();
  const raw = JSON.stringify({ request: payment({ extraField: "<n>" }) }).replace(
    '"<n>"',
    "[12345678901234567890,0.10,1e400,-0]",
  );
  await bench.send("POST", "/requests", { token: await bench.login(), body: raw });
  const { text: listed } = await bench.get("/requests?createdBy=me&sortOrder=desc&pageSize=1");
  expect(listed).toContain('"extraField":[12345678901234567890,0.10,1e400,-0]');
  const id = /"id":"([^"]+)","legacyId"/.exec(listed)?.[1] ?? "";
  expect(decode(await bench.challenge(id))).toContain(
    '"extra_field":[12345678901234567890,0.10,1e400,-0]',
  );
});

test("other types carry their data in snake_case under APPROVE_<type>", async () => {
  await using bench = await openBench();
  const { text } = await challengeOf(bench, {
    type: "CREATE_GROUP",
    data: { userIds: [ALICE], name: "New Group" },
  });
  expect(text.replace(/[0-9A-F]{64}/, "")).toBe(
    `{"antireplay":"","data":{"name":"New Group","user_ids":["${ALICE}"]},"type":"APPROVE_GROUP"}`,
  );
  const edit = await challengeOf(bench, { type: "EDIT_GROUP", data: { id: "x" } });
  expect(JSON.parse(edit.text).type).toBe("APPROVE_EDIT_GROUP");
});

test("the same challenge until it is used; one for each request and user", async () => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  expect(await bench.challenge(id)).toBe(challenge);
  const other = await challengeOf(bench, payment());
  expect(JSON.parse(other.text).antireplay).not.toBe(JSON.parse(decode(challenge)).antireplay);
});

test("fresh challenges: each GET voids the last", async () => {
  await using bench = await openBench({ freshChallenges: true });
  const { id, challenge } = await challengeOf(bench, payment());
  const newer = await bench.challenge(id);
  expect(newer).not.toBe(challenge);
  const key = bench.description.operator.privateKey;
  expect(
    (await bench.post(`/requests/${id}/approve`, review(signJws(challenge, key)))).status,
  ).toBe(400);
  expect((await bench.post(`/requests/${id}/approve`, review(signJws(newer, key)))).status).toBe(
    200,
  );
});

test.each<[string, Document, (text: string) => unknown, unknown]>([
  [
    "X1 the second published shape",
    { challengeShape: "transactionProperties" },
    (text) => text.replace(/[0-9A-F]{64}/, "<nonce>"),
    '{"Transaction properties":{"Amount":"sat 2000000","Max total fees":"sat 4018","Recipient address":"tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"},"challenge":"<nonce>"}',
  ],
  [
    "a leaf altered",
    { alterChallenge: { "data.transaction_data.amount": "999" } },
    (text) => JSON.parse(text).data.transaction_data.amount,
    "999",
  ],
  [
    "a leaf removed",
    { alterChallenge: { "data.transaction_data.max_fees": null } },
    (text) => Object.keys(JSON.parse(text).data.transaction_data),
    ["account_name", "amount", "currency", "recipient"],
  ],
  [
    "a leaf added",
    { alterChallenge: { "data.fine_print": { x: [1, true] } } },
    (text) => JSON.parse(text).data.fine_print,
    { x: [1, true] },
  ],
  [
    "a name twice",
    { duplicateInChallenge: "data.transaction_data.amount" },
    (text) => text.match(/"amount":"2000000"/g)?.length,
    2,
  ],
  [
    "bytes that are not JSON",
    { challengeBytes: Buffer.from([0xff, 0, 10]).toString("base64") },
    (text) => text,
    "\ufffd\u0000\n",
  ],
])("on demand: %s, and its approval is accepted", async (_, switches, look, expected) => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  bench.control.set(switches);
  const altered = await bench.challenge(id);
  expect(altered).not.toBe(challenge);
  expect(look(decode(altered))).toEqual(expected);
  expect((await bench.approve(id)).status).toBe(200);
});

test("a signature made elsewhere is accepted: jose", async () => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const pem = Buffer.from(bench.description.operator.privateKey, "hex").toString();
  const key = await importPKCS8(
    createPrivateKey(pem).export({ type: "pkcs8", format: "pem" }).toString(),
    "ES256",
  );
  const jws = await new CompactSign(Buffer.from(challenge, "base64url"))
    .setProtectedHeader({ alg: "ES256", typ: "JWT" })
    .sign(key);
  expect((await bench.post(`/requests/${id}/approve`, review(jws))).status).toBe(200);
});

test.each([
  ["low", (s: bigint) => (s > ORDER / 2n ? ORDER - s : s)],
  ["high", (s: bigint) => (s > ORDER / 2n ? s : ORDER - s)],
])("a %s s is accepted (SIG-3)", async (_, choose) => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const jws = signJws(challenge, bench.description.operator.privateKey);
  const [header, payload, signature = ""] = jws.split(".");
  const raw = Buffer.from(signature, "base64url").toString("hex");
  const s = choose(BigInt(`0x${raw.slice(64)}`))
    .toString(16)
    .padStart(64, "0");
  const other = Buffer.from(raw.slice(0, 64) + s, "hex").toString("base64url");
  expect(
    (await bench.post(`/requests/${id}/approve`, review(`${header}.${payload}.${other}`))).status,
  ).toBe(200);
});

const b64 = (text: string) => Buffer.from(text).toString("base64url");

test.each<[string, (challenge: string, key: string) => string, string]>([
  [
    "DER instead of r‖s",
    (challenge, key) => signJws(challenge, key, { dsaEncoding: "der" }),
    "64 bytes",
  ],
  [
    "one bit of the signature flipped",
    (challenge, key) => flipLast(signJws(challenge, key)),
    "does not verify",
  ],
  ["another payload", (challenge, key) => signJws(b64(`${decode(challenge)} `), key), "payload"],
  [
    "the payload re-serialised in another order",
    (challenge, key) =>
      signJws(b64(JSON.stringify({ type: "x", ...JSON.parse(decode(challenge)) })), key),
    "payload",
  ],
  [
    "alg none",
    (challenge, key) => signJws(challenge, key, { header: '{"alg":"none","typ":"JWT"}' }),
    "header",
  ],
  [
    "alg HS256",
    (challenge, key) => signJws(challenge, key, { header: '{"alg":"HS256","typ":"JWT"}' }),
    "header",
  ],
  ["no typ", (challenge, key) => signJws(challenge, key, { header: '{"alg":"ES256"}' }), "header"],
  [
    "a crit extension",
    (challenge, key) =>
      signJws(challenge, key, { header: '{"alg":"ES256","typ":"JWT","crit":["b64"],"b64":true}' }),
    "header",
  ],
  [
    "a header with a duplicate name",
    (challenge, key) =>
      signJws(challenge, key, { header: '{"alg":"none","alg":"ES256","typ":"JWT"}' }),
    "header",
  ],
  [
    "a header that is not JSON",
    (challenge, key) => signJws(challenge, key, { header: "ES256" }),
    "header",
  ],
  ["the challenge itself", (challenge) => challenge, "three base64url parts"],
  [
    "two parts",
    (challenge, key) => signJws(challenge, key).split(".").slice(0, 2).join("."),
    "three base64url parts",
  ],
  ["four parts", (challenge, key) => `${signJws(challenge, key)}.AA`, "three base64url parts"],
  ["padding", (challenge, key) => `${signJws(challenge, key)}==`, "three base64url parts"],
  [
    "the standard alphabet",
    (challenge, key) => `${signJws(challenge, key).slice(0, -1)}+`,
    "three base64url parts",
  ],
  [
    "an empty signature",
    (challenge, key) => `${signJws(challenge, key).split(".").slice(0, 2).join(".")}.`,
    "three base64url parts",
  ],
  [
    "trailing bits that are not zero",
    (challenge, key) => spoilTrailingBits(signJws(challenge, key)),
    "three base64url parts",
  ],
])("refused with 400 and the challenge stays good: %s", async (_, make, issue) => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const refused = await bench.post(
    `/requests/${id}/approve`,
    review(make(challenge, bench.description.operator.privateKey)),
  );
  expect({ status: refused.status, code: refused.body.code }).toEqual({
    status: 400,
    code: "BAD_REQUEST",
  });
  expect(refused.body.issues[0].message).toContain(issue);
  expect((await bench.get(`/requests/${id}`)).body.currentStepIndex).toBe(0);
  expect((await bench.approve(id)).status).toBe(200);
});

function flipLast(jws: string): string {
  const [header, payload, signature = ""] = jws.split(".");
  const bytes = Buffer.from(signature, "base64url");
  bytes[63] = (bytes[63] ?? 0) ^ 1;
  return `${header}.${payload}.${bytes.toString("base64url")}`;
}

/** 64 bytes are 86 characters, of which the last carries four bits too many. */
function spoilTrailingBits(jws: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return jws.slice(0, -1) + alphabet[alphabet.indexOf(jws.at(-1) ?? "") | 1];
}

test("members of the header may be in any order and with spaces", async () => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const jws = signJws(challenge, bench.description.operator.privateKey, {
    header: '{ "typ": "JWT", "alg": "ES256" }',
  });
  expect((await bench.post(`/requests/${id}/approve`, review(jws))).status).toBe(200);
});

test("another operator's key is refused, and so is this one's after another was registered", async () => {
  await using bench = await openBench();
  await using stranger = await openBench({ random: (bytes) => new Uint8Array(bytes).fill(7) });
  const { id, challenge } = await challengeOf(bench, payment());
  const foreign = await bench.post(
    `/requests/${id}/approve`,
    review(signJws(challenge, stranger.description.operator.privateKey)),
  );
  expect(foreign.body.issues[0].message).toContain("does not verify");
  bench.control.set({ pubKey: stranger.description.operator.publicKey });
  expect((await bench.approve(id)).status).toBe(400);
  bench.control.set({ pubKey: `04${"1".repeat(128)}` });
  expect((await bench.approve(id)).body.issues[0].message).toContain("does not verify");
});

test("a signature works once: sent again, for another request, and after the end it is refused with 400", async () => {
  await using bench = await openBench();
  const one = await challengeOf(bench, payment());
  const other = await challengeOf(bench, payment());
  const key = bench.description.operator.privateKey;
  const jws = signJws(one.challenge, key);
  expect(
    (await bench.post(`/requests/${other.id}/approve`, review(jws))).body.issues[0].message,
  ).toContain("payload");
  expect((await bench.post(`/requests/${one.id}/approve`, review(jws))).status).toBe(200);
  const again = await bench.post(`/requests/${one.id}/approve`, review(jws));
  expect({ status: again.status, message: again.body.message }).toEqual({
    status: 400,
    message: "This challenge was used before",
  });
  bench.control.review(one.id, ALICE, "REJECT");
  const newer = signJws(other.challenge, key);
  expect((await bench.post(`/requests/${one.id}/approve`, review(newer))).body.message).toContain(
    "REJECTED",
  );
});

test("without a challenge asked for, nothing can be approved", async () => {
  await using bench = await openBench();
  const { id } = (await bench.raise(payment())).body;
  const refused = await bench.post(
    `/requests/${id}/approve`,
    review(signJws(b64("{}"), bench.description.operator.privateKey)),
  );
  expect(refused.body.message).toContain("No challenge");
});

test("403 for users without a pending review in the current step, for the challenge and for the approval", async () => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const token = await bench.login("backup");
  expect((await bench.send("GET", `/requests/${id}/challenge`, { token })).status).toBe(403);
  const body = review(signJws(challenge, bench.description.operator.privateKey));
  expect((await bench.send("POST", `/requests/${id}/approve`, { token, body })).status).toBe(403);
  await bench.approve(id);
  expect((await bench.get(`/requests/${id}/challenge`)).status).toBe(403);
});

test("a challenge is one user's: the same request, two API operators, two nonces, and neither can use the other's", async () => {
  const seed = defaultSeed();
  seed.policies[0]?.rules.forEach((rule) => {
    rule.reviewSteps = [{ quorum: 2, userIds: [OPERATOR, BACKUP] }];
  });
  await using bench = await openBench({ seed: { ...seed, requests: [] } });
  const { id } = (await bench.raise(payment())).body;
  await bench.approve(id);
  const mine = await bench.challenge(id);
  const token = await bench.login("backup");
  const theirs = (await bench.send("GET", `/requests/${id}/challenge`, { token })).body.challenge;
  expect(theirs).not.toBe(mine);
  const body = review(signJws(mine, bench.description.operator.privateKey));
  expect(
    (await bench.send("POST", `/requests/${id}/approve`, { token, body })).body.issues[0].message,
  ).toContain("payload");
  expect((await bench.approve(id)).body.currentStepIndex).toBe(1);
});

test("PSD is refused for an API operator, and X7 a request that is not there is a 404, or a 400 on demand", async () => {
  await using bench = await openBench();
  const { id, challenge } = await challengeOf(bench, payment());
  const jws = signJws(challenge, bench.description.operator.privateKey);
  const refused = await bench.post(`/requests/${id}/approve`, review(jws, "PSD"));
  expect({ status: refused.status, issue: refused.body.issues[0].message }).toEqual({
    status: 400,
    issue: "body.data.challengeType: the user's device is API",
  });
  expect((await bench.post("/requests/nothing/approve", review(jws))).status).toBe(404);
  bench.control.set({ missingRequestStatus: 400 });
  expect((await bench.post("/requests/nothing/approve", review(jws))).status).toBe(400);
  expect((await bench.get("/requests/nothing/challenge")).status).toBe(404);
});
