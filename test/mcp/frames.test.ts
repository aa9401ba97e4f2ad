/** Frames: what is a message, what is answered with an error, and what is not answered. */
import { expect, test } from "bun:test";
import { type Frame, FrameReader, LINE_MAX_BYTES } from "../../src/mcp/frames.ts";
import { Local, meta } from "./peer.ts";

const BYTES = new TextEncoder();

function framesOf(...chunks: (string | Uint8Array)[]): Frame[] {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [
    ...reader.read(typeof chunk === "string" ? BYTES.encode(chunk) : chunk),
  ]);
}

function shape(frame: Frame): unknown[] {
  return frame.kind === "fault" ? [frame.code, frame.id?.text] : [frame.kind];
}

const DEEP = `${"[".repeat(512)}${"]".repeat(512)}`;

test.each([
  ["text that is not JSON", "nonsense", -32700, undefined],
  ["an end in the middle", '{"jsonrpc":"2.0","id":1', -32700, undefined],
  ["a byte order mark", '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700, undefined],
  ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, undefined],
  ["a number", "1", -32600, undefined],
  ["an empty object", "{}", -32600, undefined],
  ["the id null", '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, undefined],
  ["a fraction as id", '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, undefined],
  ["an exponent as id", '{"jsonrpc":"2.0","id":1e0,"method":"ping"}', -32600, undefined],
  [
    "an id that is too long",
    `{"jsonrpc":"2.0","id":"${"x".repeat(300)}","method":"p"}`,
    -32600,
    undefined,
  ],
  ["another JSON-RPC", '{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, "7"],
  ["no JSON-RPC", '{"id":"a","method":"ping"}', -32600, '"a"'],
  ["no method", '{"jsonrpc":"2.0","id":7}', -32600, "7"],
  ["a method that is not text", '{"jsonrpc":"2.0","id":7,"method":1}', -32600, "7"],
  ["params that are a list", '{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}', -32600, "7"],
  ["a request with a result", '{"jsonrpc":"2.0","id":7,"method":"p","result":{}}', -32600, "7"],
  ["equal keys", '{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}', -32600, undefined],
  [
    "equal keys, spelled twice",
    '{"jsonrpc":"2.0","id":7,"\\u0069d":8,"method":"ping"}',
    -32600,
    undefined,
  ],
  ["half a surrogate pair", '{"jsonrpc":"2.0","id":7,"method":"\\ud800"}', -32600, undefined],
  [
    "a depth over 512",
    `{"jsonrpc":"2.0","id":7,"method":"p","params":{"a":${DEEP}}}`,
    -32600,
    undefined,
  ],
])("R4 R5 %s is answered with one error", (_name, line, code, id) => {
  expect(framesOf(`${line}\n`).map(shape)).toEqual([[code, id]]);
});

test("R5 broken UTF-8 is answered with one error, and nothing is replaced", () => {
  const broken = Buffer.concat([
    BYTES.encode('{"jsonrpc":"2.0","id":1,"method":"'),
    Uint8Array.of(0xc3, 0x28),
    BYTES.encode('"}\n'),
  ]);
  expect(framesOf(broken).map(shape)).toEqual([[-32700, undefined]]);
});

test.each([
  ["a blank line", "\n \t \r\n"],
  ["a notification with bad params", '{"jsonrpc":"2.0","method":"notifications/x","params":3}\n'],
  ["a notification of another JSON-RPC", '{"method":"notifications/x"}\n'],
  ["an answer with a bad id", '{"jsonrpc":"2.0","id":null,"result":{}}\n'],
  ["what has no line feed", '{"jsonrpc":"2.0","id":1,"method":"ping"}'],
])("R4 %s is not answered", (_name, text) => {
  expect(framesOf(text)).toEqual([]);
});

test("R4 a request is read token by token, however it is cut", () => {
  const line =
    '{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"a":1.0}}\r\n';
  const whole = framesOf(line);
  expect(framesOf(...[...line])).toEqual(whole);
  const [frame] = whole;
  if (frame?.kind !== "request") throw new Error("not a request");
  expect([frame.id.text, frame.params?.text]).toEqual(["12345678901234567890", '{"a":1.0}']);
});

test("R5 a line of 4 MiB is read, a longer one is skipped with one error, and the next is read", () => {
  const head = '{"jsonrpc":"2.0","id":1,"method":"';
  const fill = (bytes: number): string => `${head}${"x".repeat(bytes - head.length - 2)}"}`;
  const ping = '{"jsonrpc":"2.0","id":2,"method":"ping"}';
  const longest = framesOf(`${fill(LINE_MAX_BYTES)}\n`);
  expect(longest.map(shape)).toEqual([["request"]]);
  const long = framesOf(fill(LINE_MAX_BYTES + 1), "y".repeat(1000), `\n${ping}\n`);
  expect(long.map(shape)).toEqual([[-32600, undefined], ["request"]]);
});

test("R4 after each malformed frame the server goes on, with one answer each", async () => {
  await using server = new Local([], { HOME: "/nonexistent" });
  const { peer } = server;
  const bad = [
    "nonsense",
    "[]",
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"id":"a","method":"x"}',
  ];
  for (const line of bad) peer.write(`${line}\n`);
  peer.write('{"jsonrpc":"2.0","method":"x","params":[]}\n');
  expect((await peer.ask("ping")).result).toEqual({});
  const errors = peer.received.filter(({ error }) => error !== undefined);
  expect(errors.map(({ id, error }) => [id, error.code])).toEqual([
    [undefined, -32700],
    [undefined, -32600],
    [undefined, -32600],
    ["a", -32600],
  ]);
});

test("R4 a request with an id that is in use gets an error without it", async () => {
  await using server = new Local([], { HOME: "/nonexistent" });
  const { peer } = server;
  const line = JSON.stringify({
    jsonrpc: "2.0",
    id: "same",
    method: "tools/call",
    params: { name: "describe", ...meta() },
  });
  peer.write(`${line}\n${line.replace('"same"', '"\\u0073ame"')}\n`);
  const answer = await peer.find(({ id }) => id === "same");
  expect(answer.result.isError).toBe(false);
  const refusals = peer.received.filter(({ error }) => error !== undefined);
  expect(refusals.map(({ id, error }) => [id, error.code])).toEqual([[undefined, -32600]]);
});
