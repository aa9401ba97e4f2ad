/** A secret in a file that a `_FILE` variable names. */
import { type Stats, statSync } from "node:fs";
import { CliError } from "../../errors.ts";
import { decodeUtf8, JsonError } from "../../io/json.ts";
import { clean } from "./values.ts";

/** Far above any secret, so that a wrong file is judged by its content. */
const SECRET_FILE_MAX_BYTES = 2 * 1024 * 1024;

/**
 * The secret in the file that the variable `field` names; `read` gets the bytes. Throws
 * MISSING_CREDENTIALS for a file that cannot be read or is empty, and what `read` throws.
 */
export async function readSecretFile(
  read: (maxBytes: number) => Promise<Uint8Array>,
  field: string,
  linesAllowed: boolean,
): Promise<string> {
  try {
    const bytes = await read(SECRET_FILE_MAX_BYTES);
    const value = clean(decodeText(bytes, field), field, linesAllowed);
    if (value !== undefined) return value;
  } catch (cause) {
    if (cause instanceof CliError && !FILE_CODES.has(cause.code)) throw cause;
    throw new CliError("MISSING_CREDENTIALS", {
      message: `The file that ${field} names cannot be read.`,
      hint: "Check that the file exists and that this user may read it.",
      field,
      ...reasonOf(cause),
      cause,
    });
  }
  throw new CliError("MISSING_CREDENTIALS", {
    message: `The file that ${field} names is empty.`,
    hint: "Put the secret into the file, or name another file.",
    field,
  });
}

/** Undefined for a file that is not there or cannot be looked at. */
export function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** What reading a file that is not there, or may not be read, ends in. */
const FILE_CODES: ReadonlySet<string> = new Set(["INVALID_PATH", "IO_ERROR", "PAYLOAD_TOO_LARGE"]);

/** The system's word for a failure. The path is not shown: it may be the secret, set by mistake. */
function reasonOf(cause: unknown): { details?: { reason: string } } {
  const details = cause instanceof CliError ? cause.facts.details : undefined;
  const reason = details instanceof Object && "reason" in details ? details.reason : undefined;
  return typeof reason === "string" && reason !== "" ? { details: { reason } } : {};
}

/** Text of a secret's file. Throws MISSING_CREDENTIALS, whose details say when it is in UTF-16. */
function decodeText(bytes: Uint8Array, field: string): string {
  try {
    return decodeUtf8(bytes, { bom: "strip" });
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new CliError("MISSING_CREDENTIALS", {
      message: `The file that ${field} names is not UTF-8.`,
      hint: "Save the file as UTF-8.",
      field,
      details: { reason: cause.message },
      cause,
    });
  }
}
