/** N3 N8: HTTP answers that are odd but legal read the same in every form, and stderr is ours. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { builtForms, closeAll, openLoggedIn, type Program } from "./program.ts";
import { http, type RawAnswer, type RawApi } from "./raw-api.ts";

const LIST = ["accounts", "list"];
/** A request of its own for each row: an equal one would be refused as a duplicate. */
const create = (note: string): string[] => {
  const document = { type: "CREATE_TRANSACTION", data: { note } };
  return ["requests", "create", "--requestData", JSON.stringify(document)];
};
const BODY = '{"results":[]}';
const JSON_TYPE = "content-type: application/json";
const LENGTH = `content-length: ${BODY.length}`;
const OK = http("200 OK", BODY);

/** Lines of a head, and the body behind it. */
function raw(lines: readonly string[], body: string | Uint8Array = BODY): Uint8Array {
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), Buffer.from(body)]);
}

/** Bytes as they are, one after the other. */
function after(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

const CHUNKED = ["HTTP/1.1 200 OK", JSON_TYPE, "transfer-encoding: chunked", "connection: close"];
const SIZE = BODY.length.toString(16);
const packed = (encoding: string, bytes: Uint8Array): Uint8Array =>
  http("200 OK", bytes, { "content-encoding": encoding });
/** The same in pieces of `size` bytes, each its own packet. */
const inPieces =
  (bytes: Uint8Array, size: number): RawAnswer =>
  (socket) => {
    socket.setNoDelay(true);
    const send = (at: number): void => {
      if (at >= bytes.length) return void socket.end();
      socket.write(bytes.subarray(at, at + size), () => setImmediate(() => send(at + size)));
    };
    send(0);
  };

/** A code where the answer is refused, in every form alike. */
type Row = readonly [name: string, answer: RawAnswer, code?: string];

const READS: readonly Row[] = [
  ["100 Continue first", after("HTTP/1.1 100 Continue\r\n\r\n", OK)],
  ["two 100 Continue first", after("HTTP/1.1 100 Continue\r\n\r\n".repeat(2), OK)],
  ["102 Processing first", after("HTTP/1.1 102 Processing\r\n\r\n", OK)],
  ["103 Early Hints first", after("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", OK)],
  ["an empty reason", raw(["HTTP/1.1 200 ", JSON_TYPE, LENGTH])],
  ["no reason and no space", raw(["HTTP/1.1 200", JSON_TYPE, LENGTH])],
  ["a reason in other bytes", raw(["HTTP/1.1 200 \xe9t\xe9", JSON_TYPE, LENGTH])],
  ["HTTP/1.0 with a length", raw(["HTTP/1.0 200 OK", JSON_TYPE, LENGTH])],
  ["HTTP/1.0 until the end", raw(["HTTP/1.0 200 OK", JSON_TYPE])],
  ["HTTP/1.1 until the end", raw(["HTTP/1.1 200 OK", JSON_TYPE])],
  ["one chunk", raw(CHUNKED, `${SIZE}\r\n${BODY}\r\n0\r\n\r\n`)],
  ["a size in capitals", raw(CHUNKED, `${SIZE.toUpperCase()}\r\n${BODY}\r\n0\r\n\r\n`)],
  ["a size with zeros", raw(CHUNKED, `000${SIZE}\r\n${BODY}\r\n000\r\n\r\n`)],
  ["a chunk extension", raw(CHUNKED, `${SIZE};a=b\r\n${BODY}\r\n0\r\n\r\n`)],
  ["a quoted chunk extension", raw(CHUNKED, `${SIZE};a="b c"\r\n${BODY}\r\n0\r\n\r\n`)],
  ["trailers", raw(CHUNKED, `${SIZE}\r\n${BODY}\r\n0\r\nx-sum: 1\r\n\r\n`)],
  [
    "chunks of one byte",
    raw(CHUNKED, `${[...BODY].map((byte) => `1\r\n${byte}\r\n`).join("")}0\r\n\r\n`),
  ],
  [
    "Transfer-Encoding in capitals",
    raw(
      ["HTTP/1.1 200 OK", JSON_TYPE, "Transfer-Encoding: Chunked", "connection: close"],
      `${SIZE}\r\n${BODY}\r\n0\r\n\r\n`,
    ),
  ],
  ["names in capitals", raw(["HTTP/1.1 200 OK", JSON_TYPE.toUpperCase(), LENGTH.toUpperCase()])],
  [
    "no space behind the colon",
    raw(["HTTP/1.1 200 OK", "content-type:application/json", `content-length:${BODY.length}`]),
  ],
  ["space behind the values", raw(["HTTP/1.1 200 OK", `${JSON_TYPE} \t `, `${LENGTH} `])],
  ["an empty value", raw(["HTTP/1.1 200 OK", JSON_TYPE, LENGTH, "x-empty:"])],
  ["a value in other bytes", raw(["HTTP/1.1 200 OK", JSON_TYPE, LENGTH, "x-name: \xe9\xff"])],
  [
    "two hundred headers",
    raw([
      "HTTP/1.1 200 OK",
      JSON_TYPE,
      LENGTH,
      ...Array.from({ length: 200 }, (_, n) => `x-${n}: ${n}`),
    ]),
  ],
  [
    "several cookies",
    raw(["HTTP/1.1 200 OK", JSON_TYPE, LENGTH, "set-cookie: a=1", "set-cookie: b=2"]),
  ],
  [
    "a quoted charset",
    raw(["HTTP/1.1 200 OK", 'content-type: application/json; charset="utf-8"', LENGTH]),
  ],
  [
    "Keep-Alive and then the end",
    raw(["HTTP/1.1 200 OK", JSON_TYPE, LENGTH, "connection: keep-alive", "keep-alive: timeout=1"]),
  ],
  [
    "the same length twice",
    raw(["HTTP/1.1 200 OK", JSON_TYPE, LENGTH, LENGTH]),
    "INVALID_RESPONSE",
  ],
  ["one byte a packet", inPieces(OK, 1)],
  ["a head in two packets", inPieces(OK, 40)],
  ["white space round the document", http("200 OK", ` \r\n\t${BODY}\n\n`)],
  ["identity", packed("identity", Buffer.from(BODY))],
  ["x-gzip", packed("X-GZip", gzipSync(BODY))],
  [
    "gzip in two members",
    packed("gzip", after(gzipSync(BODY.slice(0, 4)), gzipSync(BODY.slice(4)))),
  ],
  ["deflate with zlib's head", packed("deflate", deflateSync(BODY))],
  ["deflate without it", packed("deflate", deflateRawSync(BODY))],
  ["br", packed("br", brotliCompressSync(BODY))],
  ["gzip that is cut", packed("gzip", gzipSync(BODY).subarray(0, 20)), "INVALID_RESPONSE"],
  ["br that is none", packed("br", Buffer.from(BODY)), "INVALID_RESPONSE"],
  ["deflate that is none", packed("deflate", Buffer.from(BODY)), "INVALID_RESPONSE"],
  ["gzip, packed twice", packed("gzip, gzip", gzipSync(gzipSync(BODY))), "INVALID_RESPONSE"],
  [
    "101, unasked for",
    raw(["HTTP/1.1 101 Switching Protocols", "upgrade: x", "connection: upgrade"], ""),
    "INVALID_RESPONSE",
  ],
  ["421", http("421 Misdirected Request", "{}"), "HTTP_ERROR"],
  ["407 from the server itself", http("407 Proxy Authentication Required", "{}"), "HTTP_ERROR"],
];

const WRITES: readonly Row[] = [
  ["100 Continue first", after("HTTP/1.1 100 Continue\r\n\r\n", http("201 Created", '{"id":"1"}'))],
  ["201 with a place", http("201 Created", '{"id":"2"}', { location: "/requests/2" })],
  ["421 is not sent again", http("421 Misdirected Request", "{}"), "OUTCOME_UNKNOWN"],
  ["407 from the server itself", http("407 X", "{}"), "OUTCOME_UNKNOWN"],
];

for (const form of await builtForms()) {
  describe(form.name, () => {
    let api: RawApi;
    let program: Program;
    beforeAll(async () => {
      ({ api, program } = await openLoggedIn(form));
    });
    afterAll(() => closeAll(api, program));

    async function check(argv: readonly string[], route: string, [, answer, code]: Row) {
      api.serve({ [route]: [answer] });
      const { exit, stdout, stderr: said } = await program.run(argv);
      const stderr = said.replace(/^warning: UNKNOWN_TYPE: .*\n/gm, "");
      const { error } = JSON.parse(stdout);
      const calls = api.count(route);
      expect({ code: error?.code, stderr, calls }).toEqual({ code, stderr: "", calls: 1 });
      expect(exit === 0).toBe(code === undefined);
    }

    test.each(READS.map((row) => [row[0], row] as const))("N3 N8 GET: %s", (_, row) =>
      check(LIST, "GET /accounts", row),
    );
    test.each(WRITES.map((row) => [row[0], row] as const))("N3 N8 POST: %s", (_, row) =>
      check(create(row[0]), "POST /requests", row),
    );
  });
}
