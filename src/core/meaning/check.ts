/**
 * A request checked against the catalogue before it is sent. Servers drop members that they do not
 * know without a word: a payment of a token would become one of the coin.
 */
import { CliError } from "../../errors.ts";
import { type Exact, type Node, tree } from "../../io/json.ts";
import type { ApiVersion } from "../api/dialect.ts";
import { isPlain } from "./amount.ts";
import { membersOf, named, textOf, unwrapped } from "./content.ts";
import { type Member, NOTE, type Shape, shapeOf, spell } from "./requests.ts";

/** How strictly a document is held to the catalogue. */
export interface CheckOptions {
  /** Undefined when it is not known: either spelling passes. */
  readonly version: ApiVersion | undefined;
  /** Lets members pass that the catalogue does not have. */
  readonly allowUnknown: boolean;
  /** For an estimate the API, or the program, fills in what is missing. */
  readonly purpose: "create" | "estimate";
  /** The option that gave the document, for messages. */
  readonly option: string;
}

/** The type of a request that the catalogue does not have. */
export interface UnknownType {
  readonly type: string;
}

interface Fault {
  readonly code: "INVALID_REQUEST_DATA" | "INVALID_AMOUNT";
  readonly message: string;
  readonly path: string;
}

/**
 * Checks members, required ones and amounts. Returns the type when the catalogue does not have it,
 * and nothing of it was checked. Throws INVALID_REQUEST_DATA, INVALID_AMOUNT.
 */
export function checkRequest(document: Exact, options: CheckOptions): UnknownType | undefined {
  const request = tree(unwrapped(document));
  const { purpose } = options;
  const isBare = purpose === "estimate" && !membersOf(request).some(([name]) => name === "type");
  const type = isBare ? "CREATE_TRANSACTION" : (textIn(request, ["type"]) ?? "");
  const data = isBare ? request : child(request, ["data"]);
  const [twice] = faultsOfSpelling(data, ["transaction_type"], isBare ? "" : "data.");
  if (twice !== undefined) throw failure(twice, type, options);
  const transactionType = textIn(data, ["transaction_type", "transactionType"]);
  const shape = shapeOf(type, type === "CREATE_TRANSACTION" ? transactionType : undefined);
  if (shape === undefined || shape.type !== type)
    return { type: unknownName(type, transactionType) };
  const versions = options.version === undefined ? (["v1", "v2"] as const) : [options.version];
  const found = versions.map((version) =>
    isBare
      ? faultsOfData(data, shape, { ...options, version }, "")
      : faultsOf(request, shape, { ...options, version }),
  );
  const [first] = found.sort((one, other) => one.length - other.length);
  const words = shape.transactionType === undefined ? type : `${type} ${shape.transactionType}`;
  if (first?.[0] !== undefined) throw failure(first[0], words, options);
  return undefined;
}

function unknownName(type: string, transactionType: string | undefined): string {
  return type === "CREATE_TRANSACTION" ? `${type} ${transactionType ?? ""}`.trim() : type;
}

interface Rules extends CheckOptions {
  readonly version: ApiVersion;
}

function faultsOf(request: Node, shape: Shape, rules: Rules): Fault[] {
  const known = ["type", "data", ...(shape.hasNote ? ["note"] : [])];
  const surplus = membersOf(request).filter(([name]) => !known.includes(name));
  const note = child(request, ["note"]);
  return [
    ...(rules.allowUnknown ? [] : surplus.map(([name]) => unknownMember(name, known))),
    ...faultsOfData(child(request, ["data"]), shape, rules, "data."),
    ...(note?.kind === "object" && shape.hasNote
      ? faultsOfMembers(note, NOTE.members ?? [], { ...rules, at: "note.", isOpen: false })
      : []),
  ];
}

function faultsOfData(data: Node | undefined, shape: Shape, rules: Rules, at: string): Fault[] {
  if (data?.kind !== "object")
    return [{ ...missing("data"), message: "The request has no 'data'." }];
  const isOpen = shape.isOpen === true;
  return faultsOfMembers(data, shape.data, { ...rules, at, isOpen });
}

interface Place extends Rules {
  readonly at: string;
  readonly isOpen: boolean;
}

function faultsOfMembers(node: Node, known: readonly Member[], place: Place): Fault[] {
  const { version, at, isOpen, allowUnknown } = place;
  const names = known.map(({ name }) => spell(name, version));
  const surplus = membersOf(node).filter(([name]) => !names.includes(name));
  const given = new Map(membersOf(node));
  return [
    ...(isOpen || allowUnknown
      ? []
      : surplus.map(([name]) => unknownMember(`${at}${name}`, names))),
    ...faultsOfSpelling(
      node,
      known.map(({ name }) => name),
      at,
    ),
    ...known.flatMap((member) => {
      const name = spell(member.name, version);
      return faultsOfMember(given.get(name), member, { ...place, at: `${at}${name}` });
    }),
  ];
}

function faultsOfMember(value: Node | undefined, member: Member, place: Place): Fault[] {
  if (value === undefined || value.kind === "null")
    return isRequired(member, place) ? [missing(place.at)] : [];
  if (member.kind === "object" || (member.either !== undefined && value.kind === "object"))
    return faultsOfObject(value, member, place);
  if (!AMOUNTS.has(member.kind)) return [];
  const digits = textOf(value);
  const isSigned = member.kind === "signedAmount";
  const bare = isSigned ? digits?.replace(/^-/, "") : digits;
  // Leading zeros pass: the API reads the same number.
  if (bare !== undefined && isPlain(bare.replace(/^0+(?=[0-9])/, ""))) return [];
  return [notDigits(place.at, isSigned)];
}

const AMOUNTS: ReadonlySet<Member["kind"]> = new Set([
  ...(["amount", "signedAmount", "fee", "gas", "gasPrice"] as const),
]);

function isRequired(member: Member, { version, purpose, at }: Place): boolean {
  if (
    purpose === "estimate" &&
    /(^|\.)(account_?id|max_?fees|account_?name|fees_?strategy)$/i.test(at)
  )
    return false;
  return version === "v1" ? member.isRequired : member.isRequiredOnV2;
}

function faultsOfObject(value: Node, member: Member, place: Place): Fault[] {
  if (value.kind !== "object")
    return [
      { code: "INVALID_REQUEST_DATA", path: place.at, message: `${place.at} must be an object.` },
    ];
  const inside = { ...place, at: `${place.at}.` };
  const { members = [], either } = member;
  if (either === undefined) return faultsOfMembers(value, members, inside);
  const tried = either.map((one) => faultsOfAlternative(value, [...members, ...one], inside));
  return tried.reduce((best, one) => (one.length < best.length ? one : best));
}

/** An alternative whose choice says otherwise is another one. */
function faultsOfAlternative(value: Node, known: readonly Member[], place: Place): Fault[] {
  const others = known.filter(({ kind, name, values = [] }) => {
    const given = child(value, [spell(name, place.version)]);
    return kind === "choice" && given !== undefined && !values.includes(textOf(given) ?? "");
  });
  const found = faultsOfMembers(value, known, place);
  return [
    ...found,
    ...others.map(({ name, values = [] }): Fault => {
      const path = `${place.at}${spell(name, place.version)}`;
      const message = `${path} must be one of ${values.join(", ")}.`;
      return { code: "INVALID_REQUEST_DATA", path, message };
    }),
    // An unfitting alternative must not win by having fewer members.
    ...others.map(() => missing(place.at)),
  ];
}

/**
 * Members that are there in the spelling of both API versions. The server reads one of the two, and
 * who looks at the request perhaps the other. `--allowUnknown` does not let them pass.
 */
function faultsOfSpelling(node: Node | undefined, names: readonly string[], at: string): Fault[] {
  return names.flatMap((name): Fault[] => {
    const [one, other] = named(membersOf(node), name);
    if (one === undefined || other === undefined) return [];
    const message = `${at}${one[0]} and ${at}${other[0]} are one member in two spellings.`;
    return [{ code: "INVALID_REQUEST_DATA", path: `${at}${other[0]}`, message }];
  });
}

function child(node: Node | undefined, names: readonly string[]): Node | undefined {
  return membersOf(node).find(([name]) => names.includes(name))?.[1];
}

function textIn(node: Node | undefined, names: readonly string[]): string | undefined {
  const found = child(node, names);
  return found?.kind === "string" ? found.value : undefined;
}

function missing(path: string): Fault {
  return { code: "INVALID_REQUEST_DATA", path, message: `${path} is missing.` };
}

const LONGEST_NAME = 60;

function unknownMember(path: string, known: readonly string[]): Fault {
  const own = path.split(".").at(-1) ?? path;
  const near = known.find((name) => isSpelledLike(name, own));
  const hint =
    near === undefined
      ? `its members are ${known.join(", ")}`
      : `this API version spells it ${near}`;
  const shown = path.length > LONGEST_NAME ? `${path.slice(0, LONGEST_NAME)}…` : path;
  return {
    code: "INVALID_REQUEST_DATA",
    path: shown,
    message: `${shown} is not a member of this request; ${hint}.`,
  };
}

function isSpelledLike(one: string, other: string): boolean {
  return one.replaceAll("_", "").toLowerCase() === other.replaceAll("_", "").toLowerCase();
}

function notDigits(path: string, isSigned: boolean): Fault {
  const most = isSigned
    ? "a minus sign at most, and no point, exponent or unit"
    : "no point, exponent, sign or unit";
  return {
    code: "INVALID_AMOUNT",
    path,
    message: `${path} must be whole digits of the base unit: ${most}.`,
  };
}

function failure({ code, message, path }: Fault, words: string, options: CheckOptions): CliError {
  return new CliError(code, {
    message,
    field: options.option,
    details: { path },
    hint:
      code === "INVALID_AMOUNT"
        ? "Let 'requests draft' turn an amount such as \"0.007 BTC\" into base units."
        : `See 'schema requestData ${words}'; --allowUnknown lets an unknown member pass.`,
  });
}
