/**
 * Signs with a program of the user's, which asks a key store that never releases the key. One
 * process for each operation, started once and never again by itself. A signature counts only when
 * the configured public key verifies it over our own bytes.
 */
import { createHash } from "node:crypto";
import { CliError, type ErrorCode } from "../../errors.ts";
import { decodeBase64 } from "../../io/base64.ts";
import { decodeUtf8, exact, JsonError, type Node, tree } from "../../io/json.ts";
import type { Ended } from "../../io/process.ts";
import {
  type ConfiguredProgram,
  endingFacts,
  findObstacle,
  type ProgramHost,
  shownText,
  startProgram,
} from "../auth/program.ts";
import { parsePublicKey } from "../auth/publickey.ts";
import { lowerS, rawFromDer } from "./ecdsa.ts";
import { type Signer, verifySignature } from "./signer.ts";

const PROTOCOL = { protocol: "ledger-enterprise-signer", version: 1 } as const;
const FIELD = "LEDGER_ENTERPRISE_SIGNER";

/**
 * A signer whose `sign` starts the program. `publicKey` (65 bytes) is the configured one. `sign`
 * throws SIGNER_INSECURE, SIGNER_REFUSED, SIGNER_INVALID, SIGNER_TIMEOUT, SIGNER_UNAVAILABLE.
 */
export function externalSigner(
  program: ConfiguredProgram,
  publicKey: Uint8Array,
  host: ProgramHost,
): Signer {
  return {
    publicKey,
    async sign(message) {
      // No value needs escaping, so that a shell script can read the line.
      const request = {
        ...PROTOCOL,
        operation: "sign",
        algorithm: "ES256",
        publicKey: Buffer.from(publicKey).toString("hex"),
        digest: createHash("sha256").update(message).digest("base64"),
        message: Buffer.from(message).toString("latin1"),
      };
      const answer = await ask(program, request, host);
      const signature = signatureOf(answer.members);
      if (signature === undefined) throw answer.invalid("is not a signature of 64 bytes or DER");
      const lowered = lowerS(signature);
      if (verifySignature(message, lowered, publicKey)) return lowered;
      throw answer.invalid("does not verify with LEDGER_ENTERPRISE_API_PUBLIC_KEY");
    },
  };
}

/** The public key (65 bytes) that the program signs with. Throws the SIGNER_ codes. */
export async function askPublicKey(
  program: ConfiguredProgram,
  host: ProgramHost,
): Promise<Uint8Array> {
  const answer = await ask(program, { ...PROTOCOL, operation: "public-key" }, host);
  const key = parsePublicKey(textOf(answer.members, "publicKey") ?? "");
  if (typeof key !== "string") return key;
  throw answer.invalid("is not a public key on P-256");
}

/** A success of the program, and the failure to throw when its content is wrong. */
interface Answer {
  readonly members: Members;
  /** SIGNER_INVALID; `what` completes "The signer's answer …". */
  invalid(what: string): CliError;
}

type Members = ReadonlyMap<string, Node>;

async function ask(
  program: ConfiguredProgram,
  request: object,
  host: ProgramHost,
): Promise<Answer> {
  const obstacle = findObstacle(program.path, host.uid);
  if (obstacle !== undefined) {
    const { message, details } = obstacle;
    throw new CliError(CODE_OF_OBSTACLE[obstacle.kind], { message, field: FIELD, details });
  }
  const ended = await startProgram(program, `${JSON.stringify(request)}\n`, host);
  const facts = endingFacts(ended, program, host);
  const invalid = (what: string): CliError =>
    failure("SIGNER_INVALID", `The signer's answer ${what}.`, facts);
  const members = membersOf(ended.stdout);
  refuseFailure(ended, facts, members, (text) => shownText(text, new Uint8Array(), program, host));
  if (members === undefined) throw invalid("is not one JSON object");
  const version = members.get("version");
  if (version?.kind !== "number" || version.raw !== "1")
    throw invalid("does not have version 1 of the protocol");
  return { members, invalid };
}

const CODE_OF_OBSTACLE = {
  unsupported: "NOT_SUPPORTED",
  insecure: "SIGNER_INSECURE",
  unusable: "SIGNER_UNAVAILABLE",
} as const;

/** Error codes of the protocol that are a decision against the signature. */
const REFUSALS = new Set(["REFUSED", "ACCESS_DENIED"]);
const FAILURES = new Set(["KEY_NOT_FOUND", "THROTTLED", "UNAVAILABLE", "UNSUPPORTED", "FAILED"]);

/** Throws unless the program ended with exit code 0 and without an error of its own. */
function refuseFailure(
  { ending }: Ended,
  facts: Record<string, unknown>,
  members: Members | undefined,
  shown: (text: string) => string,
): void {
  if (ending.kind === "timeout")
    throw failure("SIGNER_TIMEOUT", "The signer did not answer in its time.", facts);
  if (ending.kind === "tooMuch")
    throw failure("SIGNER_INVALID", "The signer wrote more than 65,536 bytes.", facts);
  if (ending.kind === "stopped")
    throw failure("SIGNER_UNAVAILABLE", "The signer was stopped before it answered.", facts);
  if (ending.kind === "unstartable")
    throw failure("SIGNER_UNAVAILABLE", "The system did not start the signer.", facts);
  const error = members?.get("error");
  if (error === undefined && ending.kind === "exit" && ending.exitCode === 0) return;
  const reported = error?.kind === "object" ? new Map(error.members) : undefined;
  const code = textOf(reported, "code");
  const message = textOf(reported, "message");
  const isListed = code !== undefined && (REFUSALS.has(code) || FAILURES.has(code));
  const details = {
    ...facts,
    ...(isListed ? { signerCode: code } : {}),
    ...(message === undefined ? {} : { signerMessage: shown(message) }),
  };
  if (code !== undefined && REFUSALS.has(code))
    throw failure("SIGNER_REFUSED", "The signer refused to sign.", details);
  throw failure("SIGNER_UNAVAILABLE", unavailability(ending, code), details);
}

function unavailability(ending: Ended["ending"], code: string | undefined): string {
  if (ending.kind === "signal") return "A signal ended the signer before it succeeded.";
  if (code === "KEY_NOT_FOUND") return "The signer did not find its key.";
  return "The signer failed.";
}

function failure(code: ErrorCode, message: string, details: object): CliError {
  return new CliError(code, { message, field: FIELD, details });
}

/** One JSON object in UTF-8 without a byte order mark and without repeated keys. */
function membersOf(stdout: Uint8Array): Members | undefined {
  try {
    const document = tree(exact(decodeUtf8(stdout, { bom: "refuse" })));
    return document.kind === "object" ? new Map(document.members) : undefined;
  } catch (cause) {
    if (cause instanceof JsonError) return undefined;
    throw cause;
  }
}

function textOf(members: Members | undefined, name: string): string | undefined {
  const found = members?.get(name);
  return found?.kind === "string" ? found.value : undefined;
}

/** 64 bytes, r‖s; undefined for anything that is not exactly a signature in the named format. */
function signatureOf(members: Members): Uint8Array | undefined {
  const bytes = decodeBase64(textOf(members, "signature") ?? "");
  if (bytes === undefined) return undefined;
  const format = textOf(members, "format");
  if (format === "raw") return bytes.length === 64 ? bytes : undefined;
  return format === "der" ? rawFromDer(bytes) : undefined;
}
