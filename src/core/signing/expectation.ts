/** `--expect`: what the caller says must stand in the challenge. */
import { CliError } from "../../errors.ts";
import { Exact, print, tree } from "../../io/json.ts";
import type { Challenge } from "./challenge.ts";
import { type Difference, printList } from "./comparison.ts";
import { type Field, fieldOf, isSameValue, membersOf, show } from "./field.ts";

/**
 * Each value of the JSON object `expected` must stand in the challenge, compared as in a review. A
 * nested value stands at the same path; a value at the top is looked for by its name in the whole
 * challenge, where that name must stand once, so that a second `amount` elsewhere cannot pass for
 * the first. What is absent or ambiguous is a difference. Throws INVALID_ARGUMENT when nothing is
 * expected.
 */
export function expectLeaves(challenge: Challenge, expected: Exact): Difference[] {
  const wanted = membersOf(fieldOf(tree(expected)));
  if (wanted.length === 0) {
    const message = "The expectation is not a JSON object with at least one value.";
    throw new CliError("INVALID_ARGUMENT", { message, field: "--expect" });
  }
  const document = challenge.document === undefined ? undefined : fieldOf(tree(challenge.document));
  const root = document === undefined ? [] : membersOf(document);
  const everywhere = document === undefined ? [] : allMembers(document);
  return wanted.flatMap((want) => {
    const isNested = want.node.kind === "object" && want.node.members.length > 0;
    return expectMember(want, isNested ? root : everywhere);
  });
}

function allMembers(field: Field, into: Field[] = []): Field[] {
  for (const child of field.children) {
    if (typeof child.place.step === "string") into.push(child);
    allMembers(child, into);
  }
  return into;
}

function expectMember(want: Field, candidates: readonly Field[]): Difference[] {
  const named = candidates.filter(({ place }) => place.name === want.place.name);
  const [only, ...others] = named;
  if (only !== undefined && others.length === 0) return expectValue(want, only);
  return [
    {
      field: show(want.place),
      challenge: only === undefined ? null : printList(named),
      ...unmet(want),
    },
  ];
}

function expectValue(want: Field, actual: Field): Difference[] {
  const [wants, actuals] = [want.children, actual.children];
  const isOneKind = want.node.kind === actual.node.kind;
  if (isOneKind && want.node.kind === "object" && wants.length > 0) {
    return wants.flatMap((member) => expectMember(member, actuals));
  }
  if (isOneKind && wants.length > 0 && wants.length === actuals.length) {
    return wants.flatMap((item, index) => expectValue(item, actuals[index] ?? actual));
  }
  if (
    wants.length === 0 &&
    actuals.length === 0 &&
    isSameValue(want.place.name, want.node, actual.node)
  )
    return [];
  return [{ field: show(actual.place), challenge: new Exact(print(actual.node)), ...unmet(want) }];
}

function unmet({ node }: Field): Pick<Difference, "expected" | "source"> {
  return { expected: new Exact(print(node)), source: "expect" };
}
