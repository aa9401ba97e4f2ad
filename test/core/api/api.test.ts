/**
 * What no command line can reach, because an earlier check is in the way, and must hold all the
 * same.
 */
import { expect, test } from "bun:test";
import { Acts, NO_STAGES } from "../../../src/core/acts.ts";
import type { Access } from "../../../src/core/api/access.ts";
import { createApi } from "../../../src/core/api/api.ts";
import { Client } from "../../../src/core/api/client.ts";
import { checkPath } from "../../../src/core/api/path.ts";
import { Config } from "../../../src/core/auth/config.ts";
import type { Session, SessionStore } from "../../../src/core/state/session.ts";
import { CliError } from "../../../src/errors.ts";
import { Exact } from "../../../src/io/json.ts";
import { Redactor } from "../../../src/io/redact.ts";
import { codeOf } from "../../support/failure.ts";
import { runtimeWith } from "../../support/runtime.ts";

const HERE: Session = {
  version: 1,
  kind: "api",
  apiVersion: "v2",
  origin: "https://vault.example",
  basePath: "/v1/rest",
  workspace: "minivault",
  tokens: { access: "access", refresh: "refresh", receivedAt: 0, expiresInSeconds: 300 },
};

const acts = new Acts({ command: "test", deeds: [], stages: async () => NO_STAGES });

/**
 * An access whose session becomes another one while the lock is waited for; it notes what would
 * have been sent.
 */
function accessWith(fresh: SessionStore["fresh"]): { access: Access; sent: string[] } {
  const sent: string[] = [];
  const fetch = async (input: string | URL | Request): Promise<Response> => {
    sent.push(input instanceof Request ? input.url : String(input));
    return Response.json({
      accessToken: "a",
      refreshToken: "r",
      expiresInSeconds: 300,
      refreshExpiresInSeconds: 1800,
    });
  };
  const env = {
    LEDGER_ENTERPRISE_API_URL: "https://vault.example/v1/rest",
    LEDGER_ENTERPRISE_WORKSPACE: "minivault",
  };
  const access: Access = {
    runtime: runtimeWith({ fetch: fetch as typeof globalThis.fetch }),
    config: new Config({
      env,
      readFile: () => Promise.reject(new Error("no file")),
      learn: () => undefined,
    }),
    sessions: { recent: async () => HERE, fresh } as SessionStore,
  };
  return { access, sent };
}

const ELSEWHERE: readonly (readonly [string, Partial<Session>])[] = [
  ["server", { origin: "https://other.example" }],
  ["base path", { basePath: "/other" }],
  ["workspace", { workspace: "other" }],
];

test.each(ELSEWHERE)(
  "NET-2 a session that became one of another %s inside the lock sends no token",
  async (_, change) => {
    const { access, sent } = accessWith(async () => ({ ...HERE, ...change }));
    expect(await codeOf(() => createApi(access, acts).read("accounts.list"))).toBe(
      "SESSION_MISMATCH",
    );
    expect(await codeOf(() => createApi(access, acts).write("requests.create", {}))).toBe(
      "SESSION_MISMATCH",
    );
    expect(sent).toEqual([]);
  },
);

test.each(ELSEWHERE)(
  "NET-2 nor a refresh token, when it became one of another %s",
  async (_, change) => {
    const { access, sent } = accessWith(async (refresh) => ({
      ...HERE,
      tokens: await refresh({ ...HERE, ...change }),
    }));
    expect(await codeOf(() => createApi(access, acts).read("accounts.list"))).toBe(
      "SESSION_MISMATCH",
    );
    expect(sent).toEqual([]);
  },
);

test("NET-2 the same session is refreshed and used", async () => {
  const { access, sent } = accessWith(async (refresh) => ({
    ...HERE,
    tokens: await refresh(HERE),
  }));
  expect(await codeOf(() => createApi(access, acts).read("accounts.list"))).toBe("none");
  expect(sent).toEqual([
    "https://vault.example/v1/rest/auth/token/refresh",
    "https://vault.example/v1/rest/accounts",
  ]);
});

const RUNTIME = runtimeWith();
const AT_BASE = new Client({ origin: "https://vault.example", basePath: "/v1/rest" }, RUNTIME);
const AT_ROOT = new Client({ origin: "https://vault.example", basePath: "" }, RUNTIME);

test.each(["/../admin", "/a/../../admin", "/%2e%2e/admin", "/a?b=1", "/a#b", "\\admin", "/a b"])(
  "NET-9 the path %j does not leave the base, whatever its origin",
  async (path) => {
    for (const client of [AT_BASE, AT_ROOT]) {
      expect(await codeOf(() => client.urlOf({ path }))).toBe("INVALID_ARGUMENT");
    }
  },
);

test.each([
  "/requests/R1/challenge",
  "requests/R1/Challenge",
  "/requests/R1/challenge/reject",
  "/requests/R1/challenge;v=1",
])(
  "SIG-7 a free path does not read the challenge %j, which would void the reviewed one",
  async (path) => {
    expect(await codeOf(() => checkPath(path))).toBe("INVALID_ARGUMENT");
    expect(checkPath("/requests/challenge/history")).toBe("/requests/challenge/history");
  },
);

test.each([".evil.example/", "@evil.example/", ":8443/"])(
  "NET-9 the path %j does not change the host",
  async (path) => {
    expect(await codeOf(() => AT_ROOT.urlOf({ path }))).toBe("INVALID_ARGUMENT");
  },
);

test.each([
  ["a long error", 400, {}, "api"],
  [
    "where a redirect leads",
    302,
    { location: `/${"x".repeat(500)}a-secret-of-some-length` },
    "details",
  ],
] as const)(
  "SEC-1 a secret in %s is masked before that is cut, however the cut falls",
  async (_, status, headers, where) => {
    const redactor = new Redactor();
    redactor.learn("a-secret-of-some-length");
    const body = JSON.stringify({
      m: `${"x".repeat(4080)}a-secret-of-some-length${"y".repeat(9000)}`,
    });
    const answer = new Response(body, {
      status,
      headers: { "content-type": "application/json", ...headers },
    });
    const runtime = runtimeWith({ redactor, fetch: (async () => answer) as never });
    const client = new Client({ origin: "https://vault.example", basePath: "/v1/rest" }, runtime);
    const failure = await client
      .send({ method: "GET", path: "/groups" })
      .catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(CliError);
    const shown = JSON.stringify((failure as CliError).facts[where]);
    expect(shown).toContain("[redacted]".slice(0, 8));
    expect(shown).not.toContain("a-sec");
  },
);

test.each([
  ["ECONNREFUSED", "The API (vault.example) could not be reached; nothing was sent.", undefined],
  ["EPERM", "This machine does not allow the connection to vault.example.", "Nothing was sent."],
])("NET-6 a write that did not leave says so, once: %s", async (code, message, hint) => {
  const refused = async () => {
    throw Object.assign(new Error("connect"), { code });
  };
  const runtime = runtimeWith({ fetch: refused as never });
  const client = new Client({ origin: "https://vault.example", basePath: "/v1/rest" }, runtime);
  const failing = (writes?: "create") =>
    client
      .send({ method: "POST", path: "/requests", body: new Exact("{}"), writes })
      .catch((cause: unknown) => cause as CliError);
  const { facts } = (await failing("create")) as CliError;
  expect(facts.message).toBe(message);
  expect(facts.hint?.slice(0, 17)).toBe(hint as string);
  const read = (await failing()) as CliError;
  expect(read.facts.message).not.toContain("nothing was sent");
});
