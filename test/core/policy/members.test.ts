/** The members of a policy file: a refusal names the member at fault and the form it must have. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { loadPolicies, parsePolicy } from "../../../src/core/policy/load.ts";
import { MEMBERS } from "../../../src/core/policy/members.ts";
import { failureOf } from "../../support/failure.ts";

/** Where the system's policy would be. */
const NO_FILE = join(import.meta.dir, "no-policy.json");
const ASSET = { currency: "ripple", contract: "c", decimals: 8 };
const DESTINATION = { address: "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", tag: "1", memo: {} };

/** Every member of every part, each with a value of a wrong form; only the shape is right. */
const file = () => ({
  ...{ version: 2, id: "", reads: 0, onlyOwn: 0, duplicates: 0, tagNotes: 0, stopped: 0 },
  allow: [
    {
      ...{ id: 0, decisions: 0, types: 0, transactionTypes: 0, accounts: 0, perRequest: 0.03 },
      ...{ asset: { currency: 0, contract: 0, decimals: "8" }, note: 0 },
      ...{ destinations: [{ address: 0, tag: 1, memo: 0 }] },
      ...{ fees: { strategies: 0, max: "0.1 BTC", decimals: "8" } },
    },
  ],
  deny: [{ id: 0, decisions: 0, types: 0, transactionTypes: 0, accounts: 0, asset: 0 }],
  windows: [
    { id: 0, asset: 0, accounts: 0, destinations: 0, per: "1w", amount: "1 BTC", count: "1" },
  ],
});

const parse = (document: unknown) =>
  failureOf(() => parsePolicy(new TextEncoder().encode(JSON.stringify(document)), "/p.json"));

/** Where the members of a part are, in `file`. */
const PLACES: Readonly<Record<string, readonly (string | number)[]>> = {
  ...{ file: [], "allow rule": ["allow", 0], "deny rule": ["deny", 0], window: ["windows", 0] },
  ...{ asset: ["allow", 0, "asset"], destination: ["allow", 0, "destinations", 0] },
  fees: ["allow", 0, "fees"],
};

/** A valid file, with one part that has a member of a wrong form, or lacks it. */
function spoilt(of: string, name: string, spoil: "wrong" | "missing"): unknown {
  const right = valid() as never;
  const wrong = file() as never;
  let [at, from] = [right as Record<string, unknown>, wrong as Record<string, unknown>];
  for (const step of PLACES[of] ?? []) {
    at = at[step] as never;
    from = from[step] as never;
  }
  if (spoil === "missing") delete at[name];
  else at[name] = ["allow", "deny", "windows"].includes(name) ? 0 : from[name];
  if (["asset", "destinations", "fees"].includes(name) && spoil === "wrong") at[name] = 0;
  return right;
}

const valid = () => ({
  ...{ version: 1, id: "a", reads: "all", onlyOwn: true, duplicates: "ask" },
  ...{ tagNotes: false, stopped: false },
  allow: [
    {
      ...{ id: "x", decisions: ["create"], types: ["CREATE_TRANSACTION"], accounts: ["1"] },
      ...{ transactionTypes: ["RIPPLE_LIKE_SEND"], asset: { ...ASSET }, perRequest: "0.03" },
      ...{ destinations: [{ ...DESTINATION, memo: { MEMO_TEXT: "a" } }], note: "none" },
      fees: { strategies: ["SPEED"], max: "0.1", decimals: 8 },
    },
  ],
  deny: [
    {
      ...{ id: "y", decisions: ["create"], types: ["CREATE_TRANSACTION"], accounts: ["1"] },
      ...{ transactionTypes: ["RIPPLE_LIKE_SEND"], asset: { ...ASSET } },
    },
  ],
  windows: [
    {
      ...{ id: "w", asset: { ...ASSET }, accounts: "any", destinations: "any", per: "24h" },
      ...{ amount: "1", count: 1 },
    },
  ],
});

const dotted = (of: string, name: string) => [...(PLACES[of] ?? []), name].join(".");

test.each(MEMBERS.map(({ of, name, form }) => [of, name, form] as const))(
  "A4 %s: %s of a wrong form is named, with the form",
  (of, name, form) => {
    const { code, facts } = parse(spoilt(of, name, "wrong"));
    expect(code).toBe("POLICY_INVALID");
    expect(facts.message).toContain(`'${dotted(of, name)}`);
    expect(facts.message).toContain(form.replaceAll("`", ""));
    expect(facts.message).toStartWith("The policy file '/p.json' is not valid: ");
  },
);

test.each(
  MEMBERS.filter(({ isRequired }) => isRequired).map(({ of, name }) => [of, name] as const),
)("A4 %s: a missing %s is named", (of, name) => {
  const { facts } = parse(spoilt(of, name, "missing"));
  expect(facts.message).toContain(`The member '${dotted(of, name)}' is missing.`);
});

test("A4 a misspelled member is named, and so is the one that is missing", () => {
  const document = valid();
  const [rule] = document.allow as unknown as Record<string, unknown>[];
  if (rule === undefined) throw new Error("no rule");
  delete rule.perRequest;
  rule.perRequst = "0.03";
  const { facts } = parse(document);
  expect(facts.message).toContain("The member 'allow.0.perRequest' is missing.");
  expect(facts.message).toContain("The member 'allow.0.perRequst' is not known.");
  expect(facts.details).toEqual({ file: "/p.json", path: "allow.0.perRequst" });
  expect(parse(5).facts.message).toContain("one JSON object");
});

test("A2 a file that the variable names has an absolute path", () => {
  const { code, facts } = failureOf(() => loadPolicies("p.json", undefined, NO_FILE));
  expect(code).toBe("POLICY_INVALID");
  expect(facts.message).toContain("LEDGER_ENTERPRISE_POLICY_FILE must be an absolute path.");
});

test("A4 an address with a wrong checksum makes the file invalid", () => {
  const document = valid();
  const rule = document.allow[0];
  if (rule === undefined) throw new Error("no rule");
  rule.destinations = [{ address: "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi" }] as never;
  const { facts } = parse(document);
  expect(facts.message).toContain("An address is not valid on ripple");
  expect(facts.details).toMatchObject({ path: "allow.0.destinations.0.address" });
});

test.each([
  ['{\n  "version": 1,\n  "id" "a"\n}', 3, 8, "expected ':'"],
  ['{\n  "version": 1,\n\t"idé": "é", x', 3, 14, "expected a key in double quotes"],
  ['{"a":1,\n"a":2}', 2, 1, "a key appears twice in one object"],
  ['{"version":1', 1, 13, "expected"],
])("A2 A4 what is not JSON is named with line and column: %j", (text, line, column, reason) => {
  const { code, facts } = failureOf(() => parsePolicy(new TextEncoder().encode(text), "/p.json"));
  expect(code).toBe("POLICY_INVALID");
  expect(facts.message).toStartWith(
    `The policy file '/p.json' is not valid: It is not valid JSON: ${reason}`,
  );
  expect(facts.message).toEndWith(`, at line ${line}, column ${column}.`);
  expect(facts.details).toEqual({ file: "/p.json", line, column });
});
