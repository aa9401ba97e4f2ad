import { describe, expect, test } from "bun:test";
import { chooseVersion } from "../../../src/core/api/dialect.ts";
import { parseEndpoint } from "../../../src/core/auth/endpoint.ts";
import { Program } from "../../hostile/program.ts";
import { SOURCE } from "../../support/forms.ts";
import { openWorkspace } from "../../v1/workspace.ts";

describe("N17 R5 which version an address speaks", () => {
  for (const [url, version] of [
    ["https://blue-badger-433.minivault.ledger-sbx.com/api-gateway", "v1"],
    ["https://blue-badger-433.minivault.ledger-sbx.com/api-gateway/", "v1"],
    ["https://blue-badger-433.minivault.ledger-sbx.com", "v1"],
    ["https://vault.bank.example/api-gateway", "v1"],
    ["https://blue-badger-433.minivault.ledger-sbx.com/v1/rest", "v2"],
    ["https://blue-badger-433.minivault.ledger-sbx.com.evil.example", "v2"],
    ["https://minivault.ledger-sbx.com", "v2"],
    ["https://vault.bank.example/api-gateway/x", "v2"],
    ["https://vault.bank.example/my-api-gateway", "v2"],
  ] as const)
    test(`N17 ${url}: ${version}`, () =>
      expect(chooseVersion(parseEndpoint(url, "url"), undefined)).toBe(version));
});

/** A server that answers every call with one status and body. */
function serve(status: number, body: unknown) {
  const seen: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      seen.push(
        `${request.method} ${pathname} ${request.headers.get("authorization") ?? ""}`.trim(),
      );
      return pathname.endsWith("/no-such-path")
        ? Response.json(body, { status })
        : Response.json({ message: "no" }, { status: 400 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

async function login(url: string, version: string) {
  await using program = await Program.at(SOURCE, {
    LEDGER_ENTERPRISE_API_URL: url,
    LEDGER_ENTERPRISE_WORKSPACE: "w",
    LEDGER_ENTERPRISE_API_KEY_ID: "id",
    LEDGER_ENTERPRISE_API_KEY_SECRET: "a-secret-of-some-length",
  });
  const { stdout, stderr } = await program.run(["login", "api", "--apiVersion", version]);
  const { error } = JSON.parse(stdout) as { error: { code: string; hint: string } };
  return { code: error.code, hint: error.hint, stderr };
}

describe("C15 R5 login asks the server which version it speaks", () => {
  test("C15 a number as code is V1: warning, and the hint names the option", async () => {
    await using server = serve(404, { code: 404, message: "The requested URL was not found" });
    const { code, hint, stderr } = await login(server.url, "v2");
    expect(code).toBe("BAD_REQUEST");
    expect(hint).toBe("Log in with --apiVersion v1, or correct the base URL.");
    expect(stderr).toBe(
      "warning: API_VERSION_DOUBTFUL: The server answers like API V1, but V2 was chosen.\n",
    );
    expect(server.seen).toEqual(["POST /auth/token", "GET /no-such-path"]);
  });

  test("N3 NOT_FOUND as code is V2", async () => {
    await using server = serve(404, { code: "NOT_FOUND", message: "Not found" });
    expect((await login(server.url, "v1")).stderr).toContain("answers like API V2, but V1 was");
  });

  for (const [name, status, body, version] of [
    ["the same version", 404, { code: "NOT_FOUND" }, "v2"],
    ["a 401", 401, { code: "UNAUTHORIZED" }, "v1"],
    ["another text as code", 404, { code: "NO_ROUTE" }, "v1"],
    ["another number as code", 404, { code: 4040 }, "v2"],
    ["a list", 404, [404], "v2"],
    ["a success", 200, { code: 404 }, "v2"],
  ] as const)
    test(`R5 ${name} on the unknown path says nothing`, async () => {
      await using server = serve(status, body);
      const { stderr, hint } = await login(server.url, version);
      expect(stderr).toBe("");
      expect(hint).not.toContain("--apiVersion");
    });

  test("R5 both versions of the sandbox are told apart, and a login that works asks nothing", async () => {
    await using workspace = await openWorkspace();
    for (const [speaks, chosen] of [
      ["v1", "v2"],
      ["v2", "v1"],
    ] as const) {
      const program = await workspace.client(speaks, {}, false);
      const { stderr } = await program.run(["login", "api", "--apiVersion", chosen]);
      expect(stderr).toStartWith("warning: API_VERSION_DOUBTFUL:");
      workspace.calls();
      await program.succeed(["login", "api", "--apiVersion", speaks]);
      expect(workspace.calls().filter((call) => call.includes("no-such-path"))).toEqual([]);
    }
  });
});

describe("C15 R5 doctor asks the server which version it speaks", () => {
  test("C15 an address that speaks the other version is a warning with its fix", async () => {
    await using workspace = await openWorkspace();
    const { v1 } = workspace.sandbox.description.baseUrls;
    const program = await workspace.client("v2", { LEDGER_ENTERPRISE_API_URL: v1 }, false);
    const { stdout } = await program.run(["doctor"]);
    const report = JSON.parse(stdout);
    const { findings } = report.findings === undefined ? report.error.details : report;
    const found = findings.find(({ check }: { check: string }) => check === "apiVersion");
    expect(found).toEqual({
      check: "apiVersion",
      status: "warn",
      message: "The server answers like API V1, but V2 was chosen.",
      fix: "Log in with --apiVersion v1, or correct the base URL.",
      details: { chosen: "v2", spoken: "v1" },
      code: "API_VERSION_DOUBTFUL",
    });
  });
});
