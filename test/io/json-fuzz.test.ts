/**
 * The strict reader against the runtime's own: seeded documents, and the same documents damaged at
 * random.
 */
import { expect, test } from "bun:test";
import {
  elements,
  exact,
  JsonError,
  members,
  pretty,
  print,
  tree,
  value,
} from "../../src/io/json.ts";
import type { ScanOptions } from "../../src/io/scan.ts";
import { FUZZ_FACTOR, FUZZ_SEED, Random } from "../support/random.ts";

class Maker {
  /** Numbered keys are all different; short ones often appear twice. */
  constructor(
    private readonly random: Random,
    private readonly keys: "numbered" | "short",
  ) {}

  upTo(limit: number): number {
    return this.random.below(limit);
  }

  pick<T>(choices: readonly T[]): T {
    const found = choices[this.upTo(choices.length)];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  space(): string {
    return this.random.next() < 0.8 ? "" : this.pick([" ", "\n", "\t ", "\r\n"]);
  }

  string(): string {
    const pieces = [
      "a",
      "Z",
      "0",
      " ",
      "é",
      "\u2028",
      "\u202e",
      "🔐",
      "\\n",
      "\\\\",
      '\\"',
      "\\/",
      "\\u0041",
      "\\ud83d\\udd10",
      "{",
      "]",
      ",",
      ":",
    ];
    return `"${Array.from({ length: this.upTo(6) }, () => this.pick(pieces)).join("")}"`;
  }

  number(): string {
    const whole = this.pick(["0", "7", "10", "12345678901234567890", "999"]);
    const fraction = this.pick(["", "", ".0", ".10", ".000000000000000001"]);
    return `${this.pick(["", "-"])}${whole}${fraction}${this.pick(["", "", "e5", "E+400", "e-7"])}`;
  }

  key(at: number): string {
    return this.keys === "numbered"
      ? `${this.string().slice(0, -1)}${at}"`
      : this.pick(['"a"', '"b"', '"\\u0061"', '"1"', '"__proto__"', '"constructor"', '"d"', '"e"']);
  }

  document(depth: number): string {
    const kind = depth === 0 ? this.upTo(3) : this.upTo(5);
    const list = (item: (at: number) => string): string => {
      return Array.from(
        { length: this.upTo(5) },
        (_, at) => `${this.space()}${item(at)}${this.space()}`,
      ).join(",");
    };
    if (kind === 0) return this.number();
    if (kind === 1) return this.string();
    if (kind === 2) return this.pick(["true", "false", "null"]);
    if (kind === 3) return `[${list(() => this.document(depth - 1))}]`;
    return `{${list((at) => `${this.key(at)}${this.space()}:${this.space()}${this.document(depth - 1)}`)}}`;
  }

  damaged(text: string): string {
    const at = this.upTo(text.length + 1);
    const junk = this.pick(["", "\ud800", ...'0-.e,:"\\[]{}u\u0001 \ufefft']);
    return text.slice(0, at) + junk + text.slice(at + this.upTo(3));
  }
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Members of all objects; the runtime keeps the last of several with one key. */
function countMembers(found: unknown): number {
  if (typeof found !== "object" || found === null) return 0;
  const children = Object.values(found);
  return (
    (Array.isArray(found) ? 0 : children.length) +
    children.reduce((sum: number, child) => sum + countMembers(child), 0)
  );
}

function countColons(text: string): number {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, "").split(":").length - 1;
}

/** Values with integer-like keys and `-0` kept apart; objects as lists of their members. */
function rebuilt(text: string): unknown {
  const document = exact(text, { loneSurrogates: "allow" });
  if (document.text.startsWith("["))
    return elements(document).map((element) => rebuilt(element.text));
  if (!document.text.startsWith("{")) return value(document);
  return Object.fromEntries(members(document).map(([key, child]) => [key, rebuilt(child.text)]));
}

test("1,000 valid documents: accepted, same value, same tokens in every view", () => {
  const maker = new Maker(new Random(FUZZ_SEED), "numbered");
  for (let count = 0; count < 1000 * FUZZ_FACTOR; count += 1) {
    const text = `${maker.space()}${maker.document(4)}${maker.space()}`;
    const document = exact(text);
    expect(value(document)).toEqual(JSON.parse(text));
    expect(rebuilt(text)).toEqual(JSON.parse(text));
    expect(value(exact(print(tree(document))))).toEqual(JSON.parse(text));
    expect(exact(pretty(document.text)).text).toBe(document.text);
    // A view that forgets tokens would give the runtime's spelling of numbers here.
    const numbers = (json: string): string[] =>
      json.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/-?[0-9][0-9.eE+-]*/g) ?? [];
    expect(numbers(print(tree(document)))).toEqual(numbers(text));
  }
});

test("2,000 damaged documents: accepted exactly when the runtime accepts them, duplicates and half characters apart", () => {
  const maker = new Maker(new Random(FUZZ_SEED + 1), "short");
  const tally = { accepted: 0, syntax: 0, duplicate: 0, surrogate: 0 };
  for (let count = 0; count < 2000 * FUZZ_FACTOR; count += 1) {
    const text = maker.damaged(maker.document(3));
    const reference = parsed(text);
    try {
      const document = exact(text);
      tally.accepted += 1;
      expect([text, reference === undefined]).toEqual([text, false]);
      expect(value(document)).toEqual(reference?.value);
      expect(countMembers(reference?.value)).toBe(countColons(text));
    } catch (cause) {
      if (!(cause instanceof JsonError)) throw cause;
      const { reason } = cause;
      if (reason === "duplicate" || reason === "surrogate") {
        tally[reason] += 1;
        const lost = countColons(text) - countMembers(reference?.value);
        if (reason === "duplicate" && reference !== undefined) expect(lost).toBeGreaterThan(0);
      } else {
        tally.syntax += 1;
        expect([text, reference]).toEqual([text, undefined]);
        expect(cause.position).toBeLessThanOrEqual(text.length);
      }
    }
  }
  // Each branch was really taken.
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(5);
});

test("a duplicate is found wherever it is among many keys", () => {
  const random = new Random(FUZZ_SEED + 2);
  for (let count = 0; count < 200 * FUZZ_FACTOR; count += 1) {
    const size = 2 + random.below(40);
    const keys = Array.from({ length: size }, (_, at) => `k${at}`);
    const doubled = random.below(size - 1);
    expect(() => exact(`{${[...keys, `k${doubled}`].map((key) => `"${key}":0`).join()}}`)).toThrow(
      "A key appears twice",
    );
    expect(exact(`{${keys.map((key) => `"${key}":0`).join()}}`).text.length).toBeGreaterThan(0);
  }
});

test("a duplicate is found in lists of objects that are alike, nearly alike, and spelled otherwise; nothing else is taken for one", () => {
  const random = new Random(FUZZ_SEED + 3);
  const tally = { accepted: 0, duplicate: 0 };
  const spelled = (key: string): string =>
    random.below(20) === 0
      ? `"\\u${key.charCodeAt(0).toString(16).padStart(4, "0")}${key.slice(1)}"`
      : `"${key}"`;
  /** One change, or none, to the keys of the object before. */
  const changed = (keys: readonly string[]): string[] => {
    const [at, other] = [random.below(keys.length + 1), `k${random.below(90)}`];
    const added = random.below(12);
    if (added === 0) return keys.toSpliced(at, 0, other);
    if (added === 1) return keys.toSpliced(at, 1);
    if (added === 2) return keys.toSpliced(at, 1, other);
    if (added === 3) return [...keys.slice(at), ...keys.slice(0, at)];
    return [...keys];
  };
  for (let count = 0; count < 1500 * FUZZ_FACTOR; count += 1) {
    let keys = Array.from(
      { length: random.below(random.below(4) === 0 ? 90 : 14) },
      (_, at) => `k${at}`,
    );
    let hasDuplicate = false;
    const object = (depth: number): string => {
      keys = changed(keys);
      hasDuplicate ||= new Set(keys).size < keys.length;
      const own = keys;
      return `{${own.map((key) => `${spelled(key)}:${depth < 2 && random.below(15) === 0 ? object(depth + 1) : "0"}`).join()}}`;
    };
    const text = `[${Array.from({ length: 1 + random.below(6) }, () => object(0)).join()}]`;
    if (hasDuplicate) expect(() => exact(text), text).toThrow("A key appears twice");
    else expect(exact(text).text).toBe(text);
    tally[hasDuplicate ? "duplicate" : "accepted"] += 1;
  }
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(300);
});

/** What the reader says: the text, or why not. White space behind it keeps the shortcut out. */
function verdict(text: string, options: ScanOptions): unknown {
  try {
    return exact(text, options).text;
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    return cause.reason;
  }
}

test("OUT-2 the shortcut for canonical documents decides as the scanner does", () => {
  const maker = new Maker(new Random(FUZZ_SEED + 4), "short");
  const texts = [
    ...['{"__proto__":1}', '{"toJSON":1}', '"\\ud800"', '"\ud800"', '{"a":"\\ud83d\\udd10"}'],
    ...['{"2":0,"1":0}', '{"a":1,"a":1}', "[-0]", "[1.0]", "[1e+21]", "[12345678901234567890]"],
    ...["[]", "{}", "[[[[1]]]]", '{"a":{"b":{"c":{}}}}', `[${"[],".repeat(600)}[]]`],
    ...["[".repeat(100_000), "", "1 2", "\ufeff1", '"\\/"', '"é"', '"\u2028"', "NaN", "[1,]"],
  ];
  for (let count = 0; count < 1500 * FUZZ_FACTOR; count += 1) {
    const document = maker.document(3);
    texts.push(document, JSON.stringify(JSON.parse(document)), maker.damaged(document));
  }
  for (const text of texts)
    for (const options of [{}, { loneSurrogates: "allow" }, { maxDepth: 3 }] as const) {
      expect([text, verdict(text, options)]).toEqual([text, verdict(`${text} `, options)]);
    }
});
