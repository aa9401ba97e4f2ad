/** OUT-9 to OUT-12: how rows of a list become lines of text. */
import { describe, expect, test } from "bun:test";
import { type Exact, exact } from "../../src/io/json.ts";
import { Redactor } from "../../src/io/redact.ts";
import { layOut, parseColumn, type RowForm } from "../../src/io/rows.ts";

async function* pages(
  ...texts: readonly (readonly string[])[]
): AsyncGenerator<readonly Exact[], Record<string, unknown>, void> {
  for (const page of texts) yield page.map((text) => exact(text));
  return { complete: true };
}

interface Given {
  readonly form: RowForm;
  readonly columns?: string;
  readonly secret?: string;
}

/** The parts as they are written, one for each page. */
async function write(
  { form, columns = "a,b", secret }: Given,
  ...texts: readonly (readonly string[])[]
): Promise<string[]> {
  const redactor = new Redactor();
  if (secret !== undefined) redactor.learn(secret);
  const parts: string[] = [];
  const all = layOut(pages(...texts), form, columns.split(",").map(parseColumn), redactor);
  for await (const part of all) parts.push(part);
  return parts;
}

async function csvOf(row: unknown, columns = "a,b"): Promise<string> {
  const text = (await write({ form: "csv", columns }, [JSON.stringify(row)])).join("");
  return text.slice(text.indexOf("\r\n") + 2);
}

describe("csv", () => {
  test("OUT-10 a header, a record for each row, CRLF after each", async () => {
    expect(await write({ form: "csv" }, ['{"a":1,"b":"x"}', '{"b":"y"}'], ['{"a":2}'])).toEqual([
      "a,b\r\n1,x\r\n,y\r\n",
      "2,\r\n",
    ]);
    expect(await write({ form: "csv" })).toEqual(["a,b\r\n"]);
  });

  test("OUT-10 quotes, commas, semicolons and outer spaces are quoted; a lone empty cell is a record", async () => {
    expect(await csvOf({ a: 'x"y', b: "x,y" })).toBe('"x""y","x,y"\r\n');
    expect(await csvOf({ a: "x;y", b: " z" })).toBe('"x;y"," z"\r\n');
    expect(await csvOf({ a: null }, "a")).toBe('""\r\n');
  });

  test("OUT-10 a line break in a cell is made visible: a record is one line", async () => {
    expect(await csvOf({ a: "x\r\ny", b: "x\ty" })).toBe("x<U+000D><U+000A>y,x<U+0009>y\r\n");
  });

  test("OUT-2 digits stay as they are, in numbers and in amounts", async () => {
    const row = '{"a":12345678901234567890.10,"b":"-0012345678901234567890.10"}';
    expect((await write({ form: "csv" }, [row])).join("")).toBe(
      "a,b\r\n12345678901234567890.10,-0012345678901234567890.10\r\n",
    );
  });

  test("OUT-2 objects and lists are compact JSON, and dotted columns reach into objects", async () => {
    expect(await csvOf({ a: { c: [1, "x"] } }, "a,a.c,a.c.d")).toBe(
      '"{""c"":[1,""x""]}","[1,""x""]",\r\n',
    );
  });

  test("a column reads its next place where the first has nothing, and has the first one's name", async () => {
    const rows = ['{"c":{"d":1}}', '{"e":2,"c":{"d":null}}'];
    expect(await write({ form: "csv", columns: "c.d|e" }, rows)).toEqual(["c.d\r\n1\r\n2\r\n"]);
  });

  test.each(["=1+1", "+1+1", "-1+1", "@SUM(1)", "=", "-"])(
    "OUT-11 %s does not begin a cell",
    async (text) => {
      expect(await csvOf({ a: text, b: `x${text}` })).toBe(`'${text},x${text}\r\n`);
    },
  );

  test.each(["\t", "\r"])("OUT-11 %j does not begin a cell", async (character) => {
    const seen = character === "\t" ? "<U+0009>" : "<U+000D>";
    expect(await csvOf({ a: `${character}=1` }, "a")).toBe(`'${seen}=1\r\n`);
  });

  test("OUT-11 what a spreadsheet that splits at semicolons would see is harmless, too", async () => {
    expect(await csvOf({ a: 'x;=1;"=2;-3', b: "x;y" })).toBe('"x;\'=1;\'""=2;\'-3","x;y"\r\n');
  });

  test.each(["-5", "+5", "-5.25", "-1e3"])("OUT-11 the number %s stays a number", async (text) => {
    expect(await csvOf({ a: text, b: Number(text) })).toBe(`${text},${Number(text)}\r\n`);
  });

  test("OUT-11 a column's name is a cell, too", async () => {
    expect(await write({ form: "csv", columns: "=1+1" })).toEqual(["'=1+1\r\n"]);
  });

  test("OUT-4 characters that act on a terminal or hide text are visible, in cells and in JSON of a cell", async () => {
    const text = "a\u001b[31m\u202eb\u200b";
    expect(await csvOf({ a: text, b: [text] })).toBe(
      'a<U+001B>[31m<U+202E>b<U+200B>,"[""a\\u001b[31m\\u202eb\\u200b""]"\r\n',
    );
  });
});

describe("ndjson", () => {
  test("OUT-9 one object a line, token by token, and nothing for an empty list", async () => {
    const rows = ['{"b":1.0,"10":"x","a":1e400}', '{"a":"\u202e\\n"}'];
    expect(await write({ form: "ndjson" }, rows)).toEqual([
      '{"b":1.0,"10":"x","a":1e400}\n{"a":"\\u202e\\n"}\n',
    ]);
    expect((await write({ form: "ndjson" })).join("")).toBe("");
  });
});

describe("table", () => {
  test("OUT-12 columns are aligned, numbers to the right; a later page widens them", async () => {
    const first = ['{"a":"x","b":"10"}', '{"a":"long","b":7}'];
    expect(await write({ form: "table" }, first, ['{"a":"longer","b":"y"}'])).toEqual([
      "a     b\nx     10\nlong   7\n",
      "longer  y\n",
    ]);
  });

  test("OUT-12 wide characters take two places, combining ones none", async () => {
    const rows = ['{"a":"日本","b":1}', '{"a":"e\u0301","b":2}', '{"a":"abcd","b":3}'];
    expect((await write({ form: "table" }, rows)).join("")).toBe(
      "a     b\n日本  1\ne\u0301     2\nabcd  3\n",
    );
  });

  test("OUT-4 a name cannot make a line or a column", async () => {
    const rows = ['{"a":"x\\ny\\u001b[2J","b":"z"}'];
    expect((await write({ form: "table" }, rows)).join("").split("\n")).toHaveLength(3);
  });
});

test.each(["csv", "ndjson", "table"] as const)("SEC-1 %s masks secrets", async (form) => {
  const row = '{"a":"x hunter2hunter2","b":["\\u0068unter2hunter2"]}';
  const text = (await write({ form, secret: "hunter2hunter2" }, [row])).join("");
  expect(text).not.toContain("unter2hunter2");
  expect(text.match(/\[redacted\]/g)).toHaveLength(2);
});

test.each(["csv", "ndjson", "table"] as const)(
  "OUT-9 %s: a row that is not an object is INVALID_RESPONSE",
  async (form) => {
    await expect(write({ form }, ['{"a":1}'], ["7"])).rejects.toThrow("not an object");
  },
);
