/**
 * What the built program says of a write whose answer is odd: a refusal only where the API itself
 * refuses, an unknown outcome everywhere else (M4).
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { APPROVE, CREATE, POSTED, routes, SIGNING } from "./payment.ts";
import { builtForms, closeAll, openLoggedIn, type Program } from "./program.ts";
import { http, type RawApi } from "./raw-api.ts";

const FORM = '{"code":"SOME_CODE","message":"m"}';
const HTML = { "content-type": "text/html" };

/** Answers that leave open whether the write was carried out. */
const UNCERTAIN: readonly (readonly [name: string, answer: Uint8Array, httpStatus: number])[] = [
  ["M4 200 with null", http("200 OK", "null"), 200],
  ["M4 201 with null and white space", http("201 Created", " null\n"), 201],
  ["M4 200 with no document", http("200 OK", ""), 200],
  ["M4 204", http("204 No Content", ""), 204],
  ["M4 200 with HTML", http("200 OK", "<html>", HTML), 200],
  ["M4 403 with HTML", http("403 Forbidden", "<html>", HTML), 403],
  ["M4 403 with an empty object", http("403 Forbidden", "{}"), 403],
  ["M4 403 as a gateway says it", http("403 Forbidden", '{"message":"Forbidden"}'), 403],
  ["M4 403 in the API's form, called text", http("403 Forbidden", FORM, HTML), 403],
  ["M4 404 without a body", http("404 Not Found", ""), 404],
  ["M4 429 without a body", http("429 X", "", { "retry-after": "1" }), 429],
  ["M4 401 without a body", http("401 Unauthorized", ""), 401],
  ["M4 408", http("408 Request Timeout", FORM), 408],
  ["M4 410", http("410 Gone", FORM), 410],
  ["M4 418", http("418 X", FORM), 418],
  ["M4 500", http("500 X", FORM), 500],
  ["M4 503 with Retry-After", http("503 X", FORM, { "retry-after": "1" }), 503],
  ["M4 302", http("302 Found", FORM, { location: "/requests/R1" }), 302],
];

const REFUSED = [
  ["400 Bad Request", 2, "BAD_REQUEST"],
  ["403 Forbidden", 3, "FORBIDDEN"],
  ["404 Not Found", 4, "NOT_FOUND"],
  ["405 X", 2, "BAD_REQUEST"],
  ["413 X", 2, "PAYLOAD_TOO_LARGE"],
  ["415 X", 2, "BAD_REQUEST"],
  ["420 X", 1, "RATE_LIMITED"],
  ["422 X", 2, "BAD_REQUEST"],
  ["429 X", 1, "RATE_LIMITED"],
] as const;

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeEach(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterEach(() => closeAll(program, api));

    test.each(UNCERTAIN)("%s leaves it open whether a write was carried out", async (...row) => {
      const [, answer, httpStatus] = row;
      api.serve(routes({ "POST /requests": [answer], [POSTED]: [answer] }));
      for (const argv of [CREATE, APPROVE]) {
        const failure = await program.fail(argv, 1, "OUTCOME_UNKNOWN", SIGNING);
        expect(failure.details).toMatchObject({ httpStatus });
        expect(failure.retryable).toBe(false);
      }
      expect([api.count("POST /requests"), api.count(POSTED)]).toEqual([1, 1]);
      expect(api.count("POST /auth/token/refresh")).toBe(0);
    });

    test.each(REFUSED)("M4 %s in the API's own form is a refusal", async (status, exit, code) => {
      const answer = http(status, FORM);
      api.serve(routes({ "POST /requests": [answer], [POSTED]: [answer] }));
      for (const argv of [CREATE, APPROVE]) await program.fail(argv, exit, code, SIGNING);
      expect([api.count("POST /requests"), api.count(POSTED)]).toEqual([1, 1]);
    });

    test("M4 a conflict is one for an approval, and leaves a creation open", async () => {
      const answer = http("409 Conflict", FORM);
      api.serve(routes({ "POST /requests": [answer], [POSTED]: [answer] }));
      await program.fail(APPROVE, 1, "CONFLICT", SIGNING);
      const { details } = await program.fail(CREATE, 1, "OUTCOME_UNKNOWN");
      expect(details).toMatchObject({ httpStatus: 409 });
    });
  });
}
