/**
 * The sandbox's V1 against the vendor's document, both ways: every answer validates; input that the
 * document refuses is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { V1 } from "../../src/sandbox/v1.ts";
import type { Answer } from "../support/answer.ts";
import { bare, DOCUMENT, operationAt, operationsOf, WITHOUT_DOCUMENT } from "./document.ts";

/**
 * JSON Schema out of OpenAPI 3.0: `nullable`; and `oneOf` as `anyOf`, since the document's
 * alternatives exclude each other neither for a user's status (ACTIVE is in both lists) nor for
 * an estimate (some take any `coin_fields`).
 */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== "object" || node === null) return node;
  const { nullable, example: _, discriminator: __, ...rest } = node as Record<string, unknown>;
  const members = Object.entries(rest).map(([name, value]) => [
    name === "oneOf" ? "anyOf" : name,
    toJsonSchema(value),
  ]);
  const copy = Object.fromEntries(members) as object;
  return nullable === true ? { anyOf: [{ type: "null" }, copy] } : copy;
}

if (DOCUMENT === undefined) {
  test.skipIf(true)(`the sandbox is what the V1 document says${WITHOUT_DOCUMENT}`, () => undefined);
} else {
  const document = DOCUMENT;
  const listed = operationsOf(document);
  const ajv = new Ajv({ strict: false, allErrors: true, formats: { url: true } });
  addFormats(ajv);
  ajv.addSchema(toJsonSchema(document) as object, "v1");
  let sandbox: Sandbox;
  let headers: Record<string, string>;

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    more: Record<string, string> = {},
  ) => {
    const url = `${sandbox.description.baseUrls.v1}${path}`;
    const answer = await fetch(url, {
      method,
      headers: {
        "content-type": "application/json",
        "x-ledger-workspace": "sandbox",
        ...headers,
        ...more,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Answer };
  };

  const faultsOf = (method: string, path: string, status: number, body: unknown): unknown[] => {
    const found = operationAt(listed, method, path.split("?")[0] ?? "");
    if (found === undefined) return [`${method} ${path} is not in the document`];
    const place = `#/paths/${found.path.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${status}`;
    const pointer = `v1${place}/content/application~1json/schema`;
    const validate =
      status === 200 ? ajv.getSchema(pointer) : ajv.getSchema("v1#/components/schemas/Error");
    if (validate === undefined) return [`${pointer} is not there`];
    return validate(body)
      ? []
      : (validate.errors ?? []).map((error) => [path, error.instancePath, error.message]);
  };

  const get = async (path: string): Promise<ReturnType<typeof send>> => {
    const answer = await send("GET", path);
    expect([path, answer.status, faultsOf("GET", path, answer.status, answer.body)]).toEqual([
      path,
      200,
      [],
    ]);
    return answer;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    headers = {};
    const { apiKeyId: api_key_id, apiKeySecret: api_key_secret } = sandbox.description.operator;
    const { status, body } = await send("POST", "/auth/token", { api_key_id, api_key_secret });
    expect(faultsOf("POST", "/auth/token", status, body)).toEqual([]);
    headers = { authorization: `Bearer ${body.access_token}` };
  });
  afterAll(() => sandbox.close());

  test("every route is in the document, but for those of devices, which are not public", () => {
    const known = new Set(listed.map(({ method, path }) => `${method} ${bare(path)}`));
    expect(
      V1.routes
        .map(({ method, path }) => `${method} ${bare(path)}`)
        .filter((one) => !known.has(one)),
    ).toEqual([
      "GET /u2f/authentications/{}/challenge",
      "POST /u2f/authentications/authenticate",
      "POST /requests/{}/challenge",
    ]);
  });

  test("every query name of a route is in the document", () => {
    for (const { method, path, query = {} } of V1.routes) {
      const found = listed.find((one) => one.method === method && bare(one.path) === bare(path));
      const names = (found?.operation.parameters ?? []).map(({ name }) => name);
      expect([path, Object.keys(query).filter((name) => !names.includes(name))]).toEqual([
        path,
        [],
      ]);
    }
  });

  describe("answers validate", () => {
    test.each([
      "accounts",
      "transactions",
      "requests",
      "users",
      "groups",
      "whitelists",
      "entities",
    ])("every row of /%s, in lists and alone", async (noun) => {
      const { body } = await get(`/${noun}?page_size=-1`);
      expect(body.edges.length).toBeGreaterThan(0);
      expect(body.page_info.count).toBeGreaterThanOrEqual(body.edges.length);
      for (const { node } of body.edges.slice(0, 60)) {
        expect((await get(`/${noun}/${node.id}`)).body).toEqual(node);
      }
    });

    test("currencies, tokens, organization, balances", async () => {
      for (const path of ["/currencies", "/currencies/tokens", "/organization"]) await get(path);
      const { body } = await get("/accounts?page_size=3");
      for (const { node } of body.edges) await get(`/accounts/${node.id}/balances`);
    });

    test("a request's life", async () => {
      const { body: found } = await get("/accounts?name=ClientA");
      const data = {
        account_id: found.edges[0].node.id,
        transaction_type: "BITCOIN_LIKE_SEND",
        fees_strategy: { type: "SPEED", data: { speed: "NORMAL" } },
        transaction_data: {
          account_name: "ClientA COL TBTC 1",
          amount: "1000",
          currency: "bitcoin_testnet",
          max_fees: "4018",
          recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
        },
      };
      const creation = { type: "CREATE_TRANSACTION", data };
      for (const path of ["/requests", "/transactions/estimate-fees"]) {
        const { status, body } = await send("POST", path, creation);
        expect([path, status, faultsOf("POST", path, status, body)]).toEqual([path, 200, []]);
      }
      const { body: newest } = await get("/requests?page_size=1");
      const { id, target_id } = newest.edges[0].node;
      for (const path of ["/challenge", "/challenge/reject", "/governance-status"])
        await get(`/requests/${id}${path}`);
      expect((await get(`/transactions/${target_id}`)).body).toMatchObject({
        status: "PENDING_APPROVAL",
        amount: "1000",
      });
      const refused = await send("POST", `/requests/${id}/approve`, { jws: "a.b.c" });
      expect([
        refused.status,
        faultsOf("POST", `/requests/${id}/approve`, 400, refused.body),
      ]).toEqual([400, []]);
    });
  });

  describe("what the document refuses is refused, in the document's error body", () => {
    test.each([
      ["GET", "/accounts/abc", undefined, 400],
      ["GET", "/accounts/999999", undefined, 404],
      ["GET", "/accounts?page=0", undefined, 400],
      ["GET", "/accounts?pageSize=5", undefined, 400],
      ["GET", "/accounts?page=1&page=2", undefined, 400],
      ["GET", "/requests?created_by=me", undefined, 400],
      ["GET", "/requests?created_after=2026-03-02", undefined, 400],
      ["GET", "/groups?status=INACTIVE", undefined, 400],
      ["POST", "/requests", {}, 400],
      ["POST", "/requests", { request: { type: "CREATE_TRANSACTION", data: {} } }, 400],
      ["POST", "/requests/1/approve", { data: { challengeType: "API", signature: "x" } }, 400],
      [
        "POST",
        "/transactions/estimate-fees",
        { type: "CREATE_TRANSACTION", data: { accountId: 1 } },
        400,
      ],
      ["POST", "/auth/token", { workspace: "w", apiKeyId: "a", apiKeySecret: "b" }, 400],
      ["POST", "/auth/token", { api_key_id: "a", api_key_secret: "b" }, 401],
    ])("%s %s %p: %d", async (method, path, body, expected) => {
      const answer = await send(method, path, body);
      expect(answer.status).toBe(expected);
      expect(ajv.getSchema("v1#/components/schemas/Error")?.(answer.body)).toBe(true);
      expect(answer.body.status_code).toBe(expected);
    });

    test("C15 a path that V1 does not have is answered by its gateway", async () => {
      const { status, body } = await send("GET", "/policies");
      expect([status, body]).toEqual([
        404,
        { code: 404, message: "The requested URL was not found on the server." },
      ]);
    });

    test("a call without workspace, with another one, or without a token", async () => {
      const { authorization = "" } = headers;
      const url = `${sandbox.description.baseUrls.v1}/accounts`;
      const status = async (sent: Record<string, string>) =>
        (await fetch(url, { headers: sent })).status;
      expect(await status({ authorization })).toBe(401);
      expect(await status({ authorization, "x-ledger-workspace": "other" })).toBe(401);
      expect(await status({ "x-ledger-workspace": "sandbox" })).toBe(401);
      expect(await status({ authorization, "x-ledger-workspace": "sandbox" })).toBe(200);
    });

    test("a reporting key reads, and raises nothing", async () => {
      const key = {
        "x-ledger-reporting-api-key": sandbox.description.reportingKey ?? "",
        authorization: "",
      };
      expect((await send("GET", "/accounts", undefined, key)).status).toBe(200);
      expect(
        (await send("POST", "/requests", { type: "CREATE_GROUP", data: {} }, key)).status,
      ).toBe(403);
      const wrong = { ...key, "x-ledger-reporting-api-key": "sandbox-operator-secret-not-real" };
      expect((await send("GET", "/accounts", undefined, wrong)).status).toBe(401);
    });
  });

  test("a rejection's challenge does not approve, and an approval's does not reject", async () => {
    const { body } = await get(
      "/requests?page_size=-1&status=PENDING_FIRST_APPROVAL&status=PENDING_APPROVAL",
    );
    const { sign, createPrivateKey } = await import("node:crypto");
    const pem = Buffer.from(sandbox.description.operator.privateKey, "hex").toString();
    const key = { key: createPrivateKey(pem), dsaEncoding: "ieee-p1363" } as const;
    const mine: number[] = [];
    for (const { node } of body.edges)
      if ((await send("GET", `/requests/${node.id}/challenge`)).status === 200) mine.push(node.id);
    expect(mine.length).toBeGreaterThan(0);
    const id = mine[0];
    const jwsOf = async (path: string): Promise<string> => {
      const { challenge } = (await get(`/requests/${id}${path}`)).body;
      const signed = `${Buffer.from('{"alg":"ES256","typ":"JWT"}').toString("base64url")}.${challenge}`;
      return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
    };
    const [approval, rejection] = [await jwsOf("/challenge"), await jwsOf("/challenge/reject")];
    expect((await send("POST", `/requests/${id}/approve`, { jws: rejection })).status).toBe(400);
    expect((await send("POST", `/requests/${id}/reject`, { jws: approval })).status).toBe(400);
    const done = await send("POST", `/requests/${id}/reject`, { jws: rejection });
    expect([
      done.status,
      done.body.status,
      faultsOf("POST", `/requests/${id}/reject`, 200, done.body),
    ]).toEqual([200, "ABORTED", []]);
    expect((await send("POST", `/requests/${id}/reject`, { jws: rejection })).status).toBe(400);
  });
}
