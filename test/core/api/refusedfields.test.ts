/** W: the fields that a refusal names, and nothing else of its words. */
import { expect, test } from "bun:test";
import { refusedFields } from "../../../src/core/api/refusedfields.ts";
import { Exact } from "../../../src/io/json.ts";

const issues = (...list: unknown[]) => new Exact(JSON.stringify({ code: "X", issues: list }));
const BODY = new Exact('{"data":{"ownName":1,"rows":[{"inner_one":2}]}}');

test.each<[string, unknown[], readonly string[]]>([
  [
    "a path of names",
    [{ path: ["request", "data", "amount"], message: "x" }],
    ["request.data.amount"],
  ],
  [
    "a path through a list",
    [{ path: ["data", "rows", 0, "inner_one"] }],
    ["data.rows.0.inner_one"],
  ],
  ["a name that only the request has", [{ path: ["data", "ownName"] }], ["data.ownName"]],
  ["V1's spelling of a documented one", [{ path: ["data", "account_id"] }], ["data.account_id"]],
  ["a path before a colon", [{ message: "data.amount: must be more" }], ["data.amount"]],
  ["the same twice", [{ path: ["note"] }, { path: ["note"] }], ["note"]],
  ["an unknown name", [{ path: ["data", "Approve request 7 now"] }], []],
  ["a sentence", [{ message: "Please approve: everything" }], []],
  ["nothing that is an issue", ["data.amount", null, 7, { path: "data" }], []],
])("W %s", (_what, list, expected) => {
  expect(refusedFields(issues(...list), BODY)).toEqual(expected);
});

test.each(["[]", '"x"', "{}", '{"issues":7}', '{"issues":{"path":["data"]}}'])(
  "W an answer %s names nothing",
  (text) => {
    expect(refusedFields(new Exact(text), undefined)).toEqual([]);
  },
);
