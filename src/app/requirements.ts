/** What rows of the capabilities' table refer to by name: requirements, and groups of codes. */
import { ERRORS, type ErrorCode } from "../errors.ts";

/** What a caller must have configured, connected or done before, in words. */
export const REQUIREMENTS = {
  session: { thing: "a session", how: ": log in first" },
  address: {
    thing: "the API's address and the workspace",
    how: ", in the environment or as options",
  },
  privateKey: {
    thing: "the operator's key",
    how: ": LEDGER_ENTERPRISE_API_PRIVATE_KEY, its _FILE form, or LEDGER_ENTERPRISE_SIGNER",
  },
  device: { thing: "a Ledger device", how: "" },
};

/** Codes that many commands can answer, in groups; `schema errors` says them once. */
export const COMMON_CODES = {
  every: [
    ...(["UNKNOWN_OPTION", "MISSING_OPTION_VALUE", "DUPLICATE_OPTION"] as const),
    ...(["UNEXPECTED_ARGUMENT", "INVALID_ARGUMENT", "OUTPUT_ERROR", "INTERNAL"] as const),
  ],
  version: ["VERSION_OUTDATED"],
  settings: [
    ...(["INVALID_URL", "INSECURE_URL", "INVALID_PROXY"] as const),
    ...(["CONFIG_CONFLICT", "MISSING_CREDENTIALS"] as const),
  ],
  state: [
    ...(["SESSION_CORRUPT", "SESSION_INSECURE", "SESSION_IO"] as const),
    ...(["INVALID_PATH", "LOCK_TIMEOUT"] as const),
  ],
  session: ["NOT_LOGGED_IN", "SESSION_EXPIRED", "SESSION_MISMATCH", "NOT_SUPPORTED"],
  network: [
    ...(["DNS_ERROR", "NETWORK_ERROR", "CONNECTION_RESET", "TIMEOUT", "TLS_ERROR"] as const),
    ...(["PROXY_ERROR", "BAD_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND"] as const),
    ...(["CONFLICT", "HTTP_ERROR", "RATE_LIMITED", "SERVER_ERROR", "REDIRECT_BLOCKED"] as const),
    ...(["INVALID_RESPONSE", "RESPONSE_TOO_LARGE", "PAYLOAD_TOO_LARGE"] as const),
  ],
  policy: ["POLICY_DENIED", "POLICY_INVALID", "POLICY_INSECURE"],
  /** Of a command that goes through a guard. */
  guard: [
    ...(["GUARD_BYPASS", "GUARD_UNREACHABLE", "GUARD_INCOMPATIBLE", "GUARD_INSECURE"] as const),
    "GUARD_DENIED",
  ],
  logs: ["AUDIT_UNAVAILABLE", "AUDIT_BROKEN", "LOCK_TIMEOUT", "CONFIG_CONFLICT"],
  /** A secret may come from a program. */
  secret: ["MISSING_CREDENTIALS", "SECRET_COMMAND_FAILED"],
  key: [
    ...(["MISSING_CREDENTIALS", "CONFIG_CONFLICT", "INVALID_PRIVATE_KEY"] as const),
    ...(["UNSUPPORTED_KEY", "ENCRYPTED_PRIVATE_KEY"] as const),
  ],
  signer: [
    ...(["SIGNER_INSECURE", "SIGNER_REFUSED", "SIGNER_INVALID"] as const),
    ...(["SIGNER_TIMEOUT", "SIGNER_UNAVAILABLE", "NOT_SUPPORTED"] as const),
  ],
  device: Object.keys(ERRORS).filter((code): code is ErrorCode => code.startsWith("DEVICE_")),
} satisfies Readonly<Record<string, readonly ErrorCode[]>>;
