/**
 * Policy files: who may have written them, and what they say. A file is valid as a whole or refused
 * as a whole; nothing in it is skipped.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import * as v from "valibot";
import { CliError } from "../../errors.ts";
import { errnoOf } from "../../io/errno.ts";
import { decodeUtf8, exact, JsonError, value } from "../../io/json.ts";
import type { Log } from "../../io/log.ts";
import { type Distrusted, findDistrusted } from "../../io/trust.ts";
import { wordOf } from "../../io/word.ts";
import { explain } from "./members.ts";
import { isThere, SYSTEM_POLICY } from "./places.ts";
import { checkRules } from "./rules.ts";
import { invalid } from "./values.ts";

const MOST_BYTES = 256 * 1024;

const Id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/));
const Text = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const some = <S extends v.GenericSchema<unknown>>(item: S) => v.pipe(v.array(item), v.minLength(1));
const Decimals = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(77));
/** Digits, with a point only where `decimals` says where it is. */
const Digits = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,77})(\.\d{1,77})?$/));
const AssetRule = v.strictObject({
  currency: Text,
  contract: v.optional(Text),
  decimals: v.optional(Decimals),
});
const Memo = v.pipe(
  v.record(v.picklist(["MEMO_TEXT", "MEMO_ID", "MEMO_HASH", "MEMO_RETURN"]), Text),
  v.check((memo) => Object.keys(memo).length === 1),
);
const Destination = v.strictObject({
  address: Text,
  tag: v.optional(v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,19})$/))),
  memo: v.optional(Memo),
});
const Fees = v.union([
  v.literal("none"),
  v.strictObject({
    strategies: v.union([v.literal("none"), some(v.picklist(["SPEED", "CUSTOM"]))]),
    max: Digits,
    decimals: v.optional(Decimals),
  }),
]);
const anyOr = <S extends v.GenericSchema<unknown>>(item: S) =>
  v.union([v.literal("any"), some(item)]);
const DECISION = v.picklist(["create", "approve", "reject"]);

const AllowRule = v.strictObject({
  id: Id,
  decisions: some(DECISION),
  types: some(v.literal("CREATE_TRANSACTION")),
  transactionTypes: some(Text),
  accounts: anyOr(Text),
  asset: AssetRule,
  destinations: anyOr(Destination),
  perRequest: Digits,
  fees: Fees,
  note: v.union([v.literal("none"), v.pipe(v.number(), v.integer(), v.minValue(1))]),
});
const DenyRule = v.pipe(
  v.strictObject({
    id: Id,
    decisions: v.optional(some(DECISION)),
    types: v.optional(some(Text)),
    transactionTypes: v.optional(some(Text)),
    accounts: v.optional(some(Text)),
    asset: v.optional(AssetRule),
  }),
  v.check((rule) => Object.keys(rule).length > 1),
);
const Window = v.strictObject({
  id: Id,
  asset: AssetRule,
  accounts: anyOr(Text),
  destinations: anyOr(Destination),
  per: v.pipe(v.string(), v.regex(/^[1-9]\d{0,3}[mhd]$/)),
  amount: Digits,
  count: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
const PolicyFile = v.strictObject({
  version: v.literal(1),
  id: Id,
  reads: v.union([v.picklist(["all", "none"]), some(Text)]),
  allow: v.array(AllowRule),
  deny: v.optional(v.array(DenyRule), []),
  windows: v.array(Window),
  onlyOwn: v.optional(v.boolean(), true),
  duplicates: v.optional(v.picklist(["deny", "ask"]), "ask"),
  tagNotes: v.optional(v.boolean(), false),
  stopped: v.optional(v.boolean(), false),
});

/** Parts of a policy file, as docs/policy.md describes them. */
export type AllowRule = v.InferOutput<typeof AllowRule>;
export type DenyRule = v.InferOutput<typeof DenyRule>;
export type Window = v.InferOutput<typeof Window>;
export type AssetRule = v.InferOutput<typeof AssetRule>;
export type Destination = v.InferOutput<typeof Destination>;

/** A valid policy file. */
export interface Policy extends v.InferOutput<typeof PolicyFile> {
  readonly path: string;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly sha256: string;
}

/** Reads a policy out of bytes. Throws POLICY_INVALID with the place that is at fault. */
export function parsePolicy(bytes: Uint8Array, path: string): Policy {
  let [document, text]: [unknown, string] = [undefined, ""];
  try {
    text = decodeUtf8(bytes, { bom: "refuse" });
    document = value(exact(text));
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw notJson(path, cause, text);
  }
  const parsed = v.safeParse(PolicyFile, document);
  if (!parsed.success) {
    const { path: place, reason } = explain(parsed.issues);
    throw invalid(path, place, reason);
  }
  const policy = parsed.output;
  checkRules(policy, path);
  return { ...policy, path, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** What is wrong with a file's JSON, and in which line and column, both from 1. */
function notJson(path: string, { message, position }: JsonError, text: string): CliError {
  const reason = message.replace(/( at (position \d+|the end of the text))?\.?$/, "");
  const words = `It is not valid JSON: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  // A text that could not be decoded has no lines.
  if (text === "") return invalid(path, "", `${words}.`);
  const lines = text.slice(0, position).split("\n");
  const [line, column] = [lines.length, [...(lines.at(-1) ?? "")].length + 1];
  return invalid(path, "", `${words}, at line ${line}, column ${column}.`, { line, column });
}

/**
 * The bytes of a file that only root, or with `uid` also this user, can have written; undefined
 * when there is none. Nothing waits: a FIFO is refused. Throws POLICY_INSECURE, POLICY_INVALID.
 */
export function readPolicyFile(path: string, uid: number | undefined): Uint8Array | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT" && !isThere(path)) return undefined;
    throw invalid(path, "", `This program's user cannot read it (${errno ?? "no reason"}).`);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw insecure(path, "is not a regular file", "Put a regular file there.");
    if (stats.nlink !== 1) throw insecure(path, "has more than one name", "Write it anew.");
    const found = uid === undefined ? undefined : findDistrusted(path, uid);
    if (found !== undefined) throw insecure(found.path, found.reason, mendOf(found));
    if (stats.size > MOST_BYTES) throw invalid(path, "", "It has more than 256 KiB.");
    return readFileSync(descriptor);
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw invalid(path, "", "It cannot be read.");
  } finally {
    closeSync(descriptor);
  }
}

/** A file that need not be in force. Throws INVALID_PATH, POLICY_INVALID, POLICY_INSECURE. */
export function loadCandidate(path: string): Policy {
  const bytes = readPolicyFile(path, undefined);
  if (bytes !== undefined) return parsePolicy(bytes, path);
  const word = wordOf(path);
  throw new CliError("INVALID_PATH", {
    message: word === undefined ? "There is no such file." : `There is no file ${word}.`,
    field: "--file",
    details: { path },
  });
}

/** Says that a candidate would be refused where it is. Throws POLICY_INVALID. */
export function warnOfTrust(path: string, uid: number | undefined, log: Pick<Log, "warn">): void {
  try {
    readPolicyFile(resolve(path), uid);
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== "POLICY_INSECURE") throw cause;
    log.warn(cause.code, `${cause.facts.message} It would be refused where it is.`);
  }
}

/** The policies that apply: the system's, and the one that a variable names. */
export function loadPolicies(
  named: string | undefined,
  uid: number | undefined,
  system = SYSTEM_POLICY,
): Policy[] {
  return [...systemPolicy(uid, system), ...namedPolicy(named, uid)];
}

/**
 * Those of them that are valid: a broken one takes nothing from the other, and `told` gets its
 * fault. For reads only, which a broken file does not stop.
 */
export function validPolicies(
  named: string | undefined,
  uid: number | undefined,
  system = SYSTEM_POLICY,
  told: (broken: CliError) => void = () => undefined,
): Policy[] {
  return [() => systemPolicy(uid, system), () => namedPolicy(named, uid)].flatMap((load) => {
    try {
      return load();
    } catch (cause) {
      if (!(cause instanceof CliError)) throw cause;
      told(cause);
      return [];
    }
  });
}

/** The last valid policy of each path: a file is read anew at each use, and seldom differs. */
const LATEST = new Map<string, { readonly bytes: Uint8Array; readonly policy: Policy }>();
const MOST_PATHS = 8;

/** The policy of a file's bytes as they are now. Throws POLICY_INVALID. */
function policyOf(bytes: Uint8Array, path: string): Policy {
  const latest = LATEST.get(path);
  if (latest !== undefined && Buffer.compare(latest.bytes, bytes) === 0) return latest.policy;
  const policy = parsePolicy(bytes, path);
  if (LATEST.size >= MOST_PATHS) LATEST.clear();
  LATEST.set(path, { bytes, policy });
  return policy;
}

function systemPolicy(uid: number | undefined, path: string): Policy[] {
  const bytes = readPolicyFile(path, uid === undefined ? undefined : 0);
  return bytes === undefined ? [] : [policyOf(bytes, path)];
}

function namedPolicy(path: string | undefined, uid: number | undefined): Policy[] {
  if (path === undefined) return [];
  if (!isAbsolute(path))
    throw invalid(path, "", "LEDGER_ENTERPRISE_POLICY_FILE must be an absolute path.");
  const bytes = readPolicyFile(path, uid);
  if (bytes !== undefined) return [policyOf(bytes, path)];
  throw invalid(path, "", "The file that LEDGER_ENTERPRISE_POLICY_FILE names is missing.");
}

/** `path` is the file, or the folder or link on its path, that breaks the rule. */
function insecure(path: string, why: string, mend: string): CliError {
  const rule =
    "The file, and each folder and link on its path, must belong to root (or to you, for LEDGER_ENTERPRISE_POLICY_FILE) and not be writable for group or others.";
  return new CliError("POLICY_INSECURE", {
    message: `Somebody else can have written the policy file: ${wordOf(path) ?? "a part of its path"} ${why}.`,
    hint: `${mend} ${rule}`,
    details: { path },
  });
}

/** The line that takes the power away. A folder for everybody, such as /tmp, stays one. */
function mendOf({ path, reason }: Distrusted): string {
  const word = wordOf(path) ?? "on the path in error.details.path";
  if (reason === "belongs to another user")
    return `Look at what it says, then have root run: chown root ${word}.`;
  const isForAll = (lstatSync(path).mode & 0o1000) !== 0;
  return isForAll
    ? "Move the file to a folder that only its owner can write to."
    : `Look at what it says, then run: chmod go-w ${word}.`;
}
