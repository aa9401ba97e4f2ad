/**
 * Counterpart by others: every request that the V1 client can send is accepted by Prism, which
 * checks it against the vendor's document. Names of query parameters, which Prism lets pass, are
 * checked here.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { walk } from "../../src/cli/command.ts";
import { Program } from "../hostile/program.ts";
import { SOURCE } from "../support/forms.ts";
import { commands } from "../support/registry.ts";
import { type Counterpart, startCounterpart, whatIsMissing } from "./counterpart.ts";
import { DOCUMENT, type Listed, operationAt, operationsOf, type Schema } from "./document.ts";
import { keyPair } from "./keys.ts";
import { KINDS } from "./kinds.ts";

const missing = whatIsMissing(DOCUMENT);

/** Options of lists that say where to begin, in what order, and how much. */
const PAGING: readonly (readonly string[])[] = [
  ["--page", "3"],
  ["--pageSize", "1"],
  ["--pageSize", "30"],
  ["--sortBy", "created_on"],
  ["--sortOrder", "asc"],
  ["--sortOrder", "desc"],
  ["--all"],
  ["--limit", "2"],
];

const LISTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "accounts list": [
    ["--status", "ACTIVE"],
    ["--name", "Treasury & Söhne #1"],
  ],
  "users list": [
    ["--status", "ACTIVE"],
    ["--role", "OPERATOR"],
    ["--role", "ADMIN"],
  ],
  "groups list": [["--status", "ACTIVE"]],
  "whitelists list": [["--status", "ACTIVE"]],
  "entities list": [],
  "requests list": [
    ...[
      "ACTIVE",
      "APPROVED",
      "BLOCKED",
      "EXPIRED",
      "PENDING_APPROVAL",
      "PENDING_FIRST_APPROVAL",
      "REJECTED",
    ].map((state) => ["--state", state]),
    ["--state", "SIGNED", "--state", "SUBMITTED", "--state", "PENDING_REGISTRATION"],
    ["--type", "CREATE_TRANSACTION", "--type", "CREATE_ACCOUNT"],
    ...["--targetId", "--createdBy", "--pendingBy"].map((option) => [option, "12"]),
    ["--fromDate", "2026-03-02"],
    ["--fromDate", "2026-03-02T10:00:00Z", "--toDate", "2026-03-03T10:00:00.123+02:00"],
  ],
};

const SINGLE: readonly string[] = [
  ...["accounts", "users", "groups", "whitelists", "entities", "requests"].map(
    (group) => `${group} get --id 7`,
  ),
  "accounts getBalance --id 7 --id 8",
  "transactions list --accountId 7",
  "transactions list --accountId 7 --cursor cGFnZT0y",
  "transactions list --accountId 7 --all",
  "requests governanceStatus --id 7",
  "requests wait --id 7 --state APPROVED",
  "assets currencies",
  "assets tokens",
];

const document = DOCUMENT;
if (missing !== undefined || document === undefined) {
  test.skipIf(true)(
    `Prism validates every request of the V1 client (not run: ${missing})`,
    () => undefined,
  );
} else {
  const listed = operationsOf(document);
  let counterpart: Counterpart;
  let program: Program;
  const key = keyPair();

  beforeAll(async () => {
    counterpart = await startCounterpart(document);
    for (const path of ["/auth/token", "/auth/token/refresh"])
      counterpart.replies.set(`POST ${path}`, TOKENS);
    program = await Program.at(SOURCE, {
      LEDGER_ENTERPRISE_API_URL: counterpart.url,
      LEDGER_ENTERPRISE_API_PRIVATE_KEY: key.pemHex,
    });
    await program.succeed(["login", "api", "--apiVersion", "v1"]);
    // The mock's requests are over; a state that is open cannot be waited for.
    counterpart.replies.set("GET /requests/7", REQUEST);
  }, 60_000);

  afterAll(async () => {
    await counterpart?.[Symbol.asyncDispose]();
    await program?.[Symbol.asyncDispose]();
  });

  /**
   * Runs a command; every request that it sent was accepted, and used only names that the document
   * knows.
   */
  const accept = async (
    argv: readonly string[],
    extra: { stdin?: string } = {},
  ): Promise<unknown> => {
    const from = counterpart.requests.length;
    const { exit, stdout } = await program.run(argv, extra);
    const sent = counterpart.requests.slice(from);
    expect(refusals(sent)).toEqual([]);
    expect({ argv, exit, stdout: exit === 0 ? "" : stdout, isSent: sent.length > 0 }).toEqual({
      argv,
      exit: 0,
      stdout: "",
      isSent: true,
    });
    return JSON.parse(stdout);
  };

  let lastId = 1000;
  /** Prism answers each create with the id of its example; the API gives each its own. */
  const nameNext = (): void => {
    lastId += 1;
    const named = { ...(JSON.parse(REQUEST) as object), id: lastId };
    counterpart.replies.set("POST /requests", JSON.stringify(named));
  };

  /** Creates a request, also one that is like an earlier one: then a second one is meant. */
  const create = async (document: string, extra: { stdin?: string } = {}): Promise<void> => {
    const argv = ["requests", "create", "--requestData", document];
    const from = counterpart.requests.length;
    nameNext();
    const { exit, stdout } = await program.run(argv, extra);
    expect(refusals(counterpart.requests.slice(from))).toEqual([]);
    if (exit === 0) return;
    const { error } = JSON.parse(stdout);
    expect([exit, error.code]).toEqual([2, "DUPLICATE_SUSPECTED"]);
    nameNext();
    await accept([...argv, "--again", error.details.key], extra);
  };

  const refusals = (sent: Counterpart["requests"]): unknown[] =>
    sent.flatMap((one) => faultsOf(one, listed));

  test("logging in", () => {
    expect(refusals(counterpart.requests)).toEqual([]);
    expect(counterpart.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /auth/token",
    ]);
  });

  describe("lists", () => {
    const rows = Object.entries(LISTS).flatMap(([command, filters]) =>
      [[], ...filters, ...PAGING].map((options) => ({ line: [...command.split(" "), ...options] })),
    );
    // Prism's rows are examples: they do not follow these filters, and the program says so.
    const CHECKED = /^--(?:state|type|targetId)$/;
    const ask = async (line: readonly string[]): Promise<void> => {
      if (!line.some((word) => CHECKED.test(word))) return void (await accept(line));
      const from = counterpart.requests.length;
      const { exit, stdout } = await program.run(line);
      const sent = counterpart.requests.slice(from);
      expect([sent.length > 0, refusals(sent)]).toEqual([true, []]);
      if (exit === 0) return;
      expect([exit, JSON.parse(stdout).error.code]).toEqual([5, "INVALID_RESPONSE"]);
    };
    test.each(rows)("$line", async ({ line }) => ask(line));

    test("everything at once", async () => {
      const together =
        LISTS["requests list"]?.filter(([name]) => name !== "--fromDate").flat() ?? [];
      await ask([
        "requests",
        "list",
        ...together,
        "--page",
        "2",
        "--pageSize",
        "5",
        "--sortOrder",
        "asc",
      ]);
    });
  });

  test.each(SINGLE)("%s", async (line) => {
    await accept(line.split(" "));
  });

  describe.each(KINDS)("%s", (_name, data) => {
    const note = { title: "Payout", content: "Invoice 42" };
    const request = { type: "CREATE_TRANSACTION", data, note };

    test("requests create", async () => {
      await create(JSON.stringify(request));
      await create("-", { stdin: JSON.stringify({ request }) });
    });

    test("transactions estimate, of the data and of the whole request", async () => {
      const { account_id: _id, ...rest } = data as {
        account_id: number;
        transaction_data: Record<string, unknown>;
      };
      const { max_fees: _fees, ...fields } = rest.transaction_data;
      for (const given of [request, data, { ...rest, transaction_data: fields }])
        await accept([
          "transactions",
          "estimate",
          "--accountId",
          "7",
          "--transactionData",
          JSON.stringify(given),
        ]);
    });
  });

  describe("signed calls", () => {
    const challengeOf = (type: string): string =>
      Buffer.from(
        JSON.stringify({
          antireplay: "AC8667A55B74DD0028BE57F330F65BCF53E289307834ABD1CEC6F29AE5206B91",
          data: {
            transaction_data: {
              account_name: "my btc account",
              amount: "1000",
              currency: "bitcoin testnet",
              max_fees: "4018",
              recipient: "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv",
            },
            transaction_type: "BITCOIN_LIKE_SEND",
          },
          type,
        }),
      ).toString("base64url");

    beforeAll(() => {
      const transaction = {
        id: 10,
        account_id: 3,
        type: "SEND",
        currency_family: "bitcoin",
        currency: "bitcoin_testnet",
        amount: "1000",
        max_fees: "4018",
        recipient: "tb1qy7s9c2xwqy4qyvj0kyq7h5gh4rxgdljds0t9nv",
      };
      const { replies } = counterpart;
      replies.set("GET /transactions/10", JSON.stringify(transaction));
      replies.set("GET /accounts/3", JSON.stringify({ id: 3, name: "my btc account" }));
      const reply = (type: string) => JSON.stringify({ id: 7, challenge: challengeOf(type) });
      replies.set("GET /requests/7/challenge", reply("APPROVE_TRANSACTION"));
      replies.set("GET /requests/7/challenge/reject", reply("REJECT_TRANSACTION"));
    });

    test("challenge, review, signature, approval, in steps and at once", async () => {
      const { challenge } = (await accept(["requests", "getChallenge", "--id", "7"])) as {
        challenge: string;
      };
      expect(await accept(["requests", "review", "--id", "7"])).toMatchObject({
        match: true,
        unverified: [],
      });
      const signed = (await accept([
        "requests",
        "sign",
        "--id",
        "7",
        "--challenge",
        challenge,
      ])) as {
        signature: string;
      };
      await accept(["requests", "approve", "api", "--id", "7", "--signature", signed.signature]);
      await accept(["requests", "approve", "api", "--id", "7", "--sign"]);
    });

    test("a rejection", async () => {
      await accept(["requests", "reject", "api", "--id", "7"]);
    });
  });

  describe("api --path reaches each of the 74 GETs, with every query that the document knows", () => {
    const all = listed.filter(({ method }) => method === "GET");
    const isChallenge = ({ path }: { readonly path: string }): boolean =>
      /\/challenge(?:\/reject)?$/.test(path);
    const reads = all.filter((one) => !isChallenge(one));
    test("SIG-7 but for the two of challenges, which commands of their own remember", async () => {
      expect(all.length).toBe(74);
      expect(all.length - reads.length).toBe(2);
      for (const { path } of all.filter(isChallenge))
        await program.fail(["api", "--path", path.replace(/\{\w+\}/, "7")], 2, "INVALID_ARGUMENT");
    });
    test.each(reads)("$path", async ({ path, operation: { parameters = [] } }) => {
      const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
        return sampleOf(parameters.find((one) => one.name === name)?.schema ?? {});
      });
      const required = parameters.filter(
        ({ in: place, required: isRequired }) => place === "query" && isRequired,
      );
      const queries = parameters.filter(({ in: place }) => place === "query");
      const options = (chosen: typeof queries) =>
        chosen.flatMap(({ name, schema }) => ["--query", `${name}=${sampleOf(schema)}`]);
      const answer = await accept(["api", "--path", filled, ...options(required)]);
      const sent = counterpart.requests.at(-1);
      const relayed = counterpart.replies.get(`GET ${filled}`) ?? sent?.answer ?? "";
      expect(JSON.stringify(answer)).toBe(JSON.stringify(JSON.parse(relayed)));
      if (queries.length > required.length)
        await accept(["api", "--path", filled, ...options(queries)]);
    });
  });

  test("a refreshed session", async () => {
    await using other = await Program.at(SOURCE, { LEDGER_ENTERPRISE_API_URL: counterpart.url });
    await other.succeed(["login", "api", "--apiVersion", "v1"]);
    const from = counterpart.requests.length;
    const path = `${other.stateDirectory}/session.json`;
    const session = JSON.parse(await Bun.file(path).text());
    session.tokens.receivedAt -= 290_000;
    await Bun.write(path, JSON.stringify(session));
    await other.succeed(["accounts", "list"]);
    const sent = counterpart.requests.slice(from);
    expect(sent.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /auth/token/refresh",
      "GET /accounts",
    ]);
    expect(refusals(sent)).toEqual([]);
  });

  test("a reporting session", async () => {
    await using other = await Program.at(SOURCE, {
      LEDGER_ENTERPRISE_API_URL: counterpart.url,
      LEDGER_ENTERPRISE_REPORTING_API_KEY: "reporting-key-canary-77",
    });
    const from = counterpart.requests.length;
    await other.succeed(["login", "reporting", "--apiVersion", "v1"]);
    await other.succeed(["transactions", "list", "--accountId", "7"]);
    const sent = counterpart.requests.slice(from);
    expect(refusals(sent)).toEqual([]);
    for (const { headers } of sent) {
      expect(headers["x-ledger-reporting-api-key"]).toBe("reporting-key-canary-77");
      expect(headers["x-ledger-workspace"]).toBe("minivault");
      expect(headers.authorization).toBeUndefined();
    }
  });

  test("the validator refuses what it should: ids, values, bodies", async () => {
    const wrong: readonly (readonly [method: string, path: string, body?: string])[] = [
      ["GET", "/accounts/abc"],
      ["GET", "/requests?status=INITIAL"],
      ["GET", "/requests?created_by=me"],
      ["GET", "/requests?created_after=2026-03-02"],
      ["GET", "/transactions?account=x"],
      ["GET", "/users?role=READ_ONLY_API_KEY"],
      ["GET", "/accounts?page=0"],
      ["GET", "/tradelink/network"],
      ["POST", "/requests/7/approve", '{"data":{"challengeType":"API","signature":"x"}}'],
      ["POST", "/requests", '{"request":{"type":"CREATE_TRANSACTION","data":{}}}'],
      ["POST", "/auth/token", '{"workspace":"w","apiKeyId":"a","apiKeySecret":"b"}'],
      [
        "POST",
        "/transactions/estimate-fees",
        '{"type":"CREATE_TRANSACTION","data":{"accountId":7}}',
      ],
    ];
    const from = counterpart.requests.length;
    for (const [method, path, body] of wrong) {
      const headers = { "content-type": "application/json" };
      const { status } = await fetch(
        `${counterpart.url}${path}`,
        body === undefined ? { method } : { method, headers, body },
      );
      expect([path, status >= 400]).toEqual([path, true]);
    }
    expect(
      refusals([
        {
          ...(counterpart.requests[0] as Counterpart["requests"][0]),
          method: "GET",
          url: "/users?pageSize=1",
        },
      ]),
    ).not.toEqual([]);
    counterpart.requests.length = from;
  });

  test("figures", () => {
    const { requests } = counterpart;
    const reached = new Set(
      requests.flatMap(({ method, url }) => {
        const one = operationAt(listed, method, url.split("?")[0] ?? "");
        return one === undefined ? [] : [`${one.method} ${one.path}`];
      }),
    );
    const failed = requests.filter((one) => faultsOf(one, listed).length > 0);
    const absent = listed.filter(({ method, path }) => !reached.has(`${method} ${path}`));
    process.stderr.write(
      `note: Prism validated ${requests.length} requests, ${failed.length} failed; ${reached.size} of ${listed.length} operations reached\n`,
    );
    // Only what writes and has no command of its own: no GET may be out of reach.
    expect(absent.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "PUT /notifications/configuration",
      "POST /settlements",
      "POST /settlements/{settlement_id}/cancel",
      "POST /settlements/{settlement_id}/recover",
      "POST /transactions/{transaction_id}/reject",
    ]);
    expect(failed).toEqual([]);
  });

  test("a draft, and the search for a lost creation, ask only what the document knows", async () => {
    const from = counterpart.requests.length;
    const to = "0xb5508ED4b93F3B9e9E8E1B0B9Bf1fC8Ca2eE7A3b".toLowerCase();
    // Prism's account is an example: what matters is that each question fits the document.
    await program.run(["requests", "draft", "--accountId", "7", "--amountBase", "1", "--to", to]);
    expect(counterpart.requests.length).toBeGreaterThan(from);
    await program.run(["requests", "reconcile"]);
    expect(refusals(counterpart.requests.slice(from))).toEqual([]);
  });

  test("every command that reads or changes a workspace was run, or answers NOT_SUPPORTED on V1", async () => {
    for (const argv of [
      ["policies", "list"],
      ["policies", "get", "--id", "7"],
      ["permissions", "allowedActions"],
      ["accounts", "list", "--governanceType", "CLASSIC"],
      ["accounts", "list", "--skipLiveData"],
      ["accounts", "list", "--status", "INACTIVE"],
      ["requests", "list", "--reviewedBy", "7"],
      ["requests", "list", "--createdBy", "me"],
      ["requests", "list", "--state", "INITIAL"],
      ["requests", "get", "--id", "7", "--withInflight"],
      ["users", "get", "--id", "me"],
      ["users", "list", "--role", "READ_ONLY_API_KEY"],
    ]) {
      const from = counterpart.requests.length;
      const { message, hint } = await program.fail(argv, 2, "NOT_SUPPORTED");
      expect([message, hint, counterpart.requests.length - from]).toEqual([
        expect.stringContaining("V1"),
        hint,
        0,
      ]);
    }
    await program.fail(["accounts", "get", "--id", "abc"], 2, "INVALID_ARGUMENT");
    const run = new Set([...Object.keys(LISTS), ...SINGLE.map((line) => line.split(" --")[0])]);
    const others =
      /^(login|logout|whoami|doctor|policies|permissions|keys|sandbox|skill|schema|completion|notifications|upgrade|mcp|audit|policy|guard)\b|^(api|requests journal)$/;
    const signed =
      /^(requests (create|draft|getChallenge|review|sign|approve|reject|reconcile)|transactions estimate)\b/;
    const left = [...walk(commands)]
      .map(([words]) => words.join(" "))
      .filter((name) => !run.has(name));
    expect(left.filter((name) => !others.test(name) && !signed.test(name))).toEqual([]);
  });
}

/** The mock's own tokens are the word "string", which would be masked wherever it is. */
const TOKENS =
  '{"access_token":"access-canary-1","expires_in":300,"refresh_token":"refresh-canary-1","session_state":"s","token_type":"Bearer"}';

const REQUEST =
  '{"id":7,"type":"CREATE_TRANSACTION","status":"APPROVED","target_id":10,"target_type":"TRANSACTION","created_on":"2026-03-02T10:00:00Z","expires_at":"2026-03-09T10:00:00Z"}';

/**
 * What is wrong with a request: Prism's refusal, or a query name that the document does not have.
 */
function faultsOf(
  { method, url, status, answer }: Counterpart["requests"][0],
  listed: readonly Listed[],
): unknown[] {
  const [path = "", query = ""] = url.split("?");
  const known =
    operationAt(listed, method, path)?.operation.parameters?.map(({ name }) => name) ?? [];
  const unknown = [...new URLSearchParams(query).keys()].filter((name) => !known.includes(name));
  return status < 400 && unknown.length === 0 ? [] : [{ method, url, status, answer, unknown }];
}

/** A value that the schema allows. */
function sampleOf({ type, format, enum: values, items, pattern }: Schema): string {
  const [first] = (values ?? []).filter((value) => value !== null);
  if (first !== undefined) return String(first);
  if (type === "array") return sampleOf(items ?? {});
  if (pattern !== undefined) return "7";
  if (format === "date-time") return "2026-03-02T10:00:00Z";
  if (format === "date") return "2026-03-02";
  return type === "integer" || type === "number" ? "7" : type === "boolean" ? "true" : "abc";
}
