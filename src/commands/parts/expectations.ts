/**
 * The options with which a caller says what a challenge must hold; taken by every command that
 * signs.
 */
import { type Argument, json, text } from "../../cli/argument.ts";
import { CliError } from "../../errors.ts";

const sha256: Argument<string | undefined> = {
  ...text(
    "SHA-256 of the payload that a person or a policy engine confirmed, with everything in it.",
    "<hex>",
    64,
  ),
  parse(raw, option) {
    if (/^[0-9A-Fa-f]{64}$/.test(raw)) return raw.toLowerCase();
    throw new CliError("INVALID_ARGUMENT", {
      message: `${option} takes 64 hexadecimal digits.`,
      field: option,
    });
  },
};

/** `--expect` and `--expectPayloadSha256`. */
export const EXPECTATIONS = {
  expect: json(
    "Values that the decoded challenge must contain, as a JSON object; confirms these fields and no others.",
  ),
  expectPayloadSha256: sha256,
};
