/** `--expect`: values that the challenge must contain, from the caller. */
import { CliError } from "../../errors.ts";
import { Exact, print, tree } from "../../io/json.ts";
import type { Challenge } from "./challenge.ts";
import { type Difference, printList } from "./comparison.ts";
import { type Field, fieldOf, isSameValue, membersOf, rootOf, show } from "./field.ts";

/** What came of an expectation. */
export interface Expected {
  readonly differences: Difference[];
  /** Fields of the challenge that have the expected value. */
  readonly confirmed: Set<Field>;
}

/**
 * Each value of the JSON object `expected` must be in the challenge, compared as in a review. A
 * nested value is at the same path; a value at the top is looked for by its name in the whole
 * challenge, where that name must appear once, so that a second `amount` elsewhere cannot pass for
 * the first. What is absent or ambiguous is a difference. Throws INVALID_ARGUMENT when nothing is
 * expected.
 */
export function expectLeaves(challenge: Challenge, expected: Exact): Expected {
  const wanted = membersOf(fieldOf(tree(expected)));
  if (wanted.length === 0) {
    const message = "The expectation is not a JSON object with at least one value.";
    throw new CliError("INVALID_ARGUMENT", { message, field: "--expect" });
  }
  const document = challenge.document === undefined ? undefined : rootOf(challenge.document);
  const root = document === undefined ? [] : membersOf(document);
  const everywhere = document === undefined ? [] : allMembers(document);
  const found: Expected = { differences: [], confirmed: new Set() };
  for (const want of wanted) {
    const isNested = want.node.kind === "object" && want.node.members.length > 0;
    expectMember(want, isNested ? root : everywhere, found);
  }
  return found;
}

function allMembers(field: Field, into: Field[] = []): Field[] {
  for (const child of field.children) {
    if (typeof child.place.step === "string") into.push(child);
    allMembers(child, into);
  }
  return into;
}

function expectMember(want: Field, candidates: readonly Field[], found: Expected): void {
  const named = candidates.filter(({ place }) => place.name === want.place.name);
  const [only, ...others] = named;
  if (only !== undefined && others.length === 0) {
    expectValue(want, only, found);
    return;
  }
  const challenge = only === undefined ? null : printList(named);
  found.differences.push({ field: show(want.place), challenge, ...unmet(want) });
}

function expectValue(want: Field, actual: Field, found: Expected): void {
  const [wants, actuals] = [want.children, actual.children];
  const isOneKind = want.node.kind === actual.node.kind;
  if (isOneKind && want.node.kind === "object" && wants.length > 0) {
    for (const member of wants) expectMember(member, actuals, found);
  } else if (isOneKind && wants.length > 0 && wants.length === actuals.length) {
    for (const [index, item] of wants.entries()) expectValue(item, actuals[index] ?? actual, found);
  } else if (
    wants.length === 0 &&
    actuals.length === 0 &&
    isSameValue(want.place.name, want.node, actual.node)
  ) {
    found.confirmed.add(actual);
  } else {
    const challenge = new Exact(print(actual.node));
    found.differences.push({ field: show(actual.place), challenge, ...unmet(want) });
  }
}

function unmet({ node }: Field): Pick<Difference, "expected" | "source"> {
  return { expected: new Exact(print(node)), source: "expect" };
}
