/**
 * Which codes a command can fail with, as they follow from what it takes, needs and changes. Shown
 * to readers of schema and skill; a test compares it with what commands really answer.
 */
import type { Argument, ArgumentMap } from "../../cli/argument.ts";
import type { Effect } from "../../cli/command.ts";
import { ERRORS, type ErrorCode } from "../../errors.ts";
import type { Capabilities } from "../../world.ts";

type Codes = readonly ErrorCode[];

const EVERY: Codes = [
  ...([
    "UNKNOWN_OPTION",
    "MISSING_OPTION_VALUE",
    "DUPLICATE_OPTION",
    "UNEXPECTED_ARGUMENT",
    "INVALID_ARGUMENT",
  ] as const),
  ...(["OUTPUT_ERROR", "INTERNAL"] as const),
];
const CONFIGURED: Codes = ["INVALID_URL", "INSECURE_URL", "INVALID_PROXY", "CONFIG_CONFLICT"];
const STATE: Codes = ["SESSION_CORRUPT", "SESSION_INSECURE", "SESSION_IO", "INVALID_PATH"];
const NETWORK: Codes = [
  "DNS_ERROR",
  "NETWORK_ERROR",
  "CONNECTION_RESET",
  "TIMEOUT",
  "TLS_ERROR",
  "PROXY_ERROR",
];
const HTTP: Codes = [
  ...([
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "NOT_FOUND",
    "CONFLICT",
    "HTTP_ERROR",
    "RATE_LIMITED",
  ] as const),
  ...([
    "SERVER_ERROR",
    "REDIRECT_BLOCKED",
    "INVALID_RESPONSE",
    "RESPONSE_TOO_LARGE",
    "PAYLOAD_TOO_LARGE",
  ] as const),
];
/** A secret may come from a program. */
const SECRET: Codes = ["MISSING_CREDENTIALS", "SECRET_COMMAND_FAILED"];
const SIGNER: Codes = [
  ...(["SIGNER_INSECURE", "SIGNER_REFUSED", "SIGNER_INVALID"] as const),
  ...(["SIGNER_TIMEOUT", "SIGNER_UNAVAILABLE", "NOT_SUPPORTED"] as const),
];
const KEY: Codes = [
  "MISSING_CREDENTIALS",
  "CONFIG_CONFLICT",
  "INVALID_PRIVATE_KEY",
  "UNSUPPORTED_KEY",
  "ENCRYPTED_PRIVATE_KEY",
];
const SESSION: Codes = [
  "NOT_LOGGED_IN",
  "SESSION_EXPIRED",
  "SESSION_MISMATCH",
  "LOCK_TIMEOUT",
  "NOT_SUPPORTED",
  ...STATE,
];
const CALLS: Codes = [...CONFIGURED, ...NETWORK, ...HTTP];
const DEVICE = Object.keys(ERRORS).filter((code): code is ErrorCode => code.startsWith("DEVICE_"));

/** What asking for a capability can end in. */
const BY_NEED: { readonly [K in keyof Capabilities]?: Codes } = {
  reader: [...SESSION, ...CALLS, ...SECRET],
  api: [...SESSION, ...CALLS, ...SECRET, "WRONG_SESSION_KIND", "OUTCOME_UNKNOWN"],
  draft: [...SESSION, ...CONFIGURED, "MISSING_CREDENTIALS", "WRONG_SESSION_KIND"],
  host: [...STATE, ...CALLS, ...SECRET, "SESSION_MISMATCH", "LOCK_TIMEOUT", "NOT_SUPPORTED"],
  sessions: [...STATE, "LOCK_TIMEOUT"],
  records: STATE,
  keyring: [...KEY, ...SIGNER],
  signerKey: [...KEY, ...SIGNER],
  publicKey: KEY,
  files: ["FILE_EXISTS", "INVALID_PATH", "IO_ERROR"],
};

const BY_KIND: Readonly<Record<string, Codes>> = {
  json: ["INVALID_JSON", "JSON_DUPLICATE_KEY", "PAYLOAD_TOO_LARGE", "INVALID_PATH", "IO_ERROR"],
  material: ["INVALID_JSON", "PAYLOAD_TOO_LARGE", "INVALID_PATH", "IO_ERROR"],
  path: ["INVALID_PATH"],
};

interface Facts {
  readonly effect: Effect;
  readonly needs: readonly string[];
  readonly args: ArgumentMap;
  readonly operands?: Argument<readonly string[]>;
  readonly ungated: boolean;
  readonly fails?: Codes;
}

/** The codes of a command in the order of the error table, each once. */
export function failuresOf({
  effect,
  needs,
  args,
  operands,
  ungated,
  fails = [],
}: Facts): ErrorCode[] {
  const taken = [...Object.values(args), ...(operands === undefined ? [] : [operands])];
  const found = new Set<string>([
    ...EVERY,
    ...fails,
    ...needs.flatMap(
      (need) => BY_NEED[need as keyof Capabilities] ?? (/device/i.test(need) ? DEVICE : []),
    ),
    ...taken.flatMap(({ kind }) => BY_KIND[kind] ?? []),
    ...(taken.some(({ required }) => required) ? ["MISSING_OPTION"] : []),
    ...(effect === "write" || effect === "sign" ? ["READ_ONLY"] : []),
    ...(ungated ? [] : ["VERSION_OUTDATED"]),
  ]);
  return Object.keys(ERRORS).filter((code): code is ErrorCode => found.has(code));
}
