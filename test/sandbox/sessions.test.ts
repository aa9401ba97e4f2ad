/** Tokens, their lives, and who may see what. */
import { expect, test } from "bun:test";
import { defaultSeed } from "../../src/sandbox/index.ts";
import { ALICE, openBench, payment, USER } from "./bench.ts";

type Bench = Awaited<ReturnType<typeof openBench>>;

const credentials = (bench: Bench, changes: Record<string, unknown> = {}) => ({
  workspace: bench.description.workspace,
  apiKeyId: bench.description.operator.apiKeyId,
  apiKeySecret: bench.description.operator.apiKeySecret,
  ...changes,
});
const open = async (bench: Bench) =>
  (await bench.send("POST", "/auth/token", { body: credentials(bench) })).body;
const refresh = (bench: Bench, refreshToken: string, more = {}) =>
  bench.send("POST", "/auth/token/refresh", {
    body: { workspace: "sandbox", refreshToken, ...more },
  });
const whoami = async (bench: Bench, token: string) =>
  (await bench.send("GET", "/users/me", { token })).status;

test("a login returns a pair with documented lives; the access token is a JWT with workspace and key", async () => {
  await using bench = await openBench();
  const { accessToken, refreshToken, ...lives } = await open(bench);
  expect(lives).toEqual({ expiresInSeconds: 300, refreshExpiresInSeconds: 1800 });
  const claims = JSON.parse(Buffer.from(accessToken.split(".")[1], "base64url").toString());
  expect(claims).toMatchObject({
    workspace: "sandbox",
    pub_key: bench.description.operator.publicKey,
    sub: USER(1),
    exp: claims.iat + 300,
  });
  expect(refreshToken.split(".")).toHaveLength(3);
  expect(refreshToken).not.toBe(accessToken);
  expect(await whoami(bench, refreshToken)).toBe(401);
  expect((await refresh(bench, accessToken)).status).toBe(401);
});

test.each([
  ["workspace", "elsewhere"],
  ["apiKeyId", "nobody"],
  ["apiKeySecret", "sandbox-operator-secret-not-reaL"],
  ["apiKeySecret", ""],
])("wrong %s %p: 401", async (name, value) => {
  await using bench = await openBench();
  const { status, body } = await bench.send("POST", "/auth/token", {
    body: credentials(bench, { [name]: value }),
  });
  expect({ status, body }).toEqual({
    status: 401,
    body: {
      code: "UNAUTHORIZED",
      message: "Unknown workspace or API key",
      data: { code: "UNAUTHORIZED", httpStatus: 401, path: "auth.getToken" },
    },
  });
});

test("an access token lives 300 s, a refresh token 1800 s, to the millisecond", async () => {
  await using bench = await openBench();
  const { accessToken, refreshToken } = await open(bench);
  bench.tick(299.999);
  expect(await whoami(bench, accessToken)).toBe(200);
  bench.tick(0.001);
  expect(await whoami(bench, accessToken)).toBe(401);
  bench.tick(1499.999);
  const renewed = await refresh(bench, refreshToken);
  expect(renewed.status).toBe(200);
  expect(await whoami(bench, renewed.body.accessToken)).toBe(200);
  bench.tick(1800);
  expect((await refresh(bench, renewed.body.refreshToken)).status).toBe(401);
});

test("a refresh rotates both tokens; a spent refresh token ends its family and no other", async () => {
  await using bench = await openBench();
  const [first, other] = [await open(bench), await open(bench)];
  const second = (await refresh(bench, first.refreshToken, { workspace: "sandbox" })).body;
  expect(second.refreshToken).not.toBe(first.refreshToken);
  expect(await whoami(bench, second.accessToken)).toBe(200);
  expect((await refresh(bench, first.refreshToken)).status).toBe(401);
  expect(await whoami(bench, second.accessToken)).toBe(401);
  expect((await refresh(bench, second.refreshToken)).status).toBe(401);
  expect(await whoami(bench, other.accessToken)).toBe(200);
  expect((await refresh(bench, other.refreshToken)).status).toBe(200);
});

test("a refresh for another workspace is refused and spends nothing", async () => {
  await using bench = await openBench();
  const { refreshToken } = await open(bench);
  expect((await refresh(bench, refreshToken, { workspace: "elsewhere" })).status).toBe(401);
  expect((await refresh(bench, refreshToken)).status).toBe(200);
});

test.each([
  ["none", {}],
  ["another scheme", { authorization: "Basic c2FuZGJveA==" }],
  ["a token that was not issued", { authorization: "Bearer abc" }],
  ["nothing behind Bearer", { authorization: "Bearer " }],
])("401 for authorization: %s", async (_, headers: Record<string, string>) => {
  await using bench = await openBench();
  const { status, body } = await bench.send("GET", "/accounts", { headers });
  expect({ status, code: body.code }).toEqual({ status: 401, code: "UNAUTHORIZED" });
});

test("tokens can be opaque", async () => {
  await using bench = await openBench();
  bench.control.set({ opaqueTokens: true });
  const { accessToken, refreshToken } = await open(bench);
  expect(accessToken).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await whoami(bench, accessToken)).toBe(200);
  expect((await refresh(bench, refreshToken)).status).toBe(200);
});

test("a suspended operator is forbidden everything, an inactive one cannot log in, a rotated secret ends at the next login", async () => {
  await using bench = await openBench();
  const { accessToken } = await open(bench);
  bench.control.set({ isSuspended: true });
  expect(await whoami(bench, accessToken)).toBe(403);
  bench.control.set({ isSuspended: false, apiKeySecret: "rotated" });
  expect(await whoami(bench, accessToken)).toBe(200);
  expect((await bench.send("POST", "/auth/token", { body: credentials(bench) })).status).toBe(401);
  expect(
    (
      await bench.send("POST", "/auth/token", {
        body: credentials(bench, { apiKeySecret: "rotated" }),
      })
    ).status,
  ).toBe(200);

  const seed = defaultSeed();
  const users = seed.users.map((user) =>
    user.id === USER(2) ? { ...user, status: "INACTIVE" as const } : user,
  );
  await using other = await openBench({ seed: { ...seed, users } });
  const body = {
    workspace: "sandbox",
    apiKeyId: "sandbox-backup",
    apiKeySecret: "sandbox-backup-secret-not-real",
  };
  expect((await other.send("POST", "/auth/token", { body })).status).toBe(401);
});

test("legacyViewAll opens the list of users; without it there is no other user, and another one is not found rather than forbidden", async () => {
  await using bench = await openBench();
  expect((await bench.get("/users")).body.total).toBe(9);
  expect((await bench.get("/users?role=ADMIN")).body.total).toBe(2);
  expect((await bench.get("/users?status=INACTIVE")).body.results[0].name).toBe("Former Colleague");
  expect((await bench.get(`/users/${ALICE}`)).body).toMatchObject({
    name: "Alice Martin",
    deviceType: "PSD",
    deviceUserId: "a11ce00000000001",
  });
  bench.control.set({ legacyViewAll: false });
  expect((await bench.get("/users")).body.results.map((user: { id: string }) => user.id)).toEqual([
    USER(1),
  ]);
  expect((await bench.get(`/users/${ALICE}`)).body.code).toBe("NOT_FOUND");
  expect((await bench.get("/users/me")).body).toMatchObject({
    id: USER(1),
    pubKey: bench.description.operator.publicKey,
    role: "OPERATOR",
  });
  expect((await bench.get(`/permissions/allowed-actions?userId=${ALICE}`)).status).toBe(404);
});

test("allowed actions follow the role and the kind of resource", async () => {
  await using bench = await openBench();
  const actions = async (query: string, token?: string) =>
    (
      await bench.send("GET", `/permissions/allowed-actions${query}`, {
        token: token ?? (await bench.login()),
      })
    ).body.allowedActions;
  expect(await actions("")).toContain("SEND");
  expect(await actions("?resourceType=GROUP")).toEqual(["READ"]);
  expect(await actions("", await bench.login("reporting"))).toEqual(["READ"]);
  expect(
    (await bench.get("/permissions/allowed-actions?resourceType=ACCOUNT&resourceId=nothing"))
      .status,
  ).toBe(404);
  expect((await bench.get("/permissions/allowed-actions?resourceId=nothing")).status).toBe(404);
});

test("the description is enough to log in: environment lines for a shell, fake credentials, base address, control path", async () => {
  await using bench = await openBench();
  const { environment, baseUrls, operator, control } = bench.description;
  expect(baseUrls.v2).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1\/rest$/);
  expect(control).toBe(baseUrls.v2.replace("/v1/rest", "/_sandbox"));
  expect(operator.apiKeyId).toBe("sandbox-operator");
  expect(environment).toEqual([
    `export LEDGER_ENTERPRISE_API_URL='${baseUrls.v2}'`,
    "export LEDGER_ENTERPRISE_WORKSPACE='sandbox'",
    "export LEDGER_ENTERPRISE_API_KEY_ID='sandbox-operator'",
    `export LEDGER_ENTERPRISE_API_KEY_SECRET='${operator.apiKeySecret}'`,
    `export LEDGER_ENTERPRISE_API_PRIVATE_KEY='${operator.privateKey}'`,
  ]);
  expect((await bench.raise(payment())).status).toBe(200);
});
