/** The V1 table by itself: where everything goes, and how answers come back, token by token. */
import { describe, expect, test } from "bun:test";
import type { OperationName } from "../../src/core/api/dialect.ts";
import { chooseVersion, dialectOf } from "../../src/core/api/dialect.ts";
import type { Operation, Parameters, Query } from "../../src/core/api/operation.ts";
import { V1 } from "../../src/core/api/v1.ts";
import { V1_READS } from "../../src/core/api/v1reads.ts";
import { V2 } from "../../src/core/api/v2.ts";
import { parseEndpoint } from "../../src/core/auth/endpoint.ts";
import { exact } from "../../src/io/json.ts";
import { failureOf } from "../support/failure.ts";
import { bare, DOCUMENT, operationsOf, WITHOUT_DOCUMENT } from "./document.ts";

function operation(name: OperationName): Operation {
  const found = V1.operations[name];
  if (found === undefined) throw new Error(`V1 has no ${name}`);
  return found;
}

function read(name: OperationName, answer: string, parameters: Parameters = {}): string {
  return operation(name).read?.(exact(answer), parameters).text ?? answer;
}

function body(name: OperationName, document: string | undefined, parameters: Parameters): string {
  return (
    operation(name).body?.(document === undefined ? undefined : exact(document), parameters).text ??
    ""
  );
}

function spell(name: OperationName, parameter: string, value: string): string {
  const query = operation(name).query?.[parameter];
  return typeof query === "object" ? (query as Query).spell(value, `--${parameter}`) : value;
}

describe("which API version", () => {
  test.each([
    ["https://api.vault.ledger.com", undefined, "v1"],
    ["https://api.vault.ledger.com/", undefined, "v1"],
    ["https://re.vault.ledger.com/v1/rest", undefined, "v2"],
    ["https://api.vault.ledger.com/v1/rest", undefined, "v2"],
    ["https://api.vault.ledger.com.example", undefined, "v2"],
    ["https://mirror.example/v1/rest", "v1", "v1"],
    ["https://mirror.example", "v1", "v1"],
    ["https://mirror.example", undefined, "v2"],
    ["https://api.vault.ledger.com", "v2", "v2"],
  ] as const)("%s with %p is %s", (url, option, version) => {
    expect(chooseVersion(parseEndpoint(url, "url"), option)).toBe(version);
    expect(dialectOf(version).version).toBe(version);
  });
});

const PAGE =
  '{"edges":[{"cursor":0,"node":{"id":12345678901234567890,"a":0.10}},{"cursor":1,"node":{"2":1,"1":2}}],';

describe("lists", () => {
  test("come in V2's outer shape, the nodes untouched", () => {
    const answer = `${PAGE}"page_info":{"count":73,"has_next_page":true}}`;
    const nodes = '[{"id":12345678901234567890,"a":0.10},{"2":1,"1":2}]';
    expect(read("accounts.list", answer)).toBe(
      `{"page":1,"next":2,"prev":null,"pageSize":20,"total":73,"results":${nodes}}`,
    );
    expect(read("accounts.list", answer, { page: 4, pageSize: 2 })).toBe(
      `{"page":4,"next":5,"prev":3,"pageSize":2,"total":73,"results":${nodes}}`,
    );
  });

  test("the last page has no next", () => {
    expect(read("users.list", '{"edges":[],"page_info":{"count":0,"has_next_page":false}}')).toBe(
      '{"page":1,"next":null,"prev":null,"pageSize":20,"total":0,"results":[]}',
    );
  });

  test("the cursor of transactions carries the page", () => {
    const answer = `${PAGE}"page_info":{"count":73,"has_next_page":true}}`;
    const { next } = JSON.parse(read("transactions.list", answer)) as { next: string };
    expect(spell("transactions.list", "cursor", next)).toBe("2");
    const third = JSON.parse(read("transactions.list", answer, { cursor: next })) as {
      next: string;
      total: number;
    };
    expect(spell("transactions.list", "cursor", third.next)).toBe("3");
    expect(third.total).toBe(73);
  });

  test.each([
    "2",
    "cGFnZT0",
    "cGFnZT0y=",
    "cGFnZT0yIA",
    "cGFnZT0wMg",
    "cGFnZT0w",
    Buffer.from("page=-1").toString("base64url"),
  ])("a cursor that is not ours is refused: %s", (cursor) =>
    expect(failureOf(() => spell("transactions.list", "cursor", cursor)).code).toBe(
      "INVALID_ARGUMENT",
    ),
  );

  test.each([
    ["no edges", '{"page_info":{"count":0,"has_next_page":false}}'],
    ["edges that are not a list", '{"edges":{},"page_info":{"count":0,"has_next_page":false}}'],
    [
      "an edge without node",
      '{"edges":[{"cursor":0}],"page_info":{"count":1,"has_next_page":false}}',
    ],
    [
      "an edge that is not an object",
      '{"edges":[7],"page_info":{"count":1,"has_next_page":false}}',
    ],
    ["no page_info", '{"edges":[]}'],
    [
      "a count that is not a number",
      '{"edges":[],"page_info":{"count":"1","has_next_page":false}}',
    ],
    ["has_next_page as text", '{"edges":[],"page_info":{"count":1,"has_next_page":"true"}}'],
    [
      "an empty page that promises more",
      '{"edges":[],"page_info":{"count":1,"has_next_page":true}}',
    ],
    ["a list", "[]"],
  ])("G15 %s is INVALID_RESPONSE", (_name, answer) => {
    for (const name of ["accounts.list", "transactions.list"] as const)
      expect(failureOf(() => read(name, answer)).code).toBe("INVALID_RESPONSE");
  });

  test("currencies and tokens are results, too", () => {
    expect(read("assets.currencies", '{"currencies":[{"name":"bitcoin","x":1e2}]}')).toBe(
      '{"results":[{"name":"bitcoin","x":1e2}]}',
    );
    expect(failureOf(() => read("assets.tokens", '{"currencies":[]}')).code).toBe(
      "INVALID_RESPONSE",
    );
  });

  test("a flat balance gets V2's names", () => {
    const account =
      '{"id":1,"name":"n","currency":"tron","balance":"13e0","available_balance":"12","pending_balance":"1"}';
    expect(read("accounts.balance", account)).toBe(
      '{"name":"n","currency":"tron","balance":{"total":"13e0","pending":"1","available":"12"}}',
    );
    expect(read("accounts.balance", '{"id":1}')).toBe("{}");
  });
});

describe("values", () => {
  test("ids are whole numbers", () => {
    for (const id of ["0", "7", "999999999999999999"]) expect(V1.spellId(id, "--id")).toBe(id);
    for (const id of ["abc", "07", "-1", "1.0", "1e3", "", "e5a8f6f0-2222-4f6e-8f5a-000000000001"])
      expect(failureOf(() => V1.spellId(id, "--id")).code).toBe("INVALID_ARGUMENT");
    expect(failureOf(() => V1.spellId("me", "--id")).code).toBe("NOT_SUPPORTED");
  });

  test("filters with a closed list", () => {
    expect(spell("requests.list", "state", "PENDING_FIRST_APPROVAL")).toBe(
      "PENDING_FIRST_APPROVAL",
    );
    for (const state of ["INITIAL", "CONFIRMED", "active"])
      expect(failureOf(() => spell("requests.list", "state", state)).code).toBe("NOT_SUPPORTED");
    expect(failureOf(() => spell("accounts.list", "status", "INACTIVE")).code).toBe(
      "NOT_SUPPORTED",
    );
    expect(failureOf(() => spell("users.list", "role", "READ_ONLY_API_KEY")).code).toBe(
      "NOT_SUPPORTED",
    );
    expect(failureOf(() => spell("requests.list", "createdBy", "me")).code).toBe("NOT_SUPPORTED");
  });

  test("moments are complete", () => {
    expect(spell("requests.list", "fromDate", "2026-03-02")).toBe("2026-03-02T00:00:00Z");
    expect(spell("requests.list", "toDate", "2026-03-02T10:00:00.5+01:00")).toBe(
      "2026-03-02T10:00:00.5+01:00",
    );
    for (const date of [
      "yesterday",
      "2026-03-02T10:00:00",
      "2026-13-02",
      "2026-03-02T25:00:00Z",
      "1767225600",
    ])
      expect(failureOf(() => spell("requests.list", "fromDate", date)).code).toBe(
        "INVALID_ARGUMENT",
      );
  });
});

const DATA =
  '{"account_id":7,"transaction_type":"BITCOIN_LIKE_SEND","transaction_data":{"amount":"1","max_fees":"4018","recipient":"x"}}';

describe("bodies", () => {
  test("a request is alone, in or out of V2's envelope, token by token", () => {
    const request = '{"type":"CREATE_TRANSACTION","data":{"n":1.50,"9":1,"a":[]}}';
    expect(body("requests.create", request, {})).toBe(request);
    expect(body("requests.create", `{"request":${request}}`, {})).toBe(request);
    const own = '{"type":"X","request":{"inner":1}}';
    expect(body("requests.create", own, {})).toBe(own);
  });

  test("approvals and rejections send the JWS", () => {
    expect(body("requests.approve", undefined, { id: "7", signature: "a.b.c" })).toBe(
      '{"jws":"a.b.c"}',
    );
    expect(body("requests.reject", undefined, { id: "7", signature: "a.b.c" })).toBe(
      '{"jws":"a.b.c"}',
    );
  });

  test("an estimate is the whole request; present values stay", () => {
    const whole = `{"type":"CREATE_TRANSACTION","data":${DATA},"note":{"title":"t","content":"c"}}`;
    expect(body("transactions.estimate", whole, { accountId: "7" })).toBe(whole);
    expect(body("transactions.estimate", DATA, { accountId: "7" })).toBe(
      `{"type":"CREATE_TRANSACTION","data":${DATA}}`,
    );
    expect(body("transactions.estimate", `{"request":${whole}}`, { accountId: "7" })).toBe(whole);
  });

  test('what the caller left out is filled in: account and the fee limit "0"', () => {
    const short = '{"transaction_type":"BITCOIN_LIKE_SEND","transaction_data":{"amount":1.0}}';
    expect(body("transactions.estimate", short, { accountId: "7" })).toBe(
      '{"type":"CREATE_TRANSACTION","data":{"transaction_type":"BITCOIN_LIKE_SEND","transaction_data":{"amount":1.0,"max_fees":"0"},"account_id":7}}',
    );
    for (const type of ["SOLANA_LIKE_SEND", "POLKADOT_LIKE_CHILL"]) {
      const free = `{"account_id":"7","transaction_type":"${type}","transaction_data":{}}`;
      expect(body("transactions.estimate", free, { accountId: "7" })).toBe(
        `{"type":"CREATE_TRANSACTION","data":${free}}`,
      );
    }
  });

  test("another account than --accountId is refused", () => {
    expect(failureOf(() => body("transactions.estimate", DATA, { accountId: "8" })).code).toBe(
      "INVALID_ARGUMENT",
    );
    expect(failureOf(() => body("transactions.estimate", DATA, { accountId: "x" })).code).toBe(
      "INVALID_ARGUMENT",
    );
  });

  test("what a transaction does is told in its request's words, and only what V1 says", () => {
    const shown =
      '{"id":3,"account_id":7,"type":"SEND","currency_family":"bitcoin","currency":"bitcoin_testnet","amount":"10","max_fees":"4018","recipient":null}';
    expect(read("requests.content", shown)).toBe(
      '{"account_id":7,"transaction_type":"BITCOIN_LIKE_SEND","transaction_data":{"amount":"10","currency":"bitcoin_testnet","max_fees":"4018"}}',
    );
    const unknown = '{"account_id":7,"type":"SEND","currency_family":"polygon"}';
    expect(read("requests.content", unknown)).toBe('{"account_id":7,"transaction_data":{}}');
  });
});

describe("credentials", () => {
  test("the workspace goes with each call, the secret only into the login's body", () => {
    const input = { workspace: "w", apiKeyId: "id", apiKeySecret: "secret", refreshToken: "r" };
    expect(V1.login.headers("w")).toEqual({ "x-ledger-workspace": "w" });
    expect(V1.login.body(input)).toEqual({ api_key_id: "id", api_key_secret: "secret" });
    expect(V1.refresh.body(input)).toEqual({ refresh_token: "r" });
    expect(V1.authorize({ workspace: "w", accessToken: "t" })).toEqual({
      "x-ledger-workspace": "w",
      authorization: "Bearer t",
    });
    expect(V1.authorizeReport?.({ workspace: "w", reportingKey: "k" })).toEqual({
      "x-ledger-workspace": "w",
      "x-ledger-reporting-api-key": "k",
    });
    expect(V2.authorizeReport).toBeUndefined();
  });
});

test("a missing operation of a version has a suggestion", () => {
  const all = new Set([
    ...Object.keys(V1.operations),
    ...Object.keys(V2.operations),
  ]) as Set<OperationName>;
  const internal: readonly OperationName[] = [
    "requests.content",
    "requests.digests",
    "requests.rejectChallenge",
  ];
  for (const dialect of [V1, V2]) {
    const lacking = [...all].filter(
      (name) => dialect.operations[name] === undefined && !internal.includes(name),
    );
    expect(Object.keys(dialect.instead).sort()).toEqual(lacking.sort());
    for (const hint of Object.values(dialect.instead)) expect(hint).toMatch(/^[A-Z'].*\.$/);
  }
});

if (DOCUMENT === undefined) {
  test.skipIf(true)(`the table is what the V1 document says${WITHOUT_DOCUMENT}`, () => undefined);
} else {
  const listed = operationsOf(DOCUMENT);

  test("the document has 85 operations, 74 of them GET, and `schema api` lists each but challenges with its query", () => {
    expect(listed.length).toBe(85);
    const reads = listed.filter(({ method }) => method === "GET");
    expect(reads.length).toBe(74);
    const free = reads.filter(({ path }) => !/\/challenge(\/reject)?$/.test(path));
    const wanted = free.map(({ path, operation: { parameters = [] } }) => {
      return [
        path,
        parameters.flatMap(({ name, in: place }) => (place === "query" ? [name] : [])).sort(),
      ] as const;
    });
    expect(
      Object.entries(V1_READS).map(([path, query]) => [
        path,
        query.split(" ").filter(Boolean).sort(),
      ]),
    ).toEqual(wanted.map(([path, query]) => [path, [...query]]));
  });

  /** Devices get their challenge by a call that is not public (core/device/endpoints.ts). */
  const ASSUMED = ["requests.deviceChallenge"];

  test("what is assumed is really not in the document", () => {
    for (const name of ASSUMED) {
      const own = V1.operations[name as keyof typeof V1.operations];
      expect(own).toBeDefined();
      expect(listed.some(({ method, path }) => method === own?.method && path === own.path)).toBe(
        false,
      );
    }
  });

  test.each(Object.entries(V1.operations).filter(([name]) => !ASSUMED.includes(name)))(
    "%s is in the document, with every name of its query",
    (_name, own) => {
      const found = listed.find(
        ({ method, path }) => method === own.method && bare(path) === bare(own.path),
      );
      const names = (found?.operation.parameters ?? []).map(({ name }) => name);
      const sent = Object.values(own.query ?? {}).map((query) =>
        typeof query === "string" ? query : query.name,
      );
      expect({
        path: own.path,
        isThere: found !== undefined,
        unknown: sent.filter((name) => !names.includes(name)),
      }).toEqual({ path: own.path, isThere: true, unknown: [] });
    },
  );

  test("the tokens' calls are in the document", () => {
    for (const { path } of [V1.login, V1.refresh])
      expect(listed.some((one) => one.method === "POST" && one.path === path)).toBe(true);
  });
}

test("a body to estimate without transaction_data is left to the API", () => {
  expect(body("transactions.estimate", "{}", { accountId: "7" })).toBe(
    '{"type":"CREATE_TRANSACTION","data":{"account_id":7}}',
  );
});
