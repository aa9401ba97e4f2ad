/** The catalogue against the vendor's document, and what content.ts reads with it. */
import { describe, expect, test } from "bun:test";
import { onlyValue, readContent } from "../../../src/core/meaning/content.ts";
import { NETWORKS } from "../../../src/core/meaning/network.ts";
import {
  camelCase,
  type Member,
  SHAPES,
  shapeOf,
  UNDOCUMENTED,
} from "../../../src/core/meaning/requests.ts";
import { exact } from "../../../src/io/json.ts";
import { DOCUMENT, type Schema } from "../../v1/document.ts";

interface Described extends Schema {
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly allOf?: readonly Described[];
  readonly oneOf?: readonly Described[];
  readonly anyOf?: readonly Described[];
}

const SCHEMAS = (DOCUMENT?.components as { schemas?: Record<string, Described> } | undefined)
  ?.schemas;

function resolve(schema: Described): Described {
  if (schema.$ref !== undefined)
    return resolve(SCHEMAS?.[schema.$ref.split("/").at(-1) ?? ""] ?? {});
  const [only] = schema.allOf ?? [];
  return only === undefined ? schema : resolve(only);
}

/** Each member as `path required?`, alternatives in their own brackets. */
function ofSchema(schema: Described, at: string): string[] {
  const { properties = {}, required = [] } = resolve(schema);
  return Object.entries(properties).flatMap(([name, one]) => {
    const path = `${at}.${name}`;
    const mark = `${path}${required.includes(name) ? " required" : ""}`;
    const { oneOf = [] } = resolve(one);
    const inside = oneOf.length === 0 ? [resolve(one)] : oneOf.map(resolve);
    return [mark, ...inside.flatMap((each) => ofSchema(each, path))];
  });
}

function ofMembers(members: readonly Member[], at: string): string[] {
  return members.flatMap((one) => {
    const path = `${at}.${one.name}`;
    const mark = `${path}${one.isRequired ? " required" : ""}`;
    const inside = [...(one.members ?? []), ...(one.either ?? []).flat()];
    return [mark, ...ofMembers(inside, path)];
  });
}

const unique = (lines: readonly string[]): string[] => [...new Set(lines)].sort();

/** What the document has of every request type: transaction types under their own names. */
function documented(): [name: string, data: Described][] {
  const body = (DOCUMENT?.paths["/requests"]?.post as unknown as {
    requestBody: { content: { "application/json": { schema: Described } } };
  }) ?? { requestBody: { content: { "application/json": { schema: {} } } } };
  const { anyOf = [] } = body.requestBody.content["application/json"].schema;
  return anyOf.map(resolve).flatMap((request): [string, Described][] => {
    const data = resolve(request.properties?.data ?? {});
    const type = String(resolve(request.properties?.type ?? {}).enum?.[0]);
    if (data.oneOf === undefined) return [[type, data]];
    return data.oneOf.map(resolve).map((one): [string, Described] => {
      return [String(resolve(one.properties?.transaction_type ?? {}).enum?.[0]), one];
    });
  });
}

describe.skipIf(DOCUMENT === undefined)("the vendor's V1 document", () => {
  test("M10 names the same request types and transaction types as the catalogue", () => {
    const ours = SHAPES.filter(({ isOpen }) => isOpen !== true);
    expect(documented().map(([name]) => name)).toEqual(
      ours.map(({ type, transactionType }) => transactionType ?? type),
    );
    expect(documented()).toHaveLength(22);
  });

  test("M10 has the same members, each as required as there", () => {
    for (const [name, data] of documented()) {
      const shape = shapeOf("CREATE_TRANSACTION", name) ?? shapeOf(name);
      expect([name, unique(ofMembers(shape?.data ?? [], "data"))]).toEqual([
        name,
        unique(ofSchema(data, "data")),
      ]);
    }
  });

  test("M20 names the same networks as the table, 79 of them", () => {
    const names = resolve(SCHEMAS?.Currency?.properties?.name ?? {}).enum ?? [];
    expect([...NETWORKS.keys()].sort()).toEqual([...names].map(String).sort());
    expect(names).toHaveLength(79);
  });

  test("M10 lists no type as undocumented that it documents, and leaves out none", () => {
    const { parameters = [] } = DOCUMENT?.paths["/requests"]?.get ?? {};
    const types = parameters.find(({ name }) => name === "type")?.schema ?? {};
    const listed = (types.items?.enum ?? types.enum ?? []).map(String);
    expect(listed.length).toBeGreaterThan(30);
    const known = new Set([...SHAPES.map(({ type }) => type), ...UNDOCUMENTED]);
    expect(listed.filter((type) => !known.has(type))).toEqual([]);
    expect(UNDOCUMENTED.filter((type) => !listed.includes(type))).toEqual([]);
  });
});

const PAYMENT = {
  account_id: 2,
  transaction_type: "BITCOIN_LIKE_SEND",
  fees_strategy: { type: "SPEED", data: { speed: "FAST" } },
  transaction_data: {
    account_name: "ClientA COL TBTC 1",
    amount: "200000000",
    currency: "bitcoin_testnet",
    max_fees: "4018",
    recipient: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
  },
};

const read = (document: unknown) => readContent(exact(JSON.stringify(document)));

test("M16 a request is read in either spelling, wrapped or not", () => {
  const snake = read({ type: "CREATE_TRANSACTION", data: PAYMENT, note: { title: "t" } });
  const camel = read({
    request: {
      type: "CREATE_TRANSACTION",
      data: JSON.parse(
        JSON.stringify(PAYMENT).replace(/"(\w+)":/g, (_, name: string) => `"${camelCase(name)}":`),
      ),
      note: { title: "t" },
    },
  });
  const facts = ({ values }: ReturnType<typeof read>) =>
    values.map(({ kind, name, text }) => [kind, name, text]);
  expect(facts(snake)).toEqual(facts(camel));
  expect(snake.unexplained).toEqual([]);
  expect(onlyValue(camel, "amount")?.path).toBe("data.transactionData.amount");
  expect(onlyValue(snake, "fee")?.text).toBe("4018");
});

test("M16 a challenge is read with the shape of its request", () => {
  const { transaction_data, transaction_type } = PAYMENT;
  const content = read({
    antireplay: "AC".repeat(32),
    data: { transaction_data, transaction_type },
    type: "APPROVE_TRANSACTION",
  });
  expect(content.shape?.transactionType).toBe("BITCOIN_LIKE_SEND");
  expect(content.unexplained).toEqual([]);
  expect(onlyValue(content, "address")?.text).toBe(transaction_data.recipient);
});

test("M16 members that the catalogue does not have are listed, and so are two spellings", () => {
  const data = {
    ...PAYMENT,
    transaction_data: {
      ...PAYMENT.transaction_data,
      maxFees: "9",
      delegate: { to: ["x", {}] },
      recipient: ["tb1q"],
    },
  };
  const content = read({ type: "CREATE_TRANSACTION", data, extra: 1 });
  expect(content.unexplained).toEqual([
    "data.transaction_data.max_fees",
    "data.transaction_data.recipient[0]",
    "data.transaction_data.maxFees",
    "data.transaction_data.delegate.to[0]",
    "data.transaction_data.delegate.to[1]",
    "extra",
  ]);
  expect(onlyValue(content, "fee")).toBeUndefined();
});

test("M16 of an unknown type everything is unexplained", () => {
  const content = read({ type: "CREATE_GROUP", data: { name: "Night shift", userIds: ["a"] } });
  expect([content.shape, content.unexplained]).toEqual([
    undefined,
    ["data.name", "data.userIds[0]"],
  ]);
});
