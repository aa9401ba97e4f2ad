import { describe, expect, test } from "bun:test";
import { readLimits, readMarks } from "../../../scripts/limits.ts";
import { shapeOf } from "../../../src/core/doctor/assumptions.ts";
import { exact, tree } from "../../../src/io/json.ts";
import { ACCOUNT, payment } from "../../sandbox/bench.ts";
import type { Answer } from "../../support/answer.ts";
import { openWorkspace } from "../../v1/workspace.ts";

describe("U1 doctor --report collects what settles an assumption", () => {
  test("U1 U8 U9 the shapes of refusals, with data.path or without", async () => {
    await using workspace = await openWorkspace();
    const v2 = await workspace.client("v2");
    const missingOperations = ["GET /accounts/{id}/transactions"];
    workspace.sandbox.control.set({ missingOperations });
    const report = (await v2.succeed(["doctor", "--report"])) as Answer;
    expect([report.apiVersion, report.server]).toEqual(["v2", "v2"]);
    const lookAt = (id: string) => report.looks.find(({ settles }: Answer) => settles.includes(id));
    expect(lookAt("U1")).toEqual({
      settles: ["U1", "U7"],
      operation: "requests.challenge",
      status: 404,
      code: "NOT_FOUND",
      shape: {
        message: "string",
        code: "NOT_FOUND",
        data: { code: "NOT_FOUND", httpStatus: 404, path: "requests.getChallenge" },
      },
    });
    expect(lookAt("U9").code).toBe("NOT_SUPPORTED");
    expect(lookAt("U9").shape.data).toEqual({ code: "NOT_FOUND", httpStatus: 404 });
    expect(lookAt("U10").shape.results[0].balance).toEqual({ total: "string", pending: "string" });
    expect(report.states).toContain("CONFIRMED");
  });

  test("U1 it has no names, ids, amounts or tokens, changes nothing, and works on V1 and without a session", async () => {
    await using workspace = await openWorkspace();
    const [v1, v2] = [await workspace.client("v1"), await workspace.client("v2")];
    const request = { ...payment(), note: { title: "Payout-X", content: "Invoice 42" } };
    await v2.succeed(["requests", "create", "--requestData", JSON.stringify(request)]);
    workspace.calls();
    const { stdout } = await v2.run(["doctor", "--report"]);
    const writes = workspace.calls().filter((call) => !call.startsWith("GET"));
    expect(writes).toEqual([
      "POST /accounts/00000000-0000-4000-8000-000000000000/transactions/estimate",
    ]);
    for (const secret of [
      "Payout",
      "Invoice",
      "ClientA",
      "2000000",
      ACCOUNT(1),
      "tb1q",
      "agent",
      "sandbox",
      "127.0.0.1",
    ])
      expect([secret, stdout.includes(secret)]).toEqual([secret, false]);
    const first = (await v1.succeed(["doctor", "--report"])) as Answer;
    expect([first.apiVersion, first.server, first.looks]).toEqual(["v1", "v1", []]);
    const stranger = await workspace.client("v2", {}, false);
    const bare = (await stranger.succeed(["doctor", "--report"])) as Answer;
    expect([bare.apiVersion, bare.server, bare.states, bare.looks]).toEqual([null, "v2", [], []]);
    await v2.fail(["doctor", "--report", "--offline"], 2, "INVALID_ARGUMENT");
  });

  test("U1 a body made to carry something out is cut to names and kinds", () => {
    const body = `{"code":"my secret code","path":"/accounts/7","httpStatus":1234567,
      "${"n".repeat(41)}":"long","a name":1,"list":[{"amount":"5"},{"amount":"6"}],"deep":{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}}`;
    expect(shapeOf(tree(exact(body)))).toEqual({
      code: "string",
      path: "string",
      httpStatus: "number",
      list: [{ amount: "string" }],
      deep: { a: { b: { c: { d: { e: "object" } } } } },
    });
  });
});

describe("U1 docs/limits.md is made from the marks of our document of V2", () => {
  test("U1 every mark is one of three words, and every assumption has its row", () => {
    const ids = new Set(readLimits().map(({ id }) => id));
    const marks = readMarks();
    expect(marks.length).toBeGreaterThan(90);
    for (const { place, known, limit } of marks) {
      expect([place, ["documented", "framework", "assumed"].includes(known)]).toEqual([
        place,
        true,
      ]);
      const isFine = limit === undefined ? known !== "assumed" : ids.has(limit);
      expect([place, isFine]).toEqual([place, true]);
    }
    expect([...ids].slice(0, 3)).toEqual(["U1", "U2", "U3"]);
  });

  test("U1 the client's assumed operations are assumed in the document, too", async () => {
    const { V2 } = await import("../../../src/core/api/v2.ts");
    const assumed = new Map(readMarks().map(({ place, known }) => [place, known]));
    for (const { method, path, assumed: row } of Object.values(V2.operations)) {
      const place = `${method} ${path.replace("{accountId}", "{id}")}`;
      const known = assumed.get(place);
      if (row !== undefined) expect([place, known]).toEqual([place, "assumed"]);
      expect([place, known !== undefined]).toEqual([place, true]);
    }
  });
});
