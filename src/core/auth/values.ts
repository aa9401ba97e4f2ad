/** The value of a variable: trimmed and checked, and never quoted back (CFG-5). */
import { CliError } from "../../errors.ts";

/** Environment variables as the process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Set for every program that this one starts; a start of this program under it is refused. */
export const HELPER_MARKER = "LEDGER_ENTERPRISE_HELPER";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, for values that may have several lines
const CONTROL_BUT_LINES = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/** Quotation marks that a shell would have taken away. */
export function isQuoted(value: string): boolean {
  return value.length > 1 && /^(["'])[\s\S]*\1$/.test(value);
}

/** The failure of a value that `isQuoted`. */
export function quoted(code: "INVALID_ARGUMENT" | "INVALID_PATH", field: string): CliError {
  return new CliError(code, {
    message: `${field} has quotation marks around its value.`,
    hint: "Remove the quotation marks: only a shell takes them away, an env file does not.",
    field,
  });
}

/** Trims, and treats an empty value as unset. The value is never quoted back (CFG-5). */
export function clean(
  raw: string | undefined,
  field: string,
  linesAllowed: boolean,
): string | undefined {
  const value = raw?.trim();
  if (value === undefined || value === "") return undefined;
  if ((linesAllowed ? CONTROL_BUT_LINES : CONTROL).test(value)) {
    throw new CliError("INVALID_ARGUMENT", {
      message: `${field} contains a control character.`,
      field,
    });
  }
  if (isQuoted(value)) throw quoted("INVALID_ARGUMENT", field);
  return value;
}

/** 1–128 printable ASCII characters without a space at either end (B10). */
export function checkWorkspace(value: string, field: string): string {
  if (/^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/.test(value)) return value;
  throw new CliError("INVALID_ARGUMENT", {
    message: `${field} takes 1 to 128 printable ASCII characters without a space at either end.`,
    field,
  });
}
