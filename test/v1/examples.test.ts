/**
 * The vendor's worked examples: its sample challenge from the API to the approval, its older one,
 * its Bitcoin and ERC-20 sends.
 */
import { describe, expect, test } from "bun:test";
import { createPublicKey, verify } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeChallenge } from "../../src/core/signing/challenge.ts";
import { parseJws } from "../../src/core/signing/jws.ts";
import { Program } from "../hostile/program.ts";
import { SOURCE } from "../support/forms.ts";
import { keyPair } from "./keys.ts";

const SAMPLE =
  "eyJhbnRpcmVwbGF5IjoiQUM4NjY3QTU1Qjc0REQwMDI4QkU1N0YzMzBGNjVCQ0Y1M0UyODkzMDc4MzRBQkQxQ0VDNkYyOUFFNTIwNkI5MSIsImRhdGEiOnsidHJhbnNhY3Rpb25fZGF0YSI6eyJhY2NvdW50X25hbWUiOiJteSBidGMgYWNjb3VudCIsImFtb3VudCI6IjEwMDAiLCJjdXJyZW5jeSI6ImJpdGNvaW4gdGVzdG5ldCIsIm1heF9mZWVzIjoiNDAxOCIsInJlY2lwaWVudCI6InRiMXF5N3M5YzJ4d3F5NHF5dmowa3lxN2g1Z2g0cnhnZGxqZHMwdDludiJ9LCJ0cmFuc2FjdGlvbl90eXBlIjoiQklUQ09JTl9MSUtFX1NFTkQifSwidHlwZSI6IkFQUFJPVkVfVFJBTlNBQ1RJT04ifQ";
const SAID =
  '{"antireplay":"AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91","data":{"transaction_data":{"account_name":"my btc account","amount":"1000","currency":"bitcoin testnet","max_fees":"4018","recipient":"tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv"},"transaction_type":"BITCOIN_LIKE_SEND"},"type":"APPROVE_TRANSACTION"}';

/**
 * The approval that the vendor's document shows, over the older shape; its key is not published.
 */
const OLDER =
  "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJUcmFuc2FjdGlvbiBwcm9wZXJ0aWVzIjp7Ik1heCBnYXMgcHJpY2UiOiJzd2VpIDY3MzY5NTY2OTAiLCJBbW91bnQiOiJzd2VpIDEyMzAwMDAwMDAwMDAwMCIsIk1heCB0b3RhbCBmZWVzIjoic3dlaSAxNDE0NzYwOTA0OTAwMDAiLCJSZWNpcGllbnQgYWRkcmVzcyI6IjB4YjU1MDM4ODU0NzY5MWE1MjYxOTBkNjBDMzBDMmY5RTJhZjAzZkYzRCIsIkdhcyBsaW1pdCI6IjIxMDAwIn0sImNoYWxsZW5nZSI6IkZGQTMzNzk1MzZDNTVBOEMxRkQwNEREMEEzNjg3MjAwRjQyMkVGRjA1NDZCNTc5QTc3OTA4MTczQTczMEQwQTYifQ.wc7ilV47pari5lL7qJIm7a7PD59kdVm-59ilyN5BGglEXQtZeoLPOn3iz0GoX1X1fcRG__7fJMqxwPgJDzMTTA";

const BITCOIN = `{"type": "CREATE_TRANSACTION",
 "data": {"account_id": 2, "transaction_type": "BITCOIN_LIKE_SEND",
  "fees_strategy": {"type": "SPEED", "data": {"speed": "FAST"}},
  "transaction_data": {"account_name": "ClientA COL TBTC 1", "amount": "200000000",
   "currency": "bitcoin_testnet", "max_fees": "4018",
   "recipient": "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq"}},
 "note": {"title": "Payout", "content": "Invoice 42"}}`;

const ERC20 = `{"type": "CREATE_TRANSACTION",
 "data": {"account_id": 101, "transaction_type": "ETHEREUM_LIKE_SEND",
  "fees_strategy": {"type": "CUSTOM", "data": {"gas_limit": "65000", "priority_fees": "2000"}},
  "transaction_data": {"account_name": "ETH Wallet 1", "amount": "1000000",
   "currency": "ethereum", "max_fees": "141476090490000",
   "contract_address": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
   "recipient": "0xb550388547691a526190d60C30C2f9E2af03fF3D"}}}`;

interface Exchange {
  readonly line: string;
  readonly body: string;
}

/** A server that knows a few answers by heart, and keeps what it was told. */
function serve(answers: Readonly<Record<string, unknown>>) {
  const seen: Exchange[] = [];
  const known: Readonly<Record<string, unknown>> = {
    "POST /auth/token": {
      access_token: "opaque-access-1",
      expires_in: 300,
      refresh_token: "opaque-refresh-1",
      session_state: "s",
      token_type: "Bearer",
    },
    ...answers,
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const line = `${request.method} ${new URL(request.url).pathname}`;
      seen.push({ line, body: await request.text() });
      const answer = known[line];
      return answer === undefined
        ? Response.json({ name: "x" }, { status: 404 })
        : Response.json(answer);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** A request as V1 shows it: its effect is in its transaction only. */
const REQUEST = {
  "GET /requests/6": {
    id: 6,
    type: "CREATE_TRANSACTION",
    status: "PENDING_APPROVAL",
    target_id: 10,
    target_type: "TRANSACTION",
  },
  "GET /requests/6/challenge": { id: 6, challenge: SAMPLE },
  "GET /transactions/10": {
    id: 10,
    account_id: 1,
    type: "SEND",
    currency_family: "bitcoin",
    currency: "bitcoin_testnet",
    amount: "1000",
    max_fees: "4018",
    recipient: "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv",
  },
  "GET /accounts/1": { id: 1, name: "my btc account" },
  "POST /requests/6/approve": { id: 6, status: "APPROVED" },
};

async function open(url: string, key = keyPair()): Promise<Program> {
  const program = await Program.at(SOURCE, {
    LEDGER_ENTERPRISE_API_URL: url,
    LEDGER_ENTERPRISE_API_PRIVATE_KEY: key.pemHex,
  });
  await program.succeed(["login", "api", "--apiVersion", "v1"]);
  return program;
}

describe("the sample challenge", () => {
  test("decodes to what the guide says", () => {
    const { bytes, base64url, shape } = decodeChallenge(SAMPLE);
    expect([Buffer.from(bytes).toString(), base64url, shape]).toEqual([
      SAID,
      SAMPLE,
      "transaction",
    ]);
  });

  test("challenge → JWS → approve: the text reused as payload, the guide's header, 64 bytes, body {jws}", async () => {
    await using server = serve(REQUEST);
    const key = keyPair();
    await using program = await open(server.url, key);
    const report = (await program.succeed(["requests", "review", "--id", "6"])) as Record<
      string,
      unknown
    >;
    expect(report).toMatchObject({
      match: true,
      differences: [],
      unverified: [],
      challenge: SAMPLE,
    });
    await program.succeed(["requests", "approve", "api", "--id", "6", "--sign"]);
    const sent = server.seen.at(-1);
    expect(sent?.line).toBe("POST /requests/6/approve");
    const { jws, ...others } = JSON.parse(sent?.body ?? "") as { jws: string };
    expect(others).toEqual({});
    const [head = "", body = "", signature = ""] = jws.split(".");
    expect(head).toBe("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9");
    expect(body).toBe(SAMPLE);
    const raw = Buffer.from(signature, "base64url");
    expect(raw).toHaveLength(64);
    const publicKey = createPublicKey(key.publicKeyPem);
    const isGood = verify(
      "sha256",
      Buffer.from(`${head}.${body}`),
      { key: publicKey, dsaEncoding: "ieee-p1363" },
      raw,
    );
    expect(isGood).toBe(true);
  });

  test("another amount on the server than in the challenge: nothing is signed", async () => {
    const altered = {
      ...REQUEST,
      "GET /transactions/10": { ...REQUEST["GET /transactions/10"], amount: "1001" },
    };
    await using server = serve(altered);
    await using program = await open(server.url);
    const error = await program.fail(
      ["requests", "approve", "api", "--id", "6", "--sign"],
      2,
      "CHALLENGE_MISMATCH",
    );
    expect(error.details).toMatchObject({
      differences: [{ field: "data.transaction_data.amount", source: "server" }],
    });
    expect(server.seen.filter(({ line }) => line.includes("approve"))).toEqual([]);
  });

  test("a transaction that may not be read leaves nothing to compare with: refused without a confirmation", async () => {
    const { "GET /transactions/10": _, ...hidden } = REQUEST;
    await using server = serve(hidden);
    await using program = await open(server.url);
    await program.fail(["requests", "approve", "api", "--id", "6", "--sign"], 4, "NOT_FOUND");
    expect(server.seen.filter(({ line }) => line.includes("approve"))).toEqual([]);
  });
});

describe("the older sample", () => {
  test("is a JWS of the same form over the older shape", () => {
    const { payload } = parseJws(OLDER);
    const challenge = decodeChallenge(Buffer.from(payload).toString("base64url"));
    expect(challenge.shape).toBe("properties");
    expect(Buffer.from(payload).toString()).toStartWith(
      '{"Transaction properties":{"Max gas price":"swei 6736956690"',
    );
    expect(challenge.base64url).toBe(OLDER.split(".")[1] ?? "");
  });

  test("its words are not those of a request, so that nothing in it counts as verified", async () => {
    const challenge = OLDER.split(".")[1] ?? "";
    const shown = {
      ...REQUEST["GET /requests/6"],
      type: "CREATE_PLEDGE_INCREMENT",
      target_type: "PLEDGE_INCREMENT",
    };
    const answers = {
      ...REQUEST,
      "GET /requests/6": shown,
      "GET /requests/6/challenge": { id: 6, challenge },
    };
    await using server = serve(answers);
    await using program = await open(server.url);
    const argv = ["requests", "approve", "api", "--id", "6", "--sign"];
    const { details } = await program.fail(argv, 2, "CHALLENGE_MISMATCH");
    expect(details).toMatchObject({ match: false, differences: [] });
    const { payloadSha256 } = (await program.succeed([
      "requests",
      "getChallenge",
      "--id",
      "6",
    ])) as {
      payloadSha256: string;
    };
    await program.succeed([...argv, "--expectPayloadSha256", payloadSha256]);
    expect(JSON.parse(server.seen.at(-1)?.body ?? "").jws.split(".")[1]).toBe(challenge);
  });
});

describe.each([
  ["Bitcoin", BITCOIN],
  ["ERC-20", ERC20],
])("the %s send", (_name, request) => {
  const compact = JSON.stringify(JSON.parse(request));

  test("is sent as it was written, and shown so before", async () => {
    await using server = serve({
      "POST /requests": { id: 6, type: "CREATE_TRANSACTION", status: "PENDING_FIRST_APPROVAL" },
    });
    await using program = await open(server.url);
    await writeFile(join(program.home, "request.json"), request);
    const { stdout } = await program.run([
      "requests",
      "create",
      "--requestData",
      "@request.json",
      "--dryRun",
    ]);
    expect(stdout).toContain(`"body":${compact}}`);
    expect(stdout).toMatch(
      /"x-ledger-workspace":"minivault","authorization":"(Bearer )?\[redacted\]"/,
    );
    await program.succeed(["requests", "create", "--requestData", "@request.json"]);
    expect(server.seen.at(-1)).toEqual({ line: "POST /requests", body: compact });
  });

  test("is estimated whole, the caller's limit kept", async () => {
    const answer = { max_fees: "4018", coin_fields: { UTXO_limit: 100, fees_per_byte: 12 } };
    await using server = serve({ "POST /transactions/estimate-fees": answer });
    await using program = await open(server.url);
    const account = String(JSON.parse(request).data.account_id);
    const argv = ["transactions", "estimate", "--accountId", account, "--transactionData", request];
    expect(await program.succeed(argv)).toEqual(answer);
    expect(server.seen.at(-1)?.body).toBe(compact);
  });
});
