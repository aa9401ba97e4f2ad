/**
 * Token-exact JSON: what is accepted, what is refused and where, and that nothing changes on the
 * way through.
 */
import { describe, expect, test } from "bun:test";
import {
  decodeUtf8,
  Exact,
  elements,
  encode,
  exact,
  JsonError,
  member,
  members,
  pretty,
  print,
  tree,
  value,
} from "../../src/io/json.ts";
import vectors from "../vectors/lossless_json.json";

interface Row {
  readonly id: string;
  readonly description: string;
  readonly input: string | null;
  readonly expect: string;
  readonly compact?: string;
  readonly pretty?: string;
  readonly compare?: string;
  readonly error?: string;
}

const ROWS: readonly Row[] = vectors.cases;

function inputOf(row: Row): string {
  if (row.input !== null) return row.input;
  expect(row.id).toBe("J58");
  return "[".repeat(100_000) + "]".repeat(100_000);
}

function refusal(text: string, options?: Parameters<typeof exact>[1]): JsonError {
  try {
    exact(text, options);
  } catch (cause) {
    if (cause instanceof JsonError) return cause;
    throw cause;
  }
  throw new Error("accepted");
}

describe("lossless_json.json", () => {
  const byExpectation = (wanted: string): Row[] => ROWS.filter((row) => row.expect === wanted);

  test("every row has an expectation that is tested here", () => {
    expect(ROWS.length).toBe(42);
    expect(
      byExpectation("same").length + byExpectation("error").length + byExpectation("either").length,
    ).toBe(42);
  });

  test.each(byExpectation("same").map((row) => [row.id, row.description, row] as const))(
    "%s %s",
    (_id, _text, row) => {
      const input = inputOf(row);
      const document = exact(input);
      if (row.compare === "value") expect(value(document)).toEqual(JSON.parse(row.compact ?? ""));
      else expect(document.text).toBe(row.compact ?? "missing");
      expect(print(tree(document))).toBe(document.text);
      if (row.pretty !== undefined) expect(pretty(document.text)).toBe(row.pretty);
      expect(exact(pretty(document.text)).text).toBe(document.text);
    },
  );

  test.each(byExpectation("error").map((row) => [row.id, row.description, row] as const))(
    "%s is refused: %s",
    (_id, _text, row) => {
      const isDuplicate = refusal(inputOf(row)).reason === "duplicate";
      expect(isDuplicate ? "JSON_DUPLICATE_KEY" : "INVALID_JSON").toBe(row.error ?? "missing");
    },
  );

  test("J56 a lone surrogate is refused from a user and kept as an escape in an answer", () => {
    const input = '{"v":"\\ud800"}';
    expect(refusal(input).reason).toBe("surrogate");
    expect(exact(input, { loneSurrogates: "allow" }).text).toBe(input);
  });
});

describe("refusals", () => {
  test.each([
    ["", "syntax", 0],
    ["  ", "syntax", 2],
    ["{", "syntax", 1],
    ["[1", "syntax", 2],
    ["[1 2]", "syntax", 3],
    ["[,1]", "syntax", 1],
    ["[1,]", "syntax", 3],
    ['{"a":1,}', "syntax", 7],
    ['{"a" 1}', "syntax", 5],
    ['{"a":}', "syntax", 5],
    ['{,"a":1}', "syntax", 1],
    ["{1:2}", "syntax", 1],
    ["[1}", "syntax", 2],
    ["]", "syntax", 0],
    ["-", "syntax", 1],
    ["--1", "syntax", 1],
    ["1e", "syntax", 2],
    ["1e+", "syntax", 3],
    [".5", "syntax", 0],
    ["00", "syntax", 1],
    ["nul", "syntax", 0],
    ["nullx", "syntax", 4],
    ["True", "syntax", 0],
    ['"\\u00g0"', "syntax", 1],
    ['"\\u12', "syntax", 1],
    ['"\\', "syntax", 1],
    ['"a\tb"', "syntax", 2],
    ['"\u0000"', "syntax", 1],
    ["\u00a01", "syntax", 0],
    ["1\u2028", "syntax", 1],
    ["\ufeff1", "bom", 0],
    ['"\ud83d"', "surrogate", 1],
    ['"\udd10"', "surrogate", 1],
    ['"\\ud83d\\u0041"', "surrogate", 1],
    ['"\\udd10"', "surrogate", 1],
    ['"\\udd10\\udd10"', "surrogate", 1],
    ['"\\ud83d\\ud83d\\udd10"', "surrogate", 1],
    ['{"\\ud83d":1}', "surrogate", 2],
  ])("%j → %s at %d", (text, reason, position) => {
    expect(refusal(text)).toMatchObject({ reason, position, path: "" });
  });

  test.each([
    ['{"a":1,"a":2}', "/a", 7],
    ['{"a":1,"\\u0061":2}', "/a", 7],
    ['{"data":[1,{"to":1,"to":2}]}', "/data/1/to", 19],
    ['{"a/b":{"m~n":1,"m~n":1}}', "/a~1b/m~0n", 16],
    ['{"":1,"":2}', "/", 6],
    ['{"__proto__":1,"__proto__":2}', "/__proto__", 15],
    ['[{"a":1,"b":2},{"a":1,"b":2,"a":3}]', "/1/a", 28],
    ['[{"a":1,"b":2},{"a":1,"a":2}]', "/1/a", 22],
    ['[{"a":1},{"a":1,"\\u0061":2}]', "/1/a", 16],
    ['[{"\\u0061":1},{"\\u0061":1,"a":2}]', "/1/a", 26],
    [`{${Array.from({ length: 40 }, (_, at) => `"k${at}":0`).join()},"k3":1}`, "/k3", 311],
  ])("C05 C06 a duplicate key is named: %j", (text, path, position) => {
    expect(refusal(text)).toMatchObject({ reason: "duplicate", path, position });
  });

  test("equal keys in different objects, and keys that differ only in case or form, are not duplicates", () => {
    for (const text of [
      '[{"a":1},{"a":1}]',
      '{"a":{"a":{"a":1}}}',
      '{"a":1,"A":2}',
      '{"é":1,"e\u0301":2}',
    ]) {
      expect(exact(text).text).toBe(text);
    }
  });

  test("the path of a duplicate has at most 200 characters", () => {
    const long = "x".repeat(150);
    expect(refusal(`{"${long}":{"${long}":1,"${long}":2}}`).path).toBe(
      `/${long}/${long}`.slice(0, 200),
    );
  });

  test("C02 at most 40 characters are quoted, escaped, and not in the message", () => {
    const { message, found } = refusal(`[\u202e${"secret".repeat(20)}]`);
    expect(message).toBe("Expected a value at position 1");
    expect(found).toBe(`\\u202e${"secret".repeat(20).slice(0, 34)}`);
  });

  test("C12 depths that documents have are accepted, C13 deeper ones are refused with the limit named", () => {
    for (const depth of [65, 200, 512]) {
      const text = "[".repeat(depth) + "]".repeat(depth);
      expect(print(tree(exact(text)))).toBe(text);
      expect(Array.isArray(value(exact(text)))).toBe(true);
    }
    for (const depth of [513, 10_000, 1_000_000]) {
      expect(refusal('{"a":'.repeat(depth))).toMatchObject({
        reason: "depth",
        message: "The document is nested deeper than 512 levels.",
        position: 512 * 5,
      });
    }
    expect(refusal("[[]]", { maxDepth: 1 }).reason).toBe("depth");
  });

  test("C24 numbers of many digits and C23 long strings pass unchanged", () => {
    const text = `{"n":-${"9".repeat(10_000)}.${"0".repeat(10_000)}e+${"1".repeat(100)},"s":"${"x".repeat(100_000)}"}`;
    expect(exact(text).text).toBe(text);
  });

  test("a document without white space between tokens is the same string; white space in strings stays", () => {
    const text = '{"a b":" \\t ","c":[1,2]}';
    expect(exact(text).text).toBe(text);
    expect(exact(`\t${text.replaceAll(",", " ,\r\n")}\n`).text).toBe(text);
  });
});

describe("decodeUtf8", () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test("G06 strips a byte order mark, C20 or refuses it", () => {
    expect(decodeUtf8(bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d), { bom: "strip" })).toBe("{}");
    expect(decodeUtf8(bytes(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf), { bom: "strip" })).toBe("\ufeff");
    expect(() => decodeUtf8(bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d), { bom: "refuse" })).toThrow(
      "byte order mark",
    );
  });

  test.each([
    ["a lone continuation byte", [0x61, 0x80], 1],
    ["a cut sequence", [0xc3, 0xa9, 0xe2, 0x82], 1],
    ["an overlong form", [0xc0, 0xaf], 0],
    ["an encoded surrogate", [0x61, 0x62, 0xed, 0xa0, 0x80], 2],
    ["Latin-1", [0x63, 0x61, 0x66, 0xe9, 0x22], 3],
    ["a byte above UTF-8 after a genuine U+FFFD", [0xef, 0xbf, 0xbd, 0xff], 1],
  ])("G05 refuses %s", (_name, values, position) => {
    try {
      decodeUtf8(bytes(...values), { bom: "strip" });
    } catch (cause) {
      expect(cause).toBeInstanceOf(JsonError);
      expect(cause).toMatchObject({ reason: "utf8", position });
      return;
    }
    throw new Error("accepted");
  });

  test("keeps every character", () => {
    const text = "a\u0000é\u2028🔐\ufffd";
    expect(decodeUtf8(new TextEncoder().encode(text), { bom: "refuse" })).toBe(text);
  });
});

describe("views", () => {
  const document = exact(
    '{"b":[1.50,"x,]}",{"c":{}}],"10":-0,"__proto__":{"x":1},"\\u0061":"\\"","e":[]}',
  );

  test("members, in their order, as slices", () => {
    expect(members(document).map(([key, child]) => [key, child.text])).toEqual([
      ["b", '[1.50,"x,]}",{"c":{}}]'],
      ["10", "-0"],
      ["__proto__", '{"x":1}'],
      ["a", '"\\""'],
      ["e", "[]"],
    ]);
    expect(members(exact("{}"))).toEqual([]);
  });

  test("one member, by its meaning", () => {
    expect(member(document, "a")?.text).toBe('"\\""');
    expect(member(document, "__proto__")?.text).toBe('{"x":1}');
    expect(member(document, "constructor")).toBeUndefined();
    expect(member(exact("[1]"), "0")).toBeUndefined();
  });

  test("elements, as slices", () => {
    const list = member(document, "b") ?? exact("null");
    expect(elements(list).map(({ text }) => text)).toEqual(["1.50", '"x,]}"', '{"c":{}}']);
    expect(elements(exact("[]"))).toEqual([]);
    expect(elements(exact("[[]]")).map(({ text }) => text)).toEqual(["[]"]);
  });

  test("asking for the wrong kind is a defect, not an empty list", () => {
    expect(() => members(exact("[]"))).toThrow(TypeError);
    expect(() => elements(exact("{}"))).toThrow(TypeError);
    expect(() => elements(exact("null"))).toThrow(TypeError);
  });

  test("a tree knows tokens and meanings", () => {
    expect(tree(exact('{"a":["\\u0041",1.0,true,null]}'))).toEqual({
      kind: "object",
      members: [
        [
          "a",
          {
            kind: "array",
            items: [
              { kind: "string", value: "A", raw: '"\\u0041"' },
              { kind: "number", raw: "1.0" },
              { kind: "boolean", value: true },
              { kind: "null" },
            ],
          },
        ],
      ],
    });
  });
});

describe("encode", () => {
  test("plain values, with documents standing for themselves", () => {
    const balance = exact("12345678901234567890");
    const given = {
      a: [1, -0.5, true, null, "\u2028é\ud800"],
      skipped: undefined,
      balance,
      big: 2n ** 70n,
    };
    expect(encode(given)).toBe(
      '{"a":[1,-0.5,true,null,"\u2028é\\ud800"],"balance":12345678901234567890,"big":1180591620717411303424}',
    );
    expect(encode(Object.assign(Object.create(null), { x: [] }))).toBe('{"x":[]}');
    expect(encode(JSON.parse('{"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1}}');
  });

  test.each([
    ["a large integer", 2 ** 53],
    ["infinity", Number.POSITIVE_INFINITY],
    ["not a number", Number.NaN],
    ["undefined", undefined],
    ["undefined in an array", [undefined]],
    ["a function", () => 1],
    ["a symbol", { a: Symbol("x") }],
    ["a date", new Date(0)],
    ["bytes", new Uint8Array(1)],
    ["a map", new Map()],
    ["an error", new Error("x")],
  ])("%s is a defect of the caller", (_name, given) => {
    expect(() => encode(given)).toThrow(TypeError);
  });
});

describe("pretty", () => {
  test.each([
    "null",
    "[]",
    "{}",
    "[[]]",
    '{"a":{}}',
    '[{},[],""]',
    '{"a":[1,{"b":[[],[{}]]}],"c":"{[,:]}\\""}',
  ])("%s is laid out as JSON.stringify does", (text) => {
    expect(pretty(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
  });

  test("inner parts can be laid out for their place", () => {
    expect(`[\n  ${pretty('1,{"a":2}', 1)}\n]`).toBe(JSON.stringify([1, { a: 2 }], null, 2));
  });

  test("tokens stay as they are", () => {
    expect(pretty('{"a":1.0,"b":1e400}')).toBe('{\n  "a": 1.0,\n  "b": 1e400\n}');
  });
});

test("G24 a list of 100,000 entries goes through every step and comes out the same", () => {
  const entry = (id: number): string =>
    `{"id":${id},"name":"Account ${id}","balance":1234567890123456789.10,"tags":["a","b"]}`;
  const text = `{"results":[${Array.from({ length: 100_000 }, (_, id) => entry(id)).join()}],"total":100000}`;
  const document = exact(text);
  expect(document.text === text).toBe(true);
  const list = elements(member(document, "results") ?? exact("null"));
  expect(list.length).toBe(100_000);
  expect(list[99_999]?.text).toBe(entry(99_999));
  expect(encode({ results: list, total: new Exact("100000") }) === text).toBe(true);
  expect(exact(pretty(text)).text === text).toBe(true);
});
