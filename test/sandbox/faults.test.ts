/** The control path: faults on demand, log, clock, limits; in process and over HTTP. */

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { type Fault, startSandbox } from "../../src/sandbox/index.ts";
import { ACCOUNT, ALICE, type Document, openBench, payment, START } from "./bench.ts";

type Bench = Awaited<ReturnType<typeof openBench>>;

/** One GET /groups on a connection of its own: all bytes that come, and how it ended. */
async function raw(
  bench: Bench,
  { endAfter }: { endAfter?: string } = {},
): Promise<{ bytes: string; end: "closed" | "reset" | "left" }> {
  const token = await bench.login();
  return new Promise((resolve) => {
    let bytes = "";
    const socket = connect(Number(new URL(bench.description.control).port), "127.0.0.1", () => {
      socket.write(
        `GET /v1/rest/groups HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n\r\n`,
      );
    });
    const leave = (end: "closed" | "reset" | "left") => {
      socket.destroy();
      resolve({ bytes, end });
    };
    socket.on("data", (chunk) => {
      bytes += chunk.toString("latin1");
      if (endAfter !== undefined && bytes.includes(endAfter)) leave("left");
    });
    socket.on("error", () => leave("reset"));
    socket.on("close", () => leave("closed"));
  });
}

async function withFault(fault: Fault): Promise<Bench> {
  const bench = await openBench();
  bench.control.addFault({ ...fault, match: { path: "/groups", ...fault.match } });
  return bench;
}

test("a status, once, with headers and a body in the documented shape", async () => {
  await using bench = await withFault({ status: 503, headers: { "Retry-After": ["soon", "2"] } });
  const { status, headers, body } = await bench.get("/groups");
  expect({ status, retry: headers.get("retry-after"), body }).toEqual({
    status: 503,
    retry: "soon, 2",
    body: {
      code: "INTERNAL_SERVER_ERROR",
      message: "Answer on demand",
      data: { code: "INTERNAL_SERVER_ERROR", httpStatus: 503, path: "groups.list" },
    },
  });
  expect((await bench.get("/groups")).status).toBe(200);
});

test.each<[string, Fault["match"], string[]]>([
  ["an exact path and a method", { path: "/groups", method: "GET" }, ["GET /groups"]],
  ["another method", { path: "/groups", method: "POST" }, []],
  ["a prefix", { path: "/groups*", times: 0 }, ["GET /groups", "GET /groups/x", "GET /groups"]],
  ["the whole path", { path: "/v1/rest/groups/x" }, ["GET /groups/x"]],
  ["anything, twice", { times: 2 }, ["GET /groups", "GET /groups/x"]],
])("a fault matches %s", async (_, match, expected) => {
  await using bench = await openBench();
  bench.control.addFault({ status: 418, ...(match === undefined ? {} : { match }) });
  const hit: string[] = [];
  for (const path of ["/groups", "/groups/x", "/users", "/groups"]) {
    if ((await bench.get(path)).status === 418) hit.push(`GET ${path}`);
  }
  expect(hit).toEqual(expected);
});

test("body, content type and redirect replace those of the answer", async () => {
  await using bench = await withFault({ body: "<html>", contentType: "text/html" });
  const html = await bench.get("/groups");
  expect([html.status, html.headers.get("content-type"), html.text]).toEqual([
    200,
    "text/html",
    "<html>",
  ]);
  bench.control.addFault({
    bodyBase64: Buffer.from("ÿ", "latin1").toString("base64"),
    contentType: "",
  });
  const bare = await bench.get("/groups");
  expect([bare.headers.get("content-type"), bare.headers.get("content-length")]).toEqual([
    null,
    "1",
  ]);
  bench.control.addFault({ contentType: "application/json" });
  expect((await bench.get("/groups")).body.total).toBe(5);
  bench.control.addFault({ redirect: { status: 307, location: "http://127.0.0.1:1/elsewhere" } });
  const moved = await bench.get("/groups");
  expect([moved.status, moved.headers.get("location"), moved.text]).toEqual([
    307,
    "http://127.0.0.1:1/elsewhere",
    "",
  ]);
});

test("cut: the length is announced, some bytes come, the connection ends", async () => {
  await using bench = await withFault({ cutBody: 7 });
  const { bytes, end } = await raw(bench);
  const [head = "", body] = bytes.split("\r\n\r\n");
  expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBeGreaterThan(1000);
  expect({ body, end }).toEqual({ body: '{"page"', end: "closed" });
});

test("cut at or behind the end still announces more than it sends", async () => {
  await using bench = await withFault({ body: "{}", cutBody: 2 });
  const { bytes } = await raw(bench);
  expect(bytes).toMatch(/content-length: 3/i);
  expect(bytes).toEndWith("\r\n\r\n{}");
});

test("reset", async () => {
  await using bench = await withFault({ reset: true });
  expect(await raw(bench)).toEqual({ bytes: "", end: "reset" });
});

test("raw bytes instead of HTTP", async () => {
  const bytes = "HTTP/1.1 099 odd\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab";
  await using bench = await withFault({ raw: Buffer.from(bytes).toString("base64") });
  expect(await raw(bench)).toEqual({ bytes, end: "closed" });
});

test("hang: nothing comes, or only headers, until the client leaves or the sandbox closes", async () => {
  await using bench = await withFault({ hang: "body" });
  const { bytes, end } = await raw(bench, { endAfter: "\r\n\r\n" });
  expect({ end, body: bytes.split("\r\n\r\n")[1] }).toEqual({ end: "left", body: "" });
  bench.control.addFault({ match: { path: "/groups" }, hang: "answer" });
  const waiting = raw(bench);
  while (bench.control.log.filter((entry) => entry.path.endsWith("/groups")).length < 2)
    await bench.send("GET", "/_sandbox/switches");
  await bench.sandbox.close();
  expect(await waiting).toEqual({ bytes: "", end: "closed" });
});

test("trickle and latency deliver the whole answer in the end", async () => {
  await using bench = await withFault({ trickle: { bytes: 500, everyMs: 1 }, latencyMs: 1 });
  expect((await bench.get("/groups")).body.total).toBe(5);
});

test("latency ends when the faults are cleared, and the call takes effect", async () => {
  await using bench = await withFault({ latencyMs: 1e9 });
  let isAnswered = false;
  const waiting = bench.get("/groups").finally(() => {
    isAnswered = true;
  });
  while (!bench.control.log.some((entry) => entry.path.endsWith("/groups")))
    await bench.send("GET", "/_sandbox/switches");
  expect(isAnswered).toBe(false);
  expect((await bench.send("DELETE", "/_sandbox/faults")).status).toBe(200);
  expect((await waiting).body.total).toBe(5);
});

test("close ends a call that waits, at once", async () => {
  await using bench = await withFault({ latencyMs: 1e9 });
  const waiting = raw(bench);
  while (!bench.control.log.some((entry) => entry.path.endsWith("/groups")))
    await bench.send("GET", "/_sandbox/switches");
  await bench.sandbox.close();
  expect(await waiting).toEqual({ bytes: "", end: "closed" });
  expect(await fetch(bench.description.control).then(String, () => "refused")).toBe("refused");
});

test("a spoilt call takes no effect by default, and does when it is told to execute", async () => {
  await using bench = await openBench();
  const count = async () => (await bench.get("/requests")).body.total;
  const before = await count();
  const match = { method: "POST", path: "/requests" };
  bench.control.addFault({ match, status: 502 });
  expect((await bench.raise(payment())).status).toBe(502);
  expect(await count()).toBe(before);
  bench.control.addFault({ match, reset: true, execute: true });
  expect(await bench.raise(payment()).then(String, () => "lost")).toBe("lost");
  expect(await count()).toBe(before + 1);
  bench.control.addFault({ match, status: 201, execute: true });
  const created = await bench.raise(payment());
  expect([created.status, created.body.state]).toEqual([201, "PENDING_APPROVAL"]);
});

test("tokens expire and sessions are revoked on demand", async () => {
  await using bench = await openBench();
  const tokens = (
    await bench.send("POST", "/auth/token", {
      body: {
        workspace: "sandbox",
        apiKeyId: "sandbox-operator",
        apiKeySecret: "sandbox-operator-secret-not-real",
      },
    })
  ).body;
  const ask = async (token: string) => (await bench.send("GET", "/users/me", { token })).status;
  bench.control.addFault({ match: { path: "/users/me" }, expireTokens: true });
  expect(await ask(tokens.accessToken)).toBe(401);
  const renewed = await bench.send("POST", "/auth/token/refresh", {
    body: { workspace: "sandbox", refreshToken: tokens.refreshToken },
  });
  expect(await ask(renewed.body.accessToken)).toBe(200);
  bench.control.addFault({ match: { path: "/users/me" }, revokeSessions: true });
  expect(await ask(renewed.body.accessToken)).toBe(401);
  const refused = await bench.send("POST", "/auth/token/refresh", {
    body: { workspace: "sandbox", refreshToken: renewed.body.refreshToken },
  });
  expect(refused.status).toBe(401);
});

test("X11 a limit: 429 with X-RateLimit-* and Retry-After, until the window is over", async () => {
  await using bench = await openBench();
  bench.control.set({ rateLimit: { limit: 2, windowSeconds: 10 } });
  const ask = async () => {
    const { status, headers, body } = await bench.get("/groups");
    const names = [
      "x-ratelimit-limit",
      "x-ratelimit-remaining",
      "x-ratelimit-reset",
      "retry-after",
    ];
    return [status, ...names.map((name) => headers.get(name)), body.code];
  };
  const reset = `${START / 1000 + 10}`;
  expect(await ask()).toEqual([200, "2", "1", reset, null, undefined]);
  bench.tick(7.5);
  expect(await ask()).toEqual([200, "2", "0", reset, null, undefined]);
  expect(await ask()).toEqual([429, "2", "0", reset, "3", "TOO_MANY_REQUESTS"]);
  bench.tick(2.5);
  expect((await ask()).slice(0, 3)).toEqual([200, "2", "1"]);
  bench.control.set({ rateLimit: null });
  expect(await ask()).toEqual([200, null, null, null, null, undefined]);
});

test("the log holds what came, byte for byte in query and body, and nothing of the control path", async () => {
  await using bench = await openBench();
  bench.control.clearLog();
  await bench.get("/accounts?name=a%20b&page=1");
  await bench.send("POST", "/requests", {
    body: '{ "request" : 1.0 }',
    headers: { "X-Thing": "e" },
  });
  const { requests } = (await bench.send("GET", "/_sandbox/log")).body;
  expect(
    requests.map(({ method, path, query, body, status }: Document) => ({
      method,
      path,
      query,
      body,
      status,
    })),
  ).toEqual([
    { method: "GET", path: "/v1/rest/accounts", query: "name=a%20b&page=1", body: "", status: 200 },
    {
      method: "POST",
      path: "/v1/rest/requests",
      query: "",
      body: '{ "request" : 1.0 }',
      status: 401,
    },
  ]);
  expect(requests[1]).toMatchObject({
    at: new Date(START).toISOString(),
    headers: { "x-thing": "e", "content-type": "application/json" },
  });
  await bench.send("DELETE", "/_sandbox/log");
  expect(bench.control.log).toEqual([]);
});

test("the same over HTTP: faults, switches, reviews", async () => {
  await using bench = await openBench();
  const control = (path: string, body: unknown) => bench.send("POST", `/_sandbox${path}`, { body });
  expect(
    (await control("/faults", { match: { path: "/groups", times: 0 }, status: 500 })).body,
  ).toEqual({});
  expect((await bench.get("/groups")).status).toBe(500);
  expect((await bench.send("DELETE", "/_sandbox/faults")).status).toBe(200);
  expect((await bench.get("/groups")).status).toBe(200);

  await control("/switches", {
    alterChallenge: { "data.transaction_data.recipient": "elsewhere" },
    freshChallenges: true,
  });
  expect((await bench.send("GET", "/_sandbox/switches")).body).toMatchObject({
    freshChallenges: true,
    opaqueTokens: false,
  });
  const { id } = (await bench.raise(payment())).body;
  expect(Buffer.from(await bench.challenge(id), "base64url").toString()).toContain(
    '"recipient":"elsewhere"',
  );
  await bench.approve(id);
  expect(
    (await control(`/requests/${id}/review`, { userId: ALICE, decision: "APPROVE" })).status,
  ).toBe(200);
  expect((await bench.get(`/requests/${id}`)).body.state).toBe("APPROVED");
});

test.each<[string, unknown, number]>([
  ["/faults", { state: 500 }, 400],
  ["/faults", { status: "500" }, 400],
  ["/faults", { match: { path: "accounts" } }, 400],
  ["/faults", { hang: "forever" }, 400],
  ["/faults", '{"status":500,"status":501}', 400],
  ["/switches", { colour: "red" }, 400],
  ["/switches", { freshChallenges: "yes" }, 400],
  ["/switches", { pubKey: "04" }, 400],
  ["/requests/nothing/review", { userId: ALICE, decision: "APPROVE" }, 404],
  ["/requests/nothing/review", { userId: ALICE, decision: "MAYBE" }, 400],
  [
    "/requests/9f1c0d0a-3333-4a7b-8b1b-000000000004/review",
    { userId: ALICE, decision: "APPROVE" },
    403,
  ],
  ["/clock", { advanceSeconds: 1 }, 400],
  ["/nothing", {}, 404],
  ["/requests/undefined/review", {}, 400],
])("control is strict too: POST %s %j", async (path, body, status) => {
  await using bench = await openBench();
  expect((await bench.send("POST", `/_sandbox${path}`, { body })).status).toBe(status);
});

test("in process control refuses what HTTP refuses", async () => {
  await using bench = await openBench();
  expect(() => bench.control.addFault({ status: 1.5 })).toThrow("Input validation failed");
  expect(() => bench.control.set(JSON.parse('{"rateLimit":{}}'))).toThrow(
    "Input validation failed",
  );
});

test("the sandbox's own clock can be set ahead, and seven days pass", async () => {
  const sandbox = await startSandbox();
  try {
    const ask = async (path: string, init: RequestInit = {}): Promise<Document> => {
      const response = await fetch(
        path.startsWith("http") ? path : `${sandbox.description.baseUrls.v2}${path}`,
        init,
      );
      return response.json();
    };
    const json = { method: "POST", headers: { "content-type": "application/json" } };
    const { workspace, operator } = sandbox.description;
    const login = async () => {
      const { apiKeyId, apiKeySecret } = operator;
      const tokens = await ask("/auth/token", {
        ...json,
        body: JSON.stringify({ workspace, apiKeyId, apiKeySecret }),
      });
      return { authorization: `Bearer ${tokens.accessToken}` };
    };
    const headers = { ...json.headers, ...(await login()) };
    const { id } = await ask("/requests", {
      ...json,
      headers,
      body: JSON.stringify({ request: payment() }),
    });
    await ask(`${sandbox.description.control}/clock`, {
      ...json,
      body: '{"advanceSeconds":604800}',
    });
    expect((await ask(`/requests/${id}`, { headers })).code).toBe("UNAUTHORIZED");
    expect((await ask(`/requests/${id}`, { headers: await login() })).state).toBe("EXPIRED");
    expect((await ask(`/accounts/${ACCOUNT(1)}`, { headers: await login() })).balance.pending).toBe(
      "0",
    );
  } finally {
    await sandbox.close();
  }
});

test("a port that is taken is the system's error", async () => {
  await using bench = await openBench();
  const port = Number(new URL(bench.description.control).port);
  const error: unknown = await startSandbox({ port }).catch((cause) => cause);
  expect(error).toMatchObject({ code: "EADDRINUSE" });
});

test("P5 latency delays before the call takes effect: a client that gives up has changed nothing", async () => {
  await using bench = await openBench();
  const count = async () => (await bench.get("/requests")).body.total;
  const before = await count();
  const match = { method: "POST", path: "/requests" };
  bench.control.addFault({ match, latencyMs: 1e9 });
  const body = JSON.stringify({ request: payment() });
  const path = new URL(bench.description.baseUrls.v2);
  const socket = connect(Number(path.port), "127.0.0.1");
  const token = await bench.login();
  socket.write(
    `POST ${path.pathname}/requests HTTP/1.1\r\nHost: ${path.host}\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  while (!bench.control.log.some(({ method }) => method === "POST")) await bench.get("/groups");
  socket.destroy();
  // Further answers come only after the end of that connection.
  for (let left = 20; left > 0; left -= 1) await bench.get("/groups");
  bench.control.clearFaults();
  for (let left = 20; left > 0; left -= 1) await bench.get("/groups");
  expect(await count()).toBe(before);
});

test("P5 the log is bounded in bytes, and in entries", async () => {
  await using bench = await openBench();
  const largest = "x".repeat(1024 * 1024);
  for (let n = 0; n < 20; n += 1) await bench.send("POST", `/log/${n}`, { body: largest });
  expect(bench.control.log.length).toBe(15);
  expect(bench.control.log.at(-1)?.path).toEndWith("/log/19");
  bench.control.clearLog();
  await bench.send("POST", "/log/20", { body: largest });
  expect(bench.control.log.length).toBe(1);
});
