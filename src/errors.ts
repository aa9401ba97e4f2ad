/**
 * The one table of failures: code → exit code, whether trying again can help, and the general
 * remedy. A throw site knows only the code; the exit is defined nowhere else.
 */

/**
 * What an exit code says, for help, schema and skill. 129, 130 and 143 follow from a signal, with
 * or without a document.
 */
export const EXIT_CODES = {
  0: "success",
  1: "general or network",
  2: "validation",
  3: "authentication",
  4: "not found",
  5: "server",
} as const;

interface ErrorEntry {
  readonly exit: Exclude<keyof typeof EXIT_CODES, 0>;
  /** True when the same command can be run again unchanged and may succeed. */
  readonly retryable: boolean;
  /** What to do next, for a reader who knows only this line. */
  readonly hint: string;
}

/** The same command fails again until something changes. */
function fail(exit: ErrorEntry["exit"], hint: string): ErrorEntry {
  return { exit, retryable: false, hint };
}

/** The same command may succeed when it is run again. */
function again(exit: ErrorEntry["exit"], hint: string): ErrorEntry {
  return { exit, retryable: true, hint };
}

/**
 * Every code that a failure document can have (specification §1); `schema errors` prints this
 * table.
 */
export const ERRORS = {
  // Command line
  UNKNOWN_COMMAND: fail(2, "Run with --help to see the commands."),
  MISSING_COMMAND: fail(2, "Name one of the group's commands; --help lists them."),
  UNKNOWN_OPTION: fail(2, "Run the command with --help to see its options."),
  MISSING_OPTION: fail(2, "Add the option; --help shows how."),
  MISSING_OPTION_VALUE: fail(
    2,
    "Give the option a value; a value that begins with '-' is written with '=', as in --page=-1.",
  ),
  DUPLICATE_OPTION: fail(2, "Give the option once."),
  UNEXPECTED_ARGUMENT: fail(2, "Remove the argument; every value belongs to an option."),
  INVALID_ARGUMENT: fail(2, "Correct the value; --help shows what is accepted."),
  INVALID_PATH: fail(2, "Give a file that can be read, or a folder that exists or can be made."),

  // JSON from the caller
  INVALID_JSON: fail(
    2,
    "Give one JSON object inline, as @file, or as - for standard input; quote it for your shell.",
  ),
  JSON_DUPLICATE_KEY: fail(2, "Write each key once in an object."),
  INVALID_REQUEST_DATA: fail(2, 'Give the request a "type" (a non-empty string) and its "data".'),
  PAYLOAD_TOO_LARGE: fail(2, "Send less: a document may have at most 1 MiB."),

  // What a payment means
  INVALID_AMOUNT: fail(
    2,
    'Write a number, one space and a unit, such as --amount "0.007 BTC"; whole base units go to --amountBase.',
  ),
  UNKNOWN_UNIT: fail(2, "Use one of the units in error.details.units, spelled exactly so."),
  INVALID_ADDRESS: fail(
    2,
    "Copy the whole address again from its source; never correct one by hand.",
  ),
  AMBIGUOUS_NAME: fail(2, "Name one of error.details.candidates by its id."),
  AMBIGUOUS_ASSET: fail(
    2,
    "Name the contract with --token, or the token's own account; a ticker chooses no contract.",
  ),
  LOOKALIKE_ADDRESS: fail(
    2,
    "Do not pay. Show both addresses in error.details to a person, who asks the recipient.",
  ),
  DECIMALS_CONFLICT: fail(
    2,
    "Do not pay. Ask a person: the server's decimals for this asset are not the ones that are known.",
  ),
  MEANING_UNCLEAR: fail(
    2,
    "Show error.details.summary to a person. Pass the SHA-256 that this person confirms as --expectPayloadSha256.",
  ),

  // Configuration
  MISSING_CREDENTIALS: fail(
    2,
    "Have a person set the named environment variables; docs/configuration.md says where the values come from.",
  ),
  CONFIG_CONFLICT: fail(
    2,
    "Keep one of the two sources of this setting: drop the option, or unset one of the variables.",
  ),
  INVALID_URL: fail(2, "Give the base URL as https://host/path, without user, query or fragment."),
  INSECURE_URL: fail(
    2,
    "Use https; plain http is accepted only for this machine's loopback address.",
  ),
  INVALID_PROXY: fail(2, "Set the proxy variable to http://host:port, or unset it."),
  READ_ONLY: fail(
    2,
    "LEDGER_ENTERPRISE_READ_ONLY is set: commands that write or sign are switched off. Ask the person who set it.",
  ),
  NOT_SUPPORTED: fail(
    2,
    "Do without it: this API version, or this way to run it, does not offer it.",
  ),

  // Keys, challenges, signatures
  INVALID_PRIVATE_KEY: fail(
    2,
    "Give the hexadecimal form of an unencrypted P-256 PEM, made with: xxd -p -c 0 key.pem",
  ),
  UNSUPPORTED_KEY: fail(
    2,
    "Only P-256 (secp256r1, prime256v1) keys sign here; 'keys generate' makes one.",
  ),
  ENCRYPTED_PRIVATE_KEY: fail(
    2,
    "Remove the pass-phrase first: openssl ec -in key.pem -out plain.pem, then give its hexadecimal form.",
  ),
  KEY_MISMATCH: fail(
    2,
    "The configured private key is not the one registered for this operator; configure the right key.",
  ),
  INVALID_CHALLENGE: fail(2, "Pass the challenge exactly as 'requests getChallenge' printed it."),
  CHALLENGE_MISMATCH: fail(
    2,
    "Do not approve. Show error.details.differences to a person; this challenge stays refused, and a person rejects the request.",
  ),
  INVALID_SIGNATURE: fail(2, "Pass the signature exactly as 'requests sign' printed it."),

  // Programs that hold a key or a secret
  SIGNER_INSECURE: fail(
    2,
    "Give the path in error.details to root or to this user, and remove write access for group and others: chmod go-w.",
  ),
  SIGNER_REFUSED: fail(
    2,
    "Nothing was signed. A person must look at error.details and at the key store; do not try again before.",
  ),
  SIGNER_INVALID: fail(
    5,
    "Nothing was signed. Compare the signer's key with LEDGER_ENTERPRISE_API_PUBLIC_KEY: run 'doctor --signer'.",
  ),
  SIGNER_TIMEOUT: fail(
    1,
    "Nothing was signed. Check the key store; a slow one needs a larger timeoutSeconds in LEDGER_ENTERPRISE_SIGNER.",
  ),
  SIGNER_UNAVAILABLE: fail(
    1,
    "Nothing was signed. Look at error.details, correct the signer, then check it with 'doctor --signer'.",
  ),
  SECRET_COMMAND_FAILED: fail(
    2,
    "Look at error.details. The program must print the secret alone, on one line, and exit with 0.",
  ),

  // Session
  NOT_LOGGED_IN: fail(
    3,
    "Log in first: 'login api', 'login device', or 'login reporting' to read only.",
  ),
  SESSION_EXPIRED: fail(3, "Log in again: 'login api' or 'login device'."),
  SESSION_MISMATCH: fail(
    3,
    "The session belongs to another server or workspace; log in again for the configured one.",
  ),
  SESSION_CORRUPT: fail(3, "Run 'logout', then log in again."),
  SESSION_INSECURE: fail(
    3,
    "Others can read or change the session; correct owner and mode, then log in again.",
  ),
  SESSION_IO: fail(1, "Check that the state folder exists, can be written and has space."),
  LOCK_TIMEOUT: again(1, "Another process holds the session; try again when it has ended."),
  WRONG_SESSION_KIND: fail(3, "This command needs another kind of login."),

  // HTTP statuses
  BAD_REQUEST: fail(2, "The API refused the input; error.api contains the reason."),
  UNAUTHORIZED: fail(
    3,
    "The API refused the credentials. A person must check address, workspace, API key id and secret; the same ones are refused again.",
  ),
  FORBIDDEN: fail(
    3,
    "Either this user lacks a permission, or a policy of the workspace forbids it: 'permissions allowedActions' and 'policies list' show both. An administrator of the workspace decides.",
  ),
  NOT_FOUND: fail(
    4,
    "Check the id: the matching list command shows what exists. Where no id was given, check base URL and path.",
  ),
  CONFLICT: fail(1, "The object's state changed; read it again before going on."),
  HTTP_ERROR: fail(1, "Look at error.httpStatus and error.api; check base URL and proxy."),
  RATE_LIMITED: again(
    1,
    "Wait, then repeat; error.retryAfterSeconds says how long when it is known.",
  ),
  SERVER_ERROR: again(5, "The API failed; try again later."),
  REDIRECT_BLOCKED: fail(
    1,
    "The server answered with a redirect, which is never followed; check the base URL.",
  ),
  INVALID_RESPONSE: fail(5, "The answer is not what the API promises; check base URL and proxy."),
  RESPONSE_TOO_LARGE: fail(5, "Ask for less: use pages or filters."),
  OUTCOME_UNKNOWN: fail(
    1,
    "Do not repeat. It may have been carried out: run 'requests reconcile', or look with 'requests get --id' or 'requests list --createdBy me --sortOrder desc --pageSize 10' (API V1: 'transactions list --accountId'), and compare account, recipient, amount and note.",
  ),

  // Policy
  POLICY_DENIED: {
    exit: 2,
    retryable: false,
    hint: "Nothing was sent or signed, and this is an answer: do not look for another way. A person can use a device or the web application, or have the file's owner change it.",
  },
  POLICY_INVALID: {
    exit: 2,
    retryable: false,
    hint: "The owner of the file must correct it; 'policy show --file' shows whether it is valid.",
  },
  POLICY_INSECURE: {
    exit: 2,
    retryable: false,
    hint: "error.details.path names the file or folder at fault. The file, and each folder and link on its path, must belong to root (or to you, for LEDGER_ENTERPRISE_POLICY_FILE) and not be writable for group or others.",
  },

  // Journal and audit trail
  AUDIT_UNAVAILABLE: fail(
    1,
    "Check that the state folder can be written and has space; 'doctor' shows where it is.",
  ),
  AUDIT_BROKEN: fail(
    1,
    "Have a person look at error.details and at the log; 'audit restart --reason' begins a new one.",
  ),
  DUPLICATE_SUSPECTED: fail(
    2,
    "Do not repeat. Go on with the request in error.details.id; without one, run 'requests reconcile' with the key in error.details.key. Only if a second request is meant, add --again with that key.",
  ),

  // Network
  DNS_ERROR: again(
    1,
    "The host name was not found; check LEDGER_ENTERPRISE_API_URL, network and proxy.",
  ),
  NETWORK_ERROR: again(
    1,
    "The server could not be reached; check LEDGER_ENTERPRISE_API_URL, network and proxy.",
  ),
  CONNECTION_RESET: again(
    1,
    "The connection broke; try again. If it always does, check proxy and base URL, and whether both sides speak https.",
  ),
  TIMEOUT: again(1, "No complete answer in time; try again, or raise --timeout."),
  TLS_ERROR: fail(
    1,
    "The server's certificate or protocol was not accepted: for a private authority set NODE_EXTRA_CA_CERTS to its PEM file; check this machine's clock; the server must speak TLS 1.2 or newer on this port.",
  ),
  PROXY_ERROR: fail(1, "The proxy refused the connection; check HTTPS_PROXY and NO_PROXY."),

  // Waiting
  WAIT_TIMEOUT: again(
    1,
    "The request is still open. error.details.waitingFor lists users whose review is pending, where the API tells; 'users get' names them. Wait again if they will act.",
  ),
  WAIT_OTHER_STATE: fail(
    1,
    "Do not wait again: the request ended in another state, which error.details shows.",
  ),
  REQUEST_CLOSED: fail(
    1,
    "Look at its state with 'requests get': the request is final, and nothing can be approved.",
  ),

  // Device
  DEVICE_NOT_FOUND: again(1, "Connect the Ledger Stax or Flex by USB and unlock it."),
  DEVICE_PERMISSION: fail(
    1,
    "This user may not open the device; on Linux install the udev rule from docs/device.md, then reconnect it.",
  ),
  DEVICE_LOCKED: again(1, "Unlock the device and run the command again."),
  DEVICE_WRONG_APP: again(1, "Open the Vault application on the device."),
  DEVICE_APP_MISSING: fail(1, "Install the Vault application on the device."),
  DEVICE_REFUSED: fail(1, "Nothing was sent. Ask the person before you try again."),
  DEVICE_TIMEOUT: again(1, "Decline what the device still shows, then run the command again."),
  DEVICE_DISCONNECTED: again(1, "Reconnect the device and run the command again."),
  DEVICE_AMBIGUOUS: fail(2, "Name one device with --device, or disconnect the others."),
  DEVICE_BUSY: again(1, "Close the other program that uses the device."),
  DEVICE_NOT_READY: fail(1, "Finish setting up the device, or restart it."),
  DEVICE_ERROR: fail(
    1,
    "The device reported an unknown status; restart it and look at error.details.",
  ),
  DEVICE_PROTOCOL: fail(
    1,
    "The device's answer was malformed; reconnect it, and use one program at a time.",
  ),
  DEVICE_MISMATCH: fail(
    3,
    "This is not the device of the session; connect the right one or log in with this one.",
  ),
  DEVICE_UNSUPPORTED: fail(
    1,
    "USB support is missing; on Debian: apt-get install libudev1 libusb-1.0-0. Other commands work without it.",
  ),
  DEVICE_SERVER_UNTRUSTED: fail(
    1,
    "Do not approve. The device does not accept the server's security module; tell your security officer.",
  ),
  DEVICE_BAD_DATA: fail(
    1,
    "Check that the device belongs to this workspace: it refused the server's data.",
  ),
  DEVICE_NOT_REGISTERED: fail(
    3,
    "Connect a device that belongs to a user of the workspace; an administrator registers it.",
  ),
  DEVICE_NOT_A_REVIEWER: fail(
    3,
    "Look at reviewSteps and reviews of 'requests get': the user of this device does not review the current step, or did already.",
  ),
  DEVICE_LOGIN_UNSUPPORTED: fail(1, "This server offers no device login; use 'login api'."),

  // Guard
  GUARD_BYPASS: fail(
    2,
    "Have a person remove the credentials from this environment: with a guard, the guard alone holds them.",
  ),
  GUARD_UNREACHABLE: again(
    1,
    "Nothing was sent. Have a person check that the guard runs and that this user may open its socket.",
  ),
  GUARD_INCOMPATIBLE: fail(
    1,
    "Have a person install the same version for the agent and the guard.",
  ),
  GUARD_INSECURE: fail(
    2,
    "Have a person make the guard's socket and its folders belong to root or the guard's user alone.",
  ),
  GUARD_DENIED: fail(3, "Have a person add this user with --allowUid where the guard is started."),
  GUARD_NOT_ADOPTED: fail(
    2,
    "Have a person run 'guard adopt --reason' as the guard's user while the guard is stopped.",
  ),

  // Version, files, the program itself
  VERSION_OUTDATED: fail(
    1,
    "Ask a person to upgrade this program, then run the command again. Do not upgrade it yourself.",
  ),
  // A person's yes to a tool call
  CONFIRMATION_DECLINED: fail(2, "Nothing was sent. Do not ask again; tell the user."),
  CONFIRMATION_MISMATCH: fail(
    2,
    "Nothing was sent. The person types the value exactly as the question shows it.",
  ),
  CONFIRMATION_UNAVAILABLE: fail(2, "Have a person run the command in a terminal."),
  CONFIRMATION_EXPIRED: fail(2, "Nothing was sent. Call the tool again without requestState."),
  RESULT_TOO_LARGE: fail(2, "Ask for less: name fields, a smaller pageSize, or one object."),
  FILE_EXISTS: fail(2, "Nothing was overwritten. Name another file, or remove this one first."),
  IO_ERROR: fail(1, "Check that the path can be read or written and has space."),
  RUNTIME_UNSUPPORTED: fail(
    1,
    "Install a newer Node.js, or use the standalone executable, which needs none.",
  ),
  OUTPUT_ERROR: fail(1, "Check what takes the standard output: it is closed, or its disk is full."),
  UPGRADE_FAILED: again(1, "Nothing was changed; the installed version still works."),
  DOCTOR_PROBLEMS: fail(1, "error.details.findings lists each problem with its fix."),
  INTERNAL: fail(1, "This is a defect of the program; run with --debug and report it."),
} satisfies Record<string, ErrorEntry>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * What a failure may say beyond its code. Text from outside belongs into `details` or `api`, never
 * into `message`.
 */
export interface ErrorFacts {
  /** One sentence of ours. */
  readonly message: string;
  /** Replaces the table's remedy where the throw site knows a better one. */
  readonly hint?: string;
  /** The option or variable that is at fault, as the user wrote it. */
  readonly field?: string;
  /** Facts as data; anything that io/stdout can print. */
  readonly details?: unknown;
  readonly httpStatus?: number;
  readonly retryAfterSeconds?: number;
  readonly requestId?: string;
  /** The API's own error document, relayed as data. */
  readonly api?: unknown;
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/**
 * The only exception that crosses a module boundary. Anything else that arrives at the top is
 * `INTERNAL`.
 */
export class CliError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly facts: ErrorFacts,
  ) {
    super(facts.message, { cause: facts.cause });
    this.name = "CliError";
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  /** What to do next: of this failure, else of its code. */
  get hint(): string {
    return this.facts.hint ?? ERRORS[this.code].hint;
  }
}
