/** NET-6 N1 N2: what a broken exchange says, and whether a write can have reached the server. */
import { describe, expect, test } from "bun:test";
import { retryAfter } from "../../../src/core/api/failure.ts";
import { type Evidence, explain } from "../../../src/core/api/transport.ts";

function failed(code: string, message: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}

const BEFORE: Evidence = {
  answered: false,
  handedOver: false,
  host: "api.example.test",
  proxy: undefined,
};
const PROXY = { variable: "HTTPS_PROXY", host: "proxy.example.test:3128", isSecure: false };

const ROWS: readonly [code: string, message: string, wanted: string][] = [
  ["ETIMEDOUT", "connect ETIMEDOUT 192.0.2.1:443", "TIMEOUT"],
  ["EHOSTUNREACH", "connect EHOSTUNREACH 192.0.2.1:443", "NETWORK_ERROR"],
  ["EPERM", "connect EPERM 192.0.2.1:443", "NETWORK_ERROR"],
  ["EACCES", "EACCES: Was there a typo in the url or port?", "NETWORK_ERROR"],
  ["EAFNOSUPPORT", "connect EAFNOSUPPORT", "NETWORK_ERROR"],
  ["ENETDOWN", "connect ENETDOWN", "NETWORK_ERROR"],
  ["EWHATEVER", "an unknown code", "NETWORK_ERROR"],
  ["ENOTFOUND", "getaddrinfo ENOTFOUND api.example.test", "DNS_ERROR"],
  ["CERT_HAS_EXPIRED", "certificate has expired", "TLS_ERROR"],
  ["PERMITTED_VIOLATION", "permitted subtree violation", "TLS_ERROR"],
  ["UNSPECIFIED", "unhandled critical extension", "TLS_ERROR"],
  ["EPROTO", "The TLS handshake failed.", "TLS_ERROR"],
  ["ECONNRESET", "socket hang up", "CONNECTION_RESET"],
];

test.each(ROWS)(
  "N1 NET-6 %s, %s: not sent while the body was not taken",
  (code, message, wanted) => {
    const found = explain(failed(code, message), BEFORE);
    expect(found).toMatchObject({ code: wanted, notSent: true });
  },
);

test.each(ROWS)("N1 NET-6 %s, %s: perhaps carried out once the body was taken", (code, message) => {
  const error = failed(code, message);
  expect(explain(error, { ...BEFORE, handedOver: true }).notSent).toBe(false);
  expect(explain(error, { ...BEFORE, answered: true }).notSent).toBe(false);
});

test.each([
  ["ERR_TLS_CERT_ALTNAME_INVALID", "host"],
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "notYetValid"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "issuer"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "issuer"],
  ["PATH_LENGTH_EXCEEDED", "constraint"],
  ["INVALID_CA", "constraint"],
  ["UNHANDLED_CRITICAL_EXTENSION", "constraint"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "protocol"],
])("N2 %s is a fault of kind %s, and each kind has its own words", (code, fault) => {
  const found = explain(failed(code, "x"), BEFORE);
  expect([found.code, found.facts.fault]).toEqual(["TLS_ERROR", fault]);
  expect(found.message).toContain(BEFORE.host);
});

describe("a failure names the host", () => {
  test("that does not resolve", () => {
    const found = explain(failed("ENOTFOUND", "getaddrinfo ENOTFOUND x"), {
      ...BEFORE,
      host: "api.example.test:8443",
    });
    expect(found.message).toContain(" api.example.test,");
  });

  test.each([
    "ECONNREFUSED",
    "ENOTFOUND",
    "ETIMEDOUT",
    "ERR_PROXY_TUNNEL",
    "Malformed_HTTP_Response",
  ])("of the proxy, after %s", (code) => {
    const found = explain(failed(code, "x"), { ...BEFORE, proxy: PROXY });
    expect(found.message).toContain("proxy.example.test");
    expect(`${found.message} ${found.hint}`).toContain("HTTPS_PROXY");
    expect(found.facts.proxy).toBe(PROXY.host);
  });
});

test.each<[name: string, value: string, seconds: number | undefined]>([
  ["x-ratelimit-reset", "17", 17],
  ["x-ratelimit-reset", "1700000060", 60],
  ["x-ratelimit-reset", "1700000060500", 61],
  ["x-ratelimit-reset", "1699999999000", 0],
  ["x-ratelimit-reset", "86400", 86_400],
  ["x-ratelimit-reset", "86401", undefined],
  ["x-ratelimit-reset", "1900000000", undefined],
  ["x-ratelimit-reset", "9999999999999", undefined],
  ["x-ratelimit-reset", "170000006050", undefined],
  ["retry-after", "86401", undefined],
  ["retry-after", "120", 120],
])("N5 %s: %s", (name, value, seconds) => {
  expect(retryAfter(new Headers([[name, value]]), 1_700_000_000_000)?.seconds).toBe(
    seconds as number,
  );
});
