/** The catalogue for a reader: an index, and the JSON Schema and an example of each shape. */
import { CliError } from "../../errors.ts";
import type { ApiVersion } from "../api/dialect.ts";
import { currenciesOf, type Family } from "./network.ts";
import {
  type Kind,
  type Member,
  NOTE,
  SHAPES,
  type Shape,
  spell,
  UNDOCUMENTED,
} from "./requests.ts";

/**
 * `schema requestData [<type> [<transactionType>]]`: without words an index, with words the data of
 * one shape in both spellings. Throws INVALID_ARGUMENT for a type that the catalogue does not have.
 */
export function describeRequests(words: readonly string[]): object {
  const [type, transactionType, ...surplus] = words;
  if (type === undefined) return index();
  const ofType = SHAPES.filter((shape) => shape.type === type);
  const isTransaction = ofType.some((shape) => shape.transactionType !== undefined);
  if (isTransaction && transactionType === undefined)
    return { type, transactionTypes: meanings(ofType) };
  const shape = ofType.find((one) => one.transactionType === transactionType);
  if (shape === undefined || surplus.length > 0) throw unknown(words, ofType);
  return describeShape(shape);
}

function index(): object {
  const transactions = SHAPES.filter(({ transactionType }) => transactionType !== undefined);
  const others = SHAPES.filter(({ transactionType }) => transactionType === undefined);
  return {
    CREATE_TRANSACTION: meanings(transactions),
    ...Object.fromEntries(others.map(({ type, means }) => [type, means])),
    undocumented: UNDOCUMENTED,
  };
}

function meanings(shapes: readonly Shape[]): Record<string, string> {
  return Object.fromEntries(shapes.map((one) => [one.transactionType ?? one.type, one.means]));
}

function unknown(words: readonly string[], ofType: readonly Shape[]): CliError {
  const names =
    ofType.length > 0
      ? ofType.flatMap(({ transactionType }) => transactionType ?? [])
      : [...new Set(SHAPES.map(({ type }) => type))];
  const isNamed = UNDOCUMENTED.includes(words[0] ?? "");
  return new CliError("INVALID_ARGUMENT", {
    message: isNamed
      ? `The data of ${words[0]} requests are not publicly documented: the API decides.`
      : `The catalogue does not have ${JSON.stringify(words.join(" "))}.`,
    hint: "Run 'schema requestData' for the whole list.",
    details: { known: names },
  });
}

function describeShape(shape: Shape): object {
  const { type, transactionType, means, isOpen } = shape;
  return {
    type,
    transactionType,
    means,
    v2: { schema: schemaOf(shape, "v2"), example: exampleOf(shape, "v2") },
    v1: { schema: schemaOf(shape, "v1"), example: exampleOf(shape, "v1") },
    ...(isOpen === true ? { open: "The source does not list every member; others pass." } : {}),
  };
}

interface Place {
  readonly version: ApiVersion;
  readonly family: Family | undefined;
  readonly isOpen: boolean;
}

function schemaOf(shape: Shape, version: ApiVersion): object {
  const place = { version, family: shape.family, isOpen: shape.isOpen === true };
  return {
    type: "object",
    properties: {
      type: { const: shape.type },
      data: objectSchema(shape.data, place),
      ...(shape.hasNote ? { note: objectSchema(NOTE.members ?? [], place) } : {}),
    },
    required: ["type", "data"],
    additionalProperties: false,
  };
}

function objectSchema(members: readonly Member[], place: Place): object {
  const { version, isOpen } = place;
  const named = members.map((member) => [spell(member.name, version), member] as const);
  const required = named.filter(([, one]) =>
    version === "v1" ? one.isRequired : one.isRequiredOnV2,
  );
  return {
    type: "object",
    properties: Object.fromEntries(named.map(([name, one]) => [name, memberSchema(one, place)])),
    ...(required.length === 0 ? {} : { required: required.map(([name]) => name) }),
    additionalProperties: isOpen,
  };
}

function memberSchema(member: Member, place: Place): object {
  const { kind, means: description, members, either } = member;
  if (either !== undefined)
    return { description, oneOf: either.map((one) => objectSchema(one, place)) };
  if (kind === "object") return { description, ...objectSchema(members ?? [], place) };
  if (kind === "call")
    return { description, oneOf: [{ type: "string" }, objectSchema(members ?? [], place)] };
  return { description, ...scalarSchema(member, place) };
}

const DIGITS = { type: "string", pattern: "^[0-9]+$" };

function scalarSchema({ kind, values }: Member, { version, family }: Place): object {
  if (kind === "choice") return { enum: values };
  if (kind === "currency")
    return family === undefined ? { type: "string" } : { enum: currenciesOf(family) };
  if (kind === "accountId" || kind === "id")
    return { type: version === "v1" || kind === "id" ? "integer" : "string" };
  if (kind === "signedAmount") return { type: "string", pattern: "^-?[0-9]+$" };
  if (["amount", "fee", "gas", "gasPrice"].includes(kind)) return DIGITS;
  if (kind === "tag") return { type: "integer", minimum: 0, maximum: 4_294_967_295 };
  return kind === "any" ? {} : { type: "string" };
}

/** A value that an agent can follow, by kind. */
const EXAMPLES: Readonly<Partial<Record<Kind, unknown>>> = {
  accountName: "Account name",
  amount: "700000",
  signedAmount: "-700000",
  fee: "4018",
  gas: "21000",
  gasPrice: "2000000000",
  feeRate: "12",
  contract: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
  mint: "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  tag: 1001,
  memo: { MEMO_TEXT: "invoice 42" },
  hex: "0x6080",
  call: "0xd0e30db0",
  message: "Sign in",
  id: 7,
  text: "text",
  any: [],
};

/** Published sample addresses. */
const ADDRESSES: Readonly<Partial<Record<Family, string>>> = {
  bitcoin: "tb1q5tsjcyz7xmet07yxtumakt739y53hcttmntajq",
  evm: "0xb550388547691a526190d60C30C2f9E2af03fF3D",
  solana: "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU",
  tron: "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
  ripple: "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
  stellar: "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
  tezos: "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
  polkadot: "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
  cardano: "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
};

const COINS: Readonly<Partial<Record<Family, string>>> = {
  bitcoin: "bitcoin_testnet",
  evm: "ethereum",
};

/** A complete request that the check accepts. */
export function exampleOf(shape: Shape, version: ApiVersion): object {
  const place = { version, family: shape.family, isOpen: false };
  return {
    type: shape.type,
    data: objectExample(shape.data, place),
    ...(shape.hasNote ? { note: { title: "Payout", content: "Invoice 42" } } : {}),
  };
}

/** Optional members that say the same as another one are left out. */
const LEFT_OUT = new Set(["encoded_contract_data", "address", "contract_address", "abi"]);

function objectExample(members: readonly Member[], place: Place): object {
  const shown = members.filter(({ name, isRequired }) => isRequired || !LEFT_OUT.has(name));
  return Object.fromEntries(
    shown.map((member) => [spell(member.name, place.version), memberExample(member, place)]),
  );
}

function memberExample(member: Member, place: Place): unknown {
  const { kind, values = [], members, either, name } = member;
  const [first] = either ?? [];
  if (kind === "object") return objectExample([...(members ?? []), ...(first ?? [])], place);
  if (kind === "choice") return name === "speed" ? "NORMAL" : values[0];
  if (kind === "accountId") return place.version === "v1" ? 7 : "ACCOUNT_ID";
  if (kind === "address") return ADDRESSES[place.family ?? "evm"];
  if (kind === "currency") return COINS[place.family ?? "evm"] ?? place.family;
  return EXAMPLES[kind];
}
