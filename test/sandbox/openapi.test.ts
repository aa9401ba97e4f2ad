/**
 * The sandbox against the reconstructed OpenAPI document of V2, both ways: every answer validates
 * against the schema of its operation and status; every input that the document refuses is refused,
 * and every input that it allows is accepted, except where STRICTER says why not. The lists are
 * exact: an entry that is not needed fails, too.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { defaultSeed } from "../../src/sandbox/fixtures.ts";
import {
  ACCOUNT,
  ALICE,
  type Document,
  openBench,
  payment,
  type Reply,
  review,
  signJws,
} from "./bench.ts";

const FILE = new URL("../../docs/api/v2.openapi.yaml", import.meta.url);
const api: Document = parse(readFileSync(FILE, "utf8"));
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(api, "api");

/** Operations that the sandbox answers with 404, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "POST /requests/{id}/generate-registration-challenge":
    "devices are registered by people, not by API operators",
  "POST /requests/{id}/confirm-registration-challenge": "as above",
};

/** Query parameters that an operation must have, with a good value. */
const REQUIRED: Readonly<Record<string, string>> = {
  "GET /permissions/resources": "action=READ",
};

/** Where the sandbox refuses what the document allows: operation, place, and why. */
const STRICTER: readonly (readonly [operation: RegExp, place: RegExp, reason: string])[] = [
  [
    /^GET \/requests$/,
    /^query (fromDate|toDate)$/,
    "a date that cannot be read would silently select nothing",
  ],
  [/transactions$/, /^query cursor$/, "a cursor that this list did not give has no place in it"],
  [/^GET /, /^query \w+ twice$/, "a parameter with one value that comes twice has two meanings"],
  [
    /^POST \/auth\//,
    /^body added$/,
    "V2 validates strictly; an unknown member is a mistake of the client",
  ],
  [/^POST \/requests\/\{id\}\/(approve|reject)$/, /^body(\/data)? added$/, "as above"],
  [
    /^POST \/requests$/,
    /^body added$/,
    "as above; the members of the request are inside its envelope",
  ],
  [/^POST \/requests\/transaction\/sui$/, /^body(\/transaction)? added$/, "as above"],
  [
    /^POST \/requests\/transaction\/sui$/,
    /^body\/(accountId|transaction\/(amount|recipient|maxFees)) /,
    "the account must be one of Sui, amounts are digits, the recipient is an address",
  ],
  [/^POST \/requests$/, /^body\/request\/note added$/, "as above"],
  [
    /^POST \/requests$/,
    /^body\/request\/type /,
    "the document leaves the type open; the sandbox knows V1's 37 and UPDATE_QUORUM",
  ],
  [
    /^POST \/requests$/,
    /^body\/request\/data/,
    "the document allows any object; a transaction is checked by the fields of its kind",
  ],
  [
    /estimate$/,
    /^body\/(transactionType|accountId) /,
    "the kind must fit the account, and the account is the path's",
  ],
  [
    /estimate$/,
    /^body\/transactionData\/(accountName|currency|amount|maxFees) /,
    "names must be the account's, amounts are digits",
  ],
  [/estimate$/, /^body\/feesStrategy/, "fields of the strategy must be the family's own"],
];
const used = new Set<unknown>();

function allowsRefusal(operation: string, place: string): boolean {
  const rule = STRICTER.find(
    ([operations, places]) => operations.test(operation) && places.test(place),
  );
  used.add(rule);
  return rule !== undefined;
}

interface Operation {
  /** `GET /accounts/{id}` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly pointer: string;
  readonly parameters: readonly Document[];
  readonly document: Document;
}

const resolve = (item: Document): Document =>
  item.$ref === undefined
    ? item
    : item.$ref
        .slice(2)
        .split("/")
        .reduce((at: Document, name: string) => at[name], api);

const OPERATIONS: readonly Operation[] = Object.entries<Document>(api.paths).flatMap(
  ([path, methods]) =>
    Object.entries<Document>(methods).map(([verb, document]) => ({
      name: `${verb.toUpperCase()} ${path}`,
      method: verb.toUpperCase(),
      path,
      pointer: `api#/paths/${path.replaceAll("~", "~0").replaceAll("/", "~1")}/${verb}`,
      parameters: (document.parameters ?? []).map(resolve),
      document,
    })),
);
const SERVED = OPERATIONS.filter(({ name }) => LEFT_OUT[name] === undefined);

const validators = new Map<string, ValidateFunction>();
function isValid(ref: string, value: unknown): boolean {
  const validate = validators.get(ref) ?? ajv.compile({ $ref: ref });
  validators.set(ref, validate);
  return validate(value) === true;
}

/** The answer is one that the document lists, and has the shape of the document. */
function checkAnswer({ name, document, pointer }: Operation, reply: Reply): void {
  const listed = document.responses[`${reply.status}`];
  expect({ name, status: reply.status, isListed: listed !== undefined }).toEqual({
    name,
    status: reply.status,
    isListed: true,
  });
  expect(reply.headers.get("content-type")).toBe("application/json");
  const at =
    listed.$ref === undefined ? `${pointer}/responses/${reply.status}` : `api${listed.$ref}`;
  const ref = `${at}/content/application~1json/schema`;
  const problems = isValid(ref, reply.body) ? [] : validators.get(ref)?.errors;
  expect({ name, status: reply.status, problems }).toEqual({
    name,
    status: reply.status,
    problems: [],
  });
}

const isMalformed = ({ status, body }: Reply) =>
  status === 400 && body.message === "Input validation failed";

let bench: Awaited<ReturnType<typeof openBench>>;
const SUI = ACCOUNT(99);
/** A request that waits for the operator's signature. */
let requestId: string;
beforeAll(async () => {
  const seed = defaultSeed();
  const [model] = seed.accounts;
  if (model === undefined) throw new Error("The seed has no account.");
  const sui = {
    ...model,
    id: SUI,
    name: "Sui 1",
    currency: "sui",
    address: `0x${"cd".repeat(32)}`,
  };
  bench = await openBench({ seed: { ...seed, accounts: [...seed.accounts, sui] } });
  requestId = (await bench.raise(payment())).body.id;
});
afterAll(() => bench.sandbox.close());

const IDS: readonly (readonly [prefix: string, id: () => string])[] = [
  ["/accounts/", () => ACCOUNT(1)],
  ["/users/", () => ALICE],
  ["/groups/", () => "0c5be7aa-4c7e-4b33-9d43-000000000001"],
  ["/whitelists/", () => "5d0c2a1e-1111-4c2b-9a52-000000000001"],
  ["/policies/", () => "1a2b3c4d-4444-4d5e-8f6a-000000000001"],
  ["/entities/", () => "7e1d4c3b-5555-4a6f-9b7c-000000000001"],
  ["/requests/", () => requestId],
];

function realPath(
  path: string,
  id = IDS.find(([prefix]) => path.startsWith(prefix))?.[1]() ?? "",
): string {
  return path.replace("{id}", id);
}

/** A body that the sandbox takes, for each operation that has one. */
function goodBody(name: string): Document {
  const { apiKeyId, apiKeySecret } = bench.description.operator;
  const bodies: Record<string, () => Document> = {
    "POST /auth/token": () => ({ workspace: "sandbox", apiKeyId, apiKeySecret }),
    "POST /auth/token/refresh": () => ({ workspace: "sandbox", refreshToken: "nobody's" }),
    "POST /accounts/{id}/transactions/estimate": () => payment().data,
    "POST /requests": () => ({
      request: { ...payment({ amount: "1000" }), note: { title: "Payout", content: "Invoice 42" } },
    }),
    "POST /requests/transaction/sui": () => ({
      accountId: SUI,
      transaction: { amount: "1000", recipient: `0x${"ab".repeat(32)}`, maxFees: "2000000" },
    }),
    "POST /requests/{id}/approve": () => review("a.b.c"),
    "POST /requests/{id}/reject": () => review("a.b.c"),
  };
  return bodies[name]?.();
}

async function call(
  { method, path, name }: Operation,
  query = "",
  body = goodBody(name),
  id?: string,
): Promise<Reply> {
  const token = await tokenOf();
  const required = REQUIRED[name];
  const isGiven = required === undefined || query.includes(`?${required.split("=")[0]}=`);
  const whole = isGiven ? query : `?${required}${query.replace("?", "&")}`;
  return bench.send(method, `${realPath(path, id)}${whole}`, {
    token,
    ...(body === undefined ? {} : { body }),
  });
}

let token: string | undefined;
async function tokenOf(): Promise<string> {
  token ??= await bench.login();
  return token;
}

describe("answers", () => {
  test.each(SERVED.filter(({ method }) => method === "GET"))(
    "$name answers 200 with its schema, also its richest query",
    async (operation) => {
      const richest = ["withInflight=true", "skipLiveData=false", "sortOrder=desc", "pageSize=30"];
      const known = richest.filter((pair) =>
        operation.parameters.some(
          (parameter) => parameter.in === "query" && pair.startsWith(`${parameter.name}=`),
        ),
      );
      for (const query of ["", `?${known.join("&")}`]) {
        const reply = await call(operation, query);
        expect(reply.status).toBe(200);
        checkAnswer(operation, reply);
      }
    },
  );

  const byName = (name: string): Operation => {
    const found = OPERATIONS.find((operation) => operation.name === name);
    if (found === undefined) throw new Error(`${name} is not in the document.`);
    return found;
  };

  test("each POST answers 200 with its schema, all through the life of a request", async () => {
    const { apiKeyId, apiKeySecret, privateKey } = bench.description.operator;
    const login = await call(byName("POST /auth/token"), "", {
      workspace: "sandbox",
      apiKeyId,
      apiKeySecret,
    });
    checkAnswer(byName("POST /auth/token"), login);
    const renewed = await call(byName("POST /auth/token/refresh"), "", {
      workspace: "sandbox",
      refreshToken: login.body.refreshToken,
    });
    checkAnswer(byName("POST /auth/token/refresh"), renewed);
    checkAnswer(
      byName("POST /accounts/{id}/transactions/estimate"),
      await call(byName("POST /accounts/{id}/transactions/estimate")),
    );
    const statuses: number[] = [login.status, renewed.status];
    for (const verb of ["approve", "reject"]) {
      const created = await call(byName("POST /requests"));
      checkAnswer(byName("POST /requests"), created);
      const { id } = created.body;
      const body = review(signJws(await bench.challenge(id), privateKey));
      const reviewed = await call(byName(`POST /requests/{id}/${verb}`), "", body, id);
      checkAnswer(byName(`POST /requests/{id}/${verb}`), reviewed);
      statuses.push(created.status, reviewed.status);
      if (verb === "approve") bench.control.review(id, ALICE, "APPROVE");
    }
    bench.tick(10);
    token = undefined;
    for (const name of ["GET /requests", "GET /accounts", "GET /accounts/{id}/transactions"])
      checkAnswer(byName(name), await call(byName(name)));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
  });

  test.each(SERVED.filter(({ document }) => document.security === undefined))(
    "$name without a token: 401; suspended: 403",
    async (operation) => {
      const body = goodBody(operation.name);
      const bare = await bench.send(
        operation.method,
        realPath(operation.path),
        body === undefined ? {} : { body },
      );
      expect(bare.status).toBe(401);
      checkAnswer(operation, bare);
      await tokenOf();
      bench.control.set({ isSuspended: true });
      const suspended = await call(operation);
      bench.control.set({ isSuspended: false });
      expect(suspended.status).toBe(403);
      checkAnswer(operation, suspended);
    },
  );

  test.each(SERVED.filter(({ path }) => path.includes("{id}")))(
    "N3 $name of nothing: 404, and data.path names the operation",
    async (operation) => {
      const reply = await call(operation, "", goodBody(operation.name), "nothing");
      expect(reply.status).toBe(404);
      expect(reply.body.data.path).toBe(operation.document.operationId.replace("-", "."));
      checkAnswer(operation, reply);
    },
  );

  test.each(Object.keys(LEFT_OUT).map(byName))(
    "$name is left out: 404 as for any unknown path",
    async (operation) => {
      const reply = await call(operation, "", {});
      expect(reply.status).toBe(404);
      expect(isValid("api#/components/schemas/ErrorBody", reply.body)).toBe(true);
    },
  );
});

/** Values behind `name=`; the schema of each parameter decides which of them are valid. */
const VALUES = [
  "",
  "abc",
  "0",
  "1",
  "-1",
  "1.5",
  "30",
  "31",
  "9007199254740992",
  "true",
  "false",
  "yes",
  "asc",
  "up",
];
const NAMED_VALUES = [
  "ACTIVE",
  "INACTIVE",
  "OPERATOR",
  "ACCOUNT",
  "CREATE_TRANSACTION",
  "createdAt",
  "me",
  "2026-03-02",
];

/** Query text as the schema's type reads it. */
function typed(schema: Document, text: string): unknown {
  const { type } = resolve(schema);
  if (type === "integer" && /^-?(0|[1-9]\d*)$/.test(text)) return Number(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

describe("queries", () => {
  test.each(SERVED)("$name: parameters as documented, and no others", async (operation) => {
    const unknown = await call(operation, "?unknownParameter=1");
    expect(isMalformed(unknown)).toBe(true);
    checkAnswer(operation, unknown);
    for (const parameter of operation.parameters.filter((one) => one.in === "query")) {
      const validate = ajv.compile(inline(parameter.schema));
      const isList = parameter.schema.anyOf !== undefined;
      for (const value of [...VALUES, ...NAMED_VALUES]) {
        const reply = await call(operation, `?${parameter.name}=${encodeURIComponent(value)}`);
        checkAnswer(operation, reply);
        expectVerdict(
          operation,
          `query ${parameter.name}`,
          validate(typed(parameter.schema, value)) === true,
          reply,
          value,
        );
      }
      const value =
        resolve(parameter.schema).enum?.[0] ?? resolve(parameter.schema).default ?? "abc";
      const twice = await call(operation, `?${parameter.name}=${value}&${parameter.name}=${value}`);
      expectVerdict(
        operation,
        isList ? `query ${parameter.name}` : `query ${parameter.name} twice`,
        true,
        twice,
        "twice",
      );
    }
  });
});

/** A parameter's schema with its references made absolute. */
function inline(schema: Document): Document {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#', '"$ref":"api#'));
}

function expectVerdict(
  operation: Operation,
  place: string,
  isAllowed: boolean,
  reply: Reply,
  given: unknown,
): void {
  const refused = isMalformed(reply);
  const isFine = isAllowed ? !refused || allowsRefusal(operation.name, place) : refused;
  const verdict = { operation: operation.name, place, given, isAllowed, status: reply.status };
  expect({ ...verdict, isFine, body: isFine ? "" : reply.body }).toEqual({
    ...verdict,
    isFine: true,
    body: "",
  });
}

interface Mutation {
  readonly place: string;
  readonly body: unknown;
}

/**
 * Every member once removed and once replaced by each kind of value, and every object with a member
 * more.
 */
function* mutations(
  body: Document,
  at = "body",
  rebuild = (value: unknown): unknown => value,
): Generator<Mutation> {
  for (const other of [null, 5, 1.5, "text", true, [], {}])
    yield { place: `${at} ${JSON.stringify(other)}`, body: rebuild(other) };
  if (typeof body !== "object" || body === null || Array.isArray(body)) return;
  yield { place: `${at} added`, body: rebuild({ ...body, unknownMember: 1 }) };
  for (const [name, value] of Object.entries(body)) {
    const { [name]: _, ...others } = body;
    yield { place: `${at}/${name} removed`, body: rebuild(others) };
    yield* mutations(value, `${at}/${name}`, (other) => rebuild({ ...body, [name]: other }));
  }
}

describe("bodies", () => {
  test.each(SERVED.filter(({ method }) => method === "POST"))(
    "$name: what the schema refuses is refused, what it allows is taken",
    async (operation) => {
      const ref = `${operation.pointer}/requestBody/content/application~1json/schema`;
      const good = JSON.parse(JSON.stringify(goodBody(operation.name)));
      expect(isValid(ref, good)).toBe(true);
      expectVerdict(operation, "body", true, await call(operation, "", good), good);
      let refusals = 0;
      for (const { place, body } of mutations(good)) {
        const reply = await call(operation, "", JSON.stringify(body));
        const isAllowed = isValid(ref, body);
        refusals += Number(!isAllowed);
        checkAnswer(operation, reply);
        expectVerdict(operation, place, isAllowed, reply, body);
      }
      expect(refusals).toBeGreaterThan(5);
    },
  );

  test("the document's own examples are taken, with ids of the fixture", async () => {
    const exampleOf = (path: string) =>
      JSON.parse(
        JSON.stringify(api.paths[path].post.requestBody.content["application/json"].example),
      );
    const request = exampleOf("/requests");
    request.request.data.accountId = ACCOUNT(1);
    expect((await bench.post("/requests", request)).status).toBe(200);
    expect(
      (
        await bench.post(
          `/accounts/${ACCOUNT(1)}/transactions/estimate`,
          exampleOf("/accounts/{id}/transactions/estimate"),
        )
      ).status,
    ).toBe(200);
  });
});

test("the lists of departures say no more than is needed", () => {
  const idle = [...STRICTER.filter((rule) => !used.has(rule)).map(([, place]) => place)];
  expect(idle).toEqual([]);
  expect(OPERATIONS.filter(({ name }) => LEFT_OUT[name] !== undefined)).toHaveLength(
    Object.keys(LEFT_OUT).length,
  );
});
