/** NET-6: what a broken exchange says of whether a write can have reached the server. */
import { expect, test } from "bun:test";
import { classify } from "../../src/core/api/failure.ts";

function failed(code: string, message: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}

const ROWS: readonly [code: string, message: string, wanted: string, notSent: boolean][] = [
  ["ETIMEDOUT", "connect ETIMEDOUT 192.0.2.1:443", "TIMEOUT", true],
  ["ETIMEDOUT", "read ETIMEDOUT", "TIMEOUT", false],
  ["EHOSTUNREACH", "connect EHOSTUNREACH 192.0.2.1:443", "NETWORK_ERROR", true],
  ["ENETUNREACH", "write ENETUNREACH", "NETWORK_ERROR", false],
  ["CERT_HAS_EXPIRED", "certificate has expired", "TLS_ERROR", true],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "Hostname/IP does not match certificate's altnames",
    "TLS_ERROR",
    true,
  ],
  ["EPROTO", "The TLS handshake failed.", "TLS_ERROR", false],
  [
    "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "decryption failed or bad record mac",
    "TLS_ERROR",
    false,
  ],
];

test.each(ROWS)("NET-6 %s, %s", (code, message, wanted, notSent) => {
  expect(classify(failed(code, message), false)).toMatchObject({ code: wanted, notSent });
});

test.each(ROWS)("NET-6 once there is an answer the request was sent: %s, %s", (code, message) => {
  expect(classify(failed(code, message), true).notSent).toBe(false);
});
