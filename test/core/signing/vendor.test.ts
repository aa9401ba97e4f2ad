import { describe, expect, test } from "bun:test";
import { parsePrivateKey } from "../../../src/core/auth/key.ts";
import { decodeChallenge } from "../../../src/core/signing/challenge.ts";
import { verifyJws } from "../../../src/core/signing/jws.ts";
import { reviewChallenge } from "../../../src/core/signing/review.ts";
import { exact } from "../../../src/io/json.ts";

/** The challenge of the vendor's guide "Approve a request" (V1), as the API gave it. */
const CHALLENGE =
  "eyJhbnRpcmVwbGF5IjoiM0JCMzdERkIxREYxRkQ5REUzNEZDQUZCQkVGNjZDQjVDMUVEMTU3MzEzNTRGQjAxNDZEQ0MyMjk3NjdEMzVCMSIsImRhdGEiOnsidHJhbnNhY3Rpb25fZGF0YSI6eyJhY2NvdW50X25hbWUiOiJDbGllbnRBIENPTCBUQlRDIDEiLCJhbW91bnQiOiIxMDAiLCJjdXJyZW5jeSI6ImJpdGNvaW4gdGVzdG5ldCIsIm1heF9mZWVzIjoiMjExIiwicmVjaXBpZW50IjoidGIxcTl3ZXh3OXB6amtsajd5cWxkNmczbGVqeHpyMHdndndoengwbmVrIn0sInRyYW5zYWN0aW9uX3R5cGUiOiJCSVRDT0lOX0xJS0VfU0VORCJ9LCJ0eXBlIjoiQVBQUk9WRV9UUkFOU0FDVElPTiJ9";

/** The sample key of the same page: published, and not in use. */
const PEM = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDN4pKvYZtwGLC/XiUKdUjPJJGTRd1MQxVKsiaWEAY1OoAoGCCqGSM49
AwEHoUQDQgAEdcIngZ7X7X5sipnIuP3rt1w6mg3V9LQE4txm5cx0tvaDxon+W6Kx
CBtTMvPCR5D9a9Nab2cNEjvKePWyzOHqMg==
-----END EC PRIVATE KEY-----
`;

const transaction = {
  account_name: "ClientA COL TBTC 1",
  currency: "bitcoin_testnet",
  max_fees: "211",
  recipient: "tb1q9wexw9pzjklj7yqld6g3lejxzr0wgvwhzx0nek",
};

function review(amount: string) {
  const data = {
    account_id: 2,
    transaction_type: "BITCOIN_LIKE_SEND",
    transaction_data: { ...transaction, amount },
  };
  const request = exact(JSON.stringify({ type: "CREATE_TRANSACTION", data }));
  return reviewChallenge({
    challenge: decodeChallenge(CHALLENGE),
    sources: [{ request, source: "record" }],
  });
}

describe("N19 the vendor's second challenge", () => {
  test("N19 agrees with its request; with the amount of the page's own example it does not", () => {
    expect(review("100")).toMatchObject({ match: true, differences: [] });
    const { match, differences } = review("200000000");
    expect([match, differences.map(({ field }) => field)]).toEqual([
      false,
      ["data.transaction_data.amount"],
    ]);
  });

  test("N19 the page's key is read as registration wants it, and did not sign the older sample", () => {
    const key = parsePrivateKey(Buffer.from(PEM).toString("hex"));
    expect(Buffer.from(key.publicKey).toString("hex")).toStartWith(
      "0475c227819ed7ed7e6c8a99c8b8fd",
    );
    const older =
      "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJUcmFuc2FjdGlvbiBwcm9wZXJ0aWVzIjp7Ik1heCBnYXMgcHJpY2UiOiJzd2VpIDY3MzY5NTY2OTAiLCJBbW91bnQiOiJzd2VpIDEyMzAwMDAwMDAwMDAwMCIsIk1heCB0b3RhbCBmZWVzIjoic3dlaSAxNDE0NzYwOTA0OTAwMDAiLCJSZWNpcGllbnQgYWRkcmVzcyI6IjB4YjU1MDM4ODU0NzY5MWE1MjYxOTBkNjBDMzBDMmY5RTJhZjAzZkYzRCIsIkdhcyBsaW1pdCI6IjIxMDAwIn0sImNoYWxsZW5nZSI6IkZGQTMzNzk1MzZDNTVBOEMxRkQwNEREMEEzNjg3MjAwRjQyMkVGRjA1NDZCNTc5QTc3OTA4MTczQTczMEQwQTYifQ.wc7ilV47pari5lL7qJIm7a7PD59kdVm-59ilyN5BGglEXQtZeoLPOn3iz0GoX1X1fcRG__7fJMqxwPgJDzMTTA";
    expect(verifyJws(older, key.publicKey)).toBe(false);
  });
});
