/** A challenge beside several sources, and the account that it names. */
import { describe, expect, test } from "bun:test";
import { reviewChallenge } from "../../../src/core/signing/review.ts";
import {
  challengeOf,
  DATA,
  type Json,
  NONCE,
  type Request,
  requestOf,
  review,
  simple,
  sourceOf,
  told,
  wrap,
} from "./reviewing.ts";

describe("SIG-6 several sources", () => {
  const challenge = challengeOf(simple(DATA));
  const [honest, other] = [requestOf(DATA), requestOf({ ...DATA, recipient: "tb1qevil" })];

  test("both agree", () => {
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(honest), sourceOf(honest, "record")],
    });
    expect(found).toMatchObject({ match: true, differences: [], unverified: [], requestOnly: [] });
  });

  test("a contradiction of either is a difference that names its source", () => {
    const byRecord = reviewChallenge({
      challenge,
      sources: [sourceOf(honest), sourceOf(other, "record")],
    });
    expect(told(byRecord)).toEqual([
      'data.transaction_data.recipient: "tb1qx" ≠ "tb1qevil" (record)',
    ]);
    const byServer = reviewChallenge({
      challenge,
      sources: [sourceOf(other), sourceOf(honest, "record")],
    });
    expect(told(byServer)).toEqual([
      'data.transaction_data.recipient: "tb1qx" ≠ "tb1qevil" (server)',
    ]);
    expect([byRecord.match, byServer.match]).toEqual([false, false]);
  });

  test("a server that changed challenge and request alike is caught by the record", () => {
    const swapped = challengeOf(simple({ ...DATA, recipient: "tb1qevil" }));
    expect(reviewChallenge({ challenge: swapped, sources: [sourceOf(other)] }).match).toBe(true);
    const found = reviewChallenge({
      challenge: swapped,
      sources: [sourceOf(other), sourceOf(honest, "record")],
    });
    expect(told(found)).toEqual(['data.transaction_data.recipient: "tb1qevil" ≠ "tb1qx" (record)']);
  });

  test.each([
    ["tag", 7],
    ["memo", { MEMO_TEXT: "x" }],
    ["contract_address", "0x1"],
    ["max_fees", "900"],
  ])("SIG-6 a %s that the server added to what was asked for stays open", (name, value) => {
    const added = { ...DATA, [name]: value } as Json;
    const found = reviewChallenge({
      challenge: challengeOf(simple(added)),
      sources: [sourceOf(requestOf(added)), sourceOf(honest, "record")],
    });
    expect(found.differences).toEqual([]);
    const places = found.unverified.map((place) => place.replace(".MEMO_TEXT", ""));
    expect(places).toEqual([`data.transaction_data.${name}`]);
  });

  test("an account that was named by its id may have its name and currency from the server", () => {
    const { account_name: _, currency: __, ...rest } = DATA;
    const byId = {
      ...requestOf(rest),
      data: { ...(requestOf(rest).data as object), account_id: 1 },
    };
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(honest), sourceOf(byId, "record")],
      accountNames: ["A"],
    });
    expect(found).toMatchObject({ match: true, differences: [], unverified: [] });
  });

  test("what the server leaves out the record may verify", () => {
    const { recipient: _, ...rest } = DATA;
    const sources = [sourceOf(requestOf(rest)), sourceOf(honest, "record")];
    const found = reviewChallenge({ challenge, sources });
    expect(found).toMatchObject({ match: true, differences: [], unverified: [], requestOnly: [] });
  });

  test("one field that only requests have is listed once", () => {
    const request = {
      ...honest,
      data: { ...(honest.data as object), feesStrategy: { type: "SPEED" } },
    };
    const snake = {
      ...honest,
      data: { ...(honest.data as object), fees_strategy: { type: "SPEED" } },
    };
    const found = reviewChallenge({
      challenge,
      sources: [sourceOf(request), sourceOf(snake, "record")],
    });
    expect(found.requestOnly).toEqual(["data.feesStrategy.type"]);
  });

  test("no source: nothing matches", () => {
    const found = reviewChallenge({ challenge, sources: [] });
    expect([found.match, found.differences, found.requestOnly]).toEqual([false, [], []]);
    expect(found.unverified).toEqual([
      "data.transaction_data.account_name",
      "data.transaction_data.amount",
      "data.transaction_data.currency",
      "data.transaction_data.recipient",
      "data.transaction_type",
      "type",
    ]);
  });

  test("a request that says nothing verifies nothing", () => {
    for (const request of [
      "{}",
      "[]",
      '"x"',
      "null",
      '{"type":"CREATE_TRANSACTION"}',
      '{"type":"CREATE_TRANSACTION","data":{}}',
    ]) {
      expect([request, review(simple(DATA), request).match]).toEqual([request, false]);
    }
  });

  test("a challenge of nothing but the right type does not match", () => {
    for (const data of ["{}", '{"x":{}}']) {
      expect(
        review(`{"antireplay":"${NONCE}","data":${data},"type":"APPROVE_TRANSACTION"}`, honest)
          .match,
      ).toBe(false);
    }
    expect(
      review(`{"Transaction properties":{"type":"APPROVE_TRANSACTION"},"challenge":"00"}`, honest)
        .match,
    ).toBe(false);
  });

  test("an envelope is opened only where the request itself is not", () => {
    const inner = {
      request: { type: "CREATE_TRANSACTION", data: { transaction_data: { amount: "1" } } },
    };
    const found = review(simple(DATA), { ...honest, ...inner });
    expect(found.match).toBe(true);
    expect(found.requestOnly).toEqual(["request.type", "request.data.transaction_data.amount"]);
  });
});

describe("specification §4 Review: the account", () => {
  const { account_name: _, ...nameless } = DATA;

  test("the account's own name contradicts", () => {
    expect(told(review(simple(DATA), requestOf(DATA), "Other"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "Other" (account)',
    ]);
    expect(told(review(simple(DATA), requestOf(nameless), "Other"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "Other" (account)',
    ]);
  });

  test("the request's name contradicts although the account's agrees", () => {
    expect(told(review(simple(DATA), requestOf({ ...DATA, account_name: "B" }), "A"))).toEqual([
      'data.transaction_data.account_name: "A" ≠ "B" (server)',
    ]);
  });

  test("the account's name verifies what the request does not say", () => {
    expect(review(simple(DATA), requestOf(nameless))).toMatchObject({
      match: true,
      unverified: ["data.transaction_data.account_name"],
    });
    expect(review(simple(DATA), requestOf(nameless), "A")).toMatchObject({
      match: true,
      unverified: [],
    });
  });

  test("a challenge that does not say which account it means stays open", () => {
    expect(review(simple(nameless), requestOf(nameless), "A").unverified).toEqual(["account_name"]);
    expect(
      review(simple({ ...nameless, account_id: 5 }), requestOf({ ...nameless, accountId: 5 }), "A")
        .unverified,
    ).toEqual([]);
    expect(
      review(simple({ ...nameless, account_id: 6 }), requestOf({ ...nameless, accountId: 5 }), "A")
        .match,
    ).toBe(false);
  });

  test("a name whose path only reads like the right one is a name elsewhere", () => {
    const decoy = JSON.parse(simple(nameless)) as Record<string, Json>;
    const found = review(
      JSON.stringify({ ...decoy, "data/transaction_data": { account_name: "A" } }),
      requestOf(nameless),
      "A",
    );
    expect(found.unverified).toEqual(['"data/transaction_data".account_name', "account_name"]);
  });

  test("an id that nothing vouches for does not say it either", () => {
    const found = review(simple({ ...nameless, account_id: 5 }), requestOf(nameless), "A");
    expect(found.unverified).toEqual(["data.transaction_data.account_id", "account_name"]);
  });

  test("a name elsewhere does not say which account is meant", () => {
    const decoy = simple({ ...nameless, other: { account_name: "A" } });
    expect(review(decoy, requestOf(nameless), "A").unverified).toEqual([
      "data.transaction_data.other.account_name",
      "account_name",
    ]);
  });

  test("a list or a number in its place is not a name", () => {
    const listed = review(simple({ ...nameless, account_name: ["A"] }), requestOf(nameless), "A");
    expect(listed.unverified).toEqual(["data.transaction_data.account_name[0]", "account_name"]);
    expect(review(simple({ ...nameless, account_name: 7 }), requestOf(nameless), "7").match).toBe(
      false,
    );
  });
});

describe("the account's name when the account that was asked for cannot be read", () => {
  const paid = { amount: "1000", recipient: "tb1q" };
  const request = (accountId: string, name?: string): Request => ({
    type: "CREATE_TRANSACTION",
    data: {
      accountId,
      transactionData: { ...paid, ...(name === undefined ? {} : { accountName: name }) },
    },
  });
  const challenge = challengeOf(wrap({ transaction_data: { account_name: "Cold", ...paid } }));
  const open = (server: Request, record: Request, accountNames: string[]): readonly string[] =>
    reviewChallenge({
      challenge,
      sources: [sourceOf(server), sourceOf(record, "record")],
      accountNames,
    }).unverified;

  test.each([
    ["the server names another account", request("cold", "Cold"), request("hot"), ["Cold"]],
    [
      "the server names the same one, and says what it is called",
      request("hot", "Cold"),
      request("hot"),
      [],
    ],
  ])("stays open when %s", (_name, server, record, names) => {
    expect(open(server, record, names)).toEqual(["data.transaction_data.account_name"]);
  });

  test("is verified when the caller or the account says the name", () => {
    expect(open(request("hot", "Cold"), request("hot", "Cold"), [])).toEqual([]);
    expect(open(request("hot", "Cold"), request("hot"), ["Cold"])).toEqual([]);
  });
});
