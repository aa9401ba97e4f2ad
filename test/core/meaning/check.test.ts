/** A request held to the catalogue before it is sent. */
import { describe, expect, test } from "bun:test";
import type { ApiVersion } from "../../../src/core/api/dialect.ts";
import { checkRequest } from "../../../src/core/meaning/check.ts";
import { describeRequests, exampleOf } from "../../../src/core/meaning/describe.ts";
import { camelCase, SHAPES } from "../../../src/core/meaning/requests.ts";
import { CliError } from "../../../src/errors.ts";
import { exact } from "../../../src/io/json.ts";
import { KINDS } from "../../v1/kinds.ts";

type Options = Partial<Parameters<typeof checkRequest>[1]>;

const check = (document: unknown, options: Options = {}) =>
  checkRequest(exact(typeof document === "string" ? document : JSON.stringify(document)), {
    ...{ version: "v1", allowUnknown: false, purpose: "create", option: "--requestData" },
    ...options,
  });

function fault(document: unknown, options: Options = {}): string {
  try {
    check(document, options);
    return "";
  } catch (cause) {
    if (cause instanceof CliError) return `${cause.code}: ${cause.message}`;
    throw cause;
  }
}

const camel = (document: unknown): unknown =>
  JSON.parse(
    JSON.stringify(document).replace(/"(\w+)":/g, (_, name: string) => `"${camelCase(name)}":`),
  );

const request = (data: unknown) => ({ type: "CREATE_TRANSACTION", data });

test.each(KINDS)("M10 %s passes in V1's spelling and in V2's, wrapped or not", (_, data) => {
  expect(fault(request(data))).toBe("");
  expect(fault({ request: camel(request(data)) }, { version: "v2" })).toBe("");
  expect(fault(camel(request(data)), { version: undefined })).toBe("");
});

const [, PAYMENT] = KINDS[0] ?? ["", {}];

interface Data {
  readonly fees_strategy: object;
  readonly transaction_data: object;
}

const changed = (change: (data: Data) => void) => {
  const copy = structuredClone(PAYMENT) as Data;
  change(copy);
  return request(copy);
};
const sent = (fields: object) => changed((data) => Object.assign(data.transaction_data, fields));

test.each([
  ["an unknown member", sent({ memo: { MEMO_TEXT: "x" } }), "memo is not a member"],
  ["V2's name on V1", sent({ maxFees: "1" }), "this API version spells it max_fees"],
  ["a misspelled one", sent({ contractAddres: "0x" }), "contractAddres is not a member"],
  ["a member beside data", { ...request(PAYMENT), extra: 1 }, "extra is not a member"],
  [
    "a member of the fee strategy",
    changed((d) => Object.assign(d.fees_strategy, { fast: 1 })),
    "fast is not a member",
  ],
  [
    "a key of Object.prototype",
    `{"type":"CREATE_TRANSACTION","data":${JSON.stringify(PAYMENT).replace(/\}$/, ',"__proto__":1}')}}`,
    "__proto__ is not a member",
  ],
  [
    "a missing member",
    changed((d) => Reflect.deleteProperty(d.transaction_data, "max_fees")),
    "data.transaction_data.max_fees is missing",
  ],
  [
    "a missing container",
    changed((d) => Reflect.deleteProperty(d, "transaction_data")),
    "data.transaction_data is missing",
  ],
  ["no data", { type: "CREATE_TRANSACTION" }, ""],
  [
    "text in place of an object",
    changed((d) => Object.assign(d, { transaction_data: "x" })),
    "must be an object",
  ],
] as const)("M10 %s is refused", (_, document, why) => {
  const found = fault(document);
  // Without a transaction type the catalogue does not know the request.
  if (why === "") expect(check(document)).toEqual({ type: "CREATE_TRANSACTION" });
  else expect([found.split(":")[0], found.includes(why)]).toEqual(["INVALID_REQUEST_DATA", true]);
});

test("M10 --allowUnknown lets members pass, and nothing else", () => {
  const options = { allowUnknown: true };
  expect(fault(sent({ memo: 1 }), options)).toBe("");
  expect(fault({ ...request(PAYMENT), extra: 1 }, options)).toBe("");
  expect(fault(sent({ amount: "0.5" }), options)).toStartWith("INVALID_AMOUNT");
  expect(
    fault(
      changed((d) => Reflect.deleteProperty(d, "account_id")),
      options,
    ),
  ).toContain("missing");
});

test("M10 one member in two spellings is refused, with --allowUnknown, too", () => {
  const [name] = ["transaction_type", "transactionType"] as const;
  for (const version of ["v1", "v2", undefined] as const)
    for (const allowUnknown of [false, true])
      for (const unknown of ["X", (PAYMENT as Record<string, unknown>)[name], 1, null]) {
        const options = { version, allowUnknown };
        const type = changed((data) => Object.assign(data, { transactionType: unknown }));
        expect(fault(type, options)).toBe(
          "INVALID_REQUEST_DATA: data.transaction_type and data.transactionType are one member in two spellings.",
        );
        const first = {
          type: "CREATE_TRANSACTION",
          data: { transactionType: unknown, ...PAYMENT },
        };
        expect(fault(first, options)).toContain("one member in two spellings");
      }
  const fees = sent({ maxFees: "1" });
  expect(fault(fees, { allowUnknown: true })).toContain(
    "max_fees and data.transaction_data.maxFees are one member in two spellings",
  );
  const none = { type: "CREATE_TRANSACTION", data: {} };
  expect(fault({ ...none, data: { transaction_type: "X", transactionType: "Y" } })).toContain(
    "two spellings",
  );
  expect(fault({ type: "CREATE_TRANSACTION", data: { transaction_type: "X" } })).toBe("");
});

test("M10 on V2 only the members that its document requires are required", () => {
  const bare = { transactionType: "BITCOIN_LIKE_SEND", transactionData: { amount: "1" } };
  expect(fault(request(bare), { version: "v2" })).toBe("");
  const { transactionData: _, ...without } = bare;
  expect(fault(request(without), { version: "v2" })).toContain("data.transactionData is missing");
  expect(fault(request(bare), { version: "v1" })).not.toBe("");
});

describe("amounts", () => {
  test.each(["0.007", "1e3", "-1", "+1", "0x10", "", " 1", "1 BTC", "１", true, null])(
    "M01 an amount of %p is refused",
    (amount) => {
      expect(fault(sent({ amount }))).toStartWith(
        amount === null ? "INVALID_REQUEST_DATA" : "INVALID_AMOUNT",
      );
    },
  );

  test("M01 number tokens and leading zeros pass, fractions and exponents do not", () => {
    const text = (amount: string) => JSON.stringify(sent({ amount: "A" })).replace('"A"', amount);
    for (const good of ["1000", "9007199254740993", '"000123"', '"0"'])
      expect(fault(text(good))).toBe("");
    for (const bad of ["0.10", "1e3", "-5", "1.0"])
      expect(fault(text(bad))).toStartWith("INVALID_AMOUNT");
    expect(fault(sent({ max_fees: "4018.5" }))).toStartWith("INVALID_AMOUNT");
  });

  test("M01 only a pledge may be negative", () => {
    const pledge = (amount: string) => ({
      type: "CREATE_PLEDGE_INCREMENT",
      data: {
        pledge_subaccount_id: 1,
        pledge_data: { account_name: "TL", amount, currency: "ethereum", exchange_name: "X" },
      },
    });
    expect(fault(pledge("-100"))).toBe("");
    expect(fault(pledge("--1"))).toStartWith("INVALID_AMOUNT");
    expect(fault(pledge("--1"))).toEndWith("a minus sign at most, and no point, exponent or unit.");
    expect(fault(sent({ amount: "-1" }))).toEndWith("no point, exponent, sign or unit.");
  });
});

test("M10 the data of an unknown type are not checked, and its name is given back", () => {
  expect(check({ type: "CREATE_GROUP", data: { anything: 0.1 } })).toEqual({
    type: "CREATE_GROUP",
  });
  expect(
    check({ type: "CREATE_TRANSACTION", data: { transaction_type: "SUI_LIKE_SEND" } }),
  ).toEqual({
    type: "CREATE_TRANSACTION SUI_LIKE_SEND",
  });
  expect(check({ type: "APPROVE_TRANSACTION", data: PAYMENT })).toEqual({
    type: "APPROVE_TRANSACTION",
  });
});

test("M10 an estimate may leave out what is filled in, whole or as data alone", () => {
  const { account_id: _, ...data } = structuredClone(PAYMENT) as Record<
    string,
    Record<string, unknown>
  >;
  Reflect.deleteProperty(data.transaction_data ?? {}, "max_fees");
  const options = { purpose: "estimate", option: "--transactionData" } as const;
  expect(fault(data, options)).toBe("");
  expect(fault(request(data), options)).toBe("");
  expect(fault({ ...data, extra: 1 }, options)).toContain("extra is not a member");
});

const VERSIONS: readonly ApiVersion[] = ["v1", "v2"];

test("M10 every example of the catalogue is one that the check accepts", () => {
  for (const shape of SHAPES)
    for (const version of VERSIONS)
      expect([
        shape.type,
        shape.transactionType,
        fault(exampleOf(shape, version), { version }),
      ]).toEqual([shape.type, shape.transactionType, ""]);
});

test("M10 schema requestData is an index, then one shape; the index has at most 3 KB", () => {
  const index = JSON.stringify(describeRequests([]));
  expect(index.length).toBeLessThanOrEqual(3072);
  for (const { type, transactionType } of SHAPES) {
    expect(index).toContain(transactionType ?? type);
    const words = [type, ...(transactionType === undefined ? [] : [transactionType])];
    expect(describeRequests(words)).toMatchObject({ type, v1: { schema: { type: "object" } } });
  }
  expect(() => describeRequests(["CREATE_TRANSACTION", "BITCOIN_SEND"])).toThrow("does not have");
  expect(() => describeRequests(["CREATE_GROUP"])).toThrow("not publicly documented");
});
