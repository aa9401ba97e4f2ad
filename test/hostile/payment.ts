/** One payment of 1000 and its challenge, on a server that a test changes as it likes. */
import { generateKeyPairSync } from "node:crypto";
import { http, type RawRoutes } from "./raw-api.ts";

export const PAID = {
  amount: "1000",
  currency: "bitcoin_testnet",
  max_fees: "18",
  recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
};

/** A 200 answer with this document. */
export const kept = (body: unknown): Uint8Array => http("200 OK", JSON.stringify(body));

/** The request as it is created, and as the server shows it. */
export function payout(
  accountId: string | undefined,
  paid: object = PAID,
): { readonly type: string; readonly data: object } {
  // A request spells its members in camelCase, its challenge in snake_case.
  const transactionData = Object.fromEntries(
    Object.entries(paid).map(([name, value]) => [name === "max_fees" ? "maxFees" : name, value]),
  );
  const data = { accountId, transactionType: "BITCOIN_LIKE_SEND", transactionData };
  return { type: "CREATE_TRANSACTION", data };
}

/** The challenge of a payment, in base64url; `antireplay` is 64 hexadecimal digits. */
export function challengeFor(paid: object, antireplay = "AB".repeat(32)): string {
  const data = { transaction_data: paid, transaction_type: "BITCOIN_LIKE_SEND" };
  const document = { antireplay, data, type: "APPROVE_TRANSACTION" };
  return Buffer.from(JSON.stringify(document)).toString("base64url");
}

const PEM = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "sec1",
  format: "pem",
});

/** The environment with a private key. */
export const SIGNING = {
  env: { LEDGER_ENTERPRISE_API_PRIVATE_KEY: Buffer.from(PEM as string).toString("hex") },
};

/** A server on which everything is in order but for `changes`. */
export function routes(changes: RawRoutes = {}): RawRoutes {
  return {
    "GET /requests/R1": [kept({ id: "R1", ...payout("hot") })],
    "GET /requests/R1/challenge": [
      kept({ challenge: challengeFor({ account_name: "Hot", ...PAID }) }),
    ],
    "GET /accounts/hot": [kept({ id: "hot", name: "Hot" })],
    "GET /accounts/cold": [kept({ id: "cold", name: "Cold" })],
    "POST /requests": [kept({ id: "R1" })],
    "POST /requests/R1/approve": [kept({ id: "R1" })],
    ...changes,
  };
}

export const CREATE = ["requests", "create", "--requestData", JSON.stringify(payout("hot"))];
export const APPROVE = ["requests", "approve", "api", "--id", "R1", "--sign"];
export const POSTED = "POST /requests/R1/approve";
