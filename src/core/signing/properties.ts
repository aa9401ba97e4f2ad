/**
 * The older shape of a challenge, `{"Transaction properties":{…},"challenge":"<hex>"}`, held
 * against a request. The vendor's only sample has five labels; amounts carry a unit word in front.
 * Those are mapped exactly, everything else stays open (specification §4, Review).
 */
import { Exact, type Node, print } from "../../io/json.ts";
import { type Difference, differ, type Findings, printList } from "./comparison.ts";
import { type Field, isSameValue, leavesOf, membersOf } from "./field.ts";

/** The member that holds what is approved in the older shape. */
export const PROPERTIES = "Transaction properties";

/** Label → the name of the same thing in a request's transaction data. */
const LABELS: Readonly<Record<string, string>> = {
  Amount: "amount",
  "Recipient address": "recipient",
  "Max total fees": "max_fees",
};
const [PRICE, LIMIT, TOTAL] = ["Max gas price", "Gas limit", "Max total fees"] as const;

/** Words for the smallest unit of a coin → the family whose transactions are counted in it. */
const UNITS: Readonly<Record<string, string>> = {
  ...{ swei: "ETHEREUM", wei: "ETHEREUM", sat: "BITCOIN", satoshi: "BITCOIN" },
  ...{ lamport: "SOLANA", drop: "RIPPLE", stroop: "STELLAR", sun: "TRON" },
  ...{ mutez: "TEZOS", lovelace: "CARDANO" },
};

/** True for an object that has what every sample of the older shape has. */
export function hasLabels(properties: Node): boolean {
  const members = new Map(properties.kind === "object" ? properties.members : []);
  return Object.keys(LABELS).every((label) => members.get(label)?.kind === "string");
}

/** Whole digits after one unit word and one space; undefined for any other text. */
function splitAmount({
  node,
}: Field): { readonly unit: string; readonly digits: string } | undefined {
  const found = node.kind === "string" ? /^([a-z]+) (0|[1-9][0-9]*)$/.exec(node.value) : undefined;
  const [, unit = "", digits = ""] = found ?? [];
  return Object.hasOwn(UNITS, unit) ? { unit, digits } : undefined;
}

function wholeOf({ node }: Field): string | undefined {
  return node.kind === "string" && /^(0|[1-9][0-9]*)$/.test(node.value) ? node.value : undefined;
}

/**
 * Compares the labels with the members of `request` (as `membersOf` returns them). A label whose
 * value has another form than the sample's is not compared: it stays open.
 */
export function compareProperties(
  root: Field,
  request: readonly Field[],
  source: Difference["source"],
  found: Findings,
): void {
  const labels = labelsOf(root);
  const data = named(request, "data").flatMap(membersOf);
  const transaction = named(data, "transaction_data").flatMap(membersOf);
  const family = familyOf(named(data, "transaction_type"));
  const taken = new Set<Field>();
  for (const [label, name] of Object.entries(LABELS)) {
    const [left, wanted] = [labels.get(label), named(transaction, name)];
    if (left === undefined || wanted.length === 0) continue;
    if (compareLabel(left, wanted, { name, family, source }, found))
      for (const field of wanted) taken.add(field);
  }
  for (const member of request)
    for (const leaf of leavesOf(member)) if (!taken.has(leaf)) found.requestOnly.push(leaf);
}

interface Wanted {
  readonly name: string;
  readonly family: string | undefined;
  readonly source: Difference["source"];
}

/** True when the label was compared, whatever came out. */
function compareLabel(
  left: Field,
  [right, ...others]: readonly Field[],
  { name, family, source }: Wanted,
  found: Findings,
): boolean {
  if (right === undefined) return false;
  const amount = name === "recipient" ? undefined : splitAmount(left);
  if (name !== "recipient" && amount === undefined) return false;
  const isForeign = amount !== undefined && family !== undefined && UNITS[amount.unit] !== family;
  if (isForeign) differ(left, `an amount in the smallest unit of ${family}`, "rule", found);
  else if (others.length === 0 && isSameValue(name, textNode(left, amount?.digits), right.node)) {
    found.compared.add(left);
    found.verified.add(left);
  } else {
    const many = others.length > 0;
    differ(
      left,
      many ? printList([right, ...others]) : new Exact(print(right.node)),
      source,
      found,
    );
  }
  return true;
}

/** Gas price × gas limit is the most that is paid in all, where the sample's labels say so. */
export function checkProduct(root: Field, found: Findings): void {
  const labels = labelsOf(root);
  const [price, limit, total] = [PRICE, LIMIT, TOTAL].map((label) => labels.get(label));
  if (price === undefined || limit === undefined || total === undefined) return;
  const [perGas, gas, most] = [splitAmount(price), wholeOf(limit), splitAmount(total)];
  if (perGas === undefined || gas === undefined || most === undefined) return;
  const product = BigInt(perGas.digits) * BigInt(gas);
  if (perGas.unit !== most.unit || product !== BigInt(most.digits)) {
    differ(total, `${perGas.unit} ${product}`, "rule", found);
  } else if (found.verified.has(total)) {
    for (const field of [price, limit]) {
      found.compared.add(field);
      found.verified.add(field);
    }
  }
}

/** The members of the older shape by their label, exactly as written. */
function labelsOf(root: Field): Map<string | number, Field> {
  const properties = membersOf(root).filter(({ place }) => place.step === PROPERTIES);
  return new Map(properties.flatMap(membersOf).map((field) => [field.place.step, field]));
}

function named(fields: readonly Field[], name: string): Field[] {
  return fields.filter(({ place }) => place.name === name);
}

function familyOf([type]: readonly Field[]): string | undefined {
  const family = type?.node.kind === "string" ? /^([A-Z]+)_LIKE_/.exec(type.node.value)?.[1] : "";
  return Object.values(UNITS).find((known) => known === family);
}

function textNode({ node }: Field, digits: string | undefined): Node {
  return digits === undefined ? node : { kind: "string", value: digits, raw: `"${digits}"` };
}
