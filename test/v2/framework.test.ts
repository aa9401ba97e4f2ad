/**
 * The framework behind V2 beside the sandbox: what it does by itself, where the two agree, and the
 * command scripts on both.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { allForms } from "../support/forms.ts";
import { play } from "../support/play.ts";
import { openSandbox } from "../support/sandbox.ts";
import { parseScript } from "../support/script.ts";
import { DOCUMENT, type Document } from "./schemas.ts";
import { generatedDocument, openFramework } from "./server.ts";

const JSON_TYPE = { "content-type": "application/json" };
const ACCOUNT = "e5a8f6f0-2222-4f6e-8f5a-000000000001";

interface Reply {
  readonly status: number;
  readonly body: Document;
}

/** One server with a token: sends anything. */
async function clientOf(url: string, environment: Readonly<Record<string, string>>) {
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(`${url}${path}`, { method, ...init });
    return { status: response.status, body: await response.json() };
  };
  const { body } = await send("POST", "/auth/token", {
    headers: JSON_TYPE,
    body: JSON.stringify({
      workspace: environment.LEDGER_ENTERPRISE_WORKSPACE,
      apiKeyId: environment.LEDGER_ENTERPRISE_API_KEY_ID,
      apiKeySecret: environment.LEDGER_ENTERPRISE_API_KEY_SECRET,
    }),
  });
  const authorization = `Bearer ${body.accessToken}`;
  return {
    get: (path: string) => send("GET", path, { headers: { authorization } }),
    post: (path: string, text: string | undefined, headers: Record<string, string> = JSON_TYPE) =>
      send("POST", path, {
        headers: { authorization, ...headers },
        ...(text === undefined ? {} : { body: text }),
      }),
    bare: (path: string) => send("GET", path),
  };
}

type Client = Awaited<ReturnType<typeof clientOf>>;
let framework: Client;
let sandbox: Client;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  const [theirs, ours] = [await openFramework(), await openSandbox()];
  open.push(theirs, ours);
  framework = await clientOf(theirs.url, theirs.environment);
  sandbox = await clientOf(ours.environment.LEDGER_ENTERPRISE_API_URL ?? "", ours.environment);
});
afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]();
});

/** Status, code and data of a refusal: what a client decides by. */
const decisive = ({ status, body }: Reply) => ({ status, code: body.code, data: body.data });

const NOTHING = "/accounts/nothing";
const REVIEW = JSON.stringify({ data: { challengeType: "API", signature: "a.b.c" } });

describe("N3 N8 N9 the sandbox refuses as the framework does", () => {
  const calls: readonly (readonly [name: string, call: (client: Client) => Promise<Reply>])[] = [
    ["N3 an unknown path", ({ get }) => get("/no-such-path")],
    ["N3 an unknown path without a token", ({ bare }) => bare("/no-such-path")],
    ["N3 a wrong method", ({ post }) => post(`/accounts/${ACCOUNT}`, "{}")],
    ["N3 a missing object", ({ get }) => get(NOTHING)],
    [
      "N3 a missing request of an approval",
      ({ post }) => post("/requests/nothing/approve", REVIEW),
    ],
    ["N8 a call without a token", ({ bare }) => bare("/accounts")],
    ["N8 a value out of range", ({ get }) => get("/accounts?pageSize=31")],
    ["N8 a value that is not a number", ({ get }) => get("/accounts?page=abc")],
    ["N8 a parameter twice", ({ get }) => get("/accounts?page=1&page=2")],
    ["N8 a value that is not in the list", ({ get }) => get("/accounts?governanceType=POLICY")],
    ["N8 a required parameter left out", ({ get }) => get("/permissions/resources")],
    ["N8 a body without its envelope", ({ post }) => post("/requests", "{}")],
    ["N9 no content type", ({ post }) => post("/requests", undefined, {})],
    [
      "N9 another content type",
      ({ post }) => post("/requests", "{}", { "content-type": "text/plain" }),
    ],
    ["N9 an empty body", ({ post }) => post("/requests", "", JSON_TYPE)],
    ["N9 a body that is not JSON", ({ post }) => post("/requests", "{", JSON_TYPE)],
  ];
  test.each(calls)("%s", async (_, call) => {
    const [theirs, ours] = [await call(framework), await call(sandbox)];
    expect(theirs.status).toBeGreaterThanOrEqual(400);
    expect(decisive(ours)).toEqual(decisive(theirs));
  });

  test("N8 the issues of both have a path, which names the parameter", async () => {
    for (const client of [framework, sandbox]) {
      const { issues } = (await client.get("/accounts?pageSize=31")).body;
      expect(issues[0].path).toEqual(["pageSize"]);
    }
  });
});

describe("N4 N5 N6 what the framework lets through", () => {
  test("N4 several values repeat the name; commas fail", async () => {
    const total = async (client: Client, query: string) =>
      (await client.get(`/requests?${query}`)).body.total;
    for (const client of [framework, sandbox]) {
      expect(await total(client, "state=CONFIRMED&state=REJECTED")).toBe(2);
      expect(await total(client, "state=CONFIRMED")).toBe(1);
      expect(await total(client, "state=CONFIRMED,REJECTED")).toBe(0);
    }
  });

  test("N5 unknown names are dropped in silence, in queries and in bodies; the sandbox refuses them", async () => {
    const query = "/accounts?colour=red&pageSize=1";
    const body = JSON.stringify({
      request: {
        type: "UPDATE_QUORUM",
        data: { quorum: 1 },
        note: { title: "a", content: "b", c: 1 },
      },
      more: 1,
    });
    expect((await framework.get(query)).status).toBe(200);
    const { status, body: created } = await framework.post("/requests", body);
    expect([status, created.note]).toEqual([200, { title: "a", content: "b" }]);
    expect((await sandbox.get(query)).status).toBe(400);
    expect((await sandbox.post("/requests", body)).status).toBe(400);
  });

  test("N6 any text of a flag is true, false with it", async () => {
    for (const client of [framework, sandbox])
      for (const [value, isThere] of [
        ["false", false],
        ["true", false],
      ] as const) {
        const { body } = await client.get(`/accounts?pageSize=1&skipLiveData=${value}`);
        expect([value, body.results[0].balance !== undefined]).toEqual([value, isThere]);
      }
  });

  test("X11 too many calls are 429 TOO_MANY_REQUESTS", async () => {
    await using theirs = await openFramework();
    const client = await clientOf(theirs.url, theirs.environment);
    await theirs.control("set", '{"rateLimit":{"limit":0,"windowSeconds":60}}');
    expect(decisive(await client.get("/accounts"))).toEqual({
      status: 429,
      code: "TOO_MANY_REQUESTS",
      data: { code: "TOO_MANY_REQUESTS", httpStatus: 429, path: "accounts.list" },
    });
  });
});

test("N2 our document has the framework's operationIds and statuses", () => {
  const generated = generatedDocument();
  const rows = Object.entries<Document>(generated.paths).flatMap(([path, verbs]) =>
    Object.entries<Document>(verbs).map(([verb, operation]) => ({ path, verb, operation })),
  );
  expect(rows.length).toBeGreaterThan(25);
  for (const { path, verb, operation } of rows) {
    const ours = DOCUMENT.paths[path][verb];
    expect([path, ours.operationId]).toEqual([path, operation.operationId]);
    const missing = Object.keys(operation.responses).filter(
      (status) => !(status in ours.responses),
    );
    // An operation without input cannot be invalid, and the generator says so.
    expect([path, verb, missing.filter((status) => status !== "404")]).toEqual([path, verb, []]);
  }
});

/** Scripts that the framework's server does not carry, each with its reason. */
const NOT_CARRIED: Readonly<Record<string, string>> = {
  "accounts.txt": "has answers that no server with an output schema sends",
  "journal.txt": "has answers of a server that breaks in the middle",
  "outcomes.txt": "has answers of a server that breaks in the middle",
  "redaction.txt": "has answers that only a hostile server sends",
  "server-faults.txt": "has answers of a server that breaks in the middle",
  "transactions.txt": "names kinds of transactions that no public schema has",
  "v1-reporting.txt": "speaks API V1",
  "v1.txt": "speaks API V1",
};

const folder = join(import.meta.dir, "../scripts");
const files = [...new Glob("*.txt").scanSync(folder)].sort();
const CARRIED = files.filter((file) => NOT_CARRIED[file] === undefined);
const forms = (await allForms()).filter(({ hostile }) => !hostile);

describe("N7 the scripts of V2 on the framework's server", () => {
  test("N7 every script is carried, or has a reason", () => {
    expect(Object.keys(NOT_CARRIED).filter((file) => !files.includes(file))).toEqual([]);
    expect(CARRIED.length).toBeGreaterThan(12);
  });

  for (const file of CARRIED)
    test.each(forms)(
      `N7 ${file} on $name`,
      async (form) => {
        await using counterpart = await openFramework();
        await play(parseScript(await Bun.file(join(folder, file)).text()), form, counterpart);
      },
      120_000,
    );
});
