/** The members of a policy file and their forms: docs/policy.md shows them, refusals quote them. */
import * as v from "valibot";
import { wordOf } from "../../io/word.ts";

interface Member {
  readonly name: string;
  /** Which part of the file has it. */
  readonly of: string;
  readonly isRequired: boolean;
  /** What it must be, as the end of "it must be …". */
  readonly form: string;
}

function rows(of: string, members: Readonly<Record<string, string>>, optional: readonly string[]) {
  return Object.entries(members).map(([name, form]): Member => {
    return { name, of, isRequired: !optional.includes(name), form };
  });
}

const AMOUNT =
  'digits in text, without a unit, such as "0.03"; a point only where `decimals` is given';
const ID = "1 to 64 letters, digits, `_` or `-`";
const ANY_ACCOUNTS = 'a list of account ids, or `"any"`';
const ANY_DESTINATIONS = 'a list of destinations, or `"any"`';
const DECISIONS = 'a list of `"create"`, `"approve"`, `"reject"`';

/** Each member, in the order of the parts. */
export const MEMBERS: readonly Member[] = [
  ...rows(
    "file",
    {
      version: "the number 1",
      id: ID,
      reads: '`"all"`, `"none"`, or a list of operations',
      allow: "a list of allow rules",
      deny: "a list of deny rules",
      windows: "a list of windows; it is empty when `allow` is, and only then",
      onlyOwn: "`true` (the default) or `false`",
      duplicates: '`"ask"` (the default: `--again` is allowed) or `"deny"`',
      tagNotes: "`true` or `false` (the default)",
      stopped: "`true` or `false` (the default)",
    },
    ["deny", "onlyOwn", "duplicates", "tagNotes", "stopped"],
  ),
  ...rows(
    "allow rule",
    {
      id: ID,
      decisions: DECISIONS,
      types: '`["CREATE_TRANSACTION"]`',
      transactionTypes: 'a list of payment types, such as `"BITCOIN_LIKE_SEND"`',
      accounts: ANY_ACCOUNTS,
      asset: "an asset",
      destinations: ANY_DESTINATIONS,
      perRequest: AMOUNT,
      fees: 'fees, or `"none"` for types without a fee',
      note: '`"none"`, or the most characters of title and content together',
    },
    [],
  ),
  ...rows(
    "deny rule",
    {
      id: ID,
      decisions: DECISIONS,
      types: 'a list of request types, such as `"CREATE_TRANSACTION"`',
      transactionTypes: 'a list of transaction types, such as `"BITCOIN_LIKE_SEND"`',
      accounts: "a list of account ids, in any case",
      asset: "an asset",
    },
    ["decisions", "types", "transactionTypes", "accounts", "asset"],
  ),
  ...rows(
    "window",
    {
      id: ID,
      asset: "an asset",
      accounts: ANY_ACCOUNTS,
      destinations: ANY_DESTINATIONS,
      per: 'a time: `"90m"`, `"24h"`, `"7d"`',
      amount: AMOUNT,
      count: "a whole number, 0 or more",
    },
    [],
  ),
  ...rows(
    "asset",
    {
      currency: 'the name of the currency, such as `"bitcoin_testnet"`',
      contract: "the token's contract; without it the asset is the coin itself",
      decimals: "a whole number from 0 to 77; without it amounts are base units",
    },
    ["contract", "decimals"],
  ),
  ...rows(
    "destination",
    {
      address: "an address of the rule's network",
      tag: "digits in text (XRP); without it a request may have none",
      memo: 'one member, such as `{"MEMO_TEXT":"…"}` (Stellar); without it a request may have none',
    },
    ["tag", "memo"],
  ),
  ...rows(
    "fees",
    {
      strategies: 'a list of `"SPEED"`, `"CUSTOM"`, or `"none"`',
      max: AMOUNT,
      decimals: "a whole number from 0 to 77; without it `max` is in base units",
    },
    ["decimals"],
  ),
];

/** Which part the member at a dotted path belongs to. */
function partOf(path: readonly string[]): string {
  const above = path.slice(0, -1).filter((word) => !/^\d+$/.test(word));
  const last = above.at(-1) ?? "";
  const parts: Readonly<Record<string, string>> = {
    ...{ allow: "allow rule", deny: "deny rule", windows: "window", destinations: "destination" },
  };
  return last === "" ? "file" : (parts[last] ?? last);
}

interface Fault {
  readonly path: string;
  readonly kind: "missing" | "unknown" | "wrong";
}

const MOST_FAULTS = 3;

/** What a validation found: the first place that is at fault, and a sentence for each of a few. */
export function explain(issues: readonly v.BaseIssue<unknown>[]): { path: string; reason: string } {
  const faults = issues.flatMap((issue) => faultsOf(issue, ""));
  const told = faults.slice(0, MOST_FAULTS).map(sentenceOf);
  // What is not known says most: a misspelled member is missing under its right name.
  const first = faults.find(({ kind }) => kind === "unknown") ?? faults[0];
  return { path: first?.path ?? "", reason: told.join(" ") };
}

/** Of a member with several forms, the faults of the form that the value has. */
function faultsOf(issue: v.BaseIssue<unknown>, above: string): Fault[] {
  const own = v.getDotPath(issue);
  const path = [above, own ?? ""].filter((part) => part !== "").join(".");
  const inner = (issue.issues ?? []).filter((one) => v.getDotPath(one) !== null);
  if (issue.type === "union" && inner.length > 0)
    return inner.flatMap((one) => faultsOf(one, path));
  if (issue.received === "undefined") return [{ path, kind: "missing" }];
  return [{ path, kind: issue.expected === "never" ? "unknown" : "wrong" }];
}

function sentenceOf({ path, kind }: Fault): string {
  const named = wordOf(path);
  if (named === undefined)
    return path === "" ? "It must be one JSON object." : "One member is not right.";
  if (kind === "unknown") return `The member ${named} is not known.`;
  if (kind === "missing") return `The member ${named} is missing.`;
  const words = path.split(".");
  const name = words.findLast((word) => !/^\d+$/.test(word));
  const part = partOf(words.slice(0, words.lastIndexOf(name ?? "") + 1));
  const form = MEMBERS.find((one) => one.of === part && one.name === name)?.form;
  return form === undefined
    ? `The member ${named} has a wrong value.`
    : `The member ${named} must be ${form.replaceAll("`", "")}.`;
}
