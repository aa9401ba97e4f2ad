/** Which answers to a write say that it was not carried out. */
import { expect, test } from "bun:test";
import type { WriteKind } from "../../../src/core/acts.ts";
import { isDefiniteRefusal, saysNothing } from "../../../src/core/api/outcome.ts";
import { Exact } from "../../../src/io/json.ts";

const V2 = new Exact('{"message":"Not found","code":"NOT_FOUND","data":{"httpStatus":404}}');
const V1 = new Exact('{"name":"NotFound","message":"Not found","status_code":404}');
const KINDS: readonly WriteKind[] = ["create", "approve", "reject", "deviceApprove"];
const REFUSALS = [400, 401, 403, 404, 405, 413, 415, 420, 422, 429];

test.each(KINDS)("M4 the statuses that refuse a %s, with a body of the API's own", (kind) => {
  const refusing: number[] = [];
  for (let status = 300; status < 600; status += 1)
    if (isDefiniteRefusal(kind, status, V2)) refusing.push(status);
  expect(refusing).toEqual(kind === "create" ? REFUSALS : [...REFUSALS, 409].sort((a, b) => a - b));
  expect(isDefiniteRefusal(kind, 404, V1)).toBe(true);
});

test.each([
  ["no JSON at all", undefined],
  ["an empty object", "{}"],
  ["an array", "[]"],
  ["null", "null"],
  ["a text", '"Forbidden"'],
  ["a message alone, as gateways answer", '{"message":"Forbidden"}'],
  ["a code alone", '{"code":"FORBIDDEN"}'],
  ["a code that is a number", '{"code":403,"message":"Forbidden"}'],
  ["an empty code", '{"code":"","message":"Forbidden"}'],
  ["a name without a status", '{"name":"Forbidden","message":"Forbidden"}'],
  ["an error inside another member", '{"error":{"code":"FORBIDDEN","message":"m"}}'],
])("M4 %s refuses nothing", (_name, text) => {
  const document = text === undefined ? undefined : new Exact(text);
  for (const kind of KINDS) expect(isDefiniteRefusal(kind, 403, document)).toBe(false);
});

test.each([
  ["null", true],
  ['{"error":{"code":"X","message":"m"}}', true],
  ['{"error":"no","data":{}}', true],
  ['{"id":"..","error":{}}', true],
  ['{"id":"R1","error":{"code":"X"}}', false],
  ['{"error":null,"state":"PENDING_APPROVAL"}', false],
  ['{"data":{}}', false],
  ["[]", false],
])("NET-6 whether the 2xx answer %s says nothing of what was done: %p", (text, says) => {
  expect(saysNothing(new Exact(text))).toBe(says);
});
