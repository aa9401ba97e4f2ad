import { describe, expect, test } from "bun:test";
import { decodeChallenge } from "../../../src/core/signing/challenge.ts";
import { accountIdsOf, type Review, reviewChallenge } from "../../../src/core/signing/review.ts";
import { exact } from "../../../src/io/json.ts";

const NONCE = "AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91";

function review(
  data: unknown,
  request: unknown,
  type: string,
  accountNames: string[] = [],
): Review {
  const text = JSON.stringify({ antireplay: NONCE, data, type });
  return reviewChallenge({
    challenge: decodeChallenge(Buffer.from(text).toString("base64url")),
    sources: [{ request: exact(JSON.stringify(request)), source: "record" }],
    accountNames,
  });
}

describe("N10 a request for one coin, {accountId, transaction}", () => {
  const coin = {
    accountId: "acc_1",
    transaction: { amount: "1000", recipient: "0xabc", maxFees: "7" },
  };
  const shown = { amount: "1000", recipient: "0xabc", max_fees: "7", account_name: "Sui 1" };
  const data = { transaction_data: shown, transaction_type: "SUI_LIKE_SEND" };

  test("N10 R4 its transaction is compared with the challenge's, its account by name", () => {
    const found = review(data, coin, "APPROVE_TRANSACTION", ["Sui 1"]);
    expect(found).toMatchObject({
      match: true,
      differences: [],
      unverified: ["data.transaction_type", "type"],
      requestOnly: ["accountId"],
    });
    expect(accountIdsOf(exact(JSON.stringify(coin)))).toEqual(["acc_1"]);
  });

  test("N10 each altered field is a difference", () => {
    for (const change of [{ amount: "1001" }, { recipient: "0xabd" }, { max_fees: "8" }]) {
      const altered = { ...data, transaction_data: { ...shown, ...change } };
      const found = review(altered, coin, "APPROVE_TRANSACTION", ["Sui 1"]);
      expect([found.match, found.differences.map(({ field }) => field)]).toEqual([
        false,
        [`data.transaction_data.${Object.keys(change)[0]}`],
      ]);
    }
    const other = review(data, coin, "APPROVE_TRANSACTION", ["Sui 2"]);
    expect(other.differences.map(({ source }) => source)).toEqual(["account"]);
  });

  test("N10 what the challenge leaves out stays open, by its place in the document", () => {
    const more = { ...coin, transaction: { ...coin.transaction, coinType: "0x2::sui::SUI" } };
    expect(review(data, more, "APPROVE_TRANSACTION", ["Sui 1"]).unverified).toEqual([
      "data.transaction_type",
      "type",
      "transaction.coinType",
    ]);
    const nested = { ...coin, transaction: { send: { amount: "1000" } } };
    expect(review(data, nested, "APPROVE_TRANSACTION", ["Sui 1"]).unverified).toContain(
      "transaction.send.amount",
    );
  });

  test("N10 an account that cannot be read vouches for no name", () => {
    expect(review(data, coin, "APPROVE_TRANSACTION").unverified).toContain(
      "data.transaction_data.account_name",
    );
  });

  test("N10 a document with a type is a request as ever", () => {
    const typed = { ...coin, type: "CREATE_TRANSACTION", data };
    expect(review(data, typed, "APPROVE_TRANSACTION").unverified).toEqual([]);
  });
});

describe("N20 raw signing", () => {
  const digest = "ab".repeat(32);
  const request = {
    type: "SIGN_DIGESTS",
    data: {
      account_id: 7,
      digests_data: { account_name: "Raw 1", digests: [{ digest, derivation_path: "44'/60'" }] },
    },
  };
  const data = { account_name: "Raw 1", digests: [{ digest, derivation_path: "44'/60'" }] };

  test("N20 R11 digests_data is compared with what a challenge has beside each other", () => {
    const found = review(data, request, "APPROVE_SIGN_DIGESTS", ["Raw 1"]);
    expect(found).toMatchObject({ match: true, differences: [], unverified: [] });
  });

  test("N20 a digest is the whole meaning: no spelling of it passes for another", () => {
    for (const other of [
      digest.toUpperCase(),
      `0x${digest}`,
      ` ${digest}`,
      digest.slice(1),
      digest.replace("a", "c"),
    ]) {
      const altered = { ...data, digests: [{ digest: other, derivation_path: "44'/60'" }] };
      const found = review(altered, request, "APPROVE_SIGN_DIGESTS", ["Raw 1"]);
      expect(found.differences.map(({ field }) => field)).toEqual(["data.digests[0].digest"]);
    }
    const two = { ...data, digests: [...data.digests, ...data.digests] };
    expect(review(two, request, "APPROVE_SIGN_DIGESTS", ["Raw 1"]).match).toBe(false);
  });

  test("N20 a path that the challenge leaves out stays open", () => {
    const less = { ...data, digests: [{ digest }] };
    expect(review(less, request, "APPROVE_SIGN_DIGESTS", ["Raw 1"]).unverified).toEqual([
      "data.digests_data.digests[0].derivation_path",
    ]);
  });

  test("N20 a challenge that has the container itself is compared as it is", () => {
    const found = review(request.data, request, "APPROVE_SIGN_DIGESTS", ["Raw 1"]);
    expect(found).toMatchObject({ match: true, differences: [] });
  });
});

describe("N21 pledges", () => {
  const pledge = {
    account_name: "P",
    amount: "-5",
    currency: "ethereum",
    exchange_name: "Bitpanda",
  };
  const request = {
    type: "CREATE_PLEDGE_INCREMENT",
    data: { pledge_subaccount_id: 3, pledge_data: { ...pledge, contract_address: "0x1" } },
  };
  const data = {
    account_name: "P",
    amount: "-5",
    currency: "ethereum",
    exchange: "Bitpanda",
    timestamp: "1",
    total_pledge: "10",
  };

  test("N21 R11 what is known is compared; total_pledge, timestamp and a contract are always open", () => {
    expect(review(data, request, "APPROVE_PLEDGE_INCREMENT")).toMatchObject({
      match: true,
      differences: [],
      unverified: ["data.timestamp", "data.total_pledge", "data.pledge_data.contract_address"],
    });
  });

  test("N21 another exchange or amount is a difference", () => {
    for (const change of [{ exchange: "Other" }, { amount: "5" }]) {
      const found = review({ ...data, ...change }, request, "APPROVE_PLEDGE_INCREMENT");
      expect(found.differences.length).toBe(1);
    }
  });

  test("N21 a field beside the container and one inside it are two of one name: a difference", () => {
    const twice = { ...request, data: { ...request.data, amount: "-5" } };
    expect(review(data, twice, "APPROVE_PLEDGE_INCREMENT").differences.length).toBe(1);
  });
});
